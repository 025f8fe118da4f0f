"""Guarantee G3 with metadata schemas in force: real mapping, real schemas, the real batch transaction, on both engines."""

from __future__ import annotations

import itertools
from typing import Any

import orjson
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import Engine

from hub.core.database import read, write
from hub.inbox import seen
from hub.inbox.values import Message, MessageFilter
from hub.mapping.inbound import compile_inbound
from hub.mapping.versions.files import Folders
from hub.mapping.versions.version import resolve
from hub.profiles.rules.schemas import NO_SCHEMAS, Schemas
from hub.profiles.schema_document import checked
from hub.runtime.apply.batch import Hooks, Mapper, apply_batch, prepare
from hub.runtime.apply.mappers import Versioned
from hub.runtime.apply.replay import next_revision, replay
from hub.sdk.json import loads
from tests.rooms.profiles.people import NOW, SOURCE, change, digest, everyone, exported
from tests.rooms.profiles.test_order_free import forget_everything, split, without_withdrawn

HOOKS = Hooks(digest=digest, erase=lambda *_: None)
PLACE = {
    "type": "object",
    "array": True,
    "properties": {"city": "string", "at": "geopoint"},
    "allow_defined_only": True,
}
KEYS: dict[str, Any] = {
    "points": "number",
    "tags": {"type": "string", "array": True},
    "born": "date",
    "seen_at": "datetime",
    "vip": "boolean",
    "home": "geopoint",
    "places": PLACE,
}
VALUES: dict[str, list[Any]] = {
    "points": [12, "12", "12.50", "many", True, None, [1], {"a": 1}, "9007199254740993"],
    "tags": ["a", ["a", 1, None, {"x": 1}], [], 7, None],
    "born": ["2026-03-14", "2026-03-14T00:00:00Z", "2026-03-14T09:00:00Z", "soon", 20260314],
    "seen_at": ["2026-03-14T09:00:00+02:00", 1773482400, "1773482400000", 7, "2026-03-14"],
    "vip": [True, "yes", 0, "maybe", 2],
    "home": [{"lat": 51.45, "lng": -2.59}, "51.45,-2.59", "51.45, -2.590", "north", [1, 2]],
    "places": [{"city": "Bristol", "at": "1,2", "x": 1}, [{"city": 7}, "Bath", {"at": "far"}], "York", []],
    "shoe": [42, "42"],
}


def document(kind: str, names: tuple[str, ...] = tuple(KEYS), *, closed: bool = False) -> dict[str, Any]:
    return checked(kind, {"allow_defined_only": closed, "properties": {name: KEYS[name] for name in names}})


SCHEMAS = [
    Schemas({"profile": document("profile")}),
    Schemas({kind: document(kind, closed=True) for kind in ("profile", "order", "item", "event")}),
    Schemas({
        "profile": document("profile", ("points", "places"), closed=True),
        "event.order_completed": document("event.order_completed", ("points", "vip")),
        "item": document("item", ("home", "tags")),
    }),
]  # fmt: skip
BAGS = st.lists(
    st.sampled_from([(name, value) for name, values in VALUES.items() for value in values]), max_size=4
).map(dict)
MESSAGES = st.one_of(
    st.builds(lambda bag: {"type": "identify", "traits": {"email": "ada@example.com", **bag}}, BAGS),
    st.builds(lambda bag: {"type": "track", "event": "Signed In", "properties": bag}, BAGS),
    st.builds(
        lambda order_id, bag, item: {
            "type": "track",
            "event": "Order Completed",
            "properties": {"order_id": order_id, "total": 12.5, **bag, "products": [{"product_id": "p", **item}]},
        },
        st.sampled_from(["o1", "o2"]),
        BAGS,
        BAGS,
    ),
)
HISTORIES = st.lists(
    st.tuples(MESSAGES, st.sampled_from(["ada", "ben"]), st.integers(0, 4)), min_size=1, max_size=6
)  # fmt: skip
FEW = settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)
INBOUND = compile_inbound(resolve("segment", "", Folders()).document, connection_id=SOURCE, options={"currency": "EUR"})


def under(schemas: Schemas) -> Mapper:
    return lambda _connection_id: Versioned("m" * 64, INBOUND, schemas)


def told(history: list[Any]) -> list[Message]:
    """The messages of a history, each stored with its own id and time."""
    made = []
    for place, (said, who, second) in enumerate(history):
        at = f"2026-03-14T09:00:0{second}.000Z"
        body = {"messageId": f"m{place}", "userId": who, "timestamp": at, "sentAt": at, "receivedAt": at, **said}
        made.append(Message(SOURCE, f"m{place}", NOW, True, None, False, orjson.dumps(body)))
    return made


def run(engine: Engine, batches: list[list[Message]], schemas: Schemas) -> bytes:
    """Apply batches to an empty state; the exported state."""
    forget_everything(engine)
    with write(engine) as state:
        state.execute(seen.MESSAGE.delete())
    for batch in batches:
        prepared = [prepare(message, under(schemas)) for message in batch]
        with write(engine) as state:
            apply_batch(state, prepared, HOOKS, NOW, 0.0)
    with read(engine) as state:
        rows = seen.page(state, MessageFilter(), None, 99)
        assert {(row.state, row.schema_hash) for row in rows} <= {("applied", schemas.hash)}
        return exported(state)


@FEW
@given(HISTORIES, st.sampled_from(SCHEMAS), st.data())
def test_any_order_repetition_and_batching_under_a_schema_gives_the_same_state(engine, history, schemas, data):
    messages = told(history)
    expected = run(engine, [messages], schemas)
    repeated = messages + data.draw(st.lists(st.sampled_from(messages), max_size=3))
    cuts = data.draw(st.lists(st.integers(0, 12), max_size=4))
    assert run(engine, split(data.draw(st.permutations(repeated)), cuts), schemas) == expected


@FEW
@given(HISTORIES, st.sampled_from(SCHEMAS))
def test_what_is_stored_is_what_the_schema_allows_and_every_drop_is_told(engine, history, schemas):
    run(engine, [[message] for message in told(history)], schemas)
    with read(engine) as state:
        for profile in everyone(state):
            fields = {f"metadata.{name}": value for name, value in profile["metadata"].items()}
            assert schemas.filter(change(fields=fields)).fields == fields
        warnings = {row.message_id: loads(row.warnings) for row in seen.page(state, MessageFilter(), None, 99)}
    for message in told(history):
        free, kept = (
            under(one)("").apply(loads(message.body), message_id=message.message_id, received_at=NOW)
            for one in (NO_SCHEMAS, schemas)
        )
        lost = free.fields.keys() - kept.fields.keys()
        assert lost <= {one["path"].partition("[")[0] for one in warnings[message.message_id]}


@FEW
@given(HISTORIES, st.permutations([NO_SCHEMAS, *SCHEMAS]), st.data())
def test_a_replay_after_a_change_of_schema_ends_like_that_schema_from_the_start(engine, history, schemas, data):
    before, after = schemas[:2]
    messages = told(history)
    expected = run(engine, [messages], after)
    run(engine, split(data.draw(st.permutations(messages)), [2, 4]), before)
    with read(engine) as state:
        revision = next_revision(state, NOW)
    done = replay(engine, MessageFilter(status="applied"), under(after), HOOKS, revision, NOW)
    assert done == {"applied": len(messages)}
    with read(engine) as state:
        assert {row.schema_hash for row in seen.page(state, MessageFilter(), None, 99)} == {after.hash}
        assert without_withdrawn(exported(state)) == without_withdrawn(expected)


@pytest.mark.parametrize("first", [0, 1])
def test_a_schema_that_changes_between_two_workers_batches_leaves_each_message_its_own(engine, first):
    """What two apply workers do in the half second in which one knows the new schema and the other does not."""
    history = [({"type": "identify", "traits": {"points": "12"}}, who, 1) for who in ("ada", "ben")]
    forget_everything(engine)
    for message, schemas in zip(told(history), (SCHEMAS[first], NO_SCHEMAS), strict=True):
        with write(engine) as state:
            apply_batch(state, [prepare(message, under(schemas))], HOOKS, NOW, 0.0)
    with read(engine) as state:
        rows = {row.source_id: row.schema_hash for row in seen.page(state, MessageFilter(), None, 99)}
        points = {profile["source_id"]: profile["metadata"]["points"] for profile in everyone(state)}
    assert rows == {"ada": SCHEMAS[first].hash, "ben": ""}
    assert points == {"ada": 12, "ben": "12"}


def test_every_awkward_value_is_in_some_history():
    """The strategies above reach each type that a schema knows, with values that fit and values that do not."""
    sheet = SCHEMAS[0]
    for name, values in VALUES.items():
        warned = [bool(sheet.filter(change(fields={f"metadata.{name}": value})).warnings) for value in values]
        assert name == "shoe" or set(warned) == {True, False}, list(itertools.zip_longest(values, warned))
