"""A connector's Request as it goes over the wire: URL, headers and bytes. Pure, so that previews print what is sent.

wire = encode(request, destination.hosts(), destination.auth())       # what the sender sends
shown = encode(request, hosts, auth, masked=True)                     # what logs and previews may show
"""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlencode

import orjson

from hub.sdk.broker import PLAIN, TLS
from hub.sdk.errors import ConfigurationError
from hub.sdk.values import Auth, Basic, Bearer, ClientCredentials, Request, Secret

MASK = "***"
USER_AGENT = "switchboard-hub"
Show = Callable[[Secret], str]


@dataclass(frozen=True, slots=True)
class Wire:
    """What is sent. Unless it was encoded masked it holds secrets, so its repr shows the method only."""

    method: str
    url: str = field(repr=False)
    headers: Mapping[str, str] = field(repr=False)
    body: bytes | None = field(repr=False)


def encode(
    request: Request, hosts: Mapping[str, str], auth: Mapping[str, Auth] | None = None, *, masked: bool = False
) -> Wire:
    """The bytes of a request. Raises ConfigurationError if it names a host the connector does not have."""
    base = hosts.get(request.host)
    if base is None:
        raise ConfigurationError(f"A request names the host {request.host!r}; this connector has {', '.join(hosts)}.")
    show = _masked if masked else Secret.reveal
    url = base.rstrip("/") + request.path
    if request.query:
        url += "?" + urlencode({name: _text(value, show) for name, value in request.query.items()}, doseq=True)
    is_http = not base.startswith((PLAIN, TLS))  # a broker's protocol has no such headers
    headers = {"accept": "application/json", "user-agent": USER_AGENT} if is_http else {}
    credentials = (auth or {}).get(request.host)
    if credentials is not None and is_http:
        name, value = _authorization(credentials, show)
        headers[name] = value
    content_type, body = _body(request, show)
    if content_type and is_http:
        headers["content-type"] = content_type
    headers.update({name.lower(): str(_text(value, show)) for name, value in request.headers.items()})
    return Wire(request.method, url, headers, body)


def _masked(_secret: Secret) -> str:
    return MASK


def _text(value: Any, show: Show) -> Any:
    if isinstance(value, Secret):
        return show(value)
    if isinstance(value, bool):
        return "true" if value else "false"
    return value


def _authorization(credentials: Auth, show: Show) -> tuple[str, str]:
    if isinstance(credentials, Bearer):
        return "authorization", f"Bearer {show(credentials.token)}"
    if isinstance(credentials, Basic):
        if show is _masked:
            return "authorization", f"Basic {MASK}"
        pair = f"{show(credentials.user)}:{show(credentials.password)}"
        return "authorization", "Basic " + base64.b64encode(pair.encode()).decode()
    if isinstance(credentials, ClientCredentials):
        if show is not _masked:
            raise ConfigurationError("A token was to be sent before it was fetched.")
        return "authorization", f"Bearer {MASK}"
    return credentials.name.lower(), credentials.prefix + show(credentials.secret)


def _body(request: Request, show: Show) -> tuple[str, bytes | None]:
    if request.body is not None:
        return "", request.body
    if request.form is not None:
        form = {name: _text(value, show) for name, value in request.form.items()}
        return "application/x-www-form-urlencoded", urlencode(form, doseq=True).encode()
    if request.json is None:
        return "", None
    return "application/json", _json(request.json, show)


def _json(value: Any, show: Show) -> bytes:
    def leaf(node: Any) -> Any:
        if isinstance(node, Secret):
            return show(node)
        if isinstance(node, Mapping):
            return dict(node)
        raise TypeError(f"a request body cannot hold a {type(node).__name__}")

    try:
        return orjson.dumps(value, default=leaf)
    except TypeError:  # lone surrogates and integers above 64 bits, which orjson refuses
        return json.dumps(value, ensure_ascii=False, separators=(",", ":"), default=leaf).encode("utf-8", "replace")
