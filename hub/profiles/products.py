"""The catalogue: what is known of products, by product_id. Orders are read and passed on with it.

It holds nothing of people, so erasure does not touch it. One import at a time writes it (the import lock), so rows are
read and written without locks of their own.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from sqlalchemy import Connection

from hub.core.bulk import insert_rows, select_by, table
from hub.core.clock import Micros
from hub.profiles.rules.catalogue import completed, product_ids_of, public_product
from hub.profiles.rules.stamps import Document, bounded, entries, merge, stamp_time
from hub.profiles.tables import ProductRow
from hub.sdk.json import canonical, loads

_PRODUCT = table(ProductRow)
_REPLACE = "ON CONFLICT (product_id) DO UPDATE SET fields = excluded.fields, updated_at = excluded.updated_at"


class ProductStatement(NamedTuple):
    """What one row says of a product: `fields` as public_product shows them, metadata under `metadata.<key>`.

    `key` stands for the row in stamps; of two rows of one moment the greater counts.
    """

    product_id: str
    at: Micros
    key: str
    fields: Mapping[str, Any]


def write_products(connection: Connection, statements: Sequence[ProductStatement], now: Micros) -> int:
    """Merge rows into the catalogue, the later word per field; how many products differ now."""
    ids = sorted({bounded(each.product_id, 255) for each in statements})
    query = "SELECT product_id, fields, created_at FROM product WHERE product_id"
    stored = {row[0]: (loads(row[1]), row[2]) for row in select_by(connection, query, ids)}
    touched: dict[str, tuple[Document, Micros]] = {}
    for each in statements:
        key = bounded(each.product_id, 255)
        document, created_at = stored.setdefault(key, ({}, now))
        stated = entries(each.fields, stamp_time(each.at, now), each.key, 0)
        if merge(document, stated) or not document:
            touched[key] = (document, created_at)
    rows = [
        (key, canonical(document).decode(), created_at, now) for key, (document, created_at) in sorted(touched.items())
    ]
    insert_rows(connection, _PRODUCT, rows, _REPLACE)
    return len(rows)


def products(connection: Connection, product_ids: Iterable[str]) -> dict[str, dict[str, Any]]:
    """What is known of these products, by id; unknown ones are left out."""
    query = "SELECT product_id, fields FROM product WHERE product_id"
    rows = select_by(connection, query, sorted(set(product_ids)))
    return {product_id: public_product(product_id, loads(fields)) for product_id, fields in rows}


def page(connection: Connection, after: str, limit: int) -> list[dict[str, Any]]:
    """Products in the order of their ids, behind `after`."""
    marker = "%s" if connection.dialect.name == "postgresql" else "?"
    query = f"SELECT product_id, fields FROM product WHERE product_id > {marker} ORDER BY product_id LIMIT {marker}"
    rows = connection.exec_driver_sql(query, (after, limit))
    return [public_product(product_id, loads(fields)) for product_id, fields in rows]


def with_products(connection: Connection, orders: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """Orders as they are shown and sent: their items completed from the catalogue."""
    ids = {key for order in orders for key in product_ids_of(order.get("items"))}
    known = products(connection, ids) if ids else {}
    if not known:
        return list(orders)
    return [{**order, "items": completed(order["items"], known)} if order.get("items") else order for order in orders]
