"""What Segment's pages and public reports warn of, line by line, as far as a message's meaning is concerned.

| the vendor's warning | where it is tested |
|---|---|
| an array is signed by its first element only; a configured secret proves no header | unit/connectors/test_segment_signature.py |
| remapped bodies may lack `type` | `test_a_remapped_body_waits_for_rules_of_its_own_and_a_file_can_give_them` |
| `null` ids of one library, absent ids of the other | `test_null_and_absent_ids_are_the_same_nobody`, e2e clients |
| bare NaN | e2e/test_official_client.py, unit/connectors/test_segment_webhook.py |
| the Node library loses the path of its host | e2e/test_official_client_node.py |
| the API accepts before it validates; a 4xx loses data | e2e/test_bad_input.py: what is authentic is accepted and named |
| strings for numbers, "true" for booleans | `test_money_and_counts_may_be_text`, `test_an_audience_…` |
| repeated audience events | `test_entering_twice_without_leaving_is_one_membership` |
| traits in both letter cases | test_segment_mapping.py |
| a new email on the same userId, no old value | `test_a_new_email_replaces_the_old_one_by_time_not_by_arrival` |
| a delete notice has no messageId, and comes several times | `test_a_delete_notice_…`, cases/webhook.yaml |
| gzip | e2e/test_official_client_node.py, e2e/test_bad_input.py, e2e/test_bad_input_hundreds.py |
| historical imports and replays | rooms/test_following.py: what is older than the memory of ids passes nothing on |
| timestamp = receivedAt − (sentAt − originalTimestamp) | `test_a_senders_clock_is_corrected_…` |
| a retry up to four hours late | `test_a_new_email_replaces_…`, rooms/test_late_webhooks.py, rooms/profiles/test_order_free.py (G3) |
| placeholder ids | test_segment_mapping.py, `test_an_alias_of_a_placeholder_merges_nobody` |
| audience and trait keys under a placeholder computation key | `test_an_audience_…`, `test_a_computed_trait_…` |
| tolerant ISO 8601 | `test_times_are_read_in_every_form_senders_use` |
"""

from __future__ import annotations

from typing import Any

import pytest

from hub.mapping.inbound import compile_inbound
from hub.mapping.model import Change, Verdict
from hub.mapping.versions.files import Folders
from hub.mapping.versions.version import resolve
from tests.unit.mapping.segment_samples import RECEIVED_AT
from tests.unit.mapping.test_segment_mapping import FAST, GIVEN, SLOW

MINUTE = 60_000_000


def apply(message: dict[str, Any], received_at: int = RECEIVED_AT) -> Change:
    whole = {"userId": "u1", **message}
    fast = FAST.apply(whole, message_id="m1", received_at=received_at)
    assert fast == SLOW.apply(whole, message_id="m1", received_at=received_at)
    return fast


def personas(kind: str, key: str = "placeholder") -> dict[str, Any]:
    return {"personas": {"computation_class": kind, "computation_key": key, "computation_id": "c1"}}


# ── who ──────────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("ids", [{"userId": None}, {"userId": ""}, {"userId": " "}, {"userId": {}}])
def test_null_and_absent_ids_are_the_same_nobody(ids: dict[str, Any]) -> None:
    absent = FAST.apply({"type": "identify", "traits": {"a": 1}}, message_id="m", received_at=RECEIVED_AT)
    assert apply({"type": "identify", "traits": {"a": 1}, **ids}).verdict is not Verdict.APPLY
    assert (absent.verdict, absent.reason) == (Verdict.IGNORE, "anonymous")


@pytest.mark.parametrize("user_id", ["0", "-", "00000000-0000-0000-0000-000000000000", "NaN"])
def test_ids_that_stand_for_nobody_are_nobody(user_id: str) -> None:
    assert apply({"type": "identify", "userId": user_id, "traits": {"a": 1}}).reason == "anonymous"


def test_a_number_as_id_is_its_digits() -> None:
    assert apply({"type": "track", "event": "Seen", "userId": 60001}).source_id == "60001"


@pytest.mark.parametrize("previous", ["null", "anonymous", "undefined", "-1", "0", None, ""])
def test_an_alias_of_a_placeholder_merges_nobody(previous: Any) -> None:
    change = apply({"type": "alias", "previousId": previous})
    assert not change.links
    assert [found.code for found in change.warnings] == ["link_incomplete"]


def test_an_alias_links_the_old_id_to_the_new_one() -> None:
    assert [(one.loser, one.survivor) for one in apply({"type": "alias", "previousId": "a-1"}).links] == [("a-1", "u1")]


def test_external_ids_are_identities_unless_they_are_hashed_or_an_accounts() -> None:
    ids = [
        {"id": "crm-7", "type": "crm_id", "collection": "users", "encoding": "none"},
        {"id": "crm-8", "type": "plain"},
        {"id": "ab" * 16, "type": "email", "encoding": "md5"},
        {"id": "acc-1", "type": "account", "collection": "accounts", "encoding": "none"},
        {"id": "u2", "type": "user_id", "collection": "users", "encoding": "none"},
    ]
    change = apply({"type": "identify", "context": {"externalIds": ids}})
    assert [(one.type, one.value) for one in change.identities] == [("crm_id", "crm-7"), ("plain", "crm-8")]
    assert change.source_id == "u1"


def test_the_email_is_the_traits_then_the_contexts_then_the_events() -> None:
    def email(**message: Any) -> Any:
        return apply(message).fields.get("email")

    context = {"traits": {"email": "context@example.com"}}
    assert email(type="track", event="x", properties={"email": "event@example.com"}) == "event@example.com"
    assert (
        email(type="track", event="x", properties={"email": "e@example.com"}, context=context) == "context@example.com"
    )
    assert email(type="identify", traits={"email": "trait@example.com"}, context=context) == "trait@example.com"


# ── time ─────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_senders_clock_is_corrected_unless_segment_did_so_already() -> None:
    hour = 60 * MINUTE
    said, sent = "2026-04-02T04:00:00Z", "2026-04-02T05:00:00Z"  # received at 07:00: that clock is two hours behind
    direct = apply({"type": "track", "event": "x", "timestamp": said, "sentAt": sent})
    through = apply({"type": "track", "event": "x", "timestamp": said, "sentAt": sent, "receivedAt": sent})
    assert direct.at == RECEIVED_AT - hour
    assert through.at == RECEIVED_AT - 3 * hour


def test_a_webhook_four_hours_late_keeps_the_time_at_which_it_happened() -> None:
    stamped = {"timestamp": "2026-04-02T03:00:00.000Z", "sentAt": "2026-04-02T03:00:00.100Z"}
    late = apply({"type": "identify", "traits": {"a": 1}, **stamped, "receivedAt": "2026-04-02T03:00:00.310Z"})
    assert late.at == RECEIVED_AT - 240 * MINUTE


def test_nothing_happens_later_than_it_is_received() -> None:
    change = apply(
        {
            "type": "identify",
            "traits": {"a": 1},
            "timestamp": "2036-01-01T00:00:00Z",
            "receivedAt": "2026-04-02T07:00:00Z",
        }
    )
    assert change.at == RECEIVED_AT
    assert "time_in_future" in [found.code for found in change.warnings]


@pytest.mark.parametrize(
    "text",
    ["2026-04-02T06:00:00Z", "2026-04-02T06:00:00.000000Z", "2026-04-02T08:00:00+02:00", "2026-04-02T06:00:00.000+00:00",
     "2026-04-02T06:00:00"],
)  # fmt: skip
def test_times_are_read_in_every_form_senders_use(text: str) -> None:
    assert apply({"type": "track", "event": "x", "timestamp": text}).at == RECEIVED_AT - 60 * MINUTE


@pytest.mark.parametrize("text", ["yesterday", "", 0, -1, 10**30, True, [], {}, "99999-01-01", "2026-13-01T00:00:00Z"])
def test_a_time_that_is_none_is_the_time_of_receipt_or_in_the_past(text: Any) -> None:
    assert apply({"type": "track", "event": "x", "timestamp": text}).at <= RECEIVED_AT


def test_a_new_email_replaces_the_old_one_by_time_not_by_arrival() -> None:
    newer = apply({"type": "identify", "timestamp": "2026-04-02T06:00:00Z", "traits": {"email": "new@example.com"}})
    older = apply({"type": "identify", "timestamp": "2026-04-02T02:00:00Z", "traits": {"email": "old@example.com"}})
    assert newer.at > older.at
    assert [one.at for one in (*newer.identities, *older.identities)] == [newer.at, older.at]


# ── audiences, computed traits, journeys ─────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("message", "member"),
    [
        ({"type": "identify", "traits": {"vip": True}, "context": personas("audience", "vip")}, True),
        ({"type": "identify", "traits": {"vip": False}, "context": personas("audience", "vip")}, False),
        (
            {"type": "identify", "traits": {"vip": "true", "email": "a@example.com"}, "context": personas("audience")},
            True,
        ),
        ({"type": "track", "event": "Audience Entered", "properties": {"audience_key": "vip", "vip": True}}, True),
        ({"type": "track", "event": "Audience Exited", "properties": {"audience_key": "vip"}}, False),
        ({"type": "track", "event": "Renamed", "properties": {"audience_key": "vip", "vip": "false"}}, False),
        ({"type": "track", "event": "Audience Entered", "properties": {"vip": "true"}}, True),
    ],
)
def test_an_audience_is_a_membership_in_every_form_and_never_a_trait(message: dict[str, Any], member: bool) -> None:
    change = apply({"context": personas("audience"), **message})
    assert change.fields["audiences.vip"]["member"] is member
    assert not [name for name in change.fields if name.startswith("metadata.")]
    assert not change.events


def test_entering_twice_without_leaving_is_one_membership() -> None:
    entered = {"type": "track", "event": "Audience Entered", "context": personas("audience", "vip")}
    first, second = (
        apply({**entered, "properties": {"vip": True, "email": one}}) for one in ("a@example.com", "b@x.com")
    )
    assert first.fields["audiences.vip"] == second.fields["audiences.vip"]


@pytest.mark.parametrize(
    "message",
    [
        {"type": "identify", "traits": {"ltv": 12.5}},
        {"type": "track", "event": "Trait Computed", "properties": {"trait_key": "ltv", "ltv": 12.5}},
        {"type": "track", "event": "Renamed By Us", "properties": {"trait_key": "ltv", "ltv": 12.5}},
    ],
)
def test_a_computed_trait_is_metadata_in_both_forms_and_no_event(message: dict[str, Any]) -> None:
    change = apply({**message, "context": personas("trait", "ltv")})
    assert change.fields == {"metadata.ltv": 12.5}
    assert not change.events


def test_an_account_level_computed_trait_is_the_groups() -> None:
    change = apply({"type": "group", "groupId": "g1", "traits": {"seats": 7}, "context": personas("trait", "seats")})
    assert change.fields == {"groups.g1": {"metadata": {"seats": 7}}}


def test_a_journey_of_a_customers_own_event_is_that_event() -> None:
    message = {"type": "track", "event": "Send Welcome Code", "properties": {"journey_metadata": {"journey_id": "j"}}}
    change = apply({**message, "context": personas("journey_step")})
    assert [event.name for event in change.events] == ["Send Welcome Code"]
    assert not [name for name in change.fields if name.startswith("audiences.")]


# ── consent ──────────────────────────────────────────────────────────────────────────────────────────────────────


def preferences(**given: Any) -> dict[str, Any]:
    return {"context": {"consent": {"categoryPreferences": given}}}


def test_an_updated_preference_is_consent_and_no_event() -> None:
    change = apply(
        {"type": "track", "event": "Segment Consent Preference Updated", **preferences(Ads=False, Stats=True)}
    )
    assert {one.topic: one.granted for one in change.consents} == {"purpose.Ads": False, "purpose.Stats": True}
    assert not change.events


def test_any_message_may_carry_preferences_and_no_preferences_say_nothing() -> None:
    assert [one.topic for one in apply({"type": "page", **preferences(Ads=True)}).consents] == ["purpose.Ads"]
    assert not apply({"type": "page", **preferences()}).consents
    assert not apply({"type": "page", "context": {"consent": {}}}).consents
    assert not apply({"type": "page", "context": {"consent": "yes"}}).consents


@pytest.mark.parametrize(
    ("status", "granted"),
    [("SUBSCRIBED", True), ("subscribed", True), ("UNSUBSCRIBED", False), ("DID_NOT_SUBSCRIBE", None),
     ("did_not_subscribe", None)],
)  # fmt: skip
@pytest.mark.parametrize(("kind", "topic"), [("EMAIL", "email"), ("Sms", "sms"), ("WhatsApp", "whatsapp")])
def test_messaging_subscriptions_are_consents_of_an_address(
    kind: str, topic: str, status: str, granted: bool | None
) -> None:
    subscription = {"key": "ada@example.com", "type": kind, "status": status}
    (consent,) = apply({"type": "identify", "context": {"messaging_subscriptions": [subscription]}}).consents
    assert (consent.topic, consent.granted, consent.address) == (topic, granted, "ada@example.com")


# ── events, orders, deletion, remapped bodies ────────────────────────────────────────────────────────────────────


def test_money_and_counts_may_be_text() -> None:
    products = [{"product_id": 7, "price": "19", "quantity": "2"}]
    message = {"type": "track", "event": "Order Completed"}
    (order,) = apply({**message, "properties": {"order_id": 5, "revenue": "39.95", "products": products}}).orders
    assert (order.id, order.fields["amount"]) == ("5", 3995)
    assert order.fields["items"] == [{"product_id": "7", "price": 1900, "quantity": 2}]


def test_a_refund_may_name_the_order_alone() -> None:
    change = apply({"type": "track", "event": "Order Refunded", "properties": {"order_id": "o1"}})
    assert [(order.id, dict(order.fields), order.refunds) for order in change.orders] == [("o1", {}, {})]
    assert [event.order_id for event in change.events] == ["o1"]


@pytest.mark.parametrize("event", ["Coupon Entered", "Coupon Applied", "Coupon Removed", "Coupon Denied"])
def test_coupon_events_carry_the_code_and_the_order(event: str) -> None:
    change = apply({"type": "track", "event": event, "properties": {"coupon_id": "SPRING-1", "order_id": "o1"}})
    assert [(one.code, one.order_id) for one in change.events] == [("SPRING-1", "o1")]


@pytest.mark.parametrize(
    "event", ["Product Viewed", "Product Added", "Checkout Started", "Cart Viewed", "Email Opened"]
)
def test_other_events_of_the_spec_are_events_as_sent(event: str) -> None:
    change = apply({"type": "track", "event": event, "properties": {"product_id": "p1", "products": [{"sku": "A"}]}})
    assert [(one.name, one.properties["product_id"]) for one in change.events] == [(event, "p1")]
    assert not change.orders


def test_a_group_call_with_an_unknown_shape_keeps_what_it_says() -> None:
    change = apply({"type": "group", "groupId": 7, "traits": {"name": "Org", "employees": "329", "plan": None}})
    assert change.fields["groups.7"]["name"] == "Org"
    assert change.fields["groups.7"]["metadata"]["employees"] == "329"


def test_a_delete_notice_erases_whoever_has_the_id_and_nobody_without_one() -> None:
    (erase,) = apply({"type": "delete", "timestamp": "2026-04-02T07:00:00.000Z"}).erasures
    assert (erase.source_id, erase.identities) == ("u1", ())
    assert apply({"type": "delete", "userId": None}).verdict is Verdict.IGNORE


def test_a_remapped_body_waits_for_rules_of_its_own_and_a_file_can_give_them() -> None:
    body = {
        "customer": {"id": "c1", "mail": "ada@example.com"},
        "name": "Order Completed",
        "data": {"order": "o1", "sum": 9},
    }
    bundled = FAST.apply(body, message_id="m", received_at=RECEIVED_AT)
    assert (bundled.verdict, bundled.reason) == (Verdict.IGNORE, "no_rule")

    mine = """
extends: segment
who: {source_id: [userId, customer.id]}
rules:
  - id: ours
    when: customer.id
    profile: {email: customer.mail}
    event: {kind: {const: track}, name: name, properties: {spread: data}}
    order: {id: data.order, amount: data.sum}
"""
    inbound = compile_inbound(resolve("segment", mine, Folders()).document, **GIVEN)
    change = inbound.apply(body, message_id="m", received_at=RECEIVED_AT)
    assert (change.source_id, change.fields["email"]) == ("c1", "ada@example.com")
    assert [event.name for event in change.events] == ["Order Completed"]
    assert [order.id for order in change.orders] == ["o1"]


def test_an_alias_of_the_classic_pages_spelling_is_named_and_not_a_crash() -> None:
    change = FAST.apply({"type": "alias", "Previous ID": "a", "User ID": "b"}, message_id="m", received_at=RECEIVED_AT)
    assert change.verdict is Verdict.IGNORE
