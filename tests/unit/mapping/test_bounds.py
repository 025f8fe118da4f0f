"""Whatever comes in, a mapping never raises, keeps its bounds and says what it dropped."""

from __future__ import annotations

import math
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings

from hub.mapping.inbound import Inbound, compile_inbound, interpret_inbound
from hub.mapping.model import Change, Verdict
from hub.mapping.versions.files import Folders
from hub.mapping.versions.version import from_content, resolve
from hub.sdk.json import canonical
from tests.unit.mapping.odd_values import JSON, ODD

RECEIVED_AT = 1_773_489_600_000_000
SEGMENT = resolve("segment", "", Folders()).document
GIVEN: dict[str, Any] = {"connection_id": "c", "options": {}}
SPREAD = from_content(
    {
        "connector": "test",
        "who": {"source_id": "id"},
        "rules": [
            {
                "id": "only",
                "profile": {"metadata": {"spread": "t"}},
                "event": {"name": {"const": "e"}, "properties": "t"},
            }
        ],
    },
    "spread",
)


def _both(document: Any, message: Any) -> Change:
    changes = [
        make(document, **GIVEN).apply(message, message_id="m1", received_at=RECEIVED_AT)
        for make in (compile_inbound, interpret_inbound)
    ]
    assert changes[0] == changes[1]
    return changes[0]


@pytest.fixture(scope="module")
def segment() -> Inbound:
    return compile_inbound(SEGMENT, **GIVEN)


@settings(max_examples=200, deadline=None, database=None, suppress_health_check=list(HealthCheck))
@given(message=JSON)
def test_no_json_makes_it_raise(segment: Inbound, message: Any) -> None:
    segment.apply(message, message_id="m1", received_at=RECEIVED_AT)


@pytest.mark.parametrize("odd", ODD, ids=repr)
@pytest.mark.parametrize(
    "field", ["userId", "type", "event", "traits", "properties", "context", "timestamp", "groupId"]
)
def test_no_odd_value_in_any_field_makes_it_raise(segment: Inbound, field: str, odd: Any) -> None:
    for type_ in ("identify", "track", "group", "alias", "delete"):
        message = {"type": type_, "userId": "u1", "event": "Order Completed", "previousId": "p1", field: odd}
        change = segment.apply(message, message_id="m1", received_at=RECEIVED_AT)
        assert change.at <= RECEIVED_AT
        if change.source_id is not None:
            assert 0 < len(change.source_id) <= 255


@pytest.mark.parametrize("message", [None, 5, "text", [], [{"id": "u1"}], True])
def test_what_is_no_object_is_quarantined(message: Any) -> None:
    change = _both(SPREAD, message)
    assert (change.verdict, change.reason) == (Verdict.QUARANTINE, "not_an_object")


def test_an_id_of_ten_thousand_characters_is_quarantined() -> None:
    change = _both(SPREAD, {"id": "x" * 10_000})
    assert (change.verdict, change.reason) == (Verdict.QUARANTINE, "invalid_source_id")


def test_a_nul_in_the_id_is_replaced() -> None:
    change = _both(SPREAD, {"id": "a\0b"})
    assert change.source_id == "a\ufffdb"
    assert [found.code for found in change.warnings] == ["unclean_text"]


def test_an_output_keeps_a_thousand_keys() -> None:
    change = _both(SPREAD, {"id": "u1", "t": {f"k{index}": index for index in range(1500)}})
    assert len(change.fields) == 1000
    assert len(change.events[0].properties) <= 1000
    assert {found.code for found in change.warnings} == {"too_many_keys"}


def test_nested_keys_count_too() -> None:
    change = _both(SPREAD, {"id": "u1", "t": {"a": {f"k{index}": index for index in range(1500)}, "b": 1}})
    assert len(change.fields["metadata.a"]) == 999
    assert "metadata.b" not in change.fields


def test_an_output_nests_ten_deep() -> None:
    deep: Any = "bottom"
    for _ in range(30):
        deep = {"d": deep}
    change = _both(SPREAD, {"id": "u1", "t": {"deep": deep, "keep": 1}})
    assert change.fields["metadata.keep"] == 1
    assert _depth(change.fields) <= 10
    assert _depth(change.events[0].properties) <= 10
    assert "too_deep" in {found.code for found in change.warnings}


def test_a_message_nested_a_thousand_deep_is_cut() -> None:
    deep: Any = []
    for _ in range(1000):
        deep = [deep]
    change = _both(SPREAD, {"id": "u1", "t": {"deep": deep}})
    assert change.verdict is Verdict.APPLY
    assert "too_deep" in {found.code for found in change.warnings}


def test_an_output_holds_256_kib() -> None:
    change = _both(SPREAD, {"id": "u1", "t": {"a": "x" * 200_000, "b": "y" * 100_000, "c": "small"}})
    assert sorted(change.fields) == ["metadata.a", "metadata.c"]
    assert {found.code for found in change.warnings} == {"too_large"}


def test_rows_that_multiply_a_small_message_are_bounded_too() -> None:
    document = from_content(
        {
            "connector": "test",
            "who": {"source_id": "id"},
            "rules": [
                {
                    "id": "only",
                    "profile": {
                        "metadata": {"object": {"all": {"each": {"i": "t"}, "map": {f"k{n}": "i" for n in range(20)}}}}
                    },
                }
            ],
        },
        "multiplies",
    )
    change = _both(document, {"id": "u1", "t": list(range(400))})
    assert sum(len(item) for item in change.fields["metadata.all"]) <= 1000
    assert "too_many_keys" in {found.code for found in change.warnings}


def test_integers_beyond_64_bits_can_be_stored() -> None:
    change = _both(SPREAD, {"id": "u1", "t": {"big": 10**30, "huge": 10**400, "list": [10**30], "fits": 2**63}})
    assert change.fields["metadata.big"] == 1e30
    assert change.fields["metadata.fits"] == 2**63
    assert "metadata.huge" not in change.fields
    canonical(change.fields)


def test_numbers_that_are_not_finite_are_absent_at_any_depth() -> None:
    change = _both(SPREAD, {"id": "u1", "t": {"a": math.nan, "b": {"c": math.inf, "d": 1}, "e": [math.nan, 2]}})
    assert change.fields == {"metadata.b": {"d": 1}, "metadata.e": [None, 2]}
    assert {found.code for found in change.warnings} == {"not_finite"}


def test_warnings_are_bounded_and_never_hold_the_value() -> None:
    document = from_content(
        {
            "connector": "test",
            "who": {"source_id": "id"},
            "rules": [
                {
                    "id": "only",
                    "profile": {
                        "metadata": {"object": {"all": {"each": {"i": "t"}, "map": {"from": "i", "as": "email"}}}}
                    },
                }
            ],
        },
        "warns",
    )
    change = _both(document, {"id": "u1", "t": ["secret-value"] * 5000})
    assert len(change.warnings) == 100
    assert "secret-value" not in repr(change.warnings)


def test_an_events_name_is_cut_to_300_characters_and_its_key_to_255() -> None:
    change = _both(SEGMENT, {"type": "track", "userId": "u1", "event": "Order " * 100})
    (event,) = change.events
    assert len(event.name) == 300
    assert len(event.key) <= 255
    assert {found.code for found in change.warnings} == {"name_cut"}


@pytest.mark.parametrize(("name", "key"), [("Order Completed", "order_completed"), ("Größe gewählt", "größe_gewählt")])
def test_an_events_key_is_snake_case(name: str, key: str) -> None:
    (event,) = _both(SEGMENT, {"type": "track", "userId": "u1", "event": name}).events
    assert event.key == key


def test_an_events_key_is_never_empty() -> None:
    keys = {
        _both(SEGMENT, {"type": "track", "userId": "u1", "event": name}).events[0].key for name in ("🎉", "🎈", "!!!")
    }
    assert len(keys) == 3
    assert all(key.startswith("event_") for key in keys)


def _depth(value: Any) -> int:
    if isinstance(value, dict):
        return 1 + max(map(_depth, value.values()), default=0)
    return 1 + max(map(_depth, value), default=0) if isinstance(value, list) else 0
