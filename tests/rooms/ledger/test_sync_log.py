from __future__ import annotations

import pytest
from sqlalchemy import Engine
from sqlalchemy.exc import IntegrityError

from hub.core.clock import SECOND
from hub.core.database import read, write
from hub.core.ids import new_id
from hub.ledger import store
from hub.ledger.rules import KEPT_CHARS
from hub.ledger.values import AttemptEnd, AttemptRecord, AttemptStart, Run, RunFilter

START = 1_780_000_000 * SECOND


def run(second: int, kind: str = "apply", **more: object) -> Run:
    at = START + second * SECOND
    return Run(id=new_id(at // 1000), kind=kind, started_at=at, duration_us=5, **more)


def attempt(second: int, number: int = 1) -> AttemptStart:
    at = START + second * SECOND
    return AttemptStart(new_id(at // 1000), "crm", "track", number, at)


def test_runs_come_back_newest_first_and_no_page_repeats_or_misses_one(engine: Engine):
    written = [run(second, counts={"applied": second}) for second in range(7)]
    with write(engine) as connection:
        store.record_runs(connection, written)
    seen, cursor = [], None
    with read(engine) as connection:
        while True:
            page = store.runs(connection, cursor=cursor, limit=3)
            seen += page.items
            cursor = page.next_cursor
            if cursor is None:
                break
    assert seen == written[::-1]


def test_a_page_that_ends_exactly_at_the_last_run_has_no_cursor(engine: Engine):
    with write(engine) as connection:
        store.record_runs(connection, [run(1), run(2)])
        assert store.runs(connection, limit=2).next_cursor is None


def test_following_reads_only_what_came_after(engine: Engine):
    first, second, third = run(1), run(2), run(3)
    with write(engine) as connection:
        store.record_runs(connection, [first, second, third])
        assert store.runs(connection, cursor=first.id, oldest_first=True).items == [second, third]


def test_filters_join_with_and(engine: Engine):
    wanted = run(2, "request", connection_id="crm", result="failed", detail="The vendor answered 500.")
    others = [
        run(1, "request", connection_id="crm", result="failed"),
        run(2, "request", connection_id="crm"),
        run(2, "request", connection_id="other", result="failed"),
        run(3, "request", connection_id="crm", result="failed"),
        run(2, "occasion", distribution_id="weekly", result="failed"),
    ]
    with write(engine) as connection:
        store.record_runs(connection, [*others, wanted])
        span = {"since": START + 2 * SECOND, "until": START + 3 * SECOND}
        within = RunFilter("failed", "crm", kind="request", text="answered 500", **span)
        assert store.runs(connection, within).items == [wanted]
        assert store.runs(connection, RunFilter(distribution_id="weekly")).items == [others[4]]
        assert store.run(connection, wanted.id) == wanted
        assert store.run(connection, "nothing") is None


def test_a_run_of_an_unknown_kind_is_refused_by_the_database(engine: Engine):
    with pytest.raises(IntegrityError), write(engine) as connection:
        store.record_run(connection, run(1, "guess"))


def test_a_started_attempt_is_open_until_it_is_finished(engine: Engine):
    one, two = attempt(1), attempt(2)
    with write(engine) as connection:
        store.start_attempts(connection, [two, one])
    with write(engine) as connection:
        store.finish_attempts(connection, [AttemptEnd(one.id, START + 9 * SECOND, 201, "accepted")])
    with read(engine) as connection:
        assert [left.id for left in store.open_attempts(connection)] == [two.id]


def test_attempts_of_a_delivery_tell_what_each_meant_for_it(engine: Engine):
    tries = [attempt(second, number) for number, second in enumerate((1, 2, 3), 1)]
    request = run(3, "request")
    with write(engine) as connection:
        store.start_attempts(connection, tries)
        store.finish_attempts(
            connection,
            [AttemptEnd(tries[0].id, START, 500, "again"), AttemptEnd(tries[1].id, START, None, "again")],
            [
                AttemptRecord(tries[0].id, "d1", "again", "The vendor answered 500."),
                AttemptRecord(tries[1].id, "d1", "again"),
                AttemptRecord(tries[1].id, "d2", "accepted"),
            ],
        )
        store.record_run(connection, request)
        end = AttemptEnd(tries[2].id, START, 201, "accepted", "POST /track", "{}", request.id)
        store.finish_attempts(connection, [end], [AttemptRecord(tries[2].id, "d1", "accepted")])
    with read(engine) as connection:
        first = store.attempts_of(connection, "d1", limit=2)
        rest = store.attempts_of(connection, "d1", cursor=first.next_cursor)
        told = [(a.number, a.status, a.record_outcome, a.record_reason) for a in [*first.items, *rest.items]]
        assert told == [(1, 500, "again", "The vendor answered 500."), (2, None, "again", ""), (3, 201, "accepted", "")]
        assert [a.id for a in store.attempts_of_run(connection, request.id).items] == [tries[2].id]
        shared = store.records_of(connection, tries[1].id, limit=1)
        assert [r.delivery_id for r in shared.items] == ["d1"]
        others = store.records_of(connection, tries[1].id, shared.next_cursor).items
        assert others == [AttemptRecord(tries[1].id, "d2", "accepted")]


def test_a_later_report_about_the_same_delivery_replaces_the_earlier_one(engine: Engine):
    one = attempt(1)
    with write(engine) as connection:
        store.start_attempts(connection, [one])
        store.finish_attempts(connection, [], [AttemptRecord(one.id, "d1", "pending", "job 7")])
        store.finish_attempts(connection, [], [AttemptRecord(one.id, "d1", "accepted")])
        assert store.records_of(connection, one.id).items == [AttemptRecord(one.id, "d1", "accepted")]


def test_a_vendor_answer_with_nul_and_lone_surrogates_is_kept_and_a_long_one_is_cut(engine: Engine):
    one = attempt(1)
    answer = "a\0b\ud800" + "x" * KEPT_CHARS
    with write(engine) as connection:
        store.start_attempts(connection, [one])
        store.finish_attempts(connection, [AttemptEnd(one.id, START, 200, "accepted", "", answer)])
        store.finish_attempts(connection, [], [AttemptRecord(one.id, "d1", "rejected", answer)])
        (kept,) = store.attempts_of(connection, "d1").items
    assert kept.response.startswith("a�b")
    assert kept.response.endswith("… (4 more characters)")
    assert len(kept.record_reason or "") < 1_100


def test_an_audit_entry_tells_who_did_what(engine: Engine):
    with write(engine) as connection:
        store.record_audit(connection, START, "key:ops", "connection.pause", "crm", {"why": "maintenance"})
        store.record_audit(connection, START + SECOND, "key:ops", "connection.resume", "crm")
        page = store.audits(connection, limit=1)
        assert [entry.action for entry in page.items] == ["connection.resume"]
        (older,) = store.audits(connection, page.next_cursor).items
    assert (older.actor, older.subject, older.detail, older.at) == ("key:ops", "crm", {"why": "maintenance"}, START)
