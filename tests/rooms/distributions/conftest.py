"""A hub with two destinations, people and campaigns, for the tests of distributions."""

from __future__ import annotations

import random
from collections.abc import Iterable
from dataclasses import dataclass, field

import pytest
from sqlalchemy import Engine

from hub.campaigns import store as campaigns
from hub.campaigns.values import Campaign
from hub.core.clock import SECOND
from hub.core.database import write
from hub.core.secrets import Vault
from hub.distributions import store
from hub.distributions.values import Distribution, Target
from hub.profiles.tables import ProfileRow
from hub.registry import store as registry

NOW = 1_780_000_000 * SECOND  # 2026-05-28T20:26:40Z


@dataclass
class Hub:
    """What the tests say in the words of the domain."""

    engine: Engine
    crm: str = ""
    mail: str = ""
    now: int = NOW
    source: random.Random = field(default_factory=lambda: random.Random(1))

    def connect(self, name: str) -> str:
        with write(self.engine) as connection:
            made = registry.add(
                connection,
                Vault("k" * 43),
                self.now,
                role="destination",
                connector="acme",
                name=name,
                settings={},
                secrets={},
            )
            registry.update(connection, made.id, self.now, mapping_hash=f"hash-of-{name}")
        return made.id

    def people(self, *source_ids: str, merged_into: str | None = None) -> None:
        with write(self.engine) as connection:
            rows = [
                {
                    "source_id": one,
                    "fields": "{}",
                    "survivor": merged_into,
                    "created_at": 1,
                    "updated_at": 1,
                    "version": 1,
                }
                for one in source_ids
            ]
            connection.execute(ProfileRow.metadata.tables["profile"].insert(), rows)

    def merge(self, loser: str, survivor: str) -> None:
        profile = ProfileRow.metadata.tables["profile"]
        with write(self.engine) as connection:
            connection.execute(profile.update().where(profile.c.source_id == loser).values(survivor=survivor))

    def campaign(self, name: str = "Summer", codes: Iterable[str] | None = None, is_once: bool = True) -> Campaign:
        with write(self.engine) as connection:
            kind = "generated" if codes is None else "imported"
            made = campaigns.add(connection, self.now, name=name, kind=kind, value={"percent_off": 10}, is_once=is_once)
            if codes is not None:
                campaigns.import_codes(connection, made, list(codes))
        return made

    def distribution(self, name: str = "Spring mail", **given: object) -> Distribution:
        targets = given.pop("targets", None) or [
            Target(self.crm, "profiles"),
            Target(self.mail, "messages", {"id": "m1"}),
        ]
        trigger = given.pop("trigger", {"kind": "manual"})
        with write(self.engine) as connection:
            return store.add(connection, self.now, name=name, trigger=trigger, targets=targets, **given)


@pytest.fixture
def hub(engine: Engine) -> Hub:
    made = Hub(engine)
    made.crm, made.mail = made.connect("crm"), made.connect("mail")
    return made
