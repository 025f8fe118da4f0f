"""When the engine looks for vendor jobs: in time, and not all the time."""

from __future__ import annotations

import threading
from datetime import timedelta
from typing import Any

import pytest

from hub.core.clock import to_datetime
from hub.core.database import write
from hub.outbox.queue import claim
from hub.outbox.rules import Stopping
from hub.registry import store as registry
from hub.sdk.values import Request
from tests.rooms.outbox.world import World, settle


def pending(hub: World, *people: str) -> list[str]:
    """Pushes of these people that wait for a job, which is to be asked after in five seconds."""
    for person in people:
        hub.people.knows(person, name=person)
    made = [hub.decides(person) for person in people]
    hub.vendor.says(200, dict.fromkeys(people, "job"), path="/profiles", times=3)
    settle(hub.engine)
    assert {hub.row(one).state for one in made} == {"pending"}
    return made


def later(hub: World, seconds: float) -> None:
    """Unlike `delivers`, this leaves it to the engine when to look."""
    hub.passes(seconds)
    settle(hub.engine)


def test_a_look_for_jobs_is_made_when_one_is_due_and_hardly_before(hub: World, monkeypatch: pytest.MonkeyPatch):
    looks: list[Any] = []
    next_jobs = claim.next_jobs

    def counted(*given: Any) -> Any:
        looks.append(given)
        return next_jobs(*given)

    monkeypatch.setattr(claim, "next_jobs", counted)
    [one] = pending(hub, "u1")
    looks.clear()
    for _ in range(48):
        later(hub, 0.1)
    assert hub.row(one).state == "pending"
    assert len(looks) <= 4
    later(hub, 0.3)
    assert hub.state(one) == "sent"


def test_a_job_that_goes_on_is_asked_after_again_when_the_connector_said(hub: World):
    [one] = pending(hub, "u1")
    hub.vendor.says(200, {"status": "running"}, path="/jobs/job-1")
    later(hub, 5.1)
    later(hub, 4.8)
    assert [call.path for call in hub.vendor.calls] == ["/profiles", "/jobs/job-1"]
    later(hub, 0.3)
    assert hub.state(one) == "sent"


def test_a_job_that_could_not_be_asked_after_is_asked_after_later(hub: World):
    [one] = pending(hub, "u1")
    hub.vendor.says(503, path="/jobs/job-1")
    later(hub, 5.1)
    assert hub.row(one).state == "pending"
    later(hub, 5.1)
    assert hub.state(one) == "sent"


def test_a_new_process_finds_the_jobs_of_the_one_before(hub: World):
    made = pending(hub, "u1", "u2")
    hub.new_engine().recover()
    later(hub, 5.1)
    assert {hub.state(one) for one in made} == {"sent"}


def test_a_job_is_asked_after_soon_after_its_connection_is_resumed(hub: World):
    [one] = pending(hub, "u1")
    with write(hub.database) as database:
        registry.pause(database, hub.connection_id, "by an operator", hub.now)
    later(hub, 60)
    assert hub.row(one).state == "pending"
    with write(hub.database) as database:
        registry.resume(database, hub.connection_id, hub.now)
    later(hub, 2.1)
    assert hub.state(one) == "sent"


def test_what_is_kept_for_a_job_is_stored_as_it_is_and_gone_with_the_job(hub: World):
    odd = ["o'brien", 'say "hi"\\', "line\nbreak", "żółć 💥", "[1, 2]", "?"]
    made = pending(hub, *odd)
    rows = [hub.row(one) for one in made]
    assert [row.find_by for row in rows] == odd
    assert all('"person"' in row.pushing for row in rows)
    later(hub, 5.1)
    assert {(hub.state(one), hub.row(one).find_by, hub.row(one).pushing) for one in made} == {("sent", "", "")}
    assert all(set(hub.pushed(person)) == {"name"} for person in odd)


def test_the_end_of_a_job_lets_nobody_go_whose_call_is_still_under_way(hub: World):
    hub.people.merged["u1"] = "u2"
    hub.people.knows("u2", name="Ada")
    imported = hub.decides("u1")
    hub.vendor.says(200, {"u2": "job"}, path="/profiles")
    settle(hub.engine)
    called, may_answer = threading.Event(), threading.Event()

    def wait(request: Request) -> None:
        if request.path == "/events":
            called.set()
            assert may_answer.wait(10)

    hub.vendor.before = wait
    bought = hub.decides("u2", "events", record={"event": {"id": "e1"}})
    [lane] = hub.engine._lanes.values()
    lane.look_at = 0.0
    hub.engine.step()
    assert called.wait(10)
    hub.passes(5.1)
    while hub.state(imported) != "sent":
        hub.engine.step() or hub.engine._listen(0.01)
    returned = hub.decides("u1", "events", record={"event": {"id": "e2"}})
    lane.look_at = 0.0
    hub.engine.step()
    states = hub.state(bought), hub.state(returned)
    may_answer.set()
    assert states == ("sending", "waiting"), "calls of one person go one at a time, whatever id they were decided for"
    hub.delivers()
    assert (hub.state(bought), hub.state(returned), hub.vendor.overlaps) == ("sent", "sent", [])


def test_deliveries_that_are_due_together_go_in_the_order_of_their_ids(hub: World):
    names = [f"u{n}" for n in range(8)]
    for name in names:
        hub.people.knows(name, name=name)
    for place in (3, 0, 7, 1, 6, 2, 5, 4):
        hub.decides(names[place], id=f"01M80Q28820000000000000{place:03d}", due_at=hub.now)
    hub.delivers()
    assert hub.vendor.people == names


def test_what_an_open_circuit_holds_back_waits_by_the_clock_of_the_hub(hub: World):
    hub.delivers()
    [lane] = hub.engine._lanes.values()
    while not lane.circuit.failed(hub.at):
        pass
    with pytest.raises(Stopping) as stopped:
        lane.look(hub.at, hub.now, is_trial=False)
    assert stopped.value.until == to_datetime(hub.now) + timedelta(seconds=lane.circuit.pause_s)
