"""What a source is handed and what it gives back."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from hub.sdk.words import Json


@dataclass(frozen=True, slots=True)
class InboundRequest:
    """One HTTP request from a source. `path` is what stands below `/in/<source key>`; header names are lower-case;
    `raw_body` is as sent, `body` is inflated."""

    method: str
    path: str
    query: Mapping[str, str]
    headers: Mapping[str, str]
    raw_body: bytes
    body: bytes
    remote_addr: str
    received_at: datetime


@dataclass(frozen=True, slots=True)
class RawMessage:
    """One message of a request, as JSON text. `dedup_key` is the vendor's id or None; `profile_hint` routes only.

    `element` is what the hub hashes where there is no dedup_key and batch fields were copied into `body`: the element
    as it was sent. A client that sends a batch again stamps a new time on the batch, never on its elements.
    """

    body: bytes
    dedup_key: str | None = None
    profile_hint: str | None = None
    authentic: bool = True
    element: bytes | None = None


@dataclass(frozen=True, slots=True)
class Reply:
    """What the sender is answered: JSON, or `body` as it is, with its own content-type header (a signed answer, say)."""

    status: int
    json: Json = None
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes | None = None


@dataclass(frozen=True, slots=True)
class Received:
    """What a request held, and its answer.

    `erasure` is set where its message asks to erase a person and the sender will ask after that. With a `question` the
    source's `answer` replies, from what the hub remembers; `reply` stands where the hub remembers nothing.
    """

    messages: Sequence[RawMessage]
    reply: Reply
    erasure: ErasureRequest | None = None
    question: Question | None = None


class ErasureStatus(StrEnum):
    """Where an erasure stands. It is pending until it is carried out here, in progress until destinations have erased too."""

    PENDING = "pending"
    IN_PROGRESS = "in_progress"
    COMPLETED = "completed"
    CANCELLED = "cancelled"


@dataclass(frozen=True, slots=True)
class ErasureRequest:
    """A request to erase that its sender asks after by `request_id` (1 to 255 characters), the id its mapping gives it too.

    `callbacks` are URLs to tell of each change of status. For `wait_s` seconds it can be withdrawn.
    """

    request_id: str
    callbacks: Sequence[str] = ()
    wait_s: float = 0.0
    within_s: float = 30 * 86_400.0
    """By when it is expected to be complete."""


@dataclass(frozen=True, slots=True)
class Erasure:
    """A request to erase as the hub remembers it. `was_withdrawn` is whether the question at hand withdrew it."""

    request_id: str
    status: ErasureStatus
    received_at: datetime
    expected_at: datetime
    changed_at: datetime
    was_withdrawn: bool = False


@dataclass(frozen=True, slots=True)
class Question:
    """Where does this request to erase stand? With `withdraw` it is cancelled first, if it is pending still."""

    request_id: str
    withdraw: bool = False


@dataclass(frozen=True, slots=True)
class Record:
    """One record of a topic. `value` is None for a tombstone; `at` is when it was written, as the broker tells."""

    topic: str
    partition: int
    offset: int
    key: bytes | None
    value: bytes | None
    headers: Mapping[str, bytes]
    at: datetime
