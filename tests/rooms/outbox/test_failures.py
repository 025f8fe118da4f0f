"""What goes wrong at the vendor: retries, limits, splits, refused credentials, sustained failure."""

from __future__ import annotations

import pytest
from sqlalchemy import select, update
from sqlalchemy.exc import IntegrityError

from hub.core.clock import HOUR, SECOND, to_datetime
from hub.core.database import read, write
from hub.ledger.store import attempts_of, audits
from hub.mapping.model import Warning
from hub.outbox.queue import operate
from hub.outbox.tables import DELIVERY
from hub.registry import store as registry
from hub.runtime.process.schema import metadata
from hub.sdk.errors import ConfigurationError, Permanent, Split
from hub.sdk.values import Response
from tests.rooms.outbox.world import Acme, Forgetful, StepByStep, World, refused, slow_down, timeout


def events(hub: World, count: int, operation: str = "events") -> list[str]:
    made = []
    for number in range(count):
        hub.people.knows(f"u{number}", name="x")
        made.append(hub.decides(f"u{number}", operation, record={"event": {"id": f"e{number}"}}))
    return made


def test_a_refused_connection_is_tried_again_with_full_jitter(hub: World):
    [one] = events(hub, 1, "messages")
    hub.vendor.fails(refused())
    hub.delivers()
    row = hub.row(one)
    assert (row.state, row.reason, row.attempts) == ("waiting", "retry", 1)
    assert row.due_at == hub.now + 1_000_000  # half of the first cap of two seconds
    hub.delivers()
    assert len(hub.vendor.calls) == 1, "it is not due yet"
    hub.delivers(after=1)
    assert hub.state(one) == "sent"


def test_a_delivery_is_given_up_after_72_hours_of_its_own_waiting(hub: World):
    [one] = events(hub, 1, "messages")
    hub.random = 1.0
    tries = 0
    while hub.state(one).startswith("waiting"):
        hub.vendor.fails(refused())
        hub.engine._lanes and hub.engine._lanes[hub.connection_id].circuit.succeeded()
        hub.delivers(after=4000)
        tries += 1
        assert tries < 200
    row = hub.row(one)
    assert hub.state(one) == "dead(exhausted)"
    assert row.attempts == tries
    assert 70 * HOUR < row.waited_us <= 72 * HOUR


@pytest.mark.parametrize(
    ("operation", "expected"),
    [
        ("profiles", "sent"),  # a repeat changes nothing more, whatever the route says
        ("events", "sent"),  # the route deduplicates
        ("messages", "dead(unknown)"),  # a repeat would be a second message
    ],
)
def test_a_timeout_after_the_vendor_acted_is_an_unknown_result(hub: World, operation: str, expected: str):
    [one] = events(hub, 1, operation)
    hub.vendor.fails(timeout(acted=True))
    hub.delivers()
    hub.delivers(after=10)
    assert hub.state(one) == expected
    assert hub.vendor.taken[one] == (1 if operation == "messages" else 2)


def test_a_connection_may_say_that_unknown_messages_are_tried_again(hub: World):
    [one] = events(hub, 1, "messages")
    with write(hub.database) as database:
        registry.update(database, hub.connection_id, hub.now, retry_unknown=True)
    hub.vendor.fails(timeout())
    hub.delivers()
    hub.delivers(after=10)
    assert hub.state(one) == "sent"


def test_an_unknown_event_is_not_repeated_once_the_vendor_no_longer_deduplicates(hub: World):
    [one] = events(hub, 1)
    hub.vendor.fails(timeout(acted=True))
    hub.delivers()
    assert hub.state(one) == "waiting(retry)"
    with write(hub.database) as database:
        registry.pause(database, hub.connection_id, "an operator's pause", hub.now)
    hub.delivers(after=700)
    with write(hub.database) as database:
        registry.resume(database, hub.connection_id, hub.now)
    hub.delivers()
    assert hub.state(one) == "dead(unknown)"
    assert hub.vendor.taken[one] == 1


@pytest.mark.parametrize("status", [502, 504])
def test_a_gateway_error_after_sending_is_unknown(hub: World, status: int):
    [one] = events(hub, 1, "messages")
    hub.vendor.says(status)
    hub.delivers()
    assert hub.state(one) == "dead(unknown)"


def test_a_success_that_cannot_be_read_is_unknown(hub: World):
    [one] = events(hub, 1, "messages")
    hub.vendor.script.append(("", Response(200, {}, b"<html>", to_datetime(hub.now))))
    hub.delivers()
    assert hub.state(one) == "dead(unknown)"


def test_a_storm_of_429_uses_no_attempts_and_none_of_the_horizon(hub: World):
    made = events(hub, 9, "messages")
    hub.vendor.says(429, times=30, **{"retry-after": "30"})
    for _ in range(6):
        hub.delivers(after=31)
    hub.vendor.script.clear()
    assert {hub.row(one).attempts for one in made} == {0}
    assert {hub.row(one).waited_us for one in made} == {0}
    calls = len(hub.vendor.calls)
    assert calls < 20, "a storm must not be answered with a storm"
    hub.delivers(after=31)
    assert hub.terms()["sent"] == 9


def test_nothing_is_sent_before_the_time_the_vendor_named(hub: World):
    events(hub, 2, "messages")
    hub.vendor.fails(slow_down(90, hub.now))
    hub.delivers()
    hub.delivers(after=80)
    assert len(hub.vendor.calls) == 1
    why, until = hub.engine.waits()[hub.connection_id]
    assert why == "the vendor asked to slow down"
    assert until is not None
    assert 0 < until - hub.now <= 10 * SECOND
    hub.delivers(after=11)
    assert hub.engine.waits() == {}
    hub.delivers(after=11)
    assert hub.terms()["sent"] == 2


def test_refused_credentials_pause_the_connection_and_a_passing_check_resumes_it(hub: World):
    made = events(hub, 5, "messages")
    hub.vendor.says(401, times=2)
    hub.delivers()
    assert hub.connection().status == "paused"
    assert hub.connection().paused_reason.startswith("auth: ")
    assert {hub.row(one).attempts for one in made} == {0}
    calls = len(hub.vendor.calls)
    hub.delivers(after=5)
    assert len(hub.vendor.calls) == calls, "nothing is sent through a paused connection"
    hub.vendor.says(401, path="/me")
    hub.delivers(after=16)
    hub.delivers()
    assert hub.connection().status == "paused"
    hub.delivers(after=60)
    hub.delivers()
    assert hub.connection().status == "active"
    assert hub.terms()["sent"] == 5
    with read(hub.database) as database:
        assert [one.action for one in audits(database).items] == ["destination.resumed", "destination.paused"]


def test_credentials_refused_again_after_a_passing_check_wait_for_an_operator(hub: World):
    events(hub, 1, "messages")
    hub.vendor.says(401, path="/messages", times=2)
    hub.delivers()
    for _ in range(4):
        hub.delivers(after=2_000)
    assert hub.connection().paused_reason.startswith("auth again: ")
    checks = [call for call in hub.vendor.calls if call.path == "/me"]
    assert len(checks) == 1
    with write(hub.database) as database:
        registry.resume(database, hub.connection_id, hub.now)
    hub.delivers()
    assert hub.terms()["sent"] == 1


def test_a_403_pauses_its_route_and_the_others_go_on(hub: World):
    [message] = events(hub, 1, "messages")
    hub.vendor.says(403, path="/messages")
    hub.delivers()
    hub.people.knows("u0", name="Ada")
    push = hub.decides("u0")
    another = hub.decides("u0", "messages", record={"code": {"code": "x"}})
    hub.delivers()
    assert hub.state(push) == "sent"
    assert hub.state(message).startswith("waiting")
    assert hub.state(another).startswith("waiting")
    assert set(hub.connection().paused_routes) == {"messages"}


def test_a_batch_is_halved_until_the_culprit_stands_alone(hub: World):
    class Wide(Acme):
        size = 16

    hub.kind = Wide
    made = events(hub, 16, "messages")

    def poisoned(request):
        if any(record["person"] == "u11" for record in request.json):
            raise Split("one of them is bad")

    hub.vendor.before = poisoned
    hub.delivers()
    assert hub.state(made[11]) == "dead(too_large)"
    assert hub.terms()["sent"] == 15
    assert len(hub.vendor.calls) == 9  # 16; 8, 8; 4, 4; 2, 2; 1, 1
    assert {hub.row(one).attempts for one in made if one != made[11]} == {1}


def test_an_innocent_neighbour_uses_no_attempt(hub: World):
    bad, good = events(hub, 2, "messages")
    hub.vendor.says(200, {"u0": "reject", "u1": "innocent"})
    hub.delivers()
    assert hub.state(bad) == "dead(bad_email)"
    assert hub.state(good) == "sent"
    assert hub.row(good).attempts == 1


def test_a_connector_that_blames_nobody_does_not_go_round_for_ever(hub: World):
    [one] = events(hub, 1, "messages")
    hub.vendor.says(200, {"u0": "innocent"}, times=3)
    hub.delivers()
    assert hub.row(one).attempts == 1
    assert hub.state(one) == "waiting(again)"


def test_a_refusal_of_the_whole_call_is_final(hub: World):
    made = events(hub, 3, "messages")
    hub.vendor.fails(Permanent("Acme knows no such campaign."))
    hub.delivers()
    assert {hub.state(one) for one in made} == {"dead(refused)"}


def test_a_status_of_refusal_groups_dead_letters(hub: World):
    [one] = events(hub, 1, "messages")
    hub.vendor.says(422, {"error": "no such list"})
    hub.delivers()
    assert hub.state(one) == "dead(http_422)"
    assert "no such list" in hub.row(one).detail


def test_sustained_failure_opens_the_circuit_and_costs_those_that_wait_nothing(hub: World):
    class Single(Acme):
        size = 1

    hub.kind = Single
    made = events(hub, 40, "messages")
    hub.vendor.says(503, times=1_000)
    for _ in range(3):
        hub.delivers(after=3)
    calls = len(hub.vendor.calls)
    assert calls <= 14
    untouched = [one for one in made if hub.row(one).attempts == 0]
    assert len(untouched) >= 25
    hub.delivers(after=1)
    assert len(hub.vendor.calls) == calls, "the circuit is open"
    why, until = hub.engine.waits()[hub.connection_id]
    assert why == "the vendor failed too often in a row; one batch tries it"
    assert until is not None
    assert until > hub.now
    hub.delivers(after=20)
    assert len(hub.vendor.calls) == calls + 1, "one trial only"
    hub.vendor.script.clear()
    hub.delivers(after=40)
    for _ in range(8):
        hub.delivers(after=60)
    assert hub.terms()["sent"] == 40


def test_a_connector_that_forgets_a_record_leaves_a_defect_and_no_silence(hub: World):
    hub.kind = Forgetful
    made = events(hub, 3, "messages")
    hub.delivers()
    states = sorted(hub.state(one) for one in made)
    assert states == ["dead(defect)", "sent", "sent"]
    assert hub.engine._lanes[hub.connection_id].jobs == 0


def test_a_connector_that_raises_while_building_ends_that_record_only(hub: World):
    class Stumbling(Acme):
        def items(self, push):
            if push.person.source_id == "u1":
                raise KeyError("email")
            return super().items(push)

    hub.kind = Stumbling
    made = events(hub, 3, "messages")
    hub.delivers()
    assert [hub.state(one) for one in made] == ["sent", "dead(defect)", "sent"]


def test_progress_is_stored_before_the_call_that_must_not_be_repeated(hub: World):
    hub.kind = StepByStep
    [one] = events(hub, 1, "messages")
    seen = []
    hub.vendor.before = lambda request: seen.append(hub.row(one).progress)
    hub.vendor.fails(refused(), path="/messages")
    hub.delivers()
    assert seen == ["", '"asked"']
    hub.delivers(after=10)
    assert hub.state(one) == "dead(unknown)", "the connector sees its own progress and ends as unknown"


def test_everything_of_an_attempt_is_in_the_ledger(hub: World):
    [one] = events(hub, 1, "messages")
    hub.vendor.says(503, {"why": "maintenance"})
    hub.delivers()
    hub.delivers(after=5)
    with read(hub.database) as database:
        found = attempts_of(database, one).items
    assert [(one.number, one.outcome, one.status) for one in found] == [(1, "retryable", 503), (2, "accepted", 200)]
    assert "maintenance" in found[0].response


def test_a_missing_mapping_pauses_the_connection_and_loses_nothing(hub: World):
    class Unmapped(Acme):
        def items(self, push):
            raise ConfigurationError("The mapping 'acme' is gone; put it back.")

    hub.kind = Unmapped
    [one] = events(hub, 1)
    hub.delivers()
    assert hub.connection().paused_reason == "configuration: The mapping 'acme' is gone; put it back."
    assert hub.state(one) == "waiting"
    hub.kind = Acme
    with write(hub.database) as database:
        registry.resume(database, hub.connection_id, hub.now)
    hub.delivers()
    assert hub.state(one) == "sent"


def test_an_operators_pause_between_two_attempts_holds_the_second_back(hub: World):
    [one] = events(hub, 1, "messages")
    hub.vendor.says(503)
    hub.delivers()
    with write(hub.database) as database:
        registry.pause(database, hub.connection_id, "maintenance", hub.now)
    hub.delivers(after=100)
    assert len(hub.vendor.calls) == 1
    assert hub.row(one).attempts == 1


def test_a_late_pause_stops_what_was_planned_before_it(hub: World):
    """The plan was made from an older look at the connection: the claim itself must notice."""
    [one] = events(hub, 1, "messages")
    hub.engine._refresh()
    stale = hub.snapshot()
    hub.engine._snapshot = lambda: stale
    with write(hub.database) as database:
        registry.pause(database, hub.connection_id, "maintenance", hub.now)
    hub.delivers()
    assert hub.vendor.calls == []
    assert hub.state(one) == "waiting"


def test_the_database_refuses_a_second_delivery_that_waits_for_the_same_thing(hub: World):
    hub.people.knows("u1", name="Ada")
    hub.decides("u1")
    old = hub.decides("u1")
    hub.decides("u1")
    with pytest.raises(IntegrityError), write(hub.database) as database:
        database.execute(update(DELIVERY).where(DELIVERY.c.id == old).values(state="waiting", reason=""))


def test_a_secret_that_a_vendor_repeats_stands_in_no_row(hub: World):
    made = events(hub, 2, "messages")
    hub.vendor.says(422, {"error": "the key sesame-key may not do this"})
    hub.delivers()
    assert "***" in hub.row(made[0]).detail
    [pushed] = events(hub, 1, "events")
    hub.vendor.says(401, {"error": "bad key sesame-key"})
    hub.delivers()
    assert hub.row(pushed).state == "waiting"
    with read(hub.database) as database:
        tables = [one for one in metadata().sorted_tables if one.name != "connection"]
        shown = [str(row) for table in tables for row in database.execute(select(table))]
    assert not [row for row in shown if "sesame-key" in row]


def test_what_the_mapping_dropped_stands_with_the_delivery(hub: World):
    hub.people.knows("u1", name="Ada", warnings=[Warning("not_a_date", "profile.birthdate", "this is not a date")])
    one = hub.decides("u1")
    hub.delivers()
    assert "not_a_date at profile.birthdate: this is not a date" in hub.row(one).notices


def test_a_connection_that_is_removed_leaves_nothing_waiting(hub: World):
    made = events(hub, 3, "messages")
    with write(hub.database) as database:
        assert operate.abandon(database, hub.connection_id, hub.now) == 3
        registry.remove(database, hub.connection_id)
    hub.delivers()
    assert {hub.state(one) for one in made} == {"skipped(connection_removed)"}


def test_a_connection_without_a_valid_mapping_keeps_its_deliveries_waiting(hub: World):
    with write(hub.database) as database:
        registry.update(database, hub.connection_id, hub.now, mapping_hash="")
    [one] = events(hub, 1)
    hub.delivers()
    assert hub.state(one) == "waiting"
    assert hub.connection().status == "active"
    with write(hub.database) as database:
        registry.update(database, hub.connection_id, hub.now, mapping_hash="m2")
    hub.delivers()
    assert hub.state(one) == "sent"
