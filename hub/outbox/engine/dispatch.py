"""One connection's claim: read what is due, build it, form batches, reserve the vendor's budget, start, hand to workers."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from sqlalchemy import Connection as Database

from hub.core.clock import Micros, to_datetime
from hub.core.logging import logger
from hub.core.wakeup import LOOK_S
from hub.outbox.defects import tell_defect
from hub.outbox.engine import plan as planning
from hub.outbox.engine.build import ERASE, Built, Known
from hub.outbox.engine.lane import CONFIGURATION, Lane, Ports
from hub.outbox.engine.plan import Due, Turn
from hub.outbox.engine.workers import Job
from hub.outbox.queue import claim
from hub.outbox.queue.claim import ClaimPlan, Ended
from hub.outbox.rules import DETAIL_CHARS, is_fresh
from hub.registry.store import pause
from hub.sdk.errors import ConfigurationError
from hub.sdk.text import storable

CLAIM_MOST = 1_500
LOOK_AGAIN_S = 0.1  # between two looks that find nothing: what comes in one after the other is one batch
Doing = Callable[[Callable[[Database], Any]], Any]


class Claiming:
    """`submit` hands a job to a worker; `within` and `reading` run a function in a transaction, patiently."""

    def __init__(self, ports: Ports, submit: Callable[[Job], None], within: Doing, reading: Doing) -> None:
        self._ports, self._submit, self._within, self._reading = ports, submit, within, reading

    def look(self, lanes: Sequence[Lane], now: Micros, at: float) -> None:
        """Find out, for all lanes that had nothing to do at their last look, when they will have."""
        calm = {lane.connection.id: lane for lane in lanes if lane.is_calm and _looks(lane, at)}
        if not calm:
            return
        due: dict[str, Micros] = self._reading(lambda database: claim.next_due(database, sorted(calm)))
        for connection_id, lane in calm.items():
            lane.looked_at = at
            lane.due_at = due.get(connection_id)
            if lane.due_at is None or lane.due_at > now:
                lane.look_at = at + planning.rest_s(lane.due_at, now, LOOK_AGAIN_S, LOOK_S)

    def claim(self, lane: Lane, now: Micros, at: float) -> bool:
        """Claim and start what may be sent; whether anything was."""
        if not _looks(lane, at):
            return False
        lane.looked_at = at
        allowed = lane.circuit.allows(at)
        closed = planning.closed_routes(lane, at)
        room, items = planning.room(lane, closed)
        room = room if allowed is None else min(room, allowed)
        if room <= 0:
            lane.look_at = at + LOOK_AGAIN_S
            return False
        limit = max(1, min(CLAIM_MOST, room * items))
        due: Due = self._reading(lambda database: self._due(database, lane, now, limit, closed))
        lane.is_calm = not due.rows
        if lane.is_calm:
            lane.look_at = at + planning.rest_s(lane.due_at, now, LOOK_AGAIN_S, LOOK_S)
            return False
        lane.due_at = now
        built, ended = self._build(lane, due, now)
        if built is None:
            return True
        free, deferred = planning.wait_for_others(lane, built, due, now)
        turns, waiting = planning.turns(lane, free, room, at, closed)
        wanted = planning.plan(lane, turns, waiting, ended, deferred, built, now)
        granted = self._start(wanted, now)
        started = self._hand_over(lane, turns, granted, built, now, is_trial=allowed is not None)
        if not started and not ended:
            lane.look_at = at + LOOK_AGAIN_S
        return started or bool(ended)

    def _due(self, database: Database, lane: Lane, now: Micros, limit: int, closed: set[str]) -> Due:
        connection_id = lane.connection.id
        rows = claim.due(database, connection_id, now, limit, sorted(closed))
        if not rows:
            return Due((), Known({}, {}, {}), {})
        people = sorted({row.source_id for row in rows if row.operation != ERASE})
        views = self._ports.people.views(database, people)
        survivors = sorted({str(view["source_id"]) for view in views.values()})
        has_fresh = any(is_fresh(row.operation) for row in rows)
        pushed = claim.pushed(database, connection_id, survivors) if has_fresh else {}
        remembered = claim.remembered(database, connection_id, survivors)
        is_ordered = any(route.after for route in lane.builder.routes.values())
        others = claim.open_operations(database, connection_id, people) if is_ordered else {}
        return Due(rows, Known(views, pushed, remembered), others)

    def _build(self, lane: Lane, due: Due, now: Micros) -> tuple[dict[str, Built] | None, list[Ended]]:
        built: dict[str, Built] = {}
        ended: list[Ended] = []
        at = to_datetime(now)
        for row in due.rows:
            try:
                made = lane.builder.build(row, due.known, now, at)
            except ConfigurationError as error:
                self._stop(lane, error, now)
                return None, []
            except Exception as defect:  # noqa: BLE001 - a connector's own failure: recorded here, told in the log
                tell_defect(lane.connection.name, defect)
                words = lane.mask(f"It could not be built: {type(defect).__name__}: {defect}")
                made = Ended(row.id, "dead", "defect", storable(words, DETAIL_CHARS))
            if isinstance(made, Ended):
                ended.append(made)
            else:
                built[row.id] = made
        return built, ended

    def _stop(self, lane: Lane, error: ConfigurationError, now: Micros) -> None:
        """Nothing can be sent through this connection until an operator acts: pause it and say why."""
        logger("outbox").error("connection paused", connection=lane.connection.name, why=str(error))
        self._within(lambda database: pause(database, lane.connection.id, CONFIGURATION + str(error), now))
        lane.stopped_version = lane.connection.version

    def _start(self, plan: ClaimPlan, now: Micros) -> dict[str, set[str]]:
        def start(database: Database) -> dict[str, set[str]]:
            return claim.start(database, plan, self._ports.people, now)

        granted: dict[str, set[str]] = self._within(_reliably(start, plan, now))
        return granted

    def _hand_over(
        self,
        lane: Lane,
        turns: Sequence[Turn],
        granted: Mapping[str, set[str]],
        built: Mapping[str, Built],
        now: Micros,
        *,
        is_trial: bool,
    ) -> bool:
        for turn in turns:
            ids = granted.get(turn.attempt_id)
            if not ids:
                continue
            job = planning.job(lane, turn, [ready for ready in turn.formed.ready if ready.id in ids], built, now)
            if is_trial:
                job.is_trial = True
                lane.circuit.tries()
            lane.jobs += 1
            lane.people.update(job.people.values())
            self._submit(job)
        return bool(granted)


def _looks(lane: Lane, at: float) -> bool:
    return lane.is_open and at >= lane.look_at


def _reliably(
    start: Callable[[Database], dict[str, set[str]]], plan: ClaimPlan, now: Micros
) -> Callable[[Database], dict[str, set[str]]]:
    """Start a plan; on a second try first take back what the first may have committed without our hearing of it."""
    tries = 0

    def act(database: Database) -> dict[str, set[str]]:
        nonlocal tries
        tries += 1
        if tries > 1:
            claim.release(database, [launch.attempt.id for launch in plan.launches], now)
        return start(database)

    return act
