"""A controller of the OpenDSR kind: it sends requests elsewhere, and here it hears what became of them."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


@dataclass
class Controller:
    """What was told, request by request. `failing` answers that many of the next calls with 500."""

    origin: str = ""
    failing: int = 0
    calls: list[tuple[str, dict[str, str], bytes]] = field(default_factory=list)

    @property
    def url(self) -> str:
        return f"{self.origin}/opendsr/callbacks?token=of-the-controller"

    def statuses(self) -> list[str]:
        return [json.loads(body)["request_status"] for _, _, body in self.calls]

    def take(self, path: str, headers: dict[str, str], body: bytes) -> int:
        if self.failing > 0:
            self.failing -= 1
            return 500
        self.calls.append((path, headers, body))
        return 202


@contextmanager
def controller() -> Iterator[Controller]:
    """One that listens on a port of its own."""
    hears = Controller()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            status = hears.take(self.path, {name.lower(): value for name, value in self.headers.items()}, body)
            self.send_response(status)
            self.send_header("content-length", "0")
            self.end_headers()

        def log_message(self, *_: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    hears.origin = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    try:
        yield hears
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
