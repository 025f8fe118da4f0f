"""What becomes of records when the vendor is well: batches, partial failures, repeats, odd values."""

from __future__ import annotations

import copy
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

from hub.sdk.errors import DeliveryError, Split
from hub.sdk.json import canonical
from hub.sdk.kit.bench.bench import Bench, Settled, in_memory, over_http, secrets_of
from hub.sdk.kit.bench.vendor_session import with_any_token
from hub.sdk.kit.subject import Subject
from hub.sdk.kit.suite.awkward_inputs import AWKWARD
from hub.sdk.kit.suite.failed import CheckFailed, require
from hub.sdk.values import Accepted, Again, AnyPush, Batch, Operation, Pending, Rejected, Request, Response
from hub.sdk.wire import Wire, encode


def _operations(bench: Bench) -> list[Operation]:
    """In the order of a person's life: profiles first, erasure last."""
    return [one for one in Operation if one in bench.destination.Options]


def _names(pushes: list[AnyPush], results: Mapping[str, Settled]) -> str:
    return ", ".join(f"{push.person.source_id}: {results.get(push.delivery_id)}" for push in pushes[:3])


def _all_accepted(bench: Bench, operation: Operation, pushes: list[AnyPush], results: Mapping[str, Settled]) -> None:
    bad = [push for push in pushes if not isinstance(results.get(push.delivery_id), Accepted)]
    require(not bad, f"{operation}: {len(bad)} of {len(pushes)} were not accepted ({_names(bad, results)})")
    lost = [
        push.person.source_id for push in pushes if bench.simulator.holds(operation, push.person.source_id) is False
    ]
    require(not lost, f"{operation}: reported as accepted, yet the vendor does not have {', '.join(lost[:3])}")


def one_outcome_per_record(subject: Subject, size: int | None) -> None:
    """`size` records in batches of the declared limit; None: one more than the largest limit of the operation."""
    with over_http(subject) as bench:
        for operation in _operations(bench):
            count = size or 1 + _limit(bench, operation)
            bench.known(operation, count)
            pushes = bench.pushes(operation, count)
            _all_accepted(bench, operation, pushes, bench.settle(pushes))


def _limit(bench: Bench, operation: Operation) -> int:
    items = bench.destination.items(bench.pushes(operation, 1)[0])
    if isinstance(items, Rejected):
        raise CheckFailed(f"{operation}: the example record is refused before sending: {items.reason}")
    require(items, f"{operation}: the example record has no items; refuse it with Rejected or make one")
    places = {(item.route, item.group) for item in items}
    require(len(places) == 1, f"{operation}: one record is spread over several routes or groups")
    routes = bench.destination.routes()
    unknown = [item.route for item in items if item.route not in routes]
    require(not unknown, f"{operation}: items name routes that do not exist: {', '.join(unknown)}")
    bulk = [route.items for route in routes.values() if route.bulk_of == items[0].route]
    return max([routes[items[0].route].items, *bulk])


def one_record_alone(subject: Subject) -> None:
    one_outcome_per_record(subject, 1)


def three_records_together(subject: Subject) -> None:
    one_outcome_per_record(subject, 3)


def more_than_the_limit(subject: Subject) -> None:
    one_outcome_per_record(subject, None)


def exactly_the_limit(subject: Subject) -> None:
    """As many records as one call of the largest route holds. Huge calls are left to `more_than_the_limit`, which
    makes one of them too: they cost seconds."""
    bench = in_memory(subject)
    for operation in _operations(bench):
        count = min(_limit(bench, operation), LARGE)
        bench.known(operation, count)
        pushes = bench.pushes(operation, count)
        _all_accepted(bench, operation, pushes, bench.settle(pushes))


def requests_are_pure(subject: Subject) -> None:
    """Two instances and two simulators, the same pushes: the same bytes, and the pushes are as they were."""
    bench = in_memory(subject)
    for operation in _operations(bench):
        runs = [_wires(subject, operation) for _ in range(2)]
        for one, other in zip(*runs, strict=False):
            same = (one.method, one.url, one.headers, one.body) == (other.method, other.url, other.headers, other.body)
            require(same, f"{operation}: {one.method} differs between two runs with the same input")
        require(
            len(runs[0]) == len(runs[1]), f"{operation}: two runs with the same input make different numbers of calls"
        )


def _wires(subject: Subject, operation: Operation) -> list[Wire]:
    bench = in_memory(subject)
    bench.known(operation, 3)
    pushes = bench.pushes(operation, 3)
    before = copy.deepcopy([(dict(push.fields), push.person) for push in pushes])
    wires: list[Wire] = []
    own = bench.send

    def send(request: Request) -> Response:
        wires.append(encode(request, bench.destination.hosts(), with_any_token(bench.destination.auth())))
        return own(request)

    bench.send = send
    bench.settle(pushes)
    require(
        before == [(dict(push.fields), push.person) for push in pushes], f"{operation}: the connector changed its input"
    )
    return wires


LARGE = 1_000  # records
PATTERNS = ("x....", "..x..", "....x", "x.x.x.", "xx..", "..xx", "xxx", "x.")
"""Where bad records (x) stand among good ones; none reads the same backwards but the last resorts."""


def partial_failure(subject: Subject) -> None:
    """One bad record first, in the middle and last: it alone is refused, its neighbours arrive."""
    with over_http(subject) as bench:
        _mixed(bench, PATTERNS[:3])


def own_outcomes(subject: Subject) -> None:
    """Good and bad in many orders: each record gets what it deserves, not what its neighbour does."""
    _mixed(in_memory(subject), PATTERNS[3:])


def _mixed(bench: Bench, patterns: Sequence[str]) -> None:
    start = 0
    for operation, bad_fields in bench.simulator.refused_fields.items():
        for pattern in patterns:
            bench.known(operation, len(pattern), start)
            bad = {place: bad_fields for place, mark in enumerate(pattern) if mark == "x"}
            pushes = bench.pushes(operation, len(pattern), start, bad)
            results = bench.settle(pushes)
            for place in bad:
                _is_refused(f"{operation}, record {place + 1} of {pattern}", results.get(pushes[place].delivery_id))
            good = [push for place, push in enumerate(pushes) if place not in bad]
            _all_accepted(bench, operation, good, results)
            start += len(pattern)


def _is_refused(where: str, got: Settled | None) -> None:
    refused = isinstance(got, Rejected) or (isinstance(got, DeliveryError) and not isinstance(got, Split))
    require(refused, f"{where}: the bad record ended as {got}")
    reason = got.reason if isinstance(got, Rejected) else str(got)
    require(reason.strip(), f"{where}: the refusal does not say why")


def repeats_are_harmless(subject: Subject) -> None:
    """On routes declared `safe` or `deduplicated`, the same deliveries sent again leave the vendor as it was."""
    for operation in _operations(in_memory(subject)):
        once, twice = (_state_after(subject, operation, attempts) for attempts in (1, 2))
        words = "its route is declared as repeatable, yet a repeat changed what the vendor holds"
        require(once == twice, f"{operation}: {words}")


def _state_after(subject: Subject, operation: Operation, attempts: int) -> bytes:
    bench = in_memory(subject)
    bench.known(operation, 2)
    for attempt in range(1, attempts + 1):
        for batch in bench.batches([replace(push, attempt=attempt) for push in bench.pushes(operation, 2)])[0]:
            if bench.destination.routes()[batch.route].repeat != "duplicates":
                bench.run(batch)
    return canonical({name: bench.simulator.state().get(name) for name in ("profiles", "events", "messages")})


def awkward_inputs(subject: Subject, name: str) -> None:
    """The record has exactly one outcome, whatever the vendor thinks of the value, and its neighbour arrives."""
    change = AWKWARD[name]
    with over_http(subject) as bench:
        for operation in _operations(bench):
            if operation is Operation.ERASE:
                continue
            bench.known(operation, 2)
            odd, plain = bench.pushes(operation, 2)
            pushes = [*change(bench, operation, odd), plain]
            results = bench.settle(pushes)
            _one_result_each(operation, name, pushes, results)
            _all_accepted(bench, operation, [plain], results)


def _one_result_each(operation: Operation, name: str, pushes: list[AnyPush], results: Mapping[str, Settled]) -> None:
    for push in pushes:
        got = results.get(push.delivery_id)
        ended = isinstance(got, Accepted | Rejected) or (isinstance(got, DeliveryError) and not isinstance(got, Split))
        require(ended and not isinstance(got, Again | Pending), f"{operation} with {name} ended as {got}")


def nothing_leaks_while_sending(subject: Subject) -> None:
    """No secret in requests as they print, in masked bytes, in outcomes or in errors."""
    hidden = secrets_of(subject)
    bench = in_memory(subject)
    for operation in _operations(bench):
        bench.known(operation, 1)
        for status in (0, 401, 400, 500):
            if status:
                bench.simulator.next(status=status)
            for where, text in _said(bench, operation):
                leaks = [value for value in hidden if value in text]
                require(not leaks, f"{operation}: a secret shows in {where}")
            bench.simulator.script.pending.clear()


def _said(bench: Bench, operation: Operation) -> Iterator[tuple[str, str]]:
    requests: list[Request] = []
    own = bench.send

    def send(request: Request) -> Response:
        requests.append(request)
        return own(request)

    for batch in _batches(bench, operation):
        end, reports = bench.run(batch, send)
        yield "an outcome", repr(reports)
        yield "an error", f"{end.error!s} {end.error!r}"
        yield "a batch", repr(batch)
    for request in requests:
        shown = encode(request, bench.destination.hosts(), bench.destination.auth(), masked=True)
        yield "a request as it prints", repr(request)
        yield "the masked request", f"{shown.url} {dict(shown.headers)} {shown.body!r}"


def _batches(bench: Bench, operation: Operation) -> list[Batch]:
    return bench.batches(bench.pushes(operation, 1))[0]
