"""The deliver process at work: one thread for the database, many for calls.

Every round stores what the workers said, claims what is due and may be sent, and asks after vendor jobs. A worker's
report is committed before its flow goes on; a batch is claimed only when a call slot and the vendor's budget are near.
"""

from __future__ import annotations

import random as randomness
import threading
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from queue import Empty, SimpleQueue
from typing import Any, Protocol, TypeVar

from sqlalchemy import Connection as Database
from sqlalchemy import Engine
from sqlalchemy.exc import DBAPIError

from hub.core import clock
from hub.core.backoff import Backoff
from hub.core.clock import Micros
from hub.core.counters import CALLS, DELIVERIES
from hub.core.database import is_passing, read, write
from hub.core.logging import logger
from hub.core.wakeup import when_set
from hub.outbox.defects import tell_defect
from hub.outbox.engine import results
from hub.outbox.engine.dispatch import LOOK_AGAIN_S, Claiming
from hub.outbox.engine.lane import Lane, Ports, Wait, open_lane
from hub.outbox.engine.pauses import Pause, Pauses
from hub.outbox.engine.polling import Polling
from hub.outbox.engine.workers import LONGEST_WAIT_S, Done, Job, Reported, Word, Worker, Workers
from hub.outbox.limits.rate_limits import Pace
from hub.outbox.queue import operate
from hub.outbox.queue.finish import Ending, finish
from hub.outbox.queue.one_by_one import finish_one_by_one, kind_of
from hub.outbox.rules import Stopping, outcome_name
from hub.outbox.values import Policy
from hub.registry.values import Connection
from hub.sdk.contract import Destination
from hub.sdk.errors import ConfigurationError, RateLimited, Retryable

WORDS_AT_ONCE = 256
LISTEN_S = 0.05  # while calls are under way that should end soon
STOP_S = 7.0
FIRST_PAUSE_S, LONGEST_PAUSE_S = 0.05, 2.0  # while the database is locked, full or away
TRIES_WHILE_STOPPING = 20
MOST_THREADS = 128
T = TypeVar("T")


class Snapshot(Protocol):
    """The connections as they are now, and their connector instances."""

    @property
    def connections(self) -> Mapping[str, Connection]: ...
    @property
    def destinations(self) -> Mapping[str, Destination]: ...


class DeliveryLoop:
    """Sends deliveries until told to stop. `snapshot` is asked in every round; clocks and chance are arguments."""

    def __init__(
        self,
        database: Engine,
        snapshot: Callable[[], Snapshot],
        ports: Ports,
        *,
        policy: Policy | None = None,
        now: Callable[[], Micros] = clock.now,
        monotonic: Callable[[], float] = time.monotonic,
        random: Callable[[], float] = randomness.random,
    ) -> None:
        self._database = database
        self._snapshot = snapshot
        self._ports = ports
        self._policy = policy or Policy()
        self._now, self._monotonic, self._random = now, monotonic, random
        self._stopping = threading.Event()
        self._words: SimpleQueue[Word | None] = SimpleQueue()
        self._is_woken = threading.Event()
        self._heard: list[Word] = []
        self._workers = Workers(Worker(self._words, self._stopping, monotonic, now).perform, MOST_THREADS)
        self._pace = Pace()
        self._lanes: dict[str, Lane] = {}
        self._claiming = Claiming(ports, self._workers.submit, self.within, self._read)
        self._polling = Polling(self._workers.submit, self._read)
        self._pauses = Pauses(self._workers.submit)

    # ── the round ───────────────────────────────────────────────────────────────────────────────────────────────

    def recover(self) -> int:
        """Put right what an earlier process left under way; once, before the first round. How many deliveries."""
        allowed = {one.id: one.retry_unknown for one in self._snapshot().connections.values()}
        return self.within(lambda database: operate.recover(database, allowed, self._now(), self._policy))

    def step(self) -> bool:
        """One round; whether there was anything to do."""
        has_worked = self._store_words()
        if self._stopping.is_set():
            return has_worked
        if self._is_woken.is_set():
            self._is_woken.clear()  # before looking: who wakes the engine meanwhile ends its next rest
            self._bring_forward()
        self._refresh()
        lanes = list(self._lanes.values())
        self._claiming.look(lanes, self._now(), self._monotonic())
        for lane in lanes:
            has_worked |= self._claiming.claim(lane, self._now(), self._monotonic())
        has_worked |= self._polling.poll(lanes, self._now(), self._monotonic())
        self._pauses.probe(lanes, self._monotonic())
        return has_worked

    def run(self, stop: threading.Event) -> None:
        """Rounds until `stop`; then a graceful end."""
        when_set(stop, self.wake)
        while not stop.is_set():
            if not self.step():
                self._listen(self._rest_s())
        self.stop()

    def wake(self) -> None:
        """From any thread: something may be due, or a connection has changed."""
        if not self._is_woken.is_set():
            self._is_woken.set()
            self._words.put(None)

    def settle(self, timeout_s: float = 10.0) -> None:
        """Rounds until nothing is under way and nothing is due; for tests, benchmarks and one-shot commands."""
        deadline = self._monotonic() + timeout_s
        for lane in self._lanes.values():
            lane.look_at = 0.0
        while self.step() or self._is_busy():
            if self._is_busy():
                self._listen(LISTEN_S)
            if self._monotonic() > deadline:
                raise TimeoutError(f"deliveries were still under way after {timeout_s} s")

    def stop(self, within_s: float = STOP_S) -> None:
        """Start nothing more, let calls under way end, store their outcomes. What hangs longer is unknown at the next start."""
        self._stopping.set()
        deadline = self._monotonic() + within_s
        while self._is_busy() and self._monotonic() < deadline:
            self._listen(LISTEN_S)
            self._store_words()
        self._workers.close()

    def _is_busy(self) -> bool:
        return any(lane.jobs for lane in self._lanes.values()) or bool(self._heard)

    def _listen(self, timeout_s: float) -> None:
        with suppress(Empty):
            self._hear(self._words.get(timeout=timeout_s))

    def _hear(self, word: Word | None) -> None:
        if word is not None:
            self._heard.append(word)

    def _rest_s(self) -> float:
        """Until something is due, as far as is known. The end of a call and a wake-up end the rest."""
        moments = [lane.look_at for lane in self._lanes.values() if lane.is_open]
        return max(0.0, min([self._polling.look_at, *moments]) - self._monotonic())

    def _bring_forward(self) -> None:
        for lane in self._lanes.values():
            lane.look_at = min(lane.look_at, lane.looked_at + LOOK_AGAIN_S)

    # ── connections ─────────────────────────────────────────────────────────────────────────────────────────────

    def _refresh(self) -> None:
        snapshot = self._snapshot()
        for connection_id, destination in snapshot.destinations.items():
            connection = snapshot.connections[connection_id]
            lane = self._lanes.get(connection_id)
            if lane is None or lane.connection.version != connection.version:
                self._open(connection, destination, lane)
        for connection_id in [one for one in self._lanes if one not in snapshot.destinations]:
            if not self._lanes[connection_id].jobs:
                del self._lanes[connection_id]

    def _open(self, connection: Connection, destination: Destination, lane: Lane | None) -> None:
        try:
            if lane is None:
                self._lanes[connection.id] = open_lane(connection, destination, self._pace, self._ports)
            else:
                lane.renew(connection, destination, self._pace, self._ports)
        except ConfigurationError as error:
            logger("outbox").error("connection is unusable", connection=connection.name, why=str(error))
        self._polling.look_at = 0.0

    # ── what the workers said ───────────────────────────────────────────────────────────────────────────────────

    def _store_words(self) -> bool:
        with suppress(Empty):
            while len(self._heard) < WORDS_AT_ONCE:
                self._hear(self._words.get_nowait())
        heard, self._heard = self._heard, []
        if not heard:
            return False
        now = self._now()
        pauses = self._pauses.wanted([word for word in heard if isinstance(word, Done)])
        endings = self._store_endings([self._ending(word, now) for word in heard], pauses, now)
        for word, ending in zip(heard, endings, strict=True):
            _count(word, ending)
            self._expect(ending, now)
            if isinstance(word, Reported):
                word.stored.set()
            else:
                self._over(word)
        self._pauses.stored(pauses)
        return True

    def _store_endings(self, endings: list[Ending], pauses: Sequence[Pause], now: Micros) -> list[Ending]:
        """Store what came back, in one transaction; the endings as they were stored.

        Where that fails on data, each report is stored by itself, so that one which no row can hold harms no other.
        """

        def together(database: Database) -> list[Ending]:
            finish(database, endings, now)
            self._pauses.store(database, pauses, now)
            return endings

        def one_by_one(database: Database) -> list[Ending]:
            stored = finish_one_by_one(database, endings, now)
            self._pauses.store(database, pauses, now)
            return stored

        try:
            return self.within(together)
        except Exception as error:
            if is_passing(error):
                raise
            logger("outbox").error("reports could not be stored together; each is stored by itself", why=kind_of(error))
            return self.within(one_by_one)

    def _expect(self, ending: Ending, now: Micros) -> None:
        moments = {move.next.due_at for move in ending.moves if move.next.state == "pending"}
        for due_at in moments.union(ending.postponed.values()):
            self._polling.expect(due_at, now, self._monotonic())

    def _ending(self, word: Word, now: Micros) -> Ending:
        try:
            return self._ending_of(word, now)
        except Exception as defect:  # noqa: BLE001 - what a connector said of these records makes no sense; they bear it
            return self._ending_of(_blamed(word, defect), now)

    def _ending_of(self, word: Word, now: Micros) -> Ending:
        if isinstance(word, Reported):
            return results.of_reports(word.job, word.reports, now, self._random(), self._policy)
        if word.defect is not None:
            tell_defect(word.job.lane.connection.name, word.defect)
        return results.of_end(word, now, self._random(), self._policy)

    def _over(self, done: Done) -> None:
        job, lane = done.job, done.job.lane
        lane.jobs -= 1
        lane.look_at = 0.0
        if job.kind == "send":  # a poll takes nobody: it only asks, beside whatever call its people have under way
            lane.people.difference_update(job.people.values())
        lane.tokens.discard(job.token)
        if job.kind == "check":
            return
        if isinstance(done.error, Stopping) and done.error.until is not None:
            lane.held_routes[job.route_name] = self._monotonic() + LONGEST_WAIT_S  # or the next batch meets the same
        self._judge(done, job, lane)

    def _judge(self, done: Done, job: Job, lane: Lane) -> None:
        error = done.error
        if done.defect is not None or isinstance(error, RateLimited | ConfigurationError) or not job.calls:
            if job.is_trial:
                lane.circuit.let_go()
        elif isinstance(error, Retryable):
            if lane.circuit.failed(self._monotonic()):
                logger("outbox").warning(
                    "circuit opened: the vendor fails again and again",
                    connection=lane.connection.name,
                    pause_s=lane.circuit.pause_s,
                    why=str(error),
                )
        else:
            lane.circuit.succeeded()
            if error is None:
                lane.was_resumed = False
        if job.kind == "poll":
            self._polling.over(job, error)

    def waits(self) -> dict[str, Wait]:
        """By connection, why none of its deliveries is sent at this moment; for an operator, from any thread."""
        at, now = self._monotonic(), self._now()
        found = {lane.connection.id: lane.wait(at, now) for lane in list(self._lanes.values())}
        return {one: wait for one, wait in found.items() if wait is not None}

    # ── the database ────────────────────────────────────────────────────────────────────────────────────────────

    def within(self, act: Callable[[Database], T]) -> T:
        """One write transaction, repeated while the database is locked, full or away."""
        return self._patiently(lambda: self._once(write, act))

    def _read(self, act: Callable[[Database], T]) -> T:
        return self._patiently(lambda: self._once(read, act))

    def _once(self, opening: Any, act: Callable[[Database], T]) -> T:
        with opening(self._database) as database:
            return act(database)

    def _patiently(self, act: Callable[[], T]) -> T:
        pause = threading.Event()
        backoff = Backoff(FIRST_PAUSE_S, LONGEST_PAUSE_S)
        while True:
            try:
                return act()
            except DBAPIError as error:
                if not is_passing(error) or (self._stopping.is_set() and backoff.failures > TRIES_WHILE_STOPPING):
                    raise
                logger("outbox").warning("the database could not be used; trying again", why=type(error.orig).__name__)
                pause.wait(backoff.failed())


def _blamed(word: Word, defect: Exception) -> Word:
    """The same word, with the connector's failure in place of what it said."""
    if isinstance(word, Reported):
        return Reported(word.job, results.of_misreported(word.reports, defect), word.stored)
    return Done(word.job, defect=defect)


def _count(word: Word, ending: Ending) -> None:
    """What /metrics tells of calls and outcomes."""
    name = word.job.lane.connection.name
    for outcome, count in Counter([move.outcome for move in ending.moves]).items():
        DELIVERIES.labels(name, outcome).inc(count)
    if isinstance(word, Done) and word.job.calls:
        error = word.defect or word.error
        CALLS.labels(name, outcome_name(error) if error else "answered").inc(word.job.calls)
