"""What becomes of records when the vendor is not well. Every call of a flow is struck once, the others go well."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from hub.sdk.errors import AuthFailed, DeliveryError, Permanent, RateLimited, Retryable, Split
from hub.sdk.flow import FlowEnd, run_flow
from hub.sdk.kit.bench import Bench, over_http, wrong_credentials
from hub.sdk.kit.failed import CheckFailed, require
from hub.sdk.kit.faults import FaultKind
from hub.sdk.kit.http import Sender
from hub.sdk.kit.subject import Subject
from hub.sdk.values import Accepted, Again, Finding, Operation, Progress, Rejected, Report

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
        start = 0
        for operation in [one for one in Operation if one in bench.destination.Options]:
            call = 0
            while True:
                bench.known(operation, 2, start)
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
    with Sender(bench.destination, urls, bench.clock, SHORT_S if is_silent else 10.0) as send:
        end = run_flow(batch.records, bench.destination.flow(batch), send, bench.destination.classify, reports.extend)
    return end, reports


def _must_be(struck: Struck, wanted: type[DeliveryError], words: str) -> None:
    require(struck.is_again or isinstance(struck.end.error, wanted), f"{words} must end as {wanted.__name__}; {struck}")


def rate_limit_with_a_time(subject: Subject) -> None:
    for struck in strike(subject, status=429, retry_after=RETRY_AFTER_S):
        _must_be(struck, RateLimited, "429")
        error = struck.end.error
        if isinstance(error, RateLimited):
            require(error.until is not None, f"429 with a time must carry it as `until`; {struck}")
            assert error.until is not None
            wait = (error.until - struck.bench.clock()).total_seconds()
            require(
                abs(wait - RETRY_AFTER_S) <= 1,
                f"the vendor asked for {RETRY_AFTER_S} s, `until` is {wait:g} s away; {struck}",
            )


def rate_limit_without_a_time(subject: Subject) -> None:
    for struck in strike(subject, status=429):
        _must_be(struck, RateLimited, "429 without a time")


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
    for struck in strike(subject, "timeout"):
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
            f"an HTML page under 200 is no answer of the API, so Unreadable or AuthFailed is due; {struck}",
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
            end, reports = bench.run(bench.batches(bench.pushes(operation, 1))[0][0])
            require(
                isinstance(end.error, AuthFailed),
                f"{operation}: wrong credentials must end as AuthFailed, got {end.error} {reports}",
            )


def _findings(subject: Subject, settings: Mapping[str, Any] | None = None) -> list[Finding]:
    with over_http(subject, settings) as bench:
        destination = bench.destination
        end = run_flow([], destination.check(), bench.send, destination.classify, lambda _reports: None)
        changed = [name for name, held in bench.simulator.state().items() if held]
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


def lost_answer(subject: Subject) -> None:
    """The vendor acted, the answer was lost, the delivery comes again: on repeatable routes nothing happens twice."""
    with over_http(subject) as bench:
        for start, operation in enumerate(one for one in Operation if one in bench.destination.Options):
            bench.known(operation, 1, start)
            (push,) = bench.pushes(operation, 1, start)
            batch = bench.batches([push])[0][0]
            if bench.destination.routes()[batch.route].repeat == "duplicates":
                continue
            before = _counts(bench)
            bench.simulator.next("accepted_then_reset")
            bench.run(batch)
            first = _counts(bench)
            end, reports = bench.run(bench.batches([replace(push, attempt=2)])[0][0])
            failed = end.error or next((one for one in reports if isinstance(one, Rejected)), None)
            require(failed is None, f"{operation}: the repeat after a lost answer failed: {failed}")
            twice = sorted(name for name, count in _counts(bench).items() if count > first[name] > before[name])
            require(not twice, f"{operation}: a call whose answer was lost had a second effect when repeated: {twice}")


def _counts(bench: Bench) -> dict[str, int]:
    return {name: len(getattr(bench.simulator, name)) for name in ("profiles", "events", "messages")}
