"""What a source is handed and what it gives back."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

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
    """What the sender is answered."""

    status: int
    json: Json = None
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Received:
    messages: Sequence[RawMessage]
    reply: Reply


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
