"""The schedule role: opens occasions when their time comes and decides them, chunk by chunk; works off backfills.

The distribution table is the truth. APScheduler's jobs are made from it and only wake the role on the instant; what is
due is read from the table, so a lost or late wake-up loses nothing.
"""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from apscheduler.schedulers.background import BackgroundScheduler
from apscheduler.triggers.base import BaseTrigger
from sqlalchemy import Engine
from sqlalchemy.exc import DBAPIError

from hub.campaigns.rules import RandomSource
from hub.core import clock
from hub.core.backoff import Backoff
from hub.core.clock import SECOND, Micros, from_datetime, iso, to_datetime
from hub.core.database import is_passing, read, write
from hub.core.locks import lead, role_lock
from hub.core.logging import logger
from hub.core.wakeup import LOOK_S, Sleeper, when_set
from hub.distributions import backfills, occasions, rules, store, timing
from hub.distributions.values import Distribution, Trigger
from hub.ledger.store import record_run
from hub.runtime.occasions.step import decide_chunk, failed_run, missed_run
from hub.runtime.sync.backfill import failed_run as backfill_failed_run
from hub.runtime.sync.backfill import fill_chunk
from hub.sdk.errors import HubError

HELD_S = 0.5  # while a backfill waits for room in its connection's queue
YIELD_S = 0.002  # left to other writers between chunks
HOLD_S = {"sqlite": 0.05, "postgresql": 0.5}  # how long a chunk may take; on SQLite every other writer waits for it
SMALLEST_CHUNK, FIRST_CHUNK, LARGEST_CHUNK = 100, 200, 1_000  # people; fewer would pay for commits only
FIRST_PAUSE_S, LONGEST_PAUSE_S = 0.05, 5.0
TRY_AGAIN: Micros = 30 * SECOND  # for an occasion that cannot be decided

_log = logger("schedule")


@dataclass(slots=True)
class _Timetable:
    """One distribution that runs by itself, and its next instant."""

    distribution: Distribution
    trigger: Trigger
    next_at: Micros | None


class ScheduleRole:
    """Runs distributions on time. One leads per installation; `digest` is the keyed hash of tombstones."""

    def __init__(
        self,
        engine: Engine,
        digest: Callable[[str], str],
        source: RandomSource | None = None,
        now: Callable[[], Micros] = clock.now,
    ) -> None:
        self._engine = engine
        self._digest = digest
        self._source = source or random.SystemRandom()
        self._now = now
        self._lock = role_lock(engine, "schedule")
        self._sleeper = Sleeper()
        self._is_held = False  # a backfill waits
        self._revision: tuple[int, int] | None = None
        self._plans: dict[str, _Timetable] = {}
        self._not_before: dict[str, Micros] = {}  # occasions that cannot be decided
        self._limit = FIRST_CHUNK
        self._hold_s = HOLD_S[engine.dialect.name]
        self._jobs: BackgroundScheduler | None = None

    def wake(self) -> None:
        """From any thread: an instant has come, or something was changed or asked for."""
        self._sleeper.wake()

    def run(self, stop: threading.Event) -> None:
        """Lead until `stop`. Another scheduler leading is waited for on PostgreSQL; on SQLite it is an error."""
        if not lead(self._lock, "schedule", stop):
            return
        self._jobs = BackgroundScheduler(
            timezone="UTC", executors={"default": {"type": "threadpool", "max_workers": 1}}
        )
        self._jobs.start()
        try:
            self._loop(stop)
        finally:
            self._jobs.shutdown(wait=False)
            self._jobs = None
            self._lock.release()

    def step(self, now: Micros) -> bool:
        """Open what is due at `now` and decide one chunk of each open occasion; whether there is more to decide."""
        self._look()
        for plan in list(self._plans.values()):
            if plan.next_at is not None and plan.next_at <= now:
                self._open(plan, now)
        with read(self._engine) as connection:
            waiting = occasions.open_ids(connection)
            filling = backfills.open_ids(connection)
        self._not_before = {one: at for one, at in self._not_before.items() if one in waiting or one in filling}
        more = self._is_held = False
        for occasion_id in waiting:
            if self._not_before.get(occasion_id, now) <= now:
                more |= self._decide(occasion_id, now)
        for backfill_id in filling:
            if self._not_before.get(backfill_id, now) <= now:
                more |= self._fill(backfill_id, now)
        return more

    def _loop(self, stop: threading.Event) -> None:
        backoff = Backoff(FIRST_PAUSE_S, LONGEST_PAUSE_S)
        when_set(stop, self.wake)
        while not stop.is_set():
            try:
                if not self._lock.held() and not lead(self._lock, "schedule", stop):
                    return
                more = self.step(self._now())
            except DBAPIError as error:
                if not is_passing(error):
                    raise
                pause_s = backoff.failed()
                _log.warning("the step is repeated", error=type(error.orig).__name__, pause_s=pause_s)
                stop.wait(pause_s)
                continue
            backoff.succeeded()
            rest_s = HELD_S if self._is_held else LOOK_S
            self._sleeper.sleep(stop, YIELD_S if more else rest_s)

    def _look(self) -> None:
        """Read the distributions again if any changed, and make their jobs anew."""
        with read(self._engine) as connection:
            revision = store.revision(connection)
            if revision == self._revision:
                return
            every = store.every(connection)
        self._plans = {}
        for distribution in every:
            trigger = rules.trigger_of(distribution.trigger)
            if distribution.is_enabled and trigger.kind != "manual":
                next_at = timing.next_at(trigger, distribution.created_at, distribution.planned_at)
                self._plans[distribution.id] = _Timetable(distribution, trigger, next_at)
        self._revision = revision
        if self._jobs is not None:
            self._jobs.remove_all_jobs()
            for plan in self._plans.values():
                instants = _Instants(plan.trigger, plan.distribution.created_at)
                self._jobs.add_job(self.wake, instants, coalesce=True, misfire_grace_time=None)

    def _open(self, plan: _Timetable, now: Micros) -> None:
        """Open the latest instant that has come, or note that it was missed; both move the plan on."""
        with write(self._engine) as connection:
            current = store.get(connection, plan.distribution.id)
            if current.version != plan.distribution.version or not current.is_enabled:
                return  # it was changed since it was read; the next look sees it
            latest = timing.latest_at(plan.trigger, current.created_at, current.planned_at, now)
            if latest is not None:
                if rules.is_due(latest, now, current.missed):
                    occasions.open_occasion(connection, current, rules.trigger_key(latest), latest, now)
                else:
                    record_run(connection, missed_run(current, latest, now))
                    _log.warning("a run was missed and is skipped", distribution=current.name, planned=iso(latest))
                store.plan(connection, current.id, latest)
        done_until = latest if latest is not None else current.planned_at
        plan.next_at = timing.next_at(plan.trigger, current.created_at, done_until)

    def _decide(self, occasion_id: str, now: Micros) -> bool:
        """Decide one chunk; whether the occasion needs another one. What fails on its own data waits aside."""
        started = time.perf_counter()
        try:
            with write(self._engine) as connection:
                chunk = decide_chunk(connection, occasion_id, self._limit, now, self._source, self._digest)
        except occasions.Superseded:
            return True
        except (DBAPIError, HubError) as error:
            if is_passing(error):
                raise
            self._set_aside(occasion_id, now, error)
            return False
        self._not_before.pop(occasion_id, None)
        self._adapt(time.perf_counter() - started, chunk.people)
        return not chunk.is_last

    def _set_aside(self, occasion_id: str, now: Micros, error: Exception) -> None:
        why = str(error) if isinstance(error, HubError) else f"the database refused it ({type(error).__name__})."
        with write(self._engine) as connection:
            occasion = occasions.get(connection, occasion_id)
            if occasion_id not in self._not_before:  # told once, tried on
                record_run(connection, failed_run(occasion, now, why))
        _log.error("an occasion cannot be decided", occasion=occasion_id, why=why)
        self._not_before[occasion_id] = now + TRY_AGAIN

    def _fill(self, backfill_id: str, now: Micros) -> bool:
        """One chunk of a backfill; whether the next can follow at once. What fails on its own data waits aside."""
        started = time.perf_counter()
        try:
            with write(self._engine) as connection:
                filled = fill_chunk(connection, backfill_id, self._limit, now, self._digest)
        except (DBAPIError, HubError) as error:
            if is_passing(error):
                raise
            why = str(error) if isinstance(error, HubError) else f"the database refused it ({type(error).__name__})."
            with write(self._engine) as connection:
                if backfill_id not in self._not_before:  # told once, tried on
                    record_run(connection, backfill_failed_run(backfills.lock(connection, backfill_id), now, why))
            _log.error("a backfill cannot go on", backfill=backfill_id, why=why)
            self._not_before[backfill_id] = now + TRY_AGAIN
            return False
        self._not_before.pop(backfill_id, None)
        self._adapt(time.perf_counter() - started, filled.people)
        self._is_held |= filled.is_held
        return not filled.is_last and not filled.is_held

    def _adapt(self, held_s: float, count: int) -> None:
        """Choose the next chunk so that its transaction stays under its limit; half that is aimed at."""
        if held_s > self._hold_s:
            self._limit = max(SMALLEST_CHUNK, int(count * self._hold_s / held_s / 2))
        elif held_s < self._hold_s / 2 and count >= self._limit:
            self._limit = min(LARGEST_CHUNK, self._limit + self._limit // 4 + 1)


class _Instants(BaseTrigger):  # type: ignore[misc]  # the library has no types
    """A distribution's instants, as APScheduler asks for them."""

    def __init__(self, trigger: Trigger, created_at: Micros) -> None:
        self._trigger = trigger
        self._created_at = created_at

    def get_next_fire_time(self, previous_fire_time: datetime | None, now: datetime) -> datetime | None:
        after = from_datetime(previous_fire_time or now)
        found = timing.next_at(self._trigger, self._created_at, after)
        return None if found is None else to_datetime(found)
