"""What goes before what, and which address a vendor knows somebody by."""

from __future__ import annotations

from typing import Any, ClassVar

import pytest

from hub.sdk.values import Operation, Route
from tests.rooms.outbox.promises import known, order, pushed_events
from tests.rooms.outbox.world import Acme, World, timeout

# ── order ────────────────────────────────────────────────────────────────────────────────────────────────────────


class ProfileFirst(Acme):
    route_map: ClassVar = {
        name: Route("acme", ["all"], items=3, repeat="safe", after=[Operation.PROFILES])
        for name in ("events", "audience", "consent")
    }


def test_an_event_waits_for_the_profile_its_vendor_needs_first(hub: World):
    hub.kind = ProfileFirst
    known(hub, 2)
    [event] = pushed_events(hub, "u0", 1)
    [other] = pushed_events(hub, "u1", 1)
    hub.decides("u0")
    hub.vendor.fails(timeout(), "/profiles")
    hub.delivers()
    assert hub.state(event) == "waiting(after)"
    assert hub.state(other) == "sent", "nobody else waits"
    for _ in range(6):
        hub.delivers(after=2)
    assert (sorted(order(hub)[:2]), order(hub)[2:]) == (["events", "profiles"], ["profiles", "events"])
    assert hub.state(event) == "sent"


def test_consent_goes_before_all_that_waits_and_nothing_passes_it(hub: World):
    known(hub, 1, consents={"email": {"status": "denied"}}, audiences={"vip": {"member": True}})
    hub.decides("u0")
    pushed_events(hub, "u0", 2)
    hub.decides("u0", "messages", record={"code": {"code": "A"}})
    hub.decides("u0", "audience", topic="vip")
    hub.passes(1)
    hub.decides("u0", "consent", topic="email")
    hub.vendor.fails(timeout(), "/consent")
    hub.delivers()
    assert order(hub) == ["consent"], "while it is tried again, the others wait"
    for _ in range(3):
        hub.delivers(after=5)
    assert order(hub)[:2] == ["consent", "consent"]
    assert hub.terms()["sent"] == 6


def test_consent_that_needs_the_profile_first_lets_it_pass_and_only_it(hub: World):
    hub.kind = ProfileFirst
    known(hub, 1, consents={"email": {"status": "denied"}})
    hub.decides("u0", "consent", topic="email")
    hub.decides("u0", "messages", record={"code": {"code": "A"}})
    hub.decides("u0")
    for _ in range(6):
        hub.delivers(after=2)
    assert order(hub) == ["profiles", "consent", "messages"]


def test_at_most_one_membership_waits_for_each_audience_and_topics_do_not_mix(hub: World):
    known(hub, 1, audiences={"vip": {"member": True}, "new": {"member": False}})
    old = hub.decides("u0", "audience", topic="vip")
    hub.decides("u0", "audience", topic="vip")
    hub.decides("u0", "audience", topic="new")
    hub.delivers()
    assert hub.state(old) == "skipped(superseded)"
    assert sorted((body["key"], body["member"]) for body in hub.vendor.bodies) == [("new", False), ("vip", True)]


@pytest.mark.parametrize("operation", ["profiles", "audience", "consent"])
def test_of_somebody_unknown_no_state_is_sent(hub: World, operation: str):
    one = hub.decides("nobody", operation, topic="" if operation == "profiles" else "email")
    hub.delivers()
    assert hub.state(one) == "skipped(no_profile)"


def test_an_audience_with_a_long_name_is_told_whole(hub: World):
    key = "k" * 300
    known(hub, 1, audiences={key: {"member": True, "name": "Long"}})
    hub.decides("u0", "audience", topic="#cut", record={"audience": {"key": key}})
    hub.delivers()
    assert hub.vendor.bodies == [{"key": key, "member": True, "name": "Long"}]


# ── previous addresses ───────────────────────────────────────────────────────────────────────────────────────────


class Sees(Acme):
    """Notes whom it was given."""

    people: ClassVar[list[Any]] = []

    def items(self, push: Any) -> Any:
        self.people.append((push.operation.value, dict(push.person.previous)))
        return super().items(push)


def test_the_address_last_accepted_is_told_until_another_one_is(hub: World):
    Sees.people.clear()
    hub.kind = Sees
    consents = {"email": {"status": "granted"}}
    hub.people.knows("u0", email="old@x.example", phone="+48500000001", consents=consents)
    hub.decides("u0")
    hub.delivers()
    hub.people.knows("u0", email="new@x.example", phone="+48500000001", consents=consents)
    hub.decides("u0")
    hub.decides("u0", "consent", topic="email")
    hub.decides("u0", "audience", topic="vip")
    hub.vendor.says(422, {}, "/profiles")
    hub.delivers()
    hub.people.knows("u0", email="newest@x.example", consents=consents)
    hub.decides("u0")
    hub.delivers()
    hub.decides("u0", "consent", topic="email")
    hub.delivers()
    old = {"email": "old@x.example"}
    assert Sees.people[0] == ("profiles", {})
    middle = sorted(set(map(str, Sees.people[1:-2])))
    assert middle == sorted(map(str, [("consent", old), ("audience", old), ("profiles", old)]))
    assert Sees.people[-2] == ("profiles", {**old, "phone": "+48500000001"}), "what was refused was never accepted"
    assert Sees.people[-1] == ("consent", {"phone": "+48500000001"})
