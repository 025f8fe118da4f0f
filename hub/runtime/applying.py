"""The apply role as a process: the inbox, the mappings of all sources, and the hooks of a batch."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from functools import partial
from typing import Any, NamedTuple

from hub.core.clock import Micros
from hub.core.locks import role_lock
from hub.inbox.sql import open_inbox
from hub.mapping.inbound import Inbound
from hub.mapping.model import Change, Json
from hub.mapping.watch import Mappings
from hub.profiles.rules.schemas import Schemas
from hub.registry.values import Connection
from hub.runtime.apply import ApplyRole
from hub.runtime.apply_batch import Compiled, Hooks, Mapper
from hub.runtime.beside import Beside
from hub.runtime.consuming_all import Consumers
from hub.runtime.erasing.person import erase_on_request
from hub.runtime.following import Follower
from hub.runtime.installation import Installation
from hub.runtime.live import LiveConnections
from hub.runtime.schemas import LiveSchemas
from hub.sdk.errors import ConfigurationError

LEAVE_S = 5.0  # for reading threads to leave their groups
LOCK_PATIENCE_S = 5.0  # the process before this one may still be letting go


def run_apply(hub: Installation, stop: threading.Event) -> None:
    """Blocks until `stop`. Raises ConfigurationError on SQLite if another apply role holds the lock, and whatever ended
    the reading of topics: a role that no longer reads them must not look alive."""
    lock = role_lock(hub.engine, "apply")
    if hub.engine.dialect.name == "sqlite":
        wait_for(lock.acquire, stop, "apply")
    inbox = open_inbox(hub.settings, hub.engine)
    beside = Beside(stop)
    try:
        beside.start("consumers", lambda: Consumers(hub, inbox).run(stop))
        ApplyRole(inbox, mapper_of(hub), hooks_of(hub), hub.settings.apply_batch).run(stop)
    finally:
        stop.set()
        beside.join(LEAVE_S)
        inbox.close()
        lock.release()
    beside.raise_defect()


def wait_for(acquire: Any, stop: threading.Event, role: str) -> None:
    """Take a role's lock, waiting a moment for a predecessor. Raises ConfigurationError if it is not let go."""
    waited_s = 0.0
    while not acquire():
        if waited_s >= LOCK_PATIENCE_S:
            raise ConfigurationError(f"Another {role} role runs on this installation already; this one ends.")
        stop.wait(0.1)
        waited_s += 0.1


def hooks_of(hub: Installation) -> Hooks:
    """What happens in a batch's transaction besides the merge."""
    return Hooks(digest=hub.vault.digest, erase=partial(erase_on_request, hub), follow=Follower(hub).follow)


def mapper_of(hub: Installation) -> Mapper:
    """The active mapping of a source, by connection id, and the schemas behind it, following every change of them."""
    live = LiveConnections(hub)
    schemas = LiveSchemas(hub)
    mappings = Mappings(hub.engine, hub.folders)
    known: dict[str, tuple[int, Schemas, Compiled]] = {}

    def mapper(connection_id: str) -> Compiled:
        connection = live.connection(connection_id)
        if connection is None:
            raise ConfigurationError(f"There is no source {connection_id!r}; it may have been removed.")
        found = known.get(connection_id)
        latest = schemas.snapshot()
        if found is None or found[0] != connection.version or found[1] is not latest:
            found = (connection.version, latest, _compiled(mappings, latest, connection))
            known[connection_id] = found
        return found[2]

    return mapper


class Versioned(NamedTuple):
    """A mapping and the metadata schemas behind it, with their hashes, as the message rows name them."""

    hash: str
    inbound: Inbound
    schemas: Schemas

    @property
    def schema_hash(self) -> str:
        return self.schemas.hash

    def apply(self, message: Json, *, message_id: str, received_at: Micros) -> Change:
        change = self.inbound.apply(message, message_id=message_id, received_at=received_at)
        return self.schemas.filter(change)


def _compiled(mappings: Mappings, schemas: Schemas, connection: Connection) -> Compiled:
    if not connection.mapping_hash:
        raise ConfigurationError(f"The source {connection.name!r} has no valid mapping; see `hub mappings check`.")
    options: Mapping[str, Json] = {**connection.settings, "currency": connection.currency}
    inbound = mappings.inbound(connection.mapping_hash, connection.id, options)
    return Versioned(connection.mapping_hash, inbound, schemas)
