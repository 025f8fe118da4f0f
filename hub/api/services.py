"""What the request handlers stand on, opened once per web process."""

from __future__ import annotations

from dataclasses import dataclass

from flask import current_app
from sqlalchemy import Engine

from hub.inbox.accept import SourceDoor
from hub.inbox.queue import Inbox
from hub.runtime.live.connections import LiveConnections
from hub.runtime.process.installation import Installation

EXTENSION = "switchboard"


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
        connection = self.live.source_connection(key)
        source = self.live.snapshot().sources.get(connection.id) if connection else None
        if connection is None or source is None:
            return None
        return SourceDoor(connection.id, source, connection.status == "paused")


def services() -> Services:
    """The services of the app that handles this request."""
    found: Services = current_app.extensions[EXTENSION]
    return found
