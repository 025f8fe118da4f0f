"""Guarantees G3, G4 and G8 with real messages of several sources, mapped by the shipped mappings, on both engines.

What tests/rooms/profiles proves of changes holds of messages too: people and devices in chains and circles, aliases
both ways, shared addresses, placeholders for ids, feedback by address, orders, audiences; and erasures in between.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import Engine, text

from hub.admin.connections import add_source
from hub.admin.mapping_choice import Choice
from hub.core import clock
from hub.core.database import read, write
from hub.inbox.values import AcceptedRequest
from hub.mapping.anonymous import anonymous_key
from hub.profiles import reading
from hub.sdk.json import canonical, dumps
from hub.sdk.values import RawMessage
from tests.rooms.profiles.people import exported
from tests.rooms.profiles.test_order_free import forget_everything, split
from tests.rooms.whole import Whole

FEW = settings(
    max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)
BEGAN = datetime(2026, 9, 1, tzinfo=UTC)
Told = tuple[str, dict[str, Any]]
"""The source that says it, and the message."""

# Few people, so that they meet often: a test of order needs messages that contradict each other.
USERS = st.sampled_from(["a", "a", "a", " a ", "b", "b", "c", "null", "00000000-0000-0000-0000-000000000000"])
DEVICES = st.sampled_from(["x", "x", "y", "a"])
MAILS = st.sampled_from(["m@example.com", "M@example.com", "n@example.com"])
HOURS = st.integers(0, 4)
TRAITS = st.fixed_dictionaries(
    {"plan": st.none() | st.sampled_from(["free", "pro"]), "firstName": st.sampled_from(["Ada", "Ben", "Cy"])},
    optional={
        "email": st.none() | MAILS,
        "address": st.fixed_dictionaries({}, optional={"city": st.none() | st.sampled_from(["Ghent", "Oslo"])}),
    },
)
CONTEXT = st.fixed_dictionaries(
    {},
    optional={
        "consent": st.fixed_dictionaries({"categoryPreferences": st.dictionaries(st.just("ads"), st.booleans())}),
        "personas": st.just({"computation_class": "audience", "computation_key": "vip"}),
    },
)


def said(kind: str, hour: int, user: str | None, device: str | None, **more: Any) -> Told:
    ids = {name: value for name, value in (("userId", user), ("anonymousId", device)) if value is not None}
    return "web", {"type": kind, "timestamp": (BEGAN + timedelta(hours=hour)).isoformat(), **ids, **more}


def bought(hour: int, user: str | None, device: str | None, event: str, order: str, total: int) -> Told:
    properties = {"order_id": order, "total": total, "currency": "EUR", "products": [{"sku": "s", "price": total}]}
    return said("track", hour, user, device, event=event, properties=properties)


def told_back(hour: int, kind: str, user: str | None, mail: str) -> Told:
    at = (BEGAN + timedelta(hours=hour)).isoformat()
    fields = {"createdAt": at, "unsubSource": "EmailLink", "recipientState": "HardBounce"}
    return "feedback", {"eventName": kind, "email": mail, "dataFields": fields, **({"userId": user} if user else {})}


SOMEBODY = (
    HOURS,
    st.sampled_from(["a", "a", "a", " a ", "b", "b", "c", "null", None, None, None]),
    st.sampled_from(["x", "x", "y", "a", None, None]),
)
IDENTIFIES = st.builds(
    lambda hour, user, device, traits, context: said("identify", hour, user, device, traits=traits, context=context),
    *SOMEBODY, TRAITS, CONTEXT,
)  # fmt: skip
MESSAGES: st.SearchStrategy[Told] = st.one_of(
    IDENTIFIES,
    IDENTIFIES,
    st.builds(bought, *SOMEBODY, st.sampled_from(["Order Completed", "Order Refunded", "Seen"]),
              st.sampled_from(["o1", "o2"]), st.integers(1, 3)),
    st.builds(lambda hour, user, device, old: said("alias", hour, user, device, previousId=old),
              HOURS, USERS, st.none() | DEVICES, USERS | DEVICES),
    st.builds(lambda hour, user, device, name: said("group", hour, user, device, groupId="g", traits={"name": name}),
              *SOMEBODY, st.sampled_from(["N", "O"])),
    st.builds(told_back, HOURS, st.sampled_from(["emailUnSubscribe", "emailBounce", "emailOpen"]),
              st.none() | USERS, MAILS),
)  # fmt: skip
HISTORIES = st.lists(MESSAGES, min_size=4, max_size=10)
Numbered = tuple[str, str, dict[str, Any]]


class Doors(Whole):
    """A hub with a source that keeps anonymous people, and one of feedback."""

    def __init__(self, engine: Engine, folder: Path) -> None:
        super().__init__(engine, folder)
        keep, feedback = Choice(patch="who: {missing: keep}"), Choice("iterable-feedback")
        given_ = {"verify": "url", "secret": "s"}
        with write(engine) as database:
            web = add_source(self.hub, database, clock.now(), "segment", "shop", {}, "tests", keep)
            back = add_source(self.hub, database, clock.now(), "webhook", "feedback", given_, "tests", feedback)
        self.sources = {"web": web.id, "feedback": back.id}
        self.began = clock.now()

    def hears(self, batch: Sequence[Numbered]) -> None:
        for source, some in itertools.groupby(batch, key=lambda one: one[1]):
            messages = [RawMessage(dumps(message), key) for key, _, message in some]
            self.inbox.append(AcceptedRequest(self.sources[source], self.began, messages))
        self.applies()

    def forgets(self) -> None:
        forget_everything(self.engine)
        with write(self.engine) as database:
            for table in ("message", "sync_run"):
                database.execute(text(f"DELETE FROM {table}"))

    def state(self) -> bytes:
        """Everything that may be asked about people, and what became of each message."""
        with read(self.engine) as database:
            ids = [row[0] for row in database.execute(text("SELECT source_id FROM profile ORDER BY 1"))]
            consents = reading.consent_for(database, ids, ["email", "email.news", "purpose.ads"])
            holders = reading.holders(database, ["m@example.com", "n@example.com"])
            query = "SELECT message_id, state, reason, source_id FROM message ORDER BY 1"
            asked = [
                {one: reading.show(database, one) for one in ids},
                {one: {topic: said_.is_granted for topic, said_ in topics.items()} for one, topics in consents.items()},
                {address: sorted(people) for address, people in holders.items()},
                reading.find(database, "email", "m@example.com"),
                reading.terms(database),
                [list(row) for row in database.execute(text(query))],
            ]
            return exported(database) + canonical(asked)


@pytest.fixture
def doors(empty_engine: Engine, tmp_path: Path) -> Iterator[Doors]:
    made = Doors(empty_engine, tmp_path / "hub")
    yield made
    made.close()


def numbered(history: Sequence[Told], first: int = 0) -> list[Numbered]:
    return [(f"m{first + place}", source, message) for place, (source, message) in enumerate(history)]


@FEW
@given(HISTORIES, st.data())
def test_messages_in_any_order_repeated_and_in_any_batches_end_alike(
    doors: Doors, history: list[Told], data: st.DataObject
) -> None:
    messages = numbered(history)
    doors.forgets()
    doors.hears(messages)
    expected = doors.state()
    cuts = data.draw(st.lists(st.integers(0, 9), max_size=5))
    for another in (messages[::-1], data.draw(st.permutations(messages + messages[:2]))):
        doors.forgets()
        for batch in split(another, cuts):
            doors.hears(batch)
        assert doors.state() == expected


@FEW
@given(HISTORIES, HISTORIES, st.sampled_from(["a", "b", anonymous_key("anonymous_id", "x")]), st.data())
def test_nothing_that_comes_after_an_erasure_brings_anybody_of_the_person_back(
    doors: Doors, before: list[Told], after: list[Told], who: str, data: st.DataObject
) -> None:
    doors.forgets()
    doors.hears(numbered(before))
    with read(doors.engine) as database:
        ids = [row[0] for row in database.execute(text("SELECT source_id FROM profile"))]
        roots = reading.redirects(database, ids)
    gone = {who, *(one for one in ids if roots[one] == roots.get(who, who))}
    doors.erases(who)
    for batch in split(data.draw(st.permutations(numbered(after, 100) + numbered(before)[:3])), [3, 6]):
        doors.hears(batch)

    with read(doors.engine) as database:
        for table, column in (
            ("profile", "source_id"), ("profile", "survivor"), ("identity", "source_id"), ("event", "source_id"),
            ("customer_order", "source_id"), ("profile_link", "loser"), ("profile_link", "survivor"),
            ("consent", "subject"), ("message", "source_id"),
        ):  # fmt: skip
            left = {row[0] for row in database.execute(text(f"SELECT {column} FROM {table}"))}
            assert not left & gone, f"{table}.{column}"
        assert not any(reading.show(database, one) for one in gone)
