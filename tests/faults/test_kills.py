"""`kill -9` of every role and of the supervisor at random moments of a run: nothing lost, nothing twice."""

from __future__ import annotations

import random
import threading
import time
from collections import Counter
from pathlib import Path
from typing import Any

import psutil
import requests

from tests.harness import RunningHub, eventually
from tests.vendors import Vendors

EVENTS = 20_000
PEOPLE = 500
BATCH = 100
VICTIMS = ("web", "apply", "deliver", "schedule", "supervisor") * 2
SEED = 20261121


def test_kills_at_random_moments_lose_nothing_and_double_nothing(tmp_path: Path, database_url: str) -> None:
    chance = random.Random(SEED)
    with Vendors() as vendors, RunningHub(tmp_path / "hub", database_url) as hub:
        source = hub.cli("sources", "add", "segment", "--name", "web", "--json")
        vendors.connect(hub)
        hub.cli("campaigns", "add", "--name", "spring", "--pattern", "SPRING-########", "--json")
        hub.cli(
            "distributions", "add", "--name", "welcome", "--campaign", "spring", "--all", "--every", "3s",
            "--to", "crm:messages:campaign_id=demo", "--json",
        )  # fmt: skip
        sender = Sender(source, hub)
        sender.start()
        _kill_at_random(hub, sender, chance)
        sender.join(timeout=300)
        assert sender.error is None, sender.error

        ledger = hub.drained(within_s=120)
        hub.cli("distributions", "pause", "welcome")
        ledger = eventually(
            lambda: found if (found := hub.balanced())["waiting_deliveries"] == 0 else None,
            within_s=120,
            what="every delivery being settled",
        )

        assert ledger["applied"] == EVENTS
        assert ledger["accepted"] == EVENTS + ledger["duplicate"]
        assert _events_of_everyone(hub) == EVENTS
        assert ledger["sent"] > 0, ledger
        _no_code_went_to_two_people(vendors)


def _kill_at_random(hub: RunningHub, sender: Sender, chance: random.Random) -> None:
    """Kill every role and the supervisor twice, in random order and at random moments, while messages are sent."""
    for number, victim in enumerate(chance.sample(VICTIMS, len(VICTIMS))):
        goal = (number + chance.random()) * EVENTS / len(VICTIMS)
        eventually(lambda: sender.sent >= goal or not sender.is_alive(), within_s=300, what="progress")  # noqa: B023
        if victim == "supervisor":
            hub.kill_supervisor()
            hub.start()
            continue
        process = hub.roles().get(victim)
        if process is not None:
            _kill_with_children(process)


def _kill_with_children(process: psutil.Process) -> None:
    try:
        for each in [*process.children(recursive=True), process]:
            each.kill()
    except psutil.NoSuchProcess:
        return


def _events_of_everyone(hub: RunningHub) -> int:
    counts: Counter[str] = Counter()
    for profile in hub.cli("profiles", "list", "--limit", "10000", "--full", "--json"):
        counts.update(profile["events"])
    return counts["order_completed"]


def _no_code_went_to_two_people(vendors: Vendors) -> None:
    owners: dict[str, set[str]] = {}
    for person, code in vendors.codes("crm"):
        owners.setdefault(code, set()).add(person)
    assert owners, "no code arrived at all"
    assert all(len(people) == 1 for people in owners.values())


class Sender(threading.Thread):
    """Sends every message as an official client does: a batch is sent again until it is answered with 2xx."""

    def __init__(self, source: dict[str, Any], hub: RunningHub) -> None:
        super().__init__(daemon=True)
        self.url = f"{source['webhook_url']}/v1/batch"
        self.auth = (source["write_key"], "")
        self.hub = hub
        self.sent = 0
        self.error: str | None = None

    def run(self) -> None:
        session = requests.Session()
        for first in range(0, EVENTS, BATCH):
            body = {"batch": [_event(number) for number in range(first, first + BATCH)]}
            deadline = time.monotonic() + 60
            while not self._accepted(session, body):
                if time.monotonic() > deadline:
                    self.error = f"batch {first} was not accepted within 60 s"
                    return
                threading.Event().wait(0.1)
            self.sent = first + BATCH

    def _accepted(self, session: requests.Session, body: dict[str, Any]) -> bool:
        try:
            return session.post(self.url, json=body, auth=self.auth, timeout=10).ok
        except requests.RequestException:
            return False


def _event(number: int) -> dict[str, Any]:
    return {
        "type": "track",
        "event": "Order Completed",
        "messageId": f"message-{number}",
        "userId": f"person-{number % PEOPLE}",
        "context": {"traits": {"email": f"person-{number % PEOPLE}@example.com"}},
        "timestamp": "2026-03-14T10:00:00.000Z",
        "properties": {"order_id": f"order-{number}", "total": 10, "currency": "EUR"},
    }
