"""Runs through Kafka while its broker freezes, its lines are cut, and workers die: nothing lost, nothing twice.

HUB_TEST_KAFKA_MESSAGES sets how many messages the run has (`make kafka-faults` takes 50,000).
"""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import psutil
import pytest
import requests
from confluent_kafka import Producer

from hub.sdk.json import dumps
from tests.harness import ROOT, RunningHub, eventually
from tests.kafka import Kafka, broker
from tests.kafka_cluster import ClusterApart, cluster_apart

MESSAGES = int(os.environ.get("HUB_TEST_KAFKA_MESSAGES", "5000"))
PEOPLE = 500
BATCH = 100
SENDERS = 4
PARTITIONS = 4
SINGLES = 60
SILENT_S = 3.0
SEED = 20261122
BROKERS = (1, 2, 3)
TOPIC, RECORDS, GROUP = "accepted-messages", "records", "workers"
EVENT = "Order Completed"
DRAINED_S = 120.0


def test_a_frozen_broker_and_cut_lines_lose_nothing_and_double_nothing(tmp_path: Path, database_url: str) -> None:
    with broker() as kafka, RunningHub(tmp_path / "hub", database_url, **inbox_in(kafka.servers)) as hub:
        run = Run(hub)
        run.while_it_strikes(
            lambda: frozen(kafka.process),
            lambda: cut(kafka),
            lambda: gone(kafka),
            lambda: kill(hub, "web"),
            *([lambda: kill(hub, "apply"), lambda: hub_killed(hub)] if database_url.startswith("sqlite") else []),
        )
        run.ends_with_everything_applied_once()


@pytest.mark.parametrize("database_url", ["postgres"], indirect=True)
def test_dying_workers_and_brokers_lose_nothing_and_double_nothing(tmp_path: Path, database_url: str) -> None:
    """Four workers share the partitions of three brokers, whose leaders and coordinators change under them."""
    with (
        replicated(TOPIC) as kafka,
        RunningHub(tmp_path / "hub", database_url, **inbox_in(kafka.servers)) as hub,
        Workers(hub) as workers,
    ):
        workers.start(2)
        run = Run(hub)
        run.while_it_strikes(
            lambda: frozen(kafka.process),
            lambda: broker_dies(kafka, TOPIC, 1),
            workers.kill_one,
            lambda: kill(hub, "apply"),
            lambda: broker_dies(kafka, TOPIC, 2),
            lambda: workers.start(1),
            lambda: kill(hub, "web"),
            lambda: broker_dies(kafka, TOPIC, 3),
            lambda: hub_killed(hub),
            workers.kill_one,
        )
        run.ends_with_everything_applied_once()


def test_a_source_read_by_dying_workers_loses_nothing_and_applies_each_record_once(
    tmp_path: Path, database_url: str
) -> None:
    """Its records come again after a death, under the same ids: they count as duplicates and change nothing."""
    with (
        replicated(RECORDS) as kafka,
        RunningHub(tmp_path / "hub", database_url) as hub,
        Workers(hub) as workers,
    ):
        if not database_url.startswith("sqlite"):
            workers.start(2)
        settings = {"bootstrap": kafka.servers, "tls": "false", "topics": RECORDS, "group": GROUP, "id_field": "id"}
        sets = [part for name, value in settings.items() for part in ("--set", f"{name}={value}")]
        hub.cli("sources", "add", "kafka", "--name", "stream", *sets, "--json")
        strikes: list[Callable[[], None]] = [
            lambda: kill(hub, "apply"),
            lambda: broker_dies(kafka, RECORDS, 1),
            workers.kill_one,
            lambda: frozen(kafka.process),
            lambda: hub_killed(hub),
        ]
        share = MESSAGES // (len(strikes) + 1)
        for number, strike in enumerate(strikes):
            write(kafka, number * share, (number + 1) * share)
            eventually(lambda: taken(hub) >= (number + 0.5) * share, within_s=120, what="half of it being taken")  # noqa: B023
            strike()
        write(kafka, len(strikes) * share, MESSAGES)

        eventually(lambda: hub.ledger()["applied"] >= MESSAGES, within_s=DRAINED_S, what="every record being applied")
        ledger = hub.drained()
        assert ledger["applied"] == MESSAGES
        assert ledger["accepted"] == MESSAGES + ledger["duplicate"]
        assert ledger["ignored"] == ledger["quarantined"] == 0
        assert events_of_everyone(hub) == MESSAGES


def taken(hub: RunningHub) -> int:
    ledger = hub.ledger()
    return int(ledger["accepted"] - ledger["duplicate"])


def write(kafka: ClusterApart, first: int, end: int) -> None:
    producer = Producer({"bootstrap.servers": kafka.servers, "log_level": 0})
    for number in range(first, end):
        data = {"person": {"source_id": f"person-{number % PEOPLE}"}, "event": {"id": f"e-{number}", "name": EVENT}}
        record = {"type": "event.occurred", "id": f"m-{number}", "timestamp": "2026-03-14T10:00:00Z", "data": data}
        producer.produce(RECORDS, dumps(record), f"person-{number % PEOPLE}")
        producer.poll(0)
    assert producer.flush(30) == 0


@contextmanager
def replicated(topic: str) -> Iterator[ClusterApart]:
    """Three brokers that share a topic."""
    with cluster_apart(len(BROKERS)) as kafka:
        kafka.tell("create", topic, PARTITIONS, len(BROKERS))
        yield kafka


def inbox_in(servers: str) -> dict[str, str]:
    return {
        "HUB_KAFKA_BOOTSTRAP": servers,
        "HUB_KAFKA_TOPIC": TOPIC,
        "HUB_KAFKA_GROUP": GROUP,
        "HUB_KAFKA_PARTITIONS": str(PARTITIONS),
        "HUB_KAFKA_REPLICATION": "1",
        "HUB_KAFKA_ALLOW_UNSAFE": "1",
    }


# ── what goes wrong ──────────────────────────────────────────────────────────────────────────────────────────────


def frozen(process: subprocess.Popen[Any]) -> None:
    process.send_signal(signal.SIGSTOP)
    threading.Event().wait(SILENT_S)
    process.send_signal(signal.SIGCONT)


def broker_dies(kafka: ClusterApart, topic: str, broker: int) -> None:
    """Others lead its partitions and coordinate its groups; after a while it is back."""
    others = [one for one in BROKERS if one != broker]
    kafka.tell("stop", broker)
    for partition in range(PARTITIONS):
        kafka.tell("lead", topic, partition, others[partition % len(others)])
    kafka.tell("coordinate", GROUP, others[0])
    threading.Event().wait(SILENT_S)
    kafka.tell("start", broker)


def cut(kafka: Kafka) -> None:
    kafka.line.cut()
    threading.Event().wait(SILENT_S)
    kafka.line.mend()


def gone(kafka: Kafka) -> None:
    kafka.line.close()
    threading.Event().wait(SILENT_S)
    kafka.line.open()


def kill(hub: RunningHub, role: str) -> None:
    process = hub.roles().get(role)
    if process is not None:
        with suppress(psutil.NoSuchProcess):
            for each in [*process.children(recursive=True), process]:
                each.kill()


def hub_killed(hub: RunningHub) -> None:
    hub.kill_supervisor()
    hub.start()


class Workers:
    """Further apply roles of the same installation, as other machines run them."""

    def __init__(self, hub: RunningHub) -> None:
        self._hub = hub
        self._running: list[subprocess.Popen[bytes]] = []

    def __enter__(self) -> Workers:
        return self

    def __exit__(self, *_: object) -> None:
        while self._running:
            self.kill_one()

    def start(self, count: int) -> None:
        for _ in range(count):
            with self._hub.log.open("ab") as log:
                command = [sys.executable, "-m", "hub", "run", "apply"]
                self._running.append(
                    subprocess.Popen(command, env=self._hub.environment, cwd=ROOT, stdout=log, stderr=log)
                )

    def kill_one(self) -> None:
        if self._running:
            process = self._running.pop()
            process.kill()
            process.wait()


# ── sending and counting ─────────────────────────────────────────────────────────────────────────────────────────


class Run(threading.Thread):
    """Several clients; each sends a batch again until it is answered with 2xx, as official ones do."""

    def __init__(self, hub: RunningHub) -> None:
        super().__init__(daemon=True)
        source = hub.cli("sources", "add", "segment", "--name", "web", "--json")
        self.hub = hub
        self.url = f"{source['webhook_url']}/v1/batch"
        self.auth = (source["write_key"], "")
        self.sent = 0
        self.error: str | None = None
        self._lock = threading.Lock()
        self._firsts = iter(range(0, MESSAGES, BATCH))

    def run(self) -> None:
        threads = [threading.Thread(target=self._send, daemon=True) for _ in range(SENDERS)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    def while_it_strikes(self, *strikes: Callable[[], None]) -> None:
        """Send everything, with these troubles spread over it in an order of chance."""
        chance = random.Random(SEED)
        self.start()
        for number, strike in enumerate(chance.sample(strikes, len(strikes))):
            goal = (number + chance.random()) * MESSAGES / len(strikes)
            eventually(lambda: self.sent >= goal or not self.is_alive(), within_s=300, what="progress")  # noqa: B023
            strike()
        self.join(timeout=600)
        assert self.error is None, self.error

    def ends_with_everything_applied_once(self) -> None:
        self._send_singles()
        ledger = self.hub.drained(within_s=DRAINED_S)
        count = MESSAGES + SINGLES
        assert ledger["applied"] == count
        assert ledger["accepted"] == count + ledger["duplicate"]
        assert ledger["ignored"] == ledger["quarantined"] == 0
        assert events_of_everyone(self.hub) == count

    def _send_singles(self) -> None:
        """One broker tells a partition's end from where its last batch begins (tests.kafka.ONE_BY_ONE), so the last one
        of every partition holds one record."""
        with requests.Session() as session:
            for number in range(MESSAGES, MESSAGES + SINGLES):
                body = {"batch": [event(number)]}
                eventually(lambda: self._accepted(session, body), what="a single message being accepted")  # noqa: B023

    def _send(self) -> None:
        with requests.Session() as session:
            for first in self._next():
                body = {"batch": [event(number) for number in range(first, min(first + BATCH, MESSAGES))]}
                deadline = time.monotonic() + 120
                while not self._accepted(session, body):
                    if time.monotonic() > deadline:
                        self.error = f"batch {first} was not accepted within 120 s"
                        return
                    threading.Event().wait(0.2)
                with self._lock:
                    self.sent += BATCH

    def _next(self) -> Iterator[int]:
        while True:
            with self._lock:
                first = next(self._firsts, None)
            if first is None:
                return
            yield first

    def _accepted(self, session: requests.Session, body: dict[str, Any]) -> bool:
        try:
            return session.post(self.url, json=body, auth=self.auth, timeout=12).ok
        except requests.RequestException:
            return False


def event(number: int) -> dict[str, Any]:
    return {
        "type": "track",
        "event": EVENT,
        "messageId": f"message-{number}",
        "userId": f"person-{number % PEOPLE}",
        "timestamp": "2026-03-14T10:00:00.000Z",
        "properties": {"order_id": f"order-{number}", "total": 10, "currency": "EUR"},
    }


def events_of_everyone(hub: RunningHub) -> int:
    counts: Counter[str] = Counter()
    for profile in hub.cli("profiles", "list", "--limit", "10000", "--full", "--json"):
        counts.update(profile["events"])
    return counts["order_completed"]
