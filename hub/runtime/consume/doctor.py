"""Whether the sources that are read can be read: sentences for `hub doctor`."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal

from hub.core.database import read
from hub.core.kafka import client_config
from hub.inbox.kafka_admin import Admin
from hub.inbox.queue import Unreachable
from hub.outbox.wire.private_hosts import guard_servers
from hub.registry import store
from hub.registry.discovery import build
from hub.registry.values import Connection
from hub.runtime.consume import offsets as places
from hub.runtime.process.installation import Installation
from hub.sdk.broker import Subscription, servers_of
from hub.sdk.contract import Source
from hub.sdk.errors import ConfigurationError

Found = tuple[Literal["ok", "warning", "error"], str]


def examine(hub: Installation) -> Iterator[Found]:
    """What is good and bad about each source with topics that is not paused; changes nothing."""
    try:
        with read(hub.engine) as state:
            every = store.every(state, hub.vault, "source")
    except ConfigurationError:  # secrets that this host cannot read: doctor says so of all connections
        return
    for connection in every:
        found = hub.connectors.get(connection.connector)
        if connection.status == "paused" or found is None or found.source_class is None:
            continue
        try:
            source: Source = build(found.source_class, connection.settings, connection.secrets)
            wanted = source.subscription()
            if wanted is not None:
                yield from _look(hub, connection, wanted)
        except (ConfigurationError, Unreachable) as error:
            yield "error", f"The source {connection.name!r} is not read: {error}"


def _look(hub: Installation, connection: Connection, wanted: Subscription) -> Iterator[Found]:
    if not hub.settings.allow_private_hosts:
        guard_servers(servers_of(wanted.url), "The source names")
    admin = Admin(lambda: client_config(wanted.url, wanted.broker, wanted.credentials), "Its")
    known = admin.topics()
    partitions = waiting = 0
    for topic in wanted.topics:
        if topic not in known or known[topic].error is not None:
            yield "error", f"The source {connection.name!r} reads {topic}, which is missing or hidden from its user."
            continue
        ends = admin.offsets(topic, known[topic].partitions, "latest")
        with read(hub.engine) as state:
            taken = places.stored(state, connection.id, [(topic, one) for one in ends])
        if any(ends[partition] < offset for (_, partition), offset in taken.items()):
            yield "error", f"{made_anew(topic)} It is read by {connection.name!r}."
            continue
        partitions += len(ends)
        begins = admin.offsets(topic, ends, "earliest")
        fresh = begins if wanted.from_beginning else ends
        waiting += sum(ends[one] - max(begins[one], taken.get((topic, one), fresh[one])) for one in ends)
    if partitions:
        yield "ok", f"The source {connection.name!r} reads {partitions} partitions; {waiting} records wait in them."


def made_anew(topic: str) -> str:
    return f"The topic {topic} ends before what was read of it: it was made anew. Add a new source for it."
