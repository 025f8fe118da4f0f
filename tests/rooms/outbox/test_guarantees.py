"""Attempts to break what the outbox promises: crashes, races, refusals between attempts, jobs, replays, erasure."""

from __future__ import annotations

import threading
from dataclasses import replace

import pytest
from sqlalchemy import select, update
from sqlalchemy.exc import IntegrityError

from hub.core.database import read, write
from hub.core.ids import new_id
from hub.ledger.retention import totals
from hub.ledger.store import attempts_of, open_attempts
from hub.ledger.values import AttemptStart
from hub.outbox.queue import claim, operate, store
from hub.outbox.queue.claim import ClaimPlan, Launch
from hub.outbox.tables import DELIVERY, PUSHED, REMEMBERED
from hub.outbox.values import Filters, NewDelivery
from hub.registry import store as registry
from hub.runtime.process.schema import metadata
from hub.sdk.errors import Split
from hub.sdk.values import Operation
from tests.rooms.outbox.world import Acme, World, refused, settle


def decide(hub: World, operation: str, *people: str, **more) -> list[str]:
    made = []
    for person in people:
        if person not in hub.people.said:
            hub.people.knows(person, name="x")
        made.append(hub.decides(person, operation, record={"event": {"id": person}}, **more))
    return made


def start_by_hand(hub: World, ids: list[str], repeat: str, route: str = "messages") -> dict[str, set[str]]:
    """Start an attempt as a process does that then dies."""
    attempt = AttemptStart(new_id(), hub.connection_id, route, 1, hub.now)
    window = 600_000_000 if repeat == "deduplicated" else None
    plan = ClaimPlan(hub.connection_id, hub.connection().version, [Launch(attempt, route, repeat, window, ids)])
    with write(hub.database) as database:
        return claim.start(database, plan, hub.people, hub.now)


# ── crashes ──────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("operation", "repeat", "expected"),
    [
        ("messages", "safe", "sent"),
        ("messages", "deduplicated", "sent"),
        ("messages", "duplicates", "dead(unknown)"),
        ("events", "duplicates", "dead(unknown)"),
        ("profiles", "duplicates", "sent"),
        ("consent", "duplicates", "sent"),
        ("erase", "safe", "waiting"),
    ],
)
def test_a_call_cut_off_by_a_crash_is_unknown(hub: World, operation: str, repeat: str, expected: str):
    if operation == "erase":
        sealed = operate.sealed_erasure(hub.vault, "u1", {"email": ["a@x.org"]}, {}, "r1")
        made = [hub.decides("erased:abc", "erase", record=sealed)]
    else:
        made = decide(hub, operation, "u1", **({"topic": "email"} if operation == "consent" else {}))
    start_by_hand(hub, made, repeat, operation)
    hub.new_engine().recover()
    assert hub.row(made[0]).attempts == 1
    if expected != "waiting":
        hub.delivers()
        assert hub.state(made[0]) == expected
    else:
        assert hub.row(made[0]).state == "waiting"
    with read(hub.database) as database:
        assert open_attempts(database) == []
        assert attempts_of(database, made[0]).items[0].outcome == "unknown"


def test_a_message_cut_off_by_a_crash_is_repeated_if_the_connection_says_so(hub: World):
    made = decide(hub, "messages", "u1")
    with write(hub.database) as database:
        registry.update(database, hub.connection_id, hub.now, retry_unknown=True)
    start_by_hand(hub, made, "duplicates")
    hub.new_engine().recover()
    hub.delivers()
    assert hub.state(made[0]) == "sent"


def test_a_crash_before_the_start_was_committed_loses_and_sends_nothing(hub: World):
    made = decide(hub, "messages", "u1")
    plan_version = hub.connection().version
    attempt = AttemptStart(new_id(), hub.connection_id, "messages", 1, hub.now)
    plan = ClaimPlan(hub.connection_id, plan_version, [Launch(attempt, "messages", "duplicates", None, made)])

    def start_and_crash() -> None:
        with write(hub.database) as database:
            claim.start(database, plan, hub.people, hub.now)
            raise RuntimeError("crash")

    with pytest.raises(RuntimeError, match="crash"):
        start_and_crash()
    assert hub.new_engine().recover() == 0
    hub.delivers()
    assert hub.vendor.taken == {made[0]: 1}


def test_what_an_old_process_reports_after_a_recovery_changes_nothing(hub: World):
    """A process that was thought dead finishes an attempt that was taken from it."""
    [one] = decide(hub, "profiles", "u1")
    hung = threading.Event()
    hub.vendor.before = lambda request: hung.wait(5)
    old = hub.engine
    old.step()
    assert hub.row(one).state == "sending"
    new = hub.new_engine()
    new.recover()
    hub.vendor.before = lambda request: None
    hub.delivers()
    assert hub.state(one) == "sent"
    before = hub.row(one)
    hung.set()
    settle(old)
    assert hub.row(one) == before


def test_a_graceful_stop_lets_calls_end_and_leaves_nothing_under_way(hub: World):
    made = decide(hub, "messages", *[f"u{n}" for n in range(30)])
    gate = threading.Event()
    hub.vendor.before = lambda request: gate.wait(5)
    hub.engine.step()
    threading.Timer(0.1, gate.set).start()
    hub.engine.stop(5.0)
    states = {hub.row(one).state for one in made}
    assert states <= {"sent", "waiting"}
    assert {hub.row(one).attempts for one in made if hub.row(one).state == "waiting"} <= {0}
    hub.new_engine().recover()
    hub.delivers()
    assert hub.terms()["sent"] == 30
    assert set(hub.vendor.taken.values()) == {1}


# ── races ────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_two_claims_at_once_give_a_delivery_to_one_of_them(hub: World):
    made = decide(hub, "messages", *[f"u{n}" for n in range(40)])
    granted: list[str] = []
    ready = threading.Barrier(2)

    def grab() -> None:
        ready.wait()
        for ids in start_by_hand(hub, made, "duplicates").values():
            granted.extend(ids)

    threads = [threading.Thread(target=grab) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(granted) == sorted(made)


def test_two_claims_never_have_the_same_profile_under_way(hub: World):
    first, second = decide(hub, "messages", "u1"), decide(hub, "events", "u1")
    assert start_by_hand(hub, first, "duplicates")
    assert start_by_hand(hub, second, "deduplicated", "events") == {}
    assert hub.state(second[0]) == "waiting"


def test_a_push_superseded_between_plan_and_start_is_not_sent(hub: World):
    [old] = decide(hub, "profiles", "u1")
    [new] = decide(hub, "profiles", "u1")
    assert start_by_hand(hub, [old], "duplicates", "profiles") == {}
    hub.delivers()
    assert hub.state(old) == "skipped(superseded)"
    assert hub.state(new) == "sent"


def test_a_failed_push_gives_way_to_a_newer_one_that_came_meanwhile(hub: World):
    [old] = decide(hub, "profiles", "u1")
    newer: list[str] = []

    def meanwhile(request) -> None:
        if not newer:
            hub.people.knows("u1", name="newest")
            newer.extend(decide(hub, "profiles", "u1"))
            raise refused()

    hub.vendor.before = meanwhile
    hub.delivers()
    hub.delivers(after=5)
    assert hub.state(old) == "skipped(superseded)"
    assert hub.state(newer[0]) == "sent"
    assert hub.vendor.bodies == [{"name": "newest"}]


def test_concurrent_decisions_leave_one_push_waiting(hub: World):
    hub.people.knows("u1", name="x")
    ready = threading.Barrier(4)
    failures: list[Exception] = []

    def insert() -> None:
        ready.wait()
        try:
            for _ in range(5):
                with write(hub.database) as database:
                    new = NewDelivery(hub.connection_id, Operation.PROFILES, "u1", hub.now)
                    store.insert(database, [new], hub.now)
        except Exception as error:  # noqa: BLE001 - the test shows it
            failures.append(error)

    threads = [threading.Thread(target=insert) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    terms = hub.terms()
    assert (terms["decided"], terms["waiting"], terms["skipped_reasons"]) == (20, 1, {"superseded": 19})


def test_of_several_pushes_in_one_insert_the_last_stays(hub: World):
    hub.people.knows("u1", name="x")
    with write(hub.database) as database:
        news = [NewDelivery(hub.connection_id, Operation.PROFILES, "u1", hub.now) for _ in range(3)]
        assert store.insert(database, news, hub.now) == (3, 2, 0)
    hub.delivers()
    assert hub.terms()["sent"] == 1


# ── order ────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_consent_goes_before_everything_else_that_waits(hub: World):
    decide(hub, "messages", *[f"u{n}" for n in range(50)])
    hub.people.said["u49"]["consents"] = {"email": {"status": "denied"}}
    hub.passes(1)
    consent = hub.decides("u49", "consent", topic="email")
    hub.delivers()
    assert hub.vendor.people.index("u49") < 12
    assert [call.path for call in hub.vendor.calls if any(r["person"] == "u49" for r in call.json)] == [
        "/consent",
        "/messages",
    ]
    assert hub.state(consent) == "sent"


def test_a_consent_that_backs_off_still_holds_its_profiles_messages_back(hub: World):
    consent = decide(hub, "consent", "u1", topic="email")
    hub.vendor.fails(refused())
    hub.delivers()
    message = decide(hub, "messages", "u1")
    hub.delivers()
    assert hub.state(message[0]) == "waiting"
    hub.delivers(after=10)
    assert (hub.state(consent[0]), hub.state(message[0])) == ("sent", "sent")


def test_events_wait_for_the_profile_a_vendor_needs_first(hub: World):
    class Ordered(Acme):
        def routes(self):
            routes = dict(super().routes())
            return {**routes, "events": replace(routes["events"], after=[Operation.PROFILES])}

    hub.kind = Ordered
    hub.people.knows("u1", name="Ada")
    [event] = decide(hub, "events", "u1")
    push = hub.decides("u1")
    hub.vendor.fails(refused(), path="/profiles")
    hub.delivers()
    assert hub.row(event).state == "waiting"
    hub.delivers(after=5)
    hub.delivers(after=30)
    assert (hub.state(push), hub.state(event)) == ("sent", "sent")
    assert [call.path for call in hub.vendor.calls] == ["/profiles", "/profiles", "/events"]


# ── consent and erasure ──────────────────────────────────────────────────────────────────────────────────────────


def test_consent_refused_between_two_attempts_stops_the_second(hub: World):
    [one] = decide(hub, "messages", "u1", consent="email")
    hub.vendor.fails(refused())
    hub.delivers()
    hub.people.denied.add(("u1", "email"))
    hub.delivers(after=10)
    assert hub.state(one) == "skipped(consent_denied)"
    assert len(hub.vendor.calls) == 1


def test_consent_refused_between_plan_and_start_is_noticed_by_the_start(hub: World):
    [one] = decide(hub, "messages", "u1", consent="email")
    views = hub.people.views

    def views_then_refusal(database, source_ids):
        hub.people.denied.add(("u1", "email"))
        return views(database, source_ids)

    hub.people.views = views_then_refusal
    hub.delivers()
    assert hub.state(one) == "skipped(consent_denied)"
    assert hub.vendor.calls == []


def test_a_split_checks_consent_again(hub: World):
    made = decide(hub, "messages", "u0", "u1", consent="email")

    def split_then_refuse(request) -> None:
        if len(request.json) == 2:
            hub.people.denied.add(("u1", "email"))
            raise Split("too large")

    hub.vendor.before = split_then_refuse
    hub.delivers()
    assert [hub.state(one) for one in made] == ["sent", "skipped(consent_denied)"]


def test_a_tombstone_between_two_attempts_stops_the_second(hub: World):
    [one] = decide(hub, "messages", "u1")
    hub.vendor.fails(refused())
    hub.delivers()
    hub.people.gone.add("u1")
    hub.delivers(after=10)
    assert hub.state(one) == "skipped(erased)"


def erase(hub: World, source_id: str) -> str:
    """What the runtime does: erase here, then hand the erasure on."""
    with write(hub.database) as database:
        found = operate.erase(database, {source_id: "hash-of-" + source_id[::-1]}, hub.now)
        remembered = found.remembered.get(hub.connection_id, {}).get(source_id, {})
    hub.people.gone.add(source_id)
    sealed = operate.sealed_erasure(hub.vault, source_id, {"email": ["ada@x.org"]}, remembered, "r1")
    return hub.decides("erased:hash-of-" + source_id[::-1], "erase", record=sealed)


def everything(hub: World) -> str:
    with read(hub.database) as database:
        tables = [one for one in metadata().sorted_tables if one.name != "connection"]
        return "\n".join(str(row) for table in tables for row in database.execute(select(table)))


def test_an_erased_person_leaves_no_trace_and_the_erasure_reaches_the_vendor(hub: World):
    hub.people.knows("ada-1815", name="Lovelace", email="ada@x.org")
    hub.decides("ada-1815")
    hub.vendor.says(200, {"echo": "Lovelace"})
    hub.delivers()
    hub.vendor.says(422, {"error": "Lovelace is odd"})
    hub.decides("ada-1815", "messages", record={"event": {"surname": "Lovelace"}})
    hub.delivers()
    waiting = hub.decides("ada-1815", "events", record={"event": {"surname": "Lovelace"}}, due_at=hub.now + 10**9)
    one = erase(hub, "ada-1815")
    assert hub.state(waiting) == "skipped(erased)"
    hub.delivers()
    assert hub.state(one) == "sent"
    assert hub.vendor.people[-1] == "ada-1815"
    left = everything(hub)
    for word in ("ada-1815", "Lovelace", "ada@x.org", "a-ada"):
        assert word not in left


def test_an_erasure_follows_what_is_under_way_and_nothing_follows_it(hub: World):
    [one] = decide(hub, "messages", "u1")
    erasure: list[str] = []

    def erase_meanwhile(request) -> None:
        if not erasure:
            erasure.append(erase(hub, "u1"))
            raise refused()

    hub.vendor.before = erase_meanwhile
    hub.delivers()
    late = hub.decides("u1", "messages", record={"event": {}})
    hub.delivers(after=60)
    assert hub.state(one) == "skipped(erased)"
    assert hub.state(erasure[0]) == "sent"
    assert hub.state(late) == "skipped(erased)"
    assert [call.path for call in hub.vendor.calls] == ["/messages", "/erase"]


def test_an_answer_that_comes_after_the_erasure_brings_nothing_back(hub: World):
    hub.people.knows("u1-personal", name="Lovelace")
    one = hub.decides("u1-personal")

    def erase_meanwhile(request) -> None:
        if request.path == "/profiles":
            erase(hub, "u1-personal")

    hub.vendor.before = erase_meanwhile
    hub.delivers()
    assert hub.state(one) == "sent"
    with read(hub.database) as database:
        assert database.execute(select(PUSHED)).all() == []
        assert [row for row in database.execute(select(REMEMBERED)) if "personal" in row.source_id] == []
    left = everything(hub)
    assert "Lovelace" not in left
    assert "u1-personal" not in left


# ── jobs ─────────────────────────────────────────────────────────────────────────────────────────────────────────


def pending_push(hub: World, *people: str) -> list[str]:
    made = []
    for person in people:
        hub.people.knows(person, name=person)
        made.append(hub.decides(person))
    hub.vendor.says(200, dict.fromkeys(people, "job"))
    hub.delivers()
    assert {hub.row(one).state for one in made} == {"pending"}
    return made


def test_a_job_is_asked_after_until_it_has_ended(hub: World):
    good, bad = pending_push(hub, "good", "bad")
    hub.vendor.says(200, {"status": "running"}, path="/jobs/job-1")
    hub.vendor.says(200, {"status": "done", "errors": {"bad": "no such address"}}, path="/jobs/job-1")
    hub.delivers()
    assert len(hub.vendor.calls) == 1, "not before the time the connector named"
    hub.delivers(after=6)
    assert hub.row(good).state == "pending"
    hub.delivers(after=6)
    assert (hub.state(good), hub.state(bad)) == ("sent", "dead(rejected)")
    assert [call.path for call in hub.vendor.calls] == ["/profiles", "/jobs/job-1", "/jobs/job-1"]


def test_hashes_of_a_job_are_kept_when_it_is_accepted_and_not_before(hub: World):
    pending_push(hub, "u1")
    assert hub.pushed("u1") == {}
    hub.delivers(after=6)
    assert set(hub.pushed("u1")) == {"name"}
    again = hub.decides("u1")
    hub.delivers()
    assert hub.state(again) == "skipped(unchanged)"


def test_a_newer_push_waits_for_the_job_of_the_older_one(hub: World):
    pending_push(hub, "u1")
    hub.people.knows("u1", name="newer")
    newer = hub.decides("u1")
    hub.delivers(after=1)
    assert hub.state(newer) == "waiting"
    hub.delivers(after=6)
    hub.delivers()
    assert hub.state(newer) == "sent"
    assert hub.vendor.bodies[-1] == {"name": "newer"}


def test_a_job_that_never_ends_is_unknown_and_a_profile_is_pushed_again(hub: World):
    [one] = pending_push(hub, "u1")
    hub.vendor.says(200, {"status": "running"}, path="/jobs", times=30)
    for _ in range(15):
        hub.delivers(after=6)
        if hub.row(one).state != "pending":
            break
    hub.delivers(after=6)
    assert hub.state(one) == "sent"
    assert [call.path for call in hub.vendor.calls].count("/profiles") == 2


def test_a_job_survives_a_crash_and_a_vendor_that_cannot_answer(hub: World):
    [one] = pending_push(hub, "u1")
    hub.new_engine().recover()
    hub.vendor.says(503, path="/jobs")
    hub.delivers(after=6)
    assert hub.row(one).state == "pending"
    hub.delivers(after=30)
    assert hub.state(one) == "sent"


def test_a_job_the_vendor_does_not_know_is_unknown(hub: World):
    [one] = pending_push(hub, "u1")
    hub.vendor.says(404, path="/jobs")
    hub.delivers(after=6)
    assert hub.row(one).state == "waiting"
    hub.delivers(after=10)
    assert hub.state(one) == "sent"


# ── operators ────────────────────────────────────────────────────────────────────────────────────────────────────


def replay(hub: World, **more) -> int:
    filters = more.pop("filters", Filters())
    with write(hub.database) as database:
        return operate.replay(database, filters, hub.now, **more)[0]


def test_a_dead_letter_is_replayed_under_the_same_key(hub: World):
    [one] = decide(hub, "messages", "u1")
    hub.vendor.says(422)
    hub.delivers()
    assert replay(hub) == 1
    hub.delivers()
    assert hub.state(one) == "sent"
    assert hub.vendor.taken == {one: 1}
    with read(hub.database) as database:
        assert [attempt.is_manual for attempt in attempts_of(database, one).items] == [False, True]


def test_an_accepted_delivery_is_sent_again_only_on_demand_and_under_a_replay_number(hub: World):
    [one] = decide(hub, "messages", "u1")
    hub.delivers()
    assert replay(hub) == 0
    assert replay(hub, filters=Filters(status="sent")) == 1
    hub.delivers()
    assert hub.vendor.taken == {one: 1, f"{one}-r1": 1}


def test_a_replay_does_not_overtake_a_newer_push_that_waits(hub: World):
    [old] = decide(hub, "profiles", "u1")
    hub.vendor.says(422)
    hub.delivers()
    [new] = decide(hub, "profiles", "u1", due_at=hub.now + 10**9)
    assert replay(hub) == 0
    assert hub.state(old) == "skipped(superseded)"
    assert hub.state(new) == "waiting"


def test_of_several_dead_pushes_of_a_profile_one_is_replayed(hub: World):
    for _ in range(3):
        decide(hub, "profiles", "u1")
        hub.vendor.says(422)
        hub.delivers()
    assert replay(hub) == 1
    hub.delivers()
    assert hub.terms()["skipped_reasons"] == {"superseded": 2}


def test_a_replay_goes_page_by_page_at_the_rate_an_operator_sets(hub: World):
    made = decide(hub, "messages", *[f"u{n}" for n in range(5)])
    hub.vendor.says(422, times=5)
    hub.delivers()
    with write(hub.database) as database:
        assert operate.replayable(database, Filters()) == 5
        first, after = operate.replay(database, Filters(), hub.now, per_s=0.1, limit=3)
        second, end = operate.replay(database, Filters(), hub.now, per_s=0.1, limit=3, after=after or "", first=first)
    assert (first, second, end) == (3, 2, None)
    assert sorted((hub.row(one).due_at - hub.now) // 1_000_000 for one in made) == [0, 10, 20, 30, 40]


def test_cancelling_skips_what_waits_and_nothing_else(hub: World):
    sent, waiting = decide(hub, "messages", "u1"), decide(hub, "messages", "u2", due_at=hub.now + 10**9)
    hub.delivers()
    with write(hub.database) as database:
        assert operate.cancel(database, [*sent, *waiting], hub.now) == 1
    assert (hub.state(sent[0]), hub.state(waiting[0])) == ("sent", "skipped(cancelled)")


def test_pruned_deliveries_stay_counted(hub: World):
    decide(hub, "messages", "u1", "u2")
    hub.vendor.says(422, path="/messages")
    hub.delivers()
    decide(hub, "messages", "u3")
    hub.delivers()
    with write(hub.database) as database:
        assert operate.prune(database, hub.now + 1) == 3
        assert totals(database) == {"dead": {"http_422": 2}, "sent": {"": 1}}
    assert hub.terms()["decided"] == 0


def test_an_unknown_event_whose_window_passed_may_be_replayed_by_an_operator(hub: World):
    [one] = decide(hub, "events", "u1")
    start_by_hand(hub, [one], "deduplicated", "events")
    hub.passes(10_000)
    hub.new_engine().recover()
    assert hub.state(one) == "dead(unknown)"
    assert replay(hub) == 1
    hub.delivers()
    assert hub.state(one) == "sent"


def test_a_row_never_ends_without_a_reason(hub: World):
    [one] = decide(hub, "messages", "u1")
    with pytest.raises(IntegrityError), write(hub.database) as database:
        database.execute(update(DELIVERY).where(DELIVERY.c.id == one).values(state="dead", reason=""))
