"""Our requests against those of Airship's own Python package, which is fed the same person and sends nothing.

Known differences, by intent: times end in `Z` (the guides of the API demand it, the package writes none), and the package has no
`unique_id` for custom events and no array of them.
"""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest
import urbanairship
from urbanairship.urls import Urls

from hub.registry.discovery import discover, get
from hub.sdk.json import loads
from hub.sdk.kit.bench.bench import Bench, in_memory
from hub.sdk.kit.bench.pushes import push
from hub.sdk.values import Operation, Person
from hub.sdk.wire import encode

AT = datetime(2026, 1, 15, 9, 30)  # noqa: DTZ001 - the package takes naive times and means UTC
ISO = "2026-01-15T09:30:00Z"
ADA = "ada@example.com"
OPTIONS = {"via": "email", "template_id": "tpl-1", "sender_name": "Shop", "sender_address": "hi@shop.example"}


class Package:
    """The client of the package; it records calls."""

    def __init__(self) -> None:
        self.urls = Urls("us")
        self.sent: list[Any] = []

    def request(self, method: str, body: Any = None, url: str = "", **_: Any) -> Any:
        self.sent.append([method, url.rstrip("/"), json.loads(body)])
        return _Answer()

    def _request(self, method: str, body: Any, url: str, *_: Any, **__: Any) -> Any:
        return self.request(method, body, url)


class _Answer:
    status_code = 200

    def json(self) -> dict[str, Any]:
        return {"ok": True, "channel_id": "c", "push_ids": []}


@pytest.fixture
def package() -> Package:
    return Package()


def ours(operation: Operation, **given: Any) -> list[Any]:
    """What the connector sends for one push."""
    bench: Bench = in_memory(get(discover(), "airship").subject())
    model = bench.destination.Options[operation]
    options = model(**given.pop("options", {}))
    sent: list[Any] = []
    own = bench.send

    def send(request: Any) -> Any:
        wire = encode(request, bench.destination.hosts(), bench.destination.auth())
        sent.append([wire.method, wire.url, loads(wire.body or b"null")])
        return own(request)

    bench.send = send
    person = Person("cust_9f21", given.pop("email", None), given.pop("phone", None))
    made = {"fields": {}, "now": AT.replace(tzinfo=UTC), "at": AT.replace(tzinfo=UTC), **given}
    bench.settle([push(operation, delivery_id="D0000000000000000000000001", person=person, options=options, **made)])
    return sent


def with_z(value: Any) -> Any:
    """The package's body with a `Z` on its times."""
    return json.loads(json.dumps(value).replace('"2026-01-15T09:30:00"', f'"{ISO}"'))


def test_a_profile_takes_the_same_calls(package: Package) -> None:
    client: Any = package
    email = urbanairship.Email(client, ADA, commercial_opted_in=ISO, timezone="Europe/Warsaw", locale_country="PL")
    email.register()
    user = urbanairship.NamedUser(client, "cust_9f21")
    user.email_associate(ADA)
    urbanairship.Sms(client, "12345", "48500000000", opted_in=AT).register()
    attributes = [
        urbanairship.Attribute("set", "first_name", "Ada", AT),
        urbanairship.Attribute("remove", "city", timestamp=AT),
    ]
    user.update(
        associate=[{"channel_id": "00000000-0000-0000-0000-000000000002", "device_type": "sms"}],
        tags={"add": {"hub_flags": ["vip"]}, "remove": {"hub_flags": ["city"]}},
        attributes=[one.payload for one in attributes],
    )
    fields = {
        "email_channel": {
            "address": ADA, "commercial_opted_in": ISO, "timezone": "Europe/Warsaw", "locale_country": "PL"},
        "sms_channel": {"msisdn": "48500000000", "opted_in": ISO},
        "attributes": {"first_name": "Ada", "+tags": ["vip"]},
    }  # fmt: skip
    sent = ours(Operation.PROFILES, fields=fields, unset=["attributes.city"])
    assert sent == with_z(package.sent)


def test_a_custom_event_is_the_same_but_for_its_unique_id(package: Package) -> None:
    client: Any = package
    user = {"named_user": "cust_9f21"}
    properties = {"coupon": "SPRING"}
    urbanairship.CustomEvent(
        client, "order_completed", user, properties=properties, transaction="o-1", value=12.5, occurred=AT
    ).send()
    fields = {"value": 12.5, "transaction": "o-1", "properties": properties}
    ((method, url, (event,)),) = ours(Operation.EVENTS, name="Order Completed", fields=fields)
    assert event["body"].pop("unique_id") == "D0000000000000000000000001"
    assert [[method, url, event]] == with_z(package.sent)


def test_create_and_send_is_the_same(package: Package) -> None:
    client: Any = package
    email = urbanairship.Email(
        client, ADA, commercial_opted_in=ISO, template_fields={"first_name": "Ada", "incentive_code": "S-1"}
    )
    message = urbanairship.CreateAndSendPush(client, [email])
    message.device_types = ["email"]
    said = urbanairship.email("commercial", "", "hi@shop.example", "hi@shop.example", "Shop", "")
    frame = {name: value for name, value in said.items() if name not in ("subject", "plaintext_body")}
    message.notification = {"email": {**frame, "template": {"template_id": "tpl-1"}}}  # the template has both of these
    message.send()
    fields = {"email": {"address": ADA, "opted_in": ISO}, "properties": {"first_name": "Ada", "incentive_code": "S-1"}}
    sent = ours(Operation.MESSAGES, fields=fields, options=OPTIONS)
    assert sent == package.sent


def test_tags_are_the_same(package: Package) -> None:
    client: Any = package
    urbanairship.NamedUser(client, "cust_9f21").tag("hub_segments", add=["vip"])
    ((method, url, body),) = package.sent
    body["audience"]["named_user_id"] = [body["audience"]["named_user_id"]]  # the API takes one or a list
    assert ours(Operation.AUDIENCE, audience="vip", member=True) == [[method, url, body]]


def test_consents_are_the_same(package: Package) -> None:
    client: Any = package
    urbanairship.Email(client, ADA, commercial_opted_out=ISO).register()
    urbanairship.Sms(client, "12345", "48500000000", opted_in=AT).register()
    urbanairship.SubscriptionList(client, "offers").subscribe({"email_address": ADA})
    consents = [("email", "denied"), ("sms", "granted"), ("email.offers", "granted")]
    sent = [
        call
        for topic, status in consents
        for call in ours(Operation.CONSENT, email=ADA, phone="+48500000000", consent={"topic": topic, "status": status})
    ]
    assert sent == with_z(package.sent)


def test_an_erasure_is_the_same(package: Package) -> None:
    client: Any = package
    urbanairship.NamedUser.uninstall(client, ["cust_9f21"])
    urbanairship.Email(client, ADA).uninstall()
    urbanairship.Sms(client, "12345", "48500000000").uninstall()
    assert ours(Operation.ERASE, email=ADA, phone="+48500000000") == package.sent
