"""The contract suite: every check by name, with the sentence it proves. No test framework in it.

    for check in checks_for(subject):
        check.run()            # raises CheckFailed with what is wrong

`hub connectors check NAME` runs it, so does `pytest tests/contract -k NAME`, and third parties import it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial

from hub.sdk.kit.simulator.base import UnexpectedCall
from hub.sdk.kit.subject import Subject
from hub.sdk.kit.suite import declared, erasure, failing, prepare, records, sending, source, steps
from hub.sdk.kit.suite.awkward_inputs import AWKWARD
from hub.sdk.kit.suite.cases import load_cases, run_case
from hub.sdk.kit.suite.failed import CheckFailed, require


@dataclass(frozen=True, slots=True)
class Check:
    """One point of the contract, bound to a connector."""

    name: str
    sentence: str
    run: Callable[[], None]


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a check found; `problem` is empty if the connector keeps the point."""

    check: Check
    problem: str = ""


Table = Sequence[tuple[str, str, Callable[[Subject], None]]]

EVERY_CONNECTOR: Table = (
    ("name-equals-folder", "The connector is named as its folder and has a title.", declared.name_equals_folder),
    (
        "settings-are-documented",
        "Every setting and option has a help text and an example.",
        declared.settings_are_documented,
    ),
    (
        "examples-are-valid",
        "The examples of settings and options pass their own validation.",
        declared.examples_are_valid,
    ),
    ("page-exists", "A page for operators explains every setting and option.", declared.page_exists),
    (
        "does-no-io",
        "The connector opens no socket or file and reads no clock, and of the hub it uses hub.sdk only.",
        declared.does_no_io,
    ),
)
EVERY_DESTINATION: Table = (
    (
        "has-a-simulator",
        "A simulator plays the vendor, with example fields for each operation.",
        declared.has_a_simulator,
    ),
    (
        "operations-are-declared",
        "Operations exist, and targets are JSON Schemas of operations there are.",
        declared.operations_are_declared,
    ),
    (
        "limits-name-their-source",
        "Every route and pool names the vendor's page; routes draw on pools there are.",
        declared.limits_name_their_source,
    ),
    (
        "hosts-and-credentials-agree",
        "Hosts, credentials and the simulator name the same hosts.",
        declared.hosts_and_credentials_agree,
    ),
    (
        "declarations-hide-secrets",
        "No secret shows where the connector is printed, logged or counted.",
        declared.declarations_hide_secrets,
    ),
    ("requests-are-pure", "The same pushes give the same bytes, and stay as they were.", sending.requests_are_pure),
    ("one-record-alone", "One record has one outcome, and what is accepted has arrived.", sending.one_record_alone),
    (
        "three-records-together",
        "Three records have three outcomes, and all have arrived.",
        sending.three_records_together,
    ),
    (
        "more-than-the-limit",
        "One record more than a batch holds: all have outcomes, and all have arrived.",
        sending.more_than_the_limit,
    ),
    (
        "exactly-the-limit",
        "As many records as one call holds: all have outcomes, and all have arrived.",
        sending.exactly_the_limit,
    ),
    ("partial-failure", "One bad record is refused with a reason; its neighbours arrive.", sending.partial_failure),
    ("own-outcomes", "Good and bad in many orders: each record's outcome is its own.", sending.own_outcomes),
    (
        "repeats-are-harmless",
        "Where a route says so, the same batch twice changes nothing more.",
        sending.repeats_are_harmless,
    ),
    (
        "nothing-leaks-while-sending",
        "No secret shows in requests as printed, outcomes or errors.",
        sending.nothing_leaks_while_sending,
    ),
    ("rate-limit-with-a-time", "429 waits until the time the vendor named.", failing.rate_limit_with_a_time),
    (
        "rate-limit-with-a-date",
        "Where the vendor sends Retry-After, an HTTP date counts too.",
        failing.rate_limit_with_a_date,
    ),
    (
        "rate-limit-without-a-time",
        "429 without a readable time is a rate limit all the same.",
        failing.rate_limit_without_a_time,
    ),
    ("server-error", "500 and 503 are tried again.", failing.server_error),
    ("refused-call", "422 is a dead letter, neither retried nor the end of the connection.", failing.refused_call),
    ("timeout", "A timeout is tried again, and nothing is taken for accepted.", failing.timeout),
    ("reset", "A connection reset is tried again, and nothing is taken for accepted.", failing.reset),
    ("html-page", "An HTML error page is tried again.", failing.html_page),
    ("bad-credentials-while-sending", "Wrong credentials pause the connection.", failing.bad_credentials_while_sending),
    (
        "auth-failure-at-each-call",
        "A 401 at any call of a flow pauses the connection; no record is blamed or lost.",
        failing.auth_failure_at_each_call,
    ),
    (
        "check-is-content",
        "check finds nothing wrong with good credentials and changes nothing.",
        failing.check_is_content,
    ),
    (
        "check-finds-bad-credentials",
        "check finds wrong credentials, or says that it cannot tell.",
        failing.check_finds_bad_credentials,
    ),
    ("lost-answer", "Where a route may be repeated, a lost answer costs no second effect.", steps.lost_answer),
    (
        "lost-answer-is-unknown",
        "Where a repeat would be a second effect, a lost answer stays unknown.",
        steps.lost_answer_is_unknown,
    ),
    (
        "survives-each-step",
        "Each call of a flow fails once, by 500, silence or crash: carried on, all has arrived and nothing twice.",
        steps.survives_each_step,
    ),
    (
        "prepare-is-safe-to-repeat",
        "prepare, run twice, changes nothing twice, and makes no person, event or message.",
        prepare.prepare_is_safe_to_repeat,
    ),
    (
        "prepare-survives-each-step",
        "prepare, cut off at any call and run again, ends as if nothing had happened.",
        prepare.prepare_survives_each_step,
    ),
    (
        "prepare-finds-bad-credentials",
        "prepare tells of wrong credentials, or makes no call.",
        prepare.prepare_finds_bad_credentials,
    ),
)
JSON_VENDORS: Table = (
    ("broken-json", "Broken JSON under 200 is tried again, not taken for success.", failing.broken_json),
    ("html-under-success", "An HTML page under 200 is not taken for success.", failing.html_under_success),
)
FAILING_BODIES: Table = (
    (
        "failing-body-under-success",
        "200 with a body that says failure is not taken for success.",
        failing.failing_body_under_success,
    ),
)
READING_SOURCE: Table = (
    ("record-keys", "Equal records give equal messages, and no two records share a key.", records.record_keys),
    ("odd-records", "An odd record is decoded or refused, never an accident.", records.odd_records),
    ("no-webhooks", "A request to a source that reads topics is refused with a 4xx.", records.no_webhooks),
    ("hides-its-secrets", "No secret shows where the source is printed.", records.hides_its_secrets),
)
EVERY_SOURCE: Table = (
    ("has-a-sender", "A simulated source signs webhooks as the vendor does.", source.has_a_sender),
    ("a-good-webhook", "A signed webhook gives its message.", source.a_good_webhook),
    ("a-sample", "A sample for `hub sources test` is taken, about a person of its own.", source.sample),
    ("wrong-secret", "A webhook signed with a wrong secret is refused, as one whose signature is wrong.", source.wrong_secret),
    ("missing-signature", "A webhook without a signature is refused as one that has none.", source.missing_signature),
    ("a-look", "Whoever opens the webhook URL in a browser is told that messages are sent to it by POST.", source.a_look),
    ("altered-byte", "A webhook with one byte altered is refused.", source.altered_byte),
    ("rotation", "Old and new secret are both good during a rotation, and only then.", source.rotation),
    ("replayed-webhook", "The same webhook gives the same messages and keys.", source.replayed_webhook),
    ("batch", "A batch gives one message per element.", source.batch),
    ("odd-bodies", "A signed but odd body is refused or taken, never an accident.", source.odd_bodies),
    ("refusals-are-answers", "Every refusal is a 4xx in the vendor's shape.", source.refusals_are_answers),
    ("hides-secrets", "No secret shows where the source is printed or refuses.", source.hides_secrets),
)  # fmt: skip
FOLLOWED_ERASURES: Table = (
    (
        "erasure-is-registered",
        "A request to erase is handed on with its id and callbacks.",
        erasure.erasure_is_registered,
    ),
    (
        "erasure-questions-are-answered",
        "Asking after a request is answered by its status; a late withdrawal is refused.",
        erasure.erasure_questions_are_answered,
    ),
    (
        "erasure-questions-need-the-secret",
        "Nobody asks, withdraws or requests without the secret.",
        erasure.erasure_questions_need_the_secret,
    ),
    ("callbacks-tell-the-status", "Each status has its own call, always the same.", erasure.callbacks_tell_the_status),
)


def checks_for(subject: Subject) -> Iterator[Check]:
    """Every check that concerns this connector, its cases included."""
    tables = [EVERY_CONNECTOR]
    if subject.destination_class is not None:
        tables.append(EVERY_DESTINATION)
        simulator = subject.simulator_class
        tables += [JSON_VENDORS] if simulator is None or simulator.answers_json else []
        tables += [FAILING_BODIES] if simulator is not None and simulator.failing_body is not None else []
    if subject.source_class is not None:
        tables.append(READING_SOURCE if records.is_read(subject.source_class) else EVERY_SOURCE)
        tables += [FOLLOWED_ERASURES] if erasure.follows_erasures(subject) else []
    for table in tables:
        yield from (Check(name, sentence, partial(function, subject)) for name, sentence, function in table)
    if subject.destination_class is not None:
        for name in AWKWARD:
            sentence = f"A record with {name} has one outcome, and its neighbour arrives."
            yield Check(f"awkward: {name}", sentence, partial(sending.awkward_inputs, subject, name))
    yield Check("has-cases", "Its cases are well-formed, each with a success sentence.", partial(_has_cases, subject))
    try:
        cases = load_cases(subject.case_files)
    except CheckFailed:
        return  # has-cases says why
    for case in cases:
        yield Check(f"case: {case.id}", case.success, partial(run_case, subject, case))


def run(subject: Subject) -> Iterator[Verdict]:
    """Run every check; a connector that raises something else has failed the check too."""
    for check in checks_for(subject):
        yield verdict(check)


def verdict(check: Check) -> Verdict:
    """Run one check."""
    try:
        check.run()
    except (CheckFailed, UnexpectedCall) as failed:
        return Verdict(check, str(failed))
    except Exception as error:  # noqa: BLE001 - whatever a connector raises is what this check found
        return Verdict(check, f"it raised {type(error).__name__}: {error}")
    return Verdict(check)


def _has_cases(subject: Subject) -> None:
    require(load_cases(subject.case_files), "there is no case in cases/*.yaml; write them first, they are the design")
