"""A real hub in real processes, as an operator runs it: started, asked, killed, restarted by tests."""

from __future__ import annotations

import itertools
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, TypeVar

import psutil
import requests

from tests import commands

ROOT = Path(__file__).resolve().parent.parent
T = TypeVar("T")

PATIENCE_S = 120.0
"""How long a condition may take to come true. Only a test that fails waits so long; a machine that is shared needs it."""


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def eventually(look: Callable[[], T | None], *, within_s: float = PATIENCE_S, what: str = "the condition") -> T:
    """The first truthy result of `look`. Looks often; fails with the last result after `within_s` seconds."""
    deadline = time.monotonic() + within_s
    while True:
        found = look()
        if found:
            return found
        if time.monotonic() > deadline:
            raise AssertionError(f"{what} did not come true within {within_s} s; last seen: {found!r}")
        time.sleep(0.02)


class RunningHub:
    """`hub serve` over its own data directory and port."""

    def __init__(self, folder: Path, database_url: str = "", **environment: str) -> None:
        self.folder = folder
        folder.mkdir(parents=True, exist_ok=True)
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.log = folder / "hub.log"
        self.environment = {key: value for key, value in os.environ.items() if not key.startswith("HUB_")} | {
            "HUB_DATA_DIR": str(folder),
            "HUB_PORT": str(self.port),
            "HUB_DATABASE_URL": "" if database_url.startswith("sqlite") else database_url,
            "HUB_ALLOW_PRIVATE_HOSTS": "1",
            "PYTHONPATH": str(ROOT),
            **environment,
        }
        self.process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> RunningHub:
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.stop()

    # ── processes ────────────────────────────────────────────────────────────────────────────────────────────────

    def start(self) -> RunningHub:
        """Start and wait until it is ready."""
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "hub", "serve"], env=self.environment, cwd=ROOT, stdout=log, stderr=log
            )
        try:
            eventually(self.is_ready, what=f"the hub being ready (see {self.log})")
        except AssertionError:
            self.stop()
            raise
        return self

    def is_ready(self) -> bool:
        with suppress(requests.RequestException):
            return requests.get(f"{self.url}/readyz", timeout=2).status_code == 200
        return False

    def stop(self) -> float:
        """Ask it to stop with SIGTERM; returns how many seconds that took."""
        if self.process is None:
            return 0.0
        began = time.monotonic()
        self.process.send_signal(signal.SIGTERM)
        self.process.wait(PATIENCE_S)
        self.process = None
        return time.monotonic() - began

    def roles(self) -> Mapping[str, psutil.Process]:
        """The running role processes by name."""
        assert self.process is not None
        found = {}
        for child in psutil.Process(self.process.pid).children():
            with suppress(psutil.Error):
                title = " ".join(child.cmdline()).split()
                if "run" in title:
                    found[title[title.index("run") + 1]] = child
        return found

    def kill_supervisor(self) -> None:
        """`kill -9`; every role must notice and exit."""
        assert self.process is not None
        children = psutil.Process(self.process.pid).children(recursive=True)
        self.process.kill()
        self.process.wait()
        self.process = None
        _, alive = psutil.wait_procs(children, timeout=PATIENCE_S)
        assert not alive, f"roles outlived their supervisor: {alive}"

    # ── what operators do ────────────────────────────────────────────────────────────────────────────────────────

    def cli(self, *arguments: str, fails: bool = False) -> Any:
        """Run `hub ...`; JSON output is parsed (a list of objects for JSON lines)."""
        done = commands.run(arguments, self.environment)
        if not fails:
            assert done.returncode == 0, f"hub {' '.join(arguments)}: {done.stderr}"
        return parsed(done.stdout) if not fails else done

    def ledger(self) -> dict[str, Any]:
        done = self.cli("ledger", "check", "--json", fails=True)
        result: dict[str, Any] = json.loads(done.stdout)
        assert (done.returncode == 0) == result["balanced"]
        return result

    def balanced(self) -> dict[str, Any]:
        """The ledger, which must balance."""
        ledger = self.ledger()
        assert ledger["balanced"], ledger
        return ledger

    def drained(self, within_s: float = PATIENCE_S) -> dict[str, Any]:
        """The ledger once no message waits."""
        return eventually(
            lambda: ledger if (ledger := self.balanced())["waiting"] == 0 else None,
            within_s=within_s,
            what="the inbox being empty",
        )


class SharedHub(RunningHub):
    """One that several tests use. What the ledger counts begins anew with each of them."""

    def __init__(self, folder: Path, database_url: str = "", **environment: str) -> None:
        super().__init__(folder, database_url, **environment)
        self._before: dict[str, Any] = {}
        self._names = itertools.count(1)

    def begin(self) -> None:
        if self.process is None:
            self.start()
        self._before = {}
        self._before = self.drained()

    def ledger(self) -> dict[str, Any]:
        return _since(self._before, super().ledger())

    def name(self, kind: str) -> str:
        """One that no other test has."""
        return f"{kind}-{next(self._names)}"


def _since(before: Mapping[str, Any], now: Mapping[str, Any]) -> dict[str, Any]:
    """Counts less those of before; of reasons only those that were added to."""
    found: dict[str, Any] = {}
    for name, value in now.items():
        if isinstance(value, dict):
            found[name] = {reason: count for reason, count in _since(before.get(name, {}), value).items() if count}
        elif isinstance(value, int) and not isinstance(value, bool):
            found[name] = value - before.get(name, 0)
        else:
            found[name] = value
    return found


def parsed(text: str) -> Any:
    """JSON, JSON lines, or plain text."""
    with suppress(ValueError):
        return json.loads(text)
    with suppress(ValueError):
        return [json.loads(line) for line in text.splitlines() if line.strip()]
    return text
