"""The base of every simulator: a vendor's API in memory, which validates what the vendor validates.

An author subclasses `Simulator`, marks one method per endpoint with `@route`, and keeps what was accepted in
`self.profiles`, `self.events`, `self.messages` (or attributes of its own, named in `kept`):

    class AcmeSimulator(Simulator):
        @route("POST", "/people/{id}")
        def upsert(self, request: SimRequest) -> SimResponse:
            ...

`answer` needs no network, so previews use it as it is; `serving` wraps it in real HTTP on 127.0.0.1:

    with AcmeSimulator().serving() as url: ...

Nothing sleeps: the clock is an argument and a scripted timeout holds the connection until the caller gives up.
"""

from __future__ import annotations

import re
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any, ClassVar
from urllib.parse import unquote

from hub.sdk.kit.simulator.exchange import Refused, SimRequest, SimResponse
from hub.sdk.kit.simulator.faults import Fault, FaultKind, Script
from hub.sdk.kit.simulator.server import serve
from hub.sdk.values import EMPTY, Json, Operation

__all__ = ["ManualClock", "Refused", "SimRequest", "SimResponse", "Simulator", "UnexpectedCall", "route"]

Handler = Callable[[Any, SimRequest], SimResponse]
_PLACEHOLDER = re.compile(r"\\\{(\w+)\\\}")


class UnexpectedCall(AssertionError):
    """A connector called something this vendor does not have, or the simulator itself failed."""


def route(method: str, path: str) -> Callable[[Handler], Handler]:
    """Marks a method as the endpoint of `method path`; `{name}` in the path becomes `request.params["name"]`."""

    def mark(handler: Handler) -> Handler:
        marks: list[tuple[str, str]] = [*getattr(handler, "sim_routes", ()), (method, path)]
        handler.sim_routes = marks  # type: ignore[attr-defined] # functions carry attributes; the base reads them
        return handler

    return mark


@dataclass(frozen=True, slots=True)
class _Pattern:
    method: str
    pattern: re.Pattern[str]
    handler: Handler


def _now() -> datetime:
    return datetime.now(UTC)


class Simulator:
    """One vendor account in memory. Override `example_settings`, `refuse` and, where they differ, the hooks below."""

    hosts: ClassVar[Sequence[str]] = ("api",)
    """Names of the destination's hosts, as in its `hosts()`; the first stands at the root of the served URL."""

    sandbox_place: ClassVar[int] = 0
    """How far behind the sandbox's own port this vendor is served, 1 to 99; 0 takes a place from 100 on, by its name."""

    kept: ClassVar[Sequence[str]] = ("profiles", "events", "messages")
    """Attributes that `state()` shows."""

    example_fields: ClassVar[Mapping[Operation, Mapping[str, Json]]] = {}
    """Per operation, mapped fields of one record as the destination's mapping makes them. The contract suite sends
    them; `{n}` in a text becomes the record's number, for vendors that want addresses to be unique."""

    refused_fields: ClassVar[Mapping[Operation, Mapping[str, Json]]] = {}
    """Per operation, fields that, laid over the example, make the vendor refuse that record and no other of its call."""

    failing_body: ClassVar[Json] = None
    """A body with which this vendor says "failed" under a 2xx status, if it does so."""

    answers_json: ClassVar[bool] = True
    """Whether a success is told by a JSON body; False where the status alone decides."""

    _fixed: ClassVar[Mapping[tuple[str, str], Handler]] = {}
    _patterns: ClassVar[Sequence[_Pattern]] = ()

    def __init_subclass__(cls) -> None:
        super().__init_subclass__()
        fixed, patterns = dict(cls._fixed), list(cls._patterns)
        for handler in vars(cls).values():
            for method, path in getattr(handler, "sim_routes", ()):
                if "{" not in path:
                    fixed[method, path] = handler
                    continue
                named = _PLACEHOLDER.sub(r"(?P<\1>[^/]+)", re.escape(path))
                patterns.insert(0, _Pattern(method, re.compile(named), handler))
        cls._fixed, cls._patterns = fixed, patterns

    def __init__(self, *, clock: Callable[[], datetime] = _now, is_recording: bool = True) -> None:
        self.clock = clock
        self.is_recording = is_recording
        self.received: list[SimRequest] = []
        self.unexpected: list[str] = []
        self.script = Script()
        self.lock = threading.RLock()
        self.url = ""
        self.is_trusting = False  # a preview's vendor takes any credentials, since nothing reaches it
        self.profiles: dict[str, dict[str, Json]] = {}
        self.events: list[dict[str, Json]] = []
        self.messages: list[dict[str, Json]] = []

    # ── what an author overrides ────────────────────────────────────────────────────────────────────────────────

    @classmethod
    def example_settings(cls) -> dict[str, Any]:
        """Settings, secrets included as plain text, with which a connection reaches this simulator."""
        return {}

    @classmethod
    def wrong_settings(cls) -> dict[str, Any]:
        """Secrets this vendor does not know, where the settings would not take just any text for one."""
        return {}

    def refuse(self, request: SimRequest) -> SimResponse | None:  # noqa: ARG002 - for overrides
        """The vendor's answer to bad credentials, or None if they are good. Asked before every endpoint."""
        return None

    def headers(self, request: SimRequest) -> Mapping[str, str]:  # noqa: ARG002 - for overrides
        """Headers the vendor puts on every answer, rate limits among them."""
        return EMPTY

    def error(self, status: int, retry_after_s: float | None) -> SimResponse:
        """The vendor's own body and headers for a scripted failure such as 429 or 500."""
        headers = {} if retry_after_s is None else {"retry-after": f"{retry_after_s:g}"}
        return SimResponse(status, {"message": f"Simulated {status}."}, headers)

    @classmethod
    def with_value(cls, operation: Operation, fields: Mapping[str, Json], name: str, value: Json) -> dict[str, Json]:  # noqa: ARG003 - for overrides
        """The example fields with one more trait or property, where this vendor keeps such things."""
        return {**fields, name: value}

    def holds(self, operation: Operation, source_id: str) -> bool | None:
        """Whether the vendor now has what was pushed for this person; None where it cannot be told."""
        if operation is Operation.PROFILES:
            return source_id in self.profiles
        if operation is Operation.ERASE:
            return source_id not in self.profiles
        kept = {Operation.EVENTS: self.events, Operation.MESSAGES: self.messages}.get(operation)
        return None if kept is None else any(source_id in entry.values() for entry in kept)

    # ── what a test uses ────────────────────────────────────────────────────────────────────────────────────────

    def next(
        self,
        kind: FaultKind = "answer",
        *,
        status: int | None = None,
        retry_after: float | None = None,
        headers: Mapping[str, str] = EMPTY,
        body: Json = None,
        times: int = 1,
        path: str = "",
        after: int = 0,
    ) -> None:
        """Script the next call, or the next `times` calls, to paths beginning with `path`; `after` calls go well first.

        Kinds: `answer` (this status, in the vendor's words unless `body` is given), `html`, `broken_json`, `timeout`,
        `reset`, and `accepted_then_timeout`, `accepted_then_reset`, where the vendor acts before the line goes dead.
        """
        fault = Fault(kind, status, retry_after, dict(headers), body, path)
        with self.lock:
            self.script.add(Fault("none", path=path), after)
            self.script.add(fault, times)

    def state(self) -> dict[str, Json]:
        """What the vendor now holds, as JSON."""
        with self.lock:
            return {name: getattr(self, name) for name in self.kept}

    def calls(self, path: str = "") -> list[SimRequest]:
        """The recorded calls to paths beginning with `path`."""
        with self.lock:
            return [request for request in self.received if request.path.startswith(path)]

    def base_urls(self, url: str | None = None) -> dict[str, str]:
        """Host name to base URL, ready for a connection's redirected hosts."""
        root = (self.url if url is None else url).rstrip("/")
        return {name: root if name == self.hosts[0] else f"{root}/@{name}" for name in self.hosts}

    @contextmanager
    def serving(self, host: str = "127.0.0.1", port: int = 0) -> Iterator[str]:
        """Serve over HTTP; gives the base URL. Raises UnexpectedCall at the end if a call was unexpected."""
        with serve(self, host, port) as url:
            self.url = url
            yield url
        self.assert_expected()

    def assert_expected(self) -> None:
        """Raises UnexpectedCall if any call was none the vendor has."""
        if self.unexpected:
            raise UnexpectedCall("; ".join(self.unexpected))

    # ── answering ───────────────────────────────────────────────────────────────────────────────────────────────

    def answer(self, request: SimRequest) -> SimResponse:
        """The vendor's answer, credentials checked, state changed. No network, no faults."""
        with self.lock:
            response = self._answer(request)
            extra = self.headers(request)
        return replace(response, headers={**extra, **response.headers}) if extra else response

    def take(self, request: SimRequest) -> tuple[SimResponse, Fault | None]:
        """What the server does with a call: record it, then play the script or answer."""
        with self.lock:
            if self.is_recording:
                self.received.append(request)
            fault = self.script.take(request.path)
        if fault is None or fault.kind == "none":
            return self.answer(request), None
        if fault.acts:
            return self.answer(request), fault
        if fault.kind == "answer" and fault.body is None:
            response = self.error(fault.status or 500, fault.retry_after_s)
        else:
            status, content = fault.spoken()
            response = SimResponse(status, headers=fault.retry_headers(), body=content)
        return replace(response, headers={**self.headers(request), **response.headers, **fault.headers}), fault

    def _answer(self, request: SimRequest) -> SimResponse:
        handler, request = self._find(request)
        if handler is None:
            self.unexpected.append(f"{request.method} {request.path} is not an endpoint of this vendor")
            return SimResponse(404, {"message": "No such endpoint."})
        refusal = None if self.is_trusting else self.refuse(request)
        if refusal is not None:
            return refusal
        try:
            return handler(self, request)
        except Refused as refused:
            return refused.response
        except Exception as error:  # noqa: BLE001 - a simulator's own defect is recorded and fails the test
            self.unexpected.append(f"the simulator failed on {request.method} {request.path}: {error!r}")
            return SimResponse(500, {"message": "The simulator failed."})

    def _find(self, request: SimRequest) -> tuple[Handler | None, SimRequest]:
        handler = self._fixed.get((request.method, request.path))
        if handler is not None:
            return handler, request
        for pattern in self._patterns:
            match = pattern.pattern.fullmatch(request.path) if pattern.method == request.method else None
            if match:
                params = {name: unquote(value) for name, value in match.groupdict().items()}
                return pattern.handler, replace(request, params=params)
        return None, request


@dataclass
class ManualClock:
    """A clock that moves when told: `clock.advance(60)`."""

    at: datetime = field(default_factory=lambda: datetime(2026, 3, 14, 9, 0, tzinfo=UTC))

    def __call__(self) -> datetime:
        return self.at

    def advance(self, seconds: float) -> None:
        from datetime import timedelta

        self.at += timedelta(seconds=seconds)
