"""ActiveCampaign: imports and their poll, events' data, the shared budget, what `check` and `prepare` find."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest
from pydantic import ValidationError

from connectors.activecampaign.answers import classify, words
from connectors.activecampaign.bulk import ALONE
from connectors.activecampaign.connector import ActiveCampaign
from connectors.activecampaign.events import eventdata
from connectors.activecampaign.fields import text
from connectors.activecampaign.settings import ActiveCampaignSettings, MessageOptions
from connectors.activecampaign.simulator import ActiveCampaignSimulator
from hub.registry.discovery import discover, get
from hub.sdk.errors import AuthFailed, ConfigurationError, Permanent, RateLimited, Unreadable
from hub.sdk.flow import run_flow
from hub.sdk.json import dumps
from hub.sdk.kit.bench.bench import Bench, in_memory
from hub.sdk.values import (
    Accepted,
    Again,
    AnyPush,
    Finding,
    Operation,
    Pending,
    Progress,
    Rejected,
    Request,
    Response,
    Waiting,
    Wanted,
)

NOW = datetime(2026, 3, 14, 9, 0, tzinfo=UTC)


@pytest.fixture
def bench() -> Bench:
    return in_memory(get(discover(), "activecampaign").subject())


def simulator(bench: Bench) -> ActiveCampaignSimulator:
    assert isinstance(bench.simulator, ActiveCampaignSimulator)
    return bench.simulator


def connector(**settings: Any) -> ActiveCampaign:
    given = {"base_url": "https://acme.api-us1.com", "api_token": "token", **settings}
    return ActiveCampaign(ActiveCampaignSettings.model_validate(given))


def answer(status: int, body: Any, **headers: str) -> Response:
    return Response(status, headers, body if isinstance(body, bytes) else dumps(body), NOW)


def profiles(bench: Bench, count: int, **bad: dict[str, Any]) -> list[AnyPush]:
    return bench.pushes(Operation.PROFILES, count, 0, {int(name[1:]): fields for name, fields in bad.items()})


def found_by(bench: Bench, flow: Any) -> list[Finding]:
    classify_ = bench.destination.classify
    # so that what a call makes stale is forgotten
    send = bench.kept.through(bench.send, classify_, lambda: bench.clock().timestamp())
    return list(run_flow([], flow, send, classify_, lambda _reports: None).value)


# ── imports ──────────────────────────────────────────────────────────────────────────────────────────────────────


def test_ten_waiting_profiles_go_in_one_import(bench: Bench):
    results = bench.settle(profiles(bench, 10))

    assert all(isinstance(one, Accepted) for one in results.values())
    assert len(simulator(bench).imports) == 1
    assert not simulator(bench).calls("/api/3/contact/sync")
    assert simulator(bench).profiles["1"]["fields"] == {"SOURCE_ID": "person-0", "LOYALTY_TIER": "gold"}
    assert simulator(bench).profiles["1"]["firstName"] == "Ada"


def test_a_contact_of_a_bad_form_fails_the_import_and_its_neighbours_go_again(bench: Bench):
    pushes = profiles(bench, 12, p5={"email": "not an address"})
    results = bench.settle(pushes)

    culprit = results.pop(pushes[5].delivery_id)
    assert isinstance(culprit, Rejected)
    assert culprit.reason == "Field 'email' incorrect format"
    assert all(isinstance(one, Accepted) for one in results.values())
    assert len(simulator(bench).profiles) == 11


def test_a_bare_address_among_the_failures_is_sent_by_itself_to_learn_why(bench: Bench):
    pushes = profiles(bench, 12, p5={"email": "Ada@InvalidDomain"})
    results = bench.settle(pushes)

    culprit = results.pop(pushes[5].delivery_id)
    assert isinstance(culprit, Rejected)
    assert culprit.reason == "Email address is not valid."
    assert [call.json()["contact"]["email"] for call in simulator(bench).calls("/api/3/contact/sync")] == [
        "Ada@InvalidDomain"
    ]
    assert all(isinstance(one, Accepted) for one in results.values())


def test_a_field_the_account_lacks_is_told_after_an_import_too(bench: Bench):
    results = bench.settle(profiles(bench, 10, p3={"SHOE_SIZE": 38}))

    notices = [one.notices for one in results.values() if isinstance(one, Accepted) and one.notices]
    assert len(notices) == 1
    assert "no such custom fields: SHOE_SIZE" in notices[0][0]


def test_a_backfill_goes_by_import_and_starts_no_automation(bench: Bench):
    results = bench.settle([replace(push, quiet=True) for push in profiles(bench, 3)])

    assert all(isinstance(one, Accepted) for one in results.values())
    assert simulator(bench).automated == []
    assert len(simulator(bench).profiles) == 3


def test_a_failed_contact_of_a_backfill_is_not_sent_aloud(bench: Bench):
    pushes = [replace(push, quiet=True) for push in profiles(bench, 2, p1={"email": "ada@invaliddomain"})]
    results = bench.settle(pushes)

    refused = results[pushes[1].delivery_id]
    assert isinstance(refused, Rejected)
    assert refused.code == "not_imported"
    assert not simulator(bench).calls("/api/3/contact/sync")


def polled(body: Any, status: int = 200, token: str = "b-1") -> list[Any]:
    """What a poll reports of one waiting contact when ActiveCampaign answers so."""
    destination = connector()
    waiting, reports = [Waiting("D1", "ana@example.com")], []
    run_flow(
        waiting,
        destination.poll(token, waiting),
        lambda _request: answer(status, body),
        destination.classify,
        reports.extend,
    )
    return reports


@pytest.mark.parametrize("status", ["waiting", "claimed", "active"])
def test_an_import_under_way_is_asked_after_again(status: str):
    assert isinstance(polled({"status": status})[0], Pending)


@pytest.mark.parametrize("status", ["failed", "interrupted", "of a new kind", None])
def test_an_import_that_did_not_end_well_is_tried_again(status: str | None):
    assert isinstance(polled({"status": status})[0], Again)


def test_an_import_nobody_knows_is_tried_again():
    assert isinstance(polled({"success": 0, "message": "'batchId' is a required field."}, 400)[0], Again)


def test_addresses_are_compared_whatever_their_case():
    assert polled({"status": "completed", "success": ["1"], "failure": ["ANA@example.com"]})[0] == Progress("D1", ALONE)


def test_an_import_that_took_nobody_is_no_success():
    assert polled({"status": "completed", "success": [], "failure": []})[0] == Progress("D1", ALONE)


def test_an_import_of_a_single_contact_draws_on_the_narrower_limit(bench: Bench):
    sent: list[Request] = []

    def send(request: Request) -> Response:
        sent.append(request)
        return own(request)

    own = bench.send
    bench.send = send
    bench.settle([replace(push, quiet=True) for push in profiles(bench, 1)])
    bench.settle([replace(push, quiet=True) for push in profiles(bench, 2)])

    pools = [tuple(one.pools or ()) for one in sent if one.method == "POST"]
    assert pools == [("account", "single_imports"), ("account", "imports")]


def test_ten_who_enter_an_audience_are_tagged_in_one_import(bench: Bench):
    bench.known(Operation.AUDIENCE, 10)
    results = bench.settle(bench.pushes(Operation.AUDIENCE, 10))

    assert all(isinstance(one, Accepted) for one in results.values())
    assert simulator(bench).tags == {"11": "segment:vip"}
    assert len(simulator(bench).account.contact_tags) == 10
    assert not simulator(bench).calls("/api/3/contactTags")


def test_a_member_tagged_by_import_can_leave_without_a_remembered_id(bench: Bench):
    pushes = bench.pushes(Operation.AUDIENCE, 10)
    bench.settle(pushes)
    leaving = replace(pushes[3], delivery_id="L" * 26, member=False)  # type: ignore[call-arg] # an audience change has a member

    assert isinstance(bench.settle([leaving])["L" * 26], Accepted)
    assert len(simulator(bench).account.contact_tags) == 9


def test_a_backfilled_audience_starts_no_automation(bench: Bench):
    results = bench.settle([replace(push, quiet=True) for push in bench.pushes(Operation.AUDIENCE, 2)])

    assert all(isinstance(one, Accepted) for one in results.values())
    assert len(simulator(bench).account.contact_tags) == 2
    assert simulator(bench).automated == []


def test_codes_for_a_field_trigger_go_by_import(bench: Bench):
    options = MessageOptions(start="field")
    bench.known(Operation.MESSAGES, 12)
    results = bench.settle([replace(push, options=options) for push in bench.pushes(Operation.MESSAGES, 12)])

    assert all(isinstance(one, Accepted) for one in results.values())
    assert simulator(bench).account.value("1", "INCENTIVE_CODE") == "SPRING-0"
    assert len(simulator(bench).imports) == 2


def test_codes_without_a_field_are_refused_before_an_import(bench: Bench):
    options = MessageOptions(start="field", code_attribute="GIFT")
    results = bench.settle([replace(push, options=options) for push in bench.pushes(Operation.MESSAGES, 12)])

    assert {one.code for one in results.values() if isinstance(one, Rejected)} == {"missing_field"}
    assert len(results) == 12
    assert simulator(bench).imports == {}


def test_a_quiet_consent_goes_by_import_and_revives_nobody(bench: Bench):
    bench.known(Operation.CONSENT, 2)
    simulator(bench).profiles["1"]["lists"]["4"] = "2"
    results = bench.settle([replace(push, quiet=True) for push in bench.pushes(Operation.CONSENT, 2)])

    assert [simulator(bench).profiles[one]["lists"]["4"] for one in ("1", "2")] == ["2", "1"]
    assert all("all but those who unsubscribed" in one.notices[0] for one in results.values())  # type: ignore[union-attr] # anything else has no notices and fails here
    assert not simulator(bench).calls("/api/3/contactLists")


def test_a_quiet_message_writes_the_code_and_starts_nothing(bench: Bench):
    bench.known(Operation.MESSAGES, 1)
    (push,) = bench.pushes(Operation.MESSAGES, 1)
    bench.settle([replace(push, quiet=True)])

    assert simulator(bench).account.value("1", "INCENTIVE_CODE") == "SPRING-0"
    assert simulator(bench).messages == []
    assert simulator(bench).automated == []


def test_a_person_under_a_new_address_is_tagged_where_the_contact_still_is(bench: Bench):
    bench.settle(profiles(bench, 1))
    bench.remembered.clear()
    (push,) = bench.pushes(Operation.AUDIENCE, 1)
    moved = replace(push.person, email="new@example.com", previous={"email": "ada0@example.com"})
    bench.settle([replace(push, person=moved)])

    assert list(simulator(bench).profiles) == ["1"]
    assert [contact for contact, _ in simulator(bench).account.contact_tags.values()] == ["1"]


# ── limits and answers ───────────────────────────────────────────────────────────────────────────────────────────


def test_every_route_and_every_call_draws_on_the_one_budget_of_the_account(bench: Bench):
    sent: list[Request] = []
    own = bench.send

    def send(request: Request) -> Response:
        sent.append(request)
        return own(request)

    bench.send = send
    for operation in bench.destination.Options:
        bench.settle(bench.pushes(operation, 1))

    assert all("account" in route.pools for route in bench.destination.routes().values())
    assert all("account" in (request.pools or ()) for request in sent)
    assert [(rate.count, rate.per_s) for rate in bench.destination.pools()["account"].rates] == [(5, 1)]


def test_connections_to_one_account_share_its_limits_whatever_the_key():
    mine, other = connector(), connector(base_url="https://ACME.api-us1.com/api/3/", api_token="another")

    assert mine.account() == other.account()
    assert mine.account() != connector(base_url="https://other.api-us1.com").account()
    assert mine.hosts() == {"api": "https://acme.api-us1.com", "events": "https://trackcmp.net"}


def test_too_many_imports_are_waited_out_for_a_minute():
    body = {"success": 0, "message": "Rate limit exceeded.", "failureReasons": ["Up to 100 imports."]}
    error = classify(Request("POST", "/api/3/import/bulk_import"), answer(400, body))

    assert isinstance(error, RateLimited)
    assert error.until is not None
    assert (error.until - NOW).total_seconds() == 60
    assert "imports" in error.pools
    assert "account" not in error.pools


def test_the_sixth_call_of_a_second_is_refused_with_a_time():
    vendor = ActiveCampaignSimulator(is_throttling=True, clock=lambda: NOW)
    bench = in_memory(get(discover(), "activecampaign").subject())
    vendor_answers = [vendor.answer(_asked(bench)) for _ in range(6)]

    assert [one.status for one in vendor_answers] == [200] * 5 + [429]
    assert vendor_answers[0].headers == {"RateLimit-Limit": "5", "RateLimit-Remaining": "4"}
    assert vendor_answers[5].headers["retry-after"] == "1"


def _asked(bench: Bench) -> Any:
    from hub.sdk.kit.simulator.exchange import SimRequest

    return SimRequest("GET", "/api/3/users/me", headers={"api-token": bench.simulator.example_settings()["api_token"]})


@pytest.mark.parametrize(
    ("status", "body", "error"),
    [
        (200, b"<html>login</html>", AuthFailed),
        (200, b"", Unreadable),
        (200, {"succeeded": 0}, Permanent),
        (200, {"Success": 1}, type(None)),
        (200, {"success": ["1"]}, type(None)),
        (200, {"success": []}, type(None)),
        (400, {}, Permanent),
        (402, {}, AuthFailed),
        (403, {"message": "Forbidden"}, AuthFailed),
        (403, {"message": "Could not create SubscriberSeries"}, Permanent),
    ],
)
def test_what_an_answer_means(status: int, body: Any, error: type):
    assert type(classify(Request("POST", "/api/3/x"), answer(status, body))) is error


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ({"errors": [{"title": "Not Found", "detail": "Contact not found"}]}, "Contact not found"),
        ({"errors": [{"title": "Taken", "code": "duplicate"}]}, "Taken"),
        ({"message": "No.", "failureReasons": [{"contact": 0, "failureReason": "Bad."}, "Slow."]}, "Bad. Slow. No."),
        ({"message": "Could not", "error": "Duplicate entry"}, "Could not Duplicate entry"),
        ({"errors": "odd", "failureReasons": None}, ""),
        ([1], ""),
    ],
)
def test_the_vendor_words_are_found_wherever_they_stand(body: Any, said: str):
    assert words(answer(422, body)) == said


# ── values ───────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("value", "kind", "written"),
    [
        (None, "text", ""),
        (False, "text", "false"),
        (9_223_372_036_854_775_807, "number", "9223372036854775807"),
        (["a", 1, True], "listbox", "||a||1||true||"),
        ([], "listbox", ""),
        ({"shoe": 38}, "text", '{"shoe":38}'),
        ("1931-07-04", "date", "1931-07-04"),
        ("2026-03-14T09:00:00.123Z", "date", "2026-03-14"),
        ("2026-03-14T09:00:00.123Z", "datetime", "2026-03-14T09:00:00+00:00"),
        ("2026-03-14T09:00:00.123Z", "text", "2026-03-14T09:00:00.123Z"),
    ],
)
def test_all_values_are_texts_on_the_wire(value: Any, kind: str, written: str):
    assert text(value, kind) == written


@pytest.mark.parametrize(
    ("properties", "most", "written", "left_out"),
    [
        ({"a": 1, "b": "x" * 300}, 255, '{"a":1}', ["b"]),
        ({"a": "x" * 300}, 255, "", ["a"]),
        ("SPRING", 255, "SPRING", []),
        ("SPRING", 3, "", ["the value"]),
        (None, 255, "", []),
        ({}, 255, "", []),
    ],
)
def test_eventdata_is_whole_or_not_there(properties: Any, most: int, written: str, left_out: list[str]):
    assert eventdata(properties, most) == (written, left_out)


@pytest.mark.parametrize("start", ["automation", "automation:x", "tag:", "event:", "event:" + "x" * 33, "letter:1", ""])
def test_a_start_must_name_what_it_starts(start: str):
    with pytest.raises(ValidationError, match="start"):
        MessageOptions.model_validate({"start": start})


def test_a_code_whose_start_may_be_repeated_takes_a_route_that_says_so(bench: Bench):
    routes = bench.destination.routes()
    (push,) = bench.pushes(Operation.MESSAGES, 1)
    starts = {"automation:42": "duplicates", "event:e": "duplicates", "tag:t": "safe", "field": "safe"}
    for start, repeat in starts.items():
        options = MessageOptions(start=start)
        (item,) = bench.destination.items(replace(push, options=options))  # type: ignore[misc] # a refusal has no items and fails here
        assert routes[item.route].repeat == repeat


# ── check and prepare ────────────────────────────────────────────────────────────────────────────────────────────


def test_check_says_when_event_tracking_is_off(bench: Bench):
    simulator(bench).tracking = False

    assert [one.level for one in found_by(bench, bench.destination.check())] == ["ok", "warning"]


def test_a_good_check_lets_a_paused_connection_go_on_by_itself(bench: Bench):
    assert {one.level for one in found_by(bench, bench.destination.check())} == {"ok"}


def test_a_wrong_event_key_pauses_the_events_alone():
    body = {"success": 0, "message": "The event key is not valid."}
    error = classify(Request("POST", "/event", host="events"), answer(200, body))

    assert isinstance(error, AuthFailed)
    assert error.response is not None
    assert error.response.status == 403  # which the hub answers by pausing the route, not the connection


def test_prepare_makes_missing_fields_shows_them_and_lists_events(bench: Bench):
    wanted = Wanted({Operation.PROFILES: {"email": "string", "SOURCE_ID": "string", "SHOE_SIZE": "number"}}, ["Seen"])
    findings = found_by(bench, bench.destination.prepare(wanted))
    made = [one for one in simulator(bench).account.fields.values() if one["perstag"] == "SHOE_SIZE"]

    assert [one.text for one in findings] == ["Made the custom field SHOE_SIZE (number)."]
    assert [(one["type"], one["title"], one["relid"]) for one in made] == [("number", "Shoe Size", 0)]
    assert simulator(bench).account.event_names == ["Seen"]
    assert found_by(bench, bench.destination.prepare(wanted)) == []


def test_a_field_that_prepare_made_is_used_at_once(bench: Bench):
    bench.settle(profiles(bench, 1))
    found_by(bench, bench.destination.prepare(Wanted({Operation.PROFILES: {"SHOE_SIZE": "number"}})))
    bench.settle(profiles(bench, 1, p0={"SHOE_SIZE": 38}))

    assert simulator(bench).account.value("1", "SHOE_SIZE") == "38"


def test_a_title_that_is_taken_is_a_finding(bench: Bench):
    simulator(bench).account.add_field("99", "Shoe Size", "SIZE_OF_SHOE", "text")
    findings = found_by(bench, bench.destination.prepare(Wanted({Operation.PROFILES: {"SHOE_SIZE": "number"}})))

    assert [one.level for one in findings] == ["warning"]
    assert "set it to SHOE_SIZE" in findings[0].text


def test_more_fields_than_a_page_holds_are_all_known(bench: Bench):
    account = simulator(bench).account
    for number in range(100, 300):
        account.add_field(str(number), f"Field {number}", f"FIELD_{number}", "text")
    bench.settle(profiles(bench, 1, p0={"FIELD_299": "last"}))

    assert account.value("1", "FIELD_299") == "last"


def test_a_user_who_may_not_make_fields_is_told(bench: Bench):
    own: Callable[[Request], Response] = bench.send
    bench.send = lambda request: answer(403, {"message": "Forbidden"}) if request.method == "POST" else own(request)
    findings = found_by(bench, bench.destination.prepare(Wanted({Operation.PROFILES: {"SHOE_SIZE": "number"}})))

    assert [one.level for one in findings] == ["error"]
    assert "Forbidden" in findings[0].text


def test_settings_without_a_web_address_are_refused():
    from hub.sdk.declared import build

    with pytest.raises(ConfigurationError, match="base_url"):
        build(ActiveCampaign, {"base_url": "acme"}, {"api_token": "token"})
