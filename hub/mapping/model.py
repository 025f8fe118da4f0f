"""The canonical model: what a source mapping makes and what a destination mapping takes.

Inbound, one message becomes one `Change`. Everything multi-valued is a flat map with one value per key, so that merging
is a last-writer-wins per key:

    email, name, birthdate, ...        built-in traits
    address.city, address.line_1, ...  one part of the address is one trait
    metadata.<key>                     a first-level metadata key; its value is replaced whole
    groups.<id>                        {"name": ..., "metadata": {...}}
    audiences.<key>                    {"member": true, "name": ...}

Times are integer microseconds UTC. These are NamedTuples, not dataclasses, because one is made per message and they
build four times faster.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import Any, Final, NamedTuple

Json = Any
Micros = int

BUILT_IN_TRAITS: Final = (
    "name", "first_name", "last_name", "description", "email", "phone", "birthdate", "gender", "locale", "timezone",
    "created_at",
)  # fmt: skip
ADDRESS_PARTS: Final = ("line_1", "line_2", "city", "state", "postal_code", "country")


class _Removed:
    """The value of a trait that was explicitly taken away: not null, not absent."""

    __slots__ = ()

    def __repr__(self) -> str:
        return "REMOVED"

    def __bool__(self) -> bool:
        return False


REMOVED: Final = _Removed()


class Verdict(StrEnum):
    APPLY = "apply"
    IGNORE = "ignore"
    QUARANTINE = "quarantine"


class Warning(NamedTuple):  # noqa: A001 - the word of the domain: a value that was dropped, by name
    """A value that could not be taken as it came. `code` groups, `text` is for the operator; never the value itself."""

    code: str
    path: str
    text: str


class Identity(NamedTuple):
    type: str
    value: str
    at: Micros


class Event(NamedTuple):
    """`id` is set where the sender gave one, else the message id and `position` identify it."""

    position: int
    id: str | None
    kind: str
    name: str
    key: str
    occurred_at: Micros
    properties: dict[str, Json]
    code: str | None = None
    order_id: str | None = None


class Order(NamedTuple):
    """Only the fields the message carried; last writer wins per field. Money is integer minor units."""

    id: str
    at: Micros
    fields: dict[str, Json]
    refunds: dict[str, Json] = {}  # noqa: RUF012 - never changed in place; {refund id: {"amount", "at"}}


class Consent(NamedTuple):
    """`topic` is a channel (`email`), `<channel>.<topic>`, `purpose.<name>`, `tracking` or `data_sale`."""

    topic: str
    granted: bool | None  # None: unknown
    at: Micros
    address: str | None = None
    source: str | None = None
    proof: Json = None


class Link(NamedTuple):
    """Two source_ids of one person: what is said of `loser` is read through `survivor`."""

    loser: str
    survivor: str
    at: Micros


class Erase(NamedTuple):
    source_id: str | None
    identities: tuple[Identity, ...]
    request_id: str
    regulation: str
    at: Micros


class Change(NamedTuple):
    """What the mapping made of one message.

    `fields` holds values or REMOVED by flat key; `defaults` names those fields that came from a row's `default` and so
    carry the lowest stamp; `field_times` holds the time of rows that state their own. With `verdict` other than APPLY,
    `reason` names why and nothing else is to be applied.
    """

    verdict: Verdict
    reason: str | None
    source_id: str | None
    at: Micros
    is_test: bool
    is_replay: bool
    identities: tuple[Identity, ...]
    fields: dict[str, Json]
    defaults: frozenset[str]
    field_times: dict[str, Micros]
    events: tuple[Event, ...]
    orders: tuple[Order, ...]
    consents: tuple[Consent, ...]
    links: tuple[Link, ...]
    erasures: tuple[Erase, ...]
    rules: tuple[str, ...]
    ignored_items: int
    warnings: tuple[Warning, ...]


class Mapped(NamedTuple):
    """What a destination mapping makes of one record, in the vendor's names.

    `unset` names the fields whose trait was removed (`container.key` inside a container); with a section whose `unset`
    writes a value (null or ''), the field stands in `fields` too. `name` is the event's name in the vendor's spelling.
    """

    fields: dict[str, Json]
    unset: tuple[str, ...]
    name: str | None
    warnings: tuple[Warning, ...]
    skip: str | None = None  # a reason, where the mapping says this record is not for this destination


Scope = Mapping[str, Json]
"""Outbound names a row may read: profile, event, order, consent, audience, code, distribution, delivery, options.

profile = {source_id, email, ..., address: {...}, metadata: {...}, identities: {type: [values]}, consents: {topic:
{status, at}}, groups, audiences}; a removed trait's value is REMOVED. Times in a scope are ISO text in UTC.
"""
