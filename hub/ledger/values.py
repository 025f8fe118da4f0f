"""What the sync log holds. NamedTuples where one is made per delivery, since they build several times faster."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Generic, NamedTuple, TypeVar

from hub.core.filters import RecordFilter

Micros = int
T = TypeVar("T")

OPEN = "open"
"""The outcome of an attempt that was started and has not ended; found after a crash, its result is unknown."""


@dataclass(frozen=True, slots=True)
class Run:
    """One entry of the sync log. `kind`: apply, occasion, request, import, mapping. `result`: ok, partial, failed. `detail`: a sentence."""

    id: str
    kind: str
    started_at: Micros
    duration_us: int
    counts: Mapping[str, int] = field(default_factory=dict)
    result: str = "ok"
    detail: str = ""
    connection_id: str | None = None
    distribution_id: str | None = None


@dataclass(frozen=True, slots=True)
class RunFilter(RecordFilter):
    """Which runs. `status` is their result; times are when they began. Runs have no reason and no source_id."""

    kind: str | None = None
    distribution_id: str | None = None


class AttemptStart(NamedTuple):
    """Written before the call. `number` is the largest among the batch's deliveries, 1 for the first try."""

    id: str
    connection_id: str
    route: str
    number: int
    started_at: Micros
    is_manual: bool = False


class AttemptEnd(NamedTuple):
    """Written after the call. `request` and `response` are masked text; the store truncates them.

    `run_id` names a run recorded in the same transaction before this, or is None.
    """

    id: str
    ended_at: Micros
    status: int | None
    outcome: str
    request: str = ""
    response: str = ""
    run_id: str | None = None


class AttemptRecord(NamedTuple):
    """What one attempt meant for one delivery; `reason` is the operator's sentence or the vendor's words."""

    attempt_id: str
    delivery_id: str
    outcome: str
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Attempt:
    """One attempt as operators read it. `record_outcome` and `record_reason` are about the delivery asked for."""

    id: str
    run_id: str | None
    connection_id: str
    route: str
    number: int
    is_manual: bool
    started_at: Micros
    ended_at: Micros | None
    status: int | None
    outcome: str
    request: str
    response: str
    record_outcome: str | None = None
    record_reason: str | None = None


@dataclass(frozen=True, slots=True)
class Audit:
    """Who did what to which thing, when. Names no person: an erasure stands under its tombstone's hash."""

    id: str
    at: Micros
    actor: str
    action: str
    subject: str
    detail: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Page(Generic[T]):
    """Some rows, and the cursor that continues after them (None at the end)."""

    items: Sequence[T]
    next_cursor: str | None
