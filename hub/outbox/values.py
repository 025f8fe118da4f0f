"""What goes into the outbox, what comes out of it, and what it asks of the rooms around it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, NamedTuple, Protocol

from hub.core.filters import RecordFilter
from hub.sdk.values import Operation

Json = Any
Micros = int
Database = Any  # an open SQLAlchemy connection; ports name it without importing the library

FRESH: Final = frozenset({Operation.PROFILES, Operation.AUDIENCE, Operation.CONSENT})
"""Built when sent; at most one of each waits per (connection, profile, topic). All state-setting, so safe in effect."""

ONCE: Final = frozenset({Operation.EVENTS, Operation.MESSAGES})
"""A repeat of these is a second effect, unless the route says otherwise."""

ERASED_PREFIX: Final = "erased:"
"""What the source_id of an erased person's deliveries begins with; the tombstone's hash follows."""


@dataclass(frozen=True, slots=True)
class NewDelivery:
    """One delivery to insert. `record` holds scope names of the mapping language, such as
    `{"event": {...}}` or `{"code": {"code": "A1"}, "distribution": {"id": ...}}`; for ERASE it is sealed text.

    `topic` is the consent topic or the audience key; `consent` the topic whose refusal forbids sending. `skip` names a
    reason why it will not be sent at all: then it is stored as skipped.
    """

    connection_id: str
    operation: Operation
    source_id: str
    at: Micros
    record: Mapping[str, Json] | str = field(default_factory=dict)
    options: Mapping[str, Json] = field(default_factory=dict)
    topic: str = ""
    consent: str = ""
    mapping_hash: str = ""
    distribution_id: str | None = None
    occasion_id: str | None = None
    publication_id: str | None = None
    due_at: Micros | None = None
    is_quiet: bool = False
    is_forced: bool = False
    id: str = ""
    skip: str = ""


class Inserted(NamedTuple):
    """`inserted` rows are new; `superseded` older ones gave way; `known` were there already (same occasion)."""

    inserted: int
    superseded: int
    known: int


class Row(NamedTuple):
    """A delivery as the claim reads it."""

    id: str
    operation: str
    source_id: str
    topic: str
    consent: str
    distribution_id: str | None
    record: str
    options: str
    mapping_hash: str
    at: Micros
    route: str
    cohort: str
    attempts: int
    waited_us: Micros
    repeat: str
    repeat_until: Micros | None
    is_unknown: bool
    replay: int
    is_manual: bool
    is_quiet: bool
    is_forced: bool
    progress: str
    created_at: Micros
    due_at: Micros = 0


class Held(NamedTuple):
    """What the rules need to know of a delivery whose attempt ends."""

    id: str
    operation: str
    attempts: int
    waited_us: Micros
    repeat: str
    repeat_until: Micros | None
    give_up_at: Micros | None


class Next(NamedTuple):
    """The state a delivery moves to. `counted` adds one attempt, `waited_us` is added to its back-off so far."""

    state: str
    reason: str = ""
    detail: str = ""
    due_at: Micros = 0
    counted: bool = True
    waited_us: Micros = 0
    is_unknown: bool = False
    cohort: str = ""
    token: str = ""
    give_up_at: Micros | None = None
    notices: str = ""
    receipt: str = ""


class Policy(NamedTuple):
    """How long and how often a failing delivery is tried."""

    horizon_us: Micros = 72 * 3_600_000_000
    base_us: Micros = 2_000_000
    cap_us: Micros = 3_600_000_000


@dataclass(frozen=True, slots=True)
class Filters(RecordFilter):
    """Which deliveries. `status` is waiting, sent, skipped or dead; times are when they were decided."""

    ids: tuple[str, ...] = ()
    operation: str | None = None
    distribution_id: str | None = None
    occasion_id: str | None = None


class Mapped(Protocol):
    """The result of a destination mapping; see `hub.mapping.model.Mapped`."""

    @property
    def fields(self) -> dict[str, Json]: ...
    @property
    def unset(self) -> tuple[str, ...]: ...
    @property
    def name(self) -> str | None: ...
    @property
    def skip(self) -> str | None: ...
    @property
    def warnings(self) -> Sequence[Any]: ...


class Outbound(Protocol):
    def apply(self, operation: str, scope: Mapping[str, Json]) -> Mapped: ...


Mappings = Callable[[str], Outbound]
"""The compiled destination mapping of a version, by its hash. Raises ConfigurationError for one that is not there."""


class People(Protocol):
    """What the outbox asks of profiles, inside the transaction of the claim."""

    def views(self, database: Database, source_ids: Sequence[str]) -> Mapping[str, Mapping[str, Json]]:
        """source_id to the `profile` of a mapping's scope; a merged profile's is its survivor's. Unknown ones lack."""
        ...

    def refused(self, database: Database, wanted: Sequence[tuple[str, str]]) -> Mapping[tuple[str, str], str]:
        """Of (source_id, consent topic) pairs those that may not be sent to, with the reason."""
        ...

    def erased(self, database: Database, source_ids: Sequence[str]) -> set[str]:
        """Which of these have a tombstone."""
        ...
