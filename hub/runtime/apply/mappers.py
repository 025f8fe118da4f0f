"""What a batch is applied with: the mapping of each source, the schemas behind it, and the hooks of its transaction."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import NamedTuple

from hub.core.clock import Micros
from hub.mapping.inbound import Inbound
from hub.mapping.model import Change, Json
from hub.mapping.versions.watch import Mappings
from hub.profiles.rules.schemas import Schemas
from hub.registry.values import Connection
from hub.runtime.apply.batch import Compiled, Hooks, Mapper
from hub.runtime.erasing.person import erase_on_request
from hub.runtime.live.connections import LiveConnections
from hub.runtime.live.schemas import LiveSchemas
from hub.runtime.process.installation import Installation
from hub.runtime.sync.follower import Follower
from hub.sdk.errors import ConfigurationError


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
