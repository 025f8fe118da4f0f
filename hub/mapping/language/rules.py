"""What a mapping file says, as plain values: rules, outputs and sections. Rows are in `tree`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from hub.mapping.language.paths import Path
from hub.mapping.language.rows import Formula, FromPath, Object, Place, Row


@dataclass(frozen=True, slots=True)
class Match:
    """One path of a `match` and the folded texts that satisfy it."""

    path: Path
    texts: frozenset[str]


@dataclass(frozen=True, slots=True)
class ProfileOutput:
    """`traits` are built-in fields; `address` and `metadata` make one field per key."""

    traits: tuple[tuple[str, Row], ...]
    address: Row | None
    metadata: Row | None
    kind: str = "profile"


@dataclass(frozen=True, slots=True)
class IdentitiesOutput:
    """Rows by identity type, or one row that makes an object of them."""

    fixed: tuple[tuple[str, Row], ...]
    dynamic: Row | None
    kind: str = "identities"


@dataclass(frozen=True, slots=True)
class ConsentsOutput:
    """Records by topic, or one row that makes an object of statuses or records, or a list of records with `topic`."""

    fixed: tuple[tuple[str, Row], ...]
    dynamic: Row | None
    kind: str = "consents"


@dataclass(frozen=True, slots=True)
class RecordOutput:
    """event, order, group, audience, link or erase: one record. `currency` is read first: it rules an order's money;
    `identities` are those of an erasure."""

    kind: str
    record: Object
    currency: Row | None = None
    identities: IdentitiesOutput | None = None


Output = ProfileOutput | IdentitiesOutput | ConsentsOutput | RecordOutput


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    id: str
    place: Place
    match: tuple[Match, ...] = ()
    when: Formula | FromPath | None = None
    each: tuple[str, Row] | None = None
    fallback: str | None = None
    claims: frozenset[str] = frozenset()
    outputs: tuple[Output, ...] = ()

    @property
    def stands_alone(self) -> bool:
        """Whether it says whom it is about by itself, so that the message needs no source_id."""
        return bool(self.outputs) and all(output.kind in {"link", "erase"} for output in self.outputs)

    @property
    def gives_consents(self) -> bool:
        """Whether it may tell of an address, whose consents stand whoever holds it."""
        return any(output.kind == "consents" for output in self.outputs)


@dataclass(frozen=True, slots=True, kw_only=True)
class InboundTree:
    source_id: Row
    identities: IdentitiesOutput
    missing: str
    at: Row | None
    test: Row | None
    replay: Row | None
    lets: tuple[tuple[str, Row], ...]
    rules: tuple[Rule, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class OutboundRule:
    id: str
    place: Place
    match: tuple[Match, ...]
    when: Formula | FromPath | None
    skip: str | None
    name: Row | None
    fields: Row | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Section:
    operation: str
    unset: str  # null | empty | list | omit
    rules: tuple[OutboundRule, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class OutboundTree:
    lets: tuple[tuple[str, Row], ...]
    sections: Mapping[str, Section]
