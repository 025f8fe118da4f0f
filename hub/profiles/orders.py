"""Orders: read, merged field by field, written. The caller holds the lock of their profiles."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from sqlalchemy import Connection

from hub.core.bulk import insert_rows, select_by, select_pairs, table
from hub.core.clock import Micros
from hub.profiles.facts import owners
from hub.profiles.rules.stamps import Document, bounded, entries, merge, stamp_time, withdraw
from hub.profiles.tables import CustomerOrderRow
from hub.profiles.values import AppliedChange
from hub.sdk.json import canonical, loads
from hub.sdk.text import storable

_ORDER = table(CustomerOrderRow)
_COLUMNS = ("source_id", "order_id", "shown_id", "fields", "refunds", "created_at")
_REPLACE = (
    "ON CONFLICT (source_id, order_id) DO UPDATE SET fields = excluded.fields, refunds = excluded.refunds, "
    "updated_at = excluded.updated_at"
)

Key = tuple[str, str]


class _Order(NamedTuple):
    shown_id: str | None
    fields: Document
    refunds: Document
    created_at: Micros


def write_orders(connection: Connection, changes: Sequence[AppliedChange], now: Micros) -> int:
    """Merge the orders of these changes; how many differ now."""
    reapplied = [applied for applied in changes if applied.revision]
    telling = [applied for applied in changes if applied.change.orders]
    keys = {key: sent_id for applied in telling for key, sent_id in _keys(applied)}
    if not keys and not reapplied:
        return 0
    orders = _read(connection, sorted(keys), sorted({owner for applied in reapplied for owner in owners(applied)}))
    touched: set[Key] = set()
    for applied in reapplied:
        for owner in owners(applied):
            touched |= {key for key in orders if key[0] == owner and _withdraw(orders[key], applied)}
    for key, sent_id in keys.items():
        orders.setdefault(key, _Order(sent_id, {}, {}, now))
    for applied in telling:
        touched |= _merge(orders, applied)
    rows = [
        (
            *key,
            order.shown_id,
            canonical(order.fields).decode(),
            canonical(order.refunds).decode(),
            order.created_at,
            now,
        )
        for key, order in sorted(orders.items())
        if key in touched
    ]
    insert_rows(connection, _ORDER, rows, _REPLACE)
    return len(rows)


def _keys(applied: AppliedChange) -> list[tuple[Key, str | None]]:
    """The keys of a change's orders, each with its id as sent where that is too long for a key."""
    source_id = applied.change.source_id
    if source_id is None:
        return []
    keys = [(order.id, bounded(order.id, 255)) for order in applied.change.orders]
    return [((source_id, key), None if key == sent else storable(sent)) for sent, key in keys]


def _read(connection: Connection, pairs: Sequence[Key], owned_by: Sequence[str]) -> dict[Key, _Order]:
    rows = list(select_pairs(connection, _ORDER, _COLUMNS, ("source_id", "order_id"), pairs))
    rows += select_by(connection, f"SELECT {', '.join(_COLUMNS)} FROM customer_order WHERE source_id", owned_by)
    return {
        (source_id, order_id): _Order(sent_id, loads(fields), loads(refunds), created_at)
        for source_id, order_id, sent_id, fields, refunds, created_at in rows
    }


def _withdraw(order: _Order, applied: AppliedChange) -> bool:
    fields = withdraw(order.fields, applied.message_key, applied.revision)
    return withdraw(order.refunds, applied.message_key, applied.revision) or fields


def _merge(orders: dict[Key, _Order], applied: AppliedChange) -> set[Key]:
    touched = set()
    for (key, _), statement in zip(_keys(applied), applied.change.orders, strict=False):
        order = orders[key]
        at = stamp_time(statement.at, applied.received_at)
        fields = merge(order.fields, entries(statement.fields, at, applied.message_key, applied.revision))
        refunds = merge(order.refunds, entries(statement.refunds, at, applied.message_key, applied.revision))
        if fields or refunds or not order.fields:
            touched.add(key)
    return touched
