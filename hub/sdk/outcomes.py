"""What became of a record, as a flow reports it, and what `check` and `prepare` find."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

from hub.sdk.words import EMPTY, Json, Operation


@dataclass(frozen=True, slots=True)
class Accepted:
    """The vendor took the record. `notices`: accepted with a warning; `remember`: vendor ids to keep (None forgets);
    `receipt`: the vendor's own reference."""

    delivery_id: str
    remember: Mapping[str, str | None] = EMPTY
    notices: Sequence[str] = ()
    receipt: str | None = None


@dataclass(frozen=True, slots=True)
class Rejected:
    """The vendor refused the record for good. `code` groups dead letters; "unsupported" where it has no place."""

    delivery_id: str
    reason: str
    code: str = "rejected"
    field: str | None = None


@dataclass(frozen=True, slots=True)
class Again:
    """Try this record again. `counts=False` uses no attempt: an innocent neighbour of a bad record."""

    delivery_id: str
    reason: str
    after_s: float | None = None
    counts: bool = True


@dataclass(frozen=True, slots=True)
class Pending:
    """The vendor answers later: poll `token` after `after_s`. `find_by` is how the job's result will name this
    record; after `give_up_s` the result is unknown."""

    delivery_id: str
    token: str
    after_s: float
    find_by: str = ""
    give_up_s: float = 86_400.0


@dataclass(frozen=True, slots=True)
class Progress:
    """A report inside a flow, committed before the flow goes on; not an outcome."""

    delivery_id: str
    progress: Json
    remember: Mapping[str, str | None] = EMPTY


Outcome = Accepted | Rejected | Again | Pending
Report = Accepted | Rejected | Again | Pending | Progress


@dataclass(frozen=True, slots=True)
class Waiting:
    """A pending delivery as a poll sees it."""

    delivery_id: str
    find_by: str


@dataclass(frozen=True, slots=True)
class Finding:
    """One result of `check` or `prepare`: a sentence for the operator."""

    level: Literal["ok", "warning", "error", "unknown"]
    text: str


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a connection's mapping is about to send, for `prepare`.

    `fields`: per operation, target name (dotted where nested) to the kind of its values: string, number, boolean, date,
    datetime, list or object. `events`: event names as the vendor will see them. `audiences`: keys of audiences.
    """

    fields: Mapping[Operation, Mapping[str, str]] = field(default_factory=dict)
    events: Sequence[str] = ()
    audiences: Sequence[str] = ()
