"""/hub/v1/schemas: which metadata keys records have, and of which type."""

from __future__ import annotations

from flask import Blueprint, Response, g, jsonify, request

from hub.admin.schemas import remove_schema, set_schema, shown, versions
from hub.admin.views import with_times
from hub.api.body import expect_query, json_object
from hub.api.errors import ApiError, not_found
from hub.api.services import services
from hub.core import clock
from hub.core.database import read, write
from hub.profiles.schema_document import without_shown

schemas = Blueprint("schemas", __name__, url_prefix="/hub/v1")


@schemas.get("/schemas")
def list_() -> Response:
    """?version=: all of them, as they are or stood then: {kind, hash, updated_at, allow_defined_only, properties}."""
    expect_query("version")
    with read(services().engine) as database:
        return jsonify([with_times(each) for each in shown(database, None, request.args.get("version"))])


@schemas.get("/schema-versions")
def list_versions() -> Response:
    """Every version of all of them together, the newest first: {hash, created_at, kinds, is_active}."""
    expect_query()
    with read(services().engine) as database:
        return jsonify([with_times(each) for each in versions(database)])


@schemas.get("/schemas/<text:kind>")
def show(kind: str) -> Response:
    """One, by its kind: profile, order, item, event or event.<key>."""
    expect_query()
    with read(services().engine) as database:
        return jsonify(with_times(_existing(shown(database, kind), kind)))


@schemas.put("/schemas/<text:kind>")
def put(kind: str) -> Response:
    """{allow_defined_only, properties}: define it, in place of what there is. What GET answers can be given back."""
    expect_query()
    body = json_object()
    if body.get("kind", kind) != kind:
        raise ApiError(
            400, "invalid_field", f"The body is a schema of another kind than {kind[:100]!r}.", {"field": "kind"}
        )
    with write(services().engine) as database:
        set_schema(database, clock.now(), kind, without_shown(body), g.actor)
        return jsonify(with_times(_existing(shown(database, kind), kind)))


@schemas.delete("/schemas/<text:kind>")
def take_away(kind: str) -> Response:
    """Take one away: nothing of it is filtered any more."""
    expect_query()
    with write(services().engine) as database:
        _existing(shown(database, kind), kind)
        remove_schema(database, clock.now(), kind, g.actor)
    return jsonify(removed=True)


def _existing(found: list[dict[str, object]], kind: str) -> dict[str, object]:
    if not found:
        raise not_found("schema of", kind)
    return found[0]
