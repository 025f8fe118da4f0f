"""The web role: granian serving `hub.app:create`. This module imports no app."""

from __future__ import annotations

import os

from granian.constants import Interfaces
from granian.http import HTTP1Settings
from granian.server import Server

from hub.core.settings import Settings
from hub.runtime.process.lifeline import PARENT_ENV, watch_parent

APP = "hub.app:create"


def run_web(settings: Settings) -> None:
    """Serve until SIGTERM. One worker process; its request threads share commits."""
    watch_parent()
    server = Server(
        APP,
        address=settings.host,
        port=settings.port,
        interface=Interfaces.WSGI,
        factory=True,
        workers=1,
        blocking_threads=settings.web_threads,
        backpressure=max(settings.web_threads * 8, 128),
        http1_settings=HTTP1Settings(header_read_timeout=15_000),
        respawn_failed_workers=True,
        respawn_interval=0.5,
        workers_kill_timeout=5,
        process_name="hub run web",
        log_access=False,
        log_enabled=False,
    )
    os.environ[PARENT_ENV] = str(os.getpid())  # the worker process watches this one, which watches the supervisor
    server.serve()
