"""Commands to read what happened, and to do it again."""

from __future__ import annotations

import time
from collections.abc import Collection
from dataclasses import replace

import click

from hub.admin.filters import Asked, filter_of
from hub.admin.ids import deliveries_named
from hub.admin.sync_log import (
    DELIVERY_STATES,
    MESSAGE_STATES,
    RUN_KINDS,
    RUN_RESULTS,
    delivery_json,
    delivery_page,
    new_runs,
    records,
    shown_runs,
)
from hub.cli.filters import filtered
from hub.cli.lines import print_record
from hub.cli.support import ACTOR, as_json, ask_to_send, open_hub, print_fields, print_json
from hub.cli.terminal import echo
from hub.core import clock
from hub.core.database import read, write
from hub.ledger import store
from hub.ledger.values import RunFilter
from hub.outbox.values import Filters
from hub.runtime.process.installation import Installation
from hub.sdk.errors import ConfigurationError
from hub.sdk.values import Operation

FOLLOW_S = 0.5
OPERATIONS = [operation.value for operation in Operation]
OPERATION = click.option("--operation", type=click.Choice(OPERATIONS), help="Only deliveries of this operation.")
LIMIT = click.option("--limit", type=click.IntRange(1, 10_000), default=50, show_default=True)


@click.command()
@click.option("--follow", is_flag=True, help="Go on printing new runs until Ctrl-C.")
@filtered(*RUN_RESULTS, *sorted(MESSAGE_STATES | DELIVERY_STATES))
@click.option("--warned", is_flag=True, help="Messages of which something was left out or altered instead of runs.")
@click.option("--kind", type=click.Choice(RUN_KINDS), help="Only runs of this kind.")
@click.option("--result", type=click.Choice(RUN_RESULTS), help="Only runs with this result.")
@LIMIT
@as_json
def log(
    asked: Asked, follow: bool, warned: bool, kind: str | None, result: str | None, limit: int, json_: bool
) -> None:
    """The sync log, oldest of the page first. With --json one object a line.

    It lists sync runs. With --source-id, --reason, --warned, or a --status of messages or deliveries it lists those
    instead, each with its id, its reason and the vendor's words.
    """
    hub = open_hub()
    is_of_runs = asked.status is None or asked.status in RUN_RESULTS
    if asked.source_id is not None or asked.reason is not None or warned or not is_of_runs:
        if follow or kind or result or asked.status in RUN_RESULTS:
            raise ConfigurationError(
                "--follow, --kind and --result are about runs; --source-id, --reason, --status and --warned are not."
            )
        if warned and asked.status in DELIVERY_STATES:
            raise ConfigurationError(f"--warned is about messages, and {asked.status!r} is a state of deliveries.")
        with read(hub.engine) as database:
            found = records(hub, database, asked, clock.now(), limit=limit, is_warned=warned)
        for row in reversed(found):
            print_record(row, json_=json_)
        return
    told = set[str]()
    with read(hub.engine) as database:
        filters = filter_of(RunFilter, hub, database, replace(asked, status=result or asked.status), kind=kind)
        page = shown_runs(database, reversed(store.runs(database, filters, None, limit).items))
        if follow:
            told.update(run.id for run in new_runs(database, filters, set(), clock.now()))
    for run in page:
        print_record(run, json_=json_)
    if follow:
        _follow(hub, filters, told, json_=json_)


def _follow(hub: Installation, filters: RunFilter, told: set[str], *, json_: bool) -> None:
    try:
        while True:
            with read(hub.engine) as database:
                found = shown_runs(database, new_runs(database, filters, told, clock.now()))
            for run in found:
                print_record(run, json_=json_)
            time.sleep(FOLLOW_S)
    except KeyboardInterrupt:
        return


@click.group()
def deliveries() -> None:
    """What is sent, was sent, or could not be sent."""


@deliveries.command("list")
@filtered(*sorted(DELIVERY_STATES))
@OPERATION
@LIMIT
@as_json
def list_(asked: Asked, operation: str | None, limit: int, json_: bool) -> None:
    """List deliveries, newest first, each with its id, its reason and the vendor's words."""
    hub = open_hub()
    with read(hub.engine) as database:
        filters = filter_of(Filters, hub, database, asked, "destination", operation=operation)
        rows, _ = delivery_page(database, filters, None, limit, clock.now())
    if json_:
        print_json(rows)
        return
    for row in rows:
        print_record({"kind": "delivery", **row}, json_=False)
    if not rows:
        echo("None.", err=True)


@deliveries.command()
@click.argument("delivery_id", metavar="ID")
@as_json
def show(delivery_id: str, json_: bool) -> None:
    """Show one delivery with every attempt: its masked requests and the vendor's answers."""
    hub = open_hub()
    with read(hub.engine) as database:
        (whole_id,) = deliveries_named(database, [delivery_id])
        found = delivery_json(database, whole_id, clock.now())
    assert found is not None, "its id was just found in the same snapshot"
    if json_:
        print_json(found)
        return
    attempts = found.pop("attempts")
    print_fields(found, json_=False)
    for attempt in attempts:
        echo(f"\nattempt {attempt['number']} at {attempt['started_at']}: {attempt['outcome']} ({attempt['status']})")
        echo(f"  → {attempt['request']}\n  ← {attempt['response']}")


@deliveries.command()
@click.argument("delivery_id", metavar="ID")
@as_json
def cancel(delivery_id: str, json_: bool) -> None:
    """Skip a delivery that waits."""
    from hub.outbox.queue import operate

    hub, now = open_hub(), clock.now()
    with write(hub.engine) as database:
        (whole_id,) = deliveries_named(database, [delivery_id])
        found = delivery_json(database, whole_id, clock.now())
        assert found is not None, "its id was just found in the same transaction"
        if not operate.cancel(database, [whole_id], now):
            raise ConfigurationError(f"The delivery is {found['state']}; only one that waits can be cancelled.")
        store.record_audit(database, now, ACTOR, "delivery.cancelled", whole_id)
    print_fields({"cancelled": whole_id}, json_=json_)


@click.group()
def replay() -> None:
    """Process stored rows again: quarantined messages or dead letters. Counted first, logged, safe to repeat."""


@replay.command("messages")
@click.argument("ids", nargs=-1, metavar="[ID]...")
@filtered(*sorted(MESSAGE_STATES), default="quarantined", also=["--state"])
@click.option("--message-id", help="Only the one with this id of its sender.")
@click.option("--warned", is_flag=True, help="Only those of which something was left out or altered.")
@click.option("--dry-run", is_flag=True, help="Only count.")
@as_json
def replay_messages(
    asked: Asked, ids: tuple[str, ...], message_id: str | None, warned: bool, dry_run: bool, json_: bool
) -> None:
    """Apply stored messages again, with the mapping and the metadata schemas of now. It sends nothing."""
    from hub.admin import replays
    from hub.admin.ids import messages_named
    from hub.inbox.values import MessageFilter

    hub = open_hub()
    with read(hub.engine) as database:
        wanted = filter_of(MessageFilter, hub, database, asked, "source", message_id=message_id, is_warned=warned)
        wanted = replace(wanted, keys=messages_named(database, ids, wanted.connection_id))
    done = replays.replay_messages(hub, wanted, clock.now(), ACTOR, is_dry=dry_run)
    print_fields(done, json_=json_)
    if not done["matching"]:
        _tell_none("message", str(wanted.status), MESSAGE_STATES)


@replay.command("deliveries")
@click.argument("ids", nargs=-1, metavar="[ID]...")
@filtered("dead", "sent", default="dead")
@OPERATION
@click.option("--per-second", type=click.FloatRange(0.001, 100_000), help="Spread them over time.")
@click.option("--quiet", is_flag=True, help="Mark them so that they wake nobody, where the vendor can.")
@click.option("--force", is_flag=True, help="Send profiles whole, even where nothing changed.")
@click.option("--dry-run", is_flag=True, help="Only count.")
@click.option("--yes", is_flag=True, help="Do not ask.")
@as_json
def replay_deliveries(
    asked: Asked,
    ids: tuple[str, ...],
    operation: str | None,
    per_second: float | None,
    quiet: bool,
    force: bool,
    dry_run: bool,
    yes: bool,
    json_: bool,
) -> None:
    """Send dead letters again; with --status sent, what was accepted, under a new deduplication key.

    It counts them and asks first.
    """
    from hub.admin import replays

    hub, now = open_hub(), clock.now()
    with read(hub.engine) as database:
        named = deliveries_named(database, ids)
        wanted = filter_of(Filters, hub, database, asked, "destination", operation=operation, ids=named)
    done = replays.replay_deliveries(hub, wanted, now, ACTOR, is_dry=True)
    if done["matching"] and not dry_run:
        noun = "delivery" if done["matching"] == 1 else "deliveries"
        ask_to_send(f"{done['matching']} {noun} ({wanted.status}) again", yes=yes)
        done = replays.replay_deliveries(
            hub, wanted, now, ACTOR, per_s=per_second, is_quiet=quiet, is_forced=force, is_dry=False
        )
    print_fields(done, json_=json_)
    if not done["matching"]:
        _tell_none("delivery", str(wanted.status), {"dead", "sent"})


def _tell_none(what: str, status: str, states: Collection[str]) -> None:
    """Beside the count, for a person: which states were looked at."""
    others = " or ".join(f"--status {name}" for name in sorted(states) if name != status)
    echo(f"No {what} matches among those that are {status}; {others} looks at others.", err=True)
