"""The official Segment library for Python, pointed at the hub as its documentation says."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlsplit

import pytest
import requests
from segment.analytics.client import Client

from tests.e2e.lossy import LosesAnswers
from tests.harness import SharedHub, eventually


@pytest.fixture
def hub(shared_hub: SharedHub) -> SharedHub:
    return shared_hub


@pytest.fixture
def source(hub: SharedHub) -> dict[str, Any]:
    added: dict[str, Any] = hub.cli("sources", "add", "segment", "--name", hub.name("web"), "--json")
    return added


@pytest.fixture
def flaky(hub: SharedHub) -> Iterator[LosesAnswers]:
    proxy = LosesAnswers(hub.url, losses=2)
    yield proxy
    proxy.close()


def say_everything(client: Client, person: str) -> None:
    client.identify(person, {"email": f"{person}@example.com", "plan": "pro"})
    client.track(person, "Order Completed", {"order_id": f"o-{person}", "total": 12.5, "currency": "EUR"})
    client.page(person, "Docs", "Home", {"path": "/"})
    client.screen(person, "Wallet", "Main", {"vouchers": 3})
    client.group(person, "org_1", {"name": "Org One"})
    client.alias(f"anonymous-{person}", person)


def test_every_call_of_the_official_client_arrives_once(hub: SharedHub, source: dict[str, Any]) -> None:
    client = Client(source["write_key"], host=source["webhook_url"], max_retries=3)
    for number in range(20):
        say_everything(client, f"person-{number}")
    client.shutdown()

    ledger = hub.drained()
    profile = hub.cli("profiles", "show", "person-7", "--json")

    assert ledger["accepted"] == 120
    assert ledger["applied"] == 120
    assert ledger["duplicate"] == 0
    assert profile["traits"]["email"] == "person-7@example.com"
    assert profile["metadata"]["plan"] == "pro"
    assert profile["events"] == {"order_completed": 1, "viewed_home_page": 1, "viewed_main_screen": 1}


def test_messages_the_client_sends_again_are_counted_and_change_nothing(
    hub: SharedHub, source: dict[str, Any], flaky: LosesAnswers
) -> None:
    path = urlsplit(source["webhook_url"]).path
    client = Client(source["write_key"], host=flaky.url + path, max_retries=5, upload_interval=0.1)
    for number in range(10):
        say_everything(client, f"patient-{number}")
    client.shutdown()

    ledger = hub.drained()

    assert flaky.losses == 0
    assert ledger["applied"] == 60
    assert ledger["duplicate"] == ledger["accepted"] - 60 > 0
    assert hub.cli("profiles", "show", "patient-3", "--json")["events"]["order_completed"] == 1


def test_a_bare_nan_from_the_official_client_is_absent_with_a_warning(hub: SharedHub, source: dict[str, Any]) -> None:
    client = Client(source["write_key"], host=source["webhook_url"], sync_mode=True)
    client.identify("ada", {"email": "ada@example.com", "score": float("nan")})

    hub.drained()
    profile = eventually(lambda: hub.cli("profiles", "show", "ada", "--json"))

    assert profile["traits"]["email"] == "ada@example.com"
    assert "score" not in profile["metadata"]


def test_the_wrong_write_key_is_refused_and_counted(hub: SharedHub, source: dict[str, Any]) -> None:
    batch = {
        "batch": [{"type": "identify", "userId": "ada", "messageId": str(uuid.uuid4()), "traits": {}}],
        "sentAt": datetime.now(UTC).isoformat(),
    }
    answer = requests.post(f"{source['webhook_url']}/v1/batch", json=batch, auth=("wrong", ""), timeout=5)

    assert answer.status_code == 401
    assert set(answer.json()) >= {"code", "message"}
    refusals = eventually(lambda: hub.cli("ledger", "refusals", "--json"))
    assert refusals[0]["reason"] == "signature_invalid"


SOURCES = [
    ("segment", ()),
    ("mparticle", ("--set", "authorization=Bearer example")),
    ("mparticle", ("--set", "authorization=as it is")),
    ("csv", ()),
]


@pytest.mark.parametrize(("connector", "settings"), SOURCES)
def test_a_source_is_tried_with_a_sample_of_its_vendor(
    hub: SharedHub, connector: str, settings: tuple[str, ...]
) -> None:
    name = hub.name(connector)
    hub.cli("sources", "add", connector, "--name", name, *settings, "--json")

    for _ in range(2):
        tried = hub.cli("sources", "test", name, "--json")
        assert (tried["status"] // 100, tried["message"]["state"]) == (2, "applied"), tried
    rotated = hub.cli("sources", "rotate", name, "--json")
    assert rotated["old_one_taken_until"]
    assert hub.cli("sources", "test", name, "--json")["message"]["state"] == "applied", (
        "the new secret is known at once"
    )

    hub.cli("sources", "pause", name, "--json")
    refused = eventually(lambda: _refused(hub, name), what="the pause being known")
    assert f"refused it with 503; `hub ledger refusals --connection {name}`" in refused


def _refused(hub: SharedHub, name: str) -> str | None:
    tried = hub.cli("sources", "test", name, fails=True)
    return tried.stderr if tried.returncode == 1 else None
