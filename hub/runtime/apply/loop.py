"""The apply role: takes waiting messages from the inbox and applies them, a batch and a transaction at a time."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import AbstractContextManager, ExitStack, suppress
from typing import NamedTuple

from sqlalchemy.exc import DBAPIError

from hub.core import clock
from hub.core.backoff import Backoff
from hub.core.clock import Micros
from hub.core.counters import APPLIED, MESSAGE_STATES
from hub.core.database import is_passing, is_postgres
from hub.core.logging import logger
from hub.core.wakeup import Sleeper, when_set
from hub.inbox.queue import Claim, Inbox, Superseded, Unreachable
from hub.runtime.apply.batch import BatchResult, Hooks, Mapper, Prepared, apply_batch, prepare
from hub.runtime.process.gc_tuning import calm_collector

GATHER_S = 0.03  # between two looks that find nothing: what comes in one after the other is one batch
LOOK_S = 2.0  # a wake-up may be lost
HOLD_S = 0.05  # a write transaction may take this long on SQLite, where every other writer waits for it
POSTGRES_HOLD_S = 0.5  # there nobody waits for it, but what a crash repeats should stay small
YIELD_S = 0.002  # left to other writers between batches
FIRST_PAUSE_S = 0.05
LONGEST_PAUSE_S = 5.0
SMALLEST_BATCH = 20

_log = logger("apply")


class _Batch(NamedTuple):
    """Messages claimed and mapped; `held` lets go of the claim."""

    claim: Claim
    prepared: Sequence[Prepared]
    started: float
    held: ExitStack


class ApplyRole:
    """Applies messages until it is told to stop. On SQLite one per installation, on PostgreSQL any number."""

    def __init__(
        self, inbox: Inbox, mapper: Mapper, hooks: Hooks, limit: int = 500, now: Callable[[], Micros] = clock.now
    ) -> None:
        self._inbox = inbox
        self._mapper = mapper
        self._hooks = hooks
        self._most = limit
        self._limit = min(limit, 100)  # grows while transactions stay short
        self._now = now
        self._applied = 0  # batches so far
        self._sleeper = Sleeper()

    def wake(self) -> None:
        """From any thread: messages may have come."""
        self._sleeper.wake()

    def step(self) -> BatchResult | None:
        """Apply one batch; None if nothing waited. Raises what the database raises; then nothing of it was kept."""
        batch = self._read(self._inbox.batch(self._limit))
        with batch.held:
            return self._apply(batch) if batch.prepared else None

    def drain(self, stop: threading.Event) -> bool:
        """Apply batches until nothing waits, each read and mapped while the one before is written; whether there were
        any. Raises what the database raises; then nothing of that batch and of those after it was kept.
        """
        before = self._applied
        coming: list[Future[_Batch]] = []
        with ThreadPoolExecutor(1, "read-ahead") as reader:

            def read_on(claim: Claim) -> None:
                coming.append(reader.submit(self._read, claim.following(self._limit)))

            batch = self._read(self._inbox.batch(self._limit))
            while batch.prepared and not stop.is_set():
                try:
                    with batch.held:
                        self._apply(batch, read_on)
                except BaseException:
                    for ahead in coming:
                        _let_go(ahead)
                    raise
                stop.wait(YIELD_S)
                batch = coming.pop().result()
            batch.held.close()
        return self._applied > before

    def run(self, stop: threading.Event) -> None:
        """Apply until `stop`. A locked or lost database or queue is waited for; a defect ends the role, and that shows."""
        calm_collector()
        when_set(stop, self.wake)
        backoff = Backoff(FIRST_PAUSE_S, LONGEST_PAUSE_S)
        while not stop.is_set():
            before = self._applied
            try:
                if not self.drain(stop):
                    self._sleeper.sleep(stop, GATHER_S if self._inbox.is_awaited else LOOK_S, GATHER_S)
            except Superseded:
                continue
            except (DBAPIError, Unreachable) as error:
                if isinstance(error, DBAPIError) and not is_passing(error):
                    raise
                if self._applied > before:
                    backoff.succeeded()
                pause_s = backoff.failed()
                why = str(error) if isinstance(error, Unreachable) else type(error.orig).__name__
                _log.warning("the batch is repeated", error=why, pause_s=pause_s)
                stop.wait(pause_s)
            else:
                backoff.succeeded()

    def _read(self, claims: AbstractContextManager[Claim]) -> _Batch:
        started = time.perf_counter()
        with ExitStack() as held:
            claim = held.enter_context(claims)
            prepared = [prepare(message, self._mapper) for message in claim.messages]
            return _Batch(claim, prepared, started, held.pop_all())

    def _apply(self, batch: _Batch, read_on: Callable[[Claim], None] = lambda _: None) -> BatchResult:
        """`read_on` is called when this thread begins to wait: for the server on PostgreSQL, on SQLite for the disk
        alone, since until then the lock is held and another thread would only take turns with this one."""
        began = time.perf_counter()
        with batch.claim.transaction() as state:
            is_served = is_postgres(state)
            if is_served:
                read_on(batch.claim)
            result = apply_batch(state, batch.prepared, self._hooks, self._now(), batch.started)
            if not is_served:
                read_on(batch.claim)
        self._applied += 1
        for name in MESSAGE_STATES:
            APPLIED.labels(name).inc(result.counts.get(name, 0))
        self._adapt(time.perf_counter() - began, POSTGRES_HOLD_S if is_served else HOLD_S, len(batch.prepared))
        return result

    def _adapt(self, held_s: float, hold_s: float, count: int) -> None:
        """Choose the next batch so that its transaction stays under `hold_s`; four fifths of that are aimed at."""
        if held_s < hold_s and count < self._limit // 2:  # little waited: that says nothing about more
            return
        fitting = int(count * hold_s / held_s * 0.8)
        self._limit = min(max(min(fitting, self._limit * 2), SMALLEST_BATCH), self._most)


def _let_go(ahead: Future[_Batch]) -> None:
    with suppress(Unreachable, DBAPIError):  # why it failed no longer matters
        ahead.result().held.close()
