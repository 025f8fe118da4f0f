"""Processes leave a sign of life every few seconds, so that /readyz can tell a dead role or a crash loop."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from sqlalchemy import Connection, Engine, delete, select, update
from sqlalchemy.exc import DBAPIError

from hub.core import clock
from hub.core.clock import MINUTE, SECOND, Micros
from hub.core.database import write
from hub.core.ids import new_id
from hub.core.logging import logger
from hub.runtime.process.restart import WISH, is_due
from hub.runtime.tables import BEAT

EVERY_S = 3.0
GONE_AFTER: Micros = 10 * SECOND  # three signs missed: the process has died
SILENT_AFTER: Micros = 20 * SECOND  # the role is missed: its next process had time to start
QUICK: Micros = 60 * SECOND  # a process that died younger than this crashed
WINDOW: Micros = 10 * MINUTE
CRASH_LOOP = 3  # that many crashes within the window, and no process that outlived QUICK since


@contextmanager
def beating(engine: Engine, role: str, reload: Callable[[], None] | None = None) -> Iterator[None]:
    """Leave signs of life for as long as the block runs. If it ends by an exception, its last sign stays as a trace.

    `reload` is called once, from another thread, when an operator wants this process to make way for a fresh one.
    """
    done = threading.Event()
    process = _Process(engine, new_id(), role, clock.now(), reload)
    thread = threading.Thread(target=process.beat, args=(done,), name="beat", daemon=True)
    thread.start()
    try:
        yield
    except BaseException:
        done.set()
        raise
    done.set()
    thread.join()
    process.take_away()


@dataclass(frozen=True, slots=True)
class _Process:
    engine: Engine
    id: str
    role: str
    started_at: Micros
    reload: Callable[[], None] | None = None

    def beat(self, done: threading.Event) -> None:
        wishes: list[bool] = []
        reload = self.reload
        while True:
            self._write(lambda connection: wishes.append(self._touch(connection)))
            if reload is not None and any(wishes):
                logger("runtime").info("making way for a fresh process, as asked", role=self.role)
                reload()
                reload = None
            if done.wait(EVERY_S):
                return

    def take_away(self) -> None:
        self._write(lambda connection: connection.execute(delete(BEAT).where(BEAT.c.id == self.id)))

    def _touch(self, connection: Connection) -> bool:
        """Whether this process is to make way."""
        now = clock.now()
        if connection.execute(update(BEAT).where(BEAT.c.id == self.id).values(at=now)).rowcount:
            return is_due(connection, self.role, self.started_at, now)
        old = (BEAT.c.role == self.role) & (BEAT.c.at < now - WINDOW)
        connection.execute(delete(BEAT).where(old))
        connection.execute(BEAT.insert(), {"id": self.id, "role": self.role, "started_at": self.started_at, "at": now})
        return False

    def _write(self, change: Callable[[Connection], object]) -> None:
        try:
            with write(self.engine) as connection:
                change(connection)
        except DBAPIError as error:
            logger("runtime").warning("no sign of life could be left", why=type(error).__name__)


@dataclass(frozen=True, slots=True)
class RoleHealth:
    """What the signs of life say about one role. `crashes`: processes that died young within the window."""

    alive: int
    crashes: int
    silent_for: Micros
    is_settled: bool

    @property
    def trouble(self) -> str:
        if self.crashes >= CRASH_LOOP and not self.is_settled:
            return f"it crashed {self.crashes} times within {WINDOW // MINUTE} minutes; see its log"
        if self.silent_for > SILENT_AFTER:
            return f"no sign of life for {self.silent_for // SECOND} s"
        return ""


def health(connection: Connection, now: Micros) -> Mapping[str, RoleHealth]:
    """Every role that runs or has died, by name."""
    spans: dict[str, list[tuple[Micros, Micros]]] = {}
    query = select(BEAT.c.role, BEAT.c.started_at, BEAT.c.at).where(BEAT.c.id != WISH)
    for role, started_at, at in connection.execute(query):
        spans.setdefault(role, []).append((started_at, at))
    return {role: _health(spans[role], now) for role in sorted(spans)}


def troubles(connection: Connection, now: Micros) -> Mapping[str, str]:
    """Role to what is wrong with it; empty when every role that was started and not stopped is well."""
    return {role: found.trouble for role, found in health(connection, now).items() if found.trouble}


def forget(connection: Connection) -> None:
    """Begin anew, as a supervisor does: what its predecessors left says nothing about the processes it starts."""
    connection.execute(delete(BEAT))


def _health(spans: Sequence[tuple[Micros, Micros]], now: Micros) -> RoleHealth:
    """From when each process started to its last sign."""
    alive = [started_at for started_at, at in spans if now - at <= GONE_AFTER]
    crashes = sum(GONE_AFTER < now - at <= WINDOW and at - started_at < QUICK for started_at, at in spans)
    silent_for = now - max(at for _, at in spans)
    return RoleHealth(len(alive), crashes, silent_for, any(now - started_at >= QUICK for started_at in alive))
