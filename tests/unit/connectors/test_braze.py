"""Braze's own odds, beyond what the contract suite asks of every connector."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from connectors.braze.connector import Braze
from connectors.braze.simulator import API_KEY, BrazeSimulator
from hub.registry.discovery import discover
from hub.sdk.declared import build
from hub.sdk.errors import AuthFailed, ConfigurationError, Permanent, RateLimited, Split, Unreadable
from hub.sdk.flow import run_flow
from hub.sdk.kit.bench.bench import Bench, in_memory
from hub.sdk.kit.simulator.base import ManualClock, SimRequest
from hub.sdk.values import Accepted, Operation, Request, Response

NOW = datetime(2026, 3, 14, 9, tzinfo=UTC)
SETTINGS = {"base_url": "https://rest.fra-01.braze.eu"}


@pytest.fixture
def braze() -> Braze:
    return build(Braze, SETTINGS, {"api_key": API_KEY})


@pytest.fixture
def bench() -> Bench:
    return in_memory(discover()["braze"].subject())


def answer(status: int, body: bytes = b"{}", **headers: str) -> Response:
    return Response(status, headers, body, NOW)


CALL = Request("POST", "/users/track")


def test_the_reset_header_is_read_as_epoch_seconds(braze):
    error = braze.classify(CALL, answer(429, **{"x-ratelimit-reset": str(int(NOW.timestamp()) + 60)}))

    assert isinstance(error, RateLimited)
    assert error.until == datetime(2026, 3, 14, 9, 1, tzinfo=UTC)


def test_a_retry_after_counts_where_there_is_no_reset_header(braze):
    error = braze.classify(CALL, answer(429, **{"retry-after": "30"}))

    assert error.until == datetime(2026, 3, 14, 9, 0, 30, tzinfo=UTC)


@pytest.mark.parametrize("reset", ["soon", "", "-5", "1e9", "²", "9" * 30])
def test_a_reset_header_that_is_no_time_is_ignored(braze, reset):
    assert braze.classify(CALL, answer(429, **{"x-ratelimit-reset": reset})).until is None


@pytest.mark.parametrize(
    ("response", "error"),
    [
        (answer(400, b'{"message":"Max Input Length Exceeded"}'), Split),
        (answer(400, b'{"message":"The max number of ids per request is 50"}'), Split),
        (answer(400, b'{"message":"Invalid Campaign ID"}'), Permanent),
        (answer(400, b'{"message":"Bad Request"}'), Split),
        (answer(400, b"[]"), Split),
        (answer(400, b"<html>"), Unreadable),
        (answer(401), AuthFailed),
        (answer(403), AuthFailed),
        (answer(404), Permanent),
        (answer(413), Split),
        (answer(200, b"[]"), Unreadable),
        (answer(200, b'{"ok":true}'), Unreadable),
    ],
)
def test_an_answer_has_its_error(braze, response, error):
    try:
        found = braze.classify(CALL, response)
    except Unreadable as unreadable:
        found = unreadable
    assert type(found) is error


def test_an_unreadable_success_may_have_been_acted_upon(braze):
    assert braze.classify(CALL, answer(200, b"[]")).unknown


def test_connections_with_the_same_key_share_their_limits_and_the_key_does_not_show(braze):
    same, other = build(Braze, SETTINGS, {"api_key": API_KEY}), build(Braze, SETTINGS, {"api_key": "another"})

    assert braze.account() == same.account() != other.account()
    assert API_KEY not in braze.account()


def test_wrong_settings_are_told_field_by_field_without_the_key():
    with pytest.raises(ConfigurationError) as told:
        build(Braze, {"base_url": "rest.fra-01.braze.eu", "objects_per_call": 500, "colour": "red"}, {"api_key": "k3y"})

    for words in ("base_url", "objects_per_call", "less than or equal to 75", "no setting 'colour'"):
        assert words in str(told.value)
    assert "k3y" not in str(told.value)


def test_check_tells_a_key_without_permission_from_an_unknown_one(bench):
    bench.simulator.permissions.discard("users.track")
    end = run_flow([], bench.destination.check(), bench.send, bench.destination.classify, print)

    assert "permission users.track" in end.value[0].text


def test_unknown_recipients_are_left_out_without_a_word_unless_they_may_be_created(bench):
    careful, careless = bench.pushes(Operation.MESSAGES, 2)
    options = careless.options.model_copy(update={"create_missing": False})
    careless = type(careless)(
        **{**{name: getattr(careless, name) for name in careless.__dataclass_fields__}, "options": options}
    )
    results = bench.settle([careful, careless])

    assert [type(one) for one in results.values()] == [Accepted, Accepted]
    assert [one["external_id"] for one in bench.simulator.messages] == ["person-0"]
    assert bench.simulator.skipped == ["person-1"]


def test_the_mixed_batch_names_the_right_record_wherever_the_arrays_begin(bench):
    """Indexes count per array, not per call: profile, event, profile, event."""
    profiles = bench.pushes(Operation.PROFILES, 2, 0, {1: {"email": "nope"}})
    events = bench.pushes(Operation.EVENTS, 2, 0, {0: {"properties": {"time": "reserved"}}})
    pushes = [profiles[0], events[0], profiles[1], events[1]]
    (batch,), _ = bench.batches(pushes)
    _, reports = bench.run(batch)

    assert [type(one).__name__ for one in reports] == ["Accepted", "Rejected", "Rejected", "Accepted"]
    assert "email" in reports[2].reason


# ── the simulator ────────────────────────────────────────────────────────────────────────────────────────────────


def track(simulator: BrazeSimulator, **body: object) -> tuple[int, dict]:
    from hub.sdk.json import dumps

    request = SimRequest("POST", "/users/track", headers={"authorization": f"Bearer {API_KEY}"}, body=dumps(body))
    response = simulator.answer(request)
    return response.status, response.json


def test_the_simulator_applies_increments_and_array_operators():
    simulator = BrazeSimulator()
    for attributes in (
        {"visits": 1, "tags": ["new"]},
        {"visits": {"inc": 2}, "tags": {"add": ["vip", "new"]}},
        {"tags": {"remove": ["new"]}},
    ):
        track(simulator, attributes=[{"external_id": "ada", **attributes}])

    assert simulator.profiles["ada"] == {"visits": 3, "tags": ["vip"]}


def test_the_simulator_counts_objects_over_all_arrays_and_names_the_limit():
    simulator = BrazeSimulator(max_objects=2)
    one = {"external_id": "ada"}

    assert track(simulator, attributes=[one, one]) == (201, {"attributes_processed": 2, "message": "success"})
    assert track(simulator, attributes=[one], events=[one, one])[0] == 400


def test_the_simulator_answers_429_after_its_calls_until_the_window_is_over():
    clock = ManualClock()
    simulator = BrazeSimulator(calls_per_window=1, clock=clock)
    one = {"external_id": "ada"}
    statuses = [track(simulator, attributes=[one])[0] for _ in range(2)]
    clock.advance(3)
    statuses.append(track(simulator, attributes=[one])[0])

    assert statuses == [201, 429, 201]


def test_the_simulator_stores_a_repeated_event_twice():
    simulator = BrazeSimulator()
    for _ in range(2):
        track(simulator, events=[{"external_id": "ada", "name": "Viewed", "time": "2026-03-14T09:00:00Z"}])

    assert len(simulator.events) == 2
