"""The metadata schemas of now, compiled: every role follows a change within a second."""

from __future__ import annotations

import threading
import time

from hub.core.database import read
from hub.profiles import schema_store
from hub.profiles.rules.schemas import NO_SCHEMAS, Schemas, version
from hub.profiles.schema_store import Revision
from hub.runtime.process.installation import Installation

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
    if not hub.is_made:
        return NO_SCHEMAS
    with read(hub.engine) as database:
        if not database.dialect.has_table(database, "metadata_schema"):
            return NO_SCHEMAS
        return Schemas(schema_store.every(database))
