"""G8: an erased person is gone from every table, is erased at the vendors, and stays erased."""

from __future__ import annotations

import pytest

from hub.campaigns import store as campaigns
from hub.core import clock
from hub.core.clock import DAY
from hub.core.database import read, write
from hub.distributions.tables import DISTRIBUTION
from hub.outbox.tables import DELIVERY
from hub.profiles.erasure import lift
from hub.runtime.erasing.person import erase_person
from hub.runtime.upkeep.housekeeping import tidy
from hub.sdk.json import loads
from tests.rooms.whole import Whole

MARK = "qx7mark"
WHO = f"{MARK}-id"
MAIL = f"{MARK}@example.com"
TRAITS = {
    "email": MAIL, "phone": "+48600100299", "firstName": f"First {MARK}", "address": {"city": f"City {MARK}"},
    f"trait_{MARK}": 1, "note": f"{MARK} said so", "company": {"name": MARK}, "list": [MARK, {"deep": MARK}],
}  # fmt: skip
CONTEXT = {"ip": "203.0.113.9", "userAgent": f"Agent {MARK}", "device": {"id": f"device-{MARK}", "token": MARK}}
ORDER = {"order_id": f"o-{MARK}", "total": 12.5, "currency": "EUR", "products": [{"product_id": MARK, "price": 1}]}
LEAVES_WITH_HOUSEKEEPING = {"inbox_request.heads", "inbox_request.bodies"}


def say_everything(whole: Whole, who: str = WHO) -> None:
    """A message of each kind, each with the mark in whatever it can hold; a quarantined and a warned one among them."""
    common = {"userId": who, "anonymousId": f"anonymous-{MARK}", "context": CONTEXT}
    whole.receives(
        {"type": "identify", **common, "traits": TRAITS},
        {"type": "identify", **common, "traits": {"birthday": f"never {MARK}", "email": f"no address {MARK}"}},
        {"type": "track", **common, "event": "Order Completed", "properties": ORDER},
        {
            "type": "track",
            **common,
            "event": f"Event {MARK}",
            "properties": {MARK: MARK},
            "messageId": f"m-{MARK}-1"[:0] or "m-1",
        },
        {"type": "page", **common, "name": MARK, "properties": {"url": f"https://x.example/{MARK}"}},
        {"type": "group", **common, "groupId": f"group-{MARK}", "traits": {"name": MARK}},
        {"type": "track", **common, "event": "Order Refunded", "properties": {**ORDER, "total": f"much {MARK}"}},
    )
    whole.applies()


def live(whole: Whole) -> None:
    """Ada and the marked person live through everything: pushes, events, messages with codes, failures, an old name."""
    crm = whole.connect("crm", "profiles", "events")
    whole.connect("mail", "profiles", "events")
    whole.identifies("ada", email="ada@example.com")
    old = f"old-{WHO}"
    whole.identifies(old, email=f"old-{MAIL}", plan="free")
    whole.simulators["crm"].next(status=400, body={"message": f"no good: {MAIL}"})
    say_everything(whole)
    whole.delivers()
    whole.receives({"type": "alias", "userId": WHO, "previousId": old})
    whole.applies()
    whole.delivers()
    campaign = {"connection": "crm", "operation": "messages", "options": {"campaign_id": "demo"}}
    with write(whole.engine) as database:
        campaigns.add(database, clock.now(), name="spring", pattern="SPRING-######")
    plan = {"name": "spring", "campaign": "spring", "audience": {"source_ids": [WHO, "ada"]}, "targets": [campaign]}
    whole.distributes(plan)
    whole.delivers()
    whole.distributes({**plan, "name": "waits", "targets": [{**campaign, "connection": "mail", "options": {}}]})
    assert crm.name == "crm"


def test_nothing_of_an_erased_person_is_left_in_any_table(whole: Whole) -> None:
    live(whole)
    before = whole.places(MARK)
    for table in ("profile", "identity", "event", "customer_order", "message", "delivery", "publication", "code",
                  "attempt", "occasion", "distribution", "profile_link", "pushed"):  # fmt: skip
        assert any(place.startswith(f"{table}.") for place in before), f"{table} never held the person: {before}"

    done = whole.erases(WHO)

    assert set(whole.places(MARK, "600100299")) <= LEAVES_WITH_HOUSEKEEPING
    tidy(whole.hub, whole.inbox, clock.now())
    assert whole.places(MARK, "600100299") == []
    assert (done["profiles"], done["destinations"]) == (2, ["crm", "mail"])
    assert MARK not in str(done)
    whole.books()


def test_vendors_are_told_of_every_name_they_know_and_nobody_else_is_touched(whole: Whole) -> None:
    live(whole)
    known = set(whole.simulators["crm"].profiles)
    assert known >= {WHO, f"old-{WHO}", "ada"}
    ada = whole.profile("ada")

    whole.erases(WHO)
    whole.delivers()

    assert set(whole.simulators["crm"].profiles) == {"ada"}
    assert whole.profile("ada") == ada
    erasures = [row for row in whole.deliveries() if row["operation"] == "erase"]
    assert {row["status"] for row in erasures} == {"sent"}
    assert whole.places(MARK) == [] or set(whole.places(MARK)) <= LEAVES_WITH_HOUSEKEEPING
    with read(whole.engine) as database:
        records = database.execute(DELIVERY.select().where(DELIVERY.c.operation == "erase")).mappings().all()
    assert {row["record"] for row in records} <= {"", "{}"}, (
        "the sealed record is emptied when the vendor has been told"
    )
    whole.books()


def test_what_waits_for_an_erased_person_is_skipped_with_the_reason(whole: Whole) -> None:
    live(whole)
    waiting = [row["id"] for row in whole.deliveries() if row["source_id"] == WHO and row["status"] == "waiting"]
    assert waiting

    done = whole.erases(WHO)

    rows = {row["id"]: row for row in whole.deliveries()}
    assert {(rows[one]["status"], rows[one]["reason"]) for one in waiting} == {("skipped", "erased")}
    assert done["deliveries_skipped"] == len(waiting)


def test_late_messages_of_an_erased_person_are_ignored_whatever_their_time(whole: Whole) -> None:
    whole.identifies(WHO, email=MAIL)
    whole.erases(WHO)

    late = whole.receives(
        {"type": "identify", "userId": WHO, "traits": {"email": MAIL}},
        {"type": "identify", "userId": WHO, "traits": {"email": MAIL}, "timestamp": "2001-01-01T00:00:00Z"},
        {"type": "track", "userId": WHO, "event": "Signed Up", "properties": {"mark": MARK}},
    )
    whole.applies()

    states = whole.messages()
    assert {states[one] for one in late} == {("ignored", "erased")}
    assert whole.profile(WHO) is None
    tidy(whole.hub, whole.inbox, clock.now())
    assert whole.places(MARK) == []
    assert whole.books().reasons["ignored"]["erased"] == 3


def test_messages_that_waited_in_the_inbox_during_the_erasure_are_ignored_too(whole: Whole) -> None:
    whole.identifies(WHO, email=MAIL)
    waits = whole.receives({"type": "identify", "userId": WHO, "traits": {"email": MAIL}})
    whole.erases(WHO)
    whole.applies()

    assert whole.messages()[waits[0]] == ("ignored", "erased")
    assert whole.profile(WHO) is None


def test_a_lifted_tombstone_lets_new_messages_in_and_brings_nothing_back(whole: Whole) -> None:
    whole.identifies(WHO, email=MAIL, plan="pro")
    whole.erases(WHO)
    with write(whole.engine) as database:
        assert lift(database, WHO, clock.now(), whole.hub.vault.digest)

    whole.identifies(WHO, plan="free")

    profile = whole.profile(WHO)
    assert profile is not None
    assert (profile["traits"].get("email"), profile["metadata"]["plan"]) == (None, "free")


def test_somebody_unknown_can_be_erased_beforehand(whole: Whole) -> None:
    whole.connect("crm")
    assert whole.erases("stranger")["profiles"] == 1

    whole.identifies("stranger", email="stranger@example.com")
    assert whole.profile("stranger") is None
    whole.delivers()
    assert [row["status"] for row in whole.deliveries()] == ["sent"]


def test_erasing_twice_is_no_error(whole: Whole) -> None:
    live(whole)
    whole.erases(WHO)
    whole.erases(WHO)
    whole.delivers()

    assert set(whole.simulators["crm"].profiles) == {"ada"}
    whole.books()


def test_a_source_may_ask_for_an_erasure_and_its_request_is_not_kept(whole: Whole) -> None:
    whole.connect("crm", "profiles")
    whole.identifies(WHO, email=MAIL)
    whole.delivers()

    whole.receives({"type": "delete", "userId": WHO})
    whole.applies()
    whole.delivers()

    if whole.profile(WHO) is not None:
        raise AssertionError(f"the source's mapping made no erasure of it: {whole.messages()}")
    tidy(whole.hub, whole.inbox, clock.now())
    assert whole.places(MARK) == []


def test_an_erasure_holds_when_the_process_dies_before_its_commit_or_after(whole: Whole) -> None:
    live(whole)
    before = whole.places(MARK)
    with pytest.raises(KeyboardInterrupt):
        _erase_and_die(whole)
    assert whole.places(MARK) == before

    whole.erases(WHO)
    assert set(whole.places(MARK)) <= LEAVES_WITH_HOUSEKEEPING


def _erase_and_die(whole: Whole) -> None:
    with write(whole.engine) as database:
        erase_person(whole.hub, database, WHO, clock.now(), "tests")
        raise KeyboardInterrupt


def test_audiences_lose_the_person_and_keep_the_others(whole: Whole) -> None:
    live(whole)
    whole.erases(WHO)

    with read(whole.engine) as database:
        audiences = [
            loads(text) for text in database.scalars(DISTRIBUTION.select().with_only_columns(DISTRIBUTION.c.audience))
        ]
    assert audiences == [{"source_ids": ["ada"]}] * 2


def test_consents_of_an_address_that_somebody_else_holds_stay(whole: Whole) -> None:
    whole.identifies(WHO, email="shared@example.com")
    whole.identifies("ada", email="shared@example.com")
    whole.erases(WHO)
    profile = whole.profile("ada")
    assert profile is not None
    assert profile["traits"]["email"] == "shared@example.com"


def test_tombstones_outlive_every_retention(whole: Whole) -> None:
    whole.identifies(WHO, email=MAIL)
    whole.erases(WHO)
    tidy(whole.hub, whole.inbox, clock.now() + 4_000 * DAY)

    whole.identifies(WHO, email=MAIL)
    assert whole.profile(WHO) is None
