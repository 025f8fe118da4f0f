"""The main job, end to end: a webhook comes in, a code goes out, the operator reads and mends what went wrong."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import requests

from tests.harness import RunningHub, eventually
from tests.vendors import Vendors

PEOPLE = ("ada", "bo", "cy")


@pytest.fixture
def vendors() -> Iterator[Vendors]:
    with Vendors() as running:
        yield running


def arrive(hub: RunningHub, source: dict[str, Any], *people: str) -> None:
    batch = [
        {"type": "identify", "userId": one, "messageId": f"m-{one}", "traits": {"email": f"{one}@example.com"}}
        for one in people
    ]
    auth = (source["write_key"], "")
    assert requests.post(f"{source['webhook_url']}/v1/batch", json={"batch": batch}, auth=auth, timeout=10).ok
    hub.drained()


def settled(hub: RunningHub) -> dict[str, Any]:
    return eventually(
        lambda: books if (books := hub.balanced())["decided"] and not books["waiting_deliveries"] else None,
        what="every delivery being settled",
    )


def test_a_failed_delivery_is_seen_explained_and_replayed(hub: RunningHub, vendors: Vendors) -> None:
    source = hub.cli("sources", "add", "segment", "--name", "web", "--json")
    vendors.connect(hub)
    hub.cli("campaigns", "add", "--name", "spring", "--pattern", "SPRING-######", "--json")
    arrive(hub, source, *PEOPLE)
    vendors.simulators["crm"].next(status=400, body={"message": "Invalid Campaign ID"}, path="/campaigns")
    hub.cli(
        "distributions", "add", "--name", "welcome", "--campaign", "spring", "--all",
        "--to", "crm:messages:campaign_id=demo", "--to", "mail:messages", "--json",
    )  # fmt: skip
    hub.cli("distributions", "run", "welcome", "--key", "once", "--json")

    books = settled(hub)
    dead = hub.cli("deliveries", "list", "--status", "dead", "--json")
    shown = hub.cli("deliveries", "show", dead[0]["id"], "--json")

    assert (books["sent"], books["dead"], books["published"]) == (3, 3, 3)
    assert {row["connection"] for row in dead} == {"crm"}
    assert "Invalid Campaign ID" in shown["detail"] + shown["attempts"][0]["response"]
    assert "incentive_code" in shown["attempts"][0]["request"]

    hub.cli("replay", "deliveries", "--connection", "crm", "--yes", "--json")
    books = settled(hub)

    assert (books["sent"], books["dead"]) == (6, 0)
    assert dict(vendors.codes("crm")) == dict(vendors.codes("mail"))
    assert len({code for _, code in vendors.codes("crm")}) == len(PEOPLE)

    hub.cli("distributions", "run", "welcome", "--key", "once", "--json")
    again = hub.cli("distributions", "run", "welcome", "--key", "once", "--json")
    assert again["is_new"] is False
    assert settled(hub)["decided"] == 6


def test_a_scheduled_distribution_fires_and_a_late_person_is_in_the_next_run(hub: RunningHub, vendors: Vendors) -> None:
    source = hub.cli("sources", "add", "segment", "--name", "web", "--json")
    vendors.connect(hub)
    hub.cli("campaigns", "add", "--name", "spring", "--pattern", "SPRING-######", "--json")
    arrive(hub, source, "ada")
    hub.cli(
        "distributions", "add", "--name", "tick", "--campaign", "spring", "--all", "--every", "2s",
        "--to", "crm:messages:campaign_id=demo", "--json",
    )  # fmt: skip
    eventually(lambda: vendors.codes("crm"), what="the first run")
    arrive(hub, source, "bo")

    codes = eventually(
        lambda: found if set(dict(found := vendors.codes("crm"))) == {"ada", "bo"} else None,
        what="the late person being in a later run",
    )

    owners = {person: {code for one, code in codes if one == person} for person in ("ada", "bo")}
    assert all(len(codes_of_one) == 1 for codes_of_one in owners.values()), "a person gets the same code each time"
    assert owners["ada"] != owners["bo"]


def test_an_erased_person_is_gone_here_and_there_and_stays_gone(hub: RunningHub, vendors: Vendors) -> None:
    source = hub.cli("sources", "add", "segment", "--name", "web", "--json")
    vendors.connect(hub)
    arrive(hub, source, *PEOPLE)
    hub.cli(
        "distributions", "add", "--name", "push", "--all", "--to", "crm:profiles", "--to", "mail:profiles", "--json"
    )
    hub.cli("distributions", "run", "push", "--json")
    settled(hub)
    assert vendors.simulators["crm"].profiles.keys() == set(PEOPLE)

    done = hub.cli("erase", "ada", "--yes", "--json")
    settled(hub)
    arrive(hub, source, "ada")

    assert done["destinations"] == ["crm", "mail"]
    assert "Nobody is known" in hub.cli("profiles", "show", "ada", fails=True).stderr
    assert vendors.simulators["crm"].profiles.keys() == {"bo", "cy"}
    assert hub.balanced()["duplicate"] + hub.balanced()["ignored_reasons"].get("erased", 0) == 1
