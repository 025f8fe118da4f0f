"""What messages would send: applied and built by the rooms themselves, the vendor played by its simulator.

The database is one in memory; no network, no configured connection. Times and ids come from the input: the same input
prints the same.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from pydantic import BaseModel

from hub.core.clock import Micros, to_datetime
from hub.inbox.values import Message
from hub.mapping.inbound import Inbound, compile_inbound
from hub.mapping.language.document import Node
from hub.mapping.model import Json
from hub.mapping.outbound import compile_outbound
from hub.mapping.values.coerce_time import read_instant
from hub.mapping.versions.version import resolve
from hub.outbox.engine.build import Builder
from hub.preview.deliveries import EXAMPLE_CODE, ORDER, pushes_of, rows_of
from hub.preview.rehearsal import NAME, InStep, in_memory, rehearse
from hub.preview.stage import Stage
from hub.profiles.rules.schemas import NO_SCHEMAS, Schemas
from hub.registry.discovery import build, example_settings, get
from hub.registry.values import Connection
from hub.runtime.apply.batch import Compiled
from hub.runtime.apply.mappers import Versioned
from hub.runtime.process.installation import Installation
from hub.sdk.contract import Destination
from hub.sdk.declared import redirected
from hub.sdk.errors import ConfigurationError
from hub.sdk.json import dumps
from hub.sdk.kit.bench.bench import Bench
from hub.sdk.kit.bench.http import without_network
from hub.sdk.kit.simulator.base import ManualClock
from hub.sdk.values import Operation

UNDATED: Micros = 1_767_225_600_000_000  # 2026-01-01: when a message that names no time was received
HOSTS = "hosts."


@dataclass(frozen=True, slots=True)
class Wish:
    """What is to be previewed. No operations: those that the messages give something to; no event keys: all."""

    source: str
    destination: str
    operations: Sequence[Operation] = ()
    settings: Mapping[str, Any] = field(default_factory=dict)
    options: Mapping[str, Any] = field(default_factory=dict)
    event_keys: Sequence[str] = ()


@dataclass(frozen=True, slots=True)
class Preview:
    """`requests` as they would be sent, secrets masked: {method, url, headers, body}. `notes`: what is not sent, why."""

    requests: list[dict[str, Json]] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


def preview(hub: Installation, wish: Wish, messages: Sequence[Json], schemas: Schemas = NO_SCHEMAS) -> Preview:
    """What a new destination would be sent for these messages: profiles, events, memberships, consents and erasures
    that follow from them, and messages with an example code if asked for.

    `schemas` filter the messages as the apply role would. Settings and options that must be set and are not given take
    their examples. Raises ConfigurationError.
    """
    mapping = Versioned(NAME, source_mapping(hub, wish.source), schemas)
    get(hub.connectors, wish.destination)
    now = max(map(received_at, messages), default=UNDATED)
    received = [_message(place, message) for place, message in enumerate(messages)]
    return follow(hub, wish, mapping, received, now, resolve(wish.destination, "", hub.folders).document)


def follow(
    hub: Installation, wish: Wish, source: Compiled, received: Sequence[Message], now: Micros, document: Node
) -> Preview:
    """The same for messages of a source with this mapping, through this mapping (`document`) of the destination."""
    bench, hosts = _bench(hub, wish, now)
    options = _options(bench.destination, wish)
    wanted = wish.operations or [one for one in ORDER if one in bench.destination.Options and one != Operation.MESSAGES]
    room = in_memory(hub)
    in_step = InStep(wish.destination, {one: options.get(one, {}) for one in wanted}, wish.event_keys)
    outcome = rehearse(room, source, received, in_step, now)
    notes = list(outcome.notes)
    rows = rows_of(outcome, wanted, options, room.vault, now)
    if Operation.MESSAGES in wanted and rows:
        notes.append(f"The code {EXAMPLE_CODE} is an example; a distribution gives each person their own.")
    outbound = compile_outbound(document)
    builder = Builder(_connection(wish), bench.destination, lambda _hash: outbound, room.vault)
    stage = Stage(bench, builder, hosts, outcome.views, now)
    if Operation.PROFILES not in wanted and Operation.PROFILES in bench.destination.Options:
        # The vendor knows these people already, as it would by the time the rest is sent.
        stage.play(pushes_of(outcome.views, _least(bench.destination.Options[Operation.PROFILES]), now))
        stage.notes.clear()
        stage.requests.clear()
    stage.play(rows)
    return Preview(stage.requests, notes + stage.notes)


def received_at(message: Json) -> Micros:
    """The latest time that a message names at its top, so that none lies in the future."""
    values = message.values() if isinstance(message, Mapping) else ()
    found = [read_instant(value) for value in values if isinstance(value, str)]
    return max((at for at in found if isinstance(at, int)), default=UNDATED)


def source_mapping(hub: Installation, source: str) -> Inbound:
    """A source's mapping, over the examples of its settings. Raises ConfigurationError."""
    kind = get(hub.connectors, source).source_class
    if kind is None:
        raise ConfigurationError(f"The connector {source!r} is not a source; `hub connectors list` shows which are.")
    document = resolve(source, "", hub.folders).document
    return compile_inbound(document, connection_id=NAME, options=example_settings(kind.Settings))


def _message(place: int, message: Json) -> Message:
    return Message(
        NAME,
        f"{NAME}-{place}",
        received_at(message),
        is_authentic=True,
        profile_hint=None,
        has_fresh_id=False,
        body=dumps(message),
    )


def _bench(hub: Installation, wish: Wish, now: Micros) -> tuple[Bench, Mapping[str, str]]:
    """The destination in front of a simulator that takes any credentials, and where its requests would go."""
    found = get(hub.connectors, wish.destination)
    if found.destination_class is None:
        raise ConfigurationError(
            f"The connector {wish.destination!r} is not a destination; `hub connectors list` shows which are."
        )
    places = {name.removeprefix(HOSTS): str(url) for name, url in wish.settings.items() if name.startswith(HOSTS)}
    given = {name: value for name, value in wish.settings.items() if not name.startswith(HOSTS)}
    subject, clock = found.subject(), ManualClock(to_datetime(now))
    if subject.simulator_class is None:
        raise ConfigurationError(f"The connector {wish.destination!r} has no simulator to play its vendor.")
    simulator = subject.simulator_class(clock=clock)
    simulator.is_trusting = True
    values = _least(found.destination_class.Settings) | simulator.example_settings() | given
    destination = build(found.destination_class, values, {})
    bench = Bench(destination, simulator, clock, without_network(destination, simulator, clock))
    return bench, redirected(destination, places)


def _options(destination: Destination, wish: Wish) -> dict[Operation, dict[str, Json]]:
    """Options by operation: what was given, and examples where a value is required. Raises ConfigurationError."""
    models = {one: destination.Options[one] for one in wish.operations or ORDER if one in destination.Options}
    known = {name for model in models.values() for name in model.model_fields}
    unknown = sorted(set(wish.options) - known)
    if unknown:
        words = ", ".join(sorted(known)) or "none"
        raise ConfigurationError(f"There is no option {unknown[0]!r} here; known are {words}.")
    return {one: _least(model) | _fitting(model, wish.options) for one, model in models.items()}


def _least(model: type[BaseModel]) -> dict[str, Json]:
    return {name: each.examples[0] for name, each in model.model_fields.items() if each.is_required() and each.examples}


def _fitting(model: type[BaseModel], given: Mapping[str, Any]) -> dict[str, Json]:
    return {name: value for name, value in given.items() if name in model.model_fields}


def _connection(wish: Wish) -> Connection:
    plain = {name: value for name, value in wish.settings.items() if not name.startswith(HOSTS)}
    return Connection(
        id=NAME,
        role="destination",
        connector=wish.destination,
        name=NAME,
        source_key=None,
        settings=plain,
        secrets={},
        hosts={},
        mapping=wish.destination,
        mapping_patch="",
        mapping_hash=NAME,
        currency="USD",
        retry_unknown=False,
        status="active",
        paused_reason="",
        paused_routes={},
        version=1,
    )
