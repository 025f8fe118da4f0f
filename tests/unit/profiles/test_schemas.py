"""The metadata schema as a filter: what passes, what is read, what is dropped with a word about it."""

from __future__ import annotations

import random
import time
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hub.mapping.model import REMOVED, Change, Event, Order, Verdict, Warning
from hub.mapping.run.draft import MAX_WARNINGS
from hub.profiles.rules.schema_types import TYPES, UNKNOWN_KEY, WRONG_TYPE
from hub.profiles.rules.schemas import TOO_MANY, Schemas
from hub.profiles.schema_document import checked


def schemas(closed: bool = False, /, **kinds: Any) -> Schemas:
    """Schemas of these kinds (`event_x` is the event x), given as their properties."""
    names = {name: name.replace("event_", "event.", 1) for name in kinds}
    return Schemas(
        {
            names[name]: checked(names[name], {"allow_defined_only": closed, "properties": each})
            for name, each in kinds.items()
        }
    )


def change(fields: dict[str, Any], *, events: Any = (), orders: Any = (), warnings: Any = ()) -> Change:
    return Change(
        Verdict.APPLY, None, "ada", 1, False, False, (), fields, frozenset(), {}, tuple(events), tuple(orders), (), (),
        (), ("rule",), 0, tuple(warnings),
    )  # fmt: skip


def read(type_: Any, value: Any) -> Any:
    """What a key of this type makes of a value; ... where it was dropped, which must have been told."""
    made = schemas(profile={"key": type_}).filter(change({"metadata.key": value}))
    told = [(found.code, found.path.partition("[")[0].partition(".key.")[0]) for found in made.warnings]
    if "metadata.key" in made.fields:
        return made.fields["metadata.key"]
    assert told == [(WRONG_TYPE, "metadata.key")] * len(told)
    assert told
    return ...


LIST = {"type": "number", "array": True}
PLACE = {"type": "object", "properties": {"city": "string", "floor": "number"}}


@pytest.mark.parametrize(
    ("type_", "value", "expected"),
    [
        ("string", "x", "x"), ("string", 12, "12"), ("string", 12.0, "12"), ("string", True, "true"),
        ("string", ["x"], ...), ("string", {"x": 1}, ...), ("string", "", ""),
        ("number", 12, 12), ("number", "12", 12), ("number", " 12.50 ", 12.5), ("number", "-3", -3),
        ("number", "500$", ...), ("number", "", ...), ("number", True, ...), ("number", "NaN", ...), ("number", "1e999", ...),
        ("number", "9007199254740993", 9007199254740993), ("number", "0.1", 0.1),
        ("number", "3.14159265358979323846", ...),
        ("boolean", True, True), ("boolean", "true", True), ("boolean", "No", False), ("boolean", 1, True),
        ("boolean", 2, ...), ("boolean", "maybe", ...),
        ("date", "2026-03-14", "2026-03-14"), ("date", "20260314", "2026-03-14"),
        ("date", "2026-03-14T00:00:00.000Z", "2026-03-14"), ("date", "2026-03-14T09:00:00Z", ...),
        ("date", "2026-03-14T00:00:00+02:00", ...), ("date", "2026-02-30", ...), ("date", 20260314, ...),
        ("datetime", "2026-03-14T09:00:00Z", "2026-03-14T09:00:00Z"),
        ("datetime", "2026-03-14T09:00:00.500+02:00", "2026-03-14T07:00:00.500000Z"),
        ("datetime", 1773478800, "2026-03-14T09:00:00Z"), ("datetime", 5, ...), ("datetime", True, ...),
        ("datetime", "soon", ...),
        ("geopoint", "59.91,10.75", "59.91,10.75"), ("geopoint", "59.910, 10.750", "59.91,10.75"),
        ("geopoint", {"lat": 59.91, "lng": "10.75"}, "59.91,10.75"),
        ("geopoint", {"latitude": -9, "longitude": 0}, "-9,0"), ("geopoint", "91,0", ...), ("geopoint", "0,181", ...),
        ("geopoint", {"lat": 1, "lng": 2, "accuracy": 5}, ...), ("geopoint", [1, 2], ...), ("geopoint", "1,2,3", ...),
        ("image_url", "https://shop.example.com/a.png", "https://shop.example.com/a.png"), ("image_url", 5, ...),
        (LIST, [1, 2.5], [1, 2.5]), (LIST, ["1", "x", 2], [1, 2]), (LIST, "7", [7]), (LIST, "x", ...), (LIST, [], []),
        (LIST, [None, 1], [1]), (LIST, [[1]], ...),
        (PLACE, {"city": "Bristol", "floor": "3"}, {"city": "Bristol", "floor": 3}),
        (PLACE, {"city": "Bristol", "floor": "third"}, {"city": "Bristol"}), (PLACE, "Bristol", ...),
        (PLACE, {"city": "Bristol", "lift": True}, {"city": "Bristol", "lift": True}), (PLACE, [], ...),
    ],
)  # fmt: skip
def test_a_value_is_read_where_nothing_of_it_is_lost_and_dropped_else(type_: Any, value: Any, expected: Any) -> None:
    found = read(type_, value)
    assert found == expected
    assert type(found) is type(expected)


@pytest.mark.parametrize("type_", TYPES)
def test_null_and_removal_have_no_type(type_: str) -> None:
    given_ = change({"metadata.key": REMOVED, "metadata.other": None})
    assert schemas(profile={"key": type_, "other": type_}).filter(given_) is given_


def test_a_key_that_is_not_defined_stays_unless_only_defined_ones_may() -> None:
    given_ = change({"email": "a@example.com", "metadata.tier": "gold", "metadata.shoe": 42, "metadata.old": REMOVED})

    assert schemas(profile={"tier": "string"}).filter(given_) is given_
    made = schemas(True, profile={"tier": "string"}).filter(given_)
    assert made.fields == {"email": "a@example.com", "metadata.tier": "gold", "metadata.old": REMOVED}
    assert [(found.code, found.path) for found in made.warnings] == [(UNKNOWN_KEY, "metadata.shoe")]


def test_built_in_traits_are_no_metadata() -> None:
    given_ = change({"name": "Ada", "address.city": "Bristol", "audiences.vip": {"member": True}, "groups.g": {}})
    assert schemas(True, profile={}).filter(given_) is given_


def test_an_object_in_a_closed_schema_may_be_open_and_the_reverse() -> None:
    document = {
        "allow_defined_only": True,
        "properties": {
            "open": {"type": "object", "properties": {"a": "number"}},
            "closed": {"type": "object", "allow_defined_only": True, "properties": {"a": "number"}},
        },
    }
    made = Schemas({"profile": checked("profile", document)}).filter(
        change({"metadata.open": {"a": 1, "b": 2}, "metadata.closed": {"a": 1, "b": 2}})
    )
    assert made.fields == {"metadata.open": {"a": 1, "b": 2}, "metadata.closed": {"a": 1}}
    assert [found.path for found in made.warnings] == ["metadata.closed.b"]


def event(key: str, **properties: Any) -> Event:
    return Event(0, None, "track", key, key, 1, properties)


def test_an_event_follows_its_own_schema_or_that_of_all_events() -> None:
    sheets = schemas(True, event={"any": "number"}, event_order_completed={"total": "number"})
    made = sheets.filter(
        change({}, events=[event("order_completed", total="5", any="1"), event("login", any="1", x=2)])
    )

    assert [each.properties for each in made.events] == [{"total": 5}, {"any": 1}]
    assert [found.path for found in made.warnings] == ["events.order_completed.any", "events.login.x"]


def test_orders_and_their_items_are_filtered_in_their_metadata_alone() -> None:
    sheets = schemas(True, order={"shop": "string"}, item={"size": "number"})
    items = [{"sku": "a", "metadata": {"size": "5"}}, {"sku": "b", "metadata": {"colour": "red"}}, {"sku": "c"}]
    order = Order("o-1", 1, {"amount": 100, "metadata": {"shop": 7, "till": 2}, "items": items})
    made = sheets.filter(change({}, orders=[order]))

    assert made.orders[0].fields == {
        "amount": 100, "metadata": {"shop": "7"},
        "items": [{"sku": "a", "metadata": {"size": 5}}, {"sku": "b"}, {"sku": "c"}],
    }  # fmt: skip
    assert [found.path for found in made.warnings] == ["order.metadata.till", "order.items[1].metadata.colour"]
    assert order.fields["items"] is items
    assert items[0] == {"sku": "a", "metadata": {"size": "5"}}, "what was given is never changed in place"


def test_metadata_of_which_nothing_is_left_says_nothing() -> None:
    made = schemas(True, order={}).filter(change({}, orders=[Order("o", 1, {"metadata": {"x": 1}, "amount": 5})]))
    assert made.orders[0].fields == {"amount": 5}


def test_a_dropped_field_takes_its_time_and_its_default_with_it() -> None:
    given_ = change({"metadata.a": "x", "metadata.b": 1})._replace(
        field_times={"metadata.a": 5, "metadata.b": 6}, defaults=frozenset({"metadata.a", "metadata.b"})
    )
    made = schemas(profile={"a": "number"}).filter(given_)
    assert made.field_times == {"metadata.b": 6}
    assert made.defaults == {"metadata.b"}


def test_more_drops_than_a_message_may_tell_are_counted() -> None:
    told = [Warning("earlier", "x", "y")] * 40
    made = schemas(True, profile={}).filter(change({f"metadata.k{n}": n for n in range(200)}, warnings=told))

    assert made.fields == {}
    assert len(made.warnings) == MAX_WARNINGS
    assert made.warnings[-1] == Warning(TOO_MANY, "", "the schema drops 141 more values")


def test_a_warning_never_holds_the_value() -> None:
    made = schemas(profile={"key": "number"}).filter(change({"metadata.key": "the-secret-value"}))
    assert "the-secret-value" not in str(made.warnings)


# ── properties ───────────────────────────────────────────────────────────────────────────────────────────────────

NAMES = ("a", "b", "c")
SCALARS = st.one_of(
    st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=8), st.dates().map(str),
    st.datetimes().map(lambda at: at.isoformat()), st.sampled_from(["12", "1e5", "-0", "0.10", "true", "1,2", "+1,-2.50"]),
    st.fixed_dictionaries({"lat": st.floats(-99, 99), "lng": st.integers(-200, 200)}),
)  # fmt: skip
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(NAMES), inner, max_size=3),
    max_leaves=4,
)
KEYS = st.recursive(
    st.builds(lambda kind, array: {"type": kind, "array": array}, st.sampled_from(TYPES[:6]), st.booleans()),
    lambda inner: st.builds(
        lambda array, closed, keys: {"type": "object", "array": array, "allow_defined_only": closed, "properties": keys},
        st.booleans(), st.booleans(), st.dictionaries(st.sampled_from(NAMES), inner, max_size=2),
    ),
    max_leaves=3,
)  # fmt: skip
SHEETS = st.builds(
    lambda closed, keys: {"allow_defined_only": closed, "properties": keys},
    st.booleans(),
    st.dictionaries(st.sampled_from(NAMES), KEYS, max_size=3),
)
DOCUMENTS = st.dictionaries(st.sampled_from(["profile", "order", "item", "event", "event.a"]), SHEETS, max_size=3)
OBJECTS = st.dictionaries(st.sampled_from((*NAMES, "d")), VALUES, max_size=4)


@st.composite
def changes(draw: Any) -> Change:
    fields = {f"metadata.{name}": value for name, value in draw(OBJECTS).items()} | {"email": "a@example.com"}
    fields |= dict.fromkeys(draw(st.sets(st.sampled_from(["metadata.a", "metadata.d"]))), REMOVED)
    events = [event(key, **draw(OBJECTS)) for key in draw(st.lists(st.sampled_from(["a", "b"]), max_size=2))]
    items = [{"sku": "x", "metadata": each} for each in draw(st.lists(OBJECTS, max_size=2))]
    return change(fields, events=events, orders=[Order("o", 1, {"metadata": draw(OBJECTS), "items": items})])


@settings(max_examples=60, deadline=None)
@given(DOCUMENTS, changes(), st.randoms(use_true_random=False))
def test_whatever_comes_it_is_filtered_once_and_in_any_order(
    documents: Any, given_: Change, draw: random.Random
) -> None:
    sheets = Schemas({kind: checked(kind, each) for kind, each in documents.items()})
    before = repr(given_)
    once = sheets.filter(given_)

    assert repr(given_) == before, "never changed in place"
    again = sheets.filter(once._replace(warnings=()))
    assert repr(again) == repr(once._replace(warnings=())), "filtering twice is filtering once"

    other = Schemas({kind: checked(kind, _shuffled(each, draw)) for kind, each in _shuffled(documents, draw).items()})
    turned = other.filter(given_._replace(fields=_shuffled(given_.fields, draw)))
    assert other.hash == sheets.hash
    assert repr(turned.events) == repr(once.events)
    assert repr(turned.orders) == repr(once.orders)
    assert repr(sorted(turned.fields.items())) == repr(sorted(once.fields.items()))
    assert sorted(turned.warnings) == sorted(once.warnings)


@settings(max_examples=60, deadline=None)
@given(DOCUMENTS, changes())
def test_every_drop_is_told(documents: Any, given_: Change) -> None:
    sheets = Schemas({kind: checked(kind, each) for kind, each in documents.items()})
    made = sheets.filter(given_)
    gone = given_.fields.keys() - made.fields.keys()
    told = {found.path.partition("[")[0] for found in made.warnings}
    nested = {".".join(path.split(".")[:2]) for path in told}
    assert gone <= told | nested
    assert made.fields.keys() <= given_.fields.keys()


def _shuffled(given_: dict[str, Any], draw: random.Random) -> dict[str, Any]:
    pairs = list(given_.items())
    draw.shuffle(pairs)
    return dict(pairs)


def test_a_plain_profile_costs_next_to_nothing() -> None:
    """Ten keys in microseconds: against 100 times that, so that a slow machine does not matter."""
    sheets = schemas(True, profile={f"k{number}": "string" for number in range(10)})
    given_ = change({f"metadata.k{number}": "value" for number in range(10)})
    took = []
    for _ in range(5):
        began = time.thread_time()
        for _ in range(200):
            assert sheets.filter(given_) is given_
        took.append((time.thread_time() - began) / 200)
    assert min(took) < 100e-6
