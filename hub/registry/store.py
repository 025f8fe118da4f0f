"""The SQL of connections and API keys."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import Connection as Database
from sqlalchemy import Row, func, select

from hub.core.clock import Micros
from hub.core.ids import new_id, new_token
from hub.core.secrets import Vault
from hub.core.wakeup import CONNECTIONS, wake_after_commit
from hub.registry.tables import ApiKeyRow, ConnectionRow
from hub.registry.values import PREVIOUS, Connection
from hub.sdk.errors import ConfigurationError
from hub.sdk.json import dumps, loads
from hub.sdk.text import storable

REASON_CHARS = 1_000  # a connector may repeat what its vendor said
TABLE = ConnectionRow.__table__  # type: ignore[attr-defined]  # SQLModel adds it to every table class
KEYS = ApiKeyRow.__table__  # type: ignore[attr-defined]  # as above


def add(
    database: Database,
    vault: Vault,
    now: Micros,
    *,
    role: str,
    connector: str,
    name: str,
    settings: Mapping[str, Any],
    secrets: Mapping[str, str],
    hosts: Mapping[str, str] | None = None,
    mapping: str = "",
    mapping_patch: str = "",
    mapping_hash: str = "",
    currency: str = "USD",
    retry_unknown: bool = False,
) -> Connection:
    """A new connection. Raises ConfigurationError if the name is taken among sources or destinations."""
    if find(database, vault, role, name):
        raise ConfigurationError(f"There is a {role} named {name!r} already; choose another name or remove it first.")
    row = {
        "id": new_id(),
        "role": role,
        "connector": connector,
        "name": name,
        "source_key": new_token() if role == "source" else None,
        "settings": _text(settings),
        "secrets": vault.seal(_text(secrets)),
        "hosts": _text(hosts or {}),
        "mapping": mapping,
        "mapping_patch": mapping_patch,
        "mapping_hash": mapping_hash,
        "currency": currency,
        "retry_unknown": retry_unknown,
        "status": "active",
        "paused_reason": "",
        "paused_routes": "{}",
        "version": 1,
        "created_at": now,
        "updated_at": now,
    }
    database.execute(TABLE.insert(), row)
    wake_after_commit(database, CONNECTIONS)
    return get(database, vault, str(row["id"]))


def update(database: Database, connection_id: str, now: Micros, **columns: Any) -> None:
    """Change columns of a connection; its version grows, so that every role takes the change up."""
    database.execute(
        TABLE.update().where(TABLE.c.id == connection_id).values(**columns, version=TABLE.c.version + 1, updated_at=now)
    )
    wake_after_commit(database, CONNECTIONS)


def pause(database: Database, connection_id: str, reason: str, now: Micros) -> None:
    """Nothing is sent through a paused connection; its deliveries wait. Senders to a paused source are told to retry."""
    update(database, connection_id, now, status="paused", paused_reason=storable(reason, REASON_CHARS))


def resume(database: Database, connection_id: str, now: Micros) -> None:
    """Take up a paused connection and all its paused routes again."""
    update(database, connection_id, now, status="active", paused_reason="", paused_routes="{}")


def pause_route(database: Database, connection_id: str, route: str, reason: str, now: Micros) -> None:
    """Stop one route of a connection, the others go on."""
    routes = loads(database.scalar(select(TABLE.c.paused_routes).where(TABLE.c.id == connection_id)) or "{}")
    update(database, connection_id, now, paused_routes=_text({**routes, route: storable(reason, REASON_CHARS)}))


def remove(database: Database, connection_id: str) -> None:
    database.execute(TABLE.delete().where(TABLE.c.id == connection_id))
    wake_after_commit(database, CONNECTIONS)


def get(database: Database, vault: Vault, connection_id: str) -> Connection:
    """Raises ConfigurationError if there is none with this id."""
    row = database.execute(select(TABLE).where(TABLE.c.id == connection_id)).one_or_none()
    if row is None:
        raise ConfigurationError(f"There is no connection {connection_id!r}; it may have been removed.")
    return _connection(row, vault)


def find(database: Database, vault: Vault, role: str, name_or_id: str) -> Connection | None:
    """By name, or by id."""
    row = database.execute(
        select(TABLE).where(TABLE.c.role == role, (TABLE.c.name == name_or_id) | (TABLE.c.id == name_or_id))
    ).first()
    return _connection(row, vault) if row else None


def every(database: Database, vault: Vault, role: str | None = None) -> Sequence[Connection]:
    """All connections, in the order they were made."""
    query = select(TABLE).order_by(TABLE.c.id)
    if role:
        query = query.where(TABLE.c.role == role)
    return [_connection(row, vault) for row in database.execute(query)]


def drop_previous(database: Database, vault: Vault, now: Micros) -> list[Connection]:
    """Take away the secrets from before a rotation whose time is over; of which connections."""
    due = select(TABLE).where(TABLE.c.previous_until <= now).order_by(TABLE.c.id)
    found = [_connection(row, vault) for row in database.execute(due)]
    for one in found:
        kept = {name: value for name, value in one.secrets.items() if not name.startswith(PREVIOUS)}
        update(database, one.id, now, secrets=vault.seal(_text(kept)), previous_until=None)
    return found


def without_secrets(database: Database) -> dict[str, Connection]:
    """Every connection by id, its secrets left sealed: for whoever only shows what there is."""
    return {row.id: _connection(row, None) for row in database.execute(select(TABLE).order_by(TABLE.c.id))}


def names(database: Database) -> dict[str, str]:
    """id -> name of every connection."""
    return {row.id: row.name for row in database.execute(select(TABLE.c.id, TABLE.c.name))}


def revision(database: Database) -> tuple[int, int, int]:
    """Changes whenever any connection is added, changed or removed: roles compare it to know when to read again."""
    version, changed_at = func.coalesce(func.sum(TABLE.c.version), 0), func.coalesce(func.max(TABLE.c.updated_at), 0)
    count, versions, latest = database.execute(select(func.count(), version, changed_at)).one()
    return int(count), int(versions), int(latest)


def _connection(row: Row[Any], vault: Vault | None) -> Connection:
    return Connection(
        id=row.id,
        role=row.role,
        connector=row.connector,
        name=row.name,
        source_key=row.source_key,
        settings=loads(row.settings),
        secrets=loads(vault.open(row.secrets)) if vault else {},
        hosts=loads(row.hosts),
        mapping=row.mapping or row.connector,
        mapping_patch=row.mapping_patch,
        mapping_hash=row.mapping_hash,
        currency=row.currency,
        retry_unknown=row.retry_unknown,
        status=row.status,
        paused_reason=row.paused_reason,
        paused_routes=loads(row.paused_routes),
        version=row.version,
        previous_until=row.previous_until,
    )


def _text(value: Any) -> str:
    return dumps(dict(value)).decode()


# ── API keys ─────────────────────────────────────────────────────────────────────────────────────────────────────


def add_key(database: Database, vault: Vault, name: str, now: Micros) -> tuple[str, str]:
    """(id, key). The key is shown this once; only its keyed hash is kept."""
    key_id, key = new_id(), "hub_" + new_token(40)
    row = {"id": key_id, "name": name, "hash": vault.digest(key), "created_at": now, "revoked_at": None}
    database.execute(KEYS.insert(), row)
    return key_id, key


def key_name(database: Database, vault: Vault, key: str) -> str | None:
    """The name of a valid key, else None."""
    query = select(KEYS.c.name).where(KEYS.c.hash == vault.digest(key), KEYS.c.revoked_at.is_(None))
    return database.scalar(query)


def keys(database: Database) -> Sequence[Mapping[str, Any]]:
    query = select(KEYS.c.id, KEYS.c.name, KEYS.c.created_at, KEYS.c.revoked_at).order_by(KEYS.c.id)
    return [dict(row) for row in database.execute(query).mappings()]


def revoke_key(database: Database, key_id: str, now: Micros) -> bool:
    return database.execute(KEYS.update().where(KEYS.c.id == key_id).values(revoked_at=now)).rowcount > 0
