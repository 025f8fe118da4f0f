"""Profiles as the outbox asks for them, inside the transaction of a claim."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from sqlalchemy import Connection

from hub.profiles import store
from hub.profiles.values import View

REFUSED = "consent"


@dataclass(frozen=True)
class People:
    """Views, consent and erasure by source_id. `digest` is the keyed hash of tombstones."""

    digest: Callable[[str], str]

    def views(self, database: Connection, source_ids: Sequence[str]) -> dict[str, View]:
        """source_id to the `profile` of a mapping's scope; a merged profile's is its survivor's. Unknown ones lack."""
        return store.views(database, source_ids)

    def refused(self, database: Connection, pairs: Sequence[tuple[str, str]]) -> dict[tuple[str, str], str]:
        """Of (source_id, consent topic) pairs those that may not be sent to, with the reason `consent`."""
        topics = sorted({topic for _, topic in pairs})
        states = store.consent_for(database, {source_id for source_id, _ in pairs}, topics)
        return {
            (source_id, topic): REFUSED
            for source_id, topic in pairs
            if source_id in states and states[source_id][topic].is_granted is False
        }

    def erased(self, database: Connection, source_ids: Sequence[str]) -> set[str]:
        """Which of these have a tombstone."""
        return store.erased(database, source_ids, self.digest)
