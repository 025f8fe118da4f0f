"""Drives a connector's flow: the one place where contract rules 2, 3 and 4 are kept.

    end = run_flow(batch.records, destination.flow(batch), send, destination.classify, report)

`send(request) -> Response` does the I/O (and the pacing); it raises DeliveryError where no answer came (network, timeout,
an open circuit, an empty pool). `report(reports)` stores outcomes and progress; the flow goes on only after it returned.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from hub.sdk.contract import Flow
from hub.sdk.errors import DeliveryError
from hub.sdk.values import AnyPush, Progress, Publish, Published, Report, Request, Response

Send = Callable[[Request], Response]
Classify = Callable[[Request, Response], DeliveryError | None]
Store = Callable[[Sequence[Report]], None]
Broker = Callable[[Sequence[Publish]], Sequence[Published | DeliveryError]]


class ContractBroken(Exception):
    """The connector broke its contract; this is a defect of the connector, recorded and never retried in silence."""

    def __init__(self, message: str, open_ids: Sequence[str] = ()) -> None:
        super().__init__(message)
        self.open_ids = tuple(open_ids)


class Named(Protocol):
    """A record of a batch, or a waiting one of a poll."""

    @property
    def delivery_id(self) -> str: ...


@dataclass(frozen=True, slots=True)
class FlowEnd:
    """How a flow ended. `error` applies to the deliveries in `open_ids`, which have no outcome; `value` is what the
    flow returned (the findings of a check)."""

    error: DeliveryError | None
    open_ids: tuple[str, ...]
    value: Any = None


def no_broker(messages: Sequence[Publish]) -> Sequence[Published | DeliveryError]:
    """For whoever runs flows of HTTP vendors only."""
    raise ContractBroken(f"The connector published {len(messages)} messages, but declares no broker.")


def run_flow(
    records: Iterable[Named | AnyPush],
    flow: Flow,
    send: Send,
    classify: Classify,
    report: Store,
    publish: Broker = no_broker,
) -> FlowEnd:
    """Run a flow to its end. Reports are handed to `report` before the flow goes on.

    Every answer is classified first; a classified error, or one that `send` raised, is thrown into the flow at its
    yield with `.response`. One that the flow does not catch ends it: the deliveries without an outcome then carry it.

    Raises ContractBroken (after everything reported was stored) for a record without an outcome at a clean end, an
    outcome for a record that is not in the batch, or a second outcome for one; whatever else a connector raises passes through.
    """
    open_ids = dict.fromkeys([record.delivery_id for record in records])
    known = frozenset(open_ids)
    answer: Response | Sequence[Published | DeliveryError] | None = None
    error: DeliveryError | None = None
    while True:
        try:
            step = flow.throw(error) if error is not None else flow.send(answer)
        except StopIteration as stop:
            return _clean_end(open_ids, stop.value)
        except DeliveryError as uncaught:
            return FlowEnd(uncaught, tuple(open_ids))
        answer, error = None, None
        if isinstance(step, Request):
            answer, error = _call(step, send, classify)
        elif messages := [one for one in step if isinstance(one, Publish)]:
            try:
                answer = publish(messages)
            except DeliveryError as failed:
                error = failed
        else:
            _store([one for one in step if not isinstance(one, Publish)], known, open_ids, report)


def _call(request: Request, send: Send, classify: Classify) -> tuple[Response | None, DeliveryError | None]:
    answer: Response | None = None
    error: DeliveryError | None
    try:
        answer = send(request)
        error = classify(request, answer)
    except DeliveryError as failed:
        error = failed
    if error is not None and error.response is None:
        error.response = answer
    return answer, error


def _clean_end(open_ids: dict[str, None], value: Any) -> FlowEnd:
    if open_ids:
        named = ", ".join(list(open_ids)[:5])
        raise ContractBroken(
            f"The connector ended without an outcome for {len(open_ids)} of its records ({named}); it must report one for each.",
            list(open_ids),
        )
    return FlowEnd(None, (), value)


def _store(reports: Sequence[Report], known: frozenset[str], open_ids: dict[str, None], report: Store) -> None:
    """Store the valid reports of a step, then complain about the others."""
    valid: list[Report] = []
    wrong: list[str] = []
    for one in reports:
        if one.delivery_id not in known:
            wrong.append(f"{one.delivery_id} is not in the batch")
        elif isinstance(one, Progress):
            valid.append(one)
        elif one.delivery_id in open_ids:
            del open_ids[one.delivery_id]
            valid.append(one)
        else:
            wrong.append(f"{one.delivery_id} already has an outcome")
    if valid:
        report(valid)
    if wrong:
        raise ContractBroken(f"The connector reported wrongly: {'; '.join(wrong[:5])}.", list(open_ids))
