"""Retention: what is old goes, what it counted for stays in the books, what is still needed stays."""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy import func, select

from hub.core import clock
from hub.core.clock import DAY, MINUTE
from hub.core.database import read
from hub.inbox.seen import MESSAGE
from hub.ledger.tables import ATTEMPT, AUDIT, RECORD, RUN
from hub.outbox.tables import DELIVERY
from hub.runtime.upkeep import housekeeping
from hub.runtime.upkeep.housekeeping import tidy
from tests.rooms.whole import Whole


def count(whole: Whole, table: Any) -> int:
    with read(whole.engine) as database:
        return database.scalar(select(func.count()).select_from(table)) or 0


def live(whole: Whole) -> None:
    """Messages in every state, deliveries in every state."""
    whole.connect("crm", "profiles", "events")
    for number in range(6):
        whole.identifies(f"p{number}", email=f"p{number}@example.com")
    whole.delivers()
    whole.receives({"type": "track", "userId": "p1", "event": "Signed Up", "messageId": "twice"})
    whole.receives({"type": "track", "userId": "p1", "event": "Signed Up", "messageId": "twice"})
    whole.receives({"type": "identify", "traits": {"email": "anonymous@example.com"}})
    whole.receives({"type": "identify", "userId": "x" * 300})
    whole.applies()
    whole.simulators["crm"].next(status=400, body={"message": "no"})
    whole.delivers()
    whole.identifies("p1", plan="waits")


def test_what_retention_removes_stays_in_the_books_to_the_last_one(whole: Whole) -> None:
    live(whole)
    before = whole.books()
    assert min(before.terms[term] for term in ("applied", "ignored", "duplicate", "quarantined")) > 0
    assert min(before.terms[term] for term in ("sent", "dead", "waiting_deliveries")) > 0

    gone = tidy(whole.hub, whole.inbox, clock.now() + 400 * DAY)

    assert min(gone[name] for name in ("messages", "deliveries", "history")) > 0, gone
    after = whole.books()
    assert after.terms == before.terms
    assert after.reasons == before.reasons
    assert tidy(whole.hub, whole.inbox, clock.now() + 400 * DAY) == dict.fromkeys(gone, 0)


def test_what_waits_or_is_quarantined_stays_however_old(whole: Whole) -> None:
    live(whole)
    tidy(whole.hub, whole.inbox, clock.now() + 4_000 * DAY)

    with read(whole.engine) as database:
        messages = database.execute(select(MESSAGE.c.state, MESSAGE.c.body)).all()
        states = set(database.scalars(select(DELIVERY.c.state)))
    assert [(state, body is not None) for state, body in messages] == [("quarantined", True)]
    assert states == {"waiting"}
    assert whole.profile("p1") is not None


def test_bodies_go_first_then_ids_then_the_history(whole: Whole) -> None:
    live(whole)
    settings, now = whole.hub.settings, clock.now()
    messages, deliveries, attempts = count(whole, MESSAGE), count(whole, DELIVERY), count(whole, ATTEMPT)

    nothing = tidy(whole.hub, whole.inbox, now)
    assert (nothing["bodies"], nothing["messages"], nothing["deliveries"], nothing["history"]) == (0, 0, 0, 0)
    early = tidy(whole.hub, whole.inbox, now + settings.replay_days * DAY + MINUTE)
    assert (early["bodies"], early["messages"]) == (messages - 1, 0)
    later = tidy(whole.hub, whole.inbox, now + settings.seen_days * DAY + MINUTE)
    assert (later["messages"], later["deliveries"]) == (messages - 1, 0)
    last = tidy(whole.hub, whole.inbox, now + settings.history_days * DAY + MINUTE)
    assert last["deliveries"] == deliveries - 1
    assert (count(whole, ATTEMPT), count(whole, RECORD), count(whole, RUN), count(whole, AUDIT)) == (0, 0, 0, 0)
    assert attempts > 0


def test_a_run_of_it_is_bounded_and_the_next_goes_on(whole: Whole, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(housekeeping, "PIECE", 1)
    monkeypatch.setattr(housekeeping, "PIECES", 2)
    live(whole)
    late = clock.now() + 400 * DAY
    total = whole.books().terms

    first = tidy(whole.hub, whole.inbox, late)
    assert (first["messages"], first["deliveries"]) == (2, 2)
    assert whole.books().terms == total
    while any(tidy(whole.hub, whole.inbox, late).values()):
        assert whole.books().terms == total


def test_applied_requests_leave_the_queue_with_the_next_run(whole: Whole) -> None:
    live(whole)
    waits = whole.receives({"type": "identify", "userId": "p9", "traits": {"email": "unread@example.com"}})

    tidy(whole.hub, whole.inbox, clock.now())

    assert not [place for place in whole.places("p3@example.com") if place.startswith("inbox_request")]
    assert whole.places("unread@example.com") == ["inbox_request.bodies"], "what waits is kept"
    whole.applies()
    assert whole.messages()[waits[0]] == ("applied", "")
    whole.books()


def test_housekeeping_beside_work_loses_nothing(whole: Whole) -> None:
    live(whole)
    for round_ in range(5):
        whole.receives({"type": "identify", "userId": f"r{round_}", "traits": {"plan": "pro"}})
        tidy(whole.hub, whole.inbox, clock.now() + 400 * DAY)
        whole.applies()
    assert whole.books().terms["applied"] == 6 + 1 + 1 + 5
