"""The bench a destination is tried on: the connector, its simulator, and the little of the hub that both need.

It builds pushes, forms batches to the declared limits, runs flows, polls jobs, halves a `Split` and repeats an `Again`;
times come from a clock that it moves itself.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Any

from hub.sdk.contract import Destination, Flow
from hub.sdk.declared import build, example_settings, secret_fields
from hub.sdk.errors import ConfigurationError, DeliveryError, Retryable, Split
from hub.sdk.flow import FlowEnd, Named, run_flow
from hub.sdk.kept_answers import KeptAnswers
from hub.sdk.kit.bench.batches import batches_of
from hub.sdk.kit.bench.http import Sender, without_network
from hub.sdk.kit.bench.pushes import example_push
from hub.sdk.kit.simulator.base import ManualClock, Simulator
from hub.sdk.kit.simulator.broker import publishing
from hub.sdk.kit.subject import Subject
from hub.sdk.values import (
    Accepted,
    Again,
    AnyPush,
    Batch,
    Json,
    Operation,
    Outcome,
    Pending,
    Progress,
    Rejected,
    Report,
    Request,
    Response,
    Waiting,
)

MAX_POLLS = 50
MAX_ATTEMPTS = 5
Settled = Outcome | DeliveryError


@dataclass
class Bench:
    """One destination in front of its simulator. `send` is how requests reach it."""

    destination: Destination
    simulator: Simulator
    clock: ManualClock
    send: Callable[[Request], Response]
    remembered: dict[str, dict[str, str]] = field(default_factory=dict)
    progress: dict[str, Json] = field(default_factory=dict)
    kept: KeptAnswers = field(default_factory=KeptAnswers)
    aside: Callable[[Request], Response] | None = None
    """Another way to the simulator, for what has to be there before a check begins; `send` if None."""
    people: set[str] = field(default_factory=set)
    """Whom `known` made known."""
    settled: dict[str, Outcome] = field(default_factory=dict)
    """What the last run reported so far, by delivery: the last word on each, also if the run was cut short."""

    def drive(
        self,
        records: Iterable[Named],
        flow: Flow,
        report: Callable[[Sequence[Report]], None] = lambda _reports: None,
        send: Callable[[Request], Response] | None = None,
    ) -> FlowEnd:
        """Run any flow of the destination to its end, over `send` if given; no polls follow."""
        way = self.kept.through(send or self.send, self.destination.classify, lambda: self.clock().timestamp())
        return run_flow(records, flow, way, self.destination.classify, report, publishing(self.destination, way))

    def pushes(
        self, operation: Operation, count: int, start: int = 0, fields: Mapping[int, Mapping[str, Json]] | None = None
    ) -> list[AnyPush]:
        """Pushes for the people `start` to `start + count - 1`; `fields` lays fields over some of them, by position."""
        made = []
        for position in range(count):
            extra = (fields or {}).get(position, {})
            push = example_push(self.destination, self.simulator, operation, start + position, self.clock(), extra)
            made.append(self.refreshed(push))
        return made

    def known(self, operation: Operation, count: int, start: int = 0) -> None:
        """Make the people of `pushes` known to the vendor first, where the destination carries profiles."""
        if operation is Operation.PROFILES or Operation.PROFILES not in self.destination.Options:
            return
        pushes = self.pushes(Operation.PROFILES, count, start)
        strangers = [push for push in pushes if push.person.source_id not in self.people]
        self.people.update(push.person.source_id for push in strangers)
        self.settle(strangers, send=self.aside)

    def batches(self, pushes: Sequence[AnyPush], limit: int | None = None) -> tuple[list[Batch], list[Rejected]]:
        """Batches by route and group, to the declared limits (or `limit` items), and what was refused before sending."""
        return batches_of(self.destination, pushes, self.clock(), limit)

    def run(self, batch: Batch, send: Callable[[Request], Response] | None = None) -> tuple[FlowEnd, list[Report]]:
        """One attempt at one batch, polls included if it ends in a job."""
        reports: list[Report] = []
        self.settled = {}

        def note(some: Sequence[Report]) -> None:
            self._note(batch, some, reports)

        end = self.drive(batch.records, self.destination.flow(batch), note, send)
        for _ in range(MAX_POLLS):
            pending = [report for report in reports if isinstance(report, Pending)]
            if not pending:
                break
            reports[:] = [report for report in reports if not isinstance(report, Pending)]
            reports += self._poll(pending, note, send)
        return end, reports

    def settle(
        self, pushes: Sequence[AnyPush], limit: int | None = None, send: Callable[[Request], Response] | None = None
    ) -> dict[str, Settled]:
        """What became of every push in the end, as the hub would see it after halving and repeating."""
        by_id = {push.delivery_id: push for push in pushes}
        batches, refused = self.batches(pushes, limit)
        results: dict[str, Settled] = {one.delivery_id: one for one in refused}
        while batches:
            end, reports = self.run(batches.pop(0), send)
            results.update({one.delivery_id: one for one in reports if not isinstance(one, Progress)})
            if isinstance(end.error, Split) and len(end.open_ids) > 1:
                half = len(end.open_ids) // 2
                for part in (end.open_ids[:half], end.open_ids[half:]):
                    batches += self.batches([self.refreshed(by_id[one]) for one in part], len(part))[0]
            elif end.error is not None:
                results.update(dict.fromkeys(end.open_ids, end.error))
            batches += self._retries([one for one in reports if isinstance(one, Again)], by_id)
        return results

    def _retries(self, again: Sequence[Again], by_id: dict[str, AnyPush]) -> list[Batch]:
        """The batches of the next attempt; a record that was tried MAX_ATTEMPTS times keeps its Again."""
        due = [by_id[one.delivery_id] for one in again if by_id[one.delivery_id].attempt < MAX_ATTEMPTS]
        if not due:
            return []
        self.clock.advance(max(600, *(one.after_s or 0 for one in again)))
        by_id.update({push.delivery_id: replace(push, attempt=push.attempt + 1, now=self.clock()) for push in due})
        return self.batches([self.refreshed(by_id[push.delivery_id]) for push in due])[0]

    def _poll(
        self,
        pending: Sequence[Pending],
        note: Callable[[Sequence[Report]], None],
        send: Callable[[Request], Response] | None,
    ) -> list[Report]:
        """One round of polls; a job whose poll failed is still pending."""
        self.clock.advance(max(one.after_s for one in pending))
        failed: list[Report] = []
        for token in dict.fromkeys(one.token for one in pending):
            waiting = [Waiting(one.delivery_id, one.find_by) for one in pending if one.token == token]
            end = self.drive(waiting, self.destination.poll(token, waiting), note, send)
            failed += [_after_a_failed_poll(one, end.error) for one in pending if one.delivery_id in end.open_ids]
        return failed

    def _note(self, batch: Batch, some: Iterable[Report], reports: list[Report]) -> None:
        people = {push.delivery_id: push.person.source_id for push in batch.records}
        for report in some:
            reports.append(report)
            if not isinstance(report, Progress):
                self.settled[report.delivery_id] = report
            else:
                self.progress[report.delivery_id] = report.progress
            if isinstance(report, Accepted | Progress):
                kept = self.remembered.setdefault(people[report.delivery_id], {})
                kept.update({name: value for name, value in report.remember.items() if value is not None})
                for name in [name for name, value in report.remember.items() if value is None]:
                    kept.pop(name, None)

    def refreshed(self, push: AnyPush) -> AnyPush:
        """The push with what was remembered of its person, and its progress, by now."""
        person = replace(push.person, remembered=dict(self.remembered.get(push.person.source_id, {})))
        return replace(push, person=person, progress=self.progress.get(push.delivery_id))


def _after_a_failed_poll(one: Pending, error: DeliveryError | None) -> Report:
    """A job that could not be asked after is asked again; one that is refused for good is tried anew."""
    return one if isinstance(error, Retryable) else Again(one.delivery_id, f"polling failed: {error}")


def make(subject: Subject, settings: Mapping[str, Any] | None = None) -> tuple[Destination, Simulator, ManualClock]:
    """The destination with settings its simulator accepts, and that simulator."""
    if subject.destination_class is None or subject.simulator_class is None:
        raise ConfigurationError(f"{subject.name} has no destination with a simulator; add simulator.py to its folder.")
    clock = ManualClock()
    model = subject.destination_class.Settings
    values = {**example_settings(model), **subject.simulator_class.example_settings(), **(settings or {})}
    return build(subject.destination_class, values, {}), subject.simulator_class(clock=clock), clock


@contextmanager
def over_http(subject: Subject, settings: Mapping[str, Any] | None = None) -> Iterator[Bench]:
    """A bench whose requests travel over real HTTP. Raises UnexpectedCall at the end if the vendor has no such call."""
    destination, simulator, clock = make(subject, settings)
    with simulator.serving() as url, Sender(destination, simulator.base_urls(url), clock) as send:
        yield Bench(destination, simulator, clock, send, aside=without_network(destination, simulator, clock))


def in_memory(subject: Subject, settings: Mapping[str, Any] | None = None) -> Bench:
    """A bench without sockets: the same bytes, answered directly."""
    destination, simulator, clock = make(subject, settings)
    return Bench(destination, simulator, clock, without_network(destination, simulator, clock))


def wrong_credentials(subject: Subject) -> dict[str, Any]:
    """The example settings with every secret replaced by one the vendor does not know."""
    assert subject.destination_class is not None
    assert subject.simulator_class is not None
    values = {**example_settings(subject.destination_class.Settings), **subject.simulator_class.example_settings()}
    names = secret_fields(subject.destination_class.Settings)
    wrong = {name: "wrong-" + str(value)[::-1] for name, value in values.items() if name in names and value}
    return wrong | subject.simulator_class.wrong_settings()


def secrets_of(subject: Subject) -> list[str]:
    """The texts that may appear nowhere."""
    assert subject.destination_class is not None
    assert subject.simulator_class is not None
    values = {**example_settings(subject.destination_class.Settings), **subject.simulator_class.example_settings()}
    names = secret_fields(subject.destination_class.Settings)
    return [str(value) for name, value in values.items() if name in names and value]
