"""The door: one HTTP request of a source in, verified, stored durably, answered."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Protocol, TypeVar

from hub.core.clock import Micros, to_datetime
from hub.core.counters import ACCEPTED, REFUSED
from hub.core.ids import new_id
from hub.core.logging import logger
from hub.core.settings import Settings
from hub.inbox.body import check_depth, inflate
from hub.inbox.headers import kept_headers
from hub.inbox.queue import Inbox
from hub.inbox.refused import kept_request
from hub.inbox.values import UNKNOWN_SOURCE, AcceptedRequest, RefusedRequest
from hub.sdk.contract import Source
from hub.sdk.errors import Busy, InboundError, MethodNotAllowed, PayloadInvalid, TooLarge
from hub.sdk.values import Erasure, ErasureRequest, InboundRequest, Question, Received, Reply

LOOKS = ("GET", "HEAD")
T = TypeVar("T")
log = logger("inbox")


@dataclass(frozen=True, slots=True)
class SourceDoor:
    """A configured source, as the door sees it."""

    connection_id: str
    source: Source
    is_paused: bool = False


class Paused(Busy):
    """This source is paused in the hub; send it again later."""

    key = "paused"


class Unusable(Busy):
    """The connector of this source cannot be used at this moment; `hub doctor` says why. Send it again later."""

    key = "unusable"


class UnusableSource(Source):
    """Stands for a source that is known but cannot be built: its senders must keep what they have."""

    name = "unusable"
    title = "Unusable"

    def receive(self, request: InboundRequest) -> Received:  # noqa: ARG002 - the contract's
        raise Unusable


class Defect(Busy):
    """The hub could not read this request because of a defect; it is logged. Send it again later."""

    key = "defect"


class Body(Protocol):
    """Reads the body of the request at hand. Raises TooLarge beyond `limit` bytes."""

    def __call__(self, limit: int) -> bytes: ...


@dataclass(frozen=True, slots=True)
class HttpRequest:
    """A request as the web server has it. `path` is what stands below the source key; header names are lower-case."""

    method: str
    path: str
    query: Mapping[str, str]
    headers: Mapping[str, str]
    remote_addr: str
    body: Body


class Erasures(Protocol):
    """What the hub remembers of requests to erase. Raises Busy where that cannot be had now."""

    def register(self, connection_id: str, request: ErasureRequest, now: Micros) -> None:
        """Remember a request that is about to be appended; one that is known stays as it is."""
        ...

    def ask(self, connection_id: str, question: Question, now: Micros) -> Erasure | None:
        """Where a request stands, after it was withdrawn if that was asked; None for one that is not known."""
        ...


Sources = Callable[[str], SourceDoor | None]
"""Finds a source by the key in its URL; None for a key nobody has."""


class Door:
    """Takes requests for all sources. `sources` may be a moment old, `latest` is not: nobody is refused for what an
    operator has changed already. Without `latest`, `sources` is as new."""

    def __init__(
        self, inbox: Inbox, sources: Sources, settings: Settings, erasures: Erasures, *, latest: Sources | None = None
    ) -> None:
        self._inbox = inbox
        self._sources = sources
        self._latest = latest or sources
        self._erasures = erasures
        self._body_limit = settings.body_limit
        self._inflated_limit = settings.inflated_limit
        self._keeps_refused = settings.keep_refused

    def answer(self, key: str, http: HttpRequest, now: Micros) -> Reply:
        """What the sender is told. A 2xx to a request with messages means that they are on disk."""
        door = self._sources(key)
        if door is not None and door.is_paused:
            door = self._latest(key)
        if door is None:
            self._inbox.refuse(UNKNOWN_SOURCE, "unknown_source", now)
            REFUSED.labels("unknown_source").inc()
            return error_reply(404, "unknown_source", "No source has this key; `hub sources list` shows the URLs.")
        request = None
        try:
            if door.is_paused:
                raise Paused
            raw = http.body(self._body_limit)
            body = inflate(raw, http.headers.get("content-encoding", ""), self._inflated_limit)
            request = _inbound(http, raw, body, now)
            return self._accept(door, request, self._received(key, door, request), now)
        except InboundError as error:
            error = explained(door.source, http, error)
            self._inbox.refuse(door.connection_id, error.key, now, self._keep(door, error, request, now))
            REFUSED.labels(error.key).inc()
            return refusal(door.source, request or _inbound(http, b"", b"", now), error)

    def _keep(
        self, door: SourceDoor, error: InboundError, request: InboundRequest | None, now: Micros
    ) -> Callable[[], RefusedRequest] | None:
        """What makes the part of a refused request that is kept. Of one that comes again anyway, or was not read: nothing."""
        if request is None or not request.body or not self._keeps_refused or isinstance(error, Busy):
            return None
        return lambda: kept_request(door.connection_id, error.key, request.path, request.headers, request.body, now)

    def _received(self, key: str, door: SourceDoor, request: InboundRequest) -> Received:
        """What the source makes of a request. Before it refuses one, it is asked as it is set up now: its secret may have
        been changed a moment ago. Raises InboundError."""
        try:
            return _asked(door, request)
        except Busy:
            raise
        except InboundError:
            latest = self._latest(key)
            if latest is None or latest.source is door.source:
                raise
            return _asked(latest, request)

    def _accept(self, door: SourceDoor, request: InboundRequest, received: Received, now: Micros) -> Reply:
        if received.question is not None:
            found = self._erasures.ask(door.connection_id, received.question, now)
            return received.reply if found is None else _guarded(door, lambda: door.source.answer(request, found))
        if received.erasure is not None:  # before its message can be applied
            self._erasures.register(door.connection_id, received.erasure, now)
        if received.messages:
            for message in received.messages:
                check_depth(message.body)
            self._inbox.append(
                AcceptedRequest(door.connection_id, now, received.messages, kept_headers(request.headers))
            )
            ACCEPTED.inc(len(received.messages))
        return received.reply


def _inbound(http: HttpRequest, raw: bytes, body: bytes, now: Micros) -> InboundRequest:
    return InboundRequest(
        http.method, http.path, http.query, http.headers, raw, body, http.remote_addr, to_datetime(now)
    )


def _asked(door: SourceDoor, request: InboundRequest) -> Received:
    return _guarded(door, lambda: door.source.receive(request))


def _guarded(door: SourceDoor, ask: Callable[[], T]) -> T:
    """What the source's own code says of a request. Raises InboundError, whatever that code does."""
    try:
        return ask()
    except InboundError:
        raise
    except RecursionError as error:
        raise PayloadInvalid("The body nests too deep; nothing of it was kept.") from error
    except Exception as error:  # authentic or not is unknown: the sender must keep it, and send it again
        log.exception("a source could not read a request", connection=door.connection_id)
        raise Defect from error


def explained(source: Source, http: HttpRequest, error: InboundError) -> InboundError:
    """Who looks at a webhook URL itself, as by a browser, is told what it is, whatever the source missed in that request."""
    if http.method not in LOOKS or http.path.strip("/") or isinstance(error, Busy):
        return error
    wrong = error if isinstance(error, MethodNotAllowed) else MethodNotAllowed()
    if not wrong.allow:
        return error
    return MethodNotAllowed(
        f"This is the webhook URL of a source ({source.title}). {wrong} This request stored nothing.", allow=wrong.allow
    )


def refusal(source: Source, request: InboundRequest, error: InboundError) -> Reply:
    """The source's own words for a refusal, with Retry-After and Allow where they belong; as text to a browser that looks
    at the URL."""
    reply = source.refuse(request, error)
    if isinstance(error, Busy):
        return _with(reply, "Retry-After", str(max(1, error.retry_after_s)))
    if not isinstance(error, MethodNotAllowed):
        return reply
    if request.method in LOOKS and "text/html" in request.headers.get("accept", ""):
        reply = Reply(reply.status, headers={"Content-Type": "text/plain; charset=utf-8"}, body=f"{error}\n".encode())
    return _with(reply, "Allow", ", ".join(error.allow))


def _with(reply: Reply, name: str, value: str) -> Reply:
    """The reply with one more header, unless it has that."""
    if name.lower() in map(str.lower, reply.headers):
        return reply
    return replace(reply, headers={**reply.headers, name: value})


def error_reply(status: int, key: str, message: str) -> Reply:
    """The hub's own error shape, where no source can speak for itself."""
    return Reply(status, {"code": status, "key": key, "message": message, "details": None, "request_id": new_id()})


def too_large(length: int, limit: int) -> TooLarge:
    return TooLarge(f"The body has {length} bytes or more, and this hub accepts {limit}; see HUB_BODY_LIMIT.")
