"""The SQL of metadata schemas."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sqlalchemy import Connection, delete, func, select

from hub.core.clock import Micros
from hub.core.database import insert
from hub.profiles.bulk import table
from hub.profiles.rules.schemas import version
from hub.profiles.tables import MetadataSchemaRow
from hub.sdk.json import canonical, loads

_SCHEMA = table(MetadataSchemaRow)
Revision = tuple[int, int, int]


def every(connection: Connection) -> dict[str, Any]:
    """All schemas by kind, as `checked` made them."""
    query = select(_SCHEMA.c.kind, _SCHEMA.c.content).order_by(_SCHEMA.c.kind)
    return {kind: loads(content) for kind, content in connection.execute(query)}


def rows(connection: Connection) -> list[Mapping[str, Any]]:
    """All of them with their version: {kind, hash, updated_at, allow_defined_only, properties}."""
    found = connection.execute(select(_SCHEMA).order_by(_SCHEMA.c.kind)).mappings()
    return [
        {"kind": row["kind"], "hash": row["hash"], "updated_at": row["updated_at"], **loads(row["content"])}
        for row in found
    ]


def put(connection: Connection, kind: str, document: Mapping[str, Any], now: Micros) -> str:
    """Store the schema of a kind in place of what there is; its hash."""
    hash_ = version({kind: document})
    row = {"kind": kind, "content": canonical(dict(document)).decode(), "hash": hash_, "version": 1, "updated_at": now}
    changed = {"content": row["content"], "hash": hash_, "version": _SCHEMA.c.version + 1, "updated_at": now}
    connection.execute(
        insert(connection, _SCHEMA).values(row).on_conflict_do_update(index_elements=["kind"], set_=changed)
    )
    return hash_


def remove(connection: Connection, kind: str) -> bool:
    """Take the schema of a kind away; whether there was one."""
    return connection.execute(delete(_SCHEMA).where(_SCHEMA.c.kind == kind)).rowcount > 0


def revision(connection: Connection) -> Revision:
    """Changes with every change of a schema: roles compare it to know when to read again."""
    versions, latest = (
        func.coalesce(func.sum(_SCHEMA.c.version), 0),
        func.coalesce(func.max(_SCHEMA.c.updated_at), 0),
    )
    count, total, changed_at = connection.execute(select(func.count(), versions, latest).select_from(_SCHEMA)).one()
    return int(count), int(total), int(changed_at)
