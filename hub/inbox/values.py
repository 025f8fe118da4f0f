"""What the inbox takes and gives."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from hub.core.clock import Micros
from hub.core.filters import RecordFilter
from hub.sdk.values import RawMessage

UNKNOWN_SOURCE = "-"
"""What refusals are counted under when the source key is nobody's."""


@dataclass(frozen=True, slots=True)
class AcceptedRequest:
    """The messages of one HTTP request, verified and decoded. At least one."""

    connection_id: str
    received_at: Micros
    messages: Sequence[RawMessage]
    headers: str = ""  # JSON, of those that may be kept: see headers.py


class Message(NamedTuple):
    """One message, as claimed. `message_id` is final: at most 128 characters, without NUL or lone surrogates.

    `has_fresh_id`: the sender gave neither an id nor a time, so a repetition cannot be told from a second message.
    """

    connection_id: str
    message_id: str
    received_at: Micros
    is_authentic: bool
    profile_hint: str | None
    has_fresh_id: bool
    body: bytes
    headers: str = ""  # of its request; JSON


@dataclass(frozen=True, slots=True)
class Refusal:
    """How often a source (or '-') was refused for a reason in the minute that began at `minute`."""

    connection_id: str
    reason: str
    minute: Micros
    count: int


class RefusedRequest(NamedTuple):
    """One refused request, as far as it is kept: for an hour, a few per source, reason and minute."""

    id: str
    connection_id: str
    reason: str
    received_at: Micros
    path: str  # below the source key
    headers: str  # JSON
    size: int  # of the whole body, in bytes
    body: bytes  # cut


class InboxTerms(NamedTuple):
    """The inbox's part of the ledger equation, in messages."""

    accepted: int
    waiting: int


class SeenRow(NamedTuple):
    """What became of a message: a row of `message`. `state` is applied, ignored or quarantined."""

    connection_id: str
    message_id: str
    state: str
    reason: str
    mapping_hash: str
    schema_hash: str
    received_at: Micros
    at: Micros | None
    source_id: str | None
    revision: int
    body: bytes | None
    warnings: str  # JSON
    run_id: str | None
    headers: str = ""  # JSON


class Settled(NamedTuple):
    """The new state of a message that was applied again, or decided late in its batch. Its body stays as it is."""

    connection_id: str
    message_id: str
    state: str
    reason: str
    mapping_hash: str
    schema_hash: str
    at: Micros | None
    source_id: str | None
    revision: int
    warnings: str  # JSON
    run_id: str | None


class StoredMessage(NamedTuple):
    """A seen row as it is read again, by operators and by replays."""

    connection_id: str
    message_id: str
    state: str
    reason: str
    mapping_hash: str
    schema_hash: str
    received_at: Micros
    at: Micros | None
    source_id: str | None
    duplicates: int
    revision: int
    warnings: str  # JSON
    run_id: str | None
    body: bytes | None
    headers: str  # JSON, or empty

    @property
    def cursor(self) -> Cursor:
        return self.received_at, self.connection_id, self.message_id


Cursor = tuple[Micros, str, str]
"""Where a page ends: received_at, connection_id, message_id."""


@dataclass(frozen=True, slots=True)
class MessageFilter(RecordFilter):
    """Times are those of receipt. `keys`: (connection_id, message_id) of these alone. `is_warned`: only messages of which
    something was left out or altered."""

    message_id: str | None = None
    keys: tuple[tuple[str, str], ...] = ()
    is_warned: bool = False


@dataclass(frozen=True, slots=True)
class SeenTerms:
    """The seen rows' part of the ledger equation, without what was pruned. `duplicate`: later bodies under all ids."""

    applied: int = 0
    ignored: Mapping[str, int] = field(default_factory=dict)
    quarantined: Mapping[str, int] = field(default_factory=dict)
    duplicate: int = 0
