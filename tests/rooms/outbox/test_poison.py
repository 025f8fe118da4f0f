"""What no row can hold, wherever a vendor puts it: it costs its own words and nothing else."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any

import pytest
from sqlalchemy import select

from hub.core.clock import to_datetime
from hub.core.database import read
from hub.ledger.tables import ATTEMPT
from hub.outbox.queue.claim import remembered
from hub.runtime.process.schema import metadata
from hub.sdk.errors import AuthFailed, Permanent, RateLimited, Retryable, Split
from hub.sdk.values import Accepted, Again, Pending, Progress, Rejected, Report, Request, Response
from tests.rooms import poison as ways
from tests.rooms.outbox.world import Acme, World, timeout
from tests.rooms.poison import HALF, NUL, POISON, named, reached, unstorable

ANSWER = b'{"message": "a\\u0000b \\ud800", "\\u0000": ["\\udfff", 1e999, 99999999999999999999]}'


class Scripted(Acme):
    """Reports what a test says, in place of what acme answered: by profile, else accepted."""

    says: Mapping[str, Any]

    def outcomes(self, batch: Any, response: Any) -> Any:
        return [self._told(push) for push in batch.records]

    def _told(self, push: Any) -> Report:
        make = self.says.get(push.person.source_id)
        return make(push.delivery_id) if make else Accepted(push.delivery_id)


def reporting(**says: Any) -> type[Scripted]:
    return type("Told", (Scripted,), {"says": says})


def three(hub: World, operation: str = "events") -> tuple[str, str, str]:
    """Deliveries of Ada, of somebody the vendor answers oddly about, and of Zoe, which go in one call."""
    for person in ("ada", "odd", "zoe"):
        hub.people.knows(person, name=person)
    one, odd, other = [hub.decides(person, operation) for person in ("ada", "odd", "zoe")]
    return one, odd, other


def attempts(hub: World) -> list[Any]:
    with read(hub.database) as database:
        return list(database.execute(select(ATTEMPT).order_by(ATTEMPT.c.started_at)))


OUTCOMES: dict[str, tuple[Any, str]] = {
    "a refusal": (lambda one: Rejected(one, POISON, POISON, POISON), "dead(pa\ufffdba\ufffdb)"),
    "a refusal without words": (lambda one: Rejected(one, None, None), "dead(defect)"),
    "a very long refusal": (lambda one: Rejected(one, POISON * 9_999, "c" * 999, POISON * 9_999), f"dead({'c' * 100})"),
    "another try": (lambda one: Again(one, POISON), "waiting(again)"),
    "another try after for ever": (lambda one: Again(one, POISON, math.inf), "waiting(again)"),
    "another try after no number": (lambda one: Again(one, POISON, math.nan), "waiting(again)"),
    "another try after words": (lambda one: Again(one, POISON, "soon"), "dead(defect)"),
    "a receipt": (lambda one: Accepted(one, receipt=POISON), "sent"),
    "a receipt that is a number": (lambda one: Accepted(one, receipt=7), "dead(defect)"),
    "a thousand notices": (lambda one: Accepted(one, notices=[POISON * 999] * 1_000), "sent"),
    "an id": (lambda one: Accepted(one, {"acme_id": POISON, POISON: "1", "fine": "f-1"}), "sent"),
    "a job": (lambda one: Pending(one, POISON, 5, find_by=POISON), "dead(unknown)"),
    "a job with an endless name": (lambda one: Pending(one, "j" * 999, 5), "dead(unknown)"),
    "a job that may take for ever": (lambda one: Pending(one, "j", 1e300, POISON, 1e300), "pending(pending)"),
}


@pytest.mark.parametrize("what", OUTCOMES)
def test_an_outcome_that_no_row_can_hold_is_stored_as_far_as_it_can_be(hub: World, what: str):
    report, state = OUTCOMES[what]
    hub.kind = reporting(odd=report)
    one, odd, other = three(hub, "messages")
    hub.delivers()
    assert (hub.state(one), hub.state(odd), hub.state(other)) == ("sent", state, "sent")
    assert unstorable(hub.database, metadata()) == set()
    assert len(hub.row(odd).detail) < 1_000
    [attempt] = attempts(hub)
    assert attempt.outcome in ("partial", "accepted")


def test_an_id_that_cannot_be_kept_as_it_is_is_not_remembered_and_the_delivery_says_so(hub: World):
    hub.kind = reporting(odd=lambda one: Accepted(one, {"acme_id": NUL, "fine": "f-1"}))
    _, odd, _ = three(hub)
    hub.delivers()
    with read(hub.database) as database:
        assert remembered(database, hub.connection_id, ["odd"]) == {"odd": {"fine": "f-1"}}
    assert "The vendor's acme_id was not kept" in hub.row(odd).notices


ERRORS: dict[str, tuple[Exception, str]] = {
    "it failed": (Retryable(POISON), "waiting(retry)"),
    "it refused": (Permanent(POISON), "dead(refused)"),
    "it takes less": (Split(POISON), "dead(too_large)"),
    "it is unknown": (Retryable(POISON, unknown=True), "dead(unknown)"),
    "it asked to wait for ever": (
        RateLimited(POISON, until=datetime.fromisoformat("9999-12-31T00:00:00")),
        "waiting(rate_limited)",
    ),
    "it refused the key": (AuthFailed(POISON * 9_999), "waiting(auth)"),
}


@pytest.mark.parametrize("what", ERRORS)
def test_the_words_of_a_failed_call_are_stored_as_far_as_they_can_be(hub: World, what: str):
    error, state = ERRORS[what]

    class Fails(Acme):
        def outcomes(self, batch: Any, response: Any) -> Any:
            raise error

    hub.kind = Fails
    [one, *_] = three(hub, "messages")
    hub.delivers()
    assert hub.state(one) == state
    assert unstorable(hub.database, metadata()) == set()


@pytest.mark.parametrize("status", [200, 400, 401, 403, 413, 429, 500])
def test_a_body_that_no_row_can_hold_ends_no_role(hub: World, status: int):
    hub.kind = reporting()
    three(hub)
    hub.vendor.says(status, path="/events", times=9, **{"retry-after": "\0", "x-request-id": "a\0b"})
    hub.vendor.script = type(hub.vendor.script)(
        (path, type(answer)(answer.status, answer.headers, ANSWER, answer.received_at))
        for path, answer in hub.vendor.script
    )
    hub.delivers()
    assert unstorable(hub.database, metadata()) == set()
    assert attempts(hub)


class Steps(Scripted):
    """Remembers where it is between two calls."""

    def flow(self, batch: Any) -> Any:
        for push in batch.records:
            yield [Progress(push.delivery_id, self.says.get(push.person.source_id, "asked"), {"step": POISON})]
        response = yield self.request(batch)
        yield [Accepted(push.delivery_id) for push in batch.records]
        assert response


def test_progress_that_no_row_can_hold_is_stored_as_far_as_it_can_be(hub: World):
    hub.kind = type("Told", (Steps,), {"says": {"odd": {POISON: [POISON, math.nan, 10**400]}}})
    made = three(hub)
    hub.vendor.fails(timeout(), "/events")
    hub.delivers()
    assert "a\ufffdb" in hub.row(made[1]).progress
    assert unstorable(hub.database, metadata()) == set()
    hub.delivers(after=60)
    assert {hub.state(one) for one in made} == {"sent"}


def test_progress_that_is_no_json_is_the_connectors_defect(hub: World):
    hub.kind = type("Told", (Steps,), {"says": {"odd": object()}})
    made = three(hub)
    hub.delivers()
    assert {hub.state(one) for one in made} == {"dead(defect)"}
    assert not hub.vendor.calls, "what was not stored must not be built upon"


@pytest.mark.parametrize("text", [NUL, HALF])
def test_a_record_refused_before_it_is_sent_is_stored_with_the_words_of_its_connector(hub: World, text: str):
    class Refuses(Acme):
        def items(self, push: Any) -> Any:
            return Rejected(push.delivery_id, text, text) if push.person.source_id == "odd" else super().items(push)

    hub.kind = Refuses
    one, odd, _ = three(hub)
    hub.delivers()
    assert (hub.state(one), hub.state(odd)) == ("sent", "dead(a\ufffdb)")


def test_a_record_that_cannot_be_built_is_stored_with_the_words_of_the_failure(hub: World):
    class Breaks(Acme):
        def items(self, push: Any) -> Any:
            if push.person.source_id == "odd":
                raise ValueError(POISON * 999)
            return super().items(push)

    hub.kind = Breaks
    one, odd, _ = three(hub)
    hub.delivers()
    assert (hub.state(one), hub.state(odd)) == ("sent", "dead(defect)")


def test_a_report_that_a_row_refuses_all_the_same_harms_no_other(hub: World, monkeypatch: pytest.MonkeyPatch):
    """The second line, with the first one taken away."""
    monkeypatch.setattr("hub.outbox.engine.workers.storable_reports", lambda reports: reports)
    poison = NUL if hub.database.dialect.name == "postgresql" else HALF
    hub.kind = reporting(
        odd=lambda one: Rejected(one, poison),
        taken=lambda one: Accepted(one, receipt=poison),
        ill=lambda one: Again(one, "", "x"),
    )
    hub.kind.size = 5
    one, odd, other = three(hub)
    hub.people.knows("taken")
    taken = hub.decides("taken", "events")
    hub.delivers()
    assert (hub.state(one), hub.state(odd), hub.state(other)) == ("sent", "dead(defect)", "sent")
    assert hub.state(taken) == "sent", "what the vendor took is never sent again"
    assert "could not be stored" in hub.row(odd).detail
    [attempt] = attempts(hub)
    assert (attempt.outcome, attempt.status) == ("partial", 200)
    assert attempt.ended_at is not None


def test_a_report_of_which_nothing_can_be_made_harms_no_later_one(hub: World, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("hub.outbox.engine.workers.storable_reports", lambda reports: reports)
    hub.kind = reporting(odd=lambda one: Again(one, "later", "soon"))  # type: ignore[arg-type] # as a connector might
    made = three(hub)
    hub.delivers()
    assert {hub.state(one) for one in made} == {"dead(defect)"}
    hub.kind = reporting()
    hub.new_engine()
    later = hub.decides("ada", "events")
    hub.delivers()
    assert hub.state(later) == "sent"


@pytest.mark.parametrize("kept", [True, False])
def test_the_result_of_a_job_that_a_row_refuses_harms_no_other(hub: World, monkeypatch: pytest.MonkeyPatch, kept: bool):
    if not kept:
        monkeypatch.setattr("hub.outbox.engine.workers.storable_reports", lambda reports: reports)
    poison = NUL if hub.database.dialect.name == "postgresql" else HALF

    class Job(Acme):
        def poll(self, token: str, waiting: Any) -> Any:
            yield Request("GET", f"/jobs/{token}")
            yield [
                Rejected(one.delivery_id, poison) if one.find_by == "odd" else Accepted(one.delivery_id)
                for one in waiting
            ]

    hub.kind = Job
    one, odd, other = three(hub, "messages")
    hub.vendor.says(200, dict.fromkeys(("ada", "odd", "zoe"), "job"), path="/messages")
    hub.delivers()
    hub.delivers(after=6)
    assert (hub.state(one), hub.state(other)) == ("sent", "sent")
    assert hub.state(odd) == ("dead(rejected)" if kept else "dead(defect)")
    assert [attempt.outcome for attempt in attempts(hub)] == ["pending", "partial"]


def test_each_column_that_vendors_fill_is_tried(hub: World):
    """One of each: a refusal, a receipt, a job, progress, a pause of a route and of the connection."""

    class All(Steps):
        def routes(self) -> Any:
            return {name: replace(route, items=1) for name, route in super().routes().items()}

        def flow(self, batch: Any) -> Any:
            [push] = batch.records
            if push.person.source_id in self.says:
                raise self.says[push.person.source_id]
            yield [Progress(push.delivery_id, POISON)]
            yield Request("POST", f"/{POISON}", json={POISON: POISON})
            report = {
                "ada": Accepted(push.delivery_id, notices=[POISON], receipt=POISON),
                "odd": Rejected(push.delivery_id, POISON, POISON),
            }
            yield [report.get(push.person.source_id) or Pending(push.delivery_id, "job", 5, find_by=POISON)]

    forbidden = AuthFailed(POISON, response=Response(403, {}, ANSWER, to_datetime(hub.now)))
    hub.kind = type("All", (All,), {"says": {"route": forbidden, "all": AuthFailed(POISON)}})
    three(hub)
    answer = Response(200, {}, b"a\0b\xed\xa0\x80", to_datetime(hub.now))
    hub.vendor.script.extend([("/", answer)] * 9)
    hub.delivers()
    for person in ("route", "all"):
        hub.people.knows(person)
        hub.decides(person, "events" if person == "route" else "consent", topic="email")
        hub.delivers()
    assert named(ways.VENDORS) - reached(hub.database, metadata()) == set()
    assert unstorable(hub.database, metadata()) == set()
