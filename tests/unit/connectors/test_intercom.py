"""What Intercom makes hard: no upsert, a search that lags, events told apart by the second."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from connectors.intercom.simulator import IntercomSimulator
from hub.registry.discovery import discover, get
from hub.sdk.errors import AuthFailed, DeliveryError, Permanent, RateLimited, Retryable, Unreadable
from hub.sdk.flow import run_flow
from hub.sdk.kit.bench.bench import Bench, in_memory
from hub.sdk.values import (
    Accepted,
    Again,
    ConsentChange,
    EventPush,
    Finding,
    Operation,
    ProfilePush,
    Rejected,
    Request,
    Response,
    Wanted,
)


@pytest.fixture
def bench() -> Bench:
    return _bench()


def _bench(**settings: Any) -> Bench:
    return in_memory(get(discover(), "intercom").subject(), settings)


def _vendor(bench: Bench) -> IntercomSimulator:
    assert isinstance(bench.simulator, IntercomSimulator)
    return bench.simulator


def _prepare(bench: Bench, wanted: Wanted) -> list[Finding]:
    flow = bench.destination.prepare(wanted)
    end = run_flow([], flow, bench.send, bench.destination.classify, lambda _: None)
    assert end.error is None
    return list(end.value)


@pytest.mark.parametrize(
    ("path", "status", "body", "error"),
    [
        ("/contacts", 200, b'{"type":"contact","id":"1"}', None),
        ("/contacts", 200, b'{"id":"1"}', Unreadable),
        ("/contacts", 200, b'{"type":"error.list","errors":[]}', Unreadable),
        ("/contacts", 200, b"[]", Unreadable),
        ("/events", 202, b"", None),
        ("/events", 200, b"", Unreadable),
        ("/events", 200, b"<html>", Unreadable),
        ("/contacts", 402, b"{}", AuthFailed),
        ("/contacts", 403, b"{}", AuthFailed),
        ("/contacts", 404, b"{}", Permanent),
        ("/contacts", 409, b"{}", Permanent),
        ("/contacts", 408, b"{}", Retryable),
        ("/contacts", 429, b"{}", RateLimited),
        ("/contacts", 503, b"<html>", Retryable),
    ],
)
def test_each_answer_means_what_intercom_says_it_means(
    bench: Bench, path: str, status: int, body: bytes, error: type[DeliveryError] | None
) -> None:
    answer = Response(status, {}, body, bench.clock())
    try:
        found = bench.destination.classify(Request("POST", path), answer)
    except Unreadable as unreadable:
        found = unreadable
    assert type(found) is (error or type(None))


@pytest.mark.parametrize(("region", "host"), [("us", "api"), ("eu", "api.eu"), ("au", "api.au")])
def test_each_region_has_its_own_host(region: str, host: str) -> None:
    assert _bench(region=region).destination.hosts() == {"api": f"https://{host}.intercom.io"}


def test_an_older_workspace_gets_a_sixth_of_its_minute_in_ten_seconds() -> None:
    (rate,) = _bench(calls_per_minute=1_000).destination.pools()["calls"].rates
    assert (rate.count, rate.per_s) == (166, 10)


def test_connections_share_limits_by_token_and_do_not_show_it() -> None:
    one, same, other = _bench(), _bench(version="2.11"), _bench(access_token="another-token")
    assert one.destination.account() == same.destination.account() != other.destination.account()


def test_a_lost_creation_does_not_make_a_second_contact_while_search_lags() -> None:
    bench = _bench(version="2.11")
    _vendor(bench).index_delay_s = 300
    (push,) = bench.pushes(Operation.PROFILES, 1)
    bench.simulator.next("accepted_then_timeout", path="/contacts", after=1)
    end, _ = bench.run(bench.batches([push])[0][0])
    assert isinstance(end.error, Retryable)

    results = bench.settle([replace(push, attempt=2)])

    assert isinstance(results[push.delivery_id], Accepted)
    assert len(bench.simulator.profiles) == 1


def test_a_nameless_conflict_waits_until_search_has_caught_up() -> None:
    bench = _bench(version="2.11")
    vendor = _vendor(bench)
    vendor.index_delay_s = 200
    bench.settle(bench.pushes(Operation.PROFILES, 1))
    bench.remembered.clear()
    (push,) = bench.pushes(Operation.PROFILES, 1, fields={0: {"name": "Ada King"}})
    nameless = {"type": "error.list", "errors": [{"code": "conflict", "message": "multiple existing users match"}]}
    vendor.next(status=409, body=nameless, path="/contacts", after=1)

    _, reports = bench.run(bench.batches([push])[0][0])
    assert isinstance(reports[0], Again)
    assert reports[0].after_s == 180

    bench.clock.advance(180 + 60)
    assert isinstance(bench.settle([replace(push, attempt=2)])[push.delivery_id], Accepted)
    assert [one["name"] for one in vendor.profiles.values()] == ["Ada King"]


def test_a_contact_deleted_in_intercom_comes_back_complete(bench: Bench) -> None:
    (push,) = bench.pushes(Operation.PROFILES, 1)
    bench.settle([push])
    bench.simulator.profiles.clear()
    (again,) = bench.pushes(Operation.PROFILES, 1)
    assert isinstance(again, ProfilePush)
    bench.settle([replace(again, changed={"name": "Ada Lovelace"})])
    (contact,) = bench.simulator.profiles.values()
    assert contact["email"] == "ada0@example.com"
    assert contact["custom_attributes"] == {"tier": "gold", "loyalty_points": 1250}


def test_two_events_of_one_second_both_count(bench: Bench) -> None:
    bench.known(Operation.EVENTS, 1)
    (first,) = bench.pushes(Operation.EVENTS, 1)
    for number in range(3):
        (push,) = bench.pushes(Operation.EVENTS, 1)  # with what is remembered by now
        bench.settle([replace(push, delivery_id=f"{number:026d}", vendor_key=f"{number:026d}")])

    seconds = [event["created_at"] for event in bench.simulator.events]
    assert seconds == [int(first.at.timestamp()) + number for number in range(3)]


def test_an_event_whose_answer_was_lost_keeps_its_second_and_others_keep_off_it(bench: Bench) -> None:
    bench.known(Operation.EVENTS, 1)
    (lost,) = bench.pushes(Operation.EVENTS, 1)
    bench.simulator.next("accepted_then_reset", path="/events")
    bench.run(bench.batches([lost])[0][0])

    (other,) = bench.pushes(Operation.EVENTS, 1)
    bench.settle([replace(other, delivery_id="9" * 26, vendor_key="9" * 26, progress=None)])
    bench.settle([replace(lost, attempt=2, progress=bench.progress[lost.delivery_id])])

    at = int(lost.at.timestamp())
    assert sorted(event["created_at"] for event in bench.simulator.events) == [at, at + 1]


def test_a_forced_replay_arrives_again(bench: Bench) -> None:
    bench.known(Operation.EVENTS, 1)
    (push,) = bench.pushes(Operation.EVENTS, 1)
    bench.settle([push])
    bench.settle([push])
    assert len(bench.simulator.events) == 1

    bench.settle([replace(push, vendor_key=f"{push.delivery_id}-r1")])
    assert len(bench.simulator.events) == 2


def test_what_is_remembered_of_events_stays_small(bench: Bench) -> None:
    bench.known(Operation.EVENTS, 1)
    for number in range(100):
        (push,) = bench.pushes(Operation.EVENTS, 1)
        assert isinstance(push, EventPush)
        moved = replace(push, delivery_id=f"{number:026d}", vendor_key=f"{number:026d}", name=f"Name {number % 7}")
        bench.settle([moved])
    assert len(bench.simulator.events) == 100
    assert len(bench.remembered["person-0"]["event_seconds"]) < 5_000


def test_a_message_is_not_sent_twice_when_its_event_is_repeated(bench: Bench) -> None:
    (push,) = bench.pushes(Operation.MESSAGES, 1)
    bench.simulator.next("accepted_then_timeout", path="/events")
    end, _ = bench.run(bench.batches([push])[0][0])
    assert isinstance(end.error, Retryable)
    (again,) = bench.pushes(Operation.MESSAGES, 1)
    bench.settle([replace(again, attempt=2)])
    assert len(bench.simulator.messages) == 1


def test_a_person_who_may_not_be_created_is_refused_everywhere() -> None:
    bench = _bench(create_missing=False)
    for operation in (Operation.EVENTS, Operation.MESSAGES, Operation.AUDIENCE, Operation.CONSENT):
        (push,) = bench.pushes(operation, 1)
        outcome = bench.settle([push])[push.delivery_id]
        assert isinstance(outcome, Rejected)
        assert outcome.code == "no_contact"
    assert bench.simulator.profiles == {}


def test_a_tag_deleted_in_the_dashboard_is_made_again(bench: Bench) -> None:
    bench.known(Operation.AUDIENCE, 1)
    (push,) = bench.pushes(Operation.AUDIENCE, 1)
    stale = {"type": "tag", "id": "999", "name": "segment:vip"}  # what the hub kept of an earlier answer
    bench.simulator.next(status=200, body=stale, path="/tags")
    assert isinstance(bench.settle([push])[push.delivery_id], Accepted)
    (contact,) = bench.simulator.profiles.values()
    assert [_vendor(bench).tags[one] for one in contact["tags"]] == ["segment:vip"]


def test_missing_attributes_are_made_once_and_misfits_are_told(bench: Bench) -> None:
    vendor = _vendor(bench)
    vendor.workspace.define("points", "string")
    vendor.workspace.define("old", "string")["archived"] = True
    kinds = {
        "name": "string",
        "custom_attributes.tier": "string",
        "custom_attributes.points": "number",
        "custom_attributes.old": "string",
        "custom_attributes.seen_at": "datetime",
        "custom_attributes.a.b": "string",
    }
    findings = _prepare(bench, Wanted({Operation.PROFILES: kinds}))
    assert {(one.level, one.text.partition(" attribute ")[2].split()[0].rstrip(".:")) for one in findings} == {
        ("ok", "tier"),
        ("warning", "points"),
        ("warning", "old"),
        ("ok", "seen_at"),
        ("error", "a.b"),
    }
    assert vendor.attributes["seen_at"]["data_type"] == "datetime"
    assert {one.level for one in _prepare(bench, Wanted({Operation.PROFILES: kinds}))} == {"warning", "error"}


def test_too_many_event_names_are_told(bench: Bench) -> None:
    (finding,) = _prepare(bench, Wanted(events=[f"event {number}" for number in range(121)]))
    assert finding.level == "warning"


def test_a_strict_workspace_refuses_what_was_not_prepared(bench: Bench) -> None:
    vendor = _vendor(bench)
    vendor.workspace.refuses_unknown_attributes = True
    (push,) = bench.pushes(Operation.PROFILES, 1)
    refused = bench.settle([push])[push.delivery_id]
    assert isinstance(refused, Rejected)
    assert "does not exist" in refused.reason

    kinds = {"custom_attributes.tier": "string", "custom_attributes.loyalty_points": "number"}
    _prepare(bench, Wanted({Operation.PROFILES: kinds}))
    assert isinstance(bench.settle([push])[push.delivery_id], Accepted)


def test_consent_lands_where_intercom_keeps_it(bench: Bench) -> None:
    bench.known(Operation.CONSENT, 1)
    (push,) = bench.pushes(Operation.CONSENT, 1)
    assert isinstance(push, ConsentChange)
    for topic, status in (("email.newsletter", "denied"), ("sms", "granted"), ("email", "denied")):
        changed = replace(push, consent={"topic": topic, "status": status}, delivery_id=f"D{topic}")
        assert isinstance(bench.settle([changed])[changed.delivery_id], Accepted)
    (contact,) = bench.simulator.profiles.values()
    assert contact["subscriptions"] == {"37846": "opt_out", "37850": "opt_in"}
    assert contact["unsubscribed_from_emails"] is True

    for topic, status in (("email.newsletter", "granted"), ("sms", "denied"), ("email", "granted")):
        changed = replace(push, consent={"topic": topic, "status": status}, delivery_id=f"D{topic}")
        assert isinstance(bench.settle([changed])[changed.delivery_id], Accepted)
    assert contact["subscriptions"] == {}
    assert contact["unsubscribed_from_emails"] is False


def test_the_window_of_ten_seconds_is_told_and_waited_out(bench: Bench) -> None:
    vendor = _vendor(bench)
    vendor.is_throttling = True
    vendor._windows[int(bench.clock().timestamp()) // 10] = 1_666  # as if that many calls had been made
    (push,) = bench.pushes(Operation.PROFILES, 1)
    end, _ = bench.run(bench.batches([push])[0][0])
    assert isinstance(end.error, RateLimited)
    assert end.error.until is not None
    assert (end.error.until - bench.clock()).total_seconds() == 10
