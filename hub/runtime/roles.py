"""Starts one role in this process: opens what it needs, takes its lock, runs it until it is told to stop."""

from __future__ import annotations

import threading

from hub.core import logging, metrics
from hub.core.settings import Settings
from hub.runtime.beat import beating
from hub.runtime.installation import Installation
from hub.runtime.lifeline import stop_on_signals
from hub.runtime.migrate import migrate


def run_role(role: str, settings: Settings) -> None:
    """Blocks until SIGTERM or the death of the supervisor."""
    logging.configure(settings, role)
    metrics.prepare(settings)
    hub = Installation(settings)
    migrate(hub)
    if role == "web":
        from hub.runtime.web import run_web

        run_web(settings)
        return
    stop = stop_on_signals()
    with beating(hub.engine, role, stop.set):
        {"apply": _apply, "deliver": _deliver, "schedule": _schedule}[role](hub, stop)


def _apply(hub: Installation, stop: threading.Event) -> None:
    from hub.runtime.applying import run_apply

    run_apply(hub, stop)


def _deliver(hub: Installation, stop: threading.Event) -> None:
    from hub.runtime.deliver import run_deliver

    run_deliver(hub, stop)


def _schedule(hub: Installation, stop: threading.Event) -> None:
    from hub.runtime.scheduling import run_schedule

    run_schedule(hub, stop)
