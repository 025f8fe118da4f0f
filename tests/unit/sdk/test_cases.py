"""The case runner tells what differs, and refuses cases that say too little."""

from __future__ import annotations

from pathlib import Path

import pytest

from hub.registry.discovery import discover, get
from hub.registry.scaffold import scaffold
from hub.sdk.kit.subject import Subject
from hub.sdk.kit.suite.cases import load_cases, run_case
from hub.sdk.kit.suite.failed import CheckFailed

PUSHES = "pushes: [{profiles: {source_id: no, fields: {first_name: Ada}, delivery_id: D1}}]"
SENT = "{items: [{ref: D1, person: no, traits: {first_name: Ada}}]}"


@pytest.fixture
def acme(tmp_path: Path) -> Subject:
    scaffold("acme", tmp_path)
    return get(discover(str(tmp_path)), "acme").subject()


@pytest.fixture
def feed(tmp_path: Path) -> Subject:
    scaffold("acme", tmp_path, "source")
    return get(discover(str(tmp_path)), "acme").subject()


def run(subject: Subject, folder: Path, given: str, expect: str) -> None:
    file = folder / "case.yaml"
    file.write_text(
        f"- id: one\n  description: d\n  success: It works.\n  given: {{{given}}}\n  expect: {{{expect}}}\n"
    )
    (case,) = load_cases([file])
    run_case(subject, case)


@pytest.mark.parametrize(
    "expect",
    [
        f"requests: [{{method: POST, path: /v1/profiles, json: {SENT}}}]",
        'requests: [{headers: {authorization: "Bearer ***"}}]',
        "outcomes: [accepted], state: {profiles: {no: {first_name: Ada}}}",
    ],
)
def test_a_case_that_says_what_happens_passes(acme, tmp_path, expect):
    run(acme, tmp_path, PUSHES, expect)


@pytest.mark.parametrize(
    ("expect", "words"),
    [
        ("requests: []", "0 requests are expected, there were 1: POST /v1/profiles"),
        ("requests: [{method: PUT}]", "request 1, method is 'POST', expected was 'PUT'"),
        ("requests: [{json: {items: []}}]", "has 1 entries, expected were 0"),
        ("requests: [{json: {}}]", "has more than expected: items="),
        ("requests: [{headers: {x-key: a}}]", "lacks x-key"),
        ("outcomes: []", "0 outcomes are expected for 1 pushes"),
        ("outcomes: [pending]", "is accepted"),
        ("outcomes: [{rejected: bad}]", "expected was rejected bad"),
        ("outcomes: [{accepted: {receipt: r-1}}]", "receipt is None"),
        ("state: {profiles: {no: {first_name: Bob}}}", "is 'Ada', expected was 'Bob'"),
        ("state: {profiles: {yes: {}}}", "lacks yes; it has no"),
    ],
)
def test_a_case_that_says_otherwise_fails_with_the_difference_and_its_success_sentence(acme, tmp_path, expect, words):
    with pytest.raises(CheckFailed) as told:
        run(acme, tmp_path, PUSHES, expect)

    assert words in str(told.value)
    assert "Success means: It works." in str(told.value)


def test_a_call_more_than_there_are_answers_fails(acme, tmp_path):
    with pytest.raises(CheckFailed, match="a call more than there are answers"):
        run(acme, tmp_path, f"{PUSHES}, answers: []", "outcomes: [accepted]")


def test_a_scripted_answer_takes_the_place_of_the_simulators(acme, tmp_path):
    run(
        acme, tmp_path, f"{PUSHES}, answers: [{{status: 503}}]", "outcomes: [{error: Retryable}], state: {profiles: {}}"
    )


@pytest.mark.parametrize(
    ("expect", "words"),
    [
        ("error: Forbidden", "the refusal is 'SignatureMissing'"),
        ("error: SignatureMissing, reply: {status: 403}", "the reply.status is 401"),
        ("error: SignatureMissing, messages: [{dedup_key: a}]", "there are 0 messages"),
    ],
)
def test_a_sources_case_fails_with_the_difference(feed, tmp_path, expect, words):
    with pytest.raises(CheckFailed, match=words):
        run(feed, tmp_path, "request: {json: {}}", expect)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("{}", "must hold a list"),
        ("- {id: a}", "lacks description, success, given, expect"),
        ("- {id: a, description: d, success: s, given: {a: 1}, expect: {b: 1}, more: 1}", "unknown keys more"),
        ("- &a {id: a, description: d, success: s, given: {a: 1}, expect: {b: 1}}\n- *a", "appear twice: a"),
    ],
)
def test_a_file_that_holds_no_proper_cases_is_refused(tmp_path, text, words):
    file = tmp_path / "case.yaml"
    file.write_text(text)
    with pytest.raises(CheckFailed, match=words):
        load_cases([file])


def test_words_of_a_case_stay_words(tmp_path):
    file = tmp_path / "case.yaml"
    file.write_text("- {id: a, description: d, success: s, given: {x: [no, on, 2026-03-01, true]}, expect: {b: 1}}")
    (case,) = load_cases([file])

    assert case.given["x"] == ["no", "on", "2026-03-01", True]
