"""/healthz, /readyz and /metrics: for load balancers, alarms and the person at nine in the morning."""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from flask import Blueprint, Response, jsonify
from sqlalchemy.exc import DBAPIError

from hub.admin.running import RunningHub, running
from hub.api.services import services
from hub.core import clock, exposition
from hub.core.clock import SECOND, Micros, iso
from hub.core.database import read
from hub.inbox.queue import Unreachable
from hub.registry import store as registry
from hub.registry.values import Connection
from hub.runtime.upkeep.backlog import Backlog, backlog
from hub.sdk.errors import ConfigurationError

health = Blueprint("health", __name__)
DISK_FREE_LEAST = 200 * 1024 * 1024  # bytes; below this the hub says it is not ready
OLD_AFTER: Micros = 300 * SECOND


class Look(NamedTuple):
    """What the tables tell at this moment; `waiting` is None where the inbox cannot be counted, for the reason `why`."""

    waiting: Backlog | None
    hub: RunningHub
    warnings: Sequence[str]
    why: str = ""


@health.get("/healthz")
def healthz() -> Response:
    """This process answers."""
    return jsonify(status="ok")


@health.get("/readyz")
def readyz() -> tuple[Response, int]:
    """The hub can do its work; if not, 503 with a sentence per trouble."""
    troubles, figures = _disk(), _figures(None)
    look: Look | None
    try:
        look = _look()
    except DBAPIError as error:
        look = None
        troubles["database"] = f"it does not answer ({type(error).__name__})"
    else:
        troubles |= {f"role_{role}": why for role, why in look.hub.troubles.items()}
        troubles |= _ages(look)
        figures = _figures(look)
    status = "not ready" if troubles else "ok"
    told = _told(look) if look else {}
    return jsonify(status=status, troubles=troubles, **told, **figures), 503 if troubles else 200


@health.get("/metrics")
def metrics() -> Response:
    """Prometheus text: counters of all processes, and gauges read from the tables."""
    try:
        look = _look()
    except DBAPIError:
        look = None
    gauges = "".join(f"{line}\n" for line in _gauges(look))
    return Response(exposition.text() + gauges.encode(), mimetype="text/plain; version=0.0.4")


def _look() -> Look:
    now = clock.now()
    with read(services().engine) as database:
        hub = running(database, now)
        warnings = _warnings(hub, registry.without_secrets(database))
    try:
        return Look(backlog(services().engine, services().inbox, now), hub, warnings)
    except Unreachable:
        return Look(
            None, hub, warnings, "its Kafka cluster does not answer; nothing is accepted or applied until it does"
        )
    except ConfigurationError:  # its words are the operator's: this page may be anybody's
        return Look(
            None, hub, warnings, "its Kafka topic cannot be used; nothing is accepted or applied: see `hub doctor`"
        )


def _warnings(hub: RunningHub, connections: Mapping[str, Connection]) -> list[str]:
    """What does not stop the hub but somebody should mend. This page may be anybody's, so `hub doctor` has the words."""
    broken = {each for _, found in hub.roles.items() for each in found.report.get("broken", ())}
    missing = any(found.report.get("missing_folders") for found in hub.roles.values())
    mappings = sorted(connections[each].name for each in hub.broken_mappings if each in connections)
    lacking = sorted(each.name for each in connections.values() if hub.lacks(each))
    return [
        *(f"The connector {name!r} cannot be loaded; see `hub doctor`." for name in sorted(broken)),
        *(f"The mapping of {name!r} is broken; see `hub doctor`." for name in mappings),
        *(f"The connector of {name!r} is missing; see `hub doctor`." for name in lacking),
        *(["A folder of connectors or mappings does not exist; see `hub doctor`."] if missing else []),
    ]


def _told(look: Look) -> dict[str, Any]:
    """The roles with what they have, and what somebody should mend."""
    roles = {
        role: {
            "processes": found.alive,
            "started_at": None if found.started_at is None else iso(found.started_at),
            "version": found.report.get("version"),
            "connectors": found.report.get("connectors"),
        }
        for role, found in look.hub.roles.items()
    }
    return {"warnings": list(look.warnings), "roles": roles}


def _figures(look: Look | None) -> dict[str, int | float]:
    figures: dict[str, int | float] = {"disk_free_bytes": _disk_free()}
    if look is not None and look.waiting is not None:
        waiting = look.waiting
        figures |= {
            "messages_waiting": waiting.messages,
            "oldest_message_age_seconds": round(waiting.message_age / SECOND, 1),
            "deliveries_waiting": waiting.deliveries,
            "oldest_delivery_age_seconds": round(waiting.delivery_age / SECOND, 1),
        }
    return figures


def _gauges(look: Look | None) -> Iterator[str]:
    up = {"database_up": int(look is not None), "inbox_up": int(look is not None and look.waiting is not None)}
    for name, value in {**up, **_figures(look)}.items():
        yield f"# TYPE hub_{name} gauge\nhub_{name} {value}"
    if look is None:
        return
    yield "# TYPE hub_role_processes gauge"
    yield from (f'hub_role_processes{{role="{role}"}} {found.alive}' for role, found in look.hub.roles.items())
    yield "# TYPE hub_role_crashes gauge"
    yield from (f'hub_role_crashes{{role="{role}"}} {found.crashes}' for role, found in look.hub.roles.items())


def _ages(look: Look) -> dict[str, str]:
    if look.waiting is None:
        return {"inbox": look.why}
    age = look.waiting.message_age
    if age <= OLD_AFTER:
        return {}
    return {"inbox": f"the oldest waiting message is {age // SECOND} s old; is the apply role running?"}


def _disk() -> dict[str, str]:
    free = _disk_free()
    return {} if free >= DISK_FREE_LEAST else {"disk": f"only {free // 1024 // 1024} MiB are free in HUB_DATA_DIR"}


def _disk_free() -> int:
    """Bytes free where the data directory is, or will be."""
    folder: Path = services().hub.settings.data_dir.absolute()
    return shutil.disk_usage(next(each for each in (folder, *folder.parents) if each.exists())).free
