"""What one claim will do: which deliveries are free, which batches they make, when each may start."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import NamedTuple

from hub.core.clock import SECOND, Micros, to_datetime
from hub.core.ids import new_id
from hub.ledger.values import AttemptStart
from hub.outbox.engine.build import Built, Known
from hub.outbox.engine.lane import Lane
from hub.outbox.engine.workers import Job
from hub.outbox.queue import delta
from hub.outbox.queue.claim import ClaimPlan, Ended, Launch
from hub.outbox.rules import micros
from hub.outbox.values import Held, Row
from hub.sdk.batches import Formed, Ready, form
from hub.sdk.json import dumps
from hub.sdk.values import Batch

AHEAD = 2  # batches claimed for each call slot, so that a worker never waits for the database
LOOK_AHEAD_S = 1.0  # a batch is claimed when its turn comes within this time
SHORT_OF_BUDGET_S = 0.25
_DEFER_LEAST: Micros = SECOND // 5
_DEFER_MOST: Micros = 30 * SECOND


def rest_s(due_at: Micros | None, now: Micros, least_s: float, most_s: float) -> float:
    """Until the next look at a queue whose next delivery is due then. One that is due and cannot go yet waits for
    another, whose end brings the look forward; in case it does not, looks grow rarer the longer that takes."""
    if due_at is None:
        return most_s
    left = due_at - now if due_at > now else (now - due_at) // 8
    return min(most_s, max(least_s, left / SECOND))


class Due(NamedTuple):
    """What one read found."""

    rows: Sequence[Row]
    known: Known
    open_operations: Mapping[str, set[str]]


class Turn(NamedTuple):
    """A batch whose call may begin at `start_at` (of the monotonic clock)."""

    attempt_id: str
    formed: Formed
    start_at: float


def closed_routes(lane: Lane, at: float) -> set[str]:
    """Routes that take nothing now: paused, or without budget for a while."""
    closed = set(lane.connection.paused_routes) | lane.stopped_routes
    for name, until in list(lane.held_routes.items()):
        if at < until:
            closed.add(name)
        else:
            del lane.held_routes[name]
    for name, route in lane.builder.routes.items():
        if lane.share.wait_s(route.pools, at) > LOOK_AHEAD_S:
            closed.add(name)
    return closed


def room(lane: Lane, closed: set[str]) -> tuple[int, int]:
    """How many more batches may be claimed, and the items of the largest."""
    routes = [route for name, route in lane.builder.routes.items() if name not in closed]
    if not routes:
        return 0, 0
    slots = max(lane.share.slots(route.pools) for route in routes)
    return AHEAD * slots + 1 - lane.jobs, max(route.items for route in routes)


def wait_for_others(
    lane: Lane, built: Mapping[str, Built], due: Due, now: Micros
) -> tuple[list[Built], dict[str, tuple[Micros, str]]]:
    """Those free to go, and when to look again at those that follow another operation of their profile."""
    free: list[Built] = []
    deferred: dict[str, tuple[Micros, str]] = {}
    for one in built.values():
        route = lane.builder.routes[one.ready.route]
        if one.ready.person in lane.people:
            continue
        if route.after and due.open_operations.get(one.row.source_id, set()).intersection(route.after):
            age = now - one.row.created_at
            deferred[one.ready.id] = (now + min(_DEFER_MOST, max(_DEFER_LEAST, age // 8)), one.ready.route)
            continue
        free.append(one)
    return free, deferred


def turns(
    lane: Lane, free: Iterable[Built], room: int, at: float, closed: Collection[str] = ()
) -> tuple[list[Turn], list[Ready]]:
    """Batches that fit into the room and the vendor's budget, in order, and the records that must wait."""
    batches, waiting = form(_one_push_each(free), lane.builder.routes, closed)
    turns: list[Turn] = []
    short: set[str] = set()
    for formed in batches:
        route = lane.builder.routes[formed.route]
        start_at = None
        if len(turns) < room and formed.route not in short:
            start_at = lane.share.reserve(route.pools, formed.units(), at, LOOK_AHEAD_S)
            if start_at is None:
                short.add(formed.route)
                lane.held_routes[formed.route] = at + SHORT_OF_BUDGET_S
        if start_at is None:
            waiting.extend(formed.ready)
        else:
            turns.append(Turn(new_id(), formed, start_at))
    return turns, waiting


def _one_push_each(free: Iterable[Built]) -> Iterable[Ready]:
    """At most one push of a profile goes at a time, or their deltas would not know of each other."""
    seen: set[str] = set()
    for one in free:
        if one.push is not None:
            if one.ready.person in seen:
                continue
            seen.add(one.ready.person)
        yield one.ready


def plan(
    lane: Lane,
    turns: Sequence[Turn],
    waiting: Sequence[Ready],
    ended: Sequence[Ended],
    deferred: Mapping[str, tuple[Micros, str]],
    built: Mapping[str, Built],
    now: Micros,
) -> ClaimPlan:
    """All that the transaction of the start writes."""
    launches = []
    cleared = []
    for turn in turns:
        route = lane.builder.routes[turn.formed.route]
        rows = [built[ready.id].row for ready in turn.formed.ready]
        attempt = AttemptStart(
            turn.attempt_id,
            lane.connection.id,
            turn.formed.route,
            max(row.attempts for row in rows) + 1,
            now,
            any(row.is_manual for row in rows),
        )
        window = None if route.repeat_window_s is None else micros(route.repeat_window_s)
        ids = [row.id for row in rows]
        launches.append(Launch(attempt, turn.formed.ready[0].route, route.repeat, window, ids))
        for row in rows:
            push = built[row.id].push
            if push is not None and push.known and not push.known.keys().isdisjoint(push.sending):
                cleared.append((row.id, push.person, dumps(delta.cleared(push.known, push.sending)).decode()))
    routes = {ready.id: ready.route for ready in waiting if ready.route != built[ready.id].row.route}
    return ClaimPlan(
        lane.connection.id,
        lane.connection.version,
        launches,
        ended,
        routes,
        deferred,
        cleared,
    )


def job(lane: Lane, turn: Turn, readies: Sequence[Ready], built: Mapping[str, Built], now: Micros) -> Job:
    """The job of a batch, for the records that were granted to it."""
    formed = turn.formed
    route = lane.builder.routes[formed.route]
    items = [item for ready in readies for item in ready.items]
    batch = Batch(formed.route, formed.group, [ready.push for ready in readies], items, to_datetime(now))
    until = None if route.repeat_window_s is None else now + micros(route.repeat_window_s)
    held = {}
    for ready in readies:
        row = built[ready.id].row
        held[row.id] = Held(
            row.id, row.operation, row.attempts, row.waited_us, route.repeat, row.repeat_until or until, None
        )
    destination = lane.destination
    return Job(
        kind="send",
        id=turn.attempt_id,
        lane=lane,
        route_name=formed.route,
        route=route,
        flow=lambda: destination.flow(batch),
        records=batch.records,
        held=held,
        left=dict.fromkeys(held),
        people={ready.id: ready.person for ready in readies},
        pushes={ready.id: push for ready in readies if (push := built[ready.id].push)},
        units=formed.units(),
        start_at=turn.start_at,
        has_reserved=True,
        started_at=now,
        notes={ready.id: notes for ready in readies if (notes := built[ready.id].notes)},
        saved=sum(built[ready.id].saved for ready in readies),
        cohort=readies[0].cohort,
    )
