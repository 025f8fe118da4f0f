"""The books: three equations, recomputed from the tables of the rooms that keep them.

    accepted = waiting + applied + ignored + duplicate + quarantined        messages
    decided  = waiting + sent + skipped + dead                              deliveries
    codes    = free + published + retired                                   codes

Every term is a current state; rows that retention removed are in the ledger's carried totals. All of it is read in one
snapshot, so the check is exact while the hub runs.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from sqlalchemy import Connection, Engine

from hub.campaigns import store as campaigns
from hub.core.database import read
from hub.inbox import seen
from hub.inbox.values import InboxTerms
from hub.ledger.retention import totals
from hub.outbox.queue import store as outbox

Reasons = Mapping[str, int]

MESSAGES = ("accepted", ("waiting", "applied", "ignored", "duplicate", "quarantined"))
DELIVERIES = ("decided", ("waiting_deliveries", "sent", "skipped", "dead"))
CODES = ("codes", ("free", "published", "retired"))
EQUATIONS = {"messages": MESSAGES, "deliveries": DELIVERIES, "codes": CODES}


class CountsMessages(Protocol):
    """The part of an inbox that the books need."""

    def terms(self, state: Connection) -> InboxTerms: ...


@dataclass(frozen=True, slots=True)
class LedgerCheck:
    """The terms of all equations. `reasons` holds, for some terms, how many for which reason.

    The waiting messages are the term `waiting`, the waiting deliveries `waiting_deliveries`.
    """

    terms: Mapping[str, int]
    reasons: Mapping[str, Reasons] = field(default_factory=dict)

    @property
    def differences(self) -> dict[str, int]:
        """By equation, its left side less its right side; all zero when the books balance."""
        return {
            name: self.terms[left] - sum(self.terms[term] for term in right)
            for name, (left, right) in EQUATIONS.items()
        }

    @property
    def is_balanced(self) -> bool:
        return not any(self.differences.values())

    def as_json(self) -> dict[str, Any]:
        """Terms as top-level integers, reasons in `<term>_reasons`, `balanced`, and each equation's difference."""
        reasons = {f"{term}_reasons": dict(sorted(by_reason.items())) for term, by_reason in self.reasons.items()}
        return {**self.terms, **reasons, "differences": self.differences, "balanced": self.is_balanced}

    def sentences(self) -> list[str]:
        """What is off, for the operator; empty when the books balance."""
        told = []
        for name, difference in self.differences.items():
            left, right = EQUATIONS[name]
            if difference:
                word, of = ("missing from", difference) if difference > 0 else ("too many in", -difference)
                told.append(f"{of} {name} are {word} {' + '.join(right)}, which must come to {left}.")
        return told


def check(engine: Engine, inbox: CountsMessages) -> LedgerCheck:
    """Recompute the equations. On SQLite the inbox's own file is read beside the snapshot, without losing exactness."""
    with read(engine) as state:
        accepted, waiting = inbox.terms(state)
        messages = seen.terms(state)
        deliveries = outbox.terms(state)
        codes = campaigns.terms(state)
        carried = totals(state)
    reasons = {
        "ignored": _sum(messages.ignored, carried.get("ignored", {})),
        "quarantined": _sum(messages.quarantined, carried.get("quarantined", {})),
        "skipped": _sum(deliveries["skipped_reasons"], carried.get("skipped", {})),
        "dead": _sum(deliveries["dead_reasons"], carried.get("dead", {})),
    }
    pruned = {term: sum(carried.get(term, {}).values()) for term in ("applied", "duplicate", "sent", "skipped", "dead")}
    terms = {
        "accepted": accepted,
        "waiting": waiting,
        "applied": messages.applied + pruned["applied"],
        "ignored": sum(reasons["ignored"].values()),
        "duplicate": messages.duplicate + pruned["duplicate"],
        "quarantined": sum(reasons["quarantined"].values()),
        "decided": deliveries["decided"] + pruned["sent"] + pruned["skipped"] + pruned["dead"],
        "waiting_deliveries": deliveries["waiting"],
        "sent": deliveries["sent"] + pruned["sent"],
        "skipped": sum(reasons["skipped"].values()),
        "dead": sum(reasons["dead"].values()),
        **codes,
    }
    return LedgerCheck(terms, reasons)


def _sum(first: Reasons, second: Reasons) -> dict[str, int]:
    return {reason: first.get(reason, 0) + second.get(reason, 0) for reason in sorted({*first, *second})}
