"""Whatever happens, in whatever order: the books balance, and nothing is sent twice that must not be."""

from __future__ import annotations

from typing import ClassVar

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)
from sqlalchemy import Engine, func, select

from hub.core.database import read, write
from hub.ledger.store import open_attempts
from hub.outbox.queue import operate
from hub.outbox.tables import DELIVERY
from hub.outbox.values import Filters
from hub.registry import store as registry
from hub.sdk.errors import Permanent, Split
from tests.rooms.outbox.conftest import empty
from tests.rooms.outbox.world import World, refused, slow_down, timeout

PEOPLE = ["u1", "u2", "u3", "u4"]
WORDS = ["reject", "again", "innocent", "job"]


class Books(RuleBasedStateMachine):
    """Decides, delivers, fails, crashes, erases and replays at will."""

    database: ClassVar[Engine]

    def opened(self, world: World) -> World:
        raise NotImplementedError

    @initialize()
    def begin(self) -> None:
        empty(self.database)
        self.hub = self.opened(World(self.database))
        self.decided = 0
        for person in PEOPLE:
            self.hub.people.knows(person, name=person)

    @rule(person=st.sampled_from(PEOPLE), operation=st.sampled_from(["events", "messages"]))
    def decide_once(self, person: str, operation: str) -> None:
        self.hub.decides(person, operation, record={"event": {"id": "e"}}, consent="email")
        self.decided += 1

    @rule(person=st.sampled_from(PEOPLE), name=st.sampled_from("abc"))
    def decide_push(self, person: str, name: str) -> None:
        if person in self.hub.people.said:
            self.hub.people.knows(person, name=name)
        self.hub.decides(person)
        self.decided += 1

    @rule(person=st.sampled_from(PEOPLE))
    def decide_consent(self, person: str) -> None:
        self.hub.decides(person, "consent", topic="email")
        self.decided += 1

    @rule(
        fault=st.sampled_from(["timeout", "acted", "refused", "slow", "split", "permanent", "503", "401", "403"]),
        times=st.integers(1, 3),
    )
    def vendor_fails(self, fault: str, times: int) -> None:
        hub = self.hub
        if fault.isdigit():
            hub.vendor.says(int(fault), times=times)
            return
        errors = {
            "timeout": timeout(),
            "acted": timeout(acted=True),
            "refused": refused(),
            "slow": slow_down(5, hub.now),
            "split": Split("too large"),
            "permanent": Permanent("never"),
        }
        hub.vendor.fails(errors[fault], times=times)

    @rule(words=st.dictionaries(st.sampled_from(PEOPLE), st.sampled_from(WORDS), min_size=1))
    def vendor_says(self, words: dict[str, str]) -> None:
        self.hub.vendor.says(200, words)

    @rule(after=st.sampled_from([0.0, 3.0, 40.0, 700.0]))
    def deliver(self, after: float) -> None:
        self.hub.delivers(after=after)

    @rule()
    def crash_while_sending(self) -> None:
        """A process dies with calls under way; the next one starts."""
        engine = self.hub.engine
        engine._refresh()
        engine._claiming._submit = lambda job: None
        for lane in engine._lanes.values():
            engine._claiming.claim(lane, self.hub.now, self.hub.at)
        self.hub.new_engine().recover()

    @rule(person=st.sampled_from(PEOPLE), refuse=st.booleans())
    def change_consent(self, person: str, refuse: bool) -> None:
        change = self.hub.people.denied.add if refuse else self.hub.people.denied.discard
        change((person, "email"))

    @rule()
    def resume(self) -> None:
        with write(self.database) as database:
            registry.resume(database, self.hub.connection_id, self.hub.now)

    @rule()
    def replay_dead(self) -> None:
        with write(self.database) as database:
            operate.replay(database, Filters(), self.hub.now)

    @rule()
    def cancel_all(self) -> None:
        with write(self.database) as database:
            ids = database.scalars(select(DELIVERY.c.id).where(DELIVERY.c.state == "waiting")).all()
            operate.cancel(database, ids, self.hub.now)

    @precondition(lambda self: len(self.hub.people.gone) < 2)
    @rule(person=st.sampled_from(PEOPLE))
    def erase(self, person: str) -> None:
        with write(self.database) as database:
            operate.erase(database, {person: "t-" + person[::-1]}, self.hub.now)
        self.hub.people.gone.add(person)
        self.hub.people.said.pop(person, None)

    @invariant()
    def the_books_balance(self) -> None:
        terms = self.hub.terms()
        assert terms["decided"] == self.decided
        assert terms["decided"] == terms["waiting"] + terms["sent"] + terms["skipped"] + terms["dead"]
        assert sum(terms["skipped_reasons"].values()) == terms["skipped"]
        assert "" not in terms["skipped_reasons"]
        assert "" not in terms["dead_reasons"]

    @invariant()
    def nothing_is_left_under_way(self) -> None:
        with read(self.database) as database:
            assert open_attempts(database) == []
            sending = select(func.count()).select_from(DELIVERY).where(DELIVERY.c.state == "sending")
            assert database.scalar(sending) == 0

    @invariant()
    def no_profile_was_in_two_calls(self) -> None:
        assert self.hub.vendor.overlaps == []

    @invariant()
    def nothing_follows_an_erasure(self) -> None:
        erased = self.hub.people.gone
        count = {person: self.hub.vendor.people.count(person) for person in erased}
        before = getattr(self, "sent_to_erased", {})
        assert all(before.get(person, number) == number for person, number in count.items())
        self.sent_to_erased = count

    def teardown(self) -> None:
        """Once the vendor behaves, everything ends, and each message was taken once unless a replay was ordered."""
        if not hasattr(self, "hub"):
            return
        self.hub.vendor.script.clear()
        for _ in range(8):
            self.resume()
            self.hub.delivers(after=4_000)
        terms = self.hub.terms()
        assert terms["waiting"] == 0
        assert terms["decided"] == self.decided
        self.hub.engine.stop(1.0)


def test_the_books_balance_whatever_happens(engine: Engine, monkeypatch: pytest.MonkeyPatch):
    worlds: list[World] = []

    class Machine(Books):
        database = engine

        def opened(self, world: World) -> World:
            worlds.append(world)
            return world

    monkeypatch.setattr("hub.outbox.wire.senders.Sender", lambda *arguments, **options: worlds[-1].vendor)
    moderate = settings(max_examples=8, stateful_step_count=14, deadline=None, suppress_health_check=list(HealthCheck))
    run_state_machine_as_test(Machine, settings=moderate)
