"""Shapes that public test data and pages of mParticle's have and the bundled mparticle.yaml must understand. All made up.

| seen in | what |
|---|---|
| docs, SDK pages on users; Firehose SDK, `UserAttributeAudienceEvent` | a tag is an attribute without a value |
| mparticle-firehose-java-sdk, audience tests | attributes come with any action of an audience, not with updates alone |
| mparticle-firehose-java-sdk, events and schemas | the partner endpoint's promotions, impressions, sessions, attribute changes, opt-outs |
| docs, data privacy controls; a Firehose handler's tests | a change of consent, with or without the state |
| docs, five spellings of identities | one kind of id, whatever the door calls it; `customerId` |
| docs, migration from Segment | a screen view that has an event name instead of a screen's |
"""

from __future__ import annotations

from typing import Any

import pytest

from hub.mapping.model import REMOVED, Change
from tests.unit.mapping.mparticle_samples import RECEIVED_AT
from tests.unit.mapping.test_mparticle_mapping import FAST, SLOW, apply, event

MS = 1_700_000_000_000


def firehose(*events: dict[str, Any], **batch: Any) -> Change:
    """An event processing request of a customer."""
    ids = [{"type": "customer", "encoding": "raw", "value": "u1"}]
    request = {"type": "event_processing_request", "timestamp_ms": MS + 5_000, "user_identities": ids, **batch}
    request["events"] = [{"id": f"e{position}", "timestamp_ms": MS, **one} for position, one in enumerate(events)]
    fast = FAST.apply(request, message_id="m1", received_at=RECEIVED_AT)
    assert fast == SLOW.apply(request, message_id="m1", received_at=RECEIVED_AT)
    assert not fast.warnings
    return fast


# ── tags and attributes ──────────────────────────────────────────────────────────────────────────────────────────


def test_an_attribute_that_is_null_is_a_tag() -> None:
    assert apply({"user_attributes": {"platinum_member": None, "tier": "gold"}}).fields == {
        "metadata.platinum_member": True, "metadata.tier": "gold",
    }  # fmt: skip


def test_a_reserved_attribute_that_is_null_is_no_tag() -> None:
    assert apply({"user_attributes": {"$City": None, "$FirstName": None}}).fields == {
        "address.city": REMOVED, "first_name": REMOVED,
    }  # fmt: skip


def test_a_national_number_is_read_by_the_country_of_its_owner() -> None:
    change = apply({"user_attributes": {"$Mobile": "020 7946 0018", "$Country": "GB"}})
    assert change.fields == {"phone": "+442079460018", "address.country": "GB"}


def test_a_tag_that_is_deleted_in_the_same_batch_is_gone() -> None:
    change = apply({"user_attributes": {"platinum_member": None}, "deleted_user_attributes": ["platinum_member"]})
    assert change.fields == {"metadata.platinum_member": REMOVED}


@pytest.mark.parametrize(("deleted", "value"), [(False, True), (True, REMOVED)])
def test_a_tag_is_set_and_taken_away_by_a_change(deleted: bool, value: Any) -> None:
    change = apply(event("user_attribute_change", user_attribute_name="vip", new=None, old=None, deleted=deleted))
    assert change.fields == {"metadata.vip": value}


@pytest.mark.parametrize("action", ["add", "delete", "attribute_update"])
def test_attributes_come_with_an_audience_whatever_its_action(action: str) -> None:
    attributes = [
        {"key": "score", "value": "100", "action": "upsert"},
        {"key": "colours", "list_value": ["red", "blue"], "action": "upsert"},
        {"key": "is commuter", "value": None, "action": "upsert"},
        {"key": "is early"},
        {"key": "churned", "action": "delete"},
        {},
    ]
    audience = {"audience_id": 7, "audience_name": "Big", "action": action, "user_attributes": attributes}
    fields = apply({"audiences": [audience]}).fields
    assert fields.pop("audiences.7", None) == {
        "add": {"member": True, "id": "7", "name": "Big"}, "delete": {"member": False, "id": "7", "name": "Big"},
    }.get(action)  # fmt: skip
    assert fields == {
        "metadata.score": "100", "metadata.colours": ["red", "blue"], "metadata.is_commuter": True, "metadata.is_early": True,
        "metadata.churned": REMOVED,
    }  # fmt: skip


def test_firehose_attributes_change_and_go() -> None:
    change = firehose(
        {"type": "user_attribute_change", "added": {"tier": "gold"}, "removed": {"tier": "silver", "trial": "yes"}}
    )
    assert change.fields == {"metadata.tier": "gold", "metadata.trial": REMOVED}


# ── consent ──────────────────────────────────────────────────────────────────────────────────────────────────────


def notice(consented: bool) -> dict[str, Any]:
    return {"consented": consented, "timestamp_unixtime_ms": MS, "document": "terms_v4", "location": "shop.example.com"}


@pytest.mark.parametrize("granted", [True, False])
def test_a_change_of_consent_counts_without_its_state(granted: bool) -> None:
    through_webhook = {"type": "gdpr_change", "data": {"purpose": "ads", "current": notice(granted)}}
    through_firehose = {"type": "gdpr_consent_state", "purpose": "ads", "new_gdpr_consent_state": notice(granted)}
    for notification in (through_webhook, through_firehose):
        (consent,) = apply({"system_notifications": [notification]}).consents
        assert (consent.topic, consent.granted, consent.at) == ("purpose.ads", granted, MS * 1000)
        assert (consent.source, consent.proof) == ("shop.example.com", "terms_v4")


def test_the_state_of_a_batch_has_the_last_word_over_its_notices() -> None:
    notification = {"type": "gdpr_change", "data": {"purpose": "ads", "current": notice(True)}}
    change = apply({"system_notifications": [notification], "consent_state": {"gdpr": {"ads": notice(False)}}})
    assert [(one.topic, one.granted) for one in change.consents] == [("purpose.ads", False)]


@pytest.mark.parametrize(("consented", "granted"), [(True, False), (False, True)])
def test_a_notice_under_ccpa_is_the_other_way_round_as_well(consented: bool, granted: bool) -> None:
    notification = {"type": "ccpa_consent_state", "new_ccpa_consent_state": notice(consented)}
    change = apply({"system_notifications": [notification]})
    assert [(one.topic, one.granted) for one in change.consents] == [("data_sale", granted)]


@pytest.mark.parametrize("name", ["is_enabled", "enabled"])
@pytest.mark.parametrize("enabled", [True, False])
def test_firehose_tells_of_an_opt_out_as_a_privacy_setting(name: str, enabled: bool) -> None:
    change = firehose({"type": "privacy_setting_change", "setting": "app_data_collection", name: enabled})
    assert [(one.topic, one.granted, one.at) for one in change.consents] == [("tracking", enabled, MS * 1000)]


# ── identities ───────────────────────────────────────────────────────────────────────────────────────────────────


def test_one_kind_of_id_has_one_name_whatever_the_door() -> None:
    webhook = apply({"user_identities": [{"identity_type": "customer_id", "identity": "u1"},
                                         {"identity_type": "other_id_2", "identity": "loyal-1"}]})  # fmt: skip
    partner = firehose(user_identities=[{"type": "customer", "encoding": "raw", "value": "u1"},
                                        {"type": "other2", "encoding": "raw", "value": "loyal-1"}])  # fmt: skip
    stream = FAST.apply(
        {"AudienceId": 7, "IsMember": True, "UserIdentities": {"CustomerId": "u1", "Other2": "loyal-1", "MPID": "5"}},
        message_id="m1", received_at=RECEIVED_AT,
    )  # fmt: skip
    kinds = [[(one.type, one.value) for one in change.identities] for change in (webhook, partner, stream)]
    assert kinds == [
        [("other_id_2", "loyal-1")],
        [("other_id_2", "loyal-1")],
        [("mpid", "5"), ("other_id_2", "loyal-1")],
    ]


def test_an_erasure_names_ids_as_the_profile_has_them() -> None:
    ids = {"mobile_number": "+442079460018", "other10": "x", "email": "ada@example.com"}
    subject = {name: {"value": value, "encoding": "raw"} for name, value in ids.items()}
    request = {"type": "opendsr_request", "subject_request_type": "erasure", "subject_identities": subject}
    (erase,) = apply(request).erasures
    asked = {(one.type, one.value) for one in erase.identities}
    known = apply({"user_identities": {"customer_id": "u1", "mobile_number": "+442079460018", "other_id_10": "x",
                                       "email": "ada@example.com"}})  # fmt: skip
    assert asked == {(one.type, one.value) for one in known.identities}


@pytest.mark.parametrize("spelling", ["customer_id", "customerid", "customerId", "CustomerID"])
def test_the_customer_id_is_known_in_any_spelling(spelling: str) -> None:
    change = FAST.apply({"user_identities": {spelling: "c1"}}, message_id="m1", received_at=RECEIVED_AT)
    assert change.source_id == "c1"


def test_firehose_identities_that_are_hashed_link_nobody() -> None:
    def change(encoding: str) -> Change:
        old, new = ({"type": "customer", "encoding": encoding, "value": value} for value in ("u0", "u1"))
        return firehose({"type": "user_identity_change", "removed": [old], "added": [new]})

    assert [(one.loser, one.survivor) for one in change("raw").links] == [("u0", "u1")]
    assert not change("sha256").links


def test_a_new_address_through_firehose_is_an_identity_of_its_own_time() -> None:
    added = [{"type": "email", "encoding": "raw", "value": "new@example.com"}]
    change = firehose({"type": "user_identity_change", "added": added, "removed": []})
    assert [(one.type, one.value, one.at) for one in change.identities] == [("email", "new@example.com", MS * 1000)]


# ── events ───────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("sent", "name", "properties"),
    [
        ({"type": "promotion_action", "action": "view", "promotions": [{"name": "Spring"}], "attributes": {"a": "1"}},
         "promotion_viewed", {"action": "view", "promotions": [{"name": "Spring"}], "a": "1"}),
        ({"type": "promotion_action", "action": "click"}, "promotion_clicked", {"action": "click"}),
        ({"type": "impression", "impressions": [{"impression_list_name": "home"}], "attributes": {"a": "1"}},
         "product_list_viewed", {"lists": [{"impression_list_name": "home"}], "a": "1"}),
        ({"type": "session_start", "session_id": 5}, "session_start", {}),
        ({"type": "session_end", "session_length_ms": 9000}, "session_end", {"session_length_ms": 9000}),
        ({"type": "push_subscription", "action": "unsubscribe", "token": "t"}, "push_subscription", {"action": "unsubscribe"}),
        ({"type": "application_state_transition", "application_state": "foreground"}, "application_state_transition",
         {"application_state": "foreground"}),
        ({"type": "attribution", "publisher_name": "P", "attributes": {"a": "1"}}, "attribution", {"publisher_name": "P", "a": "1"}),
    ],
)  # fmt: skip
def test_the_partner_endpoints_events_are_events(sent: dict[str, Any], name: str, properties: dict[str, Any]) -> None:
    (made,) = firehose(sent).events
    assert (made.name, made.id, made.occurred_at, made.properties) == (name, "e0", MS * 1000, properties)


def test_a_purchase_reads_the_same_through_both_doors() -> None:
    action = {"action": "purchase", "transaction_id": "o1", "affiliation": "Shop", "total_amount": 12.5}
    webhook = apply(event("commerce_event", currency_code="GBP", product_action=action, custom_attributes={"a": "1"}))
    partner = firehose({"type": "product_action", **action, "currency_code": "GBP", "attributes": {"a": "1"}})
    assert webhook.events[0].properties == partner.events[0].properties
    assert webhook.orders[0].fields == partner.orders[0].fields


def test_a_product_may_name_its_number_sku() -> None:
    action = {"action": "purchase", "transaction_id": "o1", "products": [{"sku": "A", "quantity": 2}]}
    (order,) = apply(event("commerce_event", product_action=action)).orders
    assert order.fields["items"] == [{"product_id": "A", "sku": "A", "quantity": 2}]


def test_a_screen_may_be_named_by_the_event() -> None:
    assert apply(event("screen_view", event_name="Basket")).events[0].name == "Viewed Basket Screen"
    assert apply(event("screen_view", event_name="x", screen_name="Basket")).events[0].name == "Viewed Basket Screen"


@pytest.mark.parametrize(
    ("kind", "data"),
    [
        ("push_registration", {"register": False}),
        ("push_message", {"push_message_type": "received", "message": "Hello", "network": "apn"}),
        ("application_state_transition", {"is_first_run": False, "is_upgrade": True, "launch_referral": "https://example.com"}),
    ],
)  # fmt: skip
def test_what_tells_such_events_apart_stays_with_them(kind: str, data: dict[str, Any]) -> None:
    assert apply(event(kind, registration_token="secret", **data)).events[0].properties == data
