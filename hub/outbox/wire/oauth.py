"""Bearer tokens in place of client credentials (OAuth 2, RFC 6749 section 4.4): fetched when first needed, kept until
shortly before they end, shared by all threads of a connection.

Whatever goes wrong here went wrong before the delivery itself was sent, so no result is ever unknown because of it.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from hub.outbox.wire.masking import Mask
from hub.sdk.contract import retry_after
from hub.sdk.errors import AuthFailed, RateLimited, Retryable
from hub.sdk.values import Auth, Basic, Bearer, ClientCredentials, Request, Response, Secret

DEFAULT_LIFE_S = 600.0
"""Where the vendor does not say how long a token is good for (RFC 6749 section 5.1 only recommends that it does)."""
MARGIN = 0.1
MARGIN_S = 60.0
"""A token is renewed so long before its end, or a tenth of its life before, whichever is less."""
SLOW_DOWN_S = 30.0
WORDS_CHARS = 300
_BUSY = frozenset({408, 423, 425})

Fetch = Callable[[Request, Mapping[str, Auth]], Response]


@dataclass(frozen=True, slots=True)
class Token:
    """A token, and until when (of the monotonic clock) it is used."""

    secret: Secret
    until: float


class Tokens:
    """The credentials of one connection's hosts, with tokens where there were client credentials.

    `fetch` makes one call with the given credentials. Tokens are taught to `mask`, so that no log shows one.
    """

    def __init__(
        self, auth: Mapping[str, Auth], fetch: Fetch, mask: Mask, monotonic: Callable[[], float] = time.monotonic
    ) -> None:
        self._auth, self._fetch, self._mask, self._monotonic = auth, fetch, mask, monotonic
        self._tokens: dict[str, Token] = {}
        self._lock = threading.Lock()  # held while a token is fetched: the others wait for that one

    def auth(self, host: str) -> Mapping[str, Auth]:
        """The credentials to send with a call to this host. Raises DeliveryError if no token can be had."""
        credentials = self._auth.get(host)
        if not isinstance(credentials, ClientCredentials):
            return self._auth
        with self._lock:
            token = self._tokens.get(host)
            if token is None or self._monotonic() >= token.until:
                token = self._tokens[host] = self._fetched(credentials)
        return {host: Bearer(token.secret)}

    def renewed(self, host: str, refused: Mapping[str, Auth]) -> Mapping[str, Auth] | None:
        """Other credentials after a 401 to `refused`, or None if there are none. A token that another thread has renewed
        meanwhile is used as it is."""
        if not isinstance(self._auth.get(host), ClientCredentials):
            return None
        with self._lock:
            token = self._tokens.get(host)
            if token is not None and Bearer(token.secret) == refused.get(host):
                del self._tokens[host]
        return self.auth(host)

    def _fetched(self, credentials: ClientCredentials) -> Token:
        asked = Request(
            "POST",
            credentials.path,
            host=credentials.host,
            form={"grant_type": "client_credentials", **credentials.form},
        )
        began = self._monotonic()
        try:
            answer = self._fetch(asked, {credentials.host: Basic(credentials.client_id, credentials.client_secret)})
        except Retryable as error:
            raise Retryable(f"No access token could be fetched: {self._mask(str(error))}") from error
        told = _told(answer)
        value = told.get("access_token")
        if answer.status >= 300 or not isinstance(value, str) or not value:
            raise self._refusal(answer)
        if not (value.isascii() and value.isprintable()):
            raise Retryable("The vendor gave an access token that no header can hold; it is asked again later.")
        self._mask.learn(value)
        life = _life_s(told.get("expires_in"))
        return Token(Secret(value), began + life - min(MARGIN_S, life * MARGIN))

    def _refusal(self, answer: Response) -> Retryable | AuthFailed:
        """Without `.response`: a 403 here is about the whole connection, not about a route."""
        status = answer.status
        words = self._mask(answer.body[:WORDS_CHARS].decode("utf-8", "replace").strip())
        if status == 429:
            until = retry_after(answer) or answer.received_at + timedelta(seconds=SLOW_DOWN_S)
            return RateLimited(f"The vendor asked to fetch tokens more slowly. {words}", until=until)
        if 400 <= status < 500 and status not in _BUSY:
            return AuthFailed(f"The vendor gave no access token for the client id and secret ({status}). {words}")
        return Retryable(f"The vendor gave no access token ({status}); it is asked again later. {words}")


def _told(answer: Response) -> Mapping[str, Any]:
    try:
        found = answer.json()
    except Retryable:
        return {}
    return found if isinstance(found, dict) else {}


def _life_s(given: Any) -> float:
    """`expires_in`, which some vendors send as text; at most a day, so that a slip of theirs does no harm."""
    try:
        life = float(given)
    except (TypeError, ValueError):
        return DEFAULT_LIFE_S
    return min(life, 86_400.0) if life > 0 else DEFAULT_LIFE_S
