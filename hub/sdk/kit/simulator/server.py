"""Real HTTP around a simulator: keep-alive, one thread per connection, and a few paths to look inside.

The parser is a few lines of our own: it answers several times faster than the standard library's, and the simulator
is also what benchmarks send to. Paths below `/_sim/` are for tests and demos in other processes:

    GET  /_sim/state     what the vendor now holds
    GET  /_sim/received  the recorded calls
    GET  /_sim/unexpected
    POST /_sim/next      {"kind": "answer", "status": 429, "retry_after": 7, "times": 1, "path": "/users"}
    POST /_sim/reset     forget recordings, faults and unexpected calls; what the vendor holds stays
"""

from __future__ import annotations

import socket
import socketserver
import struct
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from http import HTTPStatus
from typing import Any, Protocol
from urllib.parse import parse_qsl, unquote

from hub.sdk.errors import ConfigurationError
from hub.sdk.json import dumps, loads
from hub.sdk.kit.simulator.exchange import SimRequest, SimResponse
from hub.sdk.kit.simulator.faults import Fault, Script

CONTROL = "/_sim/"
MAX_BODY = 64 * 1024 * 1024
_PHRASES = {status.value: status.phrase for status in HTTPStatus}


class Served(Protocol):
    """What the server needs of a simulator."""

    lock: threading.RLock
    received: list[SimRequest]
    unexpected: list[str]
    script: Script

    def take(self, request: SimRequest) -> tuple[SimResponse, Fault | None]: ...

    def state(self) -> Any: ...

    @property
    def next(self) -> Callable[..., None]: ...


class CannotListen(ConfigurationError):
    """A simulator's port cannot be had. `cause` says why."""

    def __init__(self, host: str, port: int, cause: OSError) -> None:
        super().__init__(f"Port {port} of {host} cannot be listened on: {cause.strerror or type(cause).__name__}.")
        self.host, self.port, self.cause = host, port, cause


class _Server(socketserver.ThreadingTCPServer):
    daemon_threads = True
    allow_reuse_address = True
    request_queue_size = 256
    block_on_close = False

    def __init__(self, simulator: Served, host: str, port: int) -> None:
        self.simulator = simulator
        self.open_sockets: set[socket.socket] = set()
        self.guard = threading.Lock()
        super().__init__((host, port), _Connection)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A caller that hangs up is nothing to print about; the simulator records its own failures."""


class _Connection(socketserver.StreamRequestHandler):
    server: _Server
    disable_nagle_algorithm = True
    wbufsize = 0

    def setup(self) -> None:
        super().setup()
        with self.server.guard:
            self.server.open_sockets.add(self.connection)

    def finish(self) -> None:
        with self.server.guard:
            self.server.open_sockets.discard(self.connection)
        super().finish()

    def handle(self) -> None:
        while True:
            try:
                request = _read(self.rfile)
            except (OSError, ValueError):
                return
            if request is None:
                return
            if request.path.startswith(CONTROL):
                response = _control(self.server.simulator, request)
            else:
                response, fault = self.server.simulator.take(request)
                if fault is not None and fault.silence is not None:
                    self._fall_silent(fault.silence)
                    return
            self.connection.sendall(_encode(response, request))
            if request.headers.get("connection", "").lower() == "close":
                return

    def _fall_silent(self, how: str) -> None:
        if how == "timeout":
            self._wait_until_the_caller_gives_up()
            return
        # A linger of zero seconds makes close() send a reset instead of an orderly end.
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.connection.close()

    def _wait_until_the_caller_gives_up(self) -> None:
        try:
            while self.connection.recv(4096):
                pass
        except OSError:
            return


def _read(stream: Any) -> SimRequest | None:
    """The next request of a connection, or None at its end. Raises ValueError for text that is not an HTTP."""
    line = stream.readline(65_537)
    if not line:
        return None
    method, target, _version = line.decode("latin-1").split(" ", 2)
    headers: dict[str, str] = {}
    while (line := stream.readline(65_537)) not in (b"\r\n", b"\n", b""):
        name, _, value = line.decode("latin-1").partition(":")
        headers[name.strip().lower()] = value.strip()
    body = _read_body(stream, headers)
    host, path, query = split_target(target)
    return SimRequest(method, path, query, headers, body, host)


def _read_body(stream: Any, headers: Mapping[str, str]) -> bytes:
    if headers.get("transfer-encoding", "").lower() == "chunked":
        chunks = []
        while size := int(stream.readline(1024).split(b";")[0], 16):
            chunks.append(stream.read(size))
            stream.readline(8)
        stream.readline(8)
        return b"".join(chunks)
    length = int(headers.get("content-length") or 0)
    if length > MAX_BODY:
        raise ValueError("the body is too large for a simulator")
    return stream.read(length) if length else b""


def split_target(target: str) -> tuple[str, str, dict[str, str]]:
    """Host name, path and query of `/@tracking/event?key=1`."""
    path, _, search = target.partition("?")
    host = "api"
    if path.startswith("/@"):
        host, _, path = path[2:].partition("/")
        path = f"/{path}"
    query = dict(parse_qsl(search, keep_blank_values=True)) if search else {}
    return unquote(host), path, query


def _encode(response: SimResponse, request: SimRequest) -> bytes:
    content = response.content()
    lines = [f"HTTP/1.1 {response.status} {_PHRASES.get(response.status, 'Unknown')}"]
    if "content-type" not in response.headers:
        lines.append(f"content-type: {response.content_type()}")
    lines.extend([f"{name}: {value}" for name, value in response.headers.items()])
    lines.append(f"content-length: {len(content)}\r\n\r\n")
    head = "\r\n".join(lines).encode("latin-1")
    return head if request.method == "HEAD" else head + content


def _control(simulator: Served, request: SimRequest) -> SimResponse:
    what = request.path.removeprefix(CONTROL)
    with simulator.lock:
        if what == "state":
            # Encoded under the lock: another thread may be changing what it shows.
            return SimResponse(200, body=dumps(simulator.state()))
        if what == "received":
            return SimResponse(200, [_shown(call) for call in simulator.received])
        if what == "unexpected":
            return SimResponse(200, list(simulator.unexpected))
        if what == "next" and request.method == "POST":
            try:
                simulator.next(**loads(request.body))
            except (TypeError, ValueError) as error:
                return SimResponse(400, {"message": str(error)})
            return SimResponse(200, {"pending": len(simulator.script.pending)})
        if what == "reset" and request.method == "POST":
            simulator.received.clear()
            simulator.unexpected.clear()
            simulator.script.pending.clear()
            return SimResponse(200, {})
    return SimResponse(404, {"message": "Known: state, received, unexpected, next, reset."})


def _shown(call: SimRequest) -> dict[str, Any]:
    return {
        "method": call.method,
        "host": call.host,
        "path": call.path,
        "query": dict(call.query),
        "headers": dict(call.headers),
        "json": call.json(),
        "body": call.body.decode("utf-8", "replace"),
    }


@contextmanager
def serve(simulator: Served, host: str = "127.0.0.1", port: int = 0) -> Iterator[str]:
    """Serve a simulator until the block ends; gives `http://host:port`. Raises CannotListen."""
    try:
        server = _Server(simulator, host, port)
    except OSError as error:
        raise CannotListen(host, port, error) from error
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield f"http://{host}:{server.server_address[1]}"
    finally:
        server.shutdown()
        server.server_close()
        with server.guard:
            waiting = list(server.open_sockets)
        for connection in waiting:  # wakes handlers that wait for a caller's next request
            _shut(connection)
        thread.join()


def _shut(connection: socket.socket) -> None:
    try:
        connection.shutdown(socket.SHUT_RDWR)
    except OSError:
        return  # the caller was quicker
