"""The values that connectors and the hub exchange. Frozen, standard library only.

Shapes and rules are fixed in the connector contract (docs/adding-a-connector.md). Times are aware UTC datetimes at this border.
What is sent stands here; the rest stands in `words`, `limits`, `outcomes`, `inbound` and `errors` (Response), and
is imported from here.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from hub.sdk.errors import Response
from hub.sdk.inbound import (
    Erasure,
    ErasureRequest,
    ErasureStatus,
    InboundRequest,
    Question,
    RawMessage,
    Received,
    Record,
    Reply,
)
from hub.sdk.limits import Auth, Basic, Bearer, ClientCredentials, Header, Pool, Rate, Route
from hub.sdk.outcomes import Accepted, Again, Finding, Outcome, Pending, Progress, Rejected, Report, Waiting, Wanted
from hub.sdk.words import EMPTY, Json, Operation, Secret

__all__ = [
    "EMPTY",
    "Accepted",
    "Again",
    "AnyPush",
    "AudienceChange",
    "Auth",
    "Basic",
    "Batch",
    "Bearer",
    "ClientCredentials",
    "ConsentChange",
    "ErasePush",
    "Erasure",
    "ErasureRequest",
    "ErasureStatus",
    "EventPush",
    "Finding",
    "Header",
    "InboundRequest",
    "Item",
    "Json",
    "MessagePush",
    "Operation",
    "Outcome",
    "Pending",
    "Person",
    "Pool",
    "ProfilePush",
    "Progress",
    "Publish",
    "Published",
    "Push",
    "Question",
    "Rate",
    "RawMessage",
    "Received",
    "Record",
    "Rejected",
    "Reply",
    "Report",
    "Request",
    "Response",
    "Route",
    "Secret",
    "Waiting",
    "Wanted",
]


@dataclass(frozen=True, slots=True)
class Person:
    """Whom a push is about. `remembered`: vendor ids the hub keeps for us.

    `previous`: the email or phone of the profile that this connection last accepted, where it is another now; given with
    profiles, audiences and consents. An event or message that needs the new address waits by its route's `after`.
    """

    source_id: str
    email: str | None = None
    phone: str | None = None
    previous: Mapping[str, str] = EMPTY
    remembered: Mapping[str, str] = EMPTY
    consents: Mapping[str, Json] = EMPTY
    audiences: Sequence[str] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Push:
    """One delivery, ready for a connector. `fields` is the mapping's result in the vendor's names.

    `at` is when the thing happened, `now` when it is sent. `quiet` marks a replay or backfill that must wake nobody.
    """

    delivery_id: str
    vendor_key: str
    person: Person
    fields: Mapping[str, Json]
    options: Any  # the operation's Options model
    at: datetime
    now: datetime
    attempt: int = 1
    progress: Json = None
    quiet: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class ProfilePush(Push):
    """`changed`: the fields that differ from what the vendor last accepted. `unset`: names of fields to remove."""

    changed: Mapping[str, Json] = EMPTY
    unset: Sequence[str] = ()
    operation = Operation.PROFILES


@dataclass(frozen=True, slots=True, kw_only=True)
class EventPush(Push):
    event_id: str
    name: str
    operation = Operation.EVENTS


@dataclass(frozen=True, slots=True, kw_only=True)
class MessagePush(Push):
    distribution_id: str
    code: str | None = None
    operation = Operation.MESSAGES


@dataclass(frozen=True, slots=True, kw_only=True)
class AudienceChange(Push):
    audience: str
    member: bool
    operation = Operation.AUDIENCE


@dataclass(frozen=True, slots=True, kw_only=True)
class ConsentChange(Push):
    consent: Mapping[str, Json]
    operation = Operation.CONSENT


@dataclass(frozen=True, slots=True, kw_only=True)
class ErasePush(Push):
    request_id: str
    operation = Operation.ERASE


AnyPush = ProfilePush | EventPush | MessagePush | AudienceChange | ConsentChange | ErasePush


@dataclass(frozen=True, slots=True)
class Item:
    """One element of a vendor call. A delivery may become several (`part` tells them apart); batches form by
    (route, group)."""

    delivery_id: str
    route: str
    body: Json
    group: str = ""
    part: str = ""


@dataclass(frozen=True, slots=True)
class Batch:
    """What one call, or one flow, carries."""

    route: str
    group: str
    records: Sequence[AnyPush]
    items: Sequence[Item]
    now: datetime


@dataclass(frozen=True, slots=True)
class Request:
    """An HTTP request that names a host of the connector, never a URL. Secrets may stand anywhere as `Secret`.

    At most one of `json`, `form` and `body` is given. `pools` overrides those of the route.
    `cache_for_s`: the hub keeps a successful answer that long, by connection and `cache_key` (default: the call itself), and
    answers later requests with that key from it without a call. `forget`: cache keys that this call makes stale.
    """

    method: str
    path: str
    host: str = "api"
    query: Mapping[str, Any] = EMPTY
    headers: Mapping[str, Any] = EMPTY
    json: Json = None
    form: Mapping[str, Any] | None = None
    body: bytes | None = None
    pools: Sequence[str] | None = None
    cache_for_s: float | None = None
    cache_key: str = ""
    forget: Sequence[str] = ()


@dataclass(frozen=True, slots=True)
class Publish:
    """One message for a broker. A flow yields several at once and is sent back one `Published` or error for each."""

    topic: str
    key: bytes | None
    value: bytes | None
    headers: Mapping[str, bytes] = EMPTY


@dataclass(frozen=True, slots=True)
class Published:
    """Where the broker put a message, once all its in-sync replicas had it."""

    partition: int
    offset: int
