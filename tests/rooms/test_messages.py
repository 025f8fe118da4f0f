"""Messages as operators see them: what came, what it means, what it caused, and how quarantine ends."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine

from hub.admin.dismissals import dismiss_messages
from hub.admin.messages import message_page, preview_message, refused_requests
from hub.admin.replays import replay_messages
from hub.core import clock
from hub.core.clock import DAY, HOUR, iso
from hub.core.database import read
from hub.core.filters import RecordFilter
from hub.inbox.accept import Door, HttpRequest, SourceDoor
from hub.inbox.headers import kept_headers
from hub.inbox.values import AcceptedRequest, MessageFilter
from hub.ledger import store as ledger
from hub.runtime.erasing.requested import RememberedErasures
from hub.runtime.live.connections import LiveConnections
from hub.runtime.upkeep.housekeeping import tidy
from hub.sdk.errors import ConfigurationError
from hub.sdk.values import RawMessage
from tests.rooms.whole import Whole


def page(whole: Whole, message_id: str) -> dict[str, Any]:
    with read(whole.engine) as database:
        return message_page(whole.hub, database, (whole.web.id, message_id), clock.now())


def signs_up(whole: Whole, **more: Any) -> str:
    message = {"type": "track", "userId": "ada", "event": "Signed Up", "timestamp": iso(clock.now()), **more}
    (message_id,) = whole.receives({"properties": {"plan": "pro"}, **message})
    return message_id


def receives_odd_ones(whole: Whole, count: int = 2) -> list[str]:
    raw = [RawMessage(b"no json", f"odd-{number}") for number in range(count)]
    whole.inbox.append(AcceptedRequest(whole.web.id, clock.now(), raw))
    whole.applies()
    return [str(one.dedup_key) for one in raw]


def dismiss(whole: Whole, *ids: str, **more: Any) -> dict[str, int]:
    wanted = MessageFilter(keys=tuple([(whole.web.id, one) for one in ids]))
    return dismiss_messages(whole.hub, wanted, more.pop("because", "A test of ours."), clock.now(), "tests", **more)


def test_a_message_shows_its_body_what_it_means_from_where_and_what_it_caused(whole: Whole) -> None:
    whole.connect("crm", "profiles", "events")
    mine = signs_up(whole)
    other = signs_up(whole, event="Other")
    whole.applies()

    shown = page(whole, mine)
    assert shown["body"]["properties"] == {"plan": "pro"}
    assert shown["canonical"]["events"][0]["name"] == "Signed Up"
    assert shown["canonical"]["lineage"]["event.properties.plan"]["source"] == "properties.plan"
    assert shown["canonical"]["lineage"]["event.properties.plan"]["line"] > 0
    assert shown["canonical"]["is_mapping_of_now"]
    caused = shown["caused"]
    assert caused["sync_run"]["id"] == shown["run_id"]
    assert [event["key"] for event in caused["events"]] == ["signed_up"]
    assert sorted(each["operation"] for each in caused["deliveries"]) == ["events", "profiles"]
    theirs = {each["id"] for each in page(whole, other)["caused"]["deliveries"] if each["operation"] == "events"}
    assert not theirs & {each["id"] for each in caused["deliveries"]}, "an event's delivery is its own message's"


def test_what_an_applied_message_caused_is_found_after_a_merge(whole: Whole) -> None:
    whole.connect("crm", "profiles")
    whole.identifies("lov", email="ada@example.com")
    mine = next(iter(whole.messages()))
    before = page(whole, mine)["caused"]["deliveries"]
    assert len(before) == 1
    whole.receives({"type": "alias", "userId": "ada", "previousId": "lov", "timestamp": iso(clock.now())})
    whole.applies()
    assert {each["id"] for each in before} <= {each["id"] for each in page(whole, mine)["caused"]["deliveries"]}


def test_what_cannot_be_read_any_more_is_said(whole: Whole) -> None:
    mine = signs_up(whole)
    (odd, _) = receives_odd_ones(whole)
    assert page(whole, odd)["body"] == "no json"
    assert page(whole, odd)["canonical_missing"] == "Its body is not JSON."
    tidy(whole.hub, whole.inbox, clock.now() + (whole.hub.settings.replay_days + 1) * DAY)
    shown = page(whole, mine)
    assert (shown["body"], shown["canonical"]) == (None, None)
    assert "no longer kept" in shown["canonical_missing"]


def test_bodies_are_masked_where_the_setting_says_so(empty_engine: Engine, tmp_path: Path) -> None:
    whole = Whole(empty_engine, tmp_path / "hub", mask_bodies=True)
    (mine,) = whole.receives(
        {"type": "identify", "userId": "ada", "traits": {"email": "ada@example.com"}, "timestamp": iso(clock.now())}
    )
    whole.applies()
    shown = page(whole, mine)
    assert shown["is_masked"]
    assert shown["body"]["traits"] == {"email": "***"}
    assert shown["canonical"]["profile"] == {"email": "***"}
    assert shown["canonical"]["verdict"] == "apply"
    assert "ada@example.com" not in str(shown)
    with pytest.raises(ConfigurationError, match="HUB_MASK_BODIES"):
        preview_message(whole.hub, (whole.web.id, mine))
    whole.close()


def test_the_secrets_of_its_source_are_masked_in_a_body(whole: Whole) -> None:
    secret = next(iter(whole.web.secrets.values()))
    mine = signs_up(whole, writeKey=secret)
    whole.applies()
    assert secret not in str(page(whole, mine))


def test_a_preview_shows_what_a_message_would_send_and_sends_nothing(whole: Whole) -> None:
    whole.connect("crm", "events")
    mine = signs_up(whole)
    (odd, _) = receives_odd_ones(whole)

    found = preview_message(whole.hub, (whole.web.id, mine))

    (request,) = found["requests"]
    assert (request["destination"], request["operation"], request["method"]) == ("crm", "events", "POST")
    assert request["body"]["events"][0]["name"] == "Signed Up"
    assert not whole.simulators["crm"].calls()
    assert preview_message(whole.hub, (whole.web.id, mine), "crm")["requests"] == found["requests"]
    assert preview_message(whole.hub, (whole.web.id, odd))["requests"] == []
    with pytest.raises(ConfigurationError, match="no destination 'nobody'"):
        preview_message(whole.hub, (whole.web.id, mine), "nobody")


def test_a_dismissed_message_is_ignored_with_the_operators_words_and_the_books_balance(whole: Whole) -> None:
    first, second = receives_odd_ones(whole)
    assert dismiss(whole, first, is_dry=True) == {"matching": 1}
    assert whole.messages()[first] == ("quarantined", "not_json")

    assert dismiss(whole, first, because=" A test of ours. ") == {"matching": 1, "dismissed": 1}

    assert whole.messages() == {first: ("ignored", "dismissed"), second: ("quarantined", "not_json")}
    assert "A test of ours." in page(whole, first)["caused"]["sync_run"]["detail"]
    with read(whole.engine) as database:
        entry = ledger.audits(database).items[0]
    assert (entry.action, entry.detail["because"]) == ("messages.dismissed", "A test of ours.")
    assert entry.detail["reasons"] == {"not_json": 1}
    books = whole.books()
    assert dict(books.reasons["ignored"]) == {"dismissed": 1}
    assert (books.terms["accepted"], books.terms["quarantined"]) == (2, 1)


def test_only_what_is_quarantined_is_dismissed_and_never_without_a_reason(whole: Whole) -> None:
    mine = signs_up(whole)
    whole.applies()
    assert dismiss(whole, mine) == {"matching": 0}
    assert whole.messages()[mine][0] == "applied"
    receives_odd_ones(whole)
    for words in ("", "  ", "x" * 501):
        with pytest.raises(ConfigurationError, match="needs a reason"):
            dismiss(whole, because=words)


def test_many_are_dismissed_in_pages_and_a_replay_takes_it_back(whole: Whole, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("hub.admin.dismissals.PAGE", 2)
    odd = receives_odd_ones(whole, 5)
    assert dismiss(whole) == {"matching": 5, "dismissed": 5}
    assert set(whole.messages().values()) == {("ignored", "dismissed")}
    back = MessageFilter(keys=((whole.web.id, odd[0]),))
    assert replay_messages(whole.hub, back, clock.now(), "tests", is_dry=False) == {"matching": 1, "quarantined": 1}
    assert whole.messages()[odd[0]] == ("quarantined", "not_json")
    whole.books()


def test_a_dismissed_message_is_pruned_like_any_other_and_stays_counted(whole: Whole) -> None:
    receives_odd_ones(whole)
    dismiss(whole)
    tidy(whole.hub, whole.inbox, clock.now() + (whole.hub.settings.seen_days + 1) * DAY)
    assert whole.messages() == {}
    assert dict(whole.books().reasons["ignored"]) == {"dismissed": 2}


def test_the_headers_of_its_request_are_kept_but_no_secret_and_nobodys_address(whole: Whole) -> None:
    mine = "headed"
    headers = {"content-type": "application/json", "user-agent": "Segment/1.0 " + "x" * 300, "content-length": "7"}
    secret = {
        "authorization": "Basic c2VjcmV0",
        "x-signature": "abc",
        "x-forwarded-for": "203.0.113.9",
        "cookie": "c=1",
    }
    raw = RawMessage(b'{"type":"identify","userId":"ada"}', mine)
    whole.inbox.append(AcceptedRequest(whole.web.id, clock.now(), [raw], kept_headers(headers | secret)))
    whole.applies()

    shown = page(whole, mine)["headers"]
    assert shown["content-type"] == "application/json"
    assert len(shown["user-agent"]) == 200
    assert {shown[name] for name in secret} == {"***"}
    assert "content-length" not in shown
    assert len(kept_headers({f"x-{number}-{'y' * 50}": "" for number in range(99)})) < 2_000
    whole.erases("ada")
    assert not [place for place in whole.places("segment/1.0") if place.startswith("message.")]


def refuses(whole: Whole, body: bytes = b'{"userId":"ada"}', **settings: Any) -> None:
    """A webhook with a wrong signature comes to the door."""
    hub = whole.hub
    live = LiveConnections(hub)
    connection = live.snapshot().connections[whole.web.id]
    door = SourceDoor(whole.web.id, live.snapshot().sources[whole.web.id])
    taking = Door(whole.inbox, lambda _: door, hub.settings.model_copy(update=settings), RememberedErasures(hub))
    headers = {"content-type": "application/json", "x-signature": "wrong"}
    reply = taking.answer(
        str(connection.source_key), HttpRequest("POST", "", {}, headers, "", lambda _: body), clock.now()
    )
    assert reply.status == 401
    whole.inbox.close()  # what is counted is written


def refused(whole: Whole, **wanted: Any) -> list[dict[str, Any]]:
    with read(whole.engine) as database:
        filters = RecordFilter(**wanted)
        return refused_requests(whole.hub, database, whole.inbox, filters, 9, clock.now())


def test_a_refused_request_is_seen_for_an_hour_without_its_secrets(whole: Whole) -> None:
    refuses(whole)
    (shown,) = refused(whole, reason="signature_invalid", since=clock.now() - DAY)
    assert (shown["body"], shown["connection"]) == ({"userId": "ada"}, whole.web.name)
    assert shown["headers"] == {"content-type": "application/json", "x-signature": "***"}
    tidy(whole.hub, whole.inbox, clock.now())
    assert refused(whole)
    tidy(whole.hub, whole.inbox, clock.now() + HOUR)
    assert refused(whole) == []


def test_no_refused_body_outlives_an_erasure(whole: Whole) -> None:
    refuses(whole)
    whole.erases("ada")
    tidy(whole.hub, whole.inbox, clock.now())
    assert refused(whole) == []


def test_refused_bodies_are_not_kept_where_the_setting_says_so(whole: Whole) -> None:
    refuses(whole, keep_refused=False)
    assert refused(whole) == []
    assert whole.inbox.refusals()
