"""What the request handlers stand on, opened once per web process."""

from __future__ import annotations

from dataclasses import dataclass

from flask import current_app
from sqlalchemy import Engine

from hub.inbox.accept import SourceDoor, UnusableSource
from hub.inbox.queue import Inbox
from hub.registry.values import Connection
from hub.runtime.live.connections import LiveConnections, Snapshot
from hub.runtime.process.installation import Installation

EXTENSION = "switchboard"
UNUSABLE = UnusableSource(None)


@dataclass(frozen=True)
class Services:
    hub: Installation
    inbox: Inbox
    live: LiveConnections

    @property
    def engine(self) -> Engine:
        return self.hub.engine

    def source(self, key: str) -> SourceDoor | None:
        """The source behind a webhook URL; None for a key nobody has."""
        return _door(self.live.source_connection(key), self.live.snapshot())

    def latest_source(self, key: str) -> SourceDoor | None:
        """The same after a look at the database, for a source that may have been changed a moment ago."""
        latest = self.live.latest()
        return _door(latest.by_key.get(key), latest)


def _door(connection: Connection | None, snapshot: Snapshot) -> SourceDoor | None:
    if connection is None:
        return None
    return SourceDoor(connection.id, snapshot.sources.get(connection.id, UNUSABLE), connection.status == "paused")


def services() -> Services:
    """The services of the app that handles this request."""
    found: Services = current_app.extensions[EXTENSION]
    return found
