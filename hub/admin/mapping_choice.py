"""Which mapping a connection follows: its connector's own unless another is chosen, with a patch of its own over it."""

from __future__ import annotations

from typing import NamedTuple

from sqlalchemy import Connection as Database

from hub.core.clock import Micros
from hub.ledger.store import record_audit
from hub.mapping.language.schema import OPERATIONS
from hub.mapping.versions.store import import_version
from hub.mapping.versions.version import resolve
from hub.registry import store
from hub.registry.values import Connection
from hub.runtime.process.installation import Installation
from hub.sdk.errors import ConfigurationError


class Choice(NamedTuple):
    """`name` is empty for the connector's own mapping, `patch` (YAML) for none."""

    name: str = ""
    patch: str = ""


OWN = Choice()


def chosen_hash(hub: Installation, database: Database, now: Micros, role: str, connector: str, choice: Choice) -> str:
    """The version to begin with; it is kept from now on. Raises ConfigurationError if there is no mapping of this name,
    if it or the patch is wrong, or if it is made for the other role."""
    name = choice.name or connector
    resolved = resolve(name, choice.patch, hub.folders)
    document = resolved.document
    is_fit = document.get("rules") if role == "source" else next(filter(None, map(document.get, OPERATIONS)), None)
    if is_fit is None:
        lacks = "`rules` for what comes in" if role == "source" else f"section to send by ({', '.join(OPERATIONS)})"
        raise ConfigurationError(
            f"The mapping {name!r} has no {lacks}, so no {role} can follow it; `hub mappings list` shows all."
        )
    return import_version(database, resolved, now)


def change_mapping(
    hub: Installation,
    database: Database,
    now: Micros,
    connection: Connection,
    actor: str,
    *,
    name: str | None = None,
    patch: str | None = None,
) -> Connection:
    """Follow another mapping or another patch from now on; None leaves one as it is, an empty text takes it away. Raises
    ConfigurationError as `chosen_hash` does, and then nothing has changed."""
    connection = store.get(database, hub.vault, connection.id)  # as it is in this transaction
    wanted = Choice(
        connection.mapping if name is None else name, connection.mapping_patch if patch is None else patch.strip()
    )
    found = chosen_hash(hub, database, now, connection.role, connection.connector, wanted)
    store.update(database, connection.id, now, mapping=wanted.name, mapping_patch=wanted.patch, mapping_hash=found)
    detail = {"id": connection.id, "from": connection.mapping_hash[:12], "to": found[:12]}
    record_audit(database, now, actor, f"{connection.role}.mapping_changed", connection.name, detail)
    return store.get(database, hub.vault, connection.id)
