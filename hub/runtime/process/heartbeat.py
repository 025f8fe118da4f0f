"""Processes leave a heartbeat every few seconds, so that /readyz can tell a dead role or a crash loop.

With it stands a report of what the process really has (see `report`): `hub doctor` asks the running hub, not its own shell.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from sqlalchemy import Connection, Engine, delete, select, update
from sqlalchemy.exc import DBAPIError

from hub.core import clock
from hub.core.clock import MINUTE, SECOND, Micros
from hub.core.database import write
from hub.core.ids import new_id
from hub.core.logging import logger
from hub.runtime.process.restart import ORDER, WISH, is_due
from hub.runtime.tables import HEARTBEAT
from hub.sdk.json import dumps, loads

EVERY_S = 3.0
GONE_AFTER: Micros = 10 * SECOND  # three missed: the process has died
SILENT_AFTER: Micros = 20 * SECOND  # the role is missed: its next process had time to start
QUICK: Micros = 60 * SECOND  # a process that died younger than this crashed
WINDOW: Micros = 10 * MINUTE
CRASH_LOOP = 3  # that many crashes within the window, and no process that outlived QUICK since


Report = Callable[[], Mapping[str, Any]]


@contextmanager
def heartbeats(
    engine: Engine, role: str, restart: Callable[[], None] | None = None, report: Report = dict
) -> Iterator[None]:
    """Leave heartbeats for as long as the block runs. If it ends by an exception, the last one stays as a trace.

    `restart` is called once, from another thread, when an operator wants this process to make way for a fresh one.
    `report` is asked with each, in that thread too, and stored when it says something else than before.
    """
    done = threading.Event()
    process = _Process(engine, new_id(), role, clock.now(), report, restart)
    thread = threading.Thread(target=process.run, args=(done,), name="heartbeat", daemon=True)
    thread.start()
    try:
        yield
    except BaseException:
        done.set()
        raise
    done.set()
    thread.join()
    process.take_away()


@dataclass(slots=True)
class _Process:
    engine: Engine
    id: str
    role: str
    started_at: Micros
    report: Report = dict
    restart: Callable[[], None] | None = None
    is_asked: bool = False
    reported: str = "{}"

    def run(self, done: threading.Event) -> None:
        self._beat("{}")  # at once: a report may take a moment, since it loads the connectors
        while True:
            self._beat(dumps(self.report()).decode())
            if self.is_asked and self.restart is not None:
                logger("runtime").info("making way for a fresh process, as asked", role=self.role)
                self.restart()
                self.restart = None
            if done.wait(EVERY_S):
                return

    def take_away(self) -> None:
        self._write(lambda connection: connection.execute(delete(HEARTBEAT).where(HEARTBEAT.c.id == self.id)))

    def _beat(self, report: str) -> None:
        if self._write(lambda connection: self._touch(connection, report)):
            self.reported = report

    def _touch(self, connection: Connection, report: str) -> None:
        now = clock.now()
        news = {} if report == self.reported else {"report": report}
        if connection.execute(update(HEARTBEAT).where(HEARTBEAT.c.id == self.id).values(at=now, **news)).rowcount:
            self.is_asked |= is_due(connection, self.role, self.started_at, now)
            return
        old = (HEARTBEAT.c.role == self.role) & (HEARTBEAT.c.at < now - WINDOW)
        connection.execute(delete(HEARTBEAT).where(old))
        row = {"id": self.id, "role": self.role, "started_at": self.started_at, "at": now, "report": report}
        connection.execute(HEARTBEAT.insert(), row)

    def _write(self, change: Callable[[Connection], object]) -> bool:
        try:
            with write(self.engine) as connection:
                change(connection)
        except DBAPIError as error:
            logger("runtime").warning("no heartbeat could be left", why=type(error).__name__)
            return False
        return True


@dataclass(frozen=True, slots=True)
class RoleHealth:
    """What the heartbeats say about one role. `crashes`: processes that died young within the window; `report`: that of
    the youngest process alive."""

    alive: int
    crashes: int
    silent_for: Micros
    is_settled: bool
    started_at: Micros | None = None
    report: Mapping[str, Any] = field(default_factory=dict)

    @property
    def trouble(self) -> str:
        if self.crashes >= CRASH_LOOP and not self.is_settled:
            return f"it crashed {self.crashes} times within {WINDOW // MINUTE} minutes; see its log"
        if self.silent_for > SILENT_AFTER:
            return f"no heartbeat for {self.silent_for // SECOND} s"
        return ""


def health(connection: Connection, now: Micros) -> Mapping[str, RoleHealth]:
    """Every role that runs or has died, by name."""
    beats: dict[str, list[_Beat]] = {}
    columns = HEARTBEAT.c.role, HEARTBEAT.c.started_at, HEARTBEAT.c.at, HEARTBEAT.c.report
    for role, *beat in connection.execute(select(*columns).where(HEARTBEAT.c.id != WISH)):
        beats.setdefault(role, []).append(_Beat(*beat))
    return {role: _health(beats[role], now) for role in sorted(beats)}


def troubles(found: Mapping[str, RoleHealth]) -> Mapping[str, str]:
    """Role to what is wrong with it; empty when every role runs and is well."""
    absent = {role: "it is not running" for role in ORDER if role not in found}
    return absent | {role: each.trouble for role, each in found.items() if each.trouble}


def forget(connection: Connection) -> None:
    """Begin anew, as a supervisor does: what its predecessors left says nothing about the processes it starts."""
    connection.execute(delete(HEARTBEAT))


class _Beat(NamedTuple):
    """When a process started, its last heartbeat, and what it reported."""

    started_at: Micros
    at: Micros
    report: str


def _health(beats: Sequence[_Beat], now: Micros) -> RoleHealth:
    alive = [beat for beat in beats if now - beat.at <= GONE_AFTER]
    crashes = sum(GONE_AFTER < now - beat.at <= WINDOW and beat.at - beat.started_at < QUICK for beat in beats)
    silent_for = now - max(beat.at for beat in beats)
    is_settled = any(now - beat.started_at >= QUICK for beat in alive)
    youngest = max(alive, default=None)
    if youngest is None:
        return RoleHealth(0, crashes, silent_for, is_settled)
    return RoleHealth(len(alive), crashes, silent_for, is_settled, youngest.started_at, loads(youngest.report))
