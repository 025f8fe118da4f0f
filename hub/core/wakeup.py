"""Processes wake each other when there is work, so that none has to look for it many times a second.

What is promised is small, so that nothing has to rely on it:

- A notification is sent after the commit that made the work; who listens then is woken, usually within a millisecond.
- Any number of them while a listener is busy wake it once.
- One may be lost: its sender was killed after the commit, the listener was away, a pooler stands before PostgreSQL. So
  work is always read from the tables and every loop also looks by itself every few seconds: a notification that is
  lost, late or doubled costs time and never changes a result.
- Sending never raises and never waits for a listener.

On SQLite each listener has a named pipe in `wakeup/<topic>/` beside the database: whoever shares the data directory is
heard, other containers included. PostgreSQL carries them by NOTIFY, in a transaction of its own after the commit: inside
the one that made the work it would line up the commits of all processes. Kafka's consumers wait in a long poll instead.
"""

from __future__ import annotations

import errno
import os
import selectors
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine
from sqlalchemy.exc import DBAPIError

from hub.core.ids import new_id
from hub.core.logging import logger

MESSAGES = "messages"  # the inbox holds new ones
DELIVERIES = "deliveries"  # the outbox holds new ones, or others may be sent now
CONNECTIONS = "connections"  # one was added, changed or removed
OCCASIONS = "occasions"  # a distribution has changed, or a run or a backfill was asked for
ERASURES = "erasures"  # one was asked for

LOOK_S = 5.0  # how often a loop looks by itself
FOLDER = "wakeup"
CHANNEL = "hub_"  # PostgreSQL's name of a topic begins so
NOTED = "hub_wakeups"
CALM_S = 0.005  # a listener takes what arrives within this time together
CHECK_S = 30.0  # a server that vanished without a word, or a pipe that was cleared away, is noticed after this time
AGAIN_S = 2.0  # until a lost connection is made again

_log = logger("wakeup")

# ── sending ─────────────────────────────────────────────────────────────────────────────────────────────────────────


def options() -> dict[str, Any]:
    """The execution options of a connection whose transactions may note wake-ups."""
    return {NOTED: set()}


def wake_after_commit(connection: Connection, topic: str) -> None:
    """Whoever waits for `topic` is woken once this transaction is committed; nobody is if it is rolled back."""
    noted = connection.get_execution_options().get(NOTED)
    if noted is not None:
        noted.add(topic)


def send_noted(connection: Connection) -> None:
    """Send what the transaction that was just committed on this connection has noted."""
    noted: set[str] = connection.get_execution_options().get(NOTED, set())
    topics = sorted(noted)
    noted.clear()
    if topics and connection.dialect.name == "sqlite":
        _ring(connection.engine, topics)
    elif topics:
        _notify(connection, topics)


def wake(engine: Engine, topic: str) -> None:
    """Wake whoever waits for `topic` now. The work is committed already."""
    if engine.dialect.name == "sqlite":
        _ring(engine, [topic])
        return
    with suppress(DBAPIError), engine.connect() as connection:
        _notify(connection, [topic])


def _notify(connection: Connection, topics: list[str]) -> None:
    try:
        channels = [CHANNEL + topic for topic in topics]
        connection.exec_driver_sql("SELECT pg_notify(channel, '') FROM unnest(%s::text[]) AS channel", (channels,))
        connection.commit()
    except DBAPIError as error:  # what was committed before is safe, and found by the next look
        _log.debug("a wake-up was not sent", why=type(error.orig).__name__)


def _ring(engine: Engine, topics: Iterable[str]) -> None:
    for topic in topics:
        folder = _folder(engine, topic)
        with suppress(OSError):  # nobody ever listened there
            for pipe in folder.iterdir():
                if not pipe.name.startswith("."):
                    _write_to(pipe)


def _write_to(pipe: Path) -> None:
    try:
        file = os.open(pipe, os.O_WRONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError as error:
        if error.errno == errno.ENXIO:  # nobody reads it: its process was killed
            pipe.unlink(missing_ok=True)
        return
    with suppress(OSError):  # full: its listener will wake anyway
        os.write(file, b".")
    os.close(file)


def _folder(engine: Engine, topic: str) -> Path:
    return Path(engine.url.database or ".").absolute().parent / FOLDER / topic


# ── hearing ─────────────────────────────────────────────────────────────────────────────────────────────────────────


@contextmanager
def listening(engine: Engine, acts: Mapping[str, Callable[[], None]]) -> Iterator[None]:
    """Call the act of a topic, from another thread, whenever it is notified while the block runs.

    After a time in which nothing could be heard all are called. An act returns at once and raises nothing.
    """
    closed, closing = os.pipe()
    ready = threading.Event()
    thread = threading.Thread(target=_listen, args=(engine, acts, closed, ready), name="wakeup", daemon=True)
    thread.start()
    ready.wait()
    try:
        yield
    finally:
        os.close(closing)
        thread.join()
        os.close(closed)


def _listen(engine: Engine, acts: Mapping[str, Callable[[], None]], closed: int, ready: threading.Event) -> None:
    """Until `closed` can be read; `ready` is set once it hears, or cannot."""
    failures = 0
    with selectors.DefaultSelector() as waiting:
        waiting.register(closed, selectors.EVENT_READ)
        while True:
            try:
                _hear(engine, acts, waiting, ready, is_late=failures > 0)
                return
            except (DBAPIError, OSError, engine.dialect.loaded_dbapi.Error) as error:
                if not failures:
                    _log.warning("wake-ups are not heard; the role looks by itself meanwhile", why=str(error))
                failures += 1
            ready.set()
            if waiting.select(AGAIN_S):
                return


def _hear(
    engine: Engine,
    acts: Mapping[str, Callable[[], None]],
    waiting: selectors.BaseSelector,
    ready: threading.Event,
    *,
    is_late: bool,
) -> None:
    line = _Pipes(engine, acts) if engine.dialect.name == "sqlite" else _Channels(engine, acts)
    files = line.files()
    try:
        for file in files:
            waiting.register(file, selectors.EVENT_READ)
        ready.set()
        for topic in acts if is_late else ():
            acts[topic]()
        while True:
            found = [key.fd for key, _ in waiting.select(CHECK_S)]
            if not set(files).issuperset(found):
                return
            for topic in line.take(found) if found else line.check():
                acts[topic]()
            time.sleep(CALM_S)
    finally:
        for file in files:
            waiting.unregister(file)
        line.close()


class _Pipes:
    """A named pipe for each topic. It appears under its name when it is read already: one that nobody reads is dead."""

    def __init__(self, engine: Engine, topics: Iterable[str]) -> None:
        self._pipes: dict[int, tuple[str, Path]] = {}
        for topic in topics:
            folder = _folder(engine, topic)
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            name = new_id()
            os.mkfifo(folder / f".{name}", 0o600)
            file = os.open(folder / f".{name}", os.O_RDWR | os.O_NONBLOCK | os.O_CLOEXEC)
            self._pipes[file] = topic, (folder / f".{name}").rename(folder / name)

    def files(self) -> list[int]:
        return list(self._pipes)

    def take(self, files: Iterable[int]) -> set[str]:
        """The topics of which something arrived."""
        for file in files:
            os.read(file, 65_536)
        return {self._pipes[file][0] for file in files}

    def check(self) -> set[str]:
        """After a long silence, see whether the pipes can still be found. Raises FileNotFoundError; nothing was missed."""
        for _, path in self._pipes.values():
            path.lstat()
        return set()

    def close(self) -> None:
        for file, (_, path) in self._pipes.items():
            path.unlink(missing_ok=True)
            os.close(file)


class _Channels:
    """A connection of PostgreSQL that listens, and does nothing else."""

    def __init__(self, engine: Engine, topics: Iterable[str]) -> None:
        self._connection = engine.connect().execution_options(isolation_level="AUTOCOMMIT")
        for topic in topics:
            self._connection.exec_driver_sql(f"LISTEN {CHANNEL}{topic}")
        self._driver: Any = self._connection.connection.driver_connection

    def files(self) -> list[int]:
        return [self._driver.fileno()]

    def take(self, _files: Iterable[int] = ()) -> set[str]:
        """The topics of which something arrived. Raises what the driver raises when the server has gone."""
        return {one.channel.removeprefix(CHANNEL) for one in self._driver.notifies(timeout=0)}

    def check(self) -> set[str]:
        """Ask the server whether it is still there; its answer may bring notifications along."""
        self._connection.exec_driver_sql("SELECT 1")
        return self.take()

    def close(self) -> None:
        self._connection.invalidate()  # back in the pool it would go on listening
        self._connection.close()


# ── sleeping ────────────────────────────────────────────────────────────────────────────────────────────────────────


class Sleeper:
    """What a loop rests on until there is work, it is to stop, or a time is over."""

    def __init__(self) -> None:
        self._woken = threading.Event()

    def wake(self) -> None:
        """From any thread. Between two rests it ends the next one: look for work after `sleep`, and none is missed."""
        self._woken.set()

    def sleep(self, stop: threading.Event, at_most_s: float, at_least_s: float = 0.0) -> None:
        """`at_least_s`: so long even if woken, so that what comes in one after the other is looked at together."""
        began = time.monotonic()
        if not stop.is_set():
            self._woken.wait(at_most_s)
        stop.wait(max(0.0, began + min(at_least_s, at_most_s) - time.monotonic()))
        self._woken.clear()


def when_set(event: threading.Event, act: Callable[[], None]) -> None:
    """Call `act`, from another thread, once `event` is set: `when_set(stop, sleeper.wake)` ends a rest with its role."""

    def wait() -> None:
        event.wait()
        act()

    threading.Thread(target=wait, name="wakeup-at-stop", daemon=True).start()
