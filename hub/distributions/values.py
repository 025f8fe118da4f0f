"""Distributions, occasions and what is decided in them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

Micros = int
Json = Any


@dataclass(frozen=True, slots=True)
class Audience:
    """Everybody, or the people named. `source_ids` is None for everybody, else sorted."""

    source_ids: Sequence[str] | None = None


@dataclass(frozen=True, slots=True)
class Trigger:
    """When a distribution runs. `kind`: manual, at, interval, cron; the other fields belong to their kind."""

    kind: str
    at: Micros | None = None
    every_s: int | None = None
    start_at: Micros | None = None  # from where an interval counts; None: from when the distribution was made
    expression: str = ""
    timezone: str = "UTC"


@dataclass(frozen=True, slots=True)
class Target:
    """One connection of a distribution. `mapping_hash` is the connection's active mapping."""

    connection_id: str
    operation: str
    options: Mapping[str, Json] = field(default_factory=dict)
    mapping_hash: str = ""


@dataclass(frozen=True, slots=True)
class Distribution:
    """A standing instruction. `missed`: skip or once. `consent`: the topic a person must have granted, or ''."""

    id: str
    name: str
    is_enabled: bool
    audience: Json
    trigger: Json
    missed: str
    consent: str
    campaign_id: str | None
    targets: Sequence[Target]
    planned_at: Micros
    version: int
    created_at: Micros
    updated_at: Micros


@dataclass(frozen=True, slots=True)
class Occasion:
    """One run of a distribution. `counts`: people, published, reused, and skipped.<reason>."""

    id: str
    distribution_id: str
    trigger_key: str
    planned_at: Micros
    opened_at: Micros
    audience: Json
    state: str
    cursor: str
    chunk_count: int
    counts: Mapping[str, int]


class Sync(NamedTuple):
    """A connection kept in step: `profiles`, `audience` memberships and `consent` as they change, `events` as they come.

    `event_keys` are keys or names of events; none named means every event. `mapping_hash` is the connection's active
    mapping.
    """

    connection_id: str
    operation: str
    options: Mapping[str, Json]
    event_keys: Sequence[str]
    created_at: Micros
    mapping_hash: str


@dataclass(frozen=True, slots=True)
class Backfill:
    """A sync made good for everybody who was there before it. `state`: open or done. `counts`: people, deliveries,
    waiting_already."""

    id: str
    connection_id: str
    operation: str
    state: str
    cursor: str
    counts: Mapping[str, int]
    opened_at: Micros
    updated_at: Micros


class Recipient(NamedTuple):
    """A person as gates see them. `merged`: other source_ids read through this one. `consents`: topic to granted.

    A source_id of the audience that nobody has is a recipient with `is_known` False, an erased one with `is_erased`.
    """

    source_id: str
    merged: Sequence[str] = ()
    consents: Mapping[str, bool | None] = {}
    is_known: bool = True
    is_erased: bool = False


class Publication(NamedTuple):
    """One person's part in one occasion."""

    id: str
    occasion_id: str
    source_id: str
    distribution_id: str
    campaign_id: str | None
    code: str | None
    published_at: Micros


class Decided(NamedTuple):
    """One delivery as it was decided. `record` is the canonical record, frozen here; `reason` is set if skipped."""

    id: str
    connection_id: str
    operation: str
    source_id: str
    consent: str
    occasion_id: str
    distribution_id: str
    publication_id: str | None
    record: Mapping[str, Json]
    options: Mapping[str, Json]
    mapping_hash: str
    at: Micros
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Decisions:
    """What one chunk decided. Publications are stored already; the deliveries go to the outbox."""

    publications: Sequence[Publication]
    deliveries: Sequence[Decided]
    counts: Mapping[str, int]
