"""Mapping files as operators see them: which there are, who follows them, and whether they are right."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from sqlalchemy import Connection as Database

from hub.admin.filters import connection_id
from hub.core.database import read as read_database
from hub.mapping.check import check_file, check_read
from hub.mapping.language.document import Node
from hub.mapping.language.problems import Problem
from hub.mapping.model import Json
from hub.mapping.versions.files import names, read
from hub.mapping.versions.version import resolve
from hub.registry import store
from hub.registry.values import Connection
from hub.runtime.process.installation import Installation
from hub.sdk.errors import ConfigurationError, MappingInvalid


def listed(hub: Installation, database: Database) -> list[dict[str, Any]]:
    """Every mapping, with the version its file is now and the connections that follow it."""
    connections = store.every(database, hub.vault)
    return [_row(hub, name, [each for each in connections if each.mapping == name]) for name in names(hub.folders)]


def check(hub: Installation, name_or_path: str) -> Sequence[Problem]:
    """What is wrong with a mapping, given by name or by path; nothing if it is right. Raises ConfigurationError."""
    path = path_of(hub, name_or_path)
    name = path.parent.name if path.name == "mapping.yaml" else path.stem
    return check_file(path, _targets(hub, name), hub.folders)


def check_patch(hub: Installation, connection: Connection, patch: str, called: str) -> Sequence[Problem]:
    """What is wrong with the mapping of a connection once this patch lies over it. A patch needs no `connector:`."""
    targets = _targets(hub, connection.connector) if connection.role == "destination" else None
    return check_read(lambda: patched_mapping(hub, connection, patch, called), targets, called)


def patched_mapping(hub: Installation, connection: Connection, patch: str, called: str) -> Node:
    """The mapping that a connection would follow with this patch, as it would be applied. Raises MappingInvalid."""
    return read(connection.mapping, patch, hub.folders, called).document


def of_connection(hub: Installation, name: str, role: str | None = None) -> Connection:
    """The connection of this name or id. Raises ConfigurationError if there is none, or a source and a destination."""
    with read_database(hub.engine) as database:
        return store.get(database, hub.vault, connection_id(hub, database, name, role))


def path_of(hub: Installation, name_or_path: str) -> Path:
    """The file of a mapping given by name or by path. Raises ConfigurationError if there is none."""
    path = Path(name_or_path)
    if path.suffix in (".yaml", ".yml") or path.is_file():
        return path
    found = next((each for each in hub.folders.candidates(name_or_path) if each.is_file()), None)
    if found is None:
        known = ", ".join(names(hub.folders)) or "none"
        raise ConfigurationError(f"There is no mapping {name_or_path!r}; there are {known}. A path ends in .yaml.")
    return found


def _targets(hub: Installation, name: str) -> Mapping[str, Json] | None:
    """The fields that a vendor takes, where the mapping is named for a destination."""
    found = hub.connectors.get(name)
    kind = found.destination_class if found else None
    return {str(operation): schema for operation, schema in kind.targets.items()} if kind else None


def _row(hub: Installation, name: str, followers: Sequence[Any]) -> dict[str, Any]:
    row: dict[str, Any] = {"name": name, "file": str(path_of(hub, name)), "hash": None, "error": None}
    try:
        row["hash"] = resolve(name, "", hub.folders).hash
    except MappingInvalid as error:
        row["error"] = str(error)
    followed = [{"name": each.name, "role": each.role, "hash": each.mapping_hash or None} for each in followers]
    return row | {"connections": followed}
