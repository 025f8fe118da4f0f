"""The values that connectors and the hub exchange. Frozen, standard library only.

Shapes and rules are fixed in the connector contract (docs/adding-a-connector.md). Times are aware UTC datetimes at this border.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any, Literal

Json = Any  # a JSON value: dict, list, str, int, float, bool or None


class _Empty(Mapping[str, Any]):
    """A mapping without keys that cannot be changed; hashable, because a dataclass default must be (Python 3.11)."""

    __slots__ = ()

    def __getitem__(self, key: str) -> Any:
        raise KeyError(key)

    def __iter__(self) -> Iterator[str]:
        return iter(())

    def __len__(self) -> int:
        return 0

    def __hash__(self) -> int:
        return 0

    def __repr__(self) -> str:
        return "{}"


EMPTY: Mapping[str, Any] = _Empty()


class Operation(StrEnum):
    """What a delivery asks of a destination."""

    PROFILES = "profiles"
    EVENTS = "events"
    MESSAGES = "messages"
    AUDIENCE = "audience"
    CONSENT = "consent"
    ERASE = "erase"


class Secret:
    """A value that prints as `***`. Only the sender of a request and a source's verification reveal it."""

    __slots__ = ("_value",)

    def __init__(self, value: str) -> None:
        self._value = value

    def reveal(self) -> str:
        return self._value

    def __repr__(self) -> str:
        return "***"

    __str__ = __repr__

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and other._value == self._value

    def __hash__(self) -> int:
        return hash(("Secret", self._value))


# ── how a vendor is reached ──────────────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True, slots=True)
class Bearer:
    token: Secret


@dataclass(frozen=True, slots=True)
class Basic:
    user: Secret
    password: Secret


@dataclass(frozen=True, slots=True)
class Header:
    """A header made of a fixed prefix and a secret, such as `Authorization: Klaviyo-API-Key <key>`."""

    name: str
    secret: Secret
    prefix: str = ""


Auth = Bearer | Basic | Header


@dataclass(frozen=True, slots=True)
class Rate:
    """At most `count` units in any `per_s` seconds. `burst` is how many may go at once (default: count)."""

    count: int
    per_s: float
    unit: Literal["call", "item", "profile"] = "call"
    burst: int | None = None


@dataclass(frozen=True, slots=True)
class Pool:
    """A budget that routes draw on. `source` is the vendor page that states it."""

    rates: Sequence[Rate] = ()
    parallel: int | None = None
    scope: Literal["connection", "account"] = "account"
    source: str = ""


@dataclass(frozen=True, slots=True)
class Route:
    """One endpoint of a vendor: what fits into a call, which pools it draws on, whether it may be repeated.

    `repeat`: *safe* (the same call twice changes nothing more), *deduplicated* (the vendor drops a repeated
    delivery_id, inside `repeat_window_s` if given) or *duplicates* (a repeat is a second effect).
    `bulk_of`/`bulk_from`: this route serves another route's items once at least `bulk_from` of them wait.
    `after`: operations of the same profile that must be accepted first.
    """

    source: str
    pools: Sequence[str] = ()
    items: int = 1
    bytes: int | None = None
    item_bytes: int | None = None
    items_per_profile: int | None = None
    bulk_of: str | None = None
    bulk_from: int = 1
    repeat: Literal["safe", "deduplicated", "duplicates"] = "duplicates"
    repeat_window_s: float | None = None
    after: Sequence[Operation] = ()
    timeout_s: float = 30.0


# ── what is sent ─────────────────────────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True, slots=True)
class Person:
    """Whom a push is about. `previous`: an older email or phone; `remembered`: vendor ids the hub keeps for us."""

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


@dataclass(frozen=True, slots=True)
class Response:
    """A vendor's answer. Header names are lower-case."""

    status: int
    headers: Mapping[str, str]
    body: bytes
    received_at: datetime

    def json(self) -> Json:
        """The body as JSON. Raises Unreadable if it is not JSON."""
        from hub.sdk.errors import Unreadable
        from hub.sdk.json import loads

        try:
            return loads(self.body)
        except ValueError as error:
            unknown = self.status < 300  # the vendor may have done what it was asked (contract rule 6)
            raise Unreadable(
                "The answer is not JSON; it is tried again later.", response=self, unknown=unknown
            ) from error


# ── what became of it ────────────────────────────────────────────────────────────────────────────────────────────


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


# ── what comes in ────────────────────────────────────────────────────────────────────────────────────────────────


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
