"""What profiles take and give. NamedTuples where one is made per message."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from hub.mapping.model import Change
from hub.sdk.values import ErasureStatus

Micros = int


class AppliedChange(NamedTuple):
    """One message's change on its way into the profiles.

    `revision` is 0 on first apply, else the ordinal of the replay run; then `previous` is the source_id that the
    message was applied to before, and what it contributed there and no longer yields is withdrawn.
    """

    change: Change
    connection_id: str
    message_id: str
    message_key: str
    revision: int
    received_at: Micros
    previous: str | None = None


Pairs = tuple[tuple[str, str], ...]


class MergeResult(NamedTuple):
    """What a batch did. `changed` names profiles whose fields differ now; `created` those that are new.

    Pairs name what is different now, not only newer: `memberships` (source_id, audience key), `readdressed` (source_id,
    email or phone), `consented` (source_id, topic) and `addressed` (address as consents know it, topic). `joined` are
    those who are another person to read since: who got somebody, lost somebody, or stands alone again.
    """

    created: tuple[str, ...]
    changed: tuple[str, ...]
    events: int
    orders: int
    consents: int
    links: int
    memberships: Pairs = ()
    readdressed: Pairs = ()
    consented: Pairs = ()
    addressed: Pairs = ()
    joined: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class ConsentState:
    """The stricter of what the profile and its address allow. `is_granted`: None where nobody said anything."""

    topic: str
    is_granted: bool | None
    at: Micros | None = None
    source: str | None = None


@dataclass(frozen=True, slots=True)
class Erased:
    """What an erasure took: all source_ids of the person, their identifiers, and the tombstones it left.

    `identifiers` is what erase deliveries carry: type -> values; e-mail and phone traits are among them.
    """

    source_ids: tuple[str, ...]
    survivor: str
    identifiers: Mapping[str, Sequence[str]] = field(repr=False)
    tombstones: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class ErasureRecord:
    """A request to erase as it stands; see ErasureRow. `untold` names destinations that have not confirmed it."""

    id: str
    connection_id: str
    request_id: str
    regulation: str
    status: ErasureStatus
    received_at: Micros
    expected_at: Micros
    acts_at: Micros
    changed_at: Micros
    sealed: str = field(repr=False)
    profiles: int
    deliveries: tuple[str, ...]
    untold: tuple[str, ...]
    queue: Mapping[str, int] | None
    callbacks: str = field(repr=False)
    callback_count: int


class DueCallback(NamedTuple):
    """A change of status that one of a request's URLs is to be told."""

    id: str
    erasure: ErasureRecord
    position: int
    status: ErasureStatus
    changed_at: Micros
    attempts: int
    due_at: Micros


View = dict[str, Any]
"""A profile as outbound mappings read it; see Scope in hub/mapping/model.py."""
