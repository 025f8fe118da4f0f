"""Starts one role in this process: opens what it needs, takes its lock, runs it until it is told to stop."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable
from functools import partial

from hub.core import exposition, logging
from hub.core.settings import Settings
from hub.runtime.process.heartbeat import heartbeats
from hub.runtime.process.installation import Installation
from hub.runtime.process.lifeline import stop_on_signals
from hub.runtime.process.migrate import migrate
from hub.runtime.process.report import report_of


def run_role(
    role: str, settings: Settings, listener: socket.socket | None = None, ready: Callable[[], None] = lambda: None
) -> None:
    """Blocks until SIGTERM or the death of the supervisor. The web role needs a listener; the others call `ready` once
    they have all they need."""
    logging.configure(settings, role)
    exposition.prepare(settings)
    hub = Installation(settings)
    migrate(hub)
    if role == "web":
        from hub.runtime.roles.web import run_web

        assert listener is not None, "whoever starts a web role has bound its port"
        run_web(settings, listener)
        return
    stop = stop_on_signals()
    with heartbeats(hub.engine, role, stop.set, partial(report_of, hub)):
        {"apply": _apply, "deliver": _deliver, "schedule": _schedule}[role](hub, stop, ready)


def _apply(hub: Installation, stop: threading.Event, ready: Callable[[], None]) -> None:
    from hub.runtime.roles.apply import run_apply

    run_apply(hub, stop, ready)


def _deliver(hub: Installation, stop: threading.Event, ready: Callable[[], None]) -> None:
    from hub.runtime.roles.deliver import run_deliver

    run_deliver(hub, stop, ready)


def _schedule(hub: Installation, stop: threading.Event, ready: Callable[[], None]) -> None:
    from hub.runtime.roles.schedule import run_schedule

    run_schedule(hub, stop, ready)
