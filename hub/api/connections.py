"""/hub/v1/sources and /hub/v1/destinations."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from flask import Blueprint, Response, g, jsonify
from sqlalchemy import Connection as Database

from hub.admin import secrets
from hub.admin.connections import (
    add_destination,
    add_source,
    change_settings,
    describe,
    pause,
    remove,
    resume,
    reveal_once,
)
from hub.admin.mapping_choice import Choice, change_mapping
from hub.admin.prepare import finding_json, prepare
from hub.api.bodies import ConnectionBody, PauseBody, RotateBody, SettingsBody
from hub.api.body import expect_query, read_body
from hub.api.errors import ApiError, not_found
from hub.api.services import services
from hub.core import clock
from hub.core.clock import SECOND, iso
from hub.core.database import read, write
from hub.registry import store
from hub.registry.values import Connection
from hub.sdk.json import dumps

connections = Blueprint("connections", __name__, url_prefix="/hub/v1")
ROLES = {"sources": "source", "destinations": "destination"}


@connections.get("/<any(sources, destinations):kind>")
def list_(kind: str) -> Response:
    """All of them, in the order they were made."""
    expect_query()
    hub = services().hub
    with read(hub.engine) as database:
        found = store.every(database, hub.vault, ROLES[kind])
    return jsonify([describe(hub, connection) for connection in found])


@connections.post("/<any(sources, destinations):kind>")
def add(kind: str) -> tuple[Response, int]:
    """{connector, name, settings, mapping, mapping_patch}: a source answers with its webhook URL and secrets, shown only
    now."""
    body, hub = read_body(ConnectionBody), services().hub
    make, choice = add_source if kind == "sources" else add_destination, Choice(body.mapping, body.mapping_patch)
    with write(hub.engine) as database:
        added = make(hub, database, clock.now(), body.connector, body.name, _texts(body.settings), g.actor, choice)
    shown = reveal_once(hub, added) if kind == "sources" else describe(hub, added)
    return jsonify(shown), 201


@connections.get("/<any(sources, destinations):kind>/<which>")
def show(kind: str, which: str) -> Response:
    """One, by name or id."""
    expect_query()
    hub = services().hub
    with read(hub.engine) as database:
        return jsonify(describe(hub, _existing(database, kind, which)))


@connections.patch("/<any(sources, destinations):kind>/<which>")
def change(kind: str, which: str) -> Response:
    """{settings, mapping, mapping_patch}: change some; an empty text takes one away. The answer shows no secret."""
    body, hub, now = read_body(SettingsBody), services().hub, clock.now()
    if body.settings is None and body.mapping is None and body.mapping_patch is None:
        raise ApiError(400, "missing_field", "'settings' is missing.", {"field": "settings"})
    with write(hub.engine) as database:
        changed = _existing(database, kind, which)
        if body.settings is not None:
            changed = change_settings(hub, database, now, changed, _texts(body.settings), g.actor)
        if body.mapping is not None or body.mapping_patch is not None:
            changed = change_mapping(hub, database, now, changed, g.actor, name=body.mapping, patch=body.mapping_patch)
    return jsonify(describe(hub, changed))


@connections.post("/<any(sources, destinations):kind>/<which>/pause")
def stop(kind: str, which: str) -> Response:
    """Pause one; the body may hold a `reason`."""
    body, hub = read_body(PauseBody), services().hub
    with write(hub.engine) as database:
        found = _existing(database, kind, which)
        pause(database, clock.now(), found, body.reason, g.actor)
        return jsonify(describe(hub, store.get(database, hub.vault, found.id)))


@connections.post("/<any(sources, destinations):kind>/<which>/resume")
def go_on(kind: str, which: str) -> Response:
    """Take up a paused one, and its paused routes, again."""
    hub = services().hub
    with write(hub.engine) as database:
        found = _existing(database, kind, which)
        resume(database, clock.now(), found, g.actor)
        return jsonify(describe(hub, store.get(database, hub.vault, found.id)))


@connections.post("/sources/<which>/rotate")
def rotate_secret(which: str) -> Response:
    """{secret, keep_s}: make a secret anew; for `keep_s` seconds the old one is taken too. Shown this once."""
    body, hub, now = read_body(RotateBody), services().hub, clock.now()
    with write(hub.engine) as database:
        found = _existing(database, "sources", which)
        done = secrets.rotate(hub, database, now, found, g.actor, secret=body.secret, keep=body.keep_s * SECOND)
    until = iso(done.until) if done.until else None
    return jsonify(secret=done.secret, value=done.value, old_one_taken_until=until)


@connections.post("/sources/<which>/reveal")
def reveal_secrets(which: str) -> Response:
    """Its secrets again, to enter them at the vendor; audited."""
    hub = services().hub
    with write(hub.engine) as database:
        return jsonify(secrets.reveal(database, clock.now(), _existing(database, "sources", which), g.actor))


@connections.post("/destinations/<which>/prepare")
def make_ready(which: str) -> Response:
    """Make at the vendor what is about to be needed; the findings name what only its dashboard can make."""
    hub = services().hub
    with read(hub.engine) as database:
        found = _existing(database, "destinations", which)
    return jsonify(findings=[finding_json(one) for one in prepare(hub, found, g.actor)])


@connections.delete("/<any(sources, destinations):kind>/<which>")
def take_away(kind: str, which: str) -> Response:
    """Remove one; what it did stays in the ledger, what waits for it is skipped."""
    with write(services().engine) as database:
        skipped = remove(database, clock.now(), _existing(database, kind, which), g.actor)
    return jsonify(removed=True, deliveries_skipped=skipped)


def _existing(database: Database, kind: str, which: str) -> Connection:
    found = store.find(database, services().hub.vault, ROLES[kind], which)
    if found is None:
        raise not_found(ROLES[kind], which)
    return found


def _texts(given: Mapping[str, Any]) -> dict[str, str]:
    """Settings as an operator types them: numbers and booleans as their text, lists and objects as JSON; null is as if it
    were not there."""
    return {name: _text(value) for name, value in given.items() if value is not None}


def _text(value: Any) -> str:
    if isinstance(value, list | dict):
        return dumps(value).decode()
    return str(value).lower() if isinstance(value, bool) else str(value)
