"""Batch's own odds, beyond what the contract suite asks of every connector."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from connectors.batch.connector import BatchCom
from connectors.batch.edits import Edit, event_name, rounds
from hub.mapping.outbound import Outbound, compile_outbound
from hub.mapping.versions.files import Folders, read_file
from hub.outbox.limits.rate_limits import Window
from hub.registry.discovery import discover
from hub.sdk.errors import AuthFailed, Permanent, RateLimited, Retryable, Split, Unreadable
from hub.sdk.flow import run_flow
from hub.sdk.json import dumps
from hub.sdk.kit.bench.bench import Bench, in_memory
from hub.sdk.values import (
    Accepted,
    Again,
    Item,
    Operation,
    Pending,
    Progress,
    Rejected,
    Request,
    Response,
    Waiting,
    Wanted,
)

NOW = datetime(2026, 3, 14, 9, tzinfo=UTC)
CALL = Request("POST", "/2.11/profiles/update")


@pytest.fixture
def bench() -> Bench:
    return in_memory(discover()["batch"].subject())


@pytest.fixture
def mapping() -> Outbound:
    return compile_outbound(read_file(discover()["batch"].mapping_path, Folders()).document)


def answer(status: int, body: object = None, raw: bytes | None = None) -> Response:
    return Response(status, {}, dumps(body) if raw is None else raw, NOW)


def code(name: str) -> dict[str, str]:
    return {"error_code": name, "error_message": "words"}


@pytest.mark.parametrize(
    ("response", "error"),
    [
        (answer(202, {"code": "SUCCESS"}), type(None)),
        (answer(202, {"code": "SUCCESS_WITH_PARTIAL_ERRORS", "errors": []}), type(None)),
        (answer(201, {"token": "t"}), type(None)),
        (answer(202, {"code": "SOMETHING"}), Permanent),
        (answer(202, {"ok": True}), Unreadable),
        (answer(202, []), Unreadable),
        (answer(202, raw=b""), Unreadable),
        (answer(200, code("SERVER_ERROR")), Retryable),
        (answer(200, code("AUTHENTICATION_INVALID")), AuthFailed),
        (answer(400, code("TOO_MANY_REQUESTS")), RateLimited),
        (answer(400, code("MALFORMED_PARAMETER")), Permanent),
        (answer(400, raw=b"<html>"), Permanent),
        (answer(401, code("AUTHENTICATION_INVALID")), AuthFailed),
        (answer(403, code("X")), AuthFailed),
        (answer(404, code("ROUTE_NOT_FOUND")), AuthFailed),
        (answer(404, code("NOT_FOUND")), Permanent),
        (answer(413, code("X")), Split),
        (answer(429, code("TOO_MANY_REQUESTS")), RateLimited),
        (answer(503, code("MAINTENANCE_ERROR")), Retryable),
    ],
)
def test_an_answer_has_its_error(bench, response, error):
    try:
        found = bench.destination.classify(CALL, response)
    except Unreadable as unreadable:
        found = unreadable
    assert type(found) is error


def test_prepare_says_what_only_the_dashboard_can_do(bench):
    fields = {Operation.PROFILES: {"date(birthdate)": "date", "tier": "string", "$email_address": "string"}}
    flow = bench.destination.prepare(Wanted(fields=fields, events=["Order Shipped"]))
    end = run_flow([], flow, bench.send, bench.destination.classify, lambda _: None)

    assert [one.level for one in end.value] == ["unknown"]
    assert "attributes birthdate, tier; events order_shipped" in end.value[0].text
    assert bench.simulator.calls() == []


def items(*said: tuple[str, dict[str, object]]) -> list[Item]:
    return [Item(f"D{n}", "edits", {"custom_id": who, **body}) for n, (who, body) in enumerate(said)]


def test_a_person_stands_in_a_call_once_whatever_waits():
    (call,) = rounds(items(("a", {"event": {"name": "x"}}), ("b", {}), ("a", {"attributes": {"n": 1}})))

    assert [edit.custom_id for edit in call] == ["a", "b"]


def test_fifty_one_attributes_and_sixteen_events_go_in_two_calls():
    many = {"attributes": {f"a{n}": n for n in range(51)}}
    events = [("a", {"event": {"name": f"e{n}"}}) for n in range(16)]
    first, second = rounds(items(("a", many), *events, ("b", {})))

    assert [(one.custom_id, len(one.attributes), len(one.events)) for one in first] == [("a", 50, 15), ("b", 0, 0)]
    assert [(one.custom_id, len(one.attributes), len(one.events)) for one in second] == [("a", 1, 1)]


def test_a_delivery_is_reported_once_its_last_call_went_through(bench):
    many = {f"a{n}": n for n in range(51)}
    long, short = bench.pushes(Operation.PROFILES, 2, fields={0: many})
    bench.simulator.next(status=503, after=1)

    end, reports = bench.run(bench.batches([long, short])[0][0])

    assert [one.delivery_id for one in reports] == [short.delivery_id]
    assert isinstance(end.error, Retryable)
    assert end.open_ids == (long.delivery_id,)


def test_the_edits_of_a_batch_depend_on_the_order_of_its_deliveries():
    edit = Edit("a")
    edit.write("D1", "tier", "gold")
    edit.write("D2", "date(tier)", "2026-01-01T00:00:00Z")
    edit.write("D3", "tier", "silver")

    assert (edit.attributes, edit.owners) == ({"tier": "silver"}, {"tier": "D3"})


def test_fifteen_events_of_a_person_are_one_call_and_the_sixteenth_another(bench):
    pushes = [
        replace(one, person=bench.pushes(Operation.EVENTS, 1)[0].person) for one in bench.pushes(Operation.EVENTS, 16)
    ]
    results = bench.settle(pushes)

    assert all(isinstance(one, Accepted) for one in results.values())
    assert [len(call.json()[0]["events"]) for call in bench.simulator.calls()] == [15, 1]


def test_the_pace_never_passes_the_vendors_bucket():
    """300 tokens a second, 1,000 at most: replayed against the window that the hub keeps."""
    (rate,) = BatchCom.pools(in_memory(discover()["batch"].subject()).destination)["edits"].rates
    window, at, tokens, last = Window(rate), 0.0, 1_000.0, 0.0
    for _ in range(200):
        at = window.earliest(200, at)
        window.take(200, at)
        tokens = min(1_000.0, tokens + (at - last) * 300) - 200
        last = at
        assert tokens >= -1e-6
    assert at == pytest.approx(200 * 200 / 300, rel=0.1)


def test_the_limit_counts_people_and_not_events(bench):
    assert [rate.unit for rate in bench.destination.pools()["edits"].rates] == ["profile"]


def test_the_simulator_refuses_people_over_its_bucket(bench):
    bench.simulator.is_throttling = True
    ends = [bench.run(batch)[0] for batch in bench.batches(bench.pushes(Operation.PROFILES, 1_200))[0]]

    assert [end.error for end in ends[:5]] == [None] * 5
    assert isinstance(ends[5].error, RateLimited)


def test_large_imports_take_the_mass_endpoint_where_it_is_switched_on():
    bench = in_memory(discover()["batch"].subject(), {"mass_updates": True})
    results = bench.settle(bench.pushes(Operation.PROFILES, 1_000))

    assert all(isinstance(one, Accepted) for one in results.values())
    assert [call.path for call in bench.simulator.calls()] == ["/2.11/profiles/mass-update"]


def test_a_push_is_noted_app_by_app(bench):
    (push,) = bench.pushes(Operation.MESSAGES, 1)
    options = type(push.options)(via="push", title="A gift", text="Your code: {code}")
    push = replace(push, options=options)
    bench.simulator.next(status=503, after=1)

    end, reports = bench.run(bench.batches([push])[0][0])

    assert [type(one) for one in reports] == [Progress]
    assert isinstance(end.error, Retryable)
    assert isinstance(bench.settle([bench.refreshed(push)])[push.delivery_id], Accepted)
    assert sorted(one["app"] for one in bench.simulator.messages) == ["5A0000000000IOS", "5A000000ANDROID"]


def test_a_push_needs_words():
    with pytest.raises(ValueError, match="title and text"):
        BatchCom.Options[Operation.MESSAGES].model_validate({"via": "push"})


def test_a_group_has_only_characters_that_batch_takes(bench):
    (push,) = bench.pushes(Operation.MESSAGES, 1)
    push = replace(push, options=type(push.options)(via="push", title="t", text="t"), distribution_id="spring/été 1")

    assert bench.destination.items(push)[0].body["group_id"] == "spring--t--1"


@pytest.mark.parametrize(
    ("answers", "outcome"),
    [
        ([{"status": "done", "error": "internal failure"}, {"status": "done"}], Rejected),
        ([{"status": "done", "error": "user not found"}, {"status": "done"}], Accepted),
        ([{"status": "done"}, {"status": "pending"}], Pending),
    ],
)
def test_an_erasure_is_what_its_apps_say(bench, answers, outcome):
    for body in answers:
        bench.simulator.next(status=200, body=body)
    reports = polled(bench, "5A0000000000IOS/gdpr-1 5A000000ANDROID/gdpr-2")

    assert [type(one) for one in reports] == [outcome]


def test_a_removal_request_that_batch_forgot_is_made_again(bench):
    assert [type(one) for one in polled(bench, "5A0000000000IOS/gdpr-99")] == [Again]


def polled(bench: Bench, token: str) -> list[object]:
    """What one poll of one waiting erasure reports."""
    reports: list[object] = []
    waiting = [Waiting("D1", "")]
    flow = bench.destination.poll(token, waiting)
    assert run_flow(waiting, flow, bench.send, bench.destination.classify, reports.extend).error is None
    return reports


@pytest.mark.parametrize(
    ("name", "batch_name"),
    [("Order Shipped", "order_shipped"), ("a" * 40, "a" * 30), ("Café №1", "caf___1"), ("x-y.z", "x_y_z")],
)
def test_event_names(name, batch_name):
    assert event_name(name) == batch_name


def test_an_event_of_exactly_a_day_ago_is_taken(bench):
    (push,) = bench.pushes(Operation.EVENTS, 1)
    old = replace(push, delivery_id="D" * 26, at=bench.clock() - timedelta(hours=24, milliseconds=1))
    push = replace(push, at=bench.clock() - timedelta(hours=24))
    results = bench.settle([push, replace(old, person=replace(old.person, source_id="other"))])

    assert isinstance(results[push.delivery_id], Accepted)
    assert isinstance(results[old.delivery_id], Rejected)


def test_metadata_follows_batchs_rules(mapping):
    metadata = {
        "Shoe-Size": 38,
        "last_seen": "2026-03-14T09:00:00Z",
        "anniversary": "2020-05-01",
        "note": "x" * 400,
        "tags": ["a", 1, *map(str, range(40))],
        "size": {"EU": 38},
        "a_name_that_is_longer_than_thirty": True,
    }
    fields = mapping.apply("profiles", {"profile": {"metadata": metadata}, "options": {}}).fields

    assert fields["shoesize"] == 38
    assert fields["date(last_seen)"] == "2026-03-14T09:00:00Z"
    assert fields["date(anniversary)"] == "2020-05-01T00:00:00Z"
    assert len(fields["note"]) == 300
    assert fields["tags"][:3] == ["a", "1", "0"]
    assert len(fields["tags"]) == 25
    assert fields["size_eu"] == 38
    assert fields["a_name_that_is_longer_than_thi"] is True


def test_all_audiences_of_the_person_are_mapped(mapping):
    audiences = {"vip": {"member": True}, "old": {"member": False}, "spenders": {"member": True}}
    scope = {"profile": {"audiences": audiences}, "options": {}, "audience": {"key": "vip", "member": True}}

    assert mapping.apply("audience", scope).fields == {"segments": ["vip", "spenders"]}
    assert mapping.apply("audience", {**scope, "profile": {"audiences": {}}}).fields == {"segments": []}


@pytest.mark.parametrize(
    ("status", "state"), [("granted", "subscribed"), ("denied", "unsubscribed"), ("unknown", "reset")]
)
def test_consents_are_mapped_with_their_address(mapping, status, state):
    scope = {"profile": {"email": "ada@example.com"}, "options": {}, "consent": {"topic": "email", "status": status}}

    assert mapping.apply("consent", scope).fields == {"$email_marketing": state, "$email_address": "ada@example.com"}


def test_a_topic_that_batch_lacks_is_refused_and_not_skipped(mapping, bench):
    found = mapping.apply(
        "consent", {"profile": {}, "options": {}, "consent": {"topic": "email.news", "status": "granted"}}
    )
    (push,) = bench.pushes(Operation.CONSENT, 1)

    assert found.skip is None
    assert bench.destination.items(replace(push, fields=found.fields)).code == "unsupported"
