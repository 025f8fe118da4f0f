"""/hub/v1/mappings: which mapping files there are, and who follows which version."""

from __future__ import annotations

from flask import Blueprint, Response, jsonify

from hub.admin.mappings import listed
from hub.api.body import expect_query
from hub.api.services import services
from hub.core.database import read

mappings = Blueprint("mappings", __name__, url_prefix="/hub/v1/mappings")


@mappings.get("")
def list_() -> Response:
    """All of them: {name, file, hash, error, connections}. `error` says what is wrong with a broken file."""
    expect_query()
    with read(services().engine) as database:
        return jsonify(listed(services().hub, database))
