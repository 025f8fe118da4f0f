"""What becomes of records when the vendor is not well. Every call of a flow is struck once, the others go well."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from email.utils import format_datetime
from typing import Any

from hub.sdk.errors import AuthFailed, DeliveryError, Permanent, RateLimited, Retryable, Split
from hub.sdk.flow import FlowEnd
from hub.sdk.json import canonical
from hub.sdk.kit.bench.bench import Bench, in_memory, over_http, wrong_credentials
from hub.sdk.kit.bench.http import Sender
from hub.sdk.kit.simulator.base import ManualClock
from hub.sdk.kit.simulator.exchange import SimResponse
from hub.sdk.kit.simulator.faults import FaultKind
from hub.sdk.kit.subject import Subject
from hub.sdk.kit.suite.failed import CheckFailed, require
from hub.sdk.values import Accepted, Again, Finding, Operation, Progress, Report

SHORT_S = 0.15
RETRY_AFTER_S = 7


@dataclass(frozen=True, slots=True)
class Struck:
    """How one attempt ended whose call number `call` was struck."""

    operation: Operation
    call: int
    end: FlowEnd
    reports: list[Report]
    bench: Bench

    def __str__(self) -> str:
        outcomes = [report for report in self.reports if not isinstance(report, Progress)]
        got = f"{type(self.end.error).__name__}: {self.end.error}" if self.end.error else f"no error and {outcomes}"
        return f"{self.operation}, call {self.call + 1}: {got}"

    @property
    def is_again(self) -> bool:
        """Whether the flow itself asked for another try of every record."""
        outcomes = [report for report in self.reports if not isinstance(report, Progress)]
        return self.end.error is None and bool(outcomes) and all(isinstance(one, Again) for one in outcomes)


def strike(subject: Subject, kind: FaultKind = "answer", **fault: Any) -> Iterator[Struck]:
    """For each operation and each call of its flow: two fresh records, that call struck, everything else well."""
    with over_http(subject) as bench:
        operations = [one for one in Operation if one in bench.destination.Options]
        yield from _strike(bench, operations, kind, fault)


def _strike(
    bench: Bench, operations: Sequence[Operation], kind: FaultKind, fault: Mapping[str, Any]
) -> Iterator[Struck]:
    start = 0
    for operation in operations:
        call = 0
        while True:
            bench.known(operation, 2, start)
            bench.kept.clear()
            batch = bench.batches(bench.pushes(operation, 2, start))[0][0]
            start += 2
            bench.simulator.next(kind, after=call, **fault)
            end, reports = _attempt(bench, batch, is_silent=kind in ("timeout", "reset"))
            was_struck = not bench.simulator.script.pending
            bench.simulator.script.pending.clear()
            if not was_struck:
                break
            yield Struck(operation, call, end, reports, bench)
            call += 1


def _attempt(bench: Bench, batch: Any, *, is_silent: bool) -> tuple[FlowEnd, list[Report]]:
    """One run of the flow, without polls; over a line on which patience is short if silence is scripted."""
    reports: list[Report] = []
    urls = bench.simulator.base_urls()
    if not bench.simulator.url:
        return bench.drive(batch.records, bench.destination.flow(batch), reports.extend), reports
    with Sender(bench.destination, urls, bench.clock, SHORT_S if is_silent else 10.0) as send:
        end = bench.drive(batch.records, bench.destination.flow(batch), reports.extend, send)
    return end, reports


def _must_be(struck: Struck, wanted: type[DeliveryError], words: str) -> None:
    require(struck.is_again or isinstance(struck.end.error, wanted), f"{words} must end as {wanted.__name__}; {struck}")


def rate_limit_with_a_time(subject: Subject) -> None:
    """In the vendor's own style: Retry-After, or whatever header its simulator speaks. Some name no time at all."""
    names_a_time = _spoken(subject, RETRY_AFTER_S) != _spoken(subject, None)
    for struck in strike(subject, status=429, retry_after=RETRY_AFTER_S):
        _must_be(struck, RateLimited, "429")
        if names_a_time:
            _must_wait(struck, struck.bench.clock() + timedelta(seconds=RETRY_AFTER_S))


def rate_limit_with_a_date(subject: Subject) -> None:
    """`Retry-After` may hold an HTTP date as well (RFC 9110); for vendors that speak Retry-After."""
    if "retry-after" not in {name.lower() for name in _spoken(subject, RETRY_AFTER_S).headers}:
        return
    date = (ManualClock()() + timedelta(hours=1)).replace(microsecond=0)
    for struck in strike(subject, status=429, headers={"retry-after": format_datetime(date, usegmt=True)}):
        _must_be(struck, RateLimited, "429 with a date")
        _must_wait(struck, date)


def _must_wait(struck: Struck, until: datetime) -> None:
    error = struck.end.error
    if not isinstance(error, RateLimited):
        return
    require(error.until is not None, f"429 with a time must carry it as `until`; {struck}")
    assert error.until is not None
    off = abs((error.until - until).total_seconds())
    require(off <= 1, f"the vendor asked to wait until {until}, `until` is {error.until}; {struck}")


def _spoken(subject: Subject, retry_after_s: float | None) -> SimResponse:
    """How the vendor words a 429."""
    assert subject.simulator_class is not None
    return subject.simulator_class(clock=ManualClock()).error(429, retry_after_s)


def rate_limit_without_a_time(subject: Subject) -> None:
    for headers in ({}, {"retry-after": "soon"}):
        for struck in strike(subject, status=429, headers=headers):
            _must_be(struck, RateLimited, "429 without a readable time")


def auth_failure_at_each_call(subject: Subject) -> None:
    """No record is to blame for a key that ended, and none may be lost to it."""
    for struck in strike(subject, status=401):
        require(isinstance(struck.end.error, AuthFailed), f"401 must end as AuthFailed; {struck}")
        _nothing_accepted(struck, "a 401")


def server_error(subject: Subject) -> None:
    for status in (500, 503):
        for struck in strike(subject, status=status):
            _must_be(struck, Retryable, str(status))


def refused_call(subject: Subject) -> None:
    """A plain 400 concerns these records and no others: it must neither be retried for ever nor stop the connection."""
    for struck in strike(subject, status=422):
        rejected = struck.end.error is None and not any(isinstance(report, Accepted) for report in struck.reports)
        final = isinstance(
            struck.end.error, Permanent | Split
        )  # Split: it has two records, and halving finds the culprit
        require(rejected or final, f"422 must end as Permanent, Split or Rejected; {struck}")


def timeout(subject: Subject) -> None:
    """Over real silence for the first operation, which costs time; the others are told of theirs."""
    with over_http(subject) as bench:
        operations = [one for one in Operation if one in bench.destination.Options]
        _must_be_tried_again(_strike(bench, operations[:1], "timeout", {}))
    _must_be_tried_again(_strike(in_memory(subject), operations[1:], "timeout", {}))


def _must_be_tried_again(strikes: Iterator[Struck]) -> None:
    for struck in strikes:
        _must_be(struck, Retryable, "a timeout")
        _nothing_accepted(struck, "a timeout")


def reset(subject: Subject) -> None:
    for struck in strike(subject, "reset"):
        _must_be(struck, Retryable, "a connection reset")
        _nothing_accepted(struck, "a connection reset")


def html_page(subject: Subject) -> None:
    for struck in strike(subject, "html", status=502):
        _must_be(struck, Retryable, "an HTML page with 502")


def broken_json(subject: Subject) -> None:
    for struck in strike(subject, "broken_json", status=200):
        _must_be(struck, Retryable, "broken JSON under 200")
        _nothing_accepted(struck, "broken JSON under 200")


def html_under_success(subject: Subject) -> None:
    for struck in strike(subject, "html", status=200):
        require(
            struck.is_again or isinstance(struck.end.error, Retryable | AuthFailed),
            f"an HTML page under 200 is not an answer of the API, so Unreadable or AuthFailed is due; {struck}",
        )
        _nothing_accepted(struck, "an HTML page under 200")


def failing_body_under_success(subject: Subject) -> None:
    assert subject.simulator_class is not None
    for struck in strike(subject, status=200, body=subject.simulator_class.failing_body):
        _nothing_accepted(struck, "a success status with a failing body")


def _nothing_accepted(struck: Struck, words: str) -> None:
    accepted = [report for report in struck.reports if isinstance(report, Accepted)]
    require(not accepted, f"{words} was taken for success; {struck}")


def bad_credentials_while_sending(subject: Subject) -> None:
    with over_http(subject, wrong_credentials(subject)) as bench:
        for operation in bench.destination.Options:
            batches, refused = bench.batches(bench.pushes(operation, 1))
            if operation is Operation.ERASE and refused:
                continue  # it needs an id that a first call would have brought, so there is nothing to send
            end, reports = bench.run(batches[0])
            require(
                isinstance(end.error, AuthFailed),
                f"{operation}: wrong credentials must end as AuthFailed, got {end.error} {reports}",
            )


def _findings(subject: Subject, settings: Mapping[str, Any] | None = None) -> list[Finding]:
    with over_http(subject, settings) as bench:
        before = {name: canonical(held) for name, held in bench.simulator.state().items()}
        end = bench.drive([], bench.destination.check())
        changed = [name for name, held in bench.simulator.state().items() if canonical(held) != before[name]]
        require(not changed, f"check changed {', '.join(changed)} at the vendor; it must be harmless")
    if isinstance(end.error, AuthFailed):
        return [Finding("error", str(end.error))]
    if end.error is not None:
        raise CheckFailed(f"check ended with {type(end.error).__name__}: {end.error}")
    findings = list(end.value or ())
    require(findings, "check must return at least one finding; `unknown` is an allowed one")
    return findings


def check_is_content(subject: Subject) -> None:
    bad = [finding.text for finding in _findings(subject) if finding.level == "error"]
    require(not bad, f"check complains about good credentials: {'; '.join(bad)}")


def check_finds_bad_credentials(subject: Subject) -> None:
    findings = _findings(subject, wrong_credentials(subject))
    if all(finding.level == "unknown" for finding in findings):
        return
    require(any(one.level == "error" for one in findings), f"check is content with wrong credentials: {findings}")
