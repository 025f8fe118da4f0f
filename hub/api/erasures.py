"""/hub/v1/erasures: who asked to erase whom by which request, without naming anybody, and where each request stands."""

from __future__ import annotations

from flask import Blueprint, Response, g, jsonify, request

from hub.api.body import PAGED, expect_query, limit, one_of
from hub.api.errors import not_found
from hub.api.services import services
from hub.core import clock
from hub.core.database import read, write
from hub.profiles import requests
from hub.runtime.erasing.requested import complete, described, listed
from hub.sdk.values import ErasureStatus

erasures = Blueprint("erasures", __name__, url_prefix="/hub/v1")


@erasures.get("/erasures")
def list_() -> Response:
    """?status=&cursor=&limit=, the newest first."""
    expect_query("status", *PAGED)
    hub, most = services().hub, limit()
    with read(hub.engine) as database:
        wanted = one_of("status", tuple(ErasureStatus))
        found = requests.page(database, wanted, request.args.get("cursor"), most + 1)
        shown = listed(hub, database, found[:most])
    return jsonify(erasures=shown, next_cursor=found[most - 1].id if len(found) > most else None)


@erasures.get("/erasures/<which>")
def show(which: str) -> Response:
    """One, by its id or the sender's request id, with its deliveries and callbacks."""
    expect_query()
    hub = services().hub
    with read(hub.engine) as database:
        found = described(hub, database, which)
    if found is None:
        raise not_found("request to erase", which)
    return jsonify(found)


@erasures.post("/erasures/<which>/complete")
def end(which: str) -> Response:
    """The destinations that did not confirm have erased too, as an operator has seen."""
    hub = services().hub
    with write(hub.engine) as database:
        if requests.get(database, which) is None:
            raise not_found("request to erase", which)
        return jsonify(complete(hub, database, which, clock.now(), g.actor))
