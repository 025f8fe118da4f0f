"""Many requests in one commit: each is answered for itself, and nobody is told 'stored' who is not."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager, suppress

import pytest
from sqlalchemy import event, text

from hub.core.clock import MINUTE
from hub.core.database import write
from hub.core.filters import RecordFilter
from hub.inbox import commit, sqlite
from hub.inbox.refused import PER_MINUTE, kept_request
from hub.inbox.sql import Inbox
from hub.inbox.values import AcceptedRequest, Refusal, RefusedRequest
from hub.sdk.errors import Busy, Overloaded
from hub.sdk.values import RawMessage
from tests.rooms.inbox.conftest import CONNECTION, NOW, accepted, apply, ids, terms, until

LARGE = 700  # messages: several rows
UNSTORABLE = AcceptedRequest(CONNECTION, 2**70, [RawMessage(b"{}", "poison")])
"""Both engines refuse the number: it has more than 64 bits."""


@contextmanager
def one_group(inbox: Inbox, requests: list[AcceptedRequest]) -> Iterator[list[Future[None]]]:
    """Append the requests so that they share one commit."""
    add_rows, gate, groups = inbox._store.add_rows, threading.Event(), []

    def gated(rows):
        if not groups:
            groups.append(0)
            gate.wait(10)
        groups.append(len(rows))
        add_rows(rows)

    inbox._store.add_rows = gated
    with ThreadPoolExecutor(len(requests) + 1) as threads:
        plug = threads.submit(inbox.append, accepted("plug"))
        until(lambda: groups)
        futures = [threads.submit(inbox.append, request) for request in requests]
        until(lambda: inbox._commit._queue.qsize() == len(requests))
        gate.set()
        plug.result(10)
        yield futures
    assert groups[2] == len(requests)


def test_requests_that_wait_together_share_one_commit(inbox, engine):
    with one_group(inbox, [accepted(f"m{number}") for number in range(8)]) as futures:
        assert [future.result(10) for future in futures] == [None] * 8
    assert terms(inbox, engine) == (9, 9)


def test_a_request_the_database_refuses_does_not_fail_its_neighbours(inbox, engine):
    with one_group(inbox, [accepted("a"), UNSTORABLE, accepted("b")]) as (first, poison, last):
        assert first.result(10) is last.result(10) is None
        with pytest.raises(Busy):
            poison.result(10)
    assert sorted(ids(apply(inbox))) == ["a", "b", "plug"]
    assert terms(inbox, engine) == (3, 0)


def test_a_large_request_is_stored_whole_or_not_at_all(inbox, engine):
    inbox.append(accepted(*[f"m{number}" for number in range(LARGE)]))
    assert terms(inbox, engine) == (LARGE, LARGE)
    unstorable = [RawMessage(b"{}", f"n{number}") for number in range(LARGE)]
    with pytest.raises(Busy):
        inbox.append(AcceptedRequest(CONNECTION, 2**70, unstorable))
    assert terms(inbox, engine) == (LARGE, LARGE)
    batches = []
    while batch := apply(inbox, limit=100):
        batches.append(len(batch))
    assert sum(batches) == LARGE
    assert max(batches) < LARGE


def test_a_locked_store_answers_busy_and_keeps_nothing(open_another, engine, queue, monkeypatch):
    if queue == "kafka":
        return  # nothing locks a topic; silent brokers are in test_kafka.py
    monkeypatch.setattr(sqlite, "LOCKED_MS", 100)
    monkeypatch.setattr(commit, "ANSWER_S", 0.5)
    inbox = open_another()
    with write(inbox._engine) as other:
        if engine.dialect.name == "postgresql":
            other.execute(text("LOCK TABLE inbox_request IN ACCESS EXCLUSIVE MODE"))
        with pytest.raises(Busy):
            inbox.append(accepted("a"))
    inbox.append(accepted("b"))
    assert "b" in ids(apply(inbox))  # on PostgreSQL the first may come too: its sender was told "unknown", not "no"


def test_a_full_disk_answers_busy_until_there_is_room(inbox, queue):
    if queue == "kafka":
        return  # the disk is the brokers': full, they do not answer
    inbox.append(accepted("before"))
    with full_disk(inbox):
        for _ in range(2):
            with pytest.raises(Busy):
                inbox.append(AcceptedRequest(CONNECTION, NOW, [RawMessage(b"x" * 100_000, "a")]))
    inbox.append(accepted("after"))
    assert ids(apply(inbox)) == ["before", "after"]


def test_a_store_that_is_gone_answers_busy(inbox, queue):
    if queue == "kafka":
        return  # brokers that are gone are in test_kafka.py
    inbox.append(accepted("before"))
    with write(inbox._engine) as connection:
        connection.execute(text("ALTER TABLE inbox_request RENAME TO elsewhere"))
    with pytest.raises(Busy):
        inbox.append(accepted("a"))
    with write(inbox._engine) as connection:
        connection.execute(text("ALTER TABLE elsewhere RENAME TO inbox_request"))
    inbox.append(accepted("after"))
    assert ids(apply(inbox)) == ["before", "after"]


def test_above_the_inbox_limit_senders_are_busy_until_messages_are_applied(open_another):
    inbox = open_another(inbox_limit=4)
    with suppress(Busy):
        for number in range(2_000):
            inbox.append(accepted(f"m{number}", f"n{number}"))
    with pytest.raises(Overloaded, match="HUB_INBOX_LIMIT"):
        inbox.append(accepted("more"))
    while apply(inbox):
        pass

    def is_taken() -> bool:
        with suppress(Busy):
            inbox.append(accepted("again"))
            return True
        return False

    until(is_taken)


def test_a_closed_inbox_has_written_everything_and_takes_nothing_more(open_another, engine):
    inbox = open_another()
    inbox.append(accepted("a"))
    inbox.refuse("-", "unknown_source", NOW)
    inbox.close()
    with pytest.raises(Busy):
        inbox.append(accepted("b"))
    other = open_another()
    assert ids(apply(other)) == ["a"]
    assert other.refusals() == [Refusal("-", "unknown_source", NOW, 1)]


# ── refusals ─────────────────────────────────────────────────────────────────────────────────────────────────────


def test_refusals_are_one_row_per_source_reason_and_minute(inbox):
    for second in range(90):
        inbox.refuse(CONNECTION, "signature_invalid", NOW + second * 1_000_000)
    inbox.refuse("-", "unknown_source", NOW)
    inbox.append(accepted("a"))
    until(inbox.refusals)
    inbox.refuse(CONNECTION, "signature_invalid", NOW)
    until(lambda: sum(refusal.count for refusal in inbox.refusals()) == 92)
    assert inbox.refusals() == [
        Refusal("-", "unknown_source", NOW, 1),
        Refusal(CONNECTION, "signature_invalid", NOW, 61),
        Refusal(CONNECTION, "signature_invalid", NOW + MINUTE, 30),
    ]
    assert inbox.refusals(RecordFilter(since=NOW + 1)) == [Refusal(CONNECTION, "signature_invalid", NOW + MINUTE, 30)]


def test_refusals_are_written_without_any_message_coming_in(inbox):
    inbox.refuse("-", "unknown_source", NOW)
    until(lambda: inbox.refusals() == [Refusal("-", "unknown_source", NOW, 1)])


def test_refusals_outlive_a_failing_store_in_bounded_memory(inbox, monkeypatch):
    monkeypatch.setattr(commit, "REFUSAL_KEYS", 3)
    with write(inbox._engine) as connection:
        connection.execute(text("ALTER TABLE refusal RENAME TO elsewhere"))
    for minute in range(10):
        inbox.refuse("-", "forbidden", NOW + minute * MINUTE)
    assert len(inbox._commit._refusals) <= 4
    until(lambda: not inbox._commit._refusals)  # taken for a try, which fails
    until(lambda: inbox._commit._refusals)
    with write(inbox._engine) as connection:
        connection.execute(text("ALTER TABLE elsewhere RENAME TO refusal"))
    until(lambda: sum(refusal.count for refusal in inbox.refusals()) == 10)


def test_old_refusals_are_forgotten(inbox):
    inbox.refuse("-", "forbidden", NOW)
    inbox.refuse("-", "forbidden", NOW + MINUTE)
    until(lambda: len(inbox.refusals()) == 2)
    assert inbox.prune(NOW + MINUTE) == 1
    assert [refusal.minute for refusal in inbox.refusals()] == [NOW + MINUTE]


@contextmanager
def full_disk(inbox: Inbox) -> Iterator[None]:
    """No page can be added: SQLite's own limit, or the error PostgreSQL raises then (53100)."""
    engine = inbox._engine
    if engine.dialect.name == "postgresql":
        with write(engine) as connection:
            connection.exec_driver_sql(
                "CREATE FUNCTION no_room() RETURNS trigger AS $$ BEGIN"
                " RAISE EXCEPTION 'could not extend file' USING ERRCODE = '53100'; END $$ LANGUAGE plpgsql"
            )
            connection.exec_driver_sql(
                "CREATE TRIGGER no_room BEFORE INSERT ON inbox_request FOR EACH ROW EXECUTE FUNCTION no_room()"
            )
        yield
        with write(engine) as connection:
            connection.exec_driver_sql("DROP TRIGGER no_room ON inbox_request")
        return
    pages = 1

    def limit(connection, *_):
        connection.execute(f"PRAGMA max_page_count = {pages}")

    event.listen(engine, "checkout", limit)
    inbox._store.release()  # so that the writer takes its connection anew
    yield
    pages = 1_000_000


def test_of_refused_requests_a_few_are_kept_whatever_a_forger_sends(inbox):
    made = []

    def keep() -> RefusedRequest:
        made.append(1)
        return kept_request(CONNECTION, "signature_invalid", "/v1/\0", {"cookie": "c"}, b"x" * 99_999, NOW)

    for _ in range(1_000):
        inbox.refuse(CONNECTION, "signature_invalid", NOW, keep)
    until(lambda: sum(refusal.count for refusal in inbox.refusals()) == 1_000)
    kept = inbox.refused()
    assert len(kept) == len(made) == PER_MINUTE
    assert {(len(one.body), one.size, one.headers) for one in kept} == {(16_384, 99_999, '{"cookie":"***"}')}
    inbox.refuse(CONNECTION, "signature_invalid", NOW + MINUTE, keep)
    until(lambda: len(inbox.refused()) == PER_MINUTE + 1)
    assert inbox.refused(RecordFilter(reason="other")) == inbox.refused(RecordFilter(until=NOW)) == []
    assert len(inbox.refused(RecordFilter(connection_id=CONNECTION, text="SIGNATURE"), 2)) == 2
    assert inbox.forget_refused(NOW + 1) == PER_MINUTE + 1
    assert inbox.refused() == []
