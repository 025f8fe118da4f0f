"""The demo: a hub on SQLite, the sandbox, real webhooks, a scheduled distribution; every step shown and verified.

It knows no vendor. Whatever destination brings a simulator is connected, and whatever source brings a `demo.yaml`
(messages, and the profiles they must become) is played.
"""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, TypeVar

import click
import requests
import yaml
from pydantic import BaseModel

from hub.cli.demo_examples import next_lines, profile_lines, request_lines
from hub.cli.terminal import echo
from hub.core.ids import new_token
from hub.core.settings import Settings
from hub.registry.discovery import Found, discover, example_settings
from hub.runtime.process.installation import Installation
from hub.sdk.kit.simulator.base import Simulator
from hub.sdk.kit.simulator.source import SimulatedSource
from hub.sdk.values import Operation

T = TypeVar("T")
PATIENCE_S = 60.0
LOG_SHOWN = 4_000  # characters of the hub's log, where a step fails
MOST = "500"  # rows asked for at once: more than the demo makes
CAMPAIGN = {"name": "welcome", "pattern": "HELLO-######"}


class DemoFailed(Exception):
    """A step of the demo did not come out as promised."""


def play(*, is_once: bool, kind: Callable[[Installation], Demo] | None = None) -> int:
    """Exit code 0 if every step came out as promised."""
    began = time.monotonic()
    with ExitStack() as stack:
        try:
            demo = stack.enter_context(_running(kind or Demo))
            vendors = demo.connect_destinations(stack)
            people = demo.send_webhooks()
            demo.expect_profiles(people)
            demo.distribute(vendors, people)
            demo.expect_codes(vendors, people)
            demo.expect_balance()
        except DemoFailed as failure:
            echo(f" {failure}", mark=click.style("✗", fg="red"))
            return 1
        echo(f" every step verified in {time.monotonic() - began:.1f} s", mark=click.style("✓", fg="green"))
        if is_once:
            return 0
        with suppress(KeyboardInterrupt):
            demo.invite(vendors)
            threading.Event().wait()
        echo("Stopped.")
        return 0


@contextmanager
def _running(kind: Callable[[Installation], Demo]) -> Iterator[Demo]:
    """A hub of its own, in a folder and on a port of its own."""
    folder = Path(tempfile.mkdtemp(prefix="switchboard-demo-"))
    settings = Settings(
        data_dir=folder, database_url="", host="127.0.0.1", port=_free_port(), public_url="", allow_private_hosts=True
    )
    environment = {
        **{key: value for key, value in os.environ.items() if not key.startswith("HUB_")},
        "HUB_DATA_DIR": str(folder),
        "HUB_PORT": str(settings.port),
        "HUB_ALLOW_PRIVATE_HOSTS": "1",
    }
    with (folder / "hub.log").open("wb") as log:
        process = subprocess.Popen([sys.executable, "-m", "hub", "serve"], env=environment, stderr=log, stdout=log)
    try:
        demo = kind(Installation(settings))
        demo.wait_until_ready()
        yield demo
    except DemoFailed:
        echo((folder / "hub.log").read_text()[-LOG_SHOWN:])
        raise
    finally:
        process.terminate()
        process.wait()
        shutil.rmtree(folder, ignore_errors=True)


class Demo:
    """The steps, in the order of the story."""

    def __init__(self, hub: Installation) -> None:
        self.hub, self.origin = hub, hub.settings.origin
        self.http = requests.Session()
        self.found = discover()
        self.person = ""  # whose profile and code are shown

    def wait_until_ready(self) -> None:
        from hub.core import clock
        from hub.core.database import write
        from hub.registry import store

        until(self._is_ready, "the hub did not become ready")
        with write(self.hub.engine) as database:
            _, self.key = store.add_key(database, self.hub.vault, "demo", clock.now())
        self.http.headers["Authorization"] = f"Bearer {self.key}"
        done(f"the hub runs at {self.origin} on SQLite")

    def _is_ready(self) -> bool:
        try:
            return self.http.get(f"{self.origin}/readyz", timeout=2).ok
        except requests.RequestException:  # not yet, or too slowly to count
            return False

    def connect_destinations(self, stack: ExitStack) -> dict[str, Simulator]:
        """Serve and connect the simulator of every destination."""
        vendors = {}
        for found in self.found.values():
            simulator_class = found.subject().simulator_class if self.takes_part(found) else None
            if simulator_class is None:
                continue
            simulator = simulator_class()
            url = stack.enter_context(simulator.serving())
            hosts = {f"hosts.{name}": base for name, base in simulator.base_urls().items()}
            assert found.destination_class is not None
            settings = {**_required(found.destination_class.Settings), **simulator.example_settings(), **hosts}
            self.post("destinations", {"connector": found.name, "name": found.name, "settings": settings})
            vendors[found.name] = simulator
            done(f"destination {found.title} is connected to its simulator at {url}")
        self.explain_absence()
        return vendors

    def explain_absence(self) -> None:
        """Why a destination that the README names is not among them."""
        for found in self.found.values():
            if found.destination_class is not None and not self.takes_part(found):
                takes = ", ".join(sorted(found.destination_class.Options))
                echo(f"  {found.title} is not among them: it takes {takes}, but no messages and so no codes.")

    def takes_part(self, destination: Found) -> bool:
        """Whether a destination is connected: whoever can be sent a code."""
        kind = destination.destination_class
        return kind is not None and Operation.MESSAGES in kind.Options

    def send_webhooks(self) -> dict[str, Any]:
        """Add every source that brings a demo, and send its messages; the profiles they must become, by source_id."""
        people: dict[str, Any] = {}
        for found in self.found.values():
            script = found.folder / "demo.yaml"
            if found.source_class is None or not script.is_file():
                continue
            plan = yaml.safe_load(script.read_text())
            vendor, secret = sender(found), new_token()
            given = {name: value for name, value in vendor.settings(secret).items() if value}
            source = self.post("sources", {"connector": found.name, "name": found.name, "settings": given})
            self.send(found, source["webhook_url"], secret, plan["messages"])
            people = joined(people, plan["profiles"])
        return people

    def send(self, found: Found, url: str, secret: str, messages: list[Any]) -> None:
        vendor = sender(found)
        for message in messages:
            request = vendor.webhook([message], secret, datetime.now(UTC))
            answer = requests.request(
                request.method,
                url + request.path,
                params=request.query,
                headers=request.headers,
                data=request.raw_body,
                timeout=10,
            )
            if not answer.ok:
                raise DemoFailed(f"a webhook of {found.title} was answered {answer.status_code}: {answer.text}")
        done(f"{len(messages)} webhooks of {found.title} were accepted at {url}")

    def expect_profiles(self, people: Mapping[str, Any]) -> None:
        for source_id, wanted in people.items():
            until(lambda: holds(self._profile(source_id), wanted), f"profile {source_id} is not as expected")  # noqa: B023
        done(f"{len(people)} profiles are as their messages say: {', '.join(people)}")
        self.person = next(iter(people))
        _show(profile_lines(self._profile(self.person)))

    def _profile(self, source_id: str) -> Any:
        answer = self.http.get(f"{self.origin}/hub/v1/profiles/{source_id}", timeout=10)
        return answer.json() if answer.ok else {}

    def distribute(self, vendors: Mapping[str, Simulator], people: Mapping[str, Any]) -> None:
        """A campaign, and a distribution scheduled two seconds from now that sends each person a code everywhere."""
        self.post("campaigns", CAMPAIGN)
        targets = []
        for name in vendors:
            destination = self.found[name].destination_class
            assert destination is not None
            options = _required(destination.Options[Operation.MESSAGES])
            targets.append({"connection": name, "operation": "messages", "options": options})
        at = datetime.now(UTC) + timedelta(seconds=2)
        plan = {
            "name": "welcome",
            "campaign": CAMPAIGN["name"],
            "audience": {"source_ids": list(people)},
            "trigger": {"kind": "at", "at": at.isoformat()},
            "targets": targets,
        }
        self.post("distributions", plan)
        done(f"the distribution 'welcome' is scheduled for {at:%H:%M:%S} UTC")

    def expect_codes(self, vendors: Mapping[str, Simulator], people: Mapping[str, Any]) -> None:
        """One code per person, the same one at every vendor."""
        wanted = len(people) * len(vendors)
        deliveries = until(lambda: self._sent(wanted), lambda: self._unsent(wanted))
        codes = {person: {row["code"] for row in deliveries if row["source_id"] == person} for person in people}
        owned = [next(iter(each)) for each in codes.values() if len(each) == 1]
        if len(owned) != len(people) or len(set(owned)) != len(people):
            raise DemoFailed(f"codes are not one per person: {codes}")
        for name, simulator in vendors.items():
            bodies = [call.body.decode("utf-8", "replace") for call in simulator.calls()]
            for code in owned:
                if not any(code in body for body in bodies):
                    raise DemoFailed(f"{name} never received the code {code}")
        done(f"{len(owned)} codes were published, one per person, and arrived at {', '.join(vendors)}")
        [code] = codes[self.person]
        calls = {name: simulator.calls() for name, simulator in vendors.items()}
        _show([f"{self.person} was given the code {code}.", *request_lines(calls, code)])
        self._show_log()

    def _sent(self, wanted: int) -> list[dict[str, Any]]:
        rows: list[dict[str, Any]] = self.get("deliveries", status="sent", operation="messages", limit=MOST)[
            "deliveries"
        ]
        return rows if len(rows) == wanted else []

    def _unsent(self, wanted: int) -> str:
        rows = self.get("deliveries", operation="messages", limit=MOST)["deliveries"]
        told = [
            f"{row['connection']}: {row['status']} {row['reason']} {row['detail']}"
            for row in rows
            if row["status"] != "sent"
        ]
        return "; ".join([f"not all of the {wanted} deliveries were sent", *sorted(set(told))])

    def _show_log(self) -> None:
        echo("The sync log:")
        for run in reversed(self.get("sync-runs", limit=MOST)["sync_runs"]):
            counts = ", ".join(f"{count} {term}" for term, count in run["counts"].items() if count)
            whose = run["distribution"] or run["connection"] or "-"
            echo(f"  {run['started_at']}  {run['kind']:<9} {run['result']:<8} {whose:<16} {counts}")
        echo("")

    def expect_balance(self) -> None:
        ledger = self.get("ledger")
        if not ledger["balanced"]:
            raise DemoFailed(f"the ledger does not balance: {ledger}")
        done(f"the books balance: {ledger['accepted']} messages accepted, {ledger['applied']} applied")

    def invite(self, vendors: Mapping[str, Simulator]) -> None:
        settings = self.hub.settings
        vendor, simulator = next(iter(vendors.items()))
        folder, port = settings.data_dir, settings.port
        _show(next_lines(folder, self.origin, port, self.key, self.person, vendor, simulator.url), after="")

    def get(self, what: str, **query: str) -> Any:
        answer = self.http.get(f"{self.origin}/hub/v1/{what}", params=query, timeout=10)
        answer.raise_for_status()
        return answer.json()

    def post(self, what: str, body: Mapping[str, Any]) -> Any:
        answer = self.http.post(f"{self.origin}/hub/v1/{what}", json=body, timeout=10)
        if not answer.ok:
            raise DemoFailed(f"adding to {what} was answered {answer.status_code}: {answer.text}")
        return answer.json()


def _required(model: type[BaseModel]) -> dict[str, Any]:
    """The examples of what must be given."""
    return {name: value for name, value in example_settings(model).items() if model.model_fields[name].is_required()}


def sender(found: Found) -> SimulatedSource:
    """What plays the vendor of a source."""
    sender_class = found.subject().sender_class
    assert sender_class is not None, "a source that a demo plays brings its simulator"
    return sender_class()


def joined(one: dict[str, Any], other: Mapping[str, Any]) -> dict[str, Any]:
    """What two sources say of the same people, together."""
    both = {name: joined(one[name], other[name]) for name in one if isinstance(one[name], dict) and name in other}
    return {**one, **other, **both}


def holds(profile: Any, wanted: Any) -> bool:
    """Whether everything wanted stands in the profile; it may hold more."""
    if isinstance(wanted, dict):
        return isinstance(profile, dict) and all(holds(profile.get(key), each) for key, each in wanted.items())
    return bool(profile == wanted)


def until(look: Callable[[], T], complaint: str | Callable[[], str]) -> T:
    deadline = time.monotonic() + PATIENCE_S
    while not (found := look()):
        if time.monotonic() > deadline:
            raise DemoFailed(complaint if isinstance(complaint, str) else complaint())
        time.sleep(0.05)
    return found


def _show(lines: Sequence[str], after: str = "\n") -> None:
    echo("\n" + "\n".join(lines) + after)


def done(text: str) -> None:
    echo(f" {text}", mark=click.style("✓", fg="green"))


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
