"""Preparing a destination: what CLI and API both do, by hand and after a change. Never part of delivering."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import Connection as Database

from hub.admin.requirements import wanted_of
from hub.core import clock
from hub.core.clock import Micros
from hub.core.database import read, write
from hub.core.ids import new_id
from hub.ledger.store import record_audit, record_run
from hub.ledger.values import Run
from hub.mapping.versions.watch import Mappings
from hub.outbox.wire.checks import has_prepare, prepare_destination
from hub.registry.values import Connection
from hub.runtime.process.installation import Installation
from hub.sdk.contract import Destination
from hub.sdk.errors import ConfigurationError, HubError
from hub.sdk.values import Finding

NOTHING = "This destination needs nothing prepared: it takes fields and events as they come."
READY = "Everything that this destination is about to be sent has its place there."
AGAIN = "{} Nothing else is affected; correct it, then run `hub destinations prepare {}`."


def prepare(hub: Installation, connection: Connection, actor: str) -> list[Finding]:
    """Make at the vendor what is about to be needed, and find what only its dashboard can make.

    Findings are audited, and errors stand in the sync log. Raises ConfigurationError if the connector or the mapping
    cannot be used.
    """
    kind = _kind(hub, connection)
    if not has_prepare(kind):
        return [Finding("ok", NOTHING)]
    if not connection.mapping_hash:
        raise ConfigurationError(f"{connection.name!r} has no valid mapping; `hub mappings check` tells why.")
    mapping = Mappings(hub.engine, hub.folders).outbound(connection.mapping_hash)
    began = clock.now()
    with read(hub.engine) as database:
        wanted = wanted_of(database, connection, kind, mapping)
    found = list(prepare_destination(kind, connection, hub.settings, wanted)) or [Finding("ok", READY)]
    with write(hub.engine) as database:
        _record(database, connection, found, began, actor)
    return found


def prepare_after(hub: Installation, connection: Connection, actor: str) -> list[Finding]:
    """The same after a change that stands already: never raises; what goes wrong comes back as a warning with what to
    do. Nothing of a destination that needs no preparing."""
    found = hub.connectors.get(connection.connector)
    kind = found.destination_class if found else None
    if kind is None or not has_prepare(kind) or connection.status != "active":
        return []
    try:
        findings = prepare(hub, connection, actor)
    except HubError as error:
        findings = [Finding("error", str(error))]
    return [
        Finding("warning", AGAIN.format(one.text, connection.name)) if one.level == "error" else one for one in findings
    ]


def finding_json(finding: Finding) -> dict[str, str]:
    """A finding as CLI and API show it."""
    return {"level": finding.level, "text": finding.text}


def _kind(hub: Installation, connection: Connection) -> type[Destination]:
    found = hub.connectors.get(connection.connector)
    if found is None or found.destination_class is None:
        raise ConfigurationError(f"The connector {connection.connector!r} cannot be used here; see `hub doctor`.")
    return found.destination_class


def _record(database: Database, connection: Connection, found: Sequence[Finding], began: Micros, actor: str) -> None:
    now = clock.now()
    told = {"id": connection.id, "findings": [finding_json(one) for one in found]}
    record_audit(database, now, actor, "destination.prepared", connection.name, told)
    for one in found:
        if one.level == "error":
            detail = f"Preparing {connection.name!r}: {one.text}"
            run = Run(
                id=new_id(now // 1000),
                kind="request",
                started_at=began,
                duration_us=max(0, now - began),
                counts={},
                result="failed",
                detail=detail,
                connection_id=connection.id,
            )
            record_run(database, run)
