"""The SQL of metadata schemas."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sqlalchemy import Connection, delete, select, text

from hub.core.bulk import table
from hub.core.clock import Micros
from hub.core.database import insert, is_postgres
from hub.profiles.rules.schemas import version
from hub.profiles.tables import MetadataSchemaRow, MetadataSchemaVersionRow
from hub.sdk.json import canonical, loads

_SCHEMA = table(MetadataSchemaRow)
_VERSION = table(MetadataSchemaVersionRow)
Revision = tuple[tuple[str, str], ...]


def lock(connection: Connection) -> None:
    """Let one transaction at a time change schemas: each change builds on what there is. On SQLite that is so anyway."""
    if is_postgres(connection):
        connection.execute(text(f"LOCK TABLE {_SCHEMA.name} IN EXCLUSIVE MODE"))


def every(connection: Connection) -> dict[str, Any]:
    """All schemas by kind, as `checked` made them."""
    query = select(_SCHEMA.c.kind, _SCHEMA.c.content).order_by(_SCHEMA.c.kind)
    return {kind: loads(content) for kind, content in connection.execute(query)}


def rows(connection: Connection) -> list[Mapping[str, Any]]:
    """All of them with their hash: {kind, hash, updated_at, allow_defined_only, properties}."""
    found = connection.execute(select(_SCHEMA).order_by(_SCHEMA.c.kind)).mappings()
    return [
        {"kind": row["kind"], "hash": row["hash"], "updated_at": row["updated_at"], **loads(row["content"])}
        for row in found
    ]


def put(connection: Connection, kind: str, document: Mapping[str, Any], now: Micros) -> None:
    """Store the schema of a kind in place of what there is."""
    content = canonical(dict(document)).decode()
    changed = {"content": content, "hash": version({kind: document}), "updated_at": now}
    connection.execute(
        insert(connection, _SCHEMA)
        .values({"kind": kind, **changed})
        .on_conflict_do_update(index_elements=["kind"], set_=changed)
    )


def remove(connection: Connection, kind: str) -> bool:
    """Take the schema of a kind away; whether there was one."""
    return connection.execute(delete(_SCHEMA).where(_SCHEMA.c.kind == kind)).rowcount > 0


def revision(connection: Connection) -> Revision:
    """Kind and hash of each: roles compare it to know when to read again. No times, since the clocks of hosts differ."""
    query = select(_SCHEMA.c.kind, _SCHEMA.c.hash).order_by(_SCHEMA.c.kind)
    return tuple((kind, hash_) for kind, hash_ in connection.execute(query))


# ── versions: all schemas of one moment ──────────────────────────────────────────────────────────────────────────


def keep_version(connection: Connection, now: Micros) -> str:
    """Keep what is defined now under its hash, once, to be read for as long as messages name it; the hash."""
    documents = every(connection)
    hash_ = version(documents)
    if documents:
        row = {"hash": hash_, "content": canonical(documents).decode(), "created_at": now}
        connection.execute(insert(connection, _VERSION).values(row).on_conflict_do_nothing(index_elements=["hash"]))
    return hash_


def versions(connection: Connection, prefix: str = "") -> list[Mapping[str, Any]]:
    """Those whose hash begins so, the newest first: {hash, created_at, documents}."""
    query = select(_VERSION).where(_VERSION.c.hash.startswith(prefix, autoescape=True))
    found = connection.execute(query.order_by(_VERSION.c.created_at.desc(), _VERSION.c.hash)).mappings()
    return [{"hash": row["hash"], "created_at": row["created_at"], "documents": loads(row["content"])} for row in found]
