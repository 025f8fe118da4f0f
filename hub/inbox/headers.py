"""Of a request's headers what may be kept beside its messages: values that are no secret and name nobody."""

from __future__ import annotations

from collections.abc import Mapping

from hub.sdk.json import dumps
from hub.sdk.wire import MASK

PLAIN = frozenset(
    {"accept", "accept-encoding", "content-encoding", "content-type", "date", "host", "traceparent", "user-agent", "via",
     "x-correlation-id", "x-forwarded-proto", "x-request-id"}
)  # fmt: skip
"""Kept as they are. Of all others only the name: a signature, a key or a cookie is a secret, an address is somebody's."""
LEFT_OUT = frozenset({"content-length", "connection"})
MAX_VALUE, MAX_CHARS = 200, 700


def kept_headers(headers: Mapping[str, str]) -> str:
    """JSON, name to value, bounded; what does not fit is left out."""
    kept: dict[str, str] = {}
    size = 0
    for name in headers:
        if name in LEFT_OUT:
            continue
        value = headers[name][:MAX_VALUE] if name in PLAIN else MASK
        size += len(name) + len(value)
        if size > MAX_CHARS:
            break
        kept[name] = value
    return dumps(kept).decode()
