"""/hub/v1/schemas: which metadata keys records have, and of which type."""

from __future__ import annotations

from flask import Blueprint, Response, g, jsonify

from hub.api.body import expect_query, json_object
from hub.api.errors import not_found
from hub.api.services import services
from hub.core import clock
from hub.core.database import read, write
from hub.runtime.schemas import remove_schema, set_schema, shown
from hub.runtime.shown import with_times

schemas = Blueprint("schemas", __name__, url_prefix="/hub/v1/schemas")


@schemas.get("")
def list_() -> Response:
    """All of them: {kind, hash, updated_at, allow_defined_only, properties}."""
    expect_query()
    with read(services().engine) as database:
        return jsonify([with_times(each) for each in shown(database)])


@schemas.get("/<text:kind>")
def show(kind: str) -> Response:
    """One, by its kind: profile, order, item, event or event.<key>."""
    expect_query()
    with read(services().engine) as database:
        return jsonify(with_times(_existing(shown(database, kind), kind)))


@schemas.put("/<text:kind>")
def put(kind: str) -> Response:
    """{allow_defined_only, properties}: define it, in place of what there is."""
    body = json_object()
    with write(services().engine) as database:
        set_schema(database, clock.now(), kind, body, g.actor)
        return jsonify(with_times(_existing(shown(database, kind), kind)))


@schemas.delete("/<text:kind>")
def take_away(kind: str) -> Response:
    """Take one away: nothing of it is filtered any more."""
    with write(services().engine) as database:
        _existing(shown(database, kind), kind)
        remove_schema(database, clock.now(), kind, g.actor)
    return jsonify(removed=True)


def _existing(found: list[dict[str, object]], kind: str) -> dict[str, object]:
    if not found:
        raise not_found("schema of", kind)
    return found[0]
