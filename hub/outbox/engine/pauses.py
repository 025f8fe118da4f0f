"""Refused credentials: pause what they opened, tell the operator once, let `check` find out when they work again."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Literal, NamedTuple

from sqlalchemy import Connection as Database

from hub.core.clock import Micros
from hub.core.ids import new_id
from hub.core.logging import logger
from hub.ledger.store import record_audit
from hub.outbox.engine.lane import AUTH, AUTH_AGAIN, CONFIGURATION, PROBE_LONGEST_S, Lane, Probe
from hub.outbox.engine.workers import CHECK_TIMEOUT_S, Done, Job
from hub.registry import store
from hub.sdk.errors import AuthFailed, ConfigurationError
from hub.sdk.values import Finding, Route

ACTOR = "deliver"
_CHECK = Route(source="", timeout_s=CHECK_TIMEOUT_S)


class Pause(NamedTuple):
    """A change of a connection that the answers of this round ask for."""

    lane: Lane
    kind: Literal["connection", "route", "resume"]
    route: str
    reason: str


class Pauses:
    """`submit` hands a job to a worker."""

    def __init__(self, submit: Callable[[Job], None]) -> None:
        self._submit = submit

    def wanted(self, ends: Sequence[Done]) -> list[Pause]:
        """What these ends ask for: each connection and route once."""
        pauses: list[Pause] = []
        told: set[tuple[str, str]] = set()
        for done in ends:
            pause = self._of_check(done) if done.job.kind == "check" else _of_refusal(done)
            if pause is not None and (pause.lane.connection.id, pause.route) not in told:
                told.add((pause.lane.connection.id, pause.route))
                pauses.append(pause)
        return pauses

    def store(self, database: Database, pauses: Sequence[Pause], now: Micros) -> None:
        for pause in pauses:
            connection = pause.lane.connection
            if pause.kind == "resume":
                store.resume(database, connection.id, now)
            elif pause.kind == "route":
                store.pause_route(database, connection.id, pause.route, pause.reason, now)
            else:
                store.pause(database, connection.id, pause.reason, now)
            action = "destination.resumed" if pause.kind == "resume" else "destination.paused"
            record_audit(database, now, ACTOR, action, connection.name, {"why": pause.reason, "route": pause.route})

    def stored(self, pauses: Sequence[Pause]) -> None:
        """Take up what was stored, before the next look at the connections does."""
        for pause in pauses:
            lane = pause.lane
            if pause.kind == "resume":
                lane.was_resumed = True
                logger("outbox").info("connection resumed: its credentials work", connection=lane.connection.name)
                continue
            if pause.kind == "route":
                lane.stopped_routes.add(pause.route)
            else:
                lane.stopped_version = lane.connection.version
            lane.probe = Probe()
            logger("outbox").error(
                "paused", connection=lane.connection.name, route=pause.route or None, why=pause.reason
            )

    def probe(self, lanes: Sequence[Lane], at: float) -> None:
        """Ask `check` of connections whose credentials were refused, ever more rarely."""
        for lane in lanes:
            probe = lane.probe
            if not _is_probed(lane) or probe.is_running or probe.is_over:
                continue
            if probe.at == 0.0:
                probe.at = at + probe.pause_s
            if at < probe.at:
                continue
            probe.is_running = True
            probe.pause_s = min(PROBE_LONGEST_S, probe.pause_s * 2)
            probe.at = at + probe.pause_s
            lane.jobs += 1
            destination = lane.destination
            self._submit(
                Job(kind="check", id=new_id(), lane=lane, route_name="check", route=_CHECK, flow=destination.check)
            )

    def _of_check(self, done: Done) -> Pause | None:
        lane = done.job.lane
        lane.probe.is_running = False
        if done.error is not None or done.defect is not None:
            return None
        levels = {one.level for one in done.value or () if isinstance(one, Finding)}
        if levels and levels <= {"ok", "warning"} and _is_probed(lane):
            return Pause(lane, "resume", "", "The check of its credentials passed.")
        lane.probe.is_over = levels == {"unknown"} or not levels
        return None


def _of_refusal(done: Done) -> Pause | None:
    lane, error = done.job.lane, done.error
    if not lane.is_open:
        return None  # an earlier answer, or an operator, has paused it already
    if isinstance(error, ConfigurationError):
        return Pause(lane, "connection", "", CONFIGURATION + lane.mask(str(error)))
    if not isinstance(error, AuthFailed):
        return None
    prefix = AUTH_AGAIN if lane.was_resumed else AUTH
    if error.response is not None and error.response.status == 403:
        route = done.job.route_name
        return None if route in lane.stopped_routes else Pause(lane, "route", route, prefix + lane.mask(str(error)))
    return Pause(lane, "connection", "", prefix + lane.mask(str(error)))


def _is_probed(lane: Lane) -> bool:
    connection = lane.connection
    if connection.status != "active":
        return connection.paused_reason.startswith(AUTH)
    return any(reason.startswith(AUTH) for reason in connection.paused_routes.values())
