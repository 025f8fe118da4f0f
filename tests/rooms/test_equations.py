from __future__ import annotations

import random
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from sqlalchemy import Engine, delete, update

from hub.campaigns import store as campaigns
from hub.campaigns.tables import CAMPAIGN, CODE
from hub.core.clock import SECOND
from hub.core.database import write
from hub.core.settings import Settings
from hub.inbox import retention, seen
from hub.inbox.queue import Inbox
from hub.inbox.sql import open_inbox
from hub.inbox.values import AcceptedRequest, SeenRow
from hub.ledger.retention import carry
from hub.outbox.queue import operate
from hub.outbox.tables import DELIVERY
from hub.runtime.occasions.scheduler import ScheduleRole
from hub.runtime.occasions.step import run_now
from hub.runtime.upkeep.ledger_check import check
from hub.sdk.values import RawMessage
from tests.rooms.distributions.conftest import NOW, Hub

SOURCE = "01J00000000000000000000001"
STATES = [("applied", ""), ("ignored", "test"), ("applied", ""), ("quarantined", "no_source_id")]


@pytest.fixture
def hub(engine: Engine) -> Hub:
    made = Hub(engine)
    made.crm, made.mail = made.connect("crm"), made.connect("mail")
    return made


@pytest.fixture
def inbox(engine: Engine, tmp_path: Path) -> Iterator[Inbox]:
    opened = open_inbox(Settings(data_dir=tmp_path), engine)
    opened.create_tables()
    yield opened
    opened.close()


def accept(inbox: Inbox, *ids: str) -> None:
    inbox.append(AcceptedRequest(SOURCE, NOW, [RawMessage(b"{}", one) for one in ids]))


def apply(inbox: Inbox, limit: int = 100) -> int:
    """Apply one batch; each message ends in the state its number says."""
    with inbox.batch(limit) as claim:
        if not claim.messages:
            return 0
        with claim.transaction() as state:
            rows = []
            for message in claim.messages:
                name, reason = STATES[int(message.message_id[1:]) % 4]
                rows.append(
                    SeenRow(SOURCE, message.message_id, name, reason, "", "", NOW, NOW, None, 0, b"{}", "[]", None)
                )
            seen.record(state, rows)
        return len(claim.messages)


def distribute(hub: Hub) -> None:
    hub.people("ann", "bob", "cid")
    campaign = hub.campaign(codes=["A", "B"])
    hub.distribution(campaign_id=campaign.id)
    with write(hub.engine) as connection:
        run_now(connection, "Spring mail", "k", NOW)
    role = ScheduleRole(hub.engine, str, random.Random(1))
    while role.step(NOW):
        pass


def test_an_empty_hub_balances(hub: Hub, inbox: Inbox):
    books = check(hub.engine, inbox)
    assert books.is_balanced
    assert set(books.terms.values()) == {0}
    assert books.sentences() == []


def test_every_message_delivery_and_code_is_in_exactly_one_term(hub: Hub, inbox: Inbox):
    accept(inbox, "m0", "m1", "m2", "m3")
    apply(inbox)
    accept(inbox, "m0", "m4", "m1")
    apply(inbox)
    accept(inbox, "m5", "m6")
    distribute(hub)
    shown = check(hub.engine, inbox).as_json()
    assert shown == {
        "accepted": 9,
        "waiting": 2,
        "applied": 3,
        "ignored": 1,
        "ignored_reasons": {"test": 1},
        "duplicate": 2,
        "quarantined": 1,
        "quarantined_reasons": {"no_source_id": 1},
        "decided": 6,
        "waiting_deliveries": 4,
        "sent": 0,
        "skipped": 2,
        "skipped_reasons": {"out_of_codes": 2},
        "dead": 0,
        "dead_reasons": {},
        "codes": 2,
        "free": 0,
        "published": 2,
        "retired": 0,
        "differences": {"messages": 0, "deliveries": 0, "codes": 0},
        "balanced": True,
    }


def test_what_retention_removes_stays_in_the_books(hub: Hub, inbox: Inbox):
    accept(inbox, *[f"m{number}" for number in range(8)])
    accept(inbox, "m0", "m1")
    apply(inbox)
    distribute(hub)
    before = check(hub.engine, inbox)
    with write(hub.engine) as connection:
        assert retention.prune(connection, NOW + SECOND, 100, carry) == 6
        assert operate.prune(connection, NOW + SECOND) == 2
    after = check(hub.engine, inbox)
    assert after == before
    assert after.is_balanced
    assert after.terms["duplicate"] == 2


def test_a_lost_message_is_named_with_its_number(hub: Hub, inbox: Inbox):
    accept(inbox, "m0", "m1", "m2")
    apply(inbox)
    with write(hub.engine) as connection:
        connection.execute(delete(seen.MESSAGE).where(seen.MESSAGE.c.message_id == "m1"))
    books = check(hub.engine, inbox)
    assert books.differences == {"messages": 1, "deliveries": 0, "codes": 0}
    wanted = "1 messages are missing from waiting + applied + ignored + duplicate + quarantined, which must come to accepted."
    assert books.sentences() == [wanted]
    assert books.as_json()["balanced"] is False


def test_a_code_that_vanished_or_came_from_nowhere_is_found(hub: Hub, inbox: Inbox):
    campaign = hub.campaign(codes=["A", "B"])
    with write(hub.engine) as connection:
        connection.execute(delete(CODE).where(CODE.c.code == "A"))
    assert check(hub.engine, inbox).differences["codes"] == 1
    with write(hub.engine) as connection:
        connection.execute(update(CAMPAIGN).where(CAMPAIGN.c.id == campaign.id).values(code_count=0))
    books = check(hub.engine, inbox)
    assert books.differences["codes"] == -1
    assert books.sentences() == ["1 codes are too many in free + published + retired, which must come to codes."]


def test_each_state_of_a_delivery_is_its_own_term(hub: Hub, inbox: Inbox):
    distribute(hub)
    ends = [("sent", "", "sent"), ("dead", "rejected", "dead"), ("pending", "", "waiting_deliveries")]
    with write(hub.engine) as connection:
        waiting = connection.scalars(DELIVERY.select().where(DELIVERY.c.state == "waiting")).all()
        for one, (state, reason, _) in zip(waiting, ends, strict=False):
            connection.execute(update(DELIVERY).where(DELIVERY.c.id == one).values(state=state, reason=reason))
    books = check(hub.engine, inbox)
    assert {term: books.terms[term] for term in ("sent", "dead", "waiting_deliveries", "skipped")} == {
        "sent": 1,
        "dead": 1,
        "waiting_deliveries": 2,
        "skipped": 2,
    }
    assert books.reasons["dead"] == {"rejected": 1}
    assert books.is_balanced


def test_the_check_is_exact_while_the_hub_runs(hub: Hub, inbox: Inbox):
    """Messages are accepted and applied, codes imported and retired, all the time while the books are checked."""
    stop = threading.Event()
    campaign = hub.campaign(codes=[])

    def send(number: int) -> None:
        accept(inbox, f"m{2 * number}", f"m{2 * number + 1}", f"m{number}")

    def take(_: int) -> None:
        apply(inbox, 5)

    def grow(number: int) -> None:
        with write(hub.engine) as connection:
            campaigns.import_codes(connection, campaign, [f"C{number}"])
            campaigns.retire(connection, [f"C{number - 3}"])

    def repeat(work: Callable[[int], None]) -> None:
        number = 0
        while not stop.is_set():
            work(number)
            number += 1

    with ThreadPoolExecutor(3) as pool:
        working = [pool.submit(repeat, work) for work in (send, take, grow)]
        try:
            checks = [check(hub.engine, inbox) for _ in range(40)]
        finally:
            stop.set()
        for one in working:
            one.result()
    assert [books.differences for books in checks if not books.is_balanced] == []
    assert checks[-1].terms["accepted"] > 0
