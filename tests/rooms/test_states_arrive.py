"""Memberships and consents on their whole way: webhook, profile, outbox, a vendor over HTTP."""

from __future__ import annotations

from typing import Any

from hub.core import clock
from hub.core.database import write
from hub.distributions import backfills, syncs
from hub.runtime.occasions.scheduler import ScheduleRole
from tests.rooms.whole import Whole


def membership(who: str, member: bool) -> dict[str, Any]:
    personas = {"computation_class": "audience", "computation_key": "vip"}
    return {"type": "identify", "userId": who, "traits": {"vip": member}, "context": {"personas": personas}}


def attributes(hub: Whole) -> list[dict[str, Any]]:
    bodies = [call.json() for call in hub.simulators["crm"].calls() if call.path == "/users/track"]
    return [one for body in bodies for one in body.get("attributes", ())]


def test_a_membership_arrives_when_it_changes_and_only_then(whole: Whole):
    whole.connect("crm", "audience")
    for member in (True, True, False):
        whole.receives(membership("ada", member))
        whole.applies()
        whole.delivers()
    assert [(one["external_id"], one["vip"]) for one in attributes(whole)] == [("ada", True), ("ada", False)]
    whole.books()


def test_a_backfill_brings_who_was_a_member_before(whole: Whole):
    for who in ("ada", "bob"):
        whole.receives(membership(who, who == "ada"))
    whole.applies()
    crm = whole.connect("crm", "audience")
    with write(whole.engine) as database:
        [sync] = syncs.for_connection(database, crm.id)
        backfills.open_backfill(database, sync, clock.now())
    role = ScheduleRole(whole.engine, whole.hub.vault.digest)
    while role.step(clock.now()):
        pass
    whole.delivers()
    assert sorted((one["external_id"], one["vip"]) for one in attributes(whole)) == [("ada", True), ("bob", False)]
    whole.books()


def test_an_erased_person_gets_no_membership(whole: Whole):
    whole.connect("crm", "audience")
    whole.receives(membership("ada", True))
    whole.applies()
    whole.erases("ada")
    whole.receives(membership("ada", False))
    whole.applies()
    whole.delivers()
    assert attributes(whole) == []
    assert "ada" not in {row["source_id"] for row in whole.deliveries()}
    whole.books()
