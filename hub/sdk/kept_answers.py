"""Vendors' answers that requests ask to be kept (`cache_for_s`): in memory, per connection version, bounded.

A look-up of field ids need not be made before every batch. Nothing is written anywhere, and nothing outlives the process.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Sequence
from hashlib import blake2b
from typing import NamedTuple

from hub.sdk.flow import Classify, Send
from hub.sdk.values import Request, Response
from hub.sdk.wire import encode

MOST_ANSWERS = 1_000
MOST_BYTES = 8 * 1024 * 1024
LARGEST_BYTES = 1024 * 1024
"""A larger answer is used once and not kept: it would drive out all others."""


class _Kept(NamedTuple):
    until: float
    response: Response


class KeptAnswers:
    """Safe to share between threads. Times are seconds of a monotonic clock."""

    def __init__(self, most: int = MOST_ANSWERS, most_bytes: int = MOST_BYTES) -> None:
        self._most, self._most_bytes = most, most_bytes
        self._kept: OrderedDict[str, _Kept] = OrderedDict()  # the longest unused in front
        self._bytes = 0
        self._forgotten = 0
        self._lock = threading.Lock()

    def find(self, request: Request, at: float) -> Response | None:
        """The kept answer, if the request takes one and its time is not over."""
        if request.cache_for_s is None:
            return None
        key = key_of(request)
        with self._lock:
            kept = self._kept.get(key)
            if kept is None:
                return None
            if at >= kept.until:
                self._drop(key)
                return None
            self._kept.move_to_end(key)
            return kept.response

    def moment(self) -> int:
        """To be taken before a call, and handed back when its answer is kept."""
        with self._lock:
            return self._forgotten

    def keep(self, request: Request, response: Response, at: float, since: int) -> None:
        """Keep a successful answer as long as its request says. One that was asked for before something was forgotten
        may tell of what was there before, so it is not kept."""
        size = len(response.body)
        if request.cache_for_s is None or size > min(LARGEST_BYTES, self._most_bytes):
            return
        key = key_of(request)
        with self._lock:
            if since != self._forgotten:
                return
            self._drop(key)
            self._kept[key] = _Kept(at + request.cache_for_s, response)
            self._bytes += size
            while len(self._kept) > self._most or self._bytes > self._most_bytes:
                self._drop(next(iter(self._kept)))

    def forget(self, keys: Sequence[str]) -> None:
        """Drop what a call made stale."""
        if not keys:
            return
        with self._lock:
            self._forgotten += 1
            for key in keys:
                self._drop(key)

    def clear(self) -> None:
        """Begin anew, as another process would."""
        with self._lock:
            self._forgotten += 1
            self._kept.clear()
            self._bytes = 0

    def through(self, send: Send, classify: Classify, monotonic: Callable[[], float]) -> Send:
        """`send`, but a request whose answer is kept makes no call, and one that succeeds is kept if it asks for that."""

        def sent(request: Request) -> Response:
            kept = self.find(request, monotonic())
            if kept is not None:
                return kept
            since = self.moment()
            try:
                answer = send(request)
            finally:
                self.forget(request.forget)  # whatever became of the call: the vendor may have acted
            if request.cache_for_s is not None and classify(request, answer) is None:
                self.keep(request, answer, monotonic(), since)
            return answer

        return sent

    def _drop(self, key: str) -> None:
        kept = self._kept.pop(key, None)
        if kept is not None:
            self._bytes -= len(kept.response.body)


def key_of(request: Request) -> str:
    """The request's own key, or one made of the whole call: a digest, since a call may hold secrets."""
    if request.cache_key:
        return request.cache_key
    wire = encode(request, {request.host: ""})
    parts = [request.host, wire.method, wire.url, *(f"{name}: {wire.headers[name]}" for name in sorted(wire.headers))]
    digest = blake2b("\0".join(parts).encode("utf-8", "replace"), digest_size=16)
    digest.update(b"\0" + (wire.body or b""))
    return "call " + digest.hexdigest()
