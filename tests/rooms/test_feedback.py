"""Feedback through the whole hub: what an address said counts for whoever holds it, whenever they become known."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from connectors.webhook.connector import WebhookSource
from hub.admin.connections import add_source
from hub.admin.mapping_choice import Choice, change_mapping
from hub.core import clock
from hub.core.clock import HOUR, SECOND, Micros, to_datetime
from hub.core.database import read, write
from hub.inbox.values import AcceptedRequest
from hub.ledger import store as ledger
from hub.mapping.versions.watch import Mappings
from hub.profiles import store as profiles
from hub.registry import store as registry
from hub.registry.values import Connection
from hub.runtime.live.mappings import MappingWatch
from hub.sdk.declared import build
from hub.sdk.errors import ConfigurationError
from hub.sdk.values import InboundRequest
from tests.rooms.whole import Whole

NOW = clock.now()
SETTINGS = {"verify": "header", "secret": "t0ken", "time_path": "dataFields.createdAt"}


@pytest.fixture
def iterable(whole: Whole) -> Connection:
    return added(whole, "iterable", Choice("iterable-feedback"))


def added(whole: Whole, name: str, choice: Choice) -> Connection:
    with write(whole.engine) as database:
        return add_source(whole.hub, database, NOW, "webhook", name, SETTINGS, "tests", choice)


def told(event: str, email: str, at: Micros = NOW - HOUR, **more: Any) -> dict[str, Any]:
    when = to_datetime(at).strftime("%Y-%m-%d %H:%M:%S +00:00")
    return {"email": email, "eventName": event, **more, "dataFields": {"createdAt": when, "unsubSource": "EmailLink"}}


def tells(whole: Whole, connection: Connection, *messages: dict[str, Any]) -> None:
    """The vendor's request, through the connector, stored and applied."""
    source = build(WebhookSource, connection.settings, connection.secrets)
    for message in messages:
        body = json.dumps(message).encode()
        request = InboundRequest(
            "POST", "", {}, {"authorization": "t0ken"}, body, body, "203.0.113.9", to_datetime(NOW)
        )
        whole.inbox.append(AcceptedRequest(connection.id, NOW, source.receive(request).messages))
        whole.applies()


def may_write(whole: Whole, who: str, topic: str = "email") -> bool | None:
    with read(whole.engine) as database:
        return profiles.consent_for(database, [who], [topic])[who][topic].is_granted


def test_an_unsubscribe_that_arrives_before_the_profile_is_not_lost(whole: Whole, iterable: Connection) -> None:
    tells(whole, iterable, told("emailUnSubscribe", "Ada@Example.com"))
    whole.identifies("cust_1", email="ada@example.com")

    assert may_write(whole, "cust_1") is False
    assert may_write(whole, "cust_1", "email.news") is False
    assert may_write(whole, "cust_1", "sms") is None
    assert whole.messages(connection_id=iterable.id).popitem()[1] == ("applied", "")
    whole.books()


@pytest.mark.parametrize("profile_first", [True, False])
def test_what_comes_first_changes_nothing(whole: Whole, iterable: Connection, *, profile_first: bool) -> None:
    whole.connect("crm", "consent")
    if profile_first:
        whole.identifies("cust_1", email="ada@example.com")
    tells(whole, iterable, told("emailUnSubscribe", "ada@example.com"))
    if not profile_first:
        whole.identifies("cust_1", email="ada@example.com")

    shown = whole.profile("cust_1")
    assert shown is not None
    assert shown["consents"]["email"]["status"] == "denied"
    assert shown["consents"]["email"]["source"] == "iterable EmailLink"
    whole.delivers()
    sent = {(one["operation"], one["source_id"], one["state"]) for one in whole.deliveries()}
    assert ("consent", "cust_1", "sent") in sent
    whole.books()


def test_two_people_with_one_address_are_both_left_alone(whole: Whole, iterable: Connection) -> None:
    whole.identifies("cust_1", email="home@example.com")
    whole.identifies("cust_2", email="home@example.com")
    tells(whole, iterable, told("emailComplaint", "home@example.com", userId="cust_1"))

    assert (may_write(whole, "cust_1"), may_write(whole, "cust_2")) == (False, False)


def test_the_later_word_about_an_address_counts_in_whatever_order_it_arrives(whole: Whole) -> None:
    intercom = added(whole, "intercom", Choice("intercom-feedback"))

    def says(topic: str, at: Micros) -> dict[str, Any]:
        contact = {"type": "contact", "external_id": None, "email": "ada@example.com"}
        return {"topic": topic, "id": f"n-{at}", "created_at": at // SECOND, "data": {"item": {"contact": contact}}}

    tells(whole, intercom, says("contact.subscribed", NOW - HOUR), says("contact.unsubscribed", NOW - 2 * HOUR))
    whole.identifies("cust_1", email="ada@example.com")
    assert may_write(whole, "cust_1") is True

    tells(whole, intercom, says("contact.unsubscribed", NOW - HOUR // 2))
    assert may_write(whole, "cust_1") is False


def test_a_repetition_counts_once_though_the_vendor_sends_no_id(whole: Whole, iterable: Connection) -> None:
    whole.identifies("cust_1", email="ada@example.com")
    opened = told("emailOpen", "ada@example.com", userId="cust_1")
    tells(whole, iterable, opened, opened, told("emailOpen", "ada@example.com", NOW - SECOND, userId="cust_1"))

    shown = whole.profile("cust_1")
    assert shown is not None
    assert shown["events"] == {"email_opened": 2}
    whole.books()


def test_an_event_of_a_stranger_is_ignored_by_name(whole: Whole, iterable: Connection) -> None:
    tells(whole, iterable, told("emailOpen", "ada@example.com"))
    assert [*whole.messages(connection_id=iterable.id).values()] == [("ignored", "anonymous")]


# ── which mapping a connection follows ───────────────────────────────────────────────────────────────────────────


def test_the_watch_keeps_a_connection_on_the_mapping_and_the_patch_it_chose(whole: Whole, tmp_path: Path) -> None:
    folder = tmp_path / "own"
    folder.mkdir()
    whole.hub.__dict__["folders"] = whole.hub.folders.of(str(folder))
    file = folder / "acme.yaml"
    file.write_text("connector: webhook\nwho: {source_id: id}\nrules: [{id: any, event: {name: kind}}]\n")
    made = added(whole, "acme", Choice("acme", "rules: {any: {event: {name: {const: Patched}}}}"))
    watch = MappingWatch(whole.hub, Mappings(whole.engine, whole.hub.folders))

    watch.look()
    assert stored(whole, made).mapping_hash == made.mapping_hash
    tells(whole, made, {"id": "cust_1", "kind": "Seen"})
    file.write_text(file.read_text().replace("kind", "sort, kind: sort").replace("acme", "acme"))
    watch.look()
    assert stored(whole, made).mapping_hash != made.mapping_hash
    assert stored(whole, made).mapping_patch

    shown = whole.profile("cust_1")
    assert shown is not None
    assert shown["events"] == {"patched": 1}


def test_a_change_of_mapping_is_followed_and_told(whole: Whole, iterable: Connection) -> None:
    change(whole, iterable, patch="who: {source_id: email}")
    tells(whole, iterable, told("emailOpen", "ada@example.com"))
    assert whole.profile("ada@example.com") is not None
    with read(whole.engine) as database:
        kinds = [entry.action for entry in ledger.audits(database).items]
    assert "source.mapping_changed" in kinds

    back = change(whole, iterable, patch="")
    assert (back.mapping, back.mapping_patch) == ("iterable-feedback", "")
    assert change(whole, iterable, name="").mapping == "webhook"


@pytest.mark.parametrize(
    ("name", "patch", "words"),
    [
        ("iterable-feedbak", None, "There is no mapping 'iterable-feedbak'; there are .*iterable-feedback"),
        ("no name", None, "not a mapping name"),
        ("braze", None, "no `rules` for what comes in"),
        (None, "rules: {nothing: null}", "there is no 'nothing' to delete"),
        (None, "who: {source_id: [", "patch of the connection"),
    ],
)
def test_a_wrong_choice_changes_nothing(
    whole: Whole, iterable: Connection, name: str | None, patch: str | None, words: str
) -> None:
    with pytest.raises(ConfigurationError, match=words):
        change(whole, iterable, name=name, patch=patch)
    assert stored(whole, iterable) == iterable


def change(whole: Whole, connection: Connection, **wanted: str | None) -> Connection:
    with write(whole.engine) as database:
        return change_mapping(whole.hub, database, NOW, connection, "tests", **wanted)


def stored(whole: Whole, connection: Connection) -> Connection:
    with read(whole.engine) as database:
        return registry.get(database, whole.hub.vault, connection.id)
