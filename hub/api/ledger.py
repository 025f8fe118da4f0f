"""/hub/v1/sync-runs, /deliveries, /messages, /dead-letters, /refusals, /audit and /ledger: what happened."""

from __future__ import annotations

from dataclasses import asdict

from flask import Blueprint, Response, g, jsonify, request

from hub.admin.sync_log import (
    DELIVERY_STATES,
    MESSAGE_STATES,
    RUN_KINDS,
    RUN_RESULTS,
    connection_id,
    delivery_json,
    delivery_page,
    distribution_id,
    named,
    shown_messages,
    shown_runs,
)
from hub.admin.views import attempt_json, with_times
from hub.api.bodies import ReplayBody
from hub.api.body import PAGED, cursor_text, expect_query, flag, limit, message_cursor, moment, one_of, read_body
from hub.api.errors import ApiError, not_found
from hub.api.services import services
from hub.core import clock
from hub.core.clock import DAY, iso
from hub.core.database import read, write
from hub.inbox import seen
from hub.inbox.values import MessageFilter
from hub.ledger import store
from hub.ledger.values import RunFilter
from hub.outbox.queue import operate
from hub.outbox.values import Filters
from hub.runtime.upkeep.ledger_check import check
from hub.sdk.values import Operation

ledger = Blueprint("ledger", __name__, url_prefix="/hub/v1")
SPAN = ("since", "until")
OF_DELIVERIES = ("connection", "operation", "source_id", "distribution", "occasion", "reason", *SPAN, *PAGED)


@ledger.get("/sync-runs")
def sync_runs() -> Response:
    """?kind=&connection=&distribution=&result=&since=&until=&cursor=&limit="""
    expect_query("kind", "connection", "distribution", "result", *SPAN, *PAGED)
    connection = request.args.get("connection")
    with read(services().engine) as database:
        filters = RunFilter(
            kind=one_of("kind", RUN_KINDS),
            connection_id=connection_id(services().hub, database, connection) if connection else None,
            distribution_id=distribution_id(database, request.args.get("distribution") or None),
            result=one_of("result", RUN_RESULTS),
            since=moment("since"),
            until=moment("until"),
        )
        page = store.runs(database, filters, request.args.get("cursor"), limit())
        shown = shown_runs(database, page.items)
    return jsonify(sync_runs=shown, next_cursor=page.next_cursor)


@ledger.get("/sync-runs/<run_id>")
def sync_run(run_id: str) -> Response:
    """One run with its attempts."""
    expect_query()
    with read(services().engine) as database:
        run = store.run(database, run_id)
        if run is None:
            raise not_found("sync run", run_id)
        attempts = store.attempts_of_run(database, run_id, None, 500).items
        (shown,) = shown_runs(database, [run])
    return jsonify(**shown, attempts=[attempt_json(each) for each in attempts])


@ledger.get("/deliveries")
def deliveries() -> Response:
    """?status=&connection=&operation=&source_id=&distribution=&occasion=&reason=&since=&until=&cursor=&limit="""
    expect_query("status", *OF_DELIVERIES)
    return _deliveries(_filters(one_of("status", DELIVERY_STATES)))


@ledger.get("/dead-letters")
def dead_letters() -> Response:
    """Deliveries that are not tried again until a person says so; filters as above, without status."""
    expect_query(*OF_DELIVERIES)
    return _deliveries(_filters("dead"))


@ledger.get("/deliveries/<delivery_id>")
def delivery(delivery_id: str) -> Response:
    """One delivery with every attempt, its masked requests and answers."""
    expect_query()
    with read(services().engine) as database:
        found = delivery_json(database, delivery_id)
    if found is None:
        raise not_found("delivery", delivery_id)
    return jsonify(found)


@ledger.post("/deliveries/replay")
def replay() -> tuple[Response, int]:
    """{status, connection, operation, source_id, distribution, reason, per_s, quiet, force, dry_run}."""
    from hub.admin.replays import replay_deliveries

    body = read_body(ReplayBody)
    filters = Filters(
        status=body.status,
        operation=body.operation,
        source_id=body.source_id,
        distribution_id=body.distribution,
        reason=body.reason,
    )
    done = replay_deliveries(
        services().hub,
        filters,
        clock.now(),
        g.actor,
        connection=body.connection,
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
        found = delivery_json(database, delivery_id)
        if found is None:
            raise not_found("delivery", delivery_id)
        if not operate.cancel(database, [delivery_id], now):
            raise ApiError(409, "not_waiting", f"The delivery is {found['state']}; only one that waits is cancelled.")
        store.record_audit(database, now, g.actor, "delivery.cancelled", delivery_id)
        return jsonify(delivery_json(database, delivery_id))


@ledger.get("/messages")
def messages() -> Response:
    """?state=&reason=&connection=&source_id=&message_id=&warned=&since=&until=&cursor=&limit=, newest first."""
    expect_query("state", "reason", "connection", "source_id", "message_id", "warned", *SPAN, *PAGED)
    connection, most = request.args.get("connection"), limit()
    with read(services().engine) as database:
        wanted = MessageFilter(
            connection_id=connection_id(services().hub, database, connection, "source") if connection else None,
            message_id=request.args.get("message_id"),
            state=one_of("state", MESSAGE_STATES),
            reason=request.args.get("reason"),
            source_id=request.args.get("source_id"),
            since=moment("since"),
            until=moment("until"),
            is_warned=flag("warned"),
        )
        rows = seen.page(database, wanted, message_cursor(), most + 1, newest_first=True)
        shown = shown_messages(database, rows[:most])
    following = cursor_text(rows[most - 1].cursor) if len(rows) > most else None
    return jsonify(messages=shown, next_cursor=following)


@ledger.get("/refusals")
def refusals() -> Response:
    """?since=: requests that were refused, counted by source, reason and minute. Default: the last day."""
    expect_query("since")
    since = moment("since")
    rows = services().inbox.refusals(clock.now() - DAY if since is None else since)
    return jsonify(refusals=[{**asdict(row), "minute": iso(row.minute)} for row in rows])


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


def _deliveries(filters: Filters) -> Response:
    hub = services().hub
    with read(hub.engine) as database:
        wanted = named(hub, database, filters, request.args.get("connection") or None)
        rows, cursor = delivery_page(database, wanted, request.args.get("cursor"), limit())
    return jsonify(deliveries=rows, next_cursor=cursor)


def _filters(status: str | None) -> Filters:
    return Filters(
        status=status,
        operation=one_of("operation", tuple(Operation)),
        source_id=request.args.get("source_id"),
        distribution_id=request.args.get("distribution") or None,
        occasion_id=request.args.get("occasion"),
        reason=request.args.get("reason"),
        since=moment("since"),
        until=moment("until"),
    )
