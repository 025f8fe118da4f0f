"""Requests to erase from their receipt to their end: status, withdrawal, waiting, destinations, callbacks."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from typing import Any

import pytest

from hub.admin.connections import add_source, remove
from hub.core import clock
from hub.core.clock import DAY, HOUR, MINUTE, SECOND, Micros
from hub.core.database import read, write
from hub.inbox.accept import Door, HttpRequest
from hub.ledger import store as ledger
from hub.profiles import requests
from hub.registry.values import Connection
from hub.runtime.apply.loop import ApplyRole
from hub.runtime.apply.mappers import hooks_of, mapper_of
from hub.runtime.erasing.requested import RememberedErasures, complete, described, listed
from hub.runtime.erasing.watch import ErasureWatch
from hub.runtime.live.connections import LiveConnections
from hub.sdk.errors import ConfigurationError
from hub.sdk.json import dumps, loads
from hub.sdk.values import Erasure, ErasureStatus, Reply
from tests.controller import Controller, controller
from tests.rooms.whole import Whole

TOKEN = "Bearer example-token"
WHO = "ada"


class Desk:
    """A privacy tool that sends its requests to the hub through the OpenDSR door of a source."""

    def __init__(self, whole: Whole, hears: Controller, **settings: str) -> None:
        self.whole, self.hears = whole, hears
        origins = dumps([hears.origin]).decode()
        given = {"authorization": TOKEN, "opendsr_domain": "hub.example.com", "opendsr_callback_origins": origins}
        with write(whole.engine) as database:
            self.source = add_source(
                whole.hub, database, clock.now(), "mparticle", "privacy", {**given, **settings}, "tests"
            )
        self.live = LiveConnections(whole.hub)
        self.watch = ErasureWatch(whole.hub, self.live)
        erasures = RememberedErasures(whole.hub)
        self.door = Door(whole.inbox, lambda _key: self._door(), whole.hub.settings, erasures)

    def _door(self) -> Any:
        from hub.inbox.accept import SourceDoor

        return SourceDoor(self.source.id, self.live.snapshot().sources[self.source.id])

    def __call__(self, method: str, path: str, body: Any = None, at: Micros | None = None) -> Reply:
        sent = b"" if body is None else dumps(body)
        headers = {"authorization": TOKEN}
        http = HttpRequest(method, f"/opendsr/v3/{path}", {}, headers, "203.0.113.9", lambda _limit: sent)
        return self.door.answer("key", http, at or clock.now())

    def asks(self, request_id: str, at: Micros | None = None, **more: Any) -> Reply:
        body = {
            "regulation": "gdpr",
            "subject_request_id": request_id,
            "subject_request_type": "erasure",
            "submitted_time": "2026-03-14T10:00:00Z",
            "subject_identities": {"controller_customer_id": {"value": WHO, "encoding": "raw"}},
            "status_callback_urls": [self.hears.url],
            **more,
        }
        return self("POST", "requests", body, at)

    def status(self, request_id: str) -> str:
        reply = self("GET", f"requests/{request_id}")
        assert reply.status == 200
        return str(loads(reply.body or b"")["request_status"])

    def looks(self, at: Micros | None = None) -> None:
        """The schedule role looks after requests once."""
        self.watch.step(at or clock.now())


@pytest.fixture
def hears() -> Iterator[Controller]:
    with controller() as found:
        yield found


@pytest.fixture
def desk(whole: Whole, hears: Controller) -> Desk:
    return Desk(whole, hears)


def test_a_request_is_pending_from_its_receipt_on_and_completed_when_the_person_is_gone(desk: Desk) -> None:
    desk.whole.identifies(WHO, email="ada@example.com")
    assert desk.asks("r-1").status == 201
    assert desk.status("r-1") == "pending", "it is known before its message was applied"

    desk.whole.applies()

    assert desk.whole.profile(WHO) is None
    assert desk.status("r-1") == "completed"
    desk.looks()
    assert desk.hears.statuses() == ["completed"]
    desk.whole.books()


def test_a_request_is_in_progress_until_every_destination_has_erased_too(desk: Desk) -> None:
    desk.whole.connect("crm", "profiles")
    desk.whole.identifies(WHO, email="ada@example.com")
    desk.whole.delivers()
    desk.asks("r-1")
    desk.whole.applies()
    desk.looks()
    assert (desk.status("r-1"), desk.hears.statuses()) == ("in_progress", ["in_progress"])

    desk.whole.delivers()
    desk.looks()

    assert WHO not in desk.whole.simulators["crm"].profiles
    assert desk.status("r-1") == "completed"
    assert desk.hears.statuses() == ["in_progress", "completed"]


def test_a_destination_that_refuses_holds_the_request_until_an_operator_has_seen_to_it(desk: Desk) -> None:
    desk.whole.connect("crm", "profiles")
    desk.whole.identifies(WHO, email="ada@example.com")
    desk.whole.delivers()
    desk.asks("r-1")
    desk.whole.applies()
    desk.whole.simulators["crm"].next(status=400, body={"message": "no"})
    desk.whole.delivers()

    desk.looks()
    desk.looks()

    assert desk.status("r-1") == "in_progress", "nobody may be told that it is complete"
    with read(desk.whole.engine) as database:
        shown = described(desk.whole.hub, database, "r-1")
        (sentence,) = requests.troubles(database, clock.now())
    assert shown is not None
    assert shown["not_confirmed"] == ["crm"]
    assert "crm" in sentence
    with write(desk.whole.engine) as database:
        complete(desk.whole.hub, database, "r-1", clock.now(), "tests")
    desk.looks()
    assert desk.status("r-1") == "completed"
    assert desk.hears.statuses()[-1] == "completed"


def test_what_is_complete_or_going_well_cannot_be_completed_by_hand(desk: Desk) -> None:
    desk.asks("r-1")
    desk.whole.applies()
    with write(desk.whole.engine) as database:
        with pytest.raises(ConfigurationError, match="nothing to see to"):
            complete(desk.whole.hub, database, "r-1", clock.now(), "tests")
        with pytest.raises(ConfigurationError, match="no request"):
            complete(desk.whole.hub, database, "r-2", clock.now(), "tests")


# ── withdrawal ───────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_request_that_is_withdrawn_before_it_was_applied_erases_nobody(desk: Desk) -> None:
    desk.whole.identifies(WHO, email="ada@example.com")
    desk.asks("r-1")
    assert desk("DELETE", "requests/r-1").status == 202
    assert desk("DELETE", "requests/r-1").status == 202, "a lost answer is asked for again"

    desk.whole.applies()
    desk.looks()

    assert desk.whole.profile(WHO) is not None
    assert desk.status("r-1") == "cancelled"
    assert desk.hears.statuses() == ["cancelled"]
    desk.whole.books()


def test_the_sync_log_tells_erasures_from_those_put_by_and_those_withdrawn(whole: Whole, hears: Controller) -> None:
    desk = Desk(whole, hears, opendsr_wait_hours="24")
    desk.asks("r-1", skip_waiting_period=True)
    desk.asks("r-2")
    desk.asks("r-3")
    desk("DELETE", "requests/r-3")
    whole.applies()
    with read(whole.engine) as database:
        counts = ledger.runs(database).items[0].counts
    assert {name: counts[name] for name in counts if name.startswith("erasures")} == {
        "erasures": 1,
        "erasures_put_by": 1,
        "erasures_withdrawn": 1,
    }


def test_a_withdrawal_that_comes_too_late_is_refused_and_changes_nothing(desk: Desk) -> None:
    desk.whole.identifies(WHO)
    desk.asks("r-1")
    desk.whole.applies()
    reply = desk("DELETE", "requests/r-1")
    assert reply.status == 400
    assert "only a pending one" in reply.json["error"]["message"]
    assert desk.status("r-1") == "completed"


@pytest.mark.parametrize("method", ["GET", "DELETE"])
def test_a_request_of_another_source_is_unknown(desk: Desk, method: str) -> None:
    other = Desk.__new__(Desk)
    other.whole, other.hears = desk.whole, desk.hears
    with write(desk.whole.engine) as database:
        other.source = add_source(
            desk.whole.hub, database, clock.now(), "mparticle", "other", {"authorization": TOKEN}, "tests"
        )
    other.live = LiveConnections(desk.whole.hub)
    other.door = Door(
        desk.whole.inbox, lambda _key: other._door(), desk.whole.hub.settings, RememberedErasures(desk.whole.hub)
    )
    desk.asks("r-1")
    assert other(method, "requests/r-1").status == 404
    assert desk.status("r-1") == "pending"


def test_of_a_withdrawal_and_an_erasure_at_the_same_moment_exactly_one_happens(desk: Desk) -> None:
    people = [f"p-{number}" for number in range(30)]
    for who in people:
        desk.whole.identifies(who)
        named = {"controller_customer_id": {"value": who, "encoding": "raw"}}
        desk.asks(f"r-{who}", subject_identities=named, status_callback_urls=[])
    replies: dict[str, int] = {}
    withdrawing = threading.Thread(
        target=lambda: replies.update({who: desk("DELETE", f"requests/r-{who}").status for who in reversed(people)})
    )
    withdrawing.start()
    role = ApplyRole(desk.whole.inbox, mapper_of(desk.whole.hub), hooks_of(desk.whole.hub), 3)
    while role.step() is not None:
        pass
    withdrawing.join()
    for who in people:
        is_there = desk.whole.profile(who) is not None
        assert (replies[who], desk.status(f"r-{who}")) == ((202, "cancelled") if is_there else (400, "completed"))


# ── waiting ──────────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_request_that_waits_names_nobody_in_any_table_and_is_carried_out_when_its_time_comes(
    whole: Whole, hears: Controller
) -> None:
    desk = Desk(whole, hears, opendsr_wait_hours="24")
    start = clock.now()
    desk.asks("r-1", start, subject_identities={"email": {"value": "marked@example.com", "encoding": "raw"}})
    whole.applies()
    whole.inbox.prune(0)
    assert whole.places("marked@example.com") == []
    whole.identifies(WHO, email="marked@example.com")  # known by this address only since then

    desk.looks(start + 24 * HOUR - SECOND)
    assert (desk.status("r-1"), whole.profile(WHO) is not None) == ("pending", True)
    desk.looks(start + 24 * HOUR)

    assert whole.profile(WHO) is None
    assert desk.status("r-1") == "completed"
    whole.books()


def test_a_request_that_waits_can_be_withdrawn_until_its_time_comes(whole: Whole, hears: Controller) -> None:
    desk = Desk(whole, hears, opendsr_wait_hours="24")
    start = clock.now()
    whole.identifies(WHO)
    desk.asks("r-1", start)
    whole.applies()
    assert desk("DELETE", "requests/r-1").status == 202
    desk.looks(start + 25 * HOUR)
    assert whole.profile(WHO) is not None
    assert desk.status("r-1") == "cancelled"


def test_a_request_that_skips_the_wait_is_carried_out_at_once(whole: Whole, hears: Controller) -> None:
    desk = Desk(whole, hears, opendsr_wait_hours="24")
    whole.identifies(WHO)
    desk.asks("r-1", skip_waiting_period=True)
    whole.applies()
    assert desk.status("r-1") == "completed"


# ── repetitions ──────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_request_that_is_sent_again_stays_one_request_with_its_first_receipt_time(desk: Desk) -> None:
    first = clock.now()
    desk.asks("r-1", first)
    desk.asks("r-1", first + MINUTE)
    desk.whole.applies()
    desk.asks("r-1", first + 2 * MINUTE)
    desk.whole.applies()
    with read(desk.whole.engine) as database:
        (record,) = requests.page(database)
    assert (record.received_at, record.status) == (first, ErasureStatus.COMPLETED)
    assert desk.whole.books().terms["duplicate"] == 2


def test_every_erasure_is_remembered_whoever_asked_for_it_and_names_nobody(desk: Desk) -> None:
    desk.whole.identifies(WHO)
    desk.whole.erases(WHO)
    desk.whole.receives({"type": "delete", "userId": "eve"})
    desk.whole.applies()
    with read(desk.whole.engine) as database:
        rows = listed(desk.whole.hub, database, requests.page(database))
    assert [(row["source"], row["status"]) for row in rows] == [("web", "completed"), (None, "completed")]
    assert WHO not in str(rows)
    assert "eve" not in str(rows)


# ── callbacks ────────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_callback_that_fails_is_told_again_later(desk: Desk) -> None:
    desk.asks("r-1")
    desk.whole.applies()
    desk.hears.failing = 2
    now = clock.now()
    for hour in range(4):
        desk.looks(now + hour * HOUR)
    assert desk.hears.statuses() == ["completed"]
    path, headers, body = desk.hears.calls[0]
    assert path == "/opendsr/callbacks?token=of-the-controller"
    assert headers["x-opendsr-processor-domain"] == "hub.example.com"
    assert loads(body)["status_callback_url"] == desk.hears.url


def test_changes_are_told_in_order_and_an_old_one_gives_way_when_it_cannot_be_told(desk: Desk) -> None:
    desk.whole.connect("crm", "profiles")
    desk.whole.identifies(WHO)
    desk.whole.delivers()
    desk.asks("r-1")
    desk.whole.applies()
    desk.hears.failing = 1
    now = clock.now()
    desk.looks(now)  # in progress, in vain
    desk.whole.delivers()
    desk.looks(now + HOUR)
    desk.looks(now + 2 * HOUR)
    assert desk.hears.statuses()[-1] == "completed"
    with read(desk.whole.engine) as database:
        shown = described(desk.whole.hub, database, "r-1")
    assert shown is not None
    assert [(one["tells"], one["state"]) for one in shown["callbacks"]] in (
        [("in_progress", "skipped"), ("completed", "sent")],
        [("in_progress", "sent"), ("completed", "sent")],
    )


def test_a_callback_is_given_up_after_the_retry_hours_and_the_operator_is_told(desk: Desk) -> None:
    desk.asks("r-1")
    desk.whole.applies()
    desk.hears.failing = 1_000
    now = clock.now()
    for hour in range(75):
        desk.looks(now + hour * HOUR)
    with read(desk.whole.engine) as database:
        shown = described(desk.whole.hub, database, "r-1")
        sentences = requests.troubles(database, now + 3 * DAY)
    assert shown is not None
    (callback,) = shown["callbacks"]
    assert callback["state"] == "dead"
    assert callback["detail"].endswith("answered 500.")
    assert "of-the-controller" not in str(shown), "what may be a secret of the receiver is not shown"
    assert any("could not be told" in one for one in sentences)


def test_a_connector_that_cannot_word_a_callback_is_asked_again_and_holds_up_nobody(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    desk.asks("r-1")
    desk.asks("r-2", subject_identities={"controller_customer_id": {"value": "eve", "encoding": "raw"}})
    desk.whole.applies()
    kind = type(desk.live.snapshot().sources[desk.source.id])
    words = kind.callback

    def stumbles(source: Any, erasure: Erasure, url: str) -> Any:
        if erasure.request_id == "r-1":
            raise KeyError("domain")
        return words(source, erasure, url)

    now = clock.now()
    with monkeypatch.context() as patched:
        patched.setattr(kind, "callback", stumbles)
        desk.looks(now)
    assert [loads(body)["subject_request_id"] for _, _, body in desk.hears.calls] == ["r-2"]
    with read(desk.whole.engine) as database:
        shown = described(desk.whole.hub, database, "r-1")
    assert shown is not None
    (callback,) = shown["callbacks"]
    assert (callback["state"], callback["attempts"]) == ("waiting", 1)
    assert callback["detail"] == "The connector mparticle could not word the call (KeyError)."
    desk.looks(now + HOUR)
    assert [loads(body)["subject_request_id"] for _, _, body in desk.hears.calls] == ["r-2", "r-1"]


def test_an_address_that_may_not_be_called_is_a_dead_letter_at_once(whole: Whole, hears: Controller) -> None:
    desk = Desk(whole, hears)
    whole.hub.settings.__dict__["allow_private_hosts"] = False
    desk.asks("r-1")
    whole.applies()
    desk.looks()
    with read(whole.engine) as database:
        shown = described(whole.hub, database, "r-1")
    assert shown is not None
    assert "private address" in shown["callbacks"][0]["detail"]
    assert hears.calls == []


def test_callbacks_are_encrypted_at_rest(desk: Desk) -> None:
    desk.asks("r-1")
    desk.whole.applies()
    desk.looks()
    assert desk.whole.places("of-the-controller", "opendsr/callbacks") == []


def test_a_removed_source_tells_nobody_any_more(desk: Desk) -> None:
    desk.asks("r-1")
    desk.whole.applies()
    with write(desk.whole.engine) as database:
        remove(database, clock.now(), _current(desk), "tests")
    desk.watch = ErasureWatch(desk.whole.hub)
    desk.looks()
    with read(desk.whole.engine) as database:
        shown = described(desk.whole.hub, database, "r-1")
    assert shown is not None
    assert shown["callbacks"][0]["state"] == "skipped"


def test_a_source_added_a_moment_ago_tells_its_controller_all_the_same(whole: Whole, hears: Controller) -> None:
    looked_before = LiveConnections(whole.hub)
    looked_before.snapshot()
    desk = Desk(whole, hears)
    desk.watch = ErasureWatch(whole.hub, looked_before)
    desk.asks("r-1")
    whole.applies()
    desk.looks()
    assert hears.statuses() == ["completed"]


def test_a_callback_waits_for_a_connector_that_is_missing_for_a_while(desk: Desk) -> None:
    desk.asks("r-1")
    desk.whole.applies()
    connectors = dict(desk.whole.hub.connectors)
    desk.whole.hub.__dict__["connectors"] = {}
    ErasureWatch(desk.whole.hub).step(clock.now())
    assert desk.hears.calls == []

    desk.whole.hub.__dict__["connectors"] = connectors
    desk.looks(clock.now() + HOUR)
    assert desk.hears.statuses() == ["completed"]


def _current(desk: Desk) -> Connection:
    from hub.registry import store

    with read(desk.whole.engine) as database:
        return store.get(database, desk.whole.hub.vault, desk.source.id)


def test_of_two_watches_one_tells(desk: Desk) -> None:
    desk.asks("r-1")
    desk.whole.applies()
    now = clock.now()
    with read(desk.whole.engine) as database:
        (due,) = requests.due_callbacks(database, now)
    with write(desk.whole.engine) as database:
        assert requests.lease(database, due, now + MINUTE)
    with write(desk.whole.engine) as database:
        assert not requests.lease(database, due, now + MINUTE)
    desk.looks(now)
    assert desk.hears.calls == []
    desk.looks(now + MINUTE)  # the one that took it has died
    assert desk.hears.statuses() == ["completed"]


# ── what an operator must look at ────────────────────────────────────────────────────────────────────────────────


def test_a_request_whose_message_never_was_applied_is_told_to_the_operator(desk: Desk) -> None:
    now = clock.now()
    desk.asks("r-1", now)
    with read(desk.whole.engine) as database:
        assert requests.troubles(database, now + MINUTE) == []
        (stuck,) = requests.troubles(database, now + 2 * HOUR)
        (late,) = requests.troubles(database, now + 31 * DAY)
    assert "has not been carried out yet" in stuck
    assert "should have been complete" in late
