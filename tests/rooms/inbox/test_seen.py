"""What became of each message: once per id, whatever the batches, and counted exactly."""

from __future__ import annotations

import threading
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import Engine, select, text
from sqlalchemy.exc import DBAPIError, IntegrityError

from hub.core.clock import DAY
from hub.core.database import is_passing, read, write
from hub.inbox import retention, seen
from hub.inbox.codec import bounded_id
from hub.inbox.sql import Inbox, Superseded
from hub.inbox.values import MessageFilter, SeenRow, SeenTerms, Settled
from tests.rooms.inbox.conftest import CONNECTION, NOW, accepted


def row(message_id: str, **changes: object) -> SeenRow:
    plain = SeenRow(
        connection_id=CONNECTION,
        message_id=message_id,
        state="applied",
        reason="",
        mapping_hash="hash",
        schema_hash="schemas",
        received_at=NOW,
        at=NOW - 5,
        source_id="user-1",
        revision=0,
        body=b'{"a":"\x00"}',
        warnings="[]",
        run_id=None,
    )
    return plain._replace(**changes)


def record(engine: Engine, *rows: SeenRow) -> list[int]:
    with write(engine) as state:
        return seen.record(state, rows)


def terms(engine: Engine) -> SeenTerms:
    with read(engine) as state:
        return seen.terms(state)


def find(engine: Engine, message_id: str) -> seen.StoredMessage:
    with read(engine) as state:
        (found,) = seen.page(state, MessageFilter(message_id=message_id), None, 2)
    return found


def test_a_row_is_read_as_it_was_written(engine):
    full = row("a", body=bytes(range(256)), warnings='["zoë"]', run_id="r" * 26)
    bare = row("b", at=None, source_id=None, body=None)
    assert record(engine, full, bare) == [0, 1]
    assert find(engine, "a")._asdict() == full._asdict() | {"duplicates": 0}
    assert find(engine, "b")._asdict() == bare._asdict() | {"duplicates": 0}


def test_the_first_body_under_an_id_counts_and_later_ones_are_its_duplicates(engine):
    assert record(engine, row("b"), row("a", body=b"first"), row("a", body=b"second")) == [0, 1]
    assert record(engine, row("a", body=b"third", state="quarantined", reason="odd"), row("c")) == [1]
    found = find(engine, "a")
    assert (found.body, found.state, found.duplicates) == (b"first", "applied", 2)
    assert terms(engine) == SeenTerms(applied=3, duplicate=2)


def test_the_same_id_from_another_connection_is_another_message(engine):
    assert record(engine, row("a"), row("a", connection_id="other")) == [0, 1]


def test_more_rows_than_one_statement_holds_are_recorded_together(engine):
    rows = [row(f"m{number % 1_100:04}") for number in range(1_300)]
    assert record(engine, *rows) == list(range(1_100))
    assert terms(engine) == SeenTerms(applied=1_100, duplicate=200)


def test_no_rows_are_no_statement(engine):
    assert record(engine) == []
    with write(engine) as state:
        seen.settle(state, [])


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(batches=st.lists(st.lists(st.sampled_from("abcdefgh"), max_size=6), max_size=6))
def test_any_batching_of_the_same_messages_gives_the_same_books(engine, batches):
    with write(engine) as state:
        state.execute(text("DELETE FROM message"))
    fresh = [batch[place] for batch in batches for place in record(engine, *map(row, batch))]
    sent = Counter(name for batch in batches for name in batch)
    assert Counter(fresh) == Counter(sent.keys())
    assert terms(engine) == SeenTerms(applied=len(sent), duplicate=sent.total() - len(sent))


def test_workers_that_record_the_same_messages_in_any_order_agree(engine):
    names = [f"m{number}" for number in range(40)]
    orders = [names, names[::-1], names[20:] + names[:20], names[1::2] + names[::2]]
    fresh: list[str] = []

    def work(order: list[str]) -> None:
        for start in range(0, 40, 10):
            part = order[start : start + 10]
            while True:
                try:
                    places = record(engine, *map(row, part))
                except DBAPIError as error:
                    if is_passing(error):
                        continue
                    raise
                fresh.extend(part[place] for place in places)
                break

    with ThreadPoolExecutor(4) as threads:
        list(threads.map(work, orders))
    assert sorted(fresh) == sorted(names)
    assert terms(engine) == SeenTerms(applied=40, duplicate=120)


def test_an_unknown_state_is_refused_by_the_database(engine):
    with pytest.raises(IntegrityError):
        record(engine, row("a", state="lost"))


# ── replays and operators ────────────────────────────────────────────────────────────────────────────────────────


def test_a_message_applied_again_moves_to_its_new_state(engine):
    record(engine, row("a", state="quarantined", reason="no_rule", body=b"kept"), row("b"))
    assert terms(engine) == SeenTerms(applied=1, quarantined={"no_rule": 1})
    with write(engine) as state:
        seen.settle(state, [Settled(CONNECTION, "a", "applied", "", "new", "newer", NOW, "user-9", 7, "[]", "run")])
    found = find(engine, "a")
    assert (found.state, found.mapping_hash, found.source_id, found.revision) == ("applied", "new", "user-9", 7)
    assert (found.schema_hash, find(engine, "b").schema_hash) == ("newer", "schemas")
    assert found.body == b"kept"
    assert terms(engine) == SeenTerms(applied=2)


def test_pages_cover_every_message_once_in_the_order_of_receipt(engine):
    rows = [row(f"m{number}", received_at=NOW + number // 3) for number in range(10)]
    record(engine, *rows)
    found, after = [], None
    with read(engine) as state:
        while page := seen.page(state, MessageFilter(), after, 4):
            found += [message.message_id for message in page]
            after = page[-1].cursor
    assert found == [f"m{number}" for number in range(10)]


def test_filters_narrow_a_page_and_a_count(engine):
    record(
        engine,
        row("a", state="quarantined", reason="odd"),
        row("b", source_id="user-2", received_at=NOW + 10),
        row("c", connection_id="other"),
    )
    wanted = {
        "a": MessageFilter(status="quarantined", reason="odd"),
        "b": MessageFilter(source_id="user-2"),
        "c": MessageFilter(connection_id="other", until=NOW + 1),
    }
    with read(engine) as state:
        for message_id, narrowed in wanted.items():
            assert [found.message_id for found in seen.page(state, narrowed, None, 9)] == [message_id]
            assert seen.count(state, narrowed) == 1
        assert seen.count(state, MessageFilter(since=NOW)) == 3


# ── forgetting ───────────────────────────────────────────────────────────────────────────────────────────────────


def test_bodies_go_after_their_retention_but_not_while_quarantined(engine):
    record(engine, row("old"), row("odd", state="quarantined", reason="x"), row("new", received_at=NOW + DAY))
    with write(engine) as state:
        assert retention.strip_bodies(state, NOW + 1, 10) == 1
        assert retention.strip_bodies(state, NOW + 1, 10) == 0
    assert [find(engine, name).body is None for name in ("old", "odd", "new")] == [True, False, False]


def test_pruned_rows_are_carried_so_that_the_books_stay_exact(engine):
    record(engine, row("a"), row("a"), row("a"), row("b", state="ignored", reason="unknown_type"))
    record(engine, row("odd", state="quarantined", reason="x"), row("new", received_at=NOW + DAY))
    carried: Counter[tuple[str, str]] = Counter()
    with write(engine) as state:
        for expected in (1, 1, 0):
            gone = retention.prune(state, NOW + 1, 1, lambda _, counts: carried.update(counts))
            assert gone == expected
    assert carried == {("applied", ""): 1, ("duplicate", ""): 2, ("ignored", "unknown_type"): 1}
    assert terms(engine) == SeenTerms(applied=1, quarantined={"x": 1})


def test_an_erased_person_is_in_no_message(engine):
    record(
        engine,
        row("a", body=b"ada@example.com", warnings='["ada"]'),
        row("odd", state="quarantined", reason="x"),
        row("b", source_id="user-2"),
    )
    with write(engine) as state:
        assert retention.erase(state, ["user-1", "nobody"]) == 2
    for name in ("a", "odd"):
        found = find(engine, name)
        assert (found.body, found.source_id, found.warnings) == (None, None, "[]")
    assert find(engine, "b").source_id == "user-2"
    assert terms(engine) == SeenTerms(applied=2, ignored={"erased": 1})


# ── the equation ─────────────────────────────────────────────────────────────────────────────────────────────────


def test_the_books_balance_at_every_moment_while_the_hub_runs(inbox: Inbox, engine: Engine):
    """Two appliers race, senders repeat themselves, rows are pruned: accepted = waiting + applied + duplicate."""
    sent = threading.Event()

    def send() -> None:
        for number in range(120):
            inbox.append(accepted(f"m{number % 70}", f"n{number}", f"n{number}"))
        sent.set()

    def apply() -> None:
        while True:
            with inbox.batch(7) as claim:
                if not claim.messages and sent.is_set():
                    return
                if not claim.messages:
                    continue
                rows = [row(message.message_id) for message in claim.messages]
                try:
                    with suppress(Superseded), claim.transaction() as state:
                        seen.record(state, rows)
                except DBAPIError as error:
                    if not is_passing(error):
                        raise
            inbox.prune(NOW)

    with ThreadPoolExecutor(3) as threads:
        work = [threads.submit(send), threads.submit(apply), threads.submit(apply)]
        while not all(done.done() for done in work):
            assert_balanced(inbox, engine)
        for done in work:
            done.result()
    assert_balanced(inbox, engine)
    assert terms(engine) == SeenTerms(applied=190, duplicate=170)


def assert_balanced(inbox: Inbox, engine: Engine) -> None:
    with read(engine) as state:
        found, queue = seen.terms(state), inbox.terms(state)
    assert queue.accepted == queue.waiting + found.applied + found.duplicate


# ── finding one by its id ────────────────────────────────────────────────────────────────────────────────────────


def test_a_message_is_found_by_its_id_or_by_how_that_begins(engine):
    long = "x" * 200
    record(
        engine,
        row("ajs-1"),
        row("ajs-12"),
        row("Ajs-3"),
        row("é%_\U0010ffff"),
        row(bounded_id(long)),
        row("ajs-1", connection_id="other"),
    )
    with read(engine) as state:
        assert seen.keys_beginning(state, "ajs-12") == [(CONNECTION, "ajs-12")]
        assert seen.keys_beginning(state, "ajs-1", CONNECTION) == [(CONNECTION, "ajs-1")]
        assert len(seen.keys_beginning(state, "ajs-1")) == 2, "two sources use one id"
        assert {found for _, found in seen.keys_beginning(state, "ajs")} == {"ajs-1", "ajs-12"}
        assert seen.keys_beginning(state, "é%") == [(CONNECTION, "é%_\U0010ffff")]
        assert seen.keys_beginning(state, long) == [(CONNECTION, bounded_id(long))]
        for nothing in ("", "js", "\0", "\ud800", "Z"):
            assert seen.keys_beginning(state, nothing) == []


def test_the_open_ones_are_found_in_their_index_whatever_else_is_asked(engine):
    if engine.dialect.name != "sqlite":
        return  # PostgreSQL chooses by the sizes of tables
    plans = {}
    for name, wanted in {
        "message_open": MessageFilter(status="quarantined", reason="odd", text="x"),
        "message_received_at": MessageFilter(since=NOW, text="x"),
        "message_source_id": MessageFilter(source_id="user-1"),
    }.items():
        query = select(seen.MESSAGE.c.message_id).where(*seen._conditions(wanted))
        text_ = str(query.compile(engine, compile_kwargs={"literal_binds": True}))
        with read(engine) as state:
            plans[name] = str(state.exec_driver_sql(f"EXPLAIN QUERY PLAN {text_}").all())
    assert all(name in plan for name, plan in plans.items()), plans
