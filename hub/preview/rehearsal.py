"""The real batch transaction, on an empty database in memory: what a hub that has seen nothing else would make of messages.

Everything is decided by the rooms themselves; nothing is kept, and nobody is told.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property

from sqlalchemy import Connection as Database
from sqlalchemy import Engine, select

from hub.core.bulk import ask
from hub.core.clock import Micros
from hub.core.database import open_in_memory, write
from hub.core.secrets import Vault
from hub.core.settings import Settings
from hub.distributions import syncs
from hub.inbox.values import Message
from hub.mapping.model import Erase, Json
from hub.outbox.tables import DELIVERY
from hub.outbox.values import Row
from hub.profiles import reading
from hub.profiles.values import View
from hub.registry import store as registry
from hub.registry.discovery import Found
from hub.runtime.apply.batch import Compiled, Hooks, Prepared, apply_batch, prepare
from hub.runtime.erasing.person import ERASED, erase_on_request
from hub.runtime.process.installation import Installation
from hub.runtime.process.schema import create_all
from hub.runtime.sync.follower import Follower
from hub.sdk.json import loads
from hub.sdk.values import Operation

NAME = "preview"
LONGEST_MEMORY_DAYS = 36_500  # messages of any age are looked at; when they were sent says nothing here
NAMELESS = "Nothing is sent to {}: no source_id of this person is known."
_EVERYONE = 1_000_000_000
_ENDS = "SELECT message_id, state, reason FROM message"


@dataclass(frozen=True)
class InMemory(Installation):
    """The connectors of this installation, with a database and a key of their own."""

    connectors: Mapping[str, Found] = field(default_factory=dict)

    @cached_property
    def engine(self) -> Engine:
        engine = open_in_memory()
        create_all(engine)
        return engine

    @cached_property
    def vault(self) -> Vault:
        return Vault(NAME)


@dataclass(frozen=True)
class InStep:
    """A destination kept in step: its connector, the options of each operation, and the events it takes (none: all)."""

    connector: str
    options: Mapping[Operation, Mapping[str, Json]]
    event_keys: Sequence[str] = ()


@dataclass(frozen=True)
class Outcome:
    """`views`: everyone with a source_id, as they were before any erasure; `present` are those still there after it.
    `rows`: the deliveries that wait. `notes` tell what was left out, and of which messages nothing comes."""

    views: Mapping[str, View]
    present: Sequence[str]
    rows: Sequence[Row]
    notes: Sequence[str]


def in_memory(hub: Installation) -> InMemory:
    """The same hub on an empty database."""
    settings: Settings = hub.settings.model_copy(update={"seen_days": LONGEST_MEMORY_DAYS, "kafka_bootstrap": ""})
    return InMemory(settings, connectors=hub.connectors)


def rehearse(
    hub: InMemory,
    mapping: Compiled,
    messages: Sequence[Message],
    to: InStep,
    now: Micros,
) -> Outcome:
    """Apply the messages as one batch, with one destination kept in step."""
    with write(hub.engine) as state:
        _keep_in_step(hub, state, to, now)
        asked: list[Erase] = []

        def put_by(_state: Database, _connection_id: str, erase: Erase, _now: Micros) -> str:
            asked.append(erase._replace(request_id=erase.request_id or f"{NAME}-{len(asked)}"))
            return ERASED

        hooks = Hooks(hub.vault.digest, put_by, Follower(hub).follow)
        prepared = [prepare(message, lambda _connection_id: mapping) for message in messages]
        apply_batch(state, prepared, hooks, now, time.perf_counter())
        known = reading.audience(state, None, _EVERYONE)
        views = reading.views(state, known)
        for erase in asked:  # the last thing of the batch, as in the apply role
            erase_on_request(hub, state, NAME, erase, now)
        notes = [*_notes(state, prepared), *map(NAMELESS.format, reading.anonymous(state, None, _EVERYONE))]
        return Outcome(views, reading.audience(state, None, _EVERYONE), list(_waiting(state)), notes)


def _keep_in_step(hub: InMemory, state: Database, to: InStep, now: Micros) -> None:
    made = registry.add(
        state,
        hub.vault,
        now,
        role="destination",
        connector=to.connector,
        name=NAME,
        settings={},
        secrets={},
        mapping=to.connector,
        mapping_hash=NAME,
    )
    for operation, given in to.options.items():
        if operation in syncs.OPERATIONS:
            keys = to.event_keys if operation == Operation.EVENTS else ()
            syncs.add(state, now, connection_id=made.id, operation=operation, options=given, event_keys=keys)


def _notes(state: Database, prepared: Sequence[Prepared]) -> Iterator[str]:
    ends = {message_id: (end, reason) for message_id, end, reason in ask(state, _ENDS)}
    for place, entry in enumerate(prepared, 1):
        for warning in loads(entry.warnings):
            yield "{code} at {path}: {text}".format(**warning)
        end, reason = ends[entry.message.message_id]
        if end != "applied":
            yield f"Message {place} would be {end}: {reason}."
        elif entry.change is not None and (entry.change.is_test or entry.change.is_replay):
            yield f"Message {place} is a test or a replay by its sender; nothing follows from it."


def _waiting(state: Database) -> Iterator[Row]:
    """The deliveries that would be sent."""
    query = select(*[DELIVERY.c[name] for name in Row._fields]).where(DELIVERY.c.state == "waiting")
    for row in state.execute(query):
        yield Row(*row)
