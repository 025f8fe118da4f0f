from __future__ import annotations

import pytest
from sqlalchemy import Engine

from hub.core.clock import SECOND
from hub.core.database import read, write
from hub.core.ids import new_id
from hub.ledger import retention, store
from hub.ledger.values import AttemptEnd, AttemptRecord, AttemptStart, Run

START = 1_780_000_000 * SECOND


def moment(second: int) -> int:
    return START + second * SECOND


def request_of(
    connection, second: int, delivery_ids: list[str], reason: str = "", ended: bool = True
) -> tuple[str, str]:
    """One finished request: (run id, attempt id)."""
    run_id, attempt_id = new_id(moment(second) // 1000), new_id(moment(second) // 1000)
    store.record_run(connection, Run(run_id, "request", moment(second), 10))
    store.start_attempts(connection, [AttemptStart(attempt_id, "crm", "track", 1, moment(second))])
    records = [AttemptRecord(attempt_id, delivery_id, "accepted", reason) for delivery_id in delivery_ids]
    if ended:
        end = AttemptEnd(attempt_id, moment(second), 201, "accepted", "ann@example.com", "ann@example.com", run_id)
        store.finish_attempts(connection, [end], records)
    return run_id, attempt_id


def carry_and_crash(engine: Engine) -> None:
    with write(engine) as connection:
        retention.carry(connection, {("applied", ""): 100})
        raise RuntimeError("crash before commit")


def test_pruned_rows_stay_counted(engine: Engine):
    with write(engine) as connection:
        for second in range(10):
            request_of(connection, second, ["d1"])
        while retention.prune(connection, moment(6), limit=4):
            pass
    with read(engine) as connection:
        assert retention.totals(connection) == {"attempts": {"accepted": 6}, "runs": {"request.ok": 6}}
        assert len(store.runs(connection).items) == 4
        assert len(store.attempts_of(connection, "d1").items) == 4


def test_an_open_attempt_survives_pruning_until_it_ends(engine: Engine):
    with write(engine) as connection:
        _, attempt_id = request_of(connection, 1, ["d1"], ended=False)
        retention.prune(connection, moment(100))
        assert [left.id for left in store.open_attempts(connection)] == [attempt_id]


def test_a_run_outlives_the_younger_attempt_that_names_it(engine: Engine):
    with write(engine) as connection:
        run_id, _ = request_of(connection, 1, ["d1"])
        late = new_id(moment(50) // 1000)
        store.start_attempts(connection, [AttemptStart(late, "crm", "track", 2, moment(50))])
        store.finish_attempts(connection, [AttemptEnd(late, moment(51), 201, "accepted", run_id=run_id)])
        retention.prune(connection, moment(10))
        assert store.run(connection, run_id)
        retention.prune(connection, moment(100))
        assert store.run(connection, run_id) is None


def test_carried_totals_add_up_and_roll_back_with_their_transaction(engine: Engine):
    with write(engine) as connection:
        retention.carry(connection, {("ignored", "erased"): 2, ("applied", ""): 5, ("dead", "x"): 0})
        retention.carry(connection, {("ignored", "erased"): 3})
    with pytest.raises(RuntimeError):
        carry_and_crash(engine)
    with read(engine) as connection:
        assert retention.totals(connection) == {"applied": {"": 5}, "ignored": {"erased": 5}}


def test_erasing_a_delivery_takes_the_whole_call_that_carried_it(engine: Engine):
    with write(engine) as connection:
        _, shared = request_of(connection, 1, ["d1", "d2"], "ann@example.com is not valid")
        _, other = request_of(connection, 2, ["d3"], "fine")
        assert retention.erase(connection, ["d1", "unknown"]) == 1
        (told,) = store.attempts_of(connection, "d2").items
        assert "ann@example.com" not in (told.request + told.response + (told.record_reason or ""))
        assert (told.id, told.status, told.record_outcome) == (shared, 201, "accepted")
        (left,) = store.attempts_of(connection, "d3").items
        assert (left.id, left.request, left.record_reason) == (other, "ann@example.com", "fine")
