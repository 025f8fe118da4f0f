"""What a destination is about to be sent, for its `prepare`: the mapping applied to the people and events of now."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from sqlalchemy import Connection as Database

from hub.core.clock import iso
from hub.distributions import store as distributions
from hub.distributions import syncs
from hub.distributions.rules import event_key
from hub.mapping.model import Json
from hub.mapping.outbound import Outbound
from hub.profiles import reading
from hub.registry.values import Connection
from hub.runtime.sync.audiences import audiences_of, consents_of
from hub.sdk.contract import Destination
from hub.sdk.json import loads
from hub.sdk.values import Operation, Wanted

PEOPLE: Final = 200
EVENTS: Final = 1_000
_AT: Final = "2026-01-01T09:00:00Z"
_DATE = re.compile(r"\d{4}-\d{2}-\d{2}")
_TIME = re.compile(r"\d{4}-\d{2}-\d{2}[T ]\d{2}:\d{2}.*")
_MIXED: Final = "string"

EXAMPLE_PROFILE: Final[Mapping[str, Json]] = {
    "source_id": "example",
    "name": "Ada Example",
    "first_name": "Ada",
    "last_name": "Example",
    "description": "text",
    "email": "ada@example.com",
    "phone": "+48500000001",
    "birthdate": "1990-01-31",
    "gender": "female",
    "locale": "en-GB",
    "timezone": "Europe/London",
    "created_at": _AT,
    "address": {
        "line_1": "1 Example Street",
        "line_2": "2nd floor",
        "city": "London",
        "state": "London",
        "postal_code": "W1",
        "country": "GB",
    },
    "metadata": {},
    "groups": {},
    "audiences": {},
    "identities": {},
    "consents": {},
}
"""Somebody of whom everything canonical is known: so rows that always write the same name are found without data."""
EXAMPLE_CODE: Final[Mapping[str, Json]] = {
    "code": "EXAMPLE",
    "value": 10,
    "balance": 10,
    "expires_at": _AT,
    "published_at": _AT,
}
EXAMPLE_ORDER: Final[Mapping[str, Json]] = {
    "id": "order-1",
    "at": _AT,
    "status": "PAID",
    "currency": "USD",
    "amount": 1000,
    "subtotal": 1000,
    "discount": 100,
    "tax": 100,
    "shipping": 100,
    "code": "EXAMPLE",
    "items": [{"product_id": "p1", "sku": "s1", "name": "Product", "quantity": 1, "price": 1000, "amount": 1000}],
    "metadata": {},
    "refunds": {},
}


@dataclass(frozen=True, slots=True)
class Use:
    """One way in which a connection is used. `code`: incentive codes come with it; `name`: of its distribution."""

    operation: Operation
    options: Mapping[str, Json] = field(default_factory=dict)
    has_code: bool = False
    name: str = ""


@dataclass(slots=True)
class _Found:
    kinds: dict[Operation, dict[str, set[str]]] = field(default_factory=dict)
    events: set[str] = field(default_factory=set)


def wanted_of(database: Database, connection: Connection, kind: type[Destination], mapping: Outbound) -> Wanted:
    """What the connection's syncs and distributions send; of a connection without any, all that its mapping can.

    From the PEOPLE profiles changed last and their latest events, besides what the mapping names whatever the data.
    """
    able = [one for one in kind.Options if one in mapping.operations and one is not Operation.ERASE]
    uses = [use for use in uses_of(database, connection.id) if use.operation in able]
    uses = uses or [Use(one, has_code=one is Operation.MESSAGES) for one in able]
    people = reading.latest(database, PEOPLE)
    views = reading.views(database, people)
    found = _Found()
    for use in uses:
        for scope in _scopes(database, use, people, views):
            mapped = mapping.apply(use.operation, scope)
            if mapped.skip:
                continue
            kinds = found.kinds.setdefault(use.operation, {})
            for name, value in _leaves(mapped.fields, _containers(kind, use.operation)):
                if value is not None:
                    kinds.setdefault(name, set()).add(kind_of(value))
            if use.operation in (Operation.EVENTS, Operation.MESSAGES):
                event = mapped.name or str((scope.get("event") or {}).get("name") or "")
                found.events.update([event] if event else [])
    fields = {
        operation: {name: _one_kind(kinds[name]) for name in sorted(kinds)} for operation, kinds in found.kinds.items()
    }
    has_audiences = any(use.operation is Operation.AUDIENCE for use in uses)
    audiences = sorted({key for view in views.values() for key in audiences_of(view)}) if has_audiences else []
    return Wanted(fields, sorted(found.events), audiences)


def uses_of(database: Database, connection_id: str) -> list[Use]:
    """The syncs of a connection, and the distributions that go through it."""
    found = [Use(Operation(sync.operation), sync.options) for sync in syncs.for_connection(database, connection_id)]
    for each in distributions.every(database):
        found += [
            Use(Operation(target.operation), target.options, each.campaign_id is not None, each.name)
            for target in each.targets
            if target.connection_id == connection_id
        ]
    return found


def kind_of(value: Json) -> str:
    """string, number, boolean, date, datetime, list or object."""
    if isinstance(value, bool):
        return "boolean"
    if isinstance(value, int | float):
        return "number"
    if isinstance(value, list | tuple):
        return "list"
    if isinstance(value, Mapping):
        return "object"
    text = str(value)
    if _DATE.fullmatch(text):
        return "date"
    return "datetime" if _TIME.fullmatch(text) else "string"


def _one_kind(kinds: set[str]) -> str:
    """What takes all of them: a date is a time too, anything else that is mixed is text."""
    if len(kinds) == 1:
        return next(iter(kinds))
    return "datetime" if kinds == {"date", "datetime"} else _MIXED


def _containers(kind: type[Destination], operation: Operation) -> set[str]:
    """Targets whose keys are fields of their own, as the connector declares."""
    properties = (kind.targets.get(operation) or {}).get("properties") or {}
    return {*kind.containers, *(name for name, schema in properties.items() if schema.get("type") == "object")}


def _leaves(fields: Mapping[str, Json], containers: set[str]) -> Iterator[tuple[str, Json]]:
    for name, value in fields.items():
        if name in containers and isinstance(value, Mapping):
            yield from ((f"{name}.{key}", inner) for key, inner in value.items())
        else:
            yield name, value


def _scopes(
    database: Database, use: Use, people: Sequence[str], views: Mapping[str, Mapping[str, Json]]
) -> Iterator[dict[str, Json]]:
    """What the mapping reads for each record that may come of this use."""
    shared: dict[str, Json] = {
        "options": dict(use.options),
        "delivery": {"id": "example", "at": _AT, "quiet": False},
        "distribution": {"id": "example", "name": use.name or "Example"},
    }
    if use.has_code:
        shared["code"] = EXAMPLE_CODE
    known = [views[one] for one in people if one in views]
    if use.operation is Operation.EVENTS:
        yield from _event_scopes(database, use, people, views, shared)
    elif use.operation is Operation.AUDIENCE:
        for view in known:
            for key in audiences_of(view):
                said = view["audiences"][key]
                told = {"key": key, "name": said.get("name") or key, "member": bool(said.get("member"))}
                yield {**shared, "profile": view, "audience": told}
    elif use.operation is Operation.CONSENT:
        for view in known:
            for topic in consents_of(view):
                yield {**shared, "profile": view, "consent": {**view["consents"][topic], "topic": topic}}
    else:
        for view in (EXAMPLE_PROFILE, *known):
            yield {**shared, "profile": view}


def _event_scopes(
    database: Database,
    use: Use,
    people: Sequence[str],
    views: Mapping[str, Mapping[str, Json]],
    shared: Mapping[str, Json],
) -> Iterator[dict[str, Json]]:
    if use.name:
        told = {"kind": "distribution", "name": use.name, "key": event_key(use.name), "occurred_at": _AT}
        code = EXAMPLE_CODE["code"] if use.has_code else None
        made: dict[str, Json] = {"id": "example", "properties": {}, "code": code, "order_id": None, **told}
        yield {**shared, "profile": EXAMPLE_PROFILE, "event": made}
        return
    for source_id, row in reading.recent_events(database, people, EVENTS):
        event = _event(row)
        order: dict[str, Json] = {"order": EXAMPLE_ORDER} if event["order_id"] else {}
        yield {**shared, **order, "profile": views.get(source_id, EXAMPLE_PROFILE), "event": event}


def _event(row: Mapping[str, Any]) -> dict[str, Json]:
    return {**row, "occurred_at": iso(row["occurred_at"]), "properties": loads(row["properties"])}
