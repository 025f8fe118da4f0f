"""Starts the roles as child processes, restarts a dead one with backoff, stops them all on a signal.

The supervisor does nothing else, so there is little in it that could fail. It loads the code of the roles once and forks
them: they start in milliseconds and share its memory.
"""

from __future__ import annotations

import gc
import importlib
import mmap
import os
import signal
import socket
import sys
import threading
import time
import traceback
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import NamedTuple, NoReturn

from setproctitle import setproctitle

from hub.core.logging import logger
from hub.core.settings import Settings
from hub.runtime.process.lifeline import PARENT_ENV
from hub.sdk.errors import ConfigurationError

ROLES = ("web", "apply", "deliver", "schedule")
STOP_S = 9.0  # the whole hub stops within ten seconds of SIGTERM
BACKOFF_S = (0.2, 1.0, 2.0, 5.0, 10.0, 30.0)
SOON = 3  # so many steps of it, and no more, for what is worth starting again soon
HEALTHY_AFTER_S = 30.0  # a role that ran this long starts again without delay
LOOK_S = 0.1
CODE = ("start", "web", "apply", "deliver", "schedule")
"""What the roles need, from this folder. Connectors are not among it: a role that starts again finds new ones."""


@dataclass
class Child:
    """One role's process and how often it has died young in a row."""

    role: str
    pid: int | None = None
    started_at: float = 0.0
    start_at: float = 0.0
    failures: int = 0
    readiness: mmap.mmap = field(default_factory=lambda: mmap.mmap(-1, 1))
    """A byte that the process shares with this one: 1 once the role has all it needs."""

    def start(self, now: float, listener: socket.socket) -> None:
        self.readiness[0] = 0
        parent = os.getpid()
        pid = os.fork()
        if pid == 0:
            _become(self, parent, listener)
        self.pid, self.started_at = pid, now

    def note_ready(self) -> None:
        """Called in the role's own process."""
        self.readiness[0] = 1

    def status(self) -> int | None:
        """The exit code once it has ended; minus the signal if one ended it."""
        assert self.pid is not None
        pid, status = os.waitpid(self.pid, os.WNOHANG)
        return os.waitstatus_to_exitcode(status) if pid else None

    def schedule_restart(self, now: float, status: int) -> float:
        """Note the death of the process; returns the seconds until it is started again.

        They grow with each death within HEALTHY_AFTER_S of its start: to the longest for a role that ends before it is
        ready, since trying again will hardly help it; to the first SOON steps for one that had been ready or was killed,
        and for the web role, whose senders wait.
        """
        self.pid = None
        if now - self.started_at > HEALTHY_AFTER_S:
            self.failures, self.start_at = 0, now
            return 0.0
        cannot_start = status > 0 and not self.readiness[0] and self.role != "web"
        self.failures = min(self.failures + 1, len(BACKOFF_S) if cannot_start else SOON)
        delay = BACKOFF_S[self.failures - 1]
        self.start_at = now + delay
        return delay


class Ended(NamedTuple):
    """A role that ended by itself, with its exit code, or minus the signal that ended it."""

    role: str
    status: int
    again_in_s: float
    failures: int

    def __str__(self) -> str:
        how = f"with exit code {self.status}" if self.status > 0 else f"by {signal.Signals(-self.status).name}"
        when = f"in {self.again_in_s:g} s" if self.again_in_s else "at once"
        return f"The role {self.role} ended {how}; it starts again {when}."


def load() -> None:
    """Load the code of all roles, so that they need not. Call once, before the first fork and after `metrics.prepare`."""
    for name in CODE:
        importlib.import_module(f"hub.runtime.roles.{name}")
    importlib.import_module("hub.app")
    gc.collect()
    gc.freeze()  # the collector would touch, and so copy, what the roles share


def supervise(
    stop: threading.Event,
    listener: socket.socket,
    roles: Sequence[str] = ROLES,
    *,
    each_round: Callable[[], None] = lambda: None,
    on_end: Callable[[Ended], None] | None = None,
) -> None:
    """Keep every role running until `stop` is set, then stop them all within STOP_S seconds.

    The listener stays open here: while the web role starts again, senders wait instead of being turned away.
    `on_end` tells of a role that ended by itself; without it the log does.
    `each_round` is called every LOOK_S; it runs in this process, which forks, so it leaves no thread and no connection.
    """
    children = [Child(role) for role in roles]
    while not stop.is_set():
        now = time.monotonic()
        for child in children:
            _look_after(child, now, listener, on_end or _log_end)
        each_round()
        stop.wait(LOOK_S)
    listener.close()
    _stop(children)
    logger("runtime").info("stopped")


def _become(child: Child, parent: int, listener: socket.socket) -> NoReturn:
    """What a forked child does: play the role, then end without returning into the supervisor's code."""
    status, role = 1, child.role
    try:
        os.environ[PARENT_ENV] = str(parent)
        setproctitle(f"hub run {role}")
        if role != "web":
            listener.close()
        importlib.import_module("hub.runtime.roles.start").run_role(role, Settings(), listener, child.note_ready)
        status = 0
    except ConfigurationError as error:
        logger("runtime").error("role cannot run", role_name=role, why=str(error))
    except SystemExit as ended:
        status = ended.code if isinstance(ended.code, int) else 1
    except BaseException:  # noqa: BLE001 - whatever ended the role, this process must not return
        traceback.print_exc()  # the supervisor logs the status; the reason belongs before it
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(status)


def _log_end(ended: Ended) -> None:
    logger("runtime").error(
        "role ended; it is started again",
        ended=ended.role,
        status=ended.status,
        again_in_s=ended.again_in_s,
        failures=ended.failures,
    )


def _look_after(child: Child, now: float, listener: socket.socket, on_end: Callable[[Ended], None]) -> None:
    if child.pid is None:
        if now >= child.start_at:
            child.start(now, listener)
        return
    status = child.status()
    if status is None:
        return
    if status == 0:  # it was asked to, so that it takes up new connectors
        child.pid = None
        logger("runtime").info("role starts again", role_name=child.role)
        return
    delay = child.schedule_restart(now, status)
    on_end(Ended(child.role, status, delay, child.failures))


def _stop(children: Sequence[Child]) -> None:
    running = [child for child in children if child.pid is not None]
    for child in running:
        _signal(child, signal.SIGTERM)
    deadline = time.monotonic() + STOP_S
    while running and time.monotonic() < deadline:
        running = [child for child in running if child.status() is None]
        time.sleep(0.02)
    for child in running:
        _signal(child, signal.SIGKILL)
        os.waitpid(child.pid or 0, 0)


def _signal(child: Child, number: signal.Signals) -> None:
    with suppress(ProcessLookupError):
        os.kill(child.pid or 0, number)
