from __future__ import annotations

import importlib
import random
import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from threading import Barrier

import pytest
from sqlalchemy import Engine, func, select

from hub.campaigns import store as campaigns
from hub.core.clock import DAY, HOUR, SECOND, from_datetime
from hub.core.clock import now as real_now
from hub.core.database import is_passing, read, write
from hub.core.locks import role_lock
from hub.core.wakeup import OCCASIONS, listening
from hub.distributions import occasions, store
from hub.distributions.tables import OCCASION, PUBLICATION
from hub.distributions.values import Target
from hub.ledger.store import runs
from hub.outbox.tables import DELIVERY
from hub.profiles import store as profiles
from hub.runtime.occasions import scheduler
from hub.runtime.occasions.scheduler import ScheduleRole
from hub.runtime.occasions.step import decide_chunk, run_now
from hub.sdk.errors import ConfigurationError
from tests.harness import eventually
from tests.rooms.distributions.conftest import NOW, Hub

DAILY = {"kind": "cron", "expression": "0 9 * * *", "timezone": "UTC"}


def digest(text: str) -> str:
    return f"hash-{text}"


def utc(text: str) -> int:
    return from_datetime(datetime.fromisoformat(text).replace(tzinfo=UTC))


@pytest.fixture
def hub(engine: Engine) -> Hub:
    made = Hub(engine)
    made.crm, made.mail = made.connect("crm"), made.connect("mail")
    return made


def role_of(hub: Hub, chunk: int = 2) -> ScheduleRole:
    role = ScheduleRole(hub.engine, digest, random.Random(1))
    role._limit = chunk
    return role


def drain(role: ScheduleRole, now: int) -> None:
    while role.step(now):
        pass


def deliveries(hub: Hub) -> list[tuple[str, str, str]]:
    """Each delivery as (source_id, state, reason)."""
    with read(hub.engine) as connection:
        rows = connection.execute(select(DELIVERY.c.source_id, DELIVERY.c.state, DELIVERY.c.reason))
        return sorted(tuple(row) for row in rows)


def count(hub: Hub, table) -> int:
    with read(hub.engine) as connection:
        return connection.scalar(select(func.count()).select_from(table)) or 0


def occasions_of(hub: Hub, distribution) -> list[str]:
    with read(hub.engine) as connection:
        return [one.trigger_key for one in occasions.of_distribution(connection, distribution.id).items][::-1]


def test_a_scheduled_distribution_reaches_everybody_once_when_its_time_comes(hub: Hub):
    hub.people("ann", "bob", "cid", "dan", "eve")
    campaign = hub.campaign()
    made = hub.distribution(trigger=DAILY, campaign_id=campaign.id)
    role = role_of(hub)
    drain(role, utc("2026-05-29T08:59:59"))
    assert deliveries(hub) == []
    drain(role, utc("2026-05-29T09:00:00"))
    drain(role, utc("2026-05-29T09:00:01"))
    drain(role_of(hub), utc("2026-05-29T09:00:02"))  # a restart
    assert len(deliveries(hub)) == 10
    assert {state for _, state, _ in deliveries(hub)} == {"waiting"}
    assert occasions_of(hub, made) == ["at:2026-05-29T09:00:00+00:00"]
    with read(hub.engine) as connection:
        (run,) = runs(connection).items
        assert (run.kind, run.result, run.distribution_id) == ("occasion", "ok", made.id)
        assert run.counts == {"people": 5, "published": 5, "deliveries": 10}
        assert campaigns.terms(connection)["published"] == 5


def test_a_change_is_followed_without_a_restart(hub: Hub):
    hub.people("ann")
    role = role_of(hub)
    drain(role, NOW)
    made = hub.distribution(trigger={"kind": "interval", "every_s": 10})
    with write(hub.engine) as connection:
        store.pause(connection, made.id, NOW)
    drain(role, NOW + 10 * SECOND)
    assert occasions_of(hub, made) == []
    with write(hub.engine) as connection:
        store.resume(connection, made.id, NOW + 15 * SECOND)
    drain(role, NOW + 15 * SECOND)
    assert occasions_of(hub, made) == []
    drain(role, NOW + 20 * SECOND)
    assert len(occasions_of(hub, made)) == 1
    with write(hub.engine) as connection:
        store.change(connection, made.id, NOW + 21 * SECOND, trigger={"kind": "interval", "every_s": 3600})
    drain(role, NOW + 40 * SECOND)
    assert len(occasions_of(hub, made)) == 1
    with write(hub.engine) as connection:
        store.remove(connection, made.id, NOW + 41 * SECOND)
    drain(role, NOW + DAY)
    assert len(occasions_of(hub, made)) == 1


def test_runs_missed_in_an_outage_are_skipped_and_told_by_policy_skip(hub: Hub):
    hub.people("ann")
    made = hub.distribution(trigger=DAILY, missed="skip")
    drain(role_of(hub), utc("2026-06-10T15:00"))
    assert (occasions_of(hub, made), deliveries(hub)) == ([], [])
    with read(hub.engine) as connection:
        (run,) = runs(connection).items
        assert "planned for 2026-06-10T09:00:00.000Z was missed" in run.detail
        assert run.counts == {"missed": 1}
    drain(role_of(hub), utc("2026-06-11T09:00:30"))
    assert occasions_of(hub, made) == ["at:2026-06-11T09:00:00+00:00"]


def test_runs_missed_in_an_outage_run_once_by_policy_once(hub: Hub):
    hub.people("ann")
    made = hub.distribution(trigger=DAILY, missed="once")
    drain(role_of(hub), utc("2026-06-10T15:00"))
    drain(role_of(hub), utc("2026-06-10T15:01"))
    assert occasions_of(hub, made) == ["at:2026-06-10T09:00:00+00:00"]


def test_a_time_of_its_own_fires_once_even_after_an_outage_that_the_policy_covers(hub: Hub):
    hub.people("ann")
    trigger = {"kind": "at", "at": "2026-06-01T09:00", "timezone": "Europe/Prague"}
    made = hub.distribution(trigger=trigger, missed="once")
    for day in ("2026-06-02", "2026-06-03"):
        drain(role_of(hub), utc(f"{day}T00:00"))
    assert occasions_of(hub, made) == ["at:2026-06-01T07:00:00+00:00"]


def test_a_clock_that_jumps_back_runs_nothing_again(hub: Hub):
    hub.people("ann")
    made = hub.distribution(trigger={"kind": "interval", "every_s": 60})
    drain(role_of(hub), NOW + 60 * SECOND)
    drain(role_of(hub), NOW + 120 * SECOND)
    for role in (role_of(hub), role_of(hub)):
        drain(role, NOW + 61 * SECOND)
        drain(role, NOW + 120 * SECOND)
    assert len(occasions_of(hub, made)) == 2


def test_a_night_with_a_repeated_hour_runs_once_and_a_night_without_it_runs_too(hub: Hub):
    hub.people("ann")
    nightly = {"kind": "cron", "expression": "30 2 * * *", "timezone": "Europe/Prague"}
    made = hub.distribution(trigger=nightly)
    with write(hub.engine) as connection:
        store.plan(connection, made.id, utc("2026-10-24T12:00"))
    role = role_of(hub)
    for step in range(6):
        drain(role, utc("2026-10-25T00:00") + step * HOUR // 2)
    assert occasions_of(hub, made) == ["at:2026-10-25T00:30:00+00:00"]
    with write(hub.engine) as connection:
        store.plan(connection, made.id, utc("2027-03-27T12:00"))
    role = role_of(hub)
    for step in range(6):
        drain(role, utc("2027-03-28T00:00") + step * HOUR // 2)
    assert occasions_of(hub, made)[1:] == ["at:2027-03-28T01:00:00+00:00"]


def test_a_crash_between_or_inside_chunks_goes_on_where_it_stood_and_doubles_nothing(hub: Hub, monkeypatch):
    hub.people(*[f"p{number}" for number in range(7)])
    campaign = hub.campaign(codes=[f"C{number}" for number in range(7)])
    hub.distribution(campaign_id=campaign.id)
    with write(hub.engine) as connection:
        occasion, _ = run_now(connection, "Spring mail", "once", NOW)
    role_of(hub).step(NOW)  # one chunk, then the process is gone
    step = importlib.import_module("hub.runtime.occasions.step")

    def crash(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    for name in ("insert", "record_run"):  # before the deliveries, and at the very end of the last chunk
        with monkeypatch.context() as patched:
            patched.setattr(step, name, crash)
            with pytest.raises(KeyboardInterrupt):
                drain(role_of(hub), NOW)
    drain(role_of(hub), NOW)
    assert len(deliveries(hub)) == 14
    assert count(hub, PUBLICATION) == 7
    with read(hub.engine) as connection:
        assert campaigns.terms(connection) == {"codes": 7, "free": 0, "published": 7, "retired": 0}
        done = occasions.get(connection, occasion.id)
        assert (done.state, done.counts["people"], done.chunk_count) == ("done", 7, 4)
        assert len(runs(connection).items) == 1


def test_two_schedulers_at_once_decide_everybody_once(hub: Hub):
    hub.people(*[f"p{number:02}" for number in range(30)])
    campaign = hub.campaign(is_once=False)
    hub.distribution(campaign_id=campaign.id)
    with write(hub.engine) as connection:
        occasion, _ = run_now(connection, "Spring mail", "once", NOW)
    together = Barrier(2)

    def work(seed: int) -> None:
        together.wait()
        while True:
            try:
                with write(hub.engine) as connection:
                    chunk = decide_chunk(connection, occasion.id, 3, NOW, random.Random(seed), digest)
            except occasions.Superseded:
                continue
            except Exception as error:
                if not is_passing(error):
                    raise
                continue
            if chunk.is_last:
                return

    with ThreadPoolExecutor(2) as pool:
        list(pool.map(work, (1, 1)))
    assert count(hub, PUBLICATION) == 30
    assert len(deliveries(hub)) == 60
    with read(hub.engine) as connection:
        assert campaigns.terms(connection)["codes"] == 30
        assert len(runs(connection).items) == 1


def test_a_manual_run_with_one_key_happens_once(hub: Hub):
    hub.people("ann")
    made = hub.distribution()
    for key in ("k1", "k1", "k2"):
        with write(hub.engine) as connection:
            run_now(connection, made.id, key, NOW)
        drain(role_of(hub), NOW)
    assert sorted(occasions_of(hub, made)) == ["manual:k1", "manual:k2"]
    with write(hub.engine) as connection:
        store.pause(connection, made.id, NOW)
        with pytest.raises(ConfigurationError, match="paused"):
            run_now(connection, made.id, "k3", NOW)
        with pytest.raises(ConfigurationError, match="no distribution"):
            run_now(connection, "Autumn", "k3", NOW)


def test_merged_people_are_reached_once_through_the_survivor(hub: Hub):
    hub.people("ann", "zoe")
    hub.people("loser", "aaa", merged_into="zoe")
    hub.distribution("Everyone", targets=[Target(hub.crm, "events")])
    hub.distribution("Named", audience={"source_ids": ["aaa", "loser", "zoe"]}, targets=[Target(hub.mail, "events")])
    for name in ("Everyone", "Named"):
        with write(hub.engine) as connection:
            run_now(connection, name, "k", NOW)
    drain(role_of(hub, chunk=1), NOW)
    assert [source_id for source_id, _, _ in deliveries(hub)] == ["ann", "zoe", "zoe"]


def test_a_merge_between_two_chunks_reaches_the_person_once(hub: Hub):
    hub.people("ann", "zoe")
    hub.distribution(targets=[Target(hub.crm, "events")])
    with write(hub.engine) as connection:
        run_now(connection, "Spring mail", "k", NOW)
    role = role_of(hub, chunk=1)
    role.step(NOW)
    hub.merge("ann", "zoe")
    drain(role, NOW)
    assert [source_id for source_id, _, _ in deliveries(hub)] == ["ann"]


def test_people_nobody_knows_and_erased_people_are_skipped_and_an_erased_name_is_not_written_again(hub: Hub):
    hub.people("ann", "gone")
    with write(hub.engine) as connection:
        profiles.erase(connection, "gone", NOW, digest)
    hub.distribution(audience={"source_ids": ["ann", "gone", "nobody"]}, targets=[Target(hub.crm, "profiles")])
    with write(hub.engine) as connection:
        run_now(connection, "Spring mail", "k", NOW)
    drain(role_of(hub, chunk=10), NOW)
    assert deliveries(hub) == [
        ("ann", "waiting", ""),
        ("erased:hash-gone", "skipped", "erased"),
        ("nobody", "skipped", "unknown_profile"),
    ]


def test_a_pause_in_the_middle_skips_the_rest_with_the_reason(hub: Hub):
    hub.people("ann", "bob", "cid")
    made = hub.distribution(targets=[Target(hub.crm, "events")])
    with write(hub.engine) as connection:
        run_now(connection, made.id, "k", NOW)
    role = role_of(hub, chunk=1)
    role.step(NOW)
    with write(hub.engine) as connection:
        store.pause(connection, made.id, NOW)
    drain(role, NOW)
    assert [(state, reason) for _, state, reason in deliveries(hub)] == [
        ("waiting", ""),
        ("skipped", "disabled"),
        ("skipped", "disabled"),
    ]


def test_an_occasion_short_of_codes_ends_partial(hub: Hub):
    hub.people("ann", "bob")
    campaign = hub.campaign(codes=["A"])
    hub.distribution(campaign_id=campaign.id, targets=[Target(hub.crm, "events")])
    with write(hub.engine) as connection:
        run_now(connection, "Spring mail", "k", NOW)
    drain(role_of(hub), NOW)
    with read(hub.engine) as connection:
        (run,) = runs(connection).items
    assert (run.result, run.detail) == ("partial", "2 people were looked at, 1 get something; skipped: 1 out_of_codes.")


def test_an_occasion_that_cannot_be_decided_waits_aside_and_stops_no_other(hub: Hub, monkeypatch):
    hub.people("ann")
    bad = hub.distribution("Bad", targets=[Target(hub.crm, "events")])
    hub.distribution("Good", targets=[Target(hub.mail, "events")])
    for name in ("Bad", "Good"):
        with write(hub.engine) as connection:
            run_now(connection, name, "k", NOW)
    role = role_of(hub)
    original = store.get

    def refuse(connection, distribution_id):
        if distribution_id == bad.id:
            raise ConfigurationError("Its campaign cannot be read.")
        return original(connection, distribution_id)

    with monkeypatch.context() as patched:
        patched.setattr(store, "get", refuse)
        for second in (0, 1, 31):
            drain(role, NOW + second * SECOND)
    assert len(deliveries(hub)) == 1
    with read(hub.engine) as connection:
        failed = [run for run in runs(connection).items if run.result == "failed"]
        assert len(failed) == 1
        assert "Its campaign cannot be read." in failed[0].detail
    drain(role, NOW + 70 * SECOND)
    assert len(deliveries(hub)) == 2


def test_the_running_role_sleeps_until_an_instant_or_a_change_and_stops_when_told(
    hub: Hub, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(scheduler, "LOOK_S", 3_600.0)
    hub.people("ann")
    stop = threading.Event()
    role = ScheduleRole(hub.engine, digest)
    thread = threading.Thread(target=role.run, args=(stop,))
    thread.start()
    with listening(hub.engine, {OCCASIONS: role.wake}):
        try:
            hub.now = real_now()
            made = hub.distribution(trigger={"kind": "interval", "every_s": 1})
            eventually(lambda: deliveries(hub))
            with read(hub.engine) as connection:
                first = occasions.of_distribution(connection, made.id).items[-1]
            assert first.opened_at - first.planned_at < 5 * SECOND
            second_lock = role_lock(hub.engine, "schedule")
            assert not second_lock.acquire()
            if hub.engine.dialect.name == "sqlite":
                with pytest.raises(ConfigurationError, match="Another schedule role"):
                    ScheduleRole(hub.engine, digest).run(stop)
        finally:
            stop.set()
            thread.join(10)
    assert not thread.is_alive()
    assert second_lock.acquire()
    second_lock.release()
    assert count(hub, OCCASION) >= 1


def test_a_role_lock_is_one_process_s_at_a_time_and_each_role_has_its_own(engine: Engine):
    one, two, other = role_lock(engine, "deliver"), role_lock(engine, "deliver"), role_lock(engine, "apply")
    assert one.acquire()
    assert one.acquire()
    assert one.held()
    assert not two.acquire()
    assert not two.held()
    assert other.acquire()
    one.release()
    one.release()
    assert not one.held()
    assert two.acquire()
    two.release()
    other.release()


def test_a_lock_is_lost_with_its_database_session(hub: Hub):
    lock = role_lock(hub.engine, "schedule")
    assert lock.acquire()
    if hub.engine.dialect.name == "postgresql":
        with write(hub.engine) as connection:
            connection.exec_driver_sql("SELECT pg_terminate_backend(pid) FROM pg_locks WHERE locktype = 'advisory'")
        assert not lock.held()
        assert lock.acquire()
    assert lock.held()
    lock.release()
