"""The bundled mparticle.yaml on every sample: what it makes was read and found right, and stands beside the samples."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from hub.mapping.inbound import Inbound, compile_inbound, interpret_inbound
from hub.mapping.model import REMOVED, Change
from hub.mapping.show import change_as_json
from hub.mapping.versions.files import Folders
from hub.mapping.versions.version import resolve
from tests.unit.mapping.mparticle_samples import FOLDER, RECEIVED_AT, SAMPLES, messages_of

DOCUMENT = resolve("mparticle", "", Folders()).document
GIVEN: dict[str, Any] = {"connection_id": "c", "options": {"currency": "GBP"}}
FAST, SLOW = compile_inbound(DOCUMENT, **GIVEN), interpret_inbound(DOCUMENT, **GIVEN)
WHO = {"user_identities": [{"identity_type": "customer_id", "identity": "u1"}]}


@pytest.mark.parametrize("engine", [FAST, SLOW], ids=["generated", "interpreted"])
@pytest.mark.parametrize("path", SAMPLES, ids=[path.stem for path in SAMPLES])
def test_a_sample_becomes_its_canonical_result(path: Path, engine: Inbound) -> None:
    expected = json.loads((FOLDER / "canonical" / path.name).read_text(encoding="utf-8"))
    found = [
        change_as_json(engine.apply(message, message_id=message_id, received_at=RECEIVED_AT))
        for message_id, message in messages_of(path)
    ]
    assert found == expected


def test_every_result_belongs_to_a_sample() -> None:
    assert [path.name for path in SAMPLES] == sorted(path.name for path in (FOLDER / "canonical").glob("*.json"))


def apply(batch: dict[str, Any]) -> Change:
    fast = FAST.apply({**WHO, **batch}, message_id="m1", received_at=RECEIVED_AT)
    assert fast == SLOW.apply({**WHO, **batch}, message_id="m1", received_at=RECEIVED_AT)
    return fast


def event(kind: str, **data: Any) -> dict[str, Any]:
    return {"events": [{"event_type": kind, "data": data}]}


@pytest.mark.parametrize("key", ["customer_id", "customerid"])
def test_identities_come_as_a_list_or_as_an_object_in_two_spellings(key: str) -> None:
    as_object = apply({"user_identities": {key: "cust_9", "email": "ada@example.com"}})
    as_list = apply({"user_identities": [{"identity_type": key, "identity": "cust_9"}]})
    assert as_object.source_id == as_list.source_id == "cust_9"
    assert as_object.fields["email"] == "ada@example.com"


def test_a_hashed_address_is_never_an_address() -> None:
    identities = [
        {"type": "customer", "encoding": "raw", "value": "u1"},
        {"type": "email", "encoding": "sha256", "value": "ab" * 32},
    ]
    change = apply({"type": "event_processing_request", "user_identities": identities, "user_attributes": {"a": "1"}})
    assert not change.identities
    assert "email" not in change.fields


def test_64_bit_ids_keep_every_digit_and_their_sign() -> None:
    change = apply({"mpid": -9223372036854775807, **event("custom_event", event_name="x", event_id=9007199254740993)})
    assert [one.value for one in change.identities if one.type == "mpid"] == ["-9223372036854775807"]
    assert change.events[0].id == "9007199254740993"


@pytest.mark.parametrize(("consented", "granted"), [(True, False), (False, True)])
def test_consenting_under_ccpa_means_opting_out_of_the_sale_of_data(consented: bool, granted: bool) -> None:
    change = apply({"consent_state": {"ccpa": {"data_sale_opt_out": {"consented": consented}}}})
    assert [(one.topic, one.granted) for one in change.consents] == [("data_sale", granted)]


@pytest.mark.parametrize(("opted_out", "granted"), [(True, False), (False, True)])
def test_opting_out_denies_tracking(opted_out: bool, granted: bool) -> None:
    change = apply(event("opt_out", is_opted_out=opted_out))
    assert [(one.topic, one.granted) for one in change.consents] == [("tracking", granted)]


def test_reserved_attributes_are_known_in_any_letter_case() -> None:
    upper = apply({"user_attributes": {"$FirstName": "Ada", "$Zip": "01234", "$Age": "37", "$Mobile": "+442079460018"}})
    lower = apply({"user_attributes": {"$firstname": "Ada", "$zip": "01234", "$age": "37", "$mobile": "+442079460018"}})
    assert upper.fields == lower.fields
    assert upper.fields["address.postal_code"] == "01234"
    assert upper.fields["metadata.age"] == 37


def test_an_absent_attribute_is_no_removal_and_a_deleted_one_is() -> None:
    change = apply({"user_attributes": {"tier": "gold"}, "deleted_user_attributes": ["old", "$FirstName"]})
    assert change.fields == {"metadata.tier": "gold", "metadata.old": REMOVED, "first_name": REMOVED}


def test_a_calculated_attribute_without_a_value_says_nothing() -> None:
    assert apply({"user_attributes": {"score": "-", "tier": "gold"}}).fields == {"metadata.tier": "gold"}


@pytest.mark.parametrize(
    ("action", "name"),
    [
        ("purchase", "order_completed"),
        ("refund", "order_refunded"),
        ("add_to_cart", "product_added"),
        ("view_detail", "product_viewed"),
        ("checkout", "checkout_started"),
        ("remove_from_wish_list", "product_removed_from_wishlist"),
        ("something_new", "something_new"),
    ],
)
def test_commerce_actions_have_the_names_of_events(action: str, name: str) -> None:
    change = apply(event("commerce_event", product_action={"action": action, "transaction_id": "o1"}))
    assert [one.name for one in change.events] == [name]
    assert len(change.orders) == (action in {"purchase", "refund"})


def test_a_commerce_event_without_an_action_is_counted_as_ignored() -> None:
    change = apply({"user_attributes": {"a": "1"}, **event("commerce_event")})
    assert not change.events
    assert change.ignored_items == 1


def test_a_changed_customer_id_is_a_link_and_never_a_changed_source_id() -> None:
    old, new = ({"identity_type": "customer_id", "identity": one} for one in ("u0", "u1"))
    change = apply(event("user_identity_change", old=old, new=new))
    assert change.source_id == "u1"
    assert [(one.loser, one.survivor) for one in change.links] == [("u0", "u1")]


def test_development_data_is_marked_and_so_are_replays() -> None:
    assert apply({"environment": "development", "user_attributes": {"a": "1"}}).is_test
    assert apply({"source_info": {"replay_request_id": "r1"}, "user_attributes": {"a": "1"}}).is_replay
    assert apply({"source_info": {"is_historical": True}, "user_attributes": {"a": "1"}}).is_replay
    plain = apply({"source_info": {"replay_request_id": None, "is_historical": False}, "user_attributes": {"a": "1"}})
    assert not plain.is_replay
    assert not plain.is_test


def test_a_newer_address_counts_by_the_time_of_the_identity() -> None:
    identity = {"identity_type": "email", "identity": "a@example.com", "timestamp_unixtime_ms": 1_700_000_000_000}
    change = apply({"user_identities": [*WHO["user_identities"], identity]})
    assert change.identities[0].at == 1_700_000_000_000_000


def test_the_keys_a_source_id_is_made_of_are_an_ordered_list_that_a_file_can_change() -> None:
    patched = resolve("mparticle", "extends: mparticle\nwho: {source_id: [ids.other_id_4, ids.email]}\n", Folders())
    inbound = compile_inbound(patched.document, **GIVEN)
    batch = {"user_identities": {"customer_id": "c", "email": "a@example.com"}, "user_attributes": {"a": "1"}}
    assert inbound.apply(batch, message_id="m", received_at=RECEIVED_AT).source_id == "a@example.com"
