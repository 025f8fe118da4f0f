"""Kept answers: found again, bounded, forgotten, and never a place where a secret stands."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

from hub.sdk.contract import by_status
from hub.sdk.kept_answers import KeptAnswers, key_of
from hub.sdk.kit import ManualClock
from hub.sdk.values import Request, Response, Secret

NOW = datetime(2026, 1, 1, tzinfo=UTC)


def asked(key: str = "", **more) -> Request:
    return Request("GET", "/fields", cache_for_s=60, cache_key=key, **more)


def answer(body: bytes = b"{}") -> Response:
    return Response(200, {}, body, NOW)


def keep(answers: KeptAnswers, request: Request, body: bytes = b"{}", at: float = 0.0) -> None:
    answers.keep(request, answer(body), at, answers.moment())


def test_an_answer_is_found_until_its_time_is_over():
    answers = KeptAnswers()
    keep(answers, asked("fields"))
    assert answers.find(asked("fields"), 59.9) == answer()
    assert answers.find(asked("fields"), 60.0) is None
    assert answers.find(asked("fields"), 0.0) is None, "it is gone for good"


def test_a_request_that_asks_for_none_gets_none():
    answers = KeptAnswers()
    keep(answers, asked("fields"))
    assert answers.find(Request("GET", "/fields", cache_key="fields"), 0.0) is None


def test_without_a_key_the_whole_call_is_the_key():
    answers = KeptAnswers()
    keep(answers, asked(query={"page": 1}))
    assert answers.find(asked(query={"page": 1}), 1.0)
    for other in (asked(query={"page": 2}), asked(host="other"), asked(headers={"x": "1"}), asked(json={"a": 1})):
        assert answers.find(other, 1.0) is None


def test_a_key_of_a_call_shows_none_of_its_secrets():
    request = asked(form={"key": Secret("sesame-open-up")}, headers={"x-key": Secret("sesame-open-up")})
    assert "sesame" not in key_of(request)
    assert key_of(request) != key_of(asked(form={"key": Secret("another")}))


def test_what_is_forgotten_is_asked_for_again():
    answers = KeptAnswers()
    keep(answers, asked("fields"))
    keep(answers, asked("lists"))
    answers.forget(["fields", "unknown"])
    assert answers.find(asked("fields"), 1.0) is None
    assert answers.find(asked("lists"), 1.0)


def test_an_answer_asked_for_before_something_was_forgotten_is_not_kept():
    answers = KeptAnswers()
    since = answers.moment()
    answers.forget(["fields"])
    answers.keep(asked("fields"), answer(b"stale"), 0.0, since)
    assert answers.find(asked("fields"), 0.0) is None


def test_the_longest_unused_goes_when_there_are_too_many_or_too_large_ones():
    answers = KeptAnswers(most=2, most_bytes=10)
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


# ── a line that keeps what it is asked to ──────────────────────────────────────────────────────────────────────────

LOOK = asked("fields")


class Line:
    """Counts calls and answers with their number."""

    def __init__(self, status: int = 200) -> None:
        self.calls = 0
        self.status = status
        self.clock = ManualClock()
        self.send = KeptAnswers().through(
            self.answer, lambda _request, answer: by_status(answer), lambda: self.clock().timestamp()
        )

    def answer(self, _request: Request) -> Response:
        self.calls += 1
        return Response(self.status, {}, str(self.calls).encode(), self.clock())


def test_an_answer_is_kept_for_its_time():
    line = Line()
    assert [line.send(LOOK).body, line.send(LOOK).body] == [b"1", b"1"]
    line.clock.advance(61)
    assert line.send(LOOK).body == b"2"


def test_a_failure_is_not_kept_nor_what_was_not_asked_to_be():
    failing = Line(500)
    assert [failing.send(LOOK).body, failing.send(LOOK).body] == [b"1", b"2"]
    plain = Line()
    assert [plain.send(replace(LOOK, cache_for_s=None)).body for _ in range(2)] == [b"1", b"2"]


def test_a_call_can_make_an_answer_stale():
    line = Line()
    line.send(LOOK)
    line.send(Request("POST", "/fields", forget=("fields",)))
    assert line.send(LOOK).body == b"3"
