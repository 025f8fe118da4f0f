"""One hub per port and per data directory: who comes second is told who was first, in one sentence."""

from __future__ import annotations

import errno
import fcntl
import os
import socket
import subprocess
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from hub.core import listener
from hub.core.holders import LOCK_NAME, port_holder, read_holder
from hub.core.listener import listen, refusal
from hub.core.settings import Settings
from hub.runtime.process import data_directory
from hub.runtime.process.data_directory import hold_data_directory
from hub.runtime.process.installation import Installation
from hub.sdk.errors import ConfigurationError
from tests.harness import free_port

HOST = "127.0.0.1"


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(listener, "PATIENCE_S", 0.0)
    monkeypatch.setattr(listener, "PAUSE_S", 0.001)


# ── ports ────────────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("second", [HOST, "0.0.0.0", "localhost"])
def test_a_port_is_one_hubs_and_the_second_is_told_who_has_it(second: str) -> None:
    with listen(HOST, 0) as first:
        port = first.getsockname()[1]
        with pytest.raises(ConfigurationError, match=f"Port {port} of {second} is taken by process {os.getpid()} "):
            listen(second, port)


def test_who_asks_to_share_a_port_does_not_get_it_and_what_is_shared_is_not_taken() -> None:
    with listen(HOST, 0) as first, socket.socket() as sharing:
        sharing.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        sharing.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        with pytest.raises(OSError, match="in use"):
            sharing.bind(first.getsockname())
    with socket.socket() as foreign:
        foreign.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        foreign.bind((HOST, 0))
        foreign.listen()
        with pytest.raises(ConfigurationError, match="is taken by process"):
            listen(HOST, foreign.getsockname()[1])


def test_of_those_who_ask_at_once_one_gets_the_port(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(listener, "PATIENCE_S", 0.02)
    monkeypatch.setattr(listener, "port_holder", lambda _port: None)
    together = threading.Barrier(3)

    def asks(port: int) -> socket.socket | None:
        together.wait(10)
        try:
            return listen(HOST, port)
        except ConfigurationError:
            return None

    with ThreadPoolExecutor(3) as pool:
        for _ in range(20):
            got = [one for one in pool.map(asks, [free_port()] * 3) if one is not None]
            for one in got:
                one.close()
            assert len(got) == 1


def test_a_port_is_free_again_for_the_next_hub_at_once_though_callers_linger() -> None:
    with listen(HOST, 0) as first:
        address = first.getsockname()
        caller = socket.create_connection(address)
        accepted, _ = first.accept()
        accepted.close()  # the side that ends a connection keeps its address for a minute
        caller.close()
    listen(*address).close()


@pytest.mark.parametrize(
    ("host", "told"),
    [
        ("no-such-host.invalid", "HUB_HOST 'no-such-host.invalid' cannot be resolved to an address"),
        ("a" * 70, "cannot be resolved"),
        ("192.0.2.1", "HUB_HOST '192.0.2.1' is not an address of this machine"),
    ],
)
def test_a_host_that_cannot_be_is_named(host: str, told: str) -> None:
    with pytest.raises(ConfigurationError, match=told):
        listen(host, free_port())


def test_a_privileged_port_and_whatever_else_are_sentences_too() -> None:
    assert refusal(HOST, 80, OSError(errno.EACCES, "Permission denied")).startswith(
        "Port 80 of 127.0.0.1 needs privileges"
    )
    assert "cannot be listened on: No buffer" in refusal(HOST, 80, OSError(errno.ENOBUFS, "No buffer space available"))
    assert refusal(HOST, 1, OSError(errno.EADDRINUSE, ""), port_from="--port").endswith("another port with --port.")


# ── data directories ─────────────────────────────────────────────────────────────────────────────────────────────────


def installation(folder: Path) -> Installation:
    return Installation(Settings(data_dir=folder, database_url=""))


@pytest.fixture
def hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Installation:
    """Whatever is held is let go after the test, not only with this process."""
    opened: list[int] = []
    really = os.open

    def opening(path: Path, flags: int, mode: int) -> int:
        opened.append(really(path, flags, mode))
        return opened[-1]

    monkeypatch.setattr(data_directory.os, "open", opening)
    yield installation(tmp_path)
    for file in opened:
        os.close(file)


@pytest.mark.parametrize("alone", [True, False])
def test_a_data_directory_is_one_hubs_and_the_second_is_told_whose(
    hub: Installation, tmp_path: Path, alone: bool
) -> None:
    hold_data_directory(hub, "hub serve", alone=True)

    told = rf"data directory {tmp_path} is held by process {os.getpid()} \(hub serve, since \d{{4}}-.* UTC\); stop"
    with pytest.raises(ConfigurationError, match=told):
        hold_data_directory(installation(tmp_path), "hub run web", alone=alone)


def test_roles_that_are_run_by_hand_share_a_data_directory_but_not_with_a_whole_hub(hub: Installation) -> None:
    hold_data_directory(hub, "hub run web", alone=False)
    hold_data_directory(hub, "hub run apply", alone=False)

    with pytest.raises(ConfigurationError, match=r"held by process \d+ \(hub run apply"):
        hold_data_directory(hub, "hub serve", alone=True)


def test_what_a_killed_hub_left_behind_is_waited_for_until_its_roles_are_gone(
    hub: Installation, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    dead = subprocess.Popen(["true"])
    dead.wait()
    (tmp_path / LOCK_NAME).write_text(f'{{"pid": {dead.pid}, "name": "hub serve", "since": "then"}}')
    assert read_holder(tmp_path / LOCK_NAME) is None
    role = (tmp_path / LOCK_NAME).open()
    fcntl.flock(role, fcntl.LOCK_EX)
    monkeypatch.setattr(data_directory, "ORPHANS_S", 0.0)
    with pytest.raises(ConfigurationError, match="held by another hub"):
        hold_data_directory(hub, "hub serve", alone=True)

    monkeypatch.setattr(data_directory, "ORPHANS_S", 10.0)
    monkeypatch.setattr(data_directory.time, "sleep", lambda _s: role.close())
    hold_data_directory(hub, "hub serve", alone=True)
    found = read_holder(tmp_path / LOCK_NAME)
    assert found is not None
    assert found.pid == os.getpid()


def test_whoever_holds_a_port_is_told_with_the_data_directory_of_its_hub(hub: Installation, tmp_path: Path) -> None:
    hold_data_directory(hub, "hub serve", alone=True)
    with listen(HOST, 0) as first:
        assert f"(hub serve, data directory {tmp_path}, since " in str(port_holder(first.getsockname()[1]))
    assert port_holder(free_port()) is None
