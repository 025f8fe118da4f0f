"""The metadata schema at work: a change in, the same change with what the schema lets through out.

Pure, and compiled once per version. It runs right behind the mapping, so one mapping and one schema give one result
whatever the order of arrival.
"""

from __future__ import annotations

from collections.abc import Mapping
from hashlib import sha256
from typing import Any, Final

from hub.mapping.model import Change, Event, Json, Order, Warning
from hub.mapping.run.draft import MAX_WARNINGS
from hub.profiles.rules.schema_types import Sheet, filtered, keys_of
from hub.sdk.json import canonical

PROFILE: Final = "profile"
ORDER: Final = "order"
ITEM: Final = "item"
EVENT: Final = "event"
OF_EVENT: Final = "event."  # and the event's key: the schema of that event alone
KINDS: Final = (PROFILE, ORDER, ITEM, EVENT)
METADATA: Final = "metadata."
TOO_MANY: Final = "schema_more_dropped"


def version(documents: Mapping[str, Any]) -> str:
    """64 characters that stand for these schemas; empty where there is none. The order of keys does not matter."""
    return sha256(b"schemas/1/" + canonical(dict(documents))).hexdigest() if documents else ""


class Schemas:
    """All schemas of one moment, compiled. Nothing is filtered where none is defined."""

    def __init__(self, documents: Mapping[str, Any]) -> None:
        """`documents` by kind, as `checked` of schema_document.py gives them."""
        self.hash = version(documents)
        self._profile = self._sheet(documents, PROFILE, METADATA)
        self._order = self._sheet(documents, ORDER)
        self._item = self._sheet(documents, ITEM)
        self._event = self._sheet(documents, EVENT)
        self._events = {
            kind[len(OF_EVENT) :]: keys_of(each) for kind, each in documents.items() if kind.startswith(OF_EVENT)
        }
        self._has_orders = self._order is not None or self._item is not None
        self._has_events = self._event is not None or bool(self._events)

    @staticmethod
    def _sheet(documents: Mapping[str, Any], kind: str, prefix: str = "") -> Sheet | None:
        return keys_of(documents[kind], prefix) if kind in documents else None

    def filter(self, change: Change) -> Change:
        """The change within the schemas: values in the form of their type, each drop named by a warning.

        Never raises; filtering twice is filtering once. The change itself where everything passes as it is.
        """
        found: list[Warning] = []

        def warn(code: str, path: str, text: str) -> None:
            found.append(Warning(code, path[:200], text))

        if self._profile is not None and change.fields:
            fields = filtered(change.fields, self._profile, "", warn)
            if fields is not change.fields:
                change = _with_fields(change, fields)
        if self._has_events and change.events:
            events = tuple(self._of_event(event, warn) for event in change.events)
            change = change if _are_same(events, change.events) else change._replace(events=events)
        if self._has_orders and change.orders:
            orders = tuple(self._of_order(order, warn) for order in change.orders)
            change = change if _are_same(orders, change.orders) else change._replace(orders=orders)
        return change._replace(warnings=_together(change.warnings, found)) if found else change

    def _of_event(self, event: Event, warn: Any) -> Event:
        sheet = self._events.get(event.key, self._event)
        if sheet is None or not event.properties:
            return event
        properties = filtered(event.properties, sheet, f"events.{event.key}.", warn)
        return event if properties is event.properties else event._replace(properties=properties)

    def _of_order(self, order: Order, warn: Any) -> Order:
        fields = order.fields
        if self._order is not None:
            fields = _with_metadata(fields, self._order, "order.metadata.", warn)
        items = fields.get("items")
        if self._item is not None and items.__class__ is list:
            made = [
                _with_metadata(item, self._item, f"order.items[{place}].metadata.", warn)
                for place, item in enumerate(items)
            ]
            if not _are_same(made, items):
                fields = {**fields, "items": made}
        return order if fields is order.fields else order._replace(fields=fields)


def _with_metadata(holder: Json, sheet: Sheet, where: str, warn: Any) -> Json:
    """An order's fields or an item, its metadata filtered; metadata of which nothing is left says nothing."""
    metadata = holder.get("metadata") if holder.__class__ is dict else None
    if metadata.__class__ is not dict or not metadata:
        return holder
    kept = filtered(metadata, sheet, where, warn)
    if kept is metadata:
        return holder
    rest = {name: value for name, value in holder.items() if name != "metadata"}
    return {**rest, "metadata": kept} if kept else rest


def _with_fields(change: Change, fields: dict[str, Json]) -> Change:
    times = {name: at for name, at in change.field_times.items() if name in fields}
    return change._replace(fields=fields, field_times=times, defaults=change.defaults & fields.keys())


def _are_same(made: Any, before: Any) -> bool:
    return all(new is old for new, old in zip(made, before, strict=True))


def _together(before: tuple[Warning, ...], found: list[Warning]) -> tuple[Warning, ...]:
    """As many as a message may carry; those beyond are counted, not passed over in silence."""
    room = MAX_WARNINGS - len(before)
    if len(found) <= room:
        return (*before, *found)
    rest = Warning(TOO_MANY, "", f"the schema drops {len(found) - max(room - 1, 0)} more values")
    return (*before, *found[: max(room - 1, 0)], rest)


NO_SCHEMAS: Final = Schemas({})
