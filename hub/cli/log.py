"""Commands to read what happened, and to do it again."""

from __future__ import annotations

import time
from typing import Any

import click

from hub.admin.sync_log import (
    DELIVERY_STATES,
    MESSAGE_STATES,
    RUN_KINDS,
    RUN_RESULTS,
    connection_id,
    delivery_json,
    delivery_page,
    named,
    new_runs,
    records,
    shown_runs,
)
from hub.cli.support import ACTOR, as_json, open_hub, print_fields, print_json
from hub.core import clock
from hub.core.database import read, write
from hub.ledger import store
from hub.ledger.values import RunFilter
from hub.outbox.values import Filters
from hub.runtime.process.installation import Installation
from hub.sdk.errors import ConfigurationError
from hub.sdk.values import Operation

FOLLOW_S = 0.5
STATES = sorted(MESSAGE_STATES | DELIVERY_STATES)
OPERATIONS = [operation.value for operation in Operation]
OPERATION = click.option("--operation", type=click.Choice(OPERATIONS), help="Only deliveries of this operation.")


@click.command()
@click.option("--follow", is_flag=True, help="Go on printing new runs until Ctrl-C.")
@click.option("--source-id", help="Messages and deliveries of one person instead of runs.")
@click.option("--status", type=click.Choice(STATES), help="Messages or deliveries in this state instead of runs.")
@click.option("--warned", is_flag=True, help="Messages of which something was left out or altered instead of runs.")
@click.option("--kind", type=click.Choice(RUN_KINDS), help="Only runs of this kind.")
@click.option("--connection", help="Only runs of this source or destination, by name.")
@click.option("--result", type=click.Choice(RUN_RESULTS), help="Only runs with this result.")
@click.option("--limit", type=click.IntRange(1, 10_000), default=50, show_default=True)
@as_json
def log(
    follow: bool,
    source_id: str | None,
    status: str | None,
    warned: bool,
    kind: str | None,
    connection: str | None,
    result: str | None,
    limit: int,
    json_: bool,
) -> None:
    """The sync log, oldest of the page first. With --json one object a line."""
    hub = open_hub()
    if source_id is not None or status is not None or warned:
        if follow or kind or connection or result:
            raise ConfigurationError(
                "--follow, --kind, --connection and --result are about runs; --source-id, --status and --warned are not."
            )
        if warned and status in DELIVERY_STATES:
            raise ConfigurationError(f"--warned is about messages, and {status!r} is a state of deliveries.")
        with read(hub.engine) as database:
            found = records(hub, database, source_id=source_id, status=status, limit=limit, is_warned=warned)
        for row in reversed(found):
            _print(row, json_=json_)
        return
    told = set[str]()
    with read(hub.engine) as database:
        of_one = connection_id(hub, database, connection) if connection else None
        filters = RunFilter(kind=kind, connection_id=of_one, result=result)
        page = shown_runs(database, reversed(store.runs(database, filters, None, limit).items))
        if follow:
            told.update(run.id for run in new_runs(database, filters, set(), clock.now()))
    for run in page:
        _print(run, json_=json_)
    if follow:
        _follow(hub, filters, told, json_=json_)


def _follow(hub: Installation, filters: RunFilter, told: set[str], *, json_: bool) -> None:
    try:
        while True:
            with read(hub.engine) as database:
                found = shown_runs(database, new_runs(database, filters, told, clock.now()))
            for run in found:
                _print(run, json_=json_)
            time.sleep(FOLLOW_S)
    except KeyboardInterrupt:
        return


def _print(row: dict[str, Any], *, json_: bool) -> None:
    if json_:
        print_json(row)
        return
    at = row.get("started_at") or row.get("received_at") or row.get("created_at")
    if row["kind"] in RUN_KINDS:
        counts = ", ".join(f"{count} {name}" for name, count in row["counts"].items() if count)
        whose = row["distribution"] or row["connection"] or "-"
        told = [
            str(at),
            f"{row['kind']:<9}",
            f"{row['result']:<8}",
            f"{row['duration_ms']:>8} ms",
            f"{whose:<16}",
            counts,
        ]
        click.echo("  ".join([*told, row["detail"]]).rstrip())
        return
    if row["kind"] == "message":
        click.echo(
            f"{at}  message   {row['state']:<12} {row['connection']} {row['message_id']}  {row['reason']}".rstrip()
        )
        for one in row["warnings"]:
            place = f"{one['path']}: " if one["path"] else ""
            of = f", schema {row['schema_hash'][:12]}" if one["code"].startswith("schema_") else ""
            click.echo(f"    {place}{one['text']} ({one['code']}{of})")
        return
    reason = " ".join(filter(None, [row["reason"], row["detail"]]))
    where = f"{row['connection']}/{row['operation']}"
    click.echo(f"{at}  delivery  {row['status']:<12} {row['source_id']} → {where}  {row['code'] or ''}  {reason}")


@click.group()
def deliveries() -> None:
    """What is sent, was sent, or could not be sent."""


@deliveries.command("list")
@click.option("--status", type=click.Choice(sorted(DELIVERY_STATES)))
@click.option("--connection", help="Name of a destination.")
@OPERATION
@click.option("--source-id")
@click.option("--reason")
@click.option("--limit", type=click.IntRange(1, 10_000), default=50, show_default=True)
@as_json
def list_(
    status: str | None,
    connection: str | None,
    operation: str | None,
    source_id: str | None,
    reason: str | None,
    limit: int,
    json_: bool,
) -> None:
    """List deliveries, newest first."""
    hub = open_hub()
    with read(hub.engine) as database:
        wanted = Filters(status=status, operation=operation, source_id=source_id, reason=reason)
        filters = named(hub, database, wanted, connection)
        rows, _ = delivery_page(database, filters, None, limit)
    if json_:
        print_json(rows)
        return
    for row in rows:
        _print({"kind": "delivery", **row}, json_=False)


@deliveries.command()
@click.argument("delivery_id")
@as_json
def show(delivery_id: str, json_: bool) -> None:
    """Show one delivery with every attempt: its masked requests and the vendor's answers."""
    hub = open_hub()
    with read(hub.engine) as database:
        found = delivery_json(database, delivery_id)
    if found is None:
        raise ConfigurationError(f"There is no delivery {delivery_id!r}; `hub deliveries list` shows the newest.")
    if json_:
        print_json(found)
        return
    attempts = found.pop("attempts")
    print_fields(found, json_=False)
    for attempt in attempts:
        click.echo(
            f"\nattempt {attempt['number']} at {attempt['started_at']}: {attempt['outcome']} ({attempt['status']})"
        )
        click.echo(f"  → {attempt['request']}\n  ← {attempt['response']}")


@deliveries.command()
@click.argument("delivery_id")
@as_json
def cancel(delivery_id: str, json_: bool) -> None:
    """Skip a delivery that waits."""
    from hub.outbox.queue import operate

    hub, now = open_hub(), clock.now()
    with write(hub.engine) as database:
        found = delivery_json(database, delivery_id)
        if found is None:
            raise ConfigurationError(f"There is no delivery {delivery_id!r}; `hub deliveries list` shows the newest.")
        if not operate.cancel(database, [delivery_id], now):
            raise ConfigurationError(f"The delivery is {found['state']}; only one that waits can be cancelled.")
        store.record_audit(database, now, ACTOR, "delivery.cancelled", delivery_id)
    print_fields({"cancelled": delivery_id}, json_=json_)


@click.group()
def replay() -> None:
    """Process stored rows again: quarantined messages or dead letters. Counted first, logged, safe to repeat."""


@replay.command("messages")
@click.option("--state", type=click.Choice(["quarantined", "applied", "ignored"]), default="quarantined")
@click.option("--reason", help="Only those with this reason.")
@click.option("--source-id")
@click.option("--message-id")
@click.option("--warned", is_flag=True, help="Only those of which something was left out or altered.")
@click.option("--dry-run", is_flag=True, help="Only count.")
@as_json
def replay_messages(
    state: str,
    reason: str | None,
    source_id: str | None,
    message_id: str | None,
    warned: bool,
    dry_run: bool,
    json_: bool,
) -> None:
    """Apply stored messages again, with the mapping and the metadata schemas of now."""
    from hub.admin import replays
    from hub.inbox.values import MessageFilter

    wanted = MessageFilter(state=state, reason=reason, source_id=source_id, message_id=message_id, is_warned=warned)
    print_fields(replays.replay_messages(open_hub(), wanted, clock.now(), ACTOR, is_dry=dry_run), json_=json_)


@replay.command("deliveries")
@click.option("--status", type=click.Choice(["dead", "sent"]), default="dead", show_default=True)
@click.option("--connection", help="Name of a destination.")
@OPERATION
@click.option("--source-id")
@click.option("--reason")
@click.option("--per-second", type=click.FloatRange(0.001, 100_000), help="Spread them over time.")
@click.option("--quiet", is_flag=True, help="Mark them so that they wake nobody, where the vendor can.")
@click.option("--force", is_flag=True, help="Send profiles whole, even where nothing changed.")
@click.option("--dry-run", is_flag=True, help="Only count.")
@as_json
def replay_deliveries(
    status: str,
    connection: str | None,
    operation: str | None,
    source_id: str | None,
    reason: str | None,
    per_second: float | None,
    quiet: bool,
    force: bool,
    dry_run: bool,
    json_: bool,
) -> None:
    """Send dead letters again; with --status sent, what was accepted, under a new deduplication key."""
    from hub.admin import replays

    done = replays.replay_deliveries(
        open_hub(),
        Filters(status=status, operation=operation, source_id=source_id, reason=reason),
        clock.now(),
        ACTOR,
        connection=connection,
        per_s=per_second,
        is_quiet=quiet,
        is_forced=force,
        is_dry=dry_run,
    )
    print_fields(done, json_=json_)
