"""What Klaviyo's answers mean, and what the connector declares."""

from __future__ import annotations

import json
from datetime import UTC, datetime

import pytest

from connectors.klaviyo.simulator import KlaviyoSimulator
from hub.sdk.errors import AuthFailed, Permanent, RateLimited, Retryable, Split, Unreadable
from hub.sdk.kit.simulator.base import ManualClock, SimResponse
from hub.sdk.values import Accepted, Request, Response
from tests.unit.connectors.klaviyo_deliveries import (
    NOW,
    Account,
    connector,
    delivery,
    erase_push,
    event_push,
    person,
    profile_push,
)

ADA = person(email="ada@example.com", phone="+48600100200")


@pytest.fixture
def account() -> Account:
    return Account()


def answer(status: int, body: bytes = b"", **headers: str) -> Response:
    return Response(status, headers, body, NOW)


@pytest.mark.parametrize(
    ("response", "error"),
    [
        (answer(200, b"{}"), None),
        (answer(202), None),
        (answer(204), None),
        (answer(200, b"<html>"), Unreadable),
        (answer(202, b'{"data":'), Unreadable),
        (answer(400, b"{}"), Permanent),
        (answer(401, b"{}"), AuthFailed),
        (answer(403, b'{"errors":[]}'), AuthFailed),
        (answer(403, b" <!DOCTYPE html>"), Retryable),
        (answer(410, b"{}"), AuthFailed),
        (answer(413), Split),
        (answer(429), RateLimited),
        (answer(503, b"<html>"), Retryable),
        (answer(524), Retryable),
    ],
)
def test_each_answer_means_what_klaviyo_says_it_means(response: Response, error: type[Exception] | None) -> None:
    found = connector().classify(Request("POST", "/api/profile-import"), response)
    assert type(found) is (error or type(None))


def test_a_throttled_call_waits_as_told(account: Account) -> None:
    body = account.simulator.error(429, 7)
    limited = connector().classify(Request("POST", "/"), answer(429, body.content(), **body.headers))
    assert isinstance(limited, RateLimited)
    assert limited.until == datetime(2026, 3, 14, 9, 0, 7, tzinfo=UTC)
    assert json.loads(body.content())["errors"][0]["code"] == "throttled"


def test_a_success_that_klaviyo_does_not_give_is_not_believed(account: Account) -> None:
    account.simulator.answer = lambda request: SimResponse(200, {"message": "hello"})  # type: ignore[method-assign] # a proxy answers
    for push, route in (
        (event_push(1, ADA, "Seen"), "events"),
        (profile_push(1, ADA, {}), "profiles"),
        (profile_push(1, ADA, {}), "profiles_bulk"),
        (erase_push(1, ADA), "erase"),
    ):
        end = account.send(push, route=route)
        assert isinstance(end.error, Unreadable)
        assert end.open_ids == (delivery(1),)


def test_the_check_is_content_with_good_credentials_and_names_bad_ones() -> None:
    assert [finding.level for finding in Account().check()] == ["ok"]
    (finding,) = Account(connector(api_key="pk_wrong")).check()
    assert finding.level == "error"
    assert "Incorrect authentication credentials." in finding.text
    assert "pk_wrong" not in finding.text


def test_limits_can_be_shared_with_other_tools() -> None:
    half = connector(rate_share=0.5).pools()["profiles"]
    assert [(rate.count, rate.per_s) for rate in half.rates] == [(37, 1), (350, 60)]
    assert [rate.count for rate in connector(rate_share=0.01).pools()["erasures"].rates] == [1, 1]


def test_every_route_draws_on_a_declared_pool_and_names_its_page() -> None:
    klaviyo = connector()
    for route in klaviyo.routes().values():
        assert set(route.pools) <= klaviyo.pools().keys()
        assert route.source.startswith("https://")


def test_a_full_job_fits_klaviyos_limits(account: Account) -> None:
    pushes = [profile_push(number, person(f"cust_{number}"), {"title": "Dr"}) for number in range(10_000)]
    account.send(*pushes, route="profiles_bulk")
    account.poll()
    account.poll()
    assert len(account.simulator.profiles) == 10_000
    assert all(isinstance(outcome, Accepted) for outcome in account.outcomes.values())


def test_the_simulators_windows_move_with_its_clock() -> None:
    clock = ManualClock(NOW)
    account = Account(simulator=KlaviyoSimulator(clock=clock, is_throttling=True))
    ends = [account.send(erase_push(number, person(email="a@example.com"))) for number in range(4)]
    assert [type(end.error) for end in ends] == [type(None)] * 3 + [RateLimited]
    clock.advance(1)
    assert account.send(erase_push(5, person(email="a@example.com"))).error is None
