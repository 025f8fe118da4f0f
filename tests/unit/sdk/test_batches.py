"""Batches keep to every limit, lose nothing, and never hold one profile in two calls."""

from __future__ import annotations

from collections import Counter

from hypothesis import given, settings
from hypothesis import strategies as st

from hub.sdk.batches import Ready, form
from hub.sdk.values import Item, Route


def ready(
    number: int, person: str, *, route: str = "a", group: str = "", items: int = 1, size: int = 0, cohort: str = ""
) -> Ready:
    made = [Item(f"d{number}", route, {}, group, str(part)) for part in range(items)]
    return Ready(f"d{number}", person, None, made, route, group, cohort, size)  # type: ignore[arg-type] # no push needed


RECORDS = st.lists(
    st.builds(
        lambda number, person, route, group, items, size, cohort: ready(
            number, person, route=route, group=group, items=items, size=size, cohort=cohort
        ),
        st.integers(0, 10**6),
        st.sampled_from(["u1", "u2", "u3", "u4", "u5", "u6", "u7", "u8"]),
        st.sampled_from(["a", "b"]),
        st.sampled_from(["", "g"]),
        st.integers(1, 4),
        st.integers(1, 60),
        st.sampled_from(["", "x1", "x2"]),
    ),
    max_size=60,
    unique_by=lambda record: record.id,
)
ROUTES = {
    "a": Route("s", items=5, bytes=100),
    "b": Route("s", items=3, items_per_profile=1),
    "bulk": Route("s", items=10, bulk_of="b", bulk_from=6),
}


@settings(max_examples=150, deadline=None)
@given(records=RECORDS)
def test_limits_hold_and_nothing_is_lost(records: list[Ready]):
    batches, deferred = form(records, ROUTES)
    placed = [record.id for batch in batches for record in batch.ready] + [record.id for record in deferred]
    assert sorted(placed) == sorted(record.id for record in records)
    people = Counter(person for batch in batches for person in {record.person for record in batch.ready})
    assert set(people.values()) <= {1}, "a profile is in one call at a time"
    for batch in batches:
        route = ROUTES[batch.route]
        items = sum(len(record.items) for record in batch.ready)
        assert items == batch.item_count
        assert items <= route.items or len(batch.ready) == 1
        assert route.bytes is None or len(batch.ready) == 1 or sum(record.size for record in batch.ready) <= route.bytes
        assert len({(record.group, record.cohort) for record in batch.ready}) == 1
        if route.items_per_profile:
            assert max(Counter(record.person for record in batch.ready).values()) <= route.items_per_profile


def test_records_of_one_profile_share_a_call_in_their_order():
    batches, deferred = form([ready(1, "u1"), ready(2, "u2"), ready(3, "u1")], ROUTES)
    assert [[record.id for record in batch.ready] for batch in batches] == [["d1", "d2", "d3"]]
    assert deferred == []


def test_a_later_record_of_a_profile_waits_for_the_call_that_has_it():
    batches, deferred = form([ready(1, "u1"), ready(2, "u1", route="b")], ROUTES)
    assert len(batches) == 1
    assert [record.id for record in deferred] == ["d2"]


def test_the_bulk_route_is_taken_once_enough_items_wait():
    few = [ready(number, f"u{number}", route="b") for number in range(5)]
    assert {batch.route for batch in form(few, ROUTES)[0]} == {"b"}
    many = [ready(number, f"u{number}", route="b") for number in range(12)]
    batches, _ = form(many, ROUTES)
    assert [(batch.route, batch.item_count) for batch in batches] == [("bulk", 10), ("bulk", 2)]


def test_groups_and_cohorts_are_never_mixed():
    records = [ready(1, "u1"), ready(2, "u2", group="g"), ready(3, "u3", cohort="x")]
    assert len(form(records, ROUTES)[0]) == 3


def test_units_of_a_batch():
    [batch], _ = form([ready(1, "u1", items=2), ready(2, "u1"), ready(3, "u2")], ROUTES)
    assert batch.units() == {"call": 1, "item": 4, "profile": 2}


def test_a_bulk_route_that_is_paused_is_not_chosen():
    many = [ready(number, f"u{number}", route="b") for number in range(12)]
    batches, _ = form(many, ROUTES, closed={"bulk"})
    assert {batch.route for batch in batches} == {"b"}
