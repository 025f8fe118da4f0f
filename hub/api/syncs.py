"""/hub/v1/destinations/<which>/syncs: destinations kept in step with what comes in, without a schedule."""

from __future__ import annotations

from typing import Annotated, Any

from flask import Blueprint, Response, g, jsonify
from pydantic import Field

from hub.admin.syncs import (
    add_sync,
    backfill_json,
    count_backfill,
    remove_sync,
    start_backfill,
    sync_json,
    syncs_json,
)
from hub.api.bodies import Body
from hub.api.body import read_body
from hub.api.errors import not_found
from hub.api.services import services
from hub.core import clock
from hub.core.database import read, write
from hub.registry import store
from hub.registry.values import Connection
from hub.sdk.errors import ConfigurationError

syncs = Blueprint("syncs", __name__, url_prefix="/hub/v1/destinations/<which>/syncs")


class SyncBody(Body):
    """`events` names events by key or name, so only with the operation `events`; none named means all.

    `backfill` sends everybody who is there already too, quietly; with `dry_run` it is only counted.
    """

    options: dict[str, Any] = Field(default_factory=dict)
    events: list[Annotated[str, Field(min_length=1, max_length=300)]] = Field(default_factory=list)
    backfill: bool = False
    dry_run: bool = False


@syncs.get("")
def list_(which: str) -> Response:
    """All syncs of a destination."""
    connection = _find(which)
    with read(services().engine) as database:
        return jsonify(syncs_json(database, connection))


@syncs.get("/<operation>")
def show(which: str, operation: str) -> Response:
    """One of them."""
    connection = _find(which)
    with read(services().engine) as database:
        found = [sync for sync in syncs_json(database, connection) if sync["operation"] == operation]
    if not found:
        raise not_found("sync", operation)
    return jsonify(found[0])


@syncs.put("/<operation>")
def put(which: str, operation: str) -> Response:
    """{options, events, backfill, dry_run}: takes the place of an earlier one; a dry run changes nothing and counts."""
    body, connection, hub, now = read_body(SyncBody), _find(which), services().hub, clock.now()
    if body.dry_run and not body.backfill:
        raise ConfigurationError("'dry_run' counts what 'backfill' would send; give both.")
    if body.dry_run:
        return jsonify(count_backfill(hub, now, connection, operation, options=body.options))
    with write(hub.engine) as database:
        added = add_sync(hub, database, now, connection, operation, g.actor, options=body.options, events=body.events)
        shown = sync_json(added)
        if body.backfill:
            shown["backfill"] = backfill_json(start_backfill(database, now, connection, added, g.actor))
    return jsonify(shown)


@syncs.delete("/<operation>")
def remove(which: str, operation: str) -> tuple[str, int]:
    """Stop it. What waits already is still sent."""
    connection = _find(which)
    with write(services().engine) as database:
        if not remove_sync(database, clock.now(), connection, operation, g.actor):
            raise not_found("sync", operation)
    return "", 204


def _find(which: str) -> Connection:
    hub = services().hub
    with read(hub.engine) as database:
        connection = store.find(database, hub.vault, "destination", which)
    if connection is None:
        raise not_found("destination", which)
    return connection
