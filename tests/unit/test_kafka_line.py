"""The line to a broker in tests: closed at whatever moment, it leaves nothing open behind."""

from __future__ import annotations

import gc
import socket
import sys
import threading
from contextlib import suppress

import pytest

from tests.harness import free_port
from tests.kafka import Line


@pytest.fixture
def unclosed(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    found: list[str] = []
    monkeypatch.setattr(sys, "unraisablehook", lambda one: found.append(str(one.exc_value)))
    return found


def test_a_line_closed_while_clients_connect_leaves_no_connection_open(unclosed: list[str]) -> None:
    """asyncio drops a connection unclosed whose server closes between letting it in and giving it a transport."""
    line, stop = Line(free_port()), threading.Event()

    def connect() -> None:
        while not stop.is_set():
            with suppress(OSError), socket.create_connection(("127.0.0.1", line.port), 1):
                pass

    clients = [threading.Thread(target=connect) for _ in range(3)]
    line.open()
    for one in clients:
        one.start()
    for _ in range(300):
        line.close()
        line.open()
    stop.set()
    for one in clients:
        one.join()
    line.close()
    gc.collect()

    assert unclosed == []
