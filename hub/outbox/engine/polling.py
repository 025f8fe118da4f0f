"""Asking after vendor jobs, as scheduled work: one poll at a time per job, for everything that waits for it.

A look reads all that is pending, so there is one when a job is due and not before: the look tells when the next one is,
and so does every outcome that makes a delivery wait for a job.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from sqlalchemy import Connection as Database

from hub.core.clock import SECOND, Micros
from hub.core.ids import new_id
from hub.core.wakeup import LOOK_S
from hub.outbox.engine.lane import Lane
from hub.outbox.engine.workers import Job, waiting_of
from hub.outbox.queue import claim
from hub.outbox.queue.claim import PendingRow, PollJob
from hub.sdk.errors import ConfigurationError, DeliveryError
from hub.sdk.json import loads
from hub.sdk.values import Route, Waiting

EVERY_S = 0.1
AT_ONCE = 20
_NO_ROUTE = Route(source="")


class _Look(NamedTuple):
    """Jobs that are due, with what waits for them, and when the next one will be."""

    due: list[tuple[PollJob, list[PendingRow]]]
    next_at: Micros | None


class Polling:
    """`submit` hands a job to a worker; `reading` runs a function in a read transaction."""

    def __init__(self, submit: Callable[[Job], None], reading: Callable[[Callable[[Database], Any]], Any]) -> None:
        self._submit, self._reading = submit, reading
        self.look_at = 0.0
        self._failures: dict[tuple[str, str], int] = {}

    def poll(self, lanes: Sequence[Lane], now: Micros, at: float) -> bool:
        """Start the polls that are due; whether there were any."""
        if at < self.look_at:
            return False
        able = {lane.connection.id: lane for lane in lanes if lane.is_open and lane.circuit.allows(at) != 0}
        if not able:
            self.look_at = at + LOOK_S
            return False
        look: _Look = self._reading(lambda database: _look(database, able, now))
        self.look_at = at + (EVERY_S if look.due else LOOK_S)
        if look.next_at is not None:
            self.expect(look.next_at, now, at)
        for found, rows in look.due:
            lane = able[found.connection_id]
            allowed = lane.circuit.allows(at)  # asked each time: a trial that was just started is the only one
            if allowed != 0:
                self._start(lane, found, rows, now, is_trial=allowed is not None)
        return bool(look.due)

    def expect(self, due_at: Micros, now: Micros, at: float) -> None:
        """A job will be due then."""
        self.look_at = min(self.look_at, at + max(EVERY_S, (due_at - now) / SECOND))

    def over(self, job: Job, error: DeliveryError | ConfigurationError | None) -> None:
        """Remember how often a job could not be asked after, so that it is asked less often."""
        key = (job.lane.connection.id, job.token)
        if error is None:
            self._failures.pop(key, None)
        else:
            self._failures[key] = job.failures + 1

    def _start(self, lane: Lane, found: PollJob, rows: Sequence[PendingRow], now: Micros, *, is_trial: bool) -> None:
        kept = {row.held.id: loads(row.pushing) for row in rows if row.pushing}
        held = {row.held.id: row.held for row in rows}
        destination = lane.destination
        job = Job(
            kind="poll",
            id=new_id(now // 1000),
            lane=lane,
            route_name=found.route,
            route=lane.builder.routes.get(found.route, _NO_ROUTE),
            flow=lambda: destination.poll(found.token, waiting),
            held=held,
            left=dict.fromkeys(held),
            people={one: kept[one]["person"] if one in kept else row.source_id for one, row in _by_id(rows)},
            pushing={one: told["fields"] for one, told in kept.items()},
            find_by={row.held.id: row.find_by for row in rows},
            token=found.token,
            started_at=now,
            number=max(row.held.attempts for row in rows),
            failures=self._failures.get((lane.connection.id, found.token), 0),
            is_trial=is_trial,
        )
        if is_trial:
            lane.circuit.tries()
        waiting: list[Waiting] = waiting_of(job)
        job.records = waiting
        lane.tokens.add(found.token)
        lane.jobs += 1
        self._submit(job)


def _by_id(rows: Sequence[PendingRow]) -> list[tuple[str, PendingRow]]:
    return [(row.held.id, row) for row in rows]


def _look(database: Database, able: dict[str, Lane], now: Micros) -> _Look:
    asked = {(one, token) for one, lane in able.items() for token in lane.tokens}
    found = claim.next_jobs(database, sorted(able), AT_ONCE + len(asked))
    jobs = [job for job in found if (job.connection_id, job.token) not in asked]
    due = [(job, claim.pending(database, job.connection_id, job.token)) for job in jobs if job.due_at <= now]
    return _Look(due, next((job.due_at for job in jobs if job.due_at > now), None))
