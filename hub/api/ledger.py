"""/hub/v1/sync-runs, /deliveries, /dead-letters, /refusals, /audit and /ledger: what happened."""

from __future__ import annotations

from dataclasses import asdict, replace

from flask import Blueprint, Response, g, jsonify, request

from hub.admin.filters import NAMES, distribution_id, filter_of
from hub.admin.ids import deliveries_named, find_delivery, find_run
from hub.admin.messages import refused_requests
from hub.admin.sync_log import (
    DELIVERY_STATES,
    RUN_KINDS,
    RUN_RESULTS,
    delivery_json,
    delivery_page,
    refusals_json,
    shown_runs,
)
from hub.admin.views import attempt_json, with_times
from hub.api.bodies import ReplayBody
from hub.api.body import PAGED, asked, expect_query, limit, one_of, read_body
from hub.api.errors import ApiError, not_found
from hub.api.services import services
from hub.core import clock
from hub.core.clock import DAY
from hub.core.database import read, write
from hub.core.filters import RecordFilter
from hub.ledger import store
from hub.ledger.values import RunFilter
from hub.outbox.queue import operate
from hub.outbox.values import Filters
from hub.runtime.upkeep.ledger_check import check
from hub.sdk.values import Operation

ledger = Blueprint("ledger", __name__, url_prefix="/hub/v1")
SPAN = ("since", "until")
OF_DELIVERIES = ("operation", "distribution", "occasion", *(name for name in NAMES if name != "status"), *PAGED)


@ledger.get("/sync-runs")
def sync_runs() -> Response:
    """?kind=&distribution=&status=&connection=&text=&since=&until=&cursor=&limit=; `result` is another word for status."""
    expect_query("kind", "distribution", "result", "status", "connection", "text", *SPAN, *PAGED)
    with read(services().engine) as database:
        filters = filter_of(
            RunFilter,
            services().hub,
            database,
            asked(one_of("status", RUN_RESULTS) or one_of("result", RUN_RESULTS)),
            kind=one_of("kind", RUN_KINDS),
            distribution_id=distribution_id(database, request.args.get("distribution") or None),
        )
        page = store.runs(database, filters, request.args.get("cursor"), limit())
        shown = shown_runs(database, page.items)
    return jsonify(sync_runs=shown, next_cursor=page.next_cursor)


@ledger.get("/sync-runs/<run_id>")
def sync_run(run_id: str) -> Response:
    """One run with its attempts."""
    expect_query()
    with read(services().engine) as database:
        run = store.run(database, find_run(database, run_id) or run_id)
        if run is None:
            raise not_found("sync run", run_id)
        attempts = store.attempts_of_run(database, run.id, None, 500).items
        (shown,) = shown_runs(database, [run])
    return jsonify(**shown, attempts=[attempt_json(each) for each in attempts])


@ledger.get("/deliveries")
def deliveries() -> Response:
    """?status=&connection=&reason=&source_id=&text=&since=&until=&operation=&distribution=&occasion=&cursor=&limit="""
    expect_query("status", *OF_DELIVERIES)
    return _deliveries(one_of("status", DELIVERY_STATES))


@ledger.get("/dead-letters")
def dead_letters() -> Response:
    """Deliveries that are not tried again until a person says so; filters as above, without status."""
    expect_query(*OF_DELIVERIES)
    return _deliveries("dead")


@ledger.get("/deliveries/<delivery_id>")
def delivery(delivery_id: str) -> Response:
    """One delivery with every attempt, its masked requests and answers."""
    expect_query()
    with read(services().engine) as database:
        found = delivery_json(database, find_delivery(database, delivery_id) or delivery_id, clock.now())
    if found is None:
        raise not_found("delivery", delivery_id)
    return jsonify(found)


@ledger.post("/deliveries/replay")
def replay() -> tuple[Response, int]:
    """{ids, status, connection, reason, source_id, text, since, until, operation, distribution, per_s, quiet, force, dry_run}."""
    from hub.admin.replays import replay_deliveries

    body, hub = read_body(ReplayBody), services().hub
    with read(hub.engine) as database:
        filters = filter_of(
            Filters,
            hub,
            database,
            body.asked(),
            "destination",
            ids=deliveries_named(database, body.ids),
            operation=body.operation,
            distribution_id=distribution_id(database, body.distribution),
        )
    done = replay_deliveries(
        hub,
        filters,
        clock.now(),
        g.actor,
        per_s=body.per_s,
        is_quiet=body.quiet,
        is_forced=body.force,
        is_dry=body.dry_run,
    )
    return jsonify(done), 202


@ledger.post("/deliveries/<delivery_id>/cancel")
def cancel(delivery_id: str) -> Response:
    """Skip a delivery that waits. One that is under way or ended answers 409."""
    hub, now = services().hub, clock.now()
    with write(hub.engine) as database:
        whole_id = find_delivery(database, delivery_id)
        found = delivery_json(database, whole_id, clock.now()) if whole_id else None
        if whole_id is None or found is None:
            raise not_found("delivery", delivery_id)
        if not operate.cancel(database, [whole_id], now):
            raise ApiError(409, "not_waiting", f"The delivery is {found['state']}; only one that waits is cancelled.")
        store.record_audit(database, now, g.actor, "delivery.cancelled", whole_id)
        return jsonify(delivery_json(database, whole_id, clock.now()))


@ledger.get("/refusals")
def refusals() -> Response:
    """?connection=&reason=&text=&since=&until=: refused requests, counted by source, reason and minute. Default: the
    last day."""
    expect_query("connection", "reason", "text", *SPAN)
    given = asked(None)
    since = clock.now() - DAY if given.since is None else given.since
    with read(services().engine) as database:
        wanted = filter_of(RecordFilter, services().hub, database, replace(given, since=since), "source")
        return jsonify(refusals=refusals_json(database, services().inbox.refusals(wanted)))


@ledger.get("/refusals/requests")
def refused() -> Response:
    """?connection=&reason=&text=&since=&until=&limit=: a few of the refused requests of the last hour, with their bodies."""
    expect_query("connection", "reason", "text", "limit", *SPAN)
    hub, inbox = services().hub, services().inbox
    with read(hub.engine) as database:
        wanted = filter_of(RecordFilter, hub, database, asked(None), "source")
        return jsonify(requests=refused_requests(hub, database, inbox, wanted, limit(), clock.now()))


@ledger.get("/audit")
def audit() -> Response:
    """?cursor=&limit=: who did what, newest first."""
    expect_query(*PAGED)
    with read(services().engine) as database:
        page = store.audits(database, request.args.get("cursor"), limit())
    return jsonify(audit=[with_times(asdict(each)) for each in page.items], next_cursor=page.next_cursor)


@ledger.get("/ledger")
def books() -> Response:
    """The three equations, recomputed from the tables at this moment."""
    expect_query()
    return jsonify(check(services().engine, services().inbox).as_json())


def _deliveries(status: str | None) -> Response:
    hub = services().hub
    with read(hub.engine) as database:
        wanted = filter_of(
            Filters,
            hub,
            database,
            asked(status),
            "destination",
            operation=one_of("operation", tuple(Operation)),
            distribution_id=distribution_id(database, request.args.get("distribution") or None),
            occasion_id=request.args.get("occasion"),
        )
        rows, cursor = delivery_page(database, wanted, request.args.get("cursor"), limit(), clock.now())
    return jsonify(deliveries=rows, next_cursor=cursor)
