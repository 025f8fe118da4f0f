"""What a message would send: a hub of its own in a temporary folder, the vendor played by its simulator, no network.

Everything is the real thing (mapping, merge, syncs, builder, connector) but the last step, so a preview cannot differ
from what is sent. Times and ids come from the input: the same input prints the same.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import blake2b
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from sqlalchemy import Connection as Database
from sqlalchemy import select

from hub.core.clock import Micros, to_datetime
from hub.core.database import write
from hub.distributions import syncs
from hub.mapping.coerce_time import read_instant
from hub.mapping.inbound import Inbound, compile_inbound
from hub.mapping.model import Json, Verdict
from hub.mapping.versions import resolve
from hub.mapping.watch import Mappings
from hub.outbox.build import Builder, Built, Known
from hub.outbox.tables import DELIVERY
from hub.outbox.values import Row
from hub.profiles import store as profiles
from hub.profiles.rules.stamps import message_key
from hub.profiles.values import AppliedChange
from hub.registry.discovery import example_settings, get
from hub.runtime.connections import add_destination
from hub.runtime.following import Follower
from hub.runtime.installation import Installation
from hub.runtime.schema import create_all
from hub.sdk.errors import ConfigurationError
from hub.sdk.json import canonical, loads
from hub.sdk.kit.bench import Bench, in_memory
from hub.sdk.values import Operation, Request, Response
from hub.sdk.wire import encode

UNDATED: Micros = 1_767_225_600_000_000  # 2026-01-01: when a message that names no time was received
SYNCED = (Operation.PROFILES, Operation.EVENTS)
_ID = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"


@dataclass(frozen=True, slots=True)
class Preview:
    """`requests` as they would be sent, secrets masked: {method, url, headers, body}. `notes`: what is not sent, why."""

    requests: list[dict[str, Json]] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


def preview(
    hub: Installation, source: str, destination: str, messages: Sequence[Json], settings: Mapping[str, str]
) -> Preview:
    """What a new destination, in step with profiles and events, would be sent for these messages.

    `settings` replace the examples of the destination's settings. Raises ConfigurationError.
    """
    with TemporaryDirectory(prefix="switchboard-preview-") as folder:
        scratch = Installation(
            hub.settings.model_copy(update={"data_dir": Path(folder), "database_url": "", "kafka_bootstrap": ""})
        )
        create_all(scratch.engine)
        try:
            return _previewed(scratch, source, destination, messages, settings)
        finally:
            scratch.engine.dispose()


def received_at(message: Json) -> Micros:
    """The latest time that a message names at its top, so that none lies in the future."""
    values = message.values() if isinstance(message, Mapping) else ()
    found = [read_instant(value) for value in values if isinstance(value, str)]
    return max((at for at in found if isinstance(at, int)), default=UNDATED)


def source_mapping(hub: Installation, source: str) -> Inbound:
    """A source's mapping, over the examples of its settings. Raises ConfigurationError."""
    kind = get(hub.connectors, source).source_class
    if kind is None:
        raise ConfigurationError(f"The connector {source!r} is no source; `hub connectors list` shows which are.")
    document = resolve(source, "", hub.folders).document
    return compile_inbound(document, connection_id="preview", options=example_settings(kind.Settings))


def _previewed(
    scratch: Installation, source: str, destination: str, messages: Sequence[Json], settings: Mapping[str, str]
) -> Preview:
    found, inbound = get(scratch.connectors, destination), source_mapping(scratch, source)
    bench = in_memory(found.subject(), settings)
    told = Preview()
    now = max(map(received_at, messages), default=UNDATED)
    given = {name: str(value) for name, value in bench.simulator.example_settings().items()} | dict(settings)
    with write(scratch.engine) as database:
        connection = add_destination(scratch, database, now, destination, "preview", given, "preview")
        for operation in SYNCED:
            if operation in bench.destination.Options:
                syncs.add(database, now, connection_id=connection.id, operation=operation, options={})
        _apply(scratch, database, inbound, messages, now, told)
        rows = _rows(database)
        people = sorted({row.source_id for row in rows})
        known = Known(profiles.views(database, people), {}, {})
    builder = Builder(connection, bench.destination, Mappings(scratch.engine, scratch.folders).outbound)
    built = [builder.build(row, known, now, to_datetime(now)) for row in rows]
    for row, one in zip(rows, built, strict=True):
        if not isinstance(one, Built):
            told.notes.append(
                f"The {row.operation} of {row.source_id} would be {one.state} ({one.reason}): {one.detail}"
            )
    told.requests.extend(_sent(bench, [one for one in built if isinstance(one, Built)]))
    return told


def _apply(
    scratch: Installation, database: Database, inbound: Inbound, messages: Sequence[Json], now: Micros, told: Preview
) -> None:
    changes = []
    for place, message in enumerate(messages):
        message_id = f"preview-{place}"
        change = inbound.apply(message, message_id=message_id, received_at=received_at(message))
        told.notes.extend(f"{one.code} at {one.path}: {one.text}" for one in change.warnings)
        if change.verdict is not Verdict.APPLY:
            told.notes.append(f"Message {place + 1} would be {change.verdict}d: {change.reason}.")
        elif change.source_id is not None:
            key = message_key("preview", message_id)
            changes.append(AppliedChange(change, "preview", message_id, key, 0, now))
    merged = profiles.merge(database, changes, now, scratch.vault.digest)
    Follower(scratch).follow(database, changes, merged, now)


def _rows(database: Database) -> list[Row]:
    """The deliveries that followed, under ids that their content gives."""
    query = select(*[DELIVERY.c[name] for name in Row._fields]).where(DELIVERY.c.state == "waiting")
    rows = [Row(*row) for row in database.execute(query)]
    order = {str(operation): place for place, operation in enumerate(SYNCED)}
    rows.sort(key=lambda row: (order[row.operation], row.source_id, row.at, row.record))
    return [row._replace(id=_derived(place, row)) for place, row in enumerate(rows)]


def _derived(place: int, row: Row) -> str:
    digest = blake2b(canonical([place, row.operation, row.source_id, row.record]), digest_size=26).digest()
    return "".join(_ID[byte % len(_ID)] for byte in digest)


def _sent(bench: Bench, built: Sequence[Built]) -> Iterator[dict[str, Json]]:
    sent: list[dict[str, Json]] = []
    hosts, auth = bench.destination.hosts(), bench.destination.auth()

    def send(request: Request) -> Response:
        wire = encode(request, hosts, auth, masked=True)
        sent.append({"method": wire.method, "url": wire.url, "headers": dict(wire.headers), "body": _shown(wire.body)})
        return bench.send(request)

    batches, _ = bench.batches([one.ready.push for one in built])
    for batch in batches:
        bench.run(batch, send)
        yield from sent
        sent.clear()


def _shown(body: bytes | None) -> Any:
    if body is None:
        return None
    try:
        return loads(body)
    except ValueError:
        return body.decode("utf-8", "replace")
