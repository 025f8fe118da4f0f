"""Changes and mapped records as JSON that people read: `hub mappings preview` and the tests' expectations."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import timedelta
from typing import Any

from hub.core.clock import EPOCH, Micros
from hub.mapping.model import REMOVED, Change, Event, Json, Mapped, Order, Warning


def change_as_json(change: Change) -> dict[str, Json]:
    """A change without what it leaves empty. Example: `{"verdict": "apply", "source_id": "cust_1", "at": "2026-…Z",
    "profile": {"email": …, "address": {…}, "metadata": {…}}, "removed": ["metadata.points"], "events": […], …}`."""
    profile, removed = _profile(change.fields)
    made: dict[str, Json] = {
        "verdict": str(change.verdict),
        "reason": change.reason,
        "source_id": change.source_id,
        "at": instant(change.at),
        "test": change.is_test,
        "replay": change.is_replay,
        "identities": [{"type": item.type, "value": item.value, "at": instant(item.at)} for item in change.identities],
        "profile": profile,
        "removed": removed,
        "defaults": sorted(change.defaults),
        "field_times": {name: instant(at) for name, at in sorted(change.field_times.items())},
        "events": [_event(event) for event in change.events],
        "orders": [_order(order) for order in change.orders],
        "consents": [_without_none(consent._asdict() | {"at": instant(consent.at)}) for consent in change.consents],
        "links": [link._asdict() | {"at": instant(link.at)} for link in change.links],
        "erasures": [
            _without_none(
                erase._asdict()
                | {
                    "at": instant(erase.at),
                    "identities": [{"type": i.type, "value": i.value} for i in erase.identities],
                }
            )
            for erase in change.erasures
        ],
        "rules": list(change.rules),
        "ignored_items": change.ignored_items,
        "warnings": warnings_as_json(change.warnings),
    }
    return {name: value for name, value in made.items() if value or name == "source_id"}


def mapped_as_json(mapped: Mapped) -> dict[str, Json]:
    """A mapped record without what it leaves empty."""
    made: dict[str, Json] = {
        "skip": mapped.skip,
        "name": mapped.name,
        "fields": mapped.fields,
        "unset": list(mapped.unset),
        "warnings": warnings_as_json(mapped.warnings),
    }
    return {name: value for name, value in made.items() if value}


def warnings_as_json(warnings: Iterable[Warning]) -> list[Json]:
    return [{"code": found.code, "path": found.path, "text": found.text} for found in warnings]


def instant(at: Micros) -> str:
    """`2026-03-14T09:00:00.120Z`: milliseconds, or microseconds where there are some."""
    moment = EPOCH + timedelta(microseconds=at)
    return moment.isoformat(timespec="milliseconds" if at % 1000 == 0 else "microseconds").replace("+00:00", "Z")


def _profile(fields: dict[str, Json]) -> tuple[dict[str, Json], list[str]]:
    """Flat fields as one nested object, and the names of those that are removed."""
    made: dict[str, Any] = {}
    removed: list[str] = []
    for name, value in sorted(fields.items()):
        part, dot, key = name.partition(".")
        if value is REMOVED:
            removed.append(name)
        elif dot:
            made.setdefault(part, {})[key] = value
        else:
            made[name] = value
    return made, removed


def _event(event: Event) -> dict[str, Json]:
    return _without_none(event._asdict() | {"occurred_at": instant(event.occurred_at)})


def _order(order: Order) -> dict[str, Json]:
    refunds = {name: refund | {"at": instant(refund["at"])} for name, refund in order.refunds.items()}
    made = {"id": order.id, "at": instant(order.at), **order.fields}
    return made | {"refunds": refunds} if refunds else made


def _without_none(made: dict[str, Json]) -> dict[str, Json]:
    return {name: value for name, value in made.items() if value is not None}
