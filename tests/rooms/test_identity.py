"""docs/identity.md line by line: whose an anonymous time is, and what a merge does to everything else."""

from __future__ import annotations

import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine

from hub.admin import syncs
from hub.admin.connections import add_source
from hub.admin.distributions import add_distribution
from hub.admin.mapping_choice import Choice
from hub.campaigns import store as campaigns
from hub.core import clock
from hub.core.database import read, write
from hub.inbox.values import AcceptedRequest
from hub.mapping.anonymous import anonymous_key
from hub.outbox.tables import PUSHED, REMEMBERED
from hub.profiles import reading
from hub.profiles.erasure import lift
from hub.runtime.occasions.step import decide_chunk, run_now
from hub.sdk.json import dumps, loads
from hub.sdk.values import RawMessage
from tests.rooms.whole import Whole

KEEP = Choice(patch="who: {missing: keep}")
ANON = anonymous_key("anonymous_id", "dev")


class Shop(Whole):
    """A hub whose Segment source keeps anonymous people, seen from there."""

    def __init__(self, engine: Engine, folder: Path) -> None:
        super().__init__(engine, folder)
        with write(engine) as database:
            self.web = add_source(self.hub, database, clock.now(), "segment", "shop", {}, "tests", KEEP)

    def says(self, *messages: dict[str, Any]) -> None:
        self.receives(*messages)
        self.applies()

    def sees(self, device: str, event: str = "Seen", **ids: str) -> None:
        self.says({"type": "track", "anonymousId": device, "event": event, **ids})

    def merges(self, old: str, new: str) -> None:
        self.says({"type": "alias", "previousId": old, "userId": new})

    def campaign(self, who: list[str], name: str = "spring", key: str = "once", *, is_once: bool = False) -> None:
        with write(self.engine) as database:
            if campaigns.find(database, name) is None:
                campaigns.add(database, clock.now(), name=name, pattern=f"{name.upper()}-######", is_once=is_once)
        target = {"connection": "crm", "operation": "messages", "options": {"campaign_id": "demo"}}
        self.distributes({"name": key, "campaign": name, "audience": {"source_ids": who}, "targets": [target]}, key)

    def publications(self) -> list[tuple[str, str]]:
        with read(self.engine) as database:
            return [
                tuple(row) for row in database.exec_driver_sql("SELECT source_id, code FROM publication ORDER BY id")
            ]


@pytest.fixture
def shop(empty_engine: Engine, tmp_path: Path) -> Iterator[Shop]:
    made = Shop(empty_engine, tmp_path / "hub")
    yield made
    made.close()


# ── whose an anonymous time is ───────────────────────────────────────────────────────────────────────────────────


def test_by_default_anonymous_messages_are_ignored_with_a_reason(whole: Whole) -> None:
    ids = whole.receives({"type": "track", "anonymousId": "dev", "event": "Seen"})
    whole.applies()
    assert whole.messages()[ids[0]] == ("ignored", "anonymous")
    whole.books()


@pytest.mark.parametrize("link_first", [True, False])
def test_the_anonymous_time_counts_for_whoever_logs_in(shop: Shop, link_first: bool) -> None:
    order = {"type": "track", "anonymousId": "dev", "event": "Order Completed",
             "properties": {"order_id": "o1", "total": 5, "currency": "EUR"}}  # fmt: skip
    anonymous = [order, {"type": "identify", "anonymousId": "dev", "traits": {"plan": "trial"}}]
    login = [{"type": "identify", "userId": "ada", "anonymousId": "dev", "traits": {"firstName": "Ada"}}]
    shop.says(*(login + anonymous if link_first else anonymous + login))
    profile = shop.profile("ada")
    assert profile is not None
    assert profile["metadata"]["plan"] == "trial"
    assert (profile["events"], [one["id"] for one in profile["orders"]]) == ({"order_completed": 1}, ["o1"])
    assert profile["merged"] == [ANON]
    asked = shop.profile(ANON)
    assert asked is not None
    assert (asked["source_id"], asked["redirected_from"]) == ("ada", ANON)
    shop.books()


def test_user_x_and_device_x_stay_two(shop: Shop) -> None:
    shop.sees("x")
    shop.says({"type": "identify", "userId": "x", "traits": {"firstName": "Xenia"}})
    with read(shop.engine) as database:
        assert reading.audience(database, None, 9) == ["x"]
        assert reading.anonymous(database, None, 9) == [anonymous_key("anonymous_id", "x")]


@pytest.mark.parametrize("turn", [1, -1])
def test_a_shared_device_makes_nobody_one_and_is_nobodys(shop: Shop, turn: int) -> None:
    shop.sees("dev")
    for who in ["ada", "bob"][::turn]:
        shop.sees("dev", "Logged In", userId=who)
    for who in ("ada", "bob"):
        profile = shop.profile(who)
        assert profile is not None
        assert (profile["source_id"], profile["events"], profile["merged"]) == (who, {"logged_in": 1}, [])
        assert [link["is_followed"] for link in profile["links"]] == [False]
    alone = shop.profile(ANON)
    assert alone is not None
    assert alone["events"] == {"seen": 1}
    shop.merges("bob", "ada")
    one = shop.profile("ada")
    assert one is not None
    assert one["events"] == {"logged_in": 2, "seen": 1}


@pytest.mark.parametrize("extra", [{}, {"anonymousId": "dev"}])
def test_an_alias_of_an_anonymous_id_links_it(shop: Shop, extra: dict[str, str]) -> None:
    shop.sees("dev")
    shop.says({"type": "alias", "previousId": "dev", "userId": "ada", **extra})
    profile = shop.profile("ada")
    assert profile is not None
    assert profile["events"] == {"seen": 1}
    assert (shop.profile("dev") is None) is bool(extra)


def test_nobody_is_sent_or_given_anything_as_long_as_they_are_anonymous(shop: Shop) -> None:
    shop.connect("crm", "profiles", "events")
    shop.sees("dev")
    assert shop.deliveries() == []
    shop.campaign([ANON])
    assert shop.publications() == []
    shop.sees("dev", "Logged In", userId="ada")
    shop.delivers()
    assert set(shop.simulators["crm"].profiles) == {"ada"}


def test_events_of_the_anonymous_time_are_not_sent_and_those_from_then_on_are(shop: Shop) -> None:
    shop.connect("crm", "events")
    shop.sees("dev", "Before")
    shop.sees("dev", "Logged In", userId="ada")
    shop.sees("dev", "After")
    with read(shop.engine) as database:
        records = database.exec_driver_sql("SELECT source_id, record FROM delivery ORDER BY id").fetchall()
    assert [(who, loads(record)["event"]["key"]) for who, record in records] == [("ada", "logged_in"), ("ada", "after")]


def test_no_sync_and_no_backfill_hears_of_anonymous_people(shop: Shop) -> None:
    crm = shop.connect("crm", "profiles", "audience", "consent")
    shop.says(
        {"type": "identify", "anonymousId": "dev", "traits": {"vip": True, "email": "a@example.com"},
         "context": {"personas": {"computation_class": "audience", "computation_key": "vip"},
                     "consent": {"categoryPreferences": {"ads": False}}}}
    )  # fmt: skip
    assert shop.deliveries() == []
    counts = syncs.count_backfill(shop.hub, clock.now(), crm, "profiles", options={})
    assert counts["people"] == 0


def test_a_membership_that_only_a_shared_device_gave_is_not_taken_back(shop: Shop) -> None:
    shop.connect("crm", "audience")
    personas = {"computation_class": "audience", "computation_key": "vip"}
    shop.says({"type": "identify", "anonymousId": "dev", "traits": {"vip": True}, "context": {"personas": personas}})
    shop.sees("dev", "Logged In", userId="ada")
    shop.delivers()
    shop.sees("dev", "Logged In", userId="bob")
    shop.delivers()
    profile = shop.profile("ada")
    assert profile is not None
    assert profile["audiences"] == {}
    assert [(row["source_id"], row["status"]) for row in shop.deliveries()] == [("ada", "sent")]


def test_mparticle_people_are_kept_under_their_mpid(shop: Shop) -> None:
    with write(shop.engine) as database:
        shop.web = add_source(shop.hub, database, clock.now(), "mparticle", "app", {}, "tests", KEEP)
    seen = {"event_type": "custom_event", "data": {"event_name": "Seen"}}
    shop.receives({"mpid": "-77", "events": [seen], "user_attributes": {"$City": "Ghent"}})
    shop.applies()
    customer = [
        {"identity_type": "customer_id", "identity": "ada"},
        {"identity_type": "email", "identity": "a@example.com"},
    ]
    shop.says({"mpid": "-77", "user_identities": customer, "events": []})
    profile = shop.profile("ada")
    assert profile is not None
    assert (profile["events"], profile["merged"]) == ({"seen": 1}, [anonymous_key("mpid", "-77")])


# ── what a merge does ────────────────────────────────────────────────────────────────────────────────────────────


def test_publications_and_codes_stay_with_the_name_they_were_made_for(shop: Shop) -> None:
    shop.connect("crm")
    shop.identifies("old", email="old@example.com")
    shop.identifies("new", email="new@example.com")
    shop.campaign(["old"], is_once=True)
    before = shop.publications()
    shop.merges("old", "new")
    assert shop.publications() == before
    shop.campaign(["old", "new"], key="again", is_once=True)
    assert [source_id for source_id, _ in shop.publications()] == ["old", "new"]
    assert len({code for _, code in shop.publications()}) == 1, "who holds a code under an old name gets the same one"
    shop.books()


def test_nobody_is_reached_twice_in_one_occasion_under_two_names(shop: Shop) -> None:
    shop.connect("crm")
    for who in ("old", "new"):
        shop.identifies(who, email="a@example.com")
    shop.merges("old", "new")
    shop.campaign(["new", "old"])
    assert [source_id for source_id, _ in shop.publications()] == ["new"]


@pytest.mark.parametrize("survivor", ["ada", "zoe"])
def test_a_merge_in_the_middle_of_an_occasion_reaches_nobody_twice(shop: Shop, survivor: str) -> None:
    shop.connect("crm")
    for who in ("ada", "ben", "zoe"):
        shop.identifies(who, email=f"{who}@example.com")
    target = {"connection": "crm", "operation": "messages", "options": {"campaign_id": "demo"}}
    with write(shop.engine) as database:
        campaigns.add(database, clock.now(), name="spring", pattern="SPRING-######", is_once=False)
        plan = {"name": "all", "campaign": "spring", "audience": {"all": True}, "targets": [target]}
        made = add_distribution(shop.hub, database, clock.now(), plan, "tests")
        occasion, _ = run_now(database, made.id, "once", clock.now())

    def decides(people: int) -> bool:
        with write(shop.engine) as database:
            return decide_chunk(
                database, occasion.id, people, clock.now(), random.Random(1), shop.hub.vault.digest
            ).is_last

    assert not decides(2)
    shop.merges({"ada": "zoe", "zoe": "ada"}[survivor], survivor)
    while not decides(2):
        pass
    assert sorted(who for who, _ in shop.publications()) == ["ada", "ben"]
    assert len(shop.deliveries()) == 2
    shop.books()


def test_an_open_delivery_is_held_back_where_the_survivor_refused(shop: Shop) -> None:
    shop.connect("crm")
    for who in ("old", "new"):
        shop.identifies(who, email=f"{who}@example.com")
    target = {"connection": "crm", "operation": "messages", "options": {"campaign_id": "demo"}}
    plan = {"name": "ads", "audience": {"source_ids": ["old"]}, "targets": [target], "consent": "purpose.ads"}
    for who, allowed in (("old", True), ("new", False)):
        shop.says({"type": "track", "userId": who, "event": "Chose",
                   "context": {"consent": {"categoryPreferences": {"ads": allowed}}}})  # fmt: skip
    shop.distributes(plan)
    shop.merges("old", "new")
    shop.delivers()
    assert [(row["source_id"], row["status"], row["reason"]) for row in shop.deliveries()] == [
        ("old", "skipped", "consent")
    ]


def test_an_open_delivery_keeps_its_name_and_goes_to_the_survivor(shop: Shop) -> None:
    shop.connect("crm", "profiles")
    shop.identifies("old", email="old@example.com")
    shop.merges("old", "new")
    assert [row["source_id"] for row in shop.deliveries() if row["status"] == "waiting"].count("old") == 1
    shop.delivers()
    assert set(shop.simulators["crm"].profiles) == {"new"}
    assert "old" in {row["source_id"] for row in shop.deliveries()}
    shop.books()


def test_a_merge_pushes_the_survivor_and_a_link_told_again_pushes_nobody(shop: Shop) -> None:
    shop.connect("crm", "profiles")
    shop.identifies("old", plan="pro")
    shop.identifies("new")
    shop.delivers()
    shop.merges("old", "new")
    assert [row["source_id"] for row in shop.deliveries() if row["status"] == "waiting"] == ["new"]
    shop.delivers()
    before = len(shop.deliveries())
    shop.merges("old", "new")
    assert len(shop.deliveries()) == before


def test_whoever_loses_a_shared_device_is_pushed_too(shop: Shop) -> None:
    shop.connect("crm", "profiles")
    shop.says({"type": "identify", "anonymousId": "dev", "traits": {"plan": "trial"}})
    shop.sees("dev", "Logged In", userId="ada")
    shop.delivers()
    shop.sees("dev", "Logged In", userId="bob")
    assert sorted(row["source_id"] for row in shop.deliveries() if row["status"] == "waiting") == ["ada", "bob"]


def test_memberships_of_both_are_the_survivors(shop: Shop) -> None:
    shop.connect("crm", "audience")
    personas = {"computation_class": "audience", "computation_key": "vip"}
    shop.says({"type": "identify", "userId": "old", "traits": {"vip": True}, "context": {"personas": personas}})
    shop.delivers()
    shop.says({"type": "group", "userId": "old", "groupId": "acme"})
    shop.merges("old", "new")
    shop.delivers()
    profile = shop.profile("new")
    assert profile is not None
    assert profile["audiences"]["vip"]["member"] is True
    assert "acme" in profile["groups"]
    assert sorted(row["source_id"] for row in shop.deliveries()) == ["new", "old"]


@pytest.mark.parametrize(("first", "then", "ends"), [(False, True, "granted"), (True, False, "denied")])
def test_of_two_consents_the_later_word_counts_whoever_survives(shop: Shop, first: bool, then: bool, ends: str) -> None:
    for who, allowed, at in (("old", first, "01"), ("new", then, "02")):
        consent = {"categoryPreferences": {"ads": allowed}}
        shop.says({"type": "track", "userId": who, "event": "Chose", "timestamp": f"2026-01-{at}T00:00:00Z",
                   "context": {"consent": consent}})  # fmt: skip
    shop.merges("new", "old")
    profile = shop.profile("new")
    assert profile is not None
    assert profile["consents"]["purpose.ads"]["status"] == ends


def test_a_refusal_wins_where_two_words_are_of_one_moment(shop: Shop) -> None:
    for who, allowed in (("old", True), ("new", False)):
        shop.says({"type": "track", "userId": who, "event": "Chose", "timestamp": "2026-01-01T00:00:00Z",
                   "context": {"consent": {"categoryPreferences": {"ads": allowed}}}})  # fmt: skip
    shop.merges("old", "new")
    profile = shop.profile("new")
    assert profile is not None
    assert profile["consents"]["purpose.ads"]["status"] == "denied"


def test_consents_of_an_address_stay_with_the_address(shop: Shop) -> None:
    with write(shop.engine) as database:
        given = {"verify": "url", "secret": "s"}
        choice = Choice("iterable-feedback")
        crm = add_source(shop.hub, database, clock.now(), "webhook", "feedback", given, "tests", choice)
    for who in ("old", "new"):
        shop.identifies(who, email=f"{who}@example.com")
    told = {"eventName": "emailUnSubscribe", "email": "old@example.com", "dataFields": {"unsubSource": "EmailLink"}}
    shop.inbox.append(AcceptedRequest(crm.id, clock.now(), [RawMessage(dumps(told), "m")]))
    shop.applies()

    def allowed(who: str) -> bool | None:
        with read(shop.engine) as database:
            return reading.consent_for(database, [who], ["email"])[who]["email"].is_granted

    assert (allowed("old"), allowed("new")) == (False, None)
    shop.merges("old", "new")
    assert (allowed("old"), allowed("new")) == (None, None), "the person is written to at new@example.com now"
    shop.identifies("old", email="old@example.com")
    assert (allowed("old"), allowed("new")) == (False, False)


def test_a_refusal_said_after_a_merge_is_sent_for_the_survivor_alone(shop: Shop) -> None:
    shop.connect("crm", "profiles", "consent")
    for who in ("old", "new"):
        shop.identifies(who, email=f"{who}@example.com")
    shop.merges("old", "new")
    shop.delivers()
    before = {row["id"] for row in shop.deliveries()}
    shop.says({"type": "track", "userId": "old", "event": "Chose",
               "context": {"consent": {"categoryPreferences": {"ads": False}}}})  # fmt: skip
    assert [(row["source_id"], row["operation"]) for row in shop.deliveries() if row["id"] not in before] == [
        ("new", "consent")
    ]


def test_what_a_vendor_was_told_under_the_old_name_is_kept_there(shop: Shop) -> None:
    shop.connect("mail", "profiles")
    for who in ("old", "new"):
        shop.identifies(who, email=f"{who}@example.com")
    shop.delivers()
    with read(shop.engine) as database:
        before = {row.source_id: row for row in database.execute(PUSHED.select())}
        ids = {row.source_id: row.ids for row in database.execute(REMEMBERED.select())}
    shop.merges("old", "new")
    shop.delivers()
    with read(shop.engine) as database:
        after = {row.source_id: row for row in database.execute(PUSHED.select())}
        assert {row.source_id: row.ids for row in database.execute(REMEMBERED.select())} == ids
    assert after["old"] == before["old"]
    assert set(after) == {"old", "new"}


def test_erasing_one_of_a_cluster_erases_it_and_its_links_bring_nobody_back(shop: Shop) -> None:
    shop.sees("dev", userId="ada")
    shop.sees("dev")
    shop.merges("old", "ada")
    done = shop.erases("old")
    assert done["profiles"] >= 3
    for who in ("old", "ada", ANON):
        assert shop.profile(who) is None
    shop.sees("dev")
    shop.merges("ada", "bob")
    shop.sees("dev", "Logged In", userId="bob")
    profile = shop.profile("bob")
    assert profile is not None
    assert profile["merged"] == []
    assert {"ada", "old", ANON}.isdisjoint(link["loser"] for link in profile["links"])
    shop.books()


def test_lifting_a_tombstone_lifts_that_name_alone(shop: Shop) -> None:
    shop.sees("dev", userId="ada")
    shop.erases("ada")
    with write(shop.engine) as database:
        assert lift(database, "ada", clock.now(), shop.hub.vault.digest)
    shop.sees("dev", userId="ada")
    shop.sees("dev")
    profile = shop.profile("ada")
    assert profile is not None
    assert (profile["events"], profile["links"]) == ({"seen": 1}, [])
