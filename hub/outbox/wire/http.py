"""The only place of the hub that speaks to vendors: pooled keep-alive connections per destination, by `requests`.

Reveals secrets, follows no redirect, bounds time and size of an answer, and says of each failure whether the vendor may
have acted.
"""

from __future__ import annotations

import ssl
import time
from collections.abc import Mapping

import requests
from requests.adapters import HTTPAdapter
from requests.exceptions import (
    ConnectionError as NoConnection,
)
from requests.exceptions import (
    ConnectTimeout,
    InvalidSchema,
    InvalidURL,
    MissingSchema,
    RequestException,
    SSLError,
    Timeout,
)
from requests.models import PreparedRequest
from requests.structures import CaseInsensitiveDict
from urllib3.exceptions import DecodeError, HTTPError, NewConnectionError, ReadTimeoutError

from hub.core import clock
from hub.outbox.wire.masking import Mask, shown_request, shown_response
from hub.outbox.wire.oauth import Tokens
from hub.outbox.wire.private_hosts import GuardedAdapter
from hub.sdk.errors import ConfigurationError, Retryable, Unreadable
from hub.sdk.text import storable
from hub.sdk.values import Auth, Request, Response
from hub.sdk.wire import Wire, encode

CONNECT_S = 10.0
TOKEN_S = 20.0
UNAUTHORIZED = 401
ANSWER_LIMIT = 16 * 1024 * 1024
POOL_SIZE = 32
WITH_BODY = frozenset({"POST", "PUT", "PATCH"})
_CHUNK = 65_536


class Exchange:
    """One request and its answer as the ledger shows them; texts are made only when asked for."""

    __slots__ = ("_auth", "_hosts", "_mask", "failure", "request", "response")

    def __init__(self, request: Request, hosts: Mapping[str, str], auth: Mapping[str, Auth], mask: Mask) -> None:
        self.request = request
        self.response: Response | None = None
        self.failure = ""
        self._hosts, self._auth, self._mask = hosts, auth, mask

    def shown_request(self) -> str:
        return shown_request(encode(self.request, self._hosts, self._auth, masked=True), self._mask)

    def shown_response(self) -> str:
        return shown_response(self.response, self._mask) if self.response else self._mask(self.failure)


class Sender:
    """Sends the requests of one connection. Safe to share between threads."""

    def __init__(
        self,
        hosts: Mapping[str, str],
        auth: Mapping[str, Auth],
        mask: Mask,
        *,
        allow_private: bool,
        answer_limit: int = ANSWER_LIMIT,
    ) -> None:
        self._hosts, self._auth, self._mask = hosts, auth, mask
        self._answer_limit = answer_limit
        kind = HTTPAdapter if allow_private else GuardedAdapter
        self._adapter = kind(pool_maxsize=POOL_SIZE, max_retries=0)
        self._tokens = Tokens(auth, self._fetch, mask)

    def close(self) -> None:
        self._adapter.close()

    def exchange(self, request: Request) -> Exchange:
        """A place to note what this request and its answer were."""
        return Exchange(request, self._hosts, self._auth, self._mask)

    def send(self, request: Request, timeout_s: float) -> Response:
        """The vendor's answer, whatever its status. After a 401 to a fetched token it is asked once more with a new one.

        Raises Retryable where none came, with `unknown` if the vendor may have acted, ConfigurationError for an
        address that is none or may not be reached, and AuthFailed or RateLimited where no token can be had.
        """
        auth = self._tokens.auth(request.host)
        answer = self._answered(encode(request, self._hosts, auth), timeout_s)
        if answer.status != UNAUTHORIZED:
            return answer
        renewed = self._tokens.renewed(request.host, auth)
        if renewed is None:
            return answer
        return self._answered(encode(request, self._hosts, renewed), timeout_s)

    def _fetch(self, request: Request, auth: Mapping[str, Auth]) -> Response:
        return self._answered(encode(request, self._hosts, auth), TOKEN_S)

    def _answered(self, wire: Wire, timeout_s: float) -> Response:
        deadline = time.monotonic() + timeout_s
        try:
            prepared = _prepared(wire)
            limits = (min(CONNECT_S, timeout_s), timeout_s)
            answer = self._adapter.send(prepared, stream=True, timeout=limits, verify=True)
        except (MissingSchema, InvalidSchema, InvalidURL) as error:
            raise ConfigurationError("The connection's host is not an http or https address; correct it.") from error
        except RequestException as error:
            raise _failure(error) from error
        try:
            body = self._body(answer, deadline)
        finally:
            answer.close()
        headers = {name.lower(): storable(value) for name, value in answer.headers.items()}
        return Response(answer.status_code, headers, body, clock.to_datetime(clock.now()))

    def _body(self, answer: requests.Response, deadline: float) -> bytes:
        """Read what the vendor says, within bounds. Raises Retryable; by then it has acted on what it was asked."""
        parts: list[bytes] = []
        size = 0
        try:
            while True:
                part = answer.raw.read1(_CHUNK, decode_content=True)
                if not part:
                    return parts[0] if len(parts) == 1 else b"".join(parts)
                parts.append(part)
                size += len(part)
                if size > self._answer_limit:
                    raise Unreadable(f"The answer is larger than {self._answer_limit} bytes.", unknown=True)
                if time.monotonic() > deadline:
                    raise Retryable("The vendor's answer did not end in time.", unknown=True)
        except ReadTimeoutError as error:
            raise Retryable("The vendor's answer did not end in time.", unknown=True) from error
        except DecodeError as error:
            raise Unreadable("The answer's compression is broken.", unknown=True) from error
        except (HTTPError, OSError) as error:
            raise Retryable("The connection was cut while the vendor answered.", unknown=True) from error


def _prepared(wire: Wire) -> PreparedRequest:
    """The request, without what a session would add: cookies, .netrc, the shell's proxies, redirects."""
    prepared = PreparedRequest()
    prepared.prepare_method(wire.method)
    prepared.prepare_url(wire.url, None)
    if not str(prepared.url).startswith(("http://", "https://")):
        raise InvalidSchema(str(prepared.url))
    length = {"content-length": str(len(wire.body or b""))} if wire.body or wire.method in WITH_BODY else {}
    prepared.headers = CaseInsensitiveDict({"accept-encoding": "gzip, deflate", **length, **wire.headers})
    prepared.body = wire.body
    return prepared


def _failure(error: RequestException) -> Retryable:
    if isinstance(error, ConnectTimeout):
        return Retryable("The vendor could not be reached in time; nothing was sent.")
    if isinstance(error, Timeout):
        return Retryable("The vendor did not answer in time; whether it acted is unknown.", unknown=True)
    if isinstance(error, SSLError) and _is_untrusted(error):
        return Retryable("No trusted connection to the vendor could be made; nothing was sent.")
    if isinstance(error, NoConnection) and _never_connected(error):
        return Retryable("The vendor could not be reached (refused, or its name is unknown); nothing was sent.")
    return Retryable("The connection was cut before an answer came; whether the vendor acted is unknown.", unknown=True)


def _is_untrusted(error: BaseException) -> bool:
    """Whether the certificate was refused, which comes before anything is sent; other TLS failures may come later."""
    seen: BaseException | None = error
    while seen is not None:
        if isinstance(seen, ssl.SSLCertVerificationError):
            return True
        seen = seen.__cause__ or seen.__context__
    return False


def _never_connected(error: BaseException) -> bool:
    inner = error.args[0] if error.args else None
    return isinstance(getattr(inner, "reason", inner), NewConnectionError)
