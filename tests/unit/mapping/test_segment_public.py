"""Shapes that other projects' public test data has and the bundled segment.yaml must understand. The messages are made up.

| seen in | what |
|---|---|
| segmentio/action-destinations | `journey_step` computations with a membership under their key, as its `resolveAudienceMembership` reads them |
| segmentio/segment-docs, `spec/email` | a recipient who unsubscribes, from everything or from a list |
| segmentio/segment-docs, `spec/track` | traits in the context of a track call do not update the profile, apart from its addresses |
| rudderlabs/rudder-transformer | traits in the context only, one product without a list, currencies on the products, no `timestamp` |
"""

from __future__ import annotations

from typing import Any

import pytest

from hub.mapping.model import Verdict
from tests.unit.mapping.segment_samples import RECEIVED_AT
from tests.unit.mapping.test_segment_sheet import MINUTE, apply, personas

STEP = personas("journey_step", "welcome__step_2")


# ── journeys ─────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(("said", "member"), [(True, True), (False, False), ("true", True), ("false", False)])
@pytest.mark.parametrize("holder", ["traits", "properties"])
def test_a_step_of_a_journey_that_says_yes_or_no_is_a_membership(holder: str, said: Any, member: bool) -> None:
    kind = {"type": "identify"} if holder == "traits" else {"type": "track", "event": "Audience Entered"}
    change = apply({**kind, holder: {"welcome__step_2": said, "plan": "x"}, "context": STEP})
    assert change.fields["audiences.welcome__step_2"] == {"member": member, "id": "c1"}
    assert "metadata.welcome__step_2" not in change.fields
    assert not change.events
    assert not change.warnings


def test_a_step_of_a_journey_without_an_answer_is_the_event_it_sends() -> None:
    change = apply({"type": "track", "event": "Offer Sent", "properties": {"is_gift": True}, "context": STEP})
    assert [(event.name, event.properties) for event in change.events] == [("Offer Sent", {"is_gift": True})]
    assert not [name for name in change.fields if name.startswith("audiences.")]
    assert not change.warnings


def test_the_traits_beside_an_event_of_a_journey_answer_nothing() -> None:
    message = {"type": "track", "event": "Offer Sent", "traits": {"welcome__step_2": True}, "context": STEP}
    assert [event.name for event in apply(message).events] == ["Offer Sent"]


def test_what_a_step_of_a_journey_leaves_open_stays_a_trait() -> None:
    change = apply({"type": "identify", "traits": {"welcome__step_2": "waiting"}, "context": STEP})
    assert change.fields == {"metadata.welcome__step_2": "waiting"}


def test_an_event_of_an_audience_that_says_neither_yes_nor_no_is_not_lost() -> None:
    change = apply({"type": "track", "event": "Email Opened", "context": personas("audience", "vip")})
    assert [event.name for event in change.events] == ["Email Opened"]
    assert not change.fields


# ── traits that stand in the context ─────────────────────────────────────────────────────────────────────────────

TRAITS: dict[str, Any] = {
    "firstName": "Ada", "lastname": "Quill", "email": "ada@example.com", "phone": "020 7946 0018", "birthday": "1988-11-02",
    "gender": "F", "createdAt": "2021-05-04T08:15:00Z", "plan": "team", "anonymousId": "a-1", "userId": "u1",
    "address": {"street": "4 Lantern Row", "city": "Bristol", "postalCode": "BS1 4ZZ", "country": "GB", "floor": 2},
}  # fmt: skip
PERSON = {
    "name": "Ada Quill", "first_name": "Ada", "last_name": "Quill", "email": "ada@example.com", "phone": "+442079460018",
    "birthdate": "1988-11-02", "gender": "female", "created_at": "2021-05-04T08:15:00Z", "metadata.plan": "team",
    "address.line_1": "4 Lantern Row", "address.city": "Bristol", "address.postal_code": "BS1 4ZZ", "address.country": "GB",
    "metadata.address": {"floor": 2},
}  # fmt: skip


def test_identify_reads_the_context_where_it_has_no_traits_of_its_own() -> None:
    assert apply({"type": "identify", "context": {"traits": TRAITS}}).fields == PERSON
    assert apply({"type": "identify", "traits": {}, "context": {"traits": TRAITS}}).fields == PERSON


def test_identify_with_traits_takes_addresses_alone_from_the_context() -> None:
    change = apply({"type": "identify", "traits": {"plan": "basic"}, "context": {"traits": TRAITS}})
    assert change.fields == {"metadata.plan": "basic", "email": "ada@example.com"}


@pytest.mark.parametrize("kind", ["track", "page", "screen", "group"])
def test_other_calls_take_addresses_alone_from_the_context(kind: str) -> None:
    traits = {"email": "ada@example.com", "phone": "+442079460018", "name": "Ada", "plan": "team"}
    message = {"type": kind, "event": "Seen", "groupId": "g1", "context": {"traits": traits, "locale": "en-GB"}}
    fields = {name: value for name, value in apply(message).fields.items() if not name.startswith("groups.")}
    assert fields == {"email": "ada@example.com", "phone": "+442079460018", "locale": "en-GB"}


def test_a_national_number_is_an_identity_as_much_as_a_trait() -> None:
    change = apply({"type": "identify", "traits": {"phone": "020 7946 0018", "country": "GB"}})
    assert [(one.type, one.value) for one in change.identities] == [("phone", change.fields["phone"])]


# ── time ─────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_the_original_time_stands_in_where_the_corrected_one_is_missing() -> None:
    said = {"type": "track", "event": "Seen", "originalTimestamp": "2026-04-02T06:00:00Z"}
    assert apply(said).at == RECEIVED_AT - 60 * MINUTE
    assert apply({**said, "timestamp": "2026-04-02T06:30:00Z"}).at == RECEIVED_AT - 30 * MINUTE


# ── orders ───────────────────────────────────────────────────────────────────────────────────────────────────────


def order_of(**properties: Any) -> Any:
    (order,) = apply({"type": "track", "event": "Order Completed", "properties": properties}).orders
    return order.fields


@pytest.mark.parametrize(
    "properties",
    [
        {"products": [{"product_id": "p1", "sku": "A", "price": 9.5, "quantity": 2}]},
        {"products": {"product_id": "p1", "sku": "A", "price": 9.5, "quantity": 2}},
        {"product_id": "p1", "sku": "A", "price": 9.5, "quantity": 2, "total": 19},
    ],
    ids=["a list", "one product", "the order's own"],
)
def test_one_product_is_a_line_wherever_it_stands(properties: dict[str, Any]) -> None:
    line = {"product_id": "p1", "sku": "A", "price": 950, "quantity": 2}
    assert order_of(order_id="o1", **properties)["items"] == [line]


def test_an_order_without_products_has_no_lines_and_an_empty_list_stays_empty() -> None:
    assert "items" not in order_of(order_id="o1", total=5, name="Spring order")
    assert order_of(order_id="o1", products=[], sku="A")["items"] == []


def test_the_currency_may_stand_on_the_products() -> None:
    products = [{"sku": "A", "price": 500, "currency": "JPY"}]
    fields = order_of(order_id="o1", total=500, products=products)
    assert (fields["currency"], fields["amount"], fields["items"][0]["price"]) == ("JPY", 500, 500)
    assert order_of(order_id="o1", total=5, currency="EUR", products=products)["currency"] == "EUR"


def test_a_refund_is_in_the_currency_of_its_products_too() -> None:
    properties = {"order_id": "o1", "total": 500, "products": [{"sku": "A", "currency": "JPY"}]}
    (order,) = apply({"type": "track", "event": "Order Refunded", "properties": properties}).orders
    assert (order.fields["currency"], order.refunds["m1"]["amount"]) == ("JPY", 500)


# ── consent ──────────────────────────────────────────────────────────────────────────────────────────────────────


def consents(event: str, **properties: Any) -> list[tuple[Any, ...]]:
    context = {"traits": {"email": "ada@example.com"}}
    change = apply({"type": "track", "event": event, "properties": properties, "context": context})
    assert [one.name for one in change.events] == [event]
    return [(one.topic, one.granted, one.address) for one in change.consents]


def test_who_unsubscribes_from_an_email_denies_emails_and_from_a_list_that_list() -> None:
    assert consents("Unsubscribed", email_id="e1") == [("email", False, "ada@example.com")]
    assert consents("Unsubscribed", campaign_id="c1", list_id=1425) == [("email.1425", False, "ada@example.com")]
    assert consents("Email Marked as Spam", email_id="e1") == [("email", False, "ada@example.com")]


@pytest.mark.parametrize("event", ["Unsubscribed", "Email Opened", "Email Bounced", "Plan Unsubscribed"])
def test_what_is_not_about_an_email_denies_none(event: str) -> None:
    assert consents(event, plan="gold") == []


def test_a_message_of_nobody_still_ends_as_such() -> None:
    assert apply({"type": "identify", "userId": None, "context": {"traits": TRAITS}}).verdict is Verdict.IGNORE
