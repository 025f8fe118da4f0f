"""The bundled segment.yaml on every sample: what it makes was read and found right, and stands beside the samples."""

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
from tests.unit.mapping.segment_samples import FOLDER, RECEIVED_AT, SAMPLES, messages_of

DOCUMENT = resolve("segment", "", Folders()).document
GIVEN: dict[str, Any] = {"connection_id": "c", "options": {"currency": "GBP"}}
FAST, SLOW = compile_inbound(DOCUMENT, **GIVEN), interpret_inbound(DOCUMENT, **GIVEN)


@pytest.mark.parametrize("engine", [FAST, SLOW], ids=["generated", "interpreted"])
@pytest.mark.parametrize("path", SAMPLES, ids=[path.stem for path in SAMPLES])
def test_a_sample_becomes_its_canonical_result(path: Path, engine: Inbound) -> None:
    expected = json.loads((FOLDER / "canonical" / path.name).read_text(encoding="utf-8"))
    found = [
        change_as_json(engine.apply(message, message_id=message.get("messageId", "m1"), received_at=RECEIVED_AT))
        for message in messages_of(path)
    ]
    assert found == expected


def test_every_result_belongs_to_a_sample() -> None:
    assert [path.name for path in SAMPLES] == sorted(path.name for path in (FOLDER / "canonical").glob("*.json"))


def test_traits_in_both_letter_cases_are_understood() -> None:
    change = _apply(
        {"type": "identify", "traits": {"first_name": "Ada", "lastName": "Quill", "created_at": "2020-01-01"}}
    )
    assert change.fields == {
        "name": "Ada Quill", "first_name": "Ada", "last_name": "Quill", "created_at": "2020-01-01T00:00:00Z",
    }  # fmt: skip


def test_an_address_may_be_plain_text() -> None:
    change = _apply({"type": "identify", "traits": {"address": "12 Quay Street, Galway"}})
    assert change.fields == {"address.line_1": "12 Quay Street, Galway"}
    assert not change.warnings


def test_an_address_object_with_further_keys_keeps_them_in_metadata() -> None:
    change = _apply({"type": "identify", "traits": {"address": {"city": "Bristol", "county": "Avon"}}})
    assert change.fields == {"address.city": "Bristol", "metadata.address": {"county": "Avon"}}


def test_an_address_without_a_street_is_no_reason_for_a_warning() -> None:
    change = _apply({"type": "identify", "traits": {"address": {"city": "Bristol"}}})
    assert change.fields == {"address.city": "Bristol"}
    assert not change.warnings


def test_flat_address_traits_are_understood_behind_the_object() -> None:
    traits = {"address": {"city": "Bristol"}, "city": "Bath", "zip": "BA1", "country": "GB", "street": "1 Quay"}
    assert _apply({"type": "identify", "traits": traits}).fields == {
        "address.city": "Bristol", "address.postal_code": "BA1", "address.country": "GB", "address.line_1": "1 Quay",
    }  # fmt: skip


def test_an_order_id_may_be_written_in_either_case() -> None:
    change = _apply({"type": "track", "event": "Order Completed", "properties": {"orderId": "o-1", "total": 5}})
    assert [order.id for order in change.orders] == ["o-1"]
    assert change.events[0].order_id == "o-1"


def test_nested_traits_metadata_goes_to_metadata_and_wins() -> None:
    change = _apply({"type": "identify", "traits": {"metadata": {"tier": "gold", "x": 1}, "tier": "silver"}})
    assert change.fields == {"metadata.tier": "gold", "metadata.x": 1}


def test_a_null_trait_is_removed() -> None:
    change = _apply({"type": "identify", "traits": {"email": None, "loyalty_tier": None, "phone": ""}})
    assert change.fields == {"email": REMOVED, "metadata.loyalty_tier": REMOVED}


@pytest.mark.parametrize("user_id", ["null", "anonymous", "-1", "undefined", "", None])
def test_placeholder_ids_are_nobody(user_id: Any) -> None:
    assert _apply({"type": "identify", "userId": user_id}).reason == "anonymous"


@pytest.mark.parametrize(
    ("event", "status"), [("Order Completed", "PAID"), ("Order Cancelled", "CANCELED"), ("order updated", None)]
)
def test_orders_follow_the_ecommerce_events(event: str, status: str | None) -> None:
    properties = {
        "order_id": 17,
        "total": "39.95",
        "currency": "USD",
        "products": [{"sku": "A", "price": "3", "colour": "red"}],
    }
    change = _apply({"type": "track", "event": event, "properties": properties})
    (order,) = change.orders
    assert order.id == "17"
    assert order.fields.get("status") == status
    assert order.fields["amount"] == 3995
    assert order.fields["items"] == [{"sku": "A", "price": 300, "metadata": {"colour": "red"}}]
    assert [found.name for found in change.events] == [event]


def test_a_page_without_a_name_is_still_an_event() -> None:
    assert [event.name for event in _apply({"type": "page", "properties": {"path": "/"}}).events] == ["Viewed Page"]


def test_a_group_id_in_the_context_never_overwrites_the_groups_facts() -> None:
    change = _apply({"type": "track", "event": "Seen", "context": {"groupId": "org_77"}})
    assert change.fields == {"groups.org_77": {}}
    assert change.defaults == {"groups.org_77"}


def test_leaving_an_account_leaves_the_group() -> None:
    change = _apply({"type": "track", "event": "Account Removed User", "context": {"groupId": "org_77"}})
    assert change.fields == {"groups.org_77": REMOVED}


def test_sign_up_facts_reach_the_profile() -> None:
    properties = {"first_name": "Gus", "last_name": "Reed", "email": "gus@example.com"}
    change = _apply({"type": "track", "event": "Signed Up", "properties": properties})
    assert change.fields == {"name": "Gus Reed", "first_name": "Gus", "last_name": "Reed", "email": "gus@example.com"}


def _apply(message: dict[str, Any]) -> Change:
    fast = FAST.apply({"userId": "u1", **message}, message_id="m1", received_at=RECEIVED_AT)
    assert fast == SLOW.apply({"userId": "u1", **message}, message_id="m1", received_at=RECEIVED_AT)
    return fast
