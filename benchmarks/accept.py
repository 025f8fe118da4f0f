"""Single signed webhooks accepted durably per second, against the same server answering a constant.

    python -m benchmarks.accept

Both are asked by one load generator, a process of its own, over the same number of keep-alive connections.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import multiprocessing
import os
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from benchmarks.rows import Row

ROOT = Path(__file__).resolve().parent.parent
SECRET = "benchmark-secret"
KEY = "benchmark"
CONNECTION = "01J00000000000000000000001"
CONNECTIONS = 32
SECONDS = 2.5
ROUNDS = 3
GOAL = 0.5
MESSAGES = 4_000  # distinct requests, sent over and over: the inbox does not look at ids


def run(threads: int | None = None) -> list[Row]:
    """Start the server, measure both in turns, stop it. Takes about 20 seconds."""
    with tempfile.TemporaryDirectory() as folder:
        port = _free_port()
        environment = os.environ | {"HUB_DATA_DIR": folder, "HUB_PORT": str(port), "PYTHONPATH": str(ROOT)}
        if threads:
            environment["HUB_WEB_THREADS"] = str(threads)
        server = subprocess.Popen([sys.executable, "-m", "benchmarks.accept", "serve"], env=environment, cwd=ROOT)
        try:
            _wait_for(port)
            rates = _measure(port)
        finally:
            server.terminate()
            server.wait(10)
    accepted, constant = (statistics.median(rates[path]) for path in (f"/in/{KEY}", "/constant"))
    detail = f"{accepted:,.0f} webhooks/s accepted durably; {constant:,.0f} constant answers/s"
    return [Row("webhooks accepted durably", accepted, constant, accepted / constant, GOAL, detail)]


# ── the server ───────────────────────────────────────────────────────────────────────────────────────────────────


def serve() -> None:
    """The web role's server, with a constant beside the door."""
    from granian.constants import Interfaces
    from granian.server import Server

    from hub.core.settings import Settings

    settings = Settings()
    Server(
        "benchmarks.accept:create",
        address=settings.host,
        port=settings.port,
        interface=Interfaces.WSGI,
        factory=True,
        workers=1,
        blocking_threads=settings.web_threads,
        backpressure=max(settings.web_threads * 8, 128),
        log_enabled=False,
    ).serve()


def create() -> Any:
    """The application: one source of a known secret, and a Flask route that answers a constant."""
    from flask import Flask, Response

    from hub.api.doors import mount
    from hub.core.settings import Settings
    from hub.inbox.accept import Door, SourceDoor
    from hub.inbox.sql import open_inbox
    from hub.registry.discovery import get
    from hub.runtime.erasing.requested import RememberedErasures
    from hub.runtime.process.installation import Installation
    from hub.runtime.process.schema import create_all

    hub = Installation(Settings(inbox_limit=100_000_000))
    create_all(hub.engine)
    inbox = open_inbox(hub.settings, hub.engine)
    inbox.create_tables()
    source_class = get(hub.connectors, "segment").source_class
    if source_class is None:
        raise AssertionError("the connector segment has no source")
    source = source_class(source_class.Settings(shared_secret=SECRET))
    app = Flask("benchmark", static_folder=None)

    @app.post("/constant")
    def constant() -> Response:
        return Response(b'{"success":true}', mimetype="application/json")

    door = Door(inbox, {KEY: SourceDoor(CONNECTION, source)}.get, hub.settings, RememberedErasures(hub))
    app.wsgi_app = mount(app.wsgi_app, door, hub.settings.web_threads)  # type: ignore[method-assign,assignment]
    return app


# ── the load ─────────────────────────────────────────────────────────────────────────────────────────────────────


def _measure(port: int) -> dict[str, list[float]]:
    """Requests per second by path, a few rounds each, in turns."""
    rates: dict[str, list[float]] = {"/constant": [], f"/in/{KEY}": []}
    context = multiprocessing.get_context("spawn")
    with context.Pool(1) as load:
        for path in rates:
            load.apply(_load, (port, path, 0.5))  # warm-up
        for _ in range(ROUNDS):
            for path, found in rates.items():
                found.append(load.apply(_load, (port, path, SECONDS)))
    return rates


def _load(port: int, path: str, seconds: float) -> float:
    """Answers per second over CONNECTIONS connections, each with one request under way at a time."""
    import selectors

    requests = _requests(path)
    selector = selectors.DefaultSelector()
    done = 0
    connections: dict[int, socket.socket] = {}
    waiting: dict[int, bytes] = {}  # answers of which only the head has come
    for number in range(CONNECTIONS):
        connection = socket.create_connection(("127.0.0.1", port))
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        selector.register(connection, selectors.EVENT_READ)
        connections[connection.fileno()] = connection
        connection.sendall(requests[number])
    start = time.perf_counter()
    while (now := time.perf_counter()) - start < seconds:
        for key, _ in selector.select(1):
            answer = waiting.pop(key.fd, b"") + connections[key.fd].recv(65_536)
            if not answer.startswith(b"HTTP/1.1 200"):
                raise AssertionError(f"the server answered {answer!r}")
            if not answer.endswith(b'{"success":true}'):
                waiting[key.fd] = answer
                continue
            done += 1
            connections[key.fd].sendall(requests[(done + CONNECTIONS) % MESSAGES])
    selector.close()
    for connection in connections.values():
        connection.close()
    return done / (now - start)


def _requests(path: str) -> list[bytes]:
    """Signed requests as the vendor's webhook sends them: one track call of about 900 bytes each."""
    found = []
    for number in range(MESSAGES):
        body = json.dumps(_message(number)).encode()
        signature = hmac.new(SECRET.encode(), body, hashlib.sha1).hexdigest()
        head = (
            f"POST {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\nUser-Agent: Segment (Actions)\r\n"
            f"Accept: */*\r\nAccept-Encoding: gzip,deflate\r\nX-Signature: {signature}\r\nContent-Length: {len(body)}\r\n\r\n"
        )
        found.append(head.encode() + body)
    return found


def _message(number: int) -> dict[str, Any]:
    return {
        "type": "track",
        "messageId": f"ajs-next-1773478800120-{number:08d}-5f1c-4a5e-9d5e-0c9a4f1f2b3c",
        "userId": f"user-{number}",
        "anonymousId": "c9a1f7f0-5f0e-4f3a-8f7e-2b1f0b7b3f11",
        "event": "Order Completed",
        "timestamp": "2026-03-14T09:00:00.120Z",
        "originalTimestamp": "2026-03-14T09:00:00.100Z",
        "sentAt": "2026-03-14T09:00:00.500Z",
        "receivedAt": "2026-03-14T09:00:00.620Z",
        "context": {
            "ip": "203.0.113.7",
            "locale": "en-GB",
            "library": {"name": "analytics.js", "version": "next-1.70.0"},
            "page": {"path": "/checkout", "title": "Checkout", "url": "https://shop.example.com/checkout"},
            "traits": {"email": f"user-{number}@example.com"},
        },
        "properties": {
            "order_id": f"o-{number}",
            "total": 49.9,
            "currency": "EUR",
            "products": [{"product_id": "p-1", "sku": "S-1", "price": 24.95, "quantity": 2}],
        },
        "integrations": {},
    }


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _wait_for(port: int) -> None:
    deadline = time.monotonic() + 15
    while True:
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
            return
        except OSError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.05)


if __name__ == "__main__":
    if sys.argv[1:] == ["serve"]:
        serve()
    else:
        for row in run(int(sys.argv[1]) if sys.argv[1:] else None):
            print(f"{row.name}: ratio {row.ratio:.2f} (goal {row.goal}); {row.detail}")
