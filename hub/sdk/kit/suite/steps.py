"""What becomes of records when one step of a flow goes wrong and the hub carries on: nothing lost, nothing twice."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

from hub.sdk.errors import Retryable
from hub.sdk.kit.bench.bench import Bench, in_memory, over_http
from hub.sdk.kit.subject import Subject
from hub.sdk.kit.suite.failed import CheckFailed, require
from hub.sdk.values import Accepted, Again, AnyPush, Operation, Outcome, Rejected, Request, Response

ONCE = (Operation.EVENTS, Operation.MESSAGES)
"""What may not happen twice: on a route that duplicates, the hub does not repeat these if it cannot know (rule 6)."""
COUNTED = ("profiles", "events", "messages")
MOST_CALLS = 40


class _Crash(Exception):
    """The process ended here; nothing after the last report is known."""


class _Accident(NamedTuple):
    """How call number `call` goes wrong. `is_known`: the hub can tell that the vendor did nothing."""

    name: str
    strike: Callable[[Bench, int], None]
    is_known: bool = False


def _server_error(bench: Bench, call: int) -> None:
    bench.simulator.next(status=500, after=call)


def _lost_answer(bench: Bench, call: int) -> None:
    bench.simulator.next("accepted_then_timeout", after=call)


def _crash(bench: Bench, call: int) -> None:
    """The vendor acts, and the process dies before it hears of it."""
    own, calls = bench.send, iter(range(MOST_CALLS * 10))

    def send(request: Request) -> Response:
        answer = own(request)
        if next(calls) == call:
            raise _Crash
        return answer

    bench.send = send


ACCIDENTS = (
    _Accident("a 500", _server_error, is_known=True),
    _Accident("an answer that was lost", _lost_answer),
    _Accident("a crash", _crash),
)


@dataclass
class _Trial:
    """Two fresh records of one operation, one accident, and what came of it."""

    bench: Bench
    operation: Operation
    pushes: list[AnyPush]
    before: dict[str, int]

    @property
    def happened(self) -> dict[str, int]:
        return {name: count - self.before[name] for name, count in _counts(self.bench).items()}


def _trial(subject: Subject, operation: Operation) -> _Trial:
    bench = in_memory(subject)
    bench.known(operation, 2)
    bench.kept.clear()
    return _Trial(bench, operation, bench.pushes(operation, 2), _counts(bench))


def survives_each_step(subject: Subject) -> None:
    """Each call of each flow goes wrong once, in three ways; the hub repeats what it may, as it would."""
    for operation in _operations(in_memory(subject)):
        calm = _trial(subject, operation)
        calm.bench.settle(calm.pushes)
        for accident in ACCIDENTS:
            for call in range(MOST_CALLS):
                trial = _trial(subject, operation)
                if not _goes_wrong(trial, accident, call):
                    break
                where = f"{operation}, {accident.name} at call {call + 1}"
                _nothing_twice(where, trial.happened, calm.happened)


def _goes_wrong(trial: _Trial, accident: _Accident, call: int) -> bool:
    """Run into the accident, then carry on as the hub does; False if there was no such call."""
    bench, own = trial.bench, trial.bench.send
    accident.strike(bench, call)
    ended: dict[str, Outcome] = {}
    was_cut = has_met = False
    open_now: list[AnyPush] = []
    for batch in bench.batches(trial.pushes)[0]:
        try:
            end, reports = bench.run(batch)
            ended.update({one.delivery_id: one for one in reports if isinstance(one, Accepted | Rejected)})
            if isinstance(end.error, Retryable) and end.error.unknown:
                was_cut = True
        except _Crash:
            was_cut = has_met = True
            ended.update(bench.settled)
        open_now += [push for push in batch.records if push.delivery_id not in ended]
    if accident.strike is not _crash:
        has_met = not bench.simulator.script.pending
    bench.simulator.script.pending.clear()
    bench.send = own
    if has_met:
        _carry_on(trial, accident, call, open_now, ended, was_cut=was_cut)
    return has_met


def _carry_on(
    trial: _Trial,
    accident: _Accident,
    call: int,
    waiting: Sequence[AnyPush],
    ended: dict[str, Outcome],
    *,
    was_cut: bool,
) -> None:
    bench, where = trial.bench, f"{trial.operation}, {accident.name} at call {call + 1}"
    route = bench.destination.routes()[bench.batches(trial.pushes)[0][0].route]
    is_final = route.repeat == "duplicates" and trial.operation in ONCE
    bench.kept.clear()
    bench.clock.advance(min(600.0, (route.repeat_window_s or 1_200.0) / 2))  # while the vendor still knows a repeat
    if waiting and not (is_final and was_cut and not accident.is_known):
        repeated = [replace(push, attempt=2, now=bench.clock()) for push in waiting]
        results = bench.settle([bench.refreshed(push) for push in repeated])
        for push in waiting:
            got = results.get(push.delivery_id)
            may_end = isinstance(got, Accepted) or (is_final and isinstance(got, Rejected))
            require(may_end, f"{where}: tried again, {push.person.source_id} ended as {got}")
            ended[push.delivery_id] = Accepted(push.delivery_id) if isinstance(got, Accepted) else Rejected("", "")
    for push in trial.pushes:
        got = ended.get(push.delivery_id)
        if isinstance(got, Rejected) and not is_final:
            raise CheckFailed(f"{where}: {push.person.source_id} was given up: {got.reason}")
        is_there = not isinstance(got, Accepted) or bench.simulator.holds(trial.operation, push.person.source_id)
        require(is_there is not False, f"{where}: {push.person.source_id} is accepted, yet the vendor does not have it")


def _nothing_twice(where: str, happened: dict[str, int], once: dict[str, int]) -> None:
    twice = [
        f"{happened[name]} {name} in place of {once[name]}" for name in COUNTED if happened[name] > max(once[name], 0)
    ]
    require(not twice, f"{where}: after carrying on the vendor has {', '.join(twice)}")


def lost_answer(subject: Subject) -> None:
    """The vendor acted, the answer was lost, the delivery comes again: on repeatable routes nothing happens twice."""
    for bench, push, repeat in _each_operation(subject):
        if repeat == "duplicates":
            continue
        operation, before = push.operation, _counts(bench)
        bench.simulator.next("accepted_then_reset")
        bench.run(bench.batches([push])[0][0])
        first = _counts(bench)
        end, reports = bench.run(bench.batches([bench.refreshed(replace(push, attempt=2))])[0][0])
        failed = end.error or next((one for one in reports if isinstance(one, Rejected)), None)
        require(failed is None, f"{operation}: the repeat after a lost answer failed: {failed}")
        twice = sorted(name for name, count in _counts(bench).items() if count > first[name] > before[name])
        require(not twice, f"{operation}: a call whose answer was lost had a second effect when repeated: {twice}")


def lost_answer_is_unknown(subject: Subject) -> None:
    """Where a repeat would be a second effect, a lost answer must not look like a plain failure.

    Each call of a flow loses its answer once; those that only look something up, or may be repeated, may say so.
    """
    for operation in [one for one in _operations(in_memory(subject)) if one in ONCE]:
        for call in range(MOST_CALLS):
            trial = _trial(subject, operation)
            bench = trial.bench
            batch = bench.batches(trial.pushes[:1])[0][0]
            if bench.destination.routes()[batch.route].repeat != "duplicates":
                break
            bench.simulator.next("accepted_then_reset", after=call)
            end, reports = bench.run(batch)
            if bench.simulator.script.pending:
                break  # the flow has no such call
            if not any(trial.happened[name] for name in ("events", "messages")) and call + 1 < _calls(
                subject, operation
            ):
                continue
            is_unknown = isinstance(end.error, Retryable) and end.error.unknown
            is_given_up = end.error is None and all(isinstance(one, Rejected) for one in bench.settled.values())
            asks = any(isinstance(one, Again) for one in reports)
            words = "its route duplicates, so a lost answer must stay unknown (Retryable with unknown=True)"
            got = end.error or reports
            require((is_unknown or is_given_up) and not asks, f"{operation}: {words}; it ended as {got}")


def _calls(subject: Subject, operation: Operation) -> int:
    """How many calls the flow of one such record makes when all goes well."""
    trial = _trial(subject, operation)
    sent: list[Request] = []
    own = trial.bench.send

    def send(request: Request) -> Response:
        sent.append(request)
        return own(request)

    trial.bench.run(trial.bench.batches(trial.pushes[:1])[0][0], send)
    return len(sent)


def _each_operation(subject: Subject) -> Iterator[tuple[Bench, AnyPush, str]]:
    """One record of each operation, and how its route may be repeated."""
    with over_http(subject) as bench:
        for start, operation in enumerate(_operations(bench)):
            bench.known(operation, 1, start)
            (push,) = bench.pushes(operation, 1, start)
            route = bench.destination.routes()[bench.batches([push])[0][0].route]
            yield bench, push, route.repeat


def _operations(bench: Bench) -> list[Operation]:
    return [one for one in Operation if one in bench.destination.Options]


def _counts(bench: Bench) -> dict[str, int]:
    return {name: len(getattr(bench.simulator, name)) for name in COUNTED}
