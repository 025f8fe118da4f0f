"""The webhook doors: every method at `/in/<source key>` and below.

A WSGI callable in front of the Flask application, since this is the hot path: routing, request and response objects of
Flask cost more than verifying and storing a message (benchmarks/accept.py).
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from functools import lru_cache
from http import HTTPStatus
from typing import Any
from urllib.parse import parse_qsl

from hub.core import clock
from hub.core.logging import logger
from hub.inbox.accept import Door, HttpRequest, error_reply, too_large
from hub.sdk.errors import Overloaded, PayloadInvalid
from hub.sdk.json import dumps
from hub.sdk.values import EMPTY, Reply

PREFIX = "/in/"
DRAIN_BYTES = 16_777_216  # of a body that is too large, so much is read before the answer
DRAIN_PART = 65_536
SPARE_THREADS = 4
"""Request threads that no half-sent body can hold up: they answer health checks and the operator meanwhile."""
TURN_S = 1.0

Environ = dict[str, Any]
StartResponse = Callable[..., Any]
Application = Callable[[Environ, StartResponse], Iterable[bytes]]

_LINES = {status.value: f"{status.value} {status.phrase}" for status in HTTPStatus}
_UNPREFIXED = {"content-type": "CONTENT_TYPE", "content-length": "CONTENT_LENGTH"}
log = logger("api")


@lru_cache(1_024)  # senders use the same few over and over
def _key_of(name: str) -> str:
    return _UNPREFIXED.get(name) or "HTTP_" + name.replace("-", "_").upper()


@lru_cache(1_024)
def _name_of(key: str) -> str:
    return key[5:].replace("_", "-").lower()


class Headers(Mapping[str, str]):
    """The request's headers by lower-case name, looked up where the server put them instead of copied."""

    __slots__ = ("_environ",)

    def __init__(self, environ: Environ) -> None:
        self._environ = environ

    def __getitem__(self, name: str) -> str:
        found: str = self._environ[_key_of(name)]
        return found

    def __iter__(self) -> Iterator[str]:
        yield from (name for name, key in _UNPREFIXED.items() if self._environ.get(key))
        yield from [_name_of(key) for key in self._environ if key.startswith("HTTP_")]

    def __len__(self) -> int:
        return sum(1 for _ in self)


class Readers:
    """How many bodies may be read at once. A sender that stops in the middle of one keeps its thread: the server knows
    no deadline for bodies, so a few threads are kept back from them."""

    def __init__(self, threads: int) -> None:
        self._places = threading.BoundedSemaphore(max(1, threads - SPARE_THREADS))

    @contextmanager
    def turn(self) -> Iterator[None]:
        """Raises Overloaded if no place is free for a second."""
        if not self._places.acquire(timeout=TURN_S):
            raise Overloaded("Too many senders are in the middle of a request; send it again later.")
        try:
            yield
        finally:
            self._places.release()


def mount(application: Application, door: Door, threads: int) -> Application:
    """The application with the doors in front: `app.wsgi_app = mount(app.wsgi_app, door, settings.web_threads)`."""
    readers = Readers(threads)

    def with_doors(environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        path = environ["PATH_INFO"]
        if not path.startswith(PREFIX):
            return application(environ, start_response)
        return _send(_answer(door, readers, environ, path), environ["REQUEST_METHOD"], start_response)

    return with_doors


def _answer(door: Door, readers: Readers, environ: Environ, path: str) -> Reply:
    key, slash, rest = path[len(PREFIX) :].partition("/")
    try:
        return door.answer(key, _request(environ, slash + rest, readers), clock.now())
    except Exception:  # the last resort: whatever failed, the sender must keep the message and send it again
        log.exception("a webhook could not be answered")
        reply = error_reply(503, "busy", "The hub cannot take messages at this moment; send it again later.")
        return Reply(reply.status, reply.json, {"Retry-After": "5"})


def _request(environ: Environ, path: str, readers: Readers) -> HttpRequest:
    def body(limit: int) -> bytes:
        with readers.turn():
            return _body(environ, limit)

    return HttpRequest(
        method=environ["REQUEST_METHOD"],
        path=path,
        query=_query(environ.get("QUERY_STRING", "")),
        headers=Headers(environ),
        remote_addr=environ.get("REMOTE_ADDR", ""),
        body=body,
    )


def _query(text: str) -> Mapping[str, str]:
    if not text:
        return EMPTY
    return dict(parse_qsl(text, keep_blank_values=True))


def _body(environ: Environ, limit: int) -> bytes:
    """The body as sent. Of one that is too large the rest is read away, up to a bound: many clients read the answer
    only after they have sent everything."""
    stream = environ["wsgi.input"]
    declared = environ.get("CONTENT_LENGTH") or ""
    length = int(declared) if declared.isdigit() else None
    if length == 0 or (length is None and not environ.get("wsgi.input_terminated")):
        return b""
    if length is None or length <= limit:
        body: bytes = stream.read(limit + 1 if length is None else length)
        if length is not None and len(body) < length:
            raise PayloadInvalid("The body ended before its Content-Length; nothing of it was kept.")
        if len(body) <= limit:
            return body
        length = len(body)
    drained = 0
    while drained < DRAIN_BYTES and (part := stream.read(DRAIN_PART)):
        drained += len(part)
    raise too_large(length, limit)


def _send(reply: Reply, method: str, start_response: StartResponse) -> list[bytes]:
    headers = [(name, str(value)) for name, value in reply.headers.items()]
    body = b"" if method == "HEAD" else _bytes(reply)
    if body and reply.body is None:
        headers.append(("Content-Type", "application/json"))
    headers.append(("Content-Length", str(len(body))))
    start_response(_LINES.get(reply.status, f"{reply.status} "), headers)
    return [body]


def _bytes(reply: Reply) -> bytes:
    if reply.body is not None:
        return reply.body
    return b"" if reply.json is None else dumps(reply.json)
