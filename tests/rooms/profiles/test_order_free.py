"""Guarantee G3: the same messages, in any order, repeated or not, in any batches, give the same bytes."""

from __future__ import annotations

import itertools

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hub.core.bulk import table
from hub.core.database import write
from hub.mapping.anonymous import anonymous_key, is_anonymous
from hub.mapping.model import REMOVED, Event
from hub.profiles import tables
from tests.rooms.profiles.people import NOW, SECOND, applied, change, exported, merge

PEOPLE = st.sampled_from(["u1", "u2", "u3", "é4", anonymous_key("anonymous_id", "x"), anonymous_key("mpid", "u1")])
TIMES = st.integers(0, 5)
NAMES = st.sampled_from(["email", "name", "address.city", "metadata.points", "groups.g", "audiences.vip"])
VALUES = st.sampled_from([REMOVED, "a@b.c", "B@b.c", 0, False, 1.5, [1, {"x": None}], {"y": "\ufffd"}, "🦊"])
ADDRESSES = st.sampled_from([None, "a@b.c", "A@B.c", "+32470123456"])

EVENTS = st.builds(
    lambda event_id, key, worth: Event(0, event_id, "track", key, key, NOW - SECOND * worth, {"worth": worth}),
    st.sampled_from([None, None, "E1", "E2"]),
    st.sampled_from(["bought", "viewed"]),
    st.integers(0, 3),
)
ORDERS = st.tuples(
    st.sampled_from(["o1", "o2"]),
    st.dictionaries(st.sampled_from(["status", "amount"]), st.integers(0, 3), max_size=2),
    st.dictionaries(st.sampled_from(["r1", "r2"]), st.builds(lambda amount: {"amount": amount}, st.integers(1, 3))),
)
CHANGES = st.builds(
    lambda source_id, at, fields, defaulted, own, identities, events, orders, consents, links: change(
        source_id,
        at,
        fields=fields,
        defaults={name for name in defaulted if fields.get(name, REMOVED) is not REMOVED},
        field_times=dict.fromkeys(list(fields)[:1], own),
        identities=identities,
        events=[event._replace(position=place) for place, event in enumerate(events)],
        orders=orders,
        consents=consents,
        links=links,
    ),
    PEOPLE,
    TIMES,
    st.dictionaries(NAMES, VALUES, max_size=4),
    st.sets(NAMES, max_size=2),
    TIMES,
    st.lists(
        st.tuples(st.sampled_from(["email", "anonymous_id"]), st.sampled_from(["x@y.z", "X@y.z", "n" * 300])),
        max_size=2,
    ),
    st.lists(EVENTS, max_size=2),
    st.lists(ORDERS, max_size=2),
    st.lists(
        st.tuples(st.sampled_from(["email", "sms", "tracking"]), st.sampled_from([True, False, None]), ADDRESSES),
        max_size=2,
    ),
    st.lists(st.tuples(PEOPLE, PEOPLE), max_size=2),
)
HISTORIES = st.lists(CHANGES, min_size=1, max_size=7)
FEW = settings(
    max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)


def forget_everything(engine):
    with write(engine) as state:
        for name in ("Profile", "Identity", "Event", "CustomerOrder", "Consent", "ProfileLink", "Tombstone"):
            state.execute(table(getattr(tables, f"{name}Row")).delete())


def run(engine, batches):
    """Apply batches to an empty state, each in a transaction, each message once; the exported state."""
    forget_everything(engine)
    seen = set()
    for batch in batches:
        fresh = {one.message_id: one for one in reversed(batch) if one.message_id not in seen}
        seen |= fresh.keys()
        with write(engine) as state:
            merge(state, *fresh.values())
    with write(engine) as state:
        return exported(state)


def split(messages, cuts):
    edges = sorted({0, len(messages), *(cut % (len(messages) + 1) for cut in cuts)})
    return [messages[start:end] for start, end in itertools.pairwise(edges)]


@FEW
@given(HISTORIES, st.data())
def test_any_order_repetition_and_batching_gives_the_same_state(engine, history, data):
    messages = [applied(one, f"m{place}") for place, one in enumerate(history)]
    expected = run(engine, [messages])
    repeated = messages + data.draw(st.lists(st.sampled_from(messages), max_size=3))
    shuffled = data.draw(st.permutations(repeated))
    cuts = data.draw(st.lists(st.integers(0, 12), max_size=5))
    assert run(engine, split(shuffled, cuts)) == expected


@FEW
@given(HISTORIES, st.data())
def test_applying_again_under_one_mapping_changes_nothing_wherever_it_happens(engine, history, data):
    messages = [applied(one, f"m{place}") for place, one in enumerate(history)]
    expected = run(engine, [messages])
    with write(engine) as state:
        for one in data.draw(st.permutations(messages)):
            merge(state, one._replace(revision=7, previous=one.change.source_id))
        last = exported(state)
    assert last == expected


@FEW
@given(HISTORIES, HISTORIES, st.data())
def test_a_whole_replay_with_another_mapping_ends_like_that_mapping_from_the_start(engine, before, after, data):
    size = min(len(before), len(after))
    first = [applied(one, f"m{place}") for place, one in enumerate(before[:size])]
    second = [one._replace(change=new) for one, new in zip(first, after[:size], strict=True)]
    expected = run(engine, [second])
    run(engine, split(data.draw(st.permutations(first)), [2, 4]))
    again = [new._replace(revision=9, previous=old.change.source_id) for old, new in zip(first, second, strict=True)]
    with write(engine) as state:
        merge(state, *data.draw(st.permutations(again)))
        assert without_withdrawn(exported(state)) == without_withdrawn(expected)


def without_withdrawn(state: bytes) -> bytes:
    """Profiles that the new mapping no longer speaks of stay, empty, anonymous ones among them; so do orders without a
    field."""
    import orjson

    profiles, redirects, events, consents = orjson.loads(state)
    for profile in profiles:
        profile["merged"] = [one for one in profile["merged"] if not is_anonymous(one)]
        profile["orders"] = [order for order in profile["orders"] if len(order) > 2 or order["refunds"]]
    parts = ("traits", "metadata", "identities", "consents", "groups", "audiences", "events", "orders", "merged")
    spoken_of = [profile for profile in profiles if any(profile[part] for part in parts)]
    known = {profile["source_id"] for profile in spoken_of}
    moved = [pair for pair in redirects if pair[0] in known or (pair[1] is not None and not is_anonymous(pair[0]))]
    return orjson.dumps([spoken_of, moved, events, consents])
