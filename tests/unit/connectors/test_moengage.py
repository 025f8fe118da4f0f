"""What MoEngage's answers mean, what the connector declares, and what its mapping keeps MoEngage from dropping."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from connectors.moengage.bodies import BAD_IDS
from connectors.moengage.connector import MoEngage
from connectors.moengage.simulator import KEYS, WORKSPACE, MoEngageSimulator
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
from hub.sdk.json import dumps
from hub.sdk.kit.bench.bench import Bench, in_memory, over_http
from hub.sdk.kit.simulator.base import ManualClock
from hub.sdk.values import Accepted, Basic, Operation, Rejected, Request, Response
from hub.sdk.wire import encode

NOW = datetime(2026, 3, 14, 9, tzinfo=UTC)
FOUND = get(discover(), "moengage")
SUBJECT = FOUND.subject()


@pytest.fixture
def bench() -> Bench:
    return in_memory(SUBJECT)


def connector(**settings: Any) -> MoEngage:
    return build(MoEngage, {**MoEngageSimulator.example_settings(), **settings}, {})


def answer(status: int, body: bytes = b"", headers: dict[str, str] | None = None) -> Response:
    return Response(status, headers or {}, body, NOW)


def classified(response: Response, host: str = "api") -> DeliveryError | None:
    def flow() -> Flow:
        yield Request("POST", "/", host=host)

    return run_flow([], flow(), lambda _: response, connector().classify, lambda _: None).error


# ── answers ──────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("response", "error"),
    [
        (answer(200, b'{"status":"success","request_id":"r"}'), None),
        (answer(200, b'{"status":"fail","error":{"type":"ServerError"}}'), Permanent),
        (answer(200, b'["x"]'), Unreadable),
        (answer(200, b"<html>"), Unreadable),
        (answer(400, b"{}"), Permanent),
        (answer(401, b"{}"), AuthFailed),
        (answer(403, b"{}"), AuthFailed),
        (answer(409, b"{}"), AuthFailed),
        (answer(413, b"{}"), Split),
        (answer(415, b"{}"), Permanent),
        (answer(429, b""), RateLimited),
        (answer(500, b"{}"), Retryable),
    ],
)
def test_each_answer_means_what_moengage_says_it_means(response: Response, error: type[DeliveryError] | None) -> None:
    assert type(classified(response)) is (error or type(None))


def test_a_409_of_inform_is_about_the_message_and_not_about_the_key() -> None:
    assert type(classified(answer(409, b'{"message":"DUPLICATE_REQUEST_RECEIVED"}'), "inform")) is Permanent


@pytest.mark.parametrize(
    ("reset", "wait"),
    [("7", 7), ("0", 0), (str(NOW.timestamp() + 30), 30), (str(NOW.timestamp() + 1e9), 86_400), ("soon", None)],
)
def test_the_reset_header_is_read_as_seconds_left_or_as_a_time(reset: str, wait: int | None) -> None:
    limited = classified(answer(429, b"", {"x-ratelimit-reset": reset}))
    assert isinstance(limited, RateLimited)
    assert limited.until == (None if wait is None else NOW + timedelta(seconds=wait))


def test_more_calls_than_the_workspace_takes_are_told_to_wait() -> None:
    simulator = MoEngageSimulator(clock=ManualClock(), calls_per_minute=1)
    bench = in_memory(SUBJECT)
    bench.send = _to(bench, simulator)
    first, second = bench.pushes(Operation.PROFILES, 2)
    results = bench.settle([first], 1) | bench.settle([second], 1)
    assert isinstance(results[first.delivery_id], Accepted)
    limited = results[second.delivery_id]
    assert isinstance(limited, RateLimited)
    assert limited.until == bench.clock() + timedelta(seconds=60)


# ── bulk ─────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_the_hub_sends_no_call_that_is_too_large() -> None:
    """Bulk calls are limited by bytes alone: what the declared bytes let through fits with its frame."""
    route = connector().routes()["users"]
    largest = {"type": "transition", "elements": ["x" * (route.bytes or 0)]}
    assert route.bytes == route.item_bytes
    assert len(dumps(largest)) <= 100 * 1024


def test_large_profiles_go_in_as_many_calls_as_their_bytes_need(bench: Bench) -> None:
    big = {n: {"about": "x" * 30_000} for n in range(5)}
    pushes = bench.pushes(Operation.PROFILES, 5, fields=big)
    assert all(isinstance(one, Accepted) for one in bench.settle(pushes).values())
    assert [len(call.json()["elements"]) for call in bench.simulator.calls("/v1/transition")] == [3, 2]


def test_a_call_that_is_too_large_all_the_same_is_halved(bench: Bench) -> None:
    bench.simulator.next(status=413)
    pushes = bench.pushes(Operation.PROFILES, 5)
    assert all(isinstance(one, Accepted) for one in bench.settle(pushes).values())
    assert [len(call.json()["elements"]) for call in bench.simulator.calls("/v1/transition")] == [5, 2, 3]


@pytest.mark.parametrize("source_id", [*sorted(BAD_IDS), "x", "NULL", ""])
def test_ids_that_would_vanish_are_refused_before_sending(bench: Bench, source_id: str) -> None:
    (push,) = bench.pushes(Operation.EVENTS, 1)
    push = replace(push, person=replace(push.person, source_id=source_id))
    assert isinstance(bench.settle([push])[push.delivery_id], Rejected)
    assert bench.simulator.received == []


def test_nothing_of_a_full_profile_vanishes_behind_a_200(bench: Bench) -> None:
    mapped = _mapping().apply("profiles", {"profile": PROFILE, "code": {"code": "2026-05-01"}, "options": {}})
    (push,) = bench.pushes(Operation.PROFILES, 1)
    push = replace(push, fields=mapped.fields, changed=mapped.fields)
    bench.settle([push])
    assert bench.simulator.state()["dropped"] == []
    assert bench.simulator.profiles["person-0"] == {
        "u_em": "ada@example.com",
        "u_mb": "48500000000",
        "u_bd": "1990-05-01T00:00:00Z",
        "cr_t": 1_736_933_400_000,
        "signup_date": "2025-01-15T09:30:00Z",
        "language": "pl",
        "country": "PL",
        "moe_unsubscribe": False,
        "incentive_code": "2026-05-01",
        "own_status": "gold",
        "own_u_em": "second@example.com",
        "own_moe_unsubscribe": True,
        "size_shoe": 38,
        "mixed": ["a", "1"],
        "renewal": "2026-05-01",
        "seen": "2026-03-01T10:15:00Z",
    }


PROFILE = {
    "source_id": "person-0",
    "email": "ada@example.com",
    "phone": "+48500000000",
    "birthdate": "1990-05-01",
    "created_at": "2025-01-15T09:30:00Z",
    "locale": "pl-PL",
    "address": {"country": "Poland"},
    "consents": {"email": {"status": "granted"}, "push": {"status": "unknown"}},
    "metadata": {
        "status": "gold",
        "u_em": "second@example.com",
        "moe_unsubscribe": True,
        "size": {"shoe": 38},
        "mixed": ["a", 1],
        "renewal": "2026-05-01",
        "seen": "2026-03-01T10:15:00.250Z",
    },
}


@pytest.mark.parametrize(("status", "flag"), [("granted", False), ("denied", True), ("unknown", None)])
def test_an_email_consent_is_written_the_wrong_way_round(status: str, flag: bool | None) -> None:
    profile = {"consents": {"email": {"status": status}}}
    mapped = _mapping().apply("profiles", {"profile": profile, "options": {}})
    assert mapped.fields == ({} if flag is None else {"moe_unsubscribe": flag})
    assert mapped.warnings == ()


# ── keys, by family ──────────────────────────────────────────────────────────────────────────────────────────────


def test_each_family_has_its_host_and_its_key() -> None:
    destination = connector(data_center="02")
    assert destination.hosts() == {
        "api": "https://api-02.moengage.com",
        "inform": "https://api-02.moengage.com",
        "push": "https://pushapi-02.moengage.com",
    }
    passwords = {host: one.password.reveal() for host, one in destination.auth().items() if isinstance(one, Basic)}
    assert passwords == {"api": KEYS["api"], "inform": KEYS["inform"]}


def test_a_push_call_is_signed_over_workspace_campaign_and_key_and_holds_no_key() -> None:
    destination = connector()
    bench = in_memory(SUBJECT)
    (push,) = bench.pushes(Operation.MESSAGES, 1)
    options = push.options.model_copy(update={"via": "push", "campaign": "Spring codes", "title": "A", "message": "B"})
    (batch,) = bench.batches([replace(push, options=options)])[0]
    wire = encode(destination.request(batch), destination.hosts(), destination.auth())
    signature = hashlib.sha256(f"{WORKSPACE}|Spring codes|{KEYS['push']}".encode()).hexdigest()
    assert wire.headers["x-moe-pushapi-signature"] == signature
    assert f'"signature":"{signature}"'.encode() in (wire.body or b"")
    assert "authorization" not in wire.headers
    assert KEYS["push"].encode() not in (wire.body or b"")


def test_a_wrong_push_key_is_found_by_the_vendor() -> None:
    with over_http(SUBJECT, {"push_key": "another-key"}) as bench:
        (push,) = bench.pushes(Operation.MESSAGES, 1)
        options = push.options.model_copy(update={"via": "push"})
        assert isinstance(bench.settle([replace(push, options=options)])[push.delivery_id], AuthFailed)


def test_check_says_which_keys_it_could_not_try() -> None:
    bench = in_memory(SUBJECT)
    end = run_flow([], bench.destination.check(), bench.send, bench.destination.classify, lambda _: None)
    assert [one.level for one in end.value] == ["ok", "unknown", "unknown"]


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"via": "inform"}, "alert must be set"),
        ({"via": "push"}, "campaign and title and message must be set"),
        ({"via": "push", "campaign": "abc", "title": "t", "message": "m"}, "at least 5 characters"),
    ],
)
def test_options_that_lack_something_say_what(options: dict[str, str], words: str) -> None:
    from hub.sdk.declared import validated

    with pytest.raises(ConfigurationError, match=words):
        validated(MoEngage.Options[Operation.MESSAGES], options)


# ── Inform's memory ──────────────────────────────────────────────────────────────────────────────────────────────


def test_a_repeat_inside_the_window_sends_once_and_the_window_ends_before_moengages(bench: Bench) -> None:
    route = connector().routes()["inform"]
    assert (route.repeat, route.repeat_window_s) == ("deduplicated", 240.0)
    (push,) = bench.pushes(Operation.MESSAGES, 1)
    bench.simulator.next("accepted_then_reset")
    lost = bench.settle([push])[push.delivery_id]
    assert isinstance(lost, Retryable)
    assert lost.unknown
    bench.clock.advance(route.repeat_window_s or 0)
    assert isinstance(bench.settle([push])[push.delivery_id], Accepted)
    assert len(bench.simulator.messages) == 1


def test_a_forced_replay_is_a_new_message_and_its_key_fits(bench: Bench) -> None:
    (push,) = bench.pushes(Operation.MESSAGES, 1)
    again = replace(push, vendor_key=f"{push.delivery_id}-r{10**7}")
    assert len(again.vendor_key) == 36
    bench.settle([push])
    assert isinstance(bench.settle([again])[push.delivery_id], Accepted)
    assert len(bench.simulator.messages) == 2


def _mapping() -> Any:
    assert FOUND.mapping_path is not None
    return compile_outbound(read_file(FOUND.mapping_path, Folders()).document)


def _to(bench: Bench, simulator: MoEngageSimulator) -> Any:
    from hub.sdk.kit.bench.http import without_network

    return without_network(bench.destination, simulator, bench.clock)
