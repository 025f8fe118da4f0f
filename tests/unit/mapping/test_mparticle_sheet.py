"""What mParticle's pages and public reports warn of, line by line, as far as a batch's meaning is concerned.

| the vendor's warning | where it is tested |
|---|---|
| identities are a list or an object, in five spellings | test_mparticle_mapping.py, `test_unknown_kinds_of_identity_…` |
| no webhook signature; 401 without, 403 with a wrong secret; both secrets of a rotation | unit/connectors/test_mparticle.py |
| one event per POST by default; requests share a batch_id | cases/webhook.yaml, unit/connectors/test_mparticle.py |
| change events may be switched off or on | samples 05 and 06, `test_a_reserved_attribute_changes_…` |
| batches without events | sample 07 |
| CCPA is the other way round | test_mparticle_mapping.py |
| 64-bit ids, negative, as text | test_mparticle_mapping.py, sample 10 |
| everything is text | `test_amounts_may_be_text_…`, `test_a_postal_code_keeps_its_zero` |
| remove_from_wish_list; commerce events without an action | test_mparticle_mapping.py, e2e/test_official_client_mparticle.py |
| development data; replays | test_mparticle_mapping.py |
| an absent attribute is not a deletion | test_mparticle_mapping.py, samples 05 and 07 |
| the same person under a new mpid | `test_the_mpid_never_makes_a_source_id` |
| the client neither waits nor retries | e2e/test_official_client_mparticle.py |
| erasure comes by Firehose or OpenDSR only; ids in the extension | samples 17 and 18, `test_an_erasure_reads_…` |
| device ids among the user's | `test_unknown_kinds_of_identity_…` |
| other ids are not unique | `test_another_id_identifies_and_never_decides` |
| neighbours' identities | `test_each_batch_speaks_for_its_own_person` |
| seconds here, milliseconds there | samples 17 and 19, `test_seconds_and_milliseconds_…` |
| an alias request's shape is unknown | `test_an_alias_request_is_named_as_such` |
"""

from __future__ import annotations

from typing import Any

import pytest

from hub.mapping.model import REMOVED, Change, Verdict
from tests.unit.mapping.mparticle_samples import RECEIVED_AT
from tests.unit.mapping.test_mparticle_mapping import FAST, SLOW, apply, event


def whole(batch: dict[str, Any]) -> Change:
    fast = FAST.apply(batch, message_id="m1", received_at=RECEIVED_AT)
    assert fast == SLOW.apply(batch, message_id="m1", received_at=RECEIVED_AT)
    return fast


def identities(**given: str) -> dict[str, Any]:
    return {"user_identities": {"customer_id": "u1", **given}}


def test_unknown_kinds_of_identity_stay_in_the_raw_batch() -> None:
    known = apply(identities(other="o", other_id_10="t", yahoo="y", microsoft="m", facebook="f"))
    assert {one.type for one in known.identities} == {"other", "other_id_10", "yahoo", "microsoft", "facebook"}
    assert not apply(identities(ios_vendor_id="device", alias="a", something_new="x")).identities


def test_another_id_identifies_and_never_decides() -> None:
    change = apply(identities(other2="shared"))
    assert change.source_id == "u1"
    assert not change.links


def test_each_batch_speaks_for_its_own_person() -> None:
    ada, bo = (
        whole({"user_identities": {"customer_id": one}, "user_attributes": {"tier": one}}) for one in ("ada", "bo")
    )
    assert [(one.source_id, one.fields["metadata.tier"]) for one in (ada, bo)] == [("ada", "ada"), ("bo", "bo")]


def test_the_mpid_never_makes_a_source_id() -> None:
    change = whole({"mpid": -5, **event("custom_event", event_name="Seen")})
    assert (change.verdict, change.reason) == (Verdict.IGNORE, "anonymous")


def test_the_first_phone_is_the_phone_and_all_of_them_are_kept() -> None:
    first = apply(identities(mobile_number="+48500600700", phone_number_2="+48500600701"))
    assert first.fields == {"phone": "+48500600700", "metadata.phones": ["+48500600700", "+48500600701"]}
    assert apply(identities(phone_number_3="+48500600702")).fields["phone"] == "+48500600702"
    assert apply(
        {"user_attributes": {"$Mobile": "+48500600703"}, **identities(mobile_number="+48500600700")}
    ).fields == {"phone": "+48500600700"}


@pytest.mark.parametrize(
    ("name", "field", "value"),
    [("$FirstName", "first_name", "Ada"), ("$lastname", "last_name", "Quill"), ("$City", "address.city", "York"),
     ("$Zip", "address.postal_code", "01234"), ("$State", "address.state", "NY"), ("$Country", "address.country", "GB"),
     ("$Address", "address.line_1", "1 Quay"), ("$Mobile", "phone", "+48500600700"), ("$Gender", "gender", "female")],
)  # fmt: skip
def test_a_reserved_attribute_changes_and_goes_like_any_other(name: str, field: str, value: str) -> None:
    changed = apply(event("user_attribute_change", user_attribute_name=name, new=value, old=None, deleted=False))
    gone = apply(event("user_attribute_change", user_attribute_name=name, new=None, old=value, deleted=True))
    assert changed.fields == {field: value}
    assert gone.fields == {field: REMOVED}


def test_an_attribute_change_may_hold_a_list_and_a_deletion() -> None:
    changed = apply(event("user_attribute_change", user_attribute_name="sizes", new=["S", "M"], old="S", deleted=False))
    gone = apply(event("user_attribute_change", user_attribute_name="sizes", new=None, old=["S"], deleted=True))
    assert (changed.fields, gone.fields) == ({"metadata.sizes": ["S", "M"]}, {"metadata.sizes": REMOVED})


def test_a_postal_code_keeps_its_zero_and_a_number_stays_text() -> None:
    change = apply({"user_attributes": {"$Zip": "01234", "points": "120", "is_vip": "true"}})
    assert change.fields == {"address.postal_code": "01234", "metadata.points": "120", "metadata.is_vip": "true"}


@pytest.mark.parametrize("amount", [12.5, "12.5", "12.50"])
def test_amounts_may_be_text_and_both_places_of_a_code_are_kept(amount: Any) -> None:
    product = {"id": "sku-1", "price": amount, "quantity": "2", "total_product_amount": amount, "coupon_code": "LINE-1"}
    action = {"action": "purchase", "transaction_id": 7, "total_amount": amount, "coupon_code": "ORDER-1"}
    change = apply(event("commerce_event", currency_code="GBP", product_action={**action, "products": [product]}))
    (order,) = change.orders
    assert (order.id, order.fields["amount"], order.fields["code"]) == ("7", 1250, "ORDER-1")
    line = {"product_id": "sku-1", "sku": "sku-1", "quantity": 2, "price": 1250, "amount": 1250, "code": "LINE-1"}
    assert order.fields["items"] == [line]
    assert [one.code for one in change.events] == ["ORDER-1"]


@pytest.mark.parametrize(
    ("data", "name"),
    [
        ({"promotion_action": {"action": "view", "promotions": [{"id": "p"}]}}, "promotion_viewed"),
        ({"promotion_action": {"action": "click", "promotions": []}}, "promotion_clicked"),
        ({"product_impressions": [{"product_impression_list": "home", "products": []}]}, "product_list_viewed"),
    ],
)
def test_promotions_and_impressions_are_events_of_their_own(data: dict[str, Any], name: str) -> None:
    assert [one.name for one in apply(event("commerce_event", **data)).events] == [name]


@pytest.mark.parametrize(
    "kind", ["crash_report", "network_performance", "breadcrumb", "validation_result", "unknown", "x"]
)
def test_technical_and_unknown_events_are_counted_and_do_no_harm(kind: str) -> None:
    change = apply({"user_attributes": {"a": "1"}, **event(kind, message="x")})
    assert (len(change.events), change.ignored_items) == (0, 1)


def test_an_event_is_known_by_its_own_id_else_by_the_senders() -> None:
    def id_of(**data: Any) -> str | None:
        return apply(event("custom_event", event_name="Seen", **data)).events[0].id

    assert id_of(event_id=-3431598163168031551, source_message_id="s") == "-3431598163168031551"
    assert id_of(event_id="17", source_message_id="s") == "17"
    assert id_of(event_id=None, source_message_id="s") == "s"
    assert id_of() is None


def test_the_events_own_time_wins_over_the_batchs_and_over_now() -> None:
    data = {"event_name": "Seen", "timestamp_unixtime_ms": "1700000000000"}
    change = apply({"timestamp_unixtime_ms": 1_700_000_500_000, **event("custom_event", **data)})
    assert (change.at, change.events[0].occurred_at) == (1_700_000_500_000_000, 1_700_000_000_000_000)
    assert apply(event("custom_event", event_name="Seen")).events[0].occurred_at == RECEIVED_AT


@pytest.mark.parametrize("at", [1_700_000_000, "1700000000", 1_700_000_000_000, "1700000000000"])
def test_seconds_and_milliseconds_are_told_apart_by_their_size(at: Any) -> None:
    member = {"AudienceId": 5, "IsMember": "false", "UserIdentities": {"CustomerId": "u1"}}
    change = whole({**member, "MembershipChangedTimestamp": at})
    assert change.at == 1_700_000_000_000_000
    assert change.fields["audiences.5"]["member"] is False


def test_a_consent_keeps_the_purposes_own_spelling_time_place_and_document() -> None:
    said = {"consented": True, "timestamp_unixtime_ms": 1_700_000_000_000, "document": "v3", "location": "17 Cherry"}
    (consent,) = apply({"consent_state": {"gdpr": {"Parental Approval": said}}}).consents
    assert consent[:6] == ("purpose.Parental Approval", True, 1_700_000_000_000_000, None, "17 Cherry", "v3")


def test_an_opt_out_that_does_not_say_which_way_says_nothing() -> None:
    assert not apply(event("opt_out")).consents


def test_a_profile_event_named_delete_erases_nobody() -> None:
    change = apply(event("profile", profile_event_type="delete"))
    assert not change.erasures
    assert [one.name for one in change.events] == ["delete"]


def test_an_alias_request_is_named_as_such() -> None:
    data = {"destination_mpid": 1, "source_mpid": 2}
    change = whole({"request_type": "alias", "request_id": "r", "data": data})
    assert (change.verdict, change.reason) == (Verdict.IGNORE, "no_rule")


@pytest.mark.parametrize("spelling", [{"subject_identities": {}}, {"subject_identities": None}, {}])
def test_an_erasure_reads_the_identities_of_the_vendors_extension(spelling: dict[str, Any]) -> None:
    ids = {"mpid": {"value": "-5", "encoding": "raw"}, "email": {"value": "ab" * 32, "encoding": "sha256"}}
    request = {"type": "opendsr_request", "subject_request_type": "erasure", "subject_request_id": "r", **spelling}
    (erase,) = whole({**request, "extensions": {"opendsr.mparticle.com": {"subject_identities": ids}}}).erasures
    assert [(one.type, one.value) for one in erase.identities] == [("mpid", "-5")]
    assert (erase.source_id, erase.request_id) == (None, "r")
