"""From an event's webhook to its arrival at a vendor: the 99th percentile at 200 events a second.

    python -m benchmarks.latency [seconds]

A real `hub serve` on SQLite takes signed webhooks, one event each, and passes every event on by a sync to a simulator in
a process of its own, over real HTTP. An event's time counts from just before it is sent until the vendor has taken it.
"""

from __future__ import annotations

import hashlib
import hmac
import http.client
import json
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

from benchmarks.rows import Row
from tests.harness import ROOT, RunningHub

VENDOR = "braze"
PER_S = 200
SECONDS = 20
WARM_UP_S = 3  # the first calls load what is loaded on first use
SENDERS = 8
PEOPLE = 500
GOAL_S = 1.0
PATIENCE_S = 20.0
NAME = f"event to accepted delivery, p99 at {PER_S} events/s"


def run(seconds: int = SECONDS) -> list[Row]:
    """One row; about 35 seconds."""
    count = (seconds + WARM_UP_S) * PER_S
    with tempfile.TemporaryDirectory() as folder, _vendor() as vendor, RunningHub(Path(folder)) as hub:
        source = _connect(hub, vendor.url)
        sent = _send(source["webhook_url"], source["secret"], count)
        arrived = vendor.arrived(count)
    warm = WARM_UP_S * PER_S
    delays = sorted(arrived[number] - sent[number] for number in range(warm, count) if number in arrived)
    lost = count - len(arrived)
    if lost:
        raise RuntimeError(f"{lost} of {count} events had not arrived {PATIENCE_S:.0f} s after the last was sent.")
    rate = (count - warm - 1) / (sent[count - 1] - sent[warm])
    middle, p99 = delays[len(delays) // 2], delays[len(delays) * 99 // 100]
    detail = (
        f"{len(delays):,} events at {rate:.0f}/s over SQLite: half within {middle * 1000:.0f} ms, 99 % within "
        f"{p99 * 1000:.0f} ms, all within {delays[-1] * 1000:.0f} ms"
    )
    return [Row(NAME, p99, None, None, GOAL_S, detail, " s", "most")]


# ── the hub ──────────────────────────────────────────────────────────────────────────────────────────────────────


def _connect(hub: RunningHub, url: str) -> Any:
    """A source, and a destination that gets every event."""
    from hub.registry.discovery import discover

    simulator = discover("")[VENDOR].simulator_class()
    assert simulator is not None
    settings = simulator.example_settings() | {f"hosts.{name}": at for name, at in simulator().base_urls(url).items()}
    pairs = [part for key, value in settings.items() for part in ("--set", f"{key}={value}")]
    hub.cli("destinations", "add", VENDOR, "--name", "crm", "--no-check", *pairs)
    hub.cli("destinations", "sync", "crm", "events")
    return hub.cli("sources", "add", "segment", "--name", "web", "--json")


# ── the sender ───────────────────────────────────────────────────────────────────────────────────────────────────


def _send(url: str, secret: str, count: int) -> dict[int, float]:
    """Send events in step with the clock over a few connections; when each was sent, by number."""
    host, _, path = url.removeprefix("http://").partition("/")
    sent: dict[int, float] = {}
    failures: list[str] = []
    start = time.time() + 0.5

    def work(first: int) -> None:
        connection = http.client.HTTPConnection(host, timeout=30)
        for number in range(first, count, SENDERS):
            body = json.dumps(_event(number, time.time())).encode()
            signature = hmac.new(secret.encode(), body, hashlib.sha1).hexdigest()
            headers = {"Content-Type": "application/json", "X-Signature": signature}
            time.sleep(max(0.0, start + number / PER_S - time.time()))
            sent[number] = time.time()
            connection.request("POST", f"/{path}", body, headers)
            answer = connection.getresponse()
            words = answer.read()
            if answer.status != 200:
                failures.append(f"{answer.status} {words[:200]!r}")
                return

    threads = [threading.Thread(target=work, args=(first,)) for first in range(SENDERS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if len(sent) < count:
        raise RuntimeError(f"The hub refused an event: {failures[0] if failures else 'the connection was lost'}")
    return sent


def _event(number: int, at: float) -> dict[str, Any]:
    moment = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(at)) + f".{int(at * 1000) % 1000:03d}Z"
    return {
        "type": "track",
        "messageId": f"latency-{number:08d}",
        "userId": f"user-{number % PEOPLE}",
        "event": "Product Viewed",
        "timestamp": moment,
        "sentAt": moment,
        "context": {"locale": "en-GB", "traits": {"email": f"user-{number % PEOPLE}@example.com"}},
        "properties": {"number": number, "product_id": "p-1", "price": 249.5, "currency": "EUR"},
    }


# ── the vendor ───────────────────────────────────────────────────────────────────────────────────────────────────


class Vendor:
    """The simulator's process: it prints its URL, and what arrived whenever it is sent a line."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        assert process.stdin is not None
        assert process.stdout is not None
        self._ask: IO[str] = process.stdin
        self._answers: IO[str] = process.stdout
        self.url = self._answers.readline().strip()

    def arrived(self, count: int) -> dict[int, float]:
        """When each event was taken, by number; waits until there are `count`, or for PATIENCE_S."""
        deadline = time.monotonic() + PATIENCE_S
        while True:
            self._ask.write("\n")
            self._ask.flush()
            found = {int(number): at for number, at in json.loads(self._answers.readline()).items()}
            if len(found) >= count or time.monotonic() > deadline:
                return found
            time.sleep(0.2)


@contextmanager
def _vendor() -> Iterator[Vendor]:
    command = [sys.executable, "-m", "benchmarks.latency", "simulate"]
    process = subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    try:
        yield Vendor(process)
    finally:
        process.terminate()
        process.wait(10)


def simulate() -> None:
    """Serve the simulator until this process is ended."""
    from hub.registry.discovery import discover

    kind: Any = discover("")[VENDOR].simulator_class()
    arrived: dict[int, float] = {}

    class Watched(kind):  # type: ignore[misc]  # found at run time
        def take(self, request: Any) -> Any:
            answer = super().take(request)
            now = time.time()
            if answer[0].status < 300:
                for event in json.loads(request.body).get("events", ()):
                    arrived.setdefault(event["properties"]["number"], now)
            return answer

    with Watched(is_recording=False).serving() as url:
        print(url, flush=True)
        for _ in sys.stdin:
            print(json.dumps(dict(arrived)), flush=True)


if __name__ == "__main__":
    if sys.argv[1:] == ["simulate"]:
        simulate()
    else:
        for row in run(*map(int, sys.argv[1:2])):
            print(f"{row.name}: {row.verdict}; {row.detail}")
