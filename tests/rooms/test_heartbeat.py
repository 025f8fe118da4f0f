"""Heartbeats: dead roles and crash loops are told, healthy ones and orderly stops are not."""

from __future__ import annotations

import pytest
from sqlalchemy import Engine, select

from hub.core import clock
from hub.core.clock import MINUTE, SECOND
from hub.core.database import read, write
from hub.core.ids import new_id
from hub.runtime.process import heartbeat, restart
from hub.runtime.process.heartbeat import HEARTBEAT, forget, health, heartbeats, troubles
from tests.harness import eventually

NOW = 1_800_000_000 * SECOND


@pytest.fixture
def engine(empty_engine: Engine) -> Engine:
    return empty_engine


def process(engine: Engine, role: str, *, born: int, died: int = 0) -> None:
    """A process that started `born` seconds ago and gave its last sign `died` seconds ago."""
    row = {"id": new_id(), "role": role, "started_at": NOW - born * SECOND, "at": NOW - died * SECOND, "report": "{}"}
    with write(engine) as database:
        database.execute(HEARTBEAT.insert(), row)


def told(engine: Engine, now: int = NOW) -> dict[str, str]:
    """What is wrong with the roles of which there is any trace."""
    with read(engine) as database:
        found = health(database, now)
        return {role: why for role, why in troubles(found).items() if role in found}


def test_a_role_that_was_never_started_or_stopped_is_not_running(engine: Engine) -> None:
    process(engine, "web", born=100)
    with read(engine) as database:
        found = troubles(health(database, NOW))
    assert found == dict.fromkeys(("apply", "deliver", "schedule"), "it is not running")


def test_a_healthy_role_is_no_trouble_until_it_falls_silent(engine: Engine) -> None:
    process(engine, "apply", born=1_000)
    assert told(engine) == {}
    assert told(engine, NOW + 19 * SECOND) == {}
    assert told(engine, NOW + 25 * SECOND) == {"apply": "no heartbeat for 25 s"}


def test_three_processes_that_die_young_are_a_crash_loop(engine: Engine) -> None:
    process(engine, "apply", born=100, died=95)
    process(engine, "apply", born=90, died=85)
    process(engine, "apply", born=3)
    assert told(engine) == {}, "two crashes may happen"
    process(engine, "apply", born=80, died=70)
    assert "crashed 3 times" in told(engine)["apply"]


def test_a_crash_loop_is_over_when_a_process_lives(engine: Engine) -> None:
    for born in (300, 250, 200, 150):
        process(engine, "apply", born=born, died=born - 5)
    process(engine, "apply", born=61)
    assert told(engine) == {}
    with read(engine) as database:
        assert health(database, NOW)["apply"].crashes == 4


def test_crashes_of_yesterday_count_no_more(engine: Engine) -> None:
    for _ in range(5):
        process(engine, "apply", born=4_000, died=3_999)
    process(engine, "apply", born=2)
    assert told(engine) == {}


def test_many_processes_of_a_role_started_at_once_are_no_crash_loop(engine: Engine) -> None:
    for _ in range(8):
        process(engine, "web", born=2)
    assert told(engine) == {}
    with read(engine) as database:
        assert health(database, NOW)["web"].alive == 8


def test_one_process_alive_is_enough_for_its_role(engine: Engine) -> None:
    process(engine, "apply", born=1_000, died=300)
    process(engine, "apply", born=1_000)
    process(engine, "deliver", born=1_000, died=300)
    assert told(engine) == {"deliver": "no heartbeat for 300 s"}


def test_a_new_supervisor_begins_anew(engine: Engine) -> None:
    for _ in range(5):
        process(engine, "apply", born=30, died=25)
    with write(engine) as database:
        forget(database)
    assert told(engine) == {}


def rows(engine: Engine) -> list[str]:
    with read(engine) as database:
        return list(database.scalars(select(HEARTBEAT.c.role)))


def test_a_process_leaves_signs_and_takes_them_away_when_it_stops_in_good_order(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(heartbeat, "EVERY_S", 0.01)
    with heartbeats(engine, "apply"):
        eventually(lambda: rows(engine) == ["apply"])
        with write(engine) as database:
            forget(database)  # a supervisor elsewhere begins anew
        eventually(lambda: rows(engine) == ["apply"])
    assert rows(engine) == []


def test_a_process_that_fails_leaves_its_last_sign_as_a_trace(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(heartbeat, "EVERY_S", 0.01)
    with pytest.raises(KeyError):
        _fail_while_alive(engine)
    assert rows(engine) == ["apply"]
    late = clock.now() + MINUTE
    with read(engine) as database:
        assert health(database, late)["apply"].crashes == 1


def _fail_while_alive(engine: Engine) -> None:
    with heartbeats(engine, "apply"):
        eventually(lambda: rows(engine) == ["apply"])
        raise KeyError


def test_old_traces_go_when_the_role_starts_again(engine: Engine) -> None:
    with write(engine) as database:
        old = clock.now() - 60 * MINUTE
        database.execute(
            HEARTBEAT.insert(), {"id": new_id(), "role": "apply", "started_at": old, "at": old, "report": "{}"}
        )
    with heartbeats(engine, "apply"):
        eventually(lambda: len(rows(engine)) == 1 and told(engine, clock.now()) == {})


# ── making way for fresh processes ───────────────────────────────────────────────────────────────────────────────


def due(engine: Engine, role: str, *, born: int) -> bool:
    with read(engine) as database:
        return restart.is_due(database, role, NOW - born * SECOND, NOW)


def asked(engine: Engine, *, ago: int = 0) -> list[str]:
    with write(engine) as database:
        return restart.ask(database, NOW - ago * SECOND, "tests")


def test_nobody_makes_way_unasked(engine: Engine) -> None:
    process(engine, "web", born=100)
    assert not due(engine, "web", born=100)


def test_roles_make_way_one_after_the_other(engine: Engine) -> None:
    for role in ("deliver", "web", "apply"):
        process(engine, role, born=100)
    assert asked(engine, ago=5) == ["web", "apply", "deliver"]

    assert [due(engine, role, born=100) for role in ("web", "apply", "deliver")] == [True, False, False]
    with write(engine) as database:
        database.execute(HEARTBEAT.delete().where(HEARTBEAT.c.role == "web"))
    process(engine, "web", born=2)
    assert [due(engine, role, born=100) for role in ("apply", "deliver")] == [True, False]
    assert not due(engine, "web", born=2), "a process that is younger than the wish stays"


def test_a_role_that_died_holds_nobody_up(engine: Engine) -> None:
    process(engine, "web", born=100, died=60)
    process(engine, "apply", born=100)
    asked(engine, ago=5)
    assert due(engine, "apply", born=100)


def test_a_wish_is_no_role_that_could_be_missed(engine: Engine) -> None:
    asked(engine, ago=100)
    assert told(engine) == {}
    with read(engine) as database:
        assert dict(health(database, NOW)) == {}


def test_a_process_hears_of_the_wish(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(heartbeat, "EVERY_S", 0.01)
    heard: list[str] = []
    with heartbeats(engine, "apply", lambda: heard.append("make way")):
        eventually(lambda: _alive(engine), what="the first sign")
        with write(engine) as database:
            restart.ask(database, clock.now(), "tests")
        eventually(lambda: heard, what="the wish being heard")
    assert heard == ["make way"]


def _alive(engine: Engine) -> bool:
    with read(engine) as database:
        return bool(health(database, clock.now()))


# ── what a process reports ───────────────────────────────────────────────────────────────────────────────────────


def reported(engine: Engine) -> object:
    with read(engine) as database:
        found = health(database, clock.now()).get("deliver")
    return found and found.report


def test_a_process_reports_what_it_has_and_again_when_that_changes(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(heartbeat, "EVERY_S", 0.01)
    has = {"connectors": ["braze"]}
    with heartbeats(engine, "deliver", report=lambda: dict(has)):
        eventually(lambda: reported(engine) == {"connectors": ["braze"]})
        has["connectors"] = ["acme", "braze"]
        eventually(lambda: reported(engine) == {"connectors": ["acme", "braze"]})
        with write(engine) as database:
            forget(database)
        eventually(lambda: reported(engine) == has, what="the report being left anew with the row")


def test_of_several_processes_the_youngest_speaks(engine: Engine) -> None:
    for born, version in ((100, "1"), (10, "2"), (50, "3")):
        row = {"id": new_id(), "role": "web", "started_at": NOW - born * SECOND, "at": NOW}
        with write(engine) as database:
            database.execute(HEARTBEAT.insert(), {**row, "report": f'{{"version": "{version}"}}'})
    with read(engine) as database:
        assert health(database, NOW)["web"].report == {"version": "2"}
