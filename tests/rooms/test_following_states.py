"""Memberships and consents kept in step: a delivery when one changed, none when it was only repeated."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine

from hub.core.database import read, write
from hub.profiles import store as profiles
from hub.sdk.json import loads
from tests.rooms.profiles.people import applied, change, digest, merge
from tests.rooms.test_following import Hub

GRANTED, DENIED = True, False


class States(Hub):
    def tells(self, *messages: dict[str, Any]) -> list[tuple[str, str, str]]:
        """Apply messages, each later than the one before; the new deliveries that wait, which are then as good as sent."""
        self.applies(*map(self._dated, messages))
        waiting = sorted((row.operation, row.source_id, row.topic) for row in self.rows() if row.state == "waiting")
        with write(self.engine) as state:
            state.exec_driver_sql("UPDATE delivery SET state = 'sent'")
        return waiting

    def _dated(self, message: dict[str, Any]) -> dict[str, Any]:
        self.count = getattr(self, "count", 0) + 1
        return {"id": f"m{self.count}", "days_ago": 1 - self.count / 1000, **message}

    def joins(self, who: str, audience: str, member: bool = True, **more: Any) -> dict[str, Any]:
        return {"who": who, "set": {f"audiences.{audience}": {"member": member}}, **more}

    def says(
        self, who: str, topic: str, granted: bool | None, address: str | None = None, **more: Any
    ) -> dict[str, Any]:
        return {"who": who, "consents": [[topic, granted, address]], **more}


@pytest.fixture
def hub(engine: Engine, tmp_path: Path) -> Iterator[States]:
    opened = States(engine, tmp_path)
    yield opened
    opened.inbox.close()


@pytest.fixture
def synced(hub: States) -> States:
    hub.syncs("audience")
    hub.syncs("consent")
    return hub


# ── when ─────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_membership_gives_one_delivery_for_each_change(synced):
    vip = [("audience", "u1", "vip")]
    assert synced.tells(synced.joins("u1", "vip")) == vip
    assert synced.tells(synced.joins("u1", "vip")) == [], "only said again"
    assert synced.tells({"who": "u1", "set": {"name": "Ada"}}) == []
    assert synced.tells(synced.joins("u1", "vip", member=False)) == vip
    assert synced.tells(synced.joins("u1", "vip", days_ago=9)) == [], "an older word changes nothing"


def test_leaving_an_audience_nobody_told_of_is_passed_on_since_the_vendor_may_know_it(synced):
    assert synced.tells(synced.joins("u1", "vip", member=False)) == [("audience", "u1", "vip")]


def test_a_consent_gives_one_delivery_for_each_change(synced):
    email = [("consent", "u1", "email")]
    assert synced.tells(synced.says("u1", "email", GRANTED)) == email
    assert synced.tells(synced.says("u1", "email", GRANTED)) == []
    assert synced.tells(synced.says("u1", "email", DENIED, days_ago=3)) == [], "the later word stands"
    assert synced.tells(synced.says("u1", "email", DENIED)) == email
    assert synced.tells(synced.says("u1", "email", None, days_ago=0.5)) == email


def test_many_changes_of_one_batch_are_one_delivery_each_for_person_and_topic(synced):
    told = synced.tells(
        synced.joins("u1", "vip"),
        synced.joins("u1", "vip", member=False, days_ago=0.5),
        synced.joins("u1", "new"),
        synced.joins("u2", "vip"),
        synced.says("u1", "email", GRANTED),
        synced.says("u1", "sms.news", DENIED),
        synced.says("u2", "email", GRANTED),
    )
    assert told == [
        ("audience", "u1", "new"),
        ("audience", "u1", "vip"),
        ("audience", "u2", "vip"),
        ("consent", "u1", "email"),
        ("consent", "u1", "sms.news"),
        ("consent", "u2", "email"),
    ]


def test_a_newer_change_takes_the_place_of_the_one_that_waits_and_consent_goes_first(synced):
    synced.applies({"id": "a", **synced.says("u1", "email", GRANTED)})
    synced.applies({"id": "b", **synced.says("u1", "email", DENIED, days_ago=0.5)})
    assert sorted((row.state, row.rank) for row in synced.rows()) == [("skipped", 0), ("waiting", 0)]


def test_only_what_is_synced_is_passed_on(hub):
    hub.syncs("consent")
    both = {**hub.joins("u1", "vip"), "consents": [["email", GRANTED, None]]}
    assert hub.tells(both) == [("consent", "u1", "email")]


@pytest.mark.parametrize("odd", [{"test": True}, {"replay": True}, {"days_ago": 31}], ids=str)
def test_tests_replays_and_old_messages_give_none_even_beside_news_of_the_same_person(synced, odd):
    told = synced.tells(synced.joins("u1", "vip", **odd), synced.says("u1", "email", DENIED, **odd), {"who": "u1"})
    assert told == []


def test_replaying_stored_messages_passes_nothing_on_again(synced):
    assert len(synced.tells(synced.joins("u1", "vip"), synced.says("u1", "email", DENIED))) == 2
    assert synced.replays() == {"applied": 2}
    assert [row.state for row in synced.rows()] == ["sent", "sent"]


# ── whom ─────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_what_is_said_of_a_merged_profile_goes_to_its_survivor(synced):
    synced.tells({"who": "new", "links": [["old", "new"]]})
    assert synced.tells(synced.joins("old", "vip"), synced.says("old", "email", DENIED)) == [
        ("audience", "new", "vip"),
        ("consent", "new", "email"),
    ]


def test_a_merge_gives_the_survivor_the_states_of_both_and_only_once(synced):
    synced.tells(synced.joins("old", "vip"), synced.says("old", "email", DENIED), synced.joins("new", "club"))
    joined = {"who": "new", "links": [["old", "new"]]}
    assert synced.tells(joined) == [
        ("audience", "new", "club"),
        ("audience", "new", "vip"),
        ("consent", "new", "email"),
    ]
    assert synced.tells(joined) == [], "the link was known"


def test_a_refusal_of_an_address_reaches_everyone_who_has_it_now(synced):
    has = {"set": {"email": "Ada@x.example"}, "identities": [["email", "Ada@x.example"]]}
    moved = {"set": {"email": "elsewhere@x.example"}, "identities": [["email", "ada@x.example"]]}
    synced.tells({"who": "u1", **has}, {"who": "u2", **has}, {"who": "u3", **moved})
    told = synced.tells(synced.says("u9", "email", DENIED, "ada@x.example"))
    assert told == [("consent", "u1", "email"), ("consent", "u2", "email"), ("consent", "u9", "email")]


def test_a_new_address_brings_the_consents_of_its_channel(synced):
    synced.tells(synced.says("u1", "email.news", GRANTED), synced.says("u1", "sms", GRANTED))
    assert synced.tells({"who": "u1", "set": {"email": "new@x.example"}}) == [("consent", "u1", "email.news")]
    assert synced.tells({"who": "u1", "set": {"email": "new@x.example"}}) == []
    assert synced.tells({"who": "u1", "set": {"phone": "+48500000001"}}) == [("consent", "u1", "sms")]


def test_an_erased_profile_gives_none_and_what_waits_for_it_is_skipped(synced):
    assert synced.tells(synced.joins("u1", "vip"), {"who": "other", "erase": ["u1"]})
    assert synced.tells(synced.joins("u1", "vip", member=False), synced.says("u1", "email", DENIED)) == []


def test_an_audience_whose_name_is_longer_than_a_key_is_told_whole(synced):
    key = "k" * 300
    [told] = synced.tells(synced.joins("u1", key))
    assert len(told[2]) <= 255
    assert loads(synced.rows()[-1].record) == {"audience": {"key": key}}


# ── what the profiles room says of a merge ───────────────────────────────────────────────────────────────────────


def test_a_merge_says_which_memberships_addresses_and_consents_are_different_now(engine):
    with write(engine) as state:
        first = merge(
            state,
            applied(
                change(
                    "u1",
                    10,
                    fields={"audiences.vip": {"member": True}, "email": "a@x.example", "name": "Ada"},
                    consents=[("email", GRANTED, "A@x.example"), ("sms", DENIED, None)],
                )
            ),
        )
        again = merge(
            state,
            applied(
                change(
                    "u1",
                    20,
                    fields={"audiences.vip": {"member": True, "name": "VIP"}, "email": "a@x.example"},
                    consents=[("email", GRANTED, "a@x.example")],
                ),
                "m2",
            ),
        )
    assert (first.memberships, first.readdressed) == ((("u1", "vip"),), (("u1", "email"),))
    assert first.consented == (("u1", "email"), ("u1", "sms"))
    assert first.addressed == (("a@x.example", "email"),)
    assert (again.memberships, again.readdressed, again.consented, again.addressed) == ((), (), (), ())
    with read(engine) as state:
        assert profiles.erased(state, ["u1"], digest) == set()


def test_of_two_who_write_a_consent_at_once_each_says_what_it_changed(engine):
    """Or the vendor would keep what the first one said."""
    with write(engine) as state:
        merge(state, applied(change("u1", 10, consents=[("email", GRANTED, None)])))
    second: list[Any] = []

    def grants_again() -> None:
        with write(engine) as state:
            second.append(merge(state, applied(change("u1", 30, consents=[("email", GRANTED, None)]), "m3")))

    with write(engine) as state:
        first = merge(state, applied(change("u1", 20, consents=[("email", DENIED, None)]), "m2"))
        thread = threading.Thread(target=grants_again)
        thread.start()
    thread.join(10)
    assert (first.consented, second[0].consented) == ((("u1", "email"),), (("u1", "email"),))


def test_a_link_says_through_whom_others_are_read_now(engine):
    with write(engine) as state:
        assert merge(state, applied(change("b", links=[("a", "b")]))).joined == ("b",)
        assert merge(state, applied(change("b", links=[("a", "b")]), "m2")).joined == ()
