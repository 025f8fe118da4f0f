"""What one hub sends as a webhook another hub understands without a mapping of its own."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import pytest

from connectors.webhook.connector import Webhook, WebhookSource
from connectors.webhook.simulator import SIGNING_KEY
from hub.mapping.inbound import compile_inbound
from hub.mapping.show import change_as_json
from hub.mapping.versions.files import Folders
from hub.mapping.versions.version import resolve
from hub.sdk.declared import build
from hub.sdk.json import loads
from hub.sdk.kit.bench.pushes import push
from hub.sdk.values import AnyPush, Batch, InboundRequest, Operation, Person
from hub.sdk.wire import encode

NOW = datetime(2026, 3, 14, 9, tzinfo=UTC)
RECEIVED_AT = 1_773_478_800_000_000
PERSON = Person("cust_1", email="ada@example.com", phone="+48500000001")
MAPPING = compile_inbound(resolve("webhook", "", Folders()).document, connection_id="c", options={})


def sends(operation: Operation, number: int = 0, **given: Any) -> AnyPush:
    return push(
        operation,
        **{
            "fields": {},
            "person": PERSON,
            "options": None,
            "now": NOW,
            "at": NOW,
            "delivery_id": f"D{number:025d}",
            **given,
        },
    )


def understood(*pushes: AnyPush) -> list[Mapping[str, Any]]:
    """The changes that the other hub makes of these records, sent in one call."""
    sender = build(
        Webhook, {"url": "https://hub.example.com/in/key", "secret": SIGNING_KEY, "records_per_call": len(pushes)}, {}
    )
    receiver = build(
        WebhookSource,
        {"verify": "standard_webhooks", "secret": SIGNING_KEY, "messages_path": "data", "message_id": "id"},
        {},
    )
    batch = Batch("records", "", pushes, [item for one in pushes for item in sender.items(one)], NOW)
    wire = encode(sender.request(batch), sender.hosts(), sender.auth())
    headers = {name.lower(): value for name, value in wire.headers.items()}
    body = wire.body or b""
    messages = receiver.receive(InboundRequest("POST", "", {}, headers, body, body, "203.0.113.9", NOW)).messages
    assert [one.dedup_key for one in messages] == [one.delivery_id for one in pushes]
    return [
        change_as_json(MAPPING.apply(loads(one.body), message_id=str(one.dedup_key), received_at=RECEIVED_AT))
        for one in messages
    ]


def test_a_profile_arrives_whole() -> None:
    fields = {
        "email": "ada@example.com", "first_name": "Ada", "birthdate": "1988-11-02", "address": {"city": "Bristol"},
        "metadata": {"points": 120, "tags": ["a"]},
    }  # fmt: skip
    (change,) = understood(sends(Operation.PROFILES, fields=fields, changed=fields))
    assert change["source_id"] == "cust_1"
    assert change["profile"] == fields
    assert [(one["type"], one["value"]) for one in change["identities"]] == [
        ("email", "ada@example.com"),
        ("phone", "+48500000001"),
    ]


def test_an_event_keeps_its_name_its_id_and_its_properties() -> None:
    fields = {"properties": {"order_id": "o-1"}, "key": "order_shipped", "incentive_code": "SPRING"}
    (change,) = understood(sends(Operation.EVENTS, name="Order Shipped", event_id="m-1/0", fields=fields))
    (event,) = change["events"]
    assert (event["id"], event["name"], event["key"], event["code"]) == (
        "m-1/0",
        "Order Shipped",
        "order_shipped",
        "SPRING",
    )
    assert event["properties"] == {"order_id": "o-1"}


@pytest.mark.parametrize("member", [True, False])
def test_a_membership_enters_and_leaves(member: bool) -> None:
    (change,) = understood(sends(Operation.AUDIENCE, audience="vip", member=member, fields={"name": "Very important"}))
    assert change["profile"]["audiences"] == {"vip": {"member": member, "name": "Very important"}}


@pytest.mark.parametrize(("status", "granted"), [("granted", True), ("denied", False), ("unknown", None)])
def test_a_consent_keeps_its_status_and_its_address(status: str, granted: bool | None) -> None:
    consent = {"topic": "email", "status": status, "address": "ada@example.com", "source": "form"}
    (change,) = understood(sends(Operation.CONSENT, consent=consent, fields={"status": status}))
    (found,) = change["consents"]
    assert found.get("granted") is granted
    assert (found["topic"], found["address"], found["source"]) == ("email", "ada@example.com", "form")


def test_an_erasure_erases() -> None:
    (change,) = understood(sends(Operation.ERASE, fields={"email": ["ada@example.com"]}))
    assert [one["source_id"] for one in change["erasures"]] == ["cust_1"]


def test_a_batch_is_understood_record_by_record_each_under_its_own_id() -> None:
    changes = understood(
        sends(Operation.EVENTS, 1, name="Seen", event_id="e-1"),
        sends(Operation.PROFILES, 2, fields={"first_name": "Ada"}),
    )
    assert [change["rules"] for change in changes] == [["event"], ["profile"]]
