"""Filters as people give them, on the command line and in query strings, and what the stores are asked with."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, TypeVar

from sqlalchemy import Connection as Database

from hub.core.clock import Micros
from hub.core.filters import RecordFilter
from hub.core.prefixes import ID_CHARS
from hub.distributions import store as distributions
from hub.registry import store as registry
from hub.runtime.process.installation import Installation
from hub.sdk.errors import ConfigurationError

F = TypeVar("F", bound=RecordFilter)
NAMES = ("since", "until", "connection", "status", "reason", "source_id", "text")
"""What every list of records can be narrowed by; one that knows no source_id or no status leaves that out."""


@dataclass(frozen=True, slots=True)
class Asked:
    """The filters of one list. A connection stands under its name or id."""

    since: Micros | None = None
    until: Micros | None = None
    connection: str | None = None
    status: str | None = None
    reason: str | None = None
    source_id: str | None = None
    text: str | None = None


def filter_of(
    kind: type[F], hub: Installation, database: Database, asked: Asked, role: str | None = None, /, **more: Any
) -> F:
    """What a store is asked with; `role` says whether the connection is a source or a destination. Raises
    ConfigurationError for a connection that nobody knows."""
    return kind(
        status=asked.status,
        connection_id=connection_id(hub, database, asked.connection, role) if asked.connection else None,
        reason=asked.reason,
        source_id=asked.source_id,
        text=asked.text,
        since=asked.since,
        until=asked.until,
        **more,
    )


def roles_of(hub: Installation, database: Database, name: str) -> set[str]:
    """What is called so: a source, a destination, both. Raises ConfigurationError for a name that nobody knows."""
    found = {each.role for each in registry.every(database, hub.vault) if name in (each.name, each.id)}
    return found or ({"source", "destination"} if _as_id(name, "connection") else set())


def connection_id(hub: Installation, database: Database, name: str, role: str | None = None) -> str:
    """The id of a connection by name or id, also of one that was removed. Raises ConfigurationError."""
    found = [each for each in registry.every(database, hub.vault, role) if name in (each.name, each.id)]
    if len(found) == 1:
        return found[0].id
    if found:
        raise ConfigurationError(f"A source and a destination are named {name!r}; give the id of the one you mean.")
    return _as_id(name, role or "connection")


def distribution_id(database: Database, name: str | None) -> str | None:
    """The id of a distribution by name or id, also of one that was removed. Raises ConfigurationError."""
    found = distributions.find(database, name) if name is not None else None
    return found.id if found else None if name is None else _as_id(name, "distribution")


def _as_id(name: str, what: str) -> str:
    if len(name) == ID_CHARS and name.isascii() and name.isalnum() and name.upper() == name:
        return name
    raise ConfigurationError(f"There is no {what} {name!r}; give its name or its id.")
