"""What Airship's answers mean, what the connector declares, and what becomes of a profile that is interrupted."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from connectors.airship import validation
from connectors.airship.connector import Airship
from connectors.airship.simulator import AirshipSimulator
from hub.mapping.outbound import compile_outbound
from hub.mapping.versions.files import Folders, read_file
from hub.registry.discovery import discover, get
from hub.sdk.contract import Flow
from hub.sdk.declared import build
from hub.sdk.errors import (
    AuthFailed,
    ConfigurationError,
    DeliveryError,
    Permanent,
    RateLimited,
    Retryable,
    Split,
    Unreadable,
)
from hub.sdk.flow import run_flow
from hub.sdk.kit.bench.bench import Bench, in_memory, over_http
from hub.sdk.values import Accepted, Basic, Finding, Operation, Request, Response, Wanted

NOW = datetime(2026, 3, 14, 9, tzinfo=UTC)
FOUND = get(discover(), "airship")
SUBJECT = FOUND.subject()


@pytest.fixture
def bench() -> Bench:
    return in_memory(SUBJECT)


def connector(**settings: Any) -> Airship:
    return build(Airship, {**AirshipSimulator.example_settings(), **settings}, {})


def answer(status: int, body: bytes = b"", **headers: str) -> Response:
    return Response(status, headers, body, NOW)


def findings(flow: Flow) -> list[Finding]:
    with pytest.raises(StopIteration) as end:
        next(flow)
    found: list[Finding] = end.value.value
    return found


# ── answers ──────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("response", "error"),
    [
        (answer(200, b'{"ok":true}'), None),
        (answer(202, b'{"ok":true,"push_ids":["p"]}'), None),
        (answer(200, b'{"ok":true,"warning":"Unknown attributes: x"}'), None),
        (answer(200, b'{"ok":false,"error":"no"}'), Permanent),
        (answer(200, b'{"hello":1}'), Unreadable),
        (answer(200, b"<html>"), Unreadable),
        (answer(202, b""), None),
        (answer(400, b'{"ok":false}'), Permanent),
        (answer(401, b"Unauthorized"), AuthFailed),
        (answer(403, b"{}"), AuthFailed),
        (answer(404, b"{}"), Permanent),
        (answer(406, b"{}"), Permanent),
        (answer(413, b"{}"), Split),
        (answer(429, b"{}"), RateLimited),
        (answer(503, b"{}"), Retryable),
    ],
)
def test_each_answer_means_what_airship_says_it_means(response: Response, error: type[DeliveryError] | None) -> None:
    def flow() -> Flow:
        yield Request("POST", "/api/named_users/cust_1")

    end = run_flow([], flow(), lambda _: response, connector().classify, lambda _: None)
    assert type(end.error) is (error or type(None))


@pytest.mark.parametrize(("path", "is_unknown"), [("/api/create-and-send", True), ("/api/named_users/tags", False)])
def test_after_a_5xx_create_and_send_may_have_sent_already(path: str, is_unknown: bool) -> None:
    error = connector().classify(Request("POST", path), answer(500, b"{}"))
    assert isinstance(error, Retryable)
    assert error.unknown is is_unknown


def test_a_call_without_version_3_is_answered_406(bench: Bench) -> None:
    response = bench.send(Request("GET", "/api/named_users", query={"id": "cust_1"}))
    assert response.status == 406


def test_the_vendors_words_reach_the_operator(bench: Bench) -> None:
    (push,) = bench.pushes(Operation.EVENTS, 1, fields={0: {"properties": {"note": "x" * 256}}})
    refused = bench.settle([push])[push.delivery_id]
    assert refused.reason == ("Could not parse request body. [0].body.properties a string has at most 255 characters")
    assert refused.code == "40001"


# ── set-up ───────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("settings", "api", "token_host"),
    [
        ({}, "https://go.urbanairship.com", "https://oauth2.asnapius.com"),
        ({"region": "eu"}, "https://go.airship.eu", "https://oauth2.asnapieu.com"),
        ({"credentials": "oauth"}, "https://api.asnapius.com", "https://oauth2.asnapius.com"),
        ({"credentials": "oauth", "region": "eu"}, "https://api.asnapieu.com", "https://oauth2.asnapieu.com"),
    ],
)
def test_region_and_credentials_choose_the_host(settings: dict[str, str], api: str, token_host: str) -> None:
    assert connector(**settings).hosts() == {"api": api, "oauth": token_host}


@pytest.mark.parametrize(
    ("settings", "missing"),
    [
        ({"token": ""}, "token must be set"),
        ({"credentials": "basic", "master_secret": ""}, "master_secret must be set"),
        ({"credentials": "oauth", "client_id": "", "client_secret": ""}, "client_id and client_secret must be set"),
    ],
)
def test_credentials_that_are_missing_are_named(settings: dict[str, str], missing: str) -> None:
    with pytest.raises(ConfigurationError, match=missing):
        connector(**settings)


def test_an_oauth_client_fetches_its_token_and_delivers() -> None:
    with over_http(SUBJECT, {"credentials": "oauth", "token": ""}) as bench:
        pushes = bench.pushes(Operation.PROFILES, 2)
        assert all(isinstance(one, Accepted) for one in bench.settle(pushes).values())
        (asked, *again) = [call for call in bench.simulator.received if call.host == "oauth"]
        assert asked.path == "/token"
        assert asked.body == b"grant_type=client_credentials&sub=app%3AQGk9sTqAStiHUnwUvcl8gw&scope=evt+nu+chn+psh"
        assert again == []


def test_with_the_master_secret_check_warns_of_custom_events() -> None:
    destination = connector(credentials="basic")
    assert isinstance(destination.auth()["api"], Basic)
    flow = destination.check()
    next(flow)
    with pytest.raises(StopIteration) as end:
        flow.send(answer(200, b'{"ok":true}'))
    assert [found.level for found in end.value.value] == ["ok", "warning"]


def test_prepare_says_what_only_the_dashboard_can_make() -> None:
    fields = {
        "email_channel.address": "string",
        "attributes.first_name": "string",
        "attributes.points": "number",
        "attributes.renewal": "date",
        "attributes.tags": "string",
        "attributes.+tags": "list",
    }
    found = findings(connector().prepare(Wanted({Operation.PROFILES: fields}, audiences=["vip"])))
    own, known, flags, audiences = [one.text for one in found]
    assert "points (Number), renewal (Date), tags (Text)" in own
    assert "first_name" in known
    assert "points" not in known
    assert "hub_flags" in flags
    assert "hub_segments" in audiences
    assert findings(connector().prepare(Wanted())) == []


# ── profiles ─────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("struck", range(4))
def test_a_profile_interrupted_at_any_call_is_whole_after_the_next_attempt(bench: Bench, struck: int) -> None:
    sms = {"sms_channel": {"msisdn": "48500000000", "opted_in": "2026-01-15T09:30:00Z"}}
    (push,) = bench.pushes(Operation.PROFILES, 1, fields={0: sms})
    bench.simulator.next("accepted_then_reset", after=struck)
    bench.settle([push])
    again = bench.settle(bench.pushes(Operation.PROFILES, 1, fields={0: sms}))

    assert isinstance(again[push.delivery_id], Accepted)
    person = bench.simulator.profiles["person-0"]
    assert len(person["channels"]) == len(bench.simulator.state()["channels"]) == 2
    assert person["attributes"] == {"first_name": "Ada", "points": 120}
    assert set(bench.remembered["person-0"]) == {"email_channel", "sms_channel"}
    assert bench.simulator.state()["opt_in_texts"] == []


def test_a_new_address_leaves_the_old_one_without_messages(bench: Bench) -> None:
    bench.settle(bench.pushes(Operation.PROFILES, 1))
    push = bench.pushes(Operation.PROFILES, 1, fields={0: {"email_channel": {"address": "ada@example.org"}}})[0]
    push = _with_person(push, previous={"email": "ada0@example.com"})
    assert isinstance(bench.settle([push])[push.delivery_id], Accepted)
    assert [one["address"] for one in bench.simulator.state()["channels"].values()] == ["ada@example.org"]


def test_a_new_phone_takes_the_place_of_the_old_one(bench: Bench) -> None:
    for number in ("48500000000", "48500000009"):
        sms = {"sms_channel": {"msisdn": number, "opted_in": "2026-01-15T09:30:00Z"}}
        bench.settle(bench.pushes(Operation.PROFILES, 1, fields={0: sms}))
    channels = bench.simulator.state()["channels"]
    mine = [channels[one]["address"] for one in bench.simulator.profiles["person-0"]["channels"]]
    assert mine == ["ada0@example.com", "48500000009"]


def test_a_new_phone_without_consent_leaves_the_old_one_without_messages(bench: Bench) -> None:
    sms = {"msisdn": "48500000000", "opted_in": "2026-01-15T09:30:00Z"}
    bench.settle(bench.pushes(Operation.PROFILES, 1, fields={0: {"sms_channel": sms}}))
    (push,) = bench.pushes(Operation.PROFILES, 1, fields={0: {"sms_channel": {"msisdn": "48500000009"}}})
    push = _with_person(push, previous={"phone": "+48500000000"})
    assert isinstance(bench.settle([push])[push.delivery_id], Accepted)
    channels = bench.simulator.state()["channels"]
    assert [channels[one]["type"] for one in bench.simulator.profiles["person-0"]["channels"]] == ["email"]
    assert "sms_channel" not in bench.remembered["person-0"]


def test_more_attributes_than_a_call_takes_go_in_several(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    points = {f"points_{n}": n for n in range(231)}
    monkeypatch.setattr(validation, "ATTRIBUTES", dict.fromkeys(points, "number"))
    flags = {f"flag_{n}": True for n in range(120)}
    (push,) = bench.pushes(Operation.PROFILES, 1, fields={0: {"attributes": points | flags}})
    assert isinstance(bench.settle([push])[push.delivery_id], Accepted)
    sent = [call.json() for call in bench.simulator.calls("/api/named_users/person-0")]
    assert [len(body["attributes"]) for body in sent] == [100, 100, 31]
    assert [len(body.get("tags", {}).get("add", {}).get("hub_flags", [])) for body in sent] == [100, 20, 0]
    assert len(bench.simulator.profiles["person-0"]["attributes"]) == 231


def test_metadata_keeps_airships_naming_rules_and_a_code_that_looks_like_a_date_stays_one() -> None:
    profile = {
        "source_id": "cust_1",
        "phone": "+48500000000",
        "metadata": {"Loyalty Tier": "gold", "vip": True, "lapsed": False, "size": {"shoe": 38}, "tags": ["a", "b"],
                     "renewal": "2026-05-01", "seen": "2026-03-01T10:15:00.250Z"},
    }  # fmt: skip
    mapped = _mapping().apply("profiles", {"profile": profile, "code": {"code": "2026-05-01"}, "options": {}})
    assert mapped.fields["attributes"] == {
        "mobile_phone": 48500000000,
        "incentive_code": "2026-05-01",
        "loyalty_tier": "gold",
        "+tags": ["vip"],
        "-tags": ["lapsed"],
        "size_shoe": 38,
        "tags": "a, b",
        "renewal": "2026-05-01T00:00:00Z",
        "seen": "2026-03-01T10:15:00Z",
    }
    assert mapped.warnings == ()


@pytest.mark.parametrize(
    ("status", "expected"),
    [
        ("granted", {"commercial_opted_in": "2026-01-15T09:30:00Z"}),
        ("denied", {"commercial_opted_out": "2026-01-15T09:30:00Z"}),
        ("unknown", {}),
    ],
)
def test_the_email_channel_says_when_the_person_decided(status: str, expected: dict[str, str]) -> None:
    consents = {"email": {"status": status, "at": "2026-01-15T09:30:00.500Z"}}
    profile = {"email": "ada@example.com", "locale": "pl-PL", "consents": consents}
    channel = _mapping().apply("profiles", {"profile": profile, "options": {}}).fields["email_channel"]
    assert channel == {"address": "ada@example.com", "locale_country": "PL", "locale_language": "pl", **expected}


@pytest.mark.parametrize(
    ("operation", "scope", "fields"),
    [
        ("audience", {"audience": {"key": "vip", "name": "VIP", "member": True}}, {"tag": "vip"}),
        ("consent", {"consent": {"topic": "email", "at": "2026-01-15T09:30:00.500Z"}}, {"at": "2026-01-15T09:30:00Z"}),
        ("consent", {"consent": {"topic": "email"}}, {}),
        ("events", {"event": {"name": "Signed Up", "properties": {"Plan Name": "team", "is_new": True, "items": [{"n": 1}]}}},
         {"properties": {"Plan Name": "team", "is_new": True, "items": [{"n": 1}]}}),
        ("erase", {"profile": {"identities": {"email": ["a@example.com", "b@example.com"]}}},
         {"emails": ["a@example.com", "b@example.com"]}),
    ],
)  # fmt: skip
def test_the_other_sections_of_the_mapping(operation: str, scope: dict[str, Any], fields: dict[str, Any]) -> None:
    assert _mapping().apply(operation, {"options": {}, **scope}).fields == fields


def _mapping() -> Any:
    assert FOUND.mapping_path is not None
    return compile_outbound(read_file(FOUND.mapping_path, Folders()).document)


def _with_person(push: Any, **changes: Any) -> Any:
    from dataclasses import replace

    return replace(push, person=replace(push.person, **changes))
