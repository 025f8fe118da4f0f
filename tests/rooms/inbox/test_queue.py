"""The durable queue: nothing lost, nothing twice, whole requests only, on both engines and in Kafka."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import text

from hub.core.database import read
from hub.inbox.sql import Superseded
from hub.inbox.values import AcceptedRequest, Message
from hub.sdk.errors import ConfigurationError
from hub.sdk.values import RawMessage
from tests.rooms.inbox.conftest import CONNECTION, NOW, accepted, apply, ids, is_rows, terms


def test_a_request_comes_out_as_it_went_in(inbox):
    messages = [
        RawMessage(b'{"a":1}', "one", "user-1"),
        RawMessage('{"name":"Zoë ✨"}'.encode(), "two", None, authentic=False),
    ]
    inbox.append(AcceptedRequest(CONNECTION, NOW, messages))
    assert apply(inbox) == [
        Message(CONNECTION, "one", NOW, True, "user-1", False, b'{"a":1}'),
        Message(CONNECTION, "two", NOW, False, None, False, '{"name":"Zoë ✨"}'.encode()),
    ]


def test_what_was_applied_does_not_come_again(inbox):
    inbox.append(accepted("a"))
    inbox.append(accepted("b", "c"))
    assert ids(apply(inbox)) == ["a", "b", "c"]
    assert apply(inbox) == []
    inbox.append(accepted("d"))
    assert ids(apply(inbox)) == ["d"]


def test_a_batch_ends_with_the_request_that_fills_it(inbox, queue):
    """In Kafka with the message: each is a record of its own."""
    for name in "abc":
        inbox.append(accepted(f"{name}1", f"{name}2"))
    first, second = (["a1", "a2", "b1"], ["b2", "c1", "c2"])
    if queue == "database":
        first, second = (["a1", "a2", "b1", "b2"], ["c1", "c2"])
    assert ids(apply(inbox, limit=3)) == first
    assert ids(apply(inbox, limit=3)) == second


def test_large_bodies_end_a_batch_early(inbox):
    body = b"[" + b"1" * 5_000_000 + b"]"
    for name in "abc":
        inbox.append(AcceptedRequest(CONNECTION, NOW, [RawMessage(body, name)]))
    assert ids(apply(inbox)) == ["a", "b"]
    assert ids(apply(inbox)) == ["c"]


def test_a_batch_that_is_only_looked_at_comes_again(inbox):
    inbox.append(accepted("a"))
    with inbox.batch(10) as claim:
        assert ids(claim.messages) == ["a"]
    assert ids(apply(inbox)) == ["a"]


def test_a_crash_inside_the_transaction_applies_nothing(inbox, engine):
    inbox.append(accepted("a", "b"))
    with suppress(ZeroDivisionError), inbox.batch(10) as claim, claim.transaction() as state:
        state.execute(text("INSERT INTO inbox_position VALUES ('mine', 1, 1)"))
        raise ZeroDivisionError
    with read(engine) as state:
        assert state.execute(text("SELECT * FROM inbox_position WHERE name = 'mine'")).all() == []
    assert terms(inbox, engine) == (2, 2)
    assert ids(apply(inbox)) == ["a", "b"]


def test_two_workers_never_apply_the_same_message(inbox, open_another):
    """On SQLite and Kafka the second is fenced off by the position; on PostgreSQL it claims other rows."""
    other = open_another()
    inbox.append(accepted("a"))
    inbox.append(accepted("b"))
    applied: list[str] = []
    with inbox.batch(1) as mine, other.batch(1) as theirs:
        for claim in (mine, theirs):
            with suppress(Superseded), claim.transaction():
                applied += ids(claim.messages)
    while batch := apply(inbox):
        applied += ids(batch)
    assert sorted(applied) == ["a", "b"]


def test_a_fenced_off_worker_is_told_before_it_writes(inbox, engine, queue):
    if is_rows(engine, queue):
        with inbox.batch(10) as first, inbox.batch(10) as second:
            assert first.messages == second.messages == []
        return
    inbox.append(accepted("a"))
    with inbox.batch(10) as slow:
        apply(inbox)
        with pytest.raises(Superseded), slow.transaction():
            pytest.fail("the transaction of a fenced-off worker was begun")


def test_what_follows_a_claim_is_read_before_it_commits_and_applied_after_it(inbox, engine):
    for name in "abc":
        inbox.append(accepted(name))
    with inbox.batch(1) as first, first.following(1) as second:
        with first.transaction():
            pass
        with second.following(1) as third, second.transaction():
            assert [ids(claim.messages) for claim in (first, second, third)] == [["a"], ["b"], ["c"]]
    assert terms(inbox, engine) == (3, 1)
    assert ids(apply(inbox)) == ["c"]


def test_what_follows_a_claim_that_failed_never_passes_over_it(inbox, engine, queue):
    """On SQLite and Kafka it is fenced off; on PostgreSQL the rows are others, and the failed ones come again."""
    inbox.append(accepted("a"))
    inbox.append(accepted("b"))
    with inbox.batch(1) as first, first.following(1) as second:
        with suppress(ZeroDivisionError), first.transaction():
            raise ZeroDivisionError
        if not is_rows(engine, queue):
            with pytest.raises(Superseded), second.transaction():
                pytest.fail("the position moved past what was not applied")
    assert ids(apply(inbox)) == ["a", "b"]


def test_many_threads_append_at_once_and_none_is_lost(inbox, engine):
    names = [f"m{number}" for number in range(300)]
    with ThreadPoolExecutor(16) as threads:
        list(threads.map(lambda name: inbox.append(accepted(name)), names))
    assert terms(inbox, engine) == (300, 300)
    found: list[str] = []
    while batch := apply(inbox, limit=70):
        found += ids(batch)
    assert sorted(found) == sorted(names)
    assert terms(inbox, engine) == (300, 0)


def test_two_processes_append_beside_each_other(inbox, open_another, engine):
    with ThreadPoolExecutor(8) as threads:
        for number in range(50):
            threads.submit(inbox.append, accepted(f"a{number}"))
            threads.submit(open_another().append if number == 0 else inbox.append, accepted(f"b{number}"))
    assert terms(inbox, engine) == (100, 100)


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    requests=st.lists(
        st.lists(
            st.builds(
                RawMessage,
                st.binary(max_size=40),
                st.text(st.characters(), min_size=1, max_size=140),
                st.none() | st.text(st.characters(exclude_categories=["Cs"]), max_size=20),
                st.booleans(),
            ),
            min_size=1,
            max_size=5,
        ),
        max_size=8,
    ),
    limits=st.lists(st.integers(1, 10), min_size=1, max_size=4),
)
def test_any_requests_come_out_in_order_whatever_the_batches(inbox, engine, requests, limits):
    before = terms(inbox, engine)[0]
    for messages in requests:
        inbox.append(AcceptedRequest(CONNECTION, NOW, messages))
    found: list[Message] = []
    turn = 0
    while batch := apply(inbox, limits[turn % len(limits)]):
        found += batch
        turn += 1
    sent = [message for messages in requests for message in messages]
    assert [(m.body, m.profile_hint, m.is_authentic) for m in found] == [
        (m.body, m.profile_hint, m.authentic) for m in sent
    ]
    assert all(len(m.message_id) <= 128 and "\0" not in m.message_id for m in found)
    assert terms(inbox, engine) == (before + len(sent), 0)


# ── the books ────────────────────────────────────────────────────────────────────────────────────────────────────


def test_pruning_keeps_accepted_and_waiting_exact(inbox, engine):
    for number in range(20):
        inbox.append(accepted(f"m{number}", f"n{number}"))
    apply(inbox, limit=30)
    assert terms(inbox, engine) == (40, 10)
    while inbox.prune(NOW):
        pass
    assert terms(inbox, engine) == (40, 10)
    apply(inbox)
    while inbox.prune(NOW):
        pass
    assert terms(inbox, engine) == (40, 0)
    inbox.append(accepted("later"))
    assert terms(inbox, engine) == (41, 1)
    assert ids(apply(inbox)) == ["later"]


def test_after_pruning_no_applied_body_is_left_in_the_queue(inbox, queue):
    if queue == "kafka":
        return  # this broker cannot delete records: test_kafka_topic.py plays one that can
    inbox.append(AcceptedRequest(CONNECTION, NOW, [RawMessage(b'{"email":"ada@example.com"}', "a")]))
    apply(inbox)
    while inbox.prune(NOW):
        pass
    with read(inbox._engine) as connection:
        assert not any(
            b"ada@" in bytes(row.bodies) for row in connection.execute(text("SELECT bodies FROM inbox_request"))
        )


def test_the_terms_stay_balanced_while_appending_and_applying(inbox, engine):
    """accepted - waiting is what was applied, at every moment: here nothing is applied but whole snapshots."""
    stop = threading.Event()

    def sender() -> None:
        number = 0
        while not stop.is_set():
            inbox.append(accepted(f"m{number}"))
            number += 1

    with ThreadPoolExecutor(2) as threads:
        threads.submit(sender)
        applied = 0
        for _ in range(30):
            applied += len(apply(inbox, limit=5))
            accepted_count, waiting = terms(inbox, engine)
            assert accepted_count - waiting == applied
            inbox.prune(NOW)
        stop.set()


def test_the_oldest_waiting_message_tells_its_age(inbox):
    assert inbox.oldest_waiting() is None
    inbox.append(accepted("a", at=NOW))
    inbox.append(accepted("b", at=NOW + 5))
    apply(inbox, limit=1)
    assert inbox.oldest_waiting() == NOW + 5


def test_an_inbox_older_than_the_state_says_so_instead_of_staying_silent(inbox, engine, queue):
    if engine.dialect.name == "postgresql" or queue == "kafka":
        return  # one database: there is no second file to restore; a topic made anew is in test_kafka.py
    inbox.append(accepted("a"))
    apply(inbox)
    with inbox._engine.begin() as connection:
        connection.execute(text("DELETE FROM inbox_request"))
    with pytest.raises(ConfigurationError, match=r"inbox\.db is older"):
        apply(inbox)
