"""Generated functions and the slow interpreter give the same change, warnings included, for any mapping and message."""

from __future__ import annotations

import math
from typing import Any

from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from hub.mapping.inbound import compile_inbound, interpret_inbound
from hub.mapping.language.problems import MappingFileInvalid
from hub.mapping.model import REMOVED
from hub.mapping.outbound import compile_outbound, interpret_outbound
from hub.mapping.versions.version import from_content
from tests.unit.mapping import generated

RECEIVED_AT = 1_773_500_000_000_000
OPTIONS = {"region": "GB", "currency": "GBP"}
few = settings(max_examples=30, database=None, deadline=None, suppress_health_check=list(HealthCheck))


@few
@given(document=generated.documents(), messages=st.lists(generated.messages, min_size=1, max_size=6))
def test_inbound_engines_agree_on_every_message(document: dict[str, Any], messages: list[Any]) -> None:
    node = from_content(document, "generated")
    try:
        slow = interpret_inbound(node, connection_id="c", options=OPTIONS)
    except MappingFileInvalid:
        assume(condition=False)
        return
    fast = compile_inbound(node, connection_id="c", options=OPTIONS)
    for message in [*messages, *messages]:  # twice: tables that learn must answer the same the second time
        expected = slow.apply(message, message_id="m", received_at=RECEIVED_AT)
        given_ = fast.apply(message, message_id="m", received_at=RECEIVED_AT)
        assert_same(given_, expected)


removed_or = st.one_of(
    st.just(REMOVED), generated.scalars.filter(lambda value: not isinstance(value, float) or math.isfinite(value))
)
scopes = st.fixed_dictionaries(
    {"profile": st.fixed_dictionaries({}, optional={
        "email": removed_or, "name": removed_or,
        "address": st.fixed_dictionaries({}, optional={"city": removed_or}),
        "metadata": st.dictionaries(st.sampled_from(generated.KEYS), st.one_of(removed_or, st.just({"deep": {"a": 1}}), st.just(["l", 2]))),
    })},
    optional={
        "code": st.one_of(st.none(), st.just({"code": "C-1"})),
        "event": st.fixed_dictionaries({"name": removed_or, "key": st.sampled_from(["x", "y"])}),
        "order": st.one_of(st.none(), st.just({"currency": "EUR", "items": [{"id": "1", "price": 1250}, {"price": "x"}, 3]})),
        "options": st.just({"base": "voucher"}),
    },
)  # fmt: skip


@few
@given(document=generated.outbound_documents, scope=scopes)
def test_outbound_engines_agree_on_every_record(document: dict[str, Any], scope: dict[str, Any]) -> None:
    node = from_content(document, "generated")
    slow, fast = interpret_outbound(node), compile_outbound(node)
    for operation in ("profiles", "events", "messages"):
        expected = slow.apply(operation, scope)
        assert fast.apply(operation, scope) == expected
        assert fast.apply(operation, scope) == expected


MONEY = from_content(
    {
        "connector": "test",
        "who": {"source_id": "id"},
        "rules": [{"id": "only", "order": {"id": "id", "currency": "currency", "amount": "amount"}}],
    },
    "money",
)
IN_MONEY = [make(MONEY, connection_id="c", options=OPTIONS) for make in (compile_inbound, interpret_inbound)]
amounts = st.one_of(
    st.floats(),
    st.integers(-(10**20), 10**20),
    st.decimals(-(10**13), 10**13, places=2, allow_nan=False).map(float),
    st.decimals(-(10**6), 10**6, places=5, allow_nan=False).map(float),
    st.integers(-(10**6), 10**6).map(lambda number: number / 1000 + 0.0005),
)


@settings(max_examples=400, database=None, deadline=None)
@given(amount=amounts, currency=st.sampled_from(["GBP", "JPY", "KWD", "CLF", "XAU", "gbp", "none", None]))
def test_money_is_the_same_to_the_last_unit(amount: float, currency: str | None) -> None:
    message = {"id": "u1", "currency": currency, "amount": amount}
    fast, slow = (engine.apply(message, message_id="m", received_at=RECEIVED_AT) for engine in IN_MONEY)
    assert_same(fast, slow)


def assert_same(given_: Any, expected: Any) -> None:
    for name, left, right in zip(expected._fields, given_, expected, strict=True):
        assert typed(left) == typed(right), name


def typed(value: Any) -> Any:
    """Equal only if the types are: 1, 1.0 and true are not the same to a vendor."""
    if isinstance(value, dict):
        return {key: typed(child) for key, child in value.items()}
    if isinstance(value, list | tuple):
        return [typed(child) for child in value]
    return (type(value).__name__, value)
