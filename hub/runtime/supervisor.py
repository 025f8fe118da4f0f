"""Starts the roles as child processes, restarts a dead one with backoff, stops them all on a signal.

The supervisor does nothing else, so there is little in it that could fail.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass, field

from hub.core.logging import logger
from hub.runtime.lifeline import PARENT_ENV

ROLES = ("web", "apply", "deliver", "schedule")
STOP_S = 9.0  # the whole hub stops within ten seconds of SIGTERM
BACKOFF_S = (0.2, 1.0, 2.0, 5.0, 10.0, 30.0)
HEALTHY_AFTER_S = 30.0  # a role that ran this long starts again without delay
LOOK_S = 0.1


@dataclass
class Child:
    """One role's process and how often it has failed in a row."""

    role: str
    process: subprocess.Popen[bytes] | None = None
    started_at: float = 0.0
    start_at: float = 0.0
    failures: int = field(default=0)

    def start(self, now: float) -> None:
        environment = os.environ | {PARENT_ENV: str(os.getpid())}
        command = [sys.executable, "-m", "hub", "run", self.role]
        self.process = subprocess.Popen(command, env=environment)
        self.started_at = now

    def schedule_restart(self, now: float) -> float:
        """Note the death of the process; returns the seconds until it is started again."""
        self.process = None
        self.failures = 0 if now - self.started_at > HEALTHY_AFTER_S else self.failures + 1
        delay = BACKOFF_S[min(self.failures, len(BACKOFF_S)) - 1] if self.failures else 0.0
        self.start_at = now + delay
        return delay


def supervise(stop: threading.Event, roles: Sequence[str] = ROLES) -> None:
    """Keep every role running until `stop` is set, then stop them all within STOP_S seconds."""
    children = [Child(role) for role in roles]
    while not stop.is_set():
        now = time.monotonic()
        for child in children:
            _look_after(child, now)
        stop.wait(LOOK_S)
    _stop(children)
    logger("runtime").info("stopped")


def _look_after(child: Child, now: float) -> None:
    if child.process is None:
        if now >= child.start_at:
            child.start(now)
        return
    status = child.process.poll()
    if status is None:
        return
    delay = child.schedule_restart(now)
    logger("runtime").error(
        "role ended; it is started again", ended=child.role, status=status, again_in_s=delay, failures=child.failures
    )


def _stop(children: Sequence[Child]) -> None:
    running = [child.process for child in children if child.process is not None]
    for process in running:
        process.send_signal(signal.SIGTERM)
    deadline = time.monotonic() + STOP_S
    for process in running:
        try:
            process.wait(max(0.1, deadline - time.monotonic()))
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
