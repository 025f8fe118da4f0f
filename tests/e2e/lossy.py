"""A proxy in front of the hub that loses answers: what makes clients send a second time."""

from __future__ import annotations

from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Lock, Thread

import requests


class LosesAnswers:
    """Passes every request on and answers the first ones with 503, although the hub has taken them."""

    def __init__(self, target: str, losses: int) -> None:
        self.losses = losses
        self.encodings: list[str] = []
        self.bodies: list[bytes] = []
        self._lock = Lock()
        proxy = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                headers = {name: value for name, value in self.headers.items() if name.lower() != "host"}
                answer = requests.post(target + self.path, data=body, headers=headers, timeout=10)
                self.send_response(proxy.status(answer.status_code, self.headers.get("Content-Encoding", ""), body))
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *_: object) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        Thread(target=self.server.serve_forever, daemon=True).start()

    def status(self, status: int, encoding: str, body: bytes) -> int:
        """What the client is told, and a note of what it sent."""
        with self._lock:
            self.encodings.append(encoding)
            self.bodies.append(body)
            if self.losses == 0:
                return status
            self.losses -= 1
            return 503

    def close(self) -> None:
        self.server.shutdown()
        self.server.server_close()
