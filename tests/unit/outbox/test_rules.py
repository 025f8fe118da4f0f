"""What becomes of a delivery, without any database."""

from __future__ import annotations

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hub.core.clock import HOUR, MINUTE, SECOND, to_datetime
from hub.outbox.rules import (
    Stopping,
    after_error,
    after_outcome,
    after_poll_error,
    after_unknown,
    backoff,
    may_repeat,
    outcome_name,
    public_status,
)
from hub.outbox.values import Held, Policy
from hub.sdk.errors import AuthFailed, Permanent, RateLimited, Retryable, Split, Unreadable
from hub.sdk.values import Accepted, Again, Operation, Pending, Rejected, Response

NOW = 1_780_000_000 * SECOND
POLICY = Policy()


def held(operation: str = "messages", repeat: str = "duplicates", **more) -> Held:
    return Held(**{"id": "d1", "operation": operation, "attempts": 0, "waited_us": 0, "repeat": repeat,
                   "repeat_until": None, "give_up_at": None, **more})  # fmt: skip


def answer(status: int, body: bytes = b"") -> Response:
    return Response(status, {}, body, to_datetime(NOW))


@given(attempt=st.integers(1, 1_000), random=st.floats(0, 1))
def test_backoff_is_never_negative_nor_beyond_its_cap(attempt: int, random: float):
    assert 0 <= backoff(attempt, random, POLICY) <= POLICY.cap_us


def test_backoff_doubles_until_the_cap():
    caps = [backoff(attempt, 1.0, POLICY) // SECOND for attempt in range(1, 14)]
    assert caps[:5] == [2, 4, 8, 16, 32]
    assert caps[-1] == 3600


@pytest.mark.parametrize("operation", ["profiles", "audience", "consent", "erase"])
def test_what_sets_a_state_may_always_be_repeated(operation: str):
    assert may_repeat(held(operation), NOW, retry_unknown=False)


@pytest.mark.parametrize("operation", ["events", "messages"])
def test_what_has_an_effect_each_time_is_repeated_only_where_the_vendor_ignores_it(operation: str):
    assert may_repeat(held(operation, "safe"), NOW, retry_unknown=False)
    assert may_repeat(held(operation, "deduplicated"), NOW, retry_unknown=False)
    assert may_repeat(held(operation, "deduplicated", repeat_until=NOW + 1), NOW, retry_unknown=False)
    assert not may_repeat(held(operation, "deduplicated", repeat_until=NOW), NOW, retry_unknown=False)
    assert not may_repeat(held(operation), NOW, retry_unknown=False)
    assert may_repeat(held(operation), NOW, retry_unknown=True)


def test_a_retry_that_would_come_after_the_window_comes_at_once():
    near = held("events", "deduplicated", repeat_until=NOW + SECOND)
    to = after_unknown(near, NOW, 1.0, POLICY, retry_unknown=False, detail="x")
    assert (to.state, to.due_at) == ("waiting", NOW)


@given(
    operation=st.sampled_from(list(Operation)),
    repeat=st.sampled_from(["safe", "deduplicated", "duplicates"]),
    window=st.none() | st.integers(-HOUR, HOUR),
    random=st.floats(0, 1),
    waited=st.integers(0, 80 * HOUR),
)
def test_an_unknown_result_is_never_repeated_where_that_does_harm(operation, repeat, window, random, waited):
    until = None if window is None else NOW + window
    subject = held(operation.value, repeat, repeat_until=until, waited_us=waited)
    to = after_unknown(subject, NOW, random, POLICY, retry_unknown=False, detail="x")
    if to.state == "waiting":
        assert may_repeat(subject, to.due_at, retry_unknown=False)
        assert to.is_unknown
    else:
        assert to.reason in ("unknown", "exhausted")


def test_the_horizon_counts_the_deliverys_own_waiting_only():
    almost = held(waited_us=72 * HOUR - SECOND)
    assert after_error(almost, Retryable("x"), NOW, 1.0, POLICY).reason == "exhausted"
    assert after_error(almost, RateLimited("x"), NOW, 1.0, POLICY).state == "waiting"
    assert after_error(almost, AuthFailed("x"), NOW, 1.0, POLICY).state == "waiting"


@pytest.mark.parametrize(
    "error",
    [RateLimited("x"), AuthFailed("x"), Stopping("x")],
)
def test_waits_that_are_not_the_deliverys_fault_count_nothing(error: Exception):
    to = after_error(held(), error, NOW, 1.0, POLICY)
    assert (to.state, to.counted, to.waited_us) == ("waiting", False, 0)


def test_a_rate_limit_waits_until_the_time_named():
    error = RateLimited("x", until=to_datetime(NOW) + timedelta(seconds=90))
    assert after_error(held(), error, NOW, 1.0, POLICY).due_at == NOW + 90 * SECOND


def test_a_rate_limit_of_the_past_is_over():
    error = RateLimited("x", until=to_datetime(NOW) - timedelta(days=1))
    assert after_error(held(), error, NOW, 1.0, POLICY).due_at == NOW


def test_an_unreadable_success_is_unknown_and_an_unreadable_failure_is_not():
    assert outcome_name(Unreadable(response=answer(200))) == "unknown"
    assert outcome_name(Unreadable(response=answer(503))) == "retryable"


def test_a_split_of_one_is_the_culprit():
    assert after_error(held(), Split("x"), NOW, 1.0, POLICY, batch_count=1).reason == "too_large"
    half = after_error(held(), Split("x"), NOW, 1.0, POLICY, batch_count=2, cohort="a1")
    assert (half.state, half.cohort, half.counted) == ("waiting", "a1", False)


def test_the_vendors_words_stand_beside_ours():
    to = after_error(held(), Permanent("Refused.", response=answer(422, b'{"why":"no"}')), NOW, 1.0, POLICY)
    assert (to.state, to.reason) == ("dead", "http_422")
    assert to.detail == 'Refused. {"why":"no"}'


def test_outcomes_become_states():
    assert after_outcome(held(), Accepted("d1", receipt="r"), NOW, 1.0, POLICY).receipt == "r"
    refused = after_outcome(held(), Rejected("d1", "no", "bad_email", "email"), NOW, 1.0, POLICY)
    assert (refused.state, refused.reason, refused.detail) == ("dead", "bad_email", "no (field email)")
    later = after_outcome(held(), Again("d1", "wait", after_s=7), NOW, 1.0, POLICY)
    assert (later.due_at, later.waited_us, later.counted) == (NOW + 7 * SECOND, 7 * SECOND, True)


def test_the_time_to_give_up_a_job_is_set_once():
    first = after_outcome(held(), Pending("d1", "t", 5, give_up_s=60), NOW, 1.0, POLICY)
    assert first.give_up_at == NOW + MINUTE
    again = after_outcome(held(give_up_at=NOW + MINUTE), Pending("d1", "t", 5, give_up_s=60), NOW + 9, 1.0, POLICY)
    assert again.give_up_at == NOW + MINUTE


def test_a_job_that_cannot_be_asked_after_is_asked_again_until_its_time_is_over():
    waiting = held("profiles", give_up_at=NOW + 1)
    assert after_poll_error(waiting, Retryable("x"), NOW, 1.0, POLICY, retry_unknown=False) is None
    over = after_poll_error(waiting, Retryable("x"), NOW + 1, 1.0, POLICY, retry_unknown=False)
    assert over is not None
    assert over.state == "waiting"


def test_operators_see_four_states():
    shown = [public_status(one) for one in ("waiting", "sending", "pending", "sent", "skipped", "dead")]
    assert shown == ["waiting", "waiting", "waiting", "sent", "skipped", "dead"]
