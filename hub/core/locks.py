"""Who leads: one process per role and installation, by a lock that dies with its process.

SQLite: a locked file beside the database. PostgreSQL: an advisory lock on a connection of its own.
"""

from __future__ import annotations

import fcntl
import math
import os
import threading
import time
from hashlib import blake2b
from pathlib import Path
from typing import Protocol

from sqlalchemy import Connection, Engine, text
from sqlalchemy.exc import DBAPIError

from hub.sdk.errors import ConfigurationError

PREDECESSOR_S = 5.0  # the process before this one may still be letting go
LOOK_S = 0.1


class RoleLock(Protocol):
    """A lock that one process can hold at a time."""

    def acquire(self) -> bool:
        """Take it if it is free; whether this process has it now. Never waits."""
        ...

    def held(self) -> bool:
        """Whether this process still has it: a lost database connection loses the lock."""
        ...

    def release(self) -> None:
        """Give it back; harmless if it is not held."""
        ...


def role_lock(engine: Engine, role: str) -> RoleLock:
    """The lock of a role (`apply`, `deliver`, `schedule`) in the installation this database belongs to."""
    if engine.dialect.name == "postgresql":
        return _AdvisoryLock(engine, role)
    folder = Path(engine.url.database or ".").absolute().parent
    return _FileLock(folder / f"{role}.lock")


def lead(lock: RoleLock, role: str, stop: threading.Event, *, patience_s: float | None = None) -> bool:
    """Wait for the lock; False if told to stop first. Raises ConfigurationError once patience is over.

    Patience ends on SQLite after PREDECESSOR_S, since there a second process of a role is a mistake; on PostgreSQL it
    stands by for as long as it takes.
    """
    if patience_s is None and isinstance(lock, _FileLock):
        patience_s = PREDECESSOR_S
    until = math.inf if patience_s is None else time.monotonic() + patience_s
    while not lock.acquire():
        if time.monotonic() >= until:
            raise ConfigurationError(f"Another {role} role runs on this installation already; this one ends.")
        if stop.wait(LOOK_S):
            return False
    return True


class _FileLock:
    def __init__(self, path: Path) -> None:
        self._path = path
        self._file: int | None = None

    def acquire(self) -> bool:
        if self._file is not None:
            return True
        file = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(file)
            return False
        os.ftruncate(file, 0)
        os.write(file, f"{os.getpid()}\n".encode())  # for whoever wonders; nothing reads it
        self._file = file
        return True

    def held(self) -> bool:
        return self._file is not None

    def release(self) -> None:
        if self._file is not None:
            os.close(self._file)
            self._file = None


class _AdvisoryLock:
    def __init__(self, engine: Engine, role: str) -> None:
        self._engine = engine
        self._key = int.from_bytes(blake2b(f"switchboard role {role}".encode(), digest_size=8).digest(), signed=True)
        self._connection: Connection | None = None

    def acquire(self) -> bool:
        if self.held():
            return True
        connection = self._engine.connect().execution_options(isolation_level="AUTOCOMMIT")
        taken = bool(connection.scalar(text("SELECT pg_try_advisory_lock(:key)"), {"key": self._key}))
        if taken:
            self._connection = connection
        else:
            connection.close()
        return taken

    def held(self) -> bool:
        if self._connection is None:
            return False
        try:
            self._connection.execute(text("SELECT 1"))
        except DBAPIError:
            self._drop()
            return False
        return True

    def release(self) -> None:
        if not self.held():
            return
        # Said, not only hung up: the server notices an ended connection a moment later, and who asks next would not get it.
        assert self._connection is not None, "a held lock has its connection"
        self._connection.execute(text("SELECT pg_advisory_unlock(:key)"), {"key": self._key})
        self._drop()

    def _drop(self) -> None:
        # The session ends with its connection, and the lock with the session; a pooled one would keep both.
        assert self._connection is not None, "there is a lock to drop"
        self._connection.invalidate()
        self._connection.close()
        self._connection = None
