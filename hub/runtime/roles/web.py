"""The web role: granian serving `hub.app:create`. This module imports no app."""

from __future__ import annotations

import os
import socket
from typing import Any

from granian._granian import SocketHolder
from granian.constants import Interfaces
from granian.http import HTTP1Settings
from granian.server.mp import MPServer

from hub.core.listener import BACKLOG
from hub.core.settings import Settings
from hub.runtime.process.lifeline import PARENT_ENV, watch_parent

APP = "hub.app:create"


class WebServer(MPServer):
    """Granian on a socket that is bound already. One that it binds itself it shares with any process that asks to
    (SO_REUSEPORT), such as another hub on the same port. Elsewhere than on Linux granian hands its workers a bound socket too."""

    _ssp: Any
    _sso: Any
    _sfd: Any
    _shd: Any

    def __init__(self, listener: socket.socket, **settings: Any) -> None:
        address, port = listener.getsockname()[:2]
        super().__init__(APP, address=address, port=port, **settings)
        self._listener = listener

    def _init_shared_socket(self) -> None:
        holder: Any = SocketHolder  # the library's stub leaves its constructor out
        self._ssp, self._sso, self._sfd = None, self._listener, self._listener.fileno()
        self._shd = holder(self._sfd, uds=False, backlog=BACKLOG)


def run_web(settings: Settings, listener: socket.socket) -> None:
    """Serve until SIGTERM. One worker process; its request threads share commits."""
    watch_parent()
    server = WebServer(
        listener,
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
