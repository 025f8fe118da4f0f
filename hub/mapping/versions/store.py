"""Versions in the state database, on both engines."""

from __future__ import annotations

from sqlalchemy import Connection, select

from hub.core.clock import Micros
from hub.core.database import insert
from hub.mapping.language.document import Node
from hub.mapping.language.schema import LANGUAGE
from hub.mapping.tables import MappingVersionRow
from hub.mapping.versions.version import Resolved, from_content
from hub.sdk.errors import MappingInvalid
from hub.sdk.json import loads

_TABLE = MappingVersionRow.__table__  # type: ignore[attr-defined] # SQLModel makes it


def import_version(connection: Connection, resolved: Resolved, now: Micros) -> str:
    """Keep the content under its hash, once; returns the hash."""
    row = {
        "hash": resolved.hash,
        "connector": resolved.connector,
        "language": LANGUAGE,
        "content": resolved.content,
        "created_at": now,
    }
    connection.execute(insert(connection, _TABLE).values(row).on_conflict_do_nothing(index_elements=["hash"]))
    return resolved.hash


def load(connection: Connection, hash_: str) -> Node:
    """The document of a version. Raises MappingInvalid if there is none, or none this hub can read."""
    found = connection.execute(select(_TABLE.c.language, _TABLE.c.content).where(_TABLE.c.hash == hash_)).one_or_none()
    if found is None:
        raise MappingInvalid(f"There is no mapping version {hash_[:12]}; import the mapping again.")
    if found.language != LANGUAGE:
        raise MappingInvalid(f"Mapping version {hash_[:12]} speaks language {found.language}, this hub {LANGUAGE}.")
    return from_content(loads(found.content), f"version {hash_[:12]}")
