"""One call, flow or poll under way, in a thread of its own; everything it has to say goes to the engine's queue."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from queue import SimpleQueue
from typing import Any, Literal

from hub.outbox.finish import Push
from hub.outbox.lane import Lane
from hub.outbox.pace import ONE_CALL
from hub.outbox.rules import Stopping
from hub.outbox.sender import Exchange
from hub.outbox.values import Held
from hub.sdk.contract import Flow
from hub.sdk.errors import ConfigurationError, DeliveryError, RateLimited
from hub.sdk.flow import ContractBroken, run_flow
from hub.sdk.values import Report, Request, Response, Route, Waiting

LONGEST_WAIT_S = 5.0  # inside a flow; beyond that its deliveries go back into the queue
EXCHANGES_KEPT = 20
CHECK_TIMEOUT_S = 20.0
Kind = Literal["send", "poll", "check"]


@dataclass(slots=True, kw_only=True)
class Job:
    """What a worker needs. `start_at` is when the reserved call may begin; `held` are the deliveries by id."""

    kind: Kind
    id: str
    lane: Lane
    route_name: str
    route: Route
    flow: Callable[[], Flow]
    records: Sequence[Any] = ()
    held: Mapping[str, Held] = field(default_factory=dict)
    people: Mapping[str, str] = field(default_factory=dict)  # delivery -> profile
    pushes: Mapping[str, Push] = field(default_factory=dict)
    notes: Mapping[str, Sequence[str]] = field(default_factory=dict)  # what the mapping dropped, in words
    pushing: Mapping[str, str] = field(default_factory=dict)  # of pending ones
    find_by: Mapping[str, str] = field(default_factory=dict)
    token: str = ""
    units: Mapping[str, int] = field(default_factory=lambda: ONE_CALL)
    start_at: float = 0.0
    started_at: int = 0
    number: int = 1
    saved: int = 0
    is_trial: bool = False
    has_reserved: bool = False
    cohort: str = ""
    failures: int = 0  # of this vendor job's polls so far
    left: dict[str, None] = field(default_factory=dict)  # deliveries without a stored outcome
    exchanges: list[Exchange] = field(default_factory=list)
    calls: int = 0
    is_closed: bool = False  # its attempt has been ended in the ledger
    counts: dict[str, int] = field(default_factory=dict)


@dataclass(slots=True)
class Reported:
    """Reports to store; the worker waits for `stored`."""

    job: Job
    reports: Sequence[Report]
    stored: threading.Event = field(default_factory=threading.Event)


@dataclass(slots=True)
class Done:
    """The end of a job. `defect` is an exception outside the error tree."""

    job: Job
    error: DeliveryError | ConfigurationError | None = None
    defect: Exception | None = None
    value: Any = None


Word = Reported | Done


class Worker:
    """Runs jobs. All waiting ends when `stop` is set."""

    def __init__(self, words: SimpleQueue[Word], stop: threading.Event, monotonic: Callable[[], float]) -> None:
        self._words, self._stop, self._monotonic = words, stop, monotonic

    def perform(self, job: Job) -> None:
        """Run a job to its end and say so; never raises."""
        self._words.put(self._run(job))

    def _run(self, job: Job) -> Done:
        def send(request: Request) -> Response:
            return self._send(job, request)

        def classify(request: Request, response: Response) -> DeliveryError | None:
            return self._classify(job, request, response)

        def report(reports: Sequence[Report]) -> None:
            self._report(job, reports)

        try:
            end = run_flow(job.records, job.flow(), send, classify, report)
        except ContractBroken as broken:
            return Done(job, defect=broken)
        except ConfigurationError as error:
            return Done(job, error=error)
        except DeliveryError as error:
            return Done(job, error=error)
        except Exception as defect:  # noqa: BLE001 - a connector's own failure: recorded and raised by the engine
            return Done(job, defect=defect)
        return Done(job, error=end.error, value=end.value)

    def _report(self, job: Job, reports: Sequence[Report]) -> None:
        word = Reported(job, reports)
        self._words.put(word)
        word.stored.wait()

    def _send(self, job: Job, request: Request) -> Response:
        pools = _pools(job, request)
        self._wait_for_turn(job, pools)
        lane = job.lane
        if not lane.share.enter(pools, self._stop.is_set):
            raise Stopping
        try:
            if job.kind != "check":
                lane.look(self._monotonic(), is_trial=job.is_trial)
            exchange = lane.sender.exchange(request)
            if len(job.exchanges) < EXCHANGES_KEPT:
                job.exchanges.append(exchange)
            job.calls += 1
            try:
                exchange.response = lane.sender.send(request, job.route.timeout_s)
            except DeliveryError as error:
                exchange.failure = str(error)
                raise
            return exchange.response
        finally:
            lane.share.leave(pools)

    def _wait_for_turn(self, job: Job, pools: Sequence[str]) -> None:
        at = self._monotonic()
        if job.has_reserved:
            job.has_reserved, start = False, job.start_at
        else:
            reserved = job.lane.share.reserve(pools, job.units, at, LONGEST_WAIT_S)
            if reserved is None:
                raise Stopping("The vendor's rate limit is used up; the delivery waits in the queue.")
            start = reserved
        if self._stop.wait(max(0.0, start - at)) if start > at else self._stop.is_set():
            raise Stopping

    def _classify(self, job: Job, request: Request, response: Response) -> DeliveryError | None:
        error = job.lane.destination.classify(request, response)
        if isinstance(error, RateLimited):
            pools = error.pools or _pools(job, request)
            wait_s = None if error.until is None else (error.until - response.received_at).total_seconds()
            paused_s = job.lane.share.refused(pools, self._monotonic(), wait_s)
            if error.until is None:
                error.until = response.received_at + timedelta(seconds=paused_s)
        elif error is None:
            job.lane.share.succeeded(_pools(job, request))
        return error


def _pools(job: Job, request: Request) -> Sequence[str]:
    return job.route.pools if request.pools is None else request.pools


def waiting_of(job: Job) -> list[Waiting]:
    """The records of a poll as its flow sees them."""
    return [Waiting(one, job.find_by.get(one, "")) for one in job.held]


class Workers:
    """Threads that run jobs, made as they are needed. They are daemons: a call that hangs never holds up a stop."""

    def __init__(self, perform: Callable[[Job], None], most: int) -> None:
        self._perform = perform
        self._most = most
        self._jobs: SimpleQueue[Job | None] = SimpleQueue()
        self._threads: list[threading.Thread] = []
        self._busy = 0
        self._lock = threading.Lock()

    def submit(self, job: Job) -> None:
        with self._lock:
            self._busy += 1
            if self._busy > len(self._threads) and len(self._threads) < self._most:
                thread = threading.Thread(target=self._work, name="deliver", daemon=True)
                self._threads.append(thread)
                thread.start()
        self._jobs.put(job)

    def close(self) -> None:
        """Let idle threads end."""
        for _ in self._threads:
            self._jobs.put(None)

    def _work(self) -> None:
        while (job := self._jobs.get()) is not None:
            self._perform(job)
            with self._lock:
                self._busy -= 1
