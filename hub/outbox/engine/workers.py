"""One call, flow or poll under way, in a thread of its own; everything it has to say goes to the engine's queue."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from queue import SimpleQueue
from typing import Any, Literal

from hub.core import clock
from hub.core.clock import SECOND, Micros
from hub.outbox.engine.lane import Lane
from hub.outbox.engine.reports import storable_reports
from hub.outbox.limits.rate_limits import ONE_CALL
from hub.outbox.queue.finish import Push
from hub.outbox.rules import LONGEST_WAIT, Stopping, instant
from hub.outbox.values import Held
from hub.outbox.wire.http import Exchange
from hub.outbox.wire.kafka import Publisher
from hub.sdk.contract import Flow
from hub.sdk.errors import ConfigurationError, DeliveryError, RateLimited
from hub.sdk.flow import Broker as Publish
from hub.sdk.flow import ContractBroken, Send, no_broker, run_flow
from hub.sdk.kept_answers import KeptAnswers
from hub.sdk.rehearsal import over_http
from hub.sdk.values import Publish as Message
from hub.sdk.values import Published, Report, Request, Response, Route, Waiting

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
    answers: KeptAnswers = field(init=False)  # of the version of the connection that this job was made for

    def __post_init__(self) -> None:
        self.answers = self.lane.answers


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

    def __init__(
        self,
        words: SimpleQueue[Word | None],
        stop: threading.Event,
        monotonic: Callable[[], float],
        now: Callable[[], Micros] = clock.now,
    ) -> None:
        self._words, self._stop, self._monotonic, self._now = words, stop, monotonic, now

    def perform(self, job: Job) -> None:
        """Run a job to its end and say so; never raises."""
        self._words.put(self._run(job))

    def _run(self, job: Job) -> Done:
        kept: list[Response] = []  # the answer that was just found, if it took no call
        since = 0

        def send(request: Request) -> Response:
            nonlocal since
            kept.clear()
            since = job.answers.moment()
            found = job.answers.find(request, self._monotonic())
            if found is not None:
                kept.append(found)
                return found
            return self._send(job, request)

        def classify(request: Request, response: Response) -> DeliveryError | None:
            if kept:
                return None  # it was a success when it was kept
            error = self._classify(job, request, response)
            if error is None:
                job.answers.keep(request, response, self._monotonic(), since)
            return error

        def report(reports: Sequence[Report]) -> None:
            self._report(job, reports)

        try:
            end = run_flow(job.records, job.flow(), send, classify, report, self._publishing(job, send))
        except ContractBroken as broken:
            return Done(job, defect=broken)
        except ConfigurationError as error:
            return Done(job, error=error)
        except DeliveryError as error:
            return Done(job, error=error)
        except Exception as defect:  # noqa: BLE001 - a connector's own failure: recorded and raised by the engine
            return Done(job, defect=defect)
        if isinstance(end.error, RateLimited) and end.error.until is None and not isinstance(end.error, Stopping):
            self._slow_down(job, end.error, job.route.pools)  # the connector raised it itself
        return Done(job, error=end.error, value=end.value)

    def _report(self, job: Job, reports: Sequence[Report]) -> None:
        word = Reported(job, storable_reports(reports))
        self._words.put(word)
        word.stored.wait()

    def _send(self, job: Job, request: Request) -> Response:
        sender = job.lane.sender
        exchange = sender.exchange(request)
        with self._turn(job, _pools(job, request), exchange):
            try:
                exchange.response = sender.send(request, job.route.timeout_s)
            finally:
                job.answers.forget(request.forget)  # also after a failure: the vendor may have acted
        return exchange.response

    def _publishing(self, job: Job, send: Send) -> Publish:
        """How the flow of this job publishes: to a cluster, or by `send` to a sandbox that plays one."""
        publisher, broker = job.lane.sender, job.lane.destination.broker()
        if not isinstance(publisher, Publisher):
            return no_broker if broker is None else over_http(broker.host, send)

        def publish(messages: Sequence[Message]) -> Sequence[Published | DeliveryError]:
            posting = publisher.posting(messages)
            with self._turn(job, job.route.pools, posting):
                posting.answers = publisher.publish(messages)
            return posting.answers

        return publish

    @contextmanager
    def _turn(self, job: Job, pools: Sequence[str], exchange: Exchange) -> Iterator[None]:
        """The right to make one call, once its turn has come; what came of it is noted. Raises Stopping without."""
        self._wait_for_turn(job, pools)
        lane = job.lane
        if not lane.share.enter(pools, self._stop.is_set):
            raise Stopping
        try:
            if job.kind != "check":
                lane.look(self._monotonic(), self._now(), is_trial=job.is_trial)
            if len(job.exchanges) < EXCHANGES_KEPT:
                job.exchanges.append(exchange)
            job.calls += 1
            try:
                yield
            except DeliveryError as error:
                exchange.failure = str(error)
                if isinstance(error, RateLimited):
                    self._slow_down(job, error, pools)  # of the token endpoint
                raise
        finally:
            lane.share.leave(pools)

    def _wait_for_turn(self, job: Job, pools: Sequence[str]) -> None:
        at = self._monotonic()
        if job.has_reserved and list(pools) == list(job.route.pools):  # a look-up before it may draw on others
            job.has_reserved, start = False, job.start_at
        else:
            reserved = job.lane.share.reserve(pools, job.units, at, LONGEST_WAIT_S)
            if reserved is None:
                until = clock.to_datetime(self._now()) + timedelta(seconds=LONGEST_WAIT_S)
                raise Stopping("The vendor's rate limit is used up; the delivery waits in the queue.", until=until)
            start = reserved
        if self._stop.wait(max(0.0, start - at)) if start > at else self._stop.is_set():
            raise Stopping

    def _classify(self, job: Job, request: Request, response: Response) -> DeliveryError | None:
        error = job.lane.destination.classify(request, response)
        if error is not None and error.response is None:
            error.response = response
        if isinstance(error, RateLimited):
            self._slow_down(job, error, _pools(job, request))
        elif error is None:
            job.lane.share.succeeded(_pools(job, request))
        return error

    def _slow_down(self, job: Job, error: RateLimited, pools: Sequence[str]) -> None:
        """Pause the pools that the error names, else those of the call, and say until when."""
        heard_at = error.response.received_at if error.response else clock.to_datetime(self._now())
        until, since = instant(error.until), instant(heard_at) or 0
        wait_s = None if until is None else min(until - since, LONGEST_WAIT) / SECOND
        paused_s = job.lane.share.refused(error.pools or pools, self._monotonic(), wait_s)
        if error.until is None:
            error.until = heard_at + timedelta(seconds=paused_s)


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
