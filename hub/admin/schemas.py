"""Metadata schemas: changing them, and the versions there were."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from sqlalchemy import Connection as Database

from hub.core.clock import Micros
from hub.ledger.store import record_audit
from hub.profiles import schema_store
from hub.profiles.rules.schemas import version
from hub.profiles.schema_document import checked, checked_key, checked_kind
from hub.sdk.errors import ConfigurationError


def shown(database: Database, kind: str | None = None, of_version: str | None = None) -> list[dict[str, Any]]:
    """All schemas, or that of one kind, each with its hash; as they are, or as they stood in a version, named by its hash
    or the beginning of it. Raises ConfigurationError for an unknown kind or version."""
    if kind is not None:
        checked_kind(kind)
    found = schema_store.rows(database) if of_version is None else _as_then(database, of_version)
    return [dict(row) for row in found if kind in (None, row["kind"])]


def versions(database: Database) -> list[dict[str, Any]]:
    """Every version there was, the newest first: {hash, created_at, kinds, is_active}. Messages name them."""
    active = version(schema_store.every(database))
    return [
        {
            "hash": row["hash"],
            "created_at": row["created_at"],
            "kinds": list(row["documents"]),
            "is_active": row["hash"] == active,
        }
        for row in schema_store.versions(database)
    ]


def _as_then(database: Database, prefix: str) -> list[Mapping[str, Any]]:
    wanted = prefix.strip().lower()
    found = schema_store.versions(database, wanted) if wanted else []
    if len(found) != 1:
        told = "There are several schema versions" if found else "There is no schema version"
        raise ConfigurationError(f"{told} {prefix[:64]!r}; `hub schema versions` lists those there were.")
    documents = found[0]["documents"]
    return [{"kind": kind, "hash": version({kind: each}), **each} for kind, each in documents.items()]


def set_schema(database: Database, now: Micros, kind: str, given: Any, actor: str) -> dict[str, Any]:
    """Define the schema of a kind, in place of what there was: {kind, hash, is_changed}. Raises ConfigurationError."""
    return set_schemas(database, now, {kind: given}, actor)[0]


def set_schemas(database: Database, now: Micros, given: Mapping[str, Any], actor: str) -> list[dict[str, Any]]:
    """Define the schemas of some kinds, which together make one version. Raises ConfigurationError; then none is."""
    wanted = {kind: checked(kind, each) for kind, each in given.items()}
    schema_store.lock(database)
    stored = schema_store.every(database)
    changed = {kind: document for kind, document in wanted.items() if stored.get(kind) != document}
    for kind, document in changed.items():
        schema_store.put(database, kind, document, now)
    if changed:
        kept = schema_store.keep_version(database, now)
        for kind, document in changed.items():
            detail = {"hash": version({kind: document}), "keys": len(document["properties"]), "version": kept}
            record_audit(database, now, actor, "schema.set", kind, detail)
    return [
        {"kind": kind, "hash": version({kind: document}), "is_changed": kind in changed}
        for kind, document in wanted.items()
    ]


def remove_schema(database: Database, now: Micros, kind: str, actor: str) -> None:
    """Take the schema of a kind away: nothing of it is filtered any more. Raises ConfigurationError if there is none."""
    checked_kind(kind)
    schema_store.lock(database)
    if not schema_store.remove(database, kind):
        raise _undefined(kind)
    record_audit(database, now, actor, "schema.removed", kind, {"version": schema_store.keep_version(database, now)})


def add_key(database: Database, now: Micros, kind: str, name: str, given: Any, actor: str) -> dict[str, Any]:
    """Define one more key. Raises ConfigurationError if there is one of this name that is not the same."""
    definition = checked_key(kind, name, given)

    def added(properties: dict[str, Any]) -> None:
        if properties.setdefault(name, definition) != definition:
            raise ConfigurationError(
                f"The schema of {kind!r} has a key {name!r} of another definition; remove it first."
            )

    return _with_properties(database, now, kind, added, actor)


def remove_key(database: Database, now: Micros, kind: str, name: str, actor: str) -> dict[str, Any]:
    """Take a key's definition away; values that profiles have stay. Raises ConfigurationError if there is none."""

    def removed(properties: dict[str, Any]) -> None:
        if properties.pop(name, None) is None:
            known = ", ".join(sorted(properties)) or "none"
            raise ConfigurationError(f"The schema of {kind!r} has no key {name[:100]!r}; it has {known}.")

    checked_kind(kind)
    schema_store.lock(database)
    if kind not in schema_store.every(database):
        raise _undefined(kind)
    return _with_properties(database, now, kind, removed, actor)


def add_missing(
    database: Database, now: Micros, documents: Mapping[str, Any], actor: str
) -> tuple[list[str], list[str]]:
    """Add what is not defined yet, and never change what is: what was added and what is defined otherwise, by name."""
    schema_store.lock(database)
    stored = schema_store.every(database)
    wanted = {kind: checked(kind, each) for kind, each in documents.items()}
    added: list[str] = []
    kept: list[str] = []
    for kind, each in wanted.items():
        there_is = stored.get(kind)
        if there_is is None:
            added.append(kind)
            continue
        known, properties = there_is["properties"], each["properties"]
        added += [f"{kind}.{name}" for name in properties if name not in known]
        kept += [f"{kind}.{name}" for name in properties if known.get(name, properties[name]) != properties[name]]
        wanted[kind] = {**there_is, "properties": {**properties, **known}}
    set_schemas(database, now, wanted, actor)
    return added, kept


def _with_properties(
    database: Database, now: Micros, kind: str, change: Callable[[dict[str, Any]], None], actor: str
) -> dict[str, Any]:
    schema_store.lock(database)
    document = schema_store.every(database).get(kind) or {"allow_defined_only": False, "properties": {}}
    properties = dict(document["properties"])
    change(properties)
    return set_schema(database, now, kind, {**document, "properties": properties}, actor)


def _undefined(kind: str) -> ConfigurationError:
    return ConfigurationError(f"No schema of {kind!r} is defined, so there is nothing to remove.")
