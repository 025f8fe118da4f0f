"""Metadata schemas: changing them, and following them in every role within a second."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from sqlalchemy import Connection as Database
from sqlalchemy.engine import make_url

from hub.core.clock import Micros
from hub.core.database import read
from hub.ledger.store import record_audit
from hub.profiles import schema_store
from hub.profiles.rules.schemas import NO_SCHEMAS, Schemas, version
from hub.profiles.schema_document import checked, checked_key, checked_kind
from hub.profiles.schema_store import Revision
from hub.runtime.installation import Installation
from hub.sdk.errors import ConfigurationError

LOOK_S = 0.5


class LiveSchemas:
    """Gives the latest schemas, compiled; looks for changes at most every LOOK_S seconds. Safe between threads."""

    def __init__(self, hub: Installation) -> None:
        self._hub = hub
        self._lock = threading.Lock()
        self._looked_at = -LOOK_S
        self._revision: Revision | None = None
        self._schemas = NO_SCHEMAS

    def snapshot(self) -> Schemas:
        is_first = self._revision is None  # nothing may pass unfiltered before there was a look
        if time.monotonic() - self._looked_at >= LOOK_S and self._lock.acquire(blocking=is_first):
            try:
                if not is_first or self._revision is None:
                    self._look()
            finally:
                self._lock.release()
        return self._schemas

    def _look(self) -> None:
        with read(self._hub.engine) as database:
            revision = schema_store.revision(database)
            if revision != self._revision:
                documents = schema_store.every(database)
                if version(documents) != self._schemas.hash:
                    self._schemas = Schemas(documents)
                self._revision = revision
        self._looked_at = time.monotonic()


def installed(hub: Installation) -> Schemas:
    """The schemas of this installation for a preview; none where it has no database yet, which is not made for it."""
    url = make_url(hub.settings.state_url)
    if url.get_backend_name() == "sqlite" and not Path(url.database or "").is_file():
        return NO_SCHEMAS
    with read(hub.engine) as database:
        if not database.dialect.has_table(database, "metadata_schema"):
            return NO_SCHEMAS
        return Schemas(schema_store.every(database))


def shown(database: Database, kind: str | None = None) -> list[dict[str, Any]]:
    """All schemas, or that of one kind, with their versions. Raises ConfigurationError for an unknown kind."""
    if kind is not None:
        checked_kind(kind)
    return [dict(row) for row in schema_store.rows(database) if kind in (None, row["kind"])]


def set_schema(database: Database, now: Micros, kind: str, given: Any, actor: str) -> dict[str, Any]:
    """Define the schema of a kind, in place of what there was: {kind, hash, is_changed}. Raises ConfigurationError."""
    document = checked(kind, given)
    is_changed = schema_store.every(database).get(kind) != document
    hash_ = version({kind: document})
    if is_changed:
        schema_store.put(database, kind, document, now)
        record_audit(database, now, actor, "schema.set", kind, {"hash": hash_, "keys": len(document["properties"])})
    return {"kind": kind, "hash": hash_, "is_changed": is_changed}


def remove_schema(database: Database, now: Micros, kind: str, actor: str) -> None:
    """Take the schema of a kind away: nothing of it is filtered any more. Raises ConfigurationError if there is none."""
    if not schema_store.remove(database, checked_kind(kind)):
        raise _undefined(kind)
    record_audit(database, now, actor, "schema.removed", kind)


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

    if checked_kind(kind) not in schema_store.every(database):
        raise _undefined(kind)
    return _with_properties(database, now, kind, removed, actor)


def add_missing(
    database: Database, now: Micros, documents: Mapping[str, Any], actor: str
) -> tuple[list[str], list[str]]:
    """Add what is not defined yet, and never change what is: what was added and what is defined otherwise, by name."""
    stored = schema_store.every(database)
    added: list[str] = []
    kept: list[str] = []
    for kind, given in documents.items():
        wanted = checked(kind, given)
        there_is = stored.get(kind)
        if there_is is None:
            added.append(kind)
            set_schema(database, now, kind, wanted, actor)
            continue
        fresh = {name: each for name, each in wanted["properties"].items() if name not in there_is["properties"]}
        kept += [
            f"{kind}.{name}"
            for name, each in wanted["properties"].items()
            if there_is["properties"].get(name, each) != each
        ]
        added += [f"{kind}.{name}" for name in fresh]
        set_schema(database, now, kind, {**there_is, "properties": {**there_is["properties"], **fresh}}, actor)
    return added, kept


def _with_properties(
    database: Database, now: Micros, kind: str, change: Callable[[dict[str, Any]], None], actor: str
) -> dict[str, Any]:
    document = schema_store.every(database).get(kind) or {"allow_defined_only": False, "properties": {}}
    properties = dict(document["properties"])
    change(properties)
    return set_schema(database, now, kind, {**document, "properties": properties}, actor)


def _undefined(kind: str) -> ConfigurationError:
    return ConfigurationError(f"No schema of {kind!r} is defined, so there is nothing to remove.")
