"""Kept answers: found again, bounded, forgotten, and never a place where a secret stands."""

from __future__ import annotations

from datetime import UTC, datetime

from hub.outbox.wire.answers import Answers, key_of
from hub.sdk.values import Request, Response, Secret

NOW = datetime(2026, 1, 1, tzinfo=UTC)


def asked(key: str = "", **more) -> Request:
    return Request("GET", "/fields", cache_for_s=60, cache_key=key, **more)


def answer(body: bytes = b"{}") -> Response:
    return Response(200, {}, body, NOW)


def keep(answers: Answers, request: Request, body: bytes = b"{}", at: float = 0.0) -> None:
    answers.keep(request, answer(body), at, answers.moment())


def test_an_answer_is_found_until_its_time_is_over():
    answers = Answers()
    keep(answers, asked("fields"))
    assert answers.find(asked("fields"), 59.9) == answer()
    assert answers.find(asked("fields"), 60.0) is None
    assert answers.find(asked("fields"), 0.0) is None, "it is gone for good"


def test_a_request_that_asks_for_none_gets_none():
    answers = Answers()
    keep(answers, asked("fields"))
    assert answers.find(Request("GET", "/fields", cache_key="fields"), 0.0) is None


def test_without_a_key_the_whole_call_is_the_key():
    answers = Answers()
    keep(answers, asked(query={"page": 1}))
    assert answers.find(asked(query={"page": 1}), 1.0)
    for other in (asked(query={"page": 2}), asked(host="other"), asked(headers={"x": "1"}), asked(json={"a": 1})):
        assert answers.find(other, 1.0) is None


def test_a_key_of_a_call_shows_none_of_its_secrets():
    request = asked(form={"key": Secret("sesame-open-up")}, headers={"x-key": Secret("sesame-open-up")})
    assert "sesame" not in key_of(request)
    assert key_of(request) != key_of(asked(form={"key": Secret("another")}))


def test_what_is_forgotten_is_asked_for_again():
    answers = Answers()
    keep(answers, asked("fields"))
    keep(answers, asked("lists"))
    answers.forget(["fields", "unknown"])
    assert answers.find(asked("fields"), 1.0) is None
    assert answers.find(asked("lists"), 1.0)


def test_an_answer_asked_for_before_something_was_forgotten_is_not_kept():
    answers = Answers()
    since = answers.moment()
    answers.forget(["fields"])
    answers.keep(asked("fields"), answer(b"stale"), 0.0, since)
    assert answers.find(asked("fields"), 0.0) is None


def test_the_longest_unused_goes_when_there_are_too_many_or_too_large_ones():
    answers = Answers(most=2, most_bytes=10)
    for name in ("a", "b"):
        keep(answers, asked(name), b"1234")
    assert answers.find(asked("a"), 1.0)
    keep(answers, asked("c"), b"1234")
    assert [bool(answers.find(asked(name), 1.0)) for name in "abc"] == [True, False, True]
    keep(answers, asked("d"), b"1234567")
    assert [bool(answers.find(asked(name), 1.0)) for name in "acd"] == [False, False, True]
    keep(answers, asked("d"), b"too large to be kept")
    keep(answers, asked("e"), b"")
    assert answers.find(asked("e"), 1.0)
