"""Commands for messages: what came in, what it means, what it caused, and how quarantine ends."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import click

from hub.admin.filters import Asked, filter_of
from hub.admin.ids import MessageKey, messages_named
from hub.admin.sync_log import MESSAGE_STATES, shown_messages
from hub.cli.filters import filtered
from hub.cli.lines import lines, print_record, warning
from hub.cli.support import ACTOR, as_json, confirm_or_exit, open_hub, print_fields, print_json
from hub.cli.terminal import echo
from hub.core import clock
from hub.core.database import read
from hub.core.filters import RecordFilter
from hub.core.prefixes import short
from hub.inbox.values import MessageFilter
from hub.runtime.process.installation import Installation
from hub.sdk.errors import ConfigurationError

ID = click.argument("message", metavar="ID")
IDS = click.argument("ids", nargs=-1, metavar="[ID]...")
CONNECTION = click.option("--connection", help="Its source, by name, where several use one id.")
WARNED = click.option("--warned", is_flag=True, help="Only those of which something was left out or altered.")
TOP = ("message_id", "connection", "state", "reason", "source_id", "received_at", "at", "duplicates", "revision")


@click.group()
def messages() -> None:
    """What sources sent: each message with what it means and what it caused. One that still waits is not listed."""


@messages.command("list")
@filtered(*sorted(MESSAGE_STATES), also=["--state"])
@WARNED
@click.option("--limit", type=click.IntRange(1, 10_000), default=50, show_default=True)
@as_json
def list_(asked: Asked, warned: bool, limit: int, json_: bool) -> None:
    """List messages, newest first, each with its id and its reason."""
    from hub.inbox import seen

    hub = open_hub()
    with read(hub.engine) as database:
        wanted = filter_of(MessageFilter, hub, database, asked, "source", is_warned=warned)
        rows = shown_messages(database, seen.page(database, wanted, None, limit, newest_first=True))
    if json_:
        print_json(rows)
        return
    for row in rows:
        print_record({"kind": "message", **row}, json_=False)
    if not rows:
        echo("None.", err=True)


@messages.command()
@ID
@CONNECTION
@as_json
def show(message: str, connection: str | None, json_: bool) -> None:
    """Show one message: its body, what its mapping made of it and from where, and what it caused."""
    from hub.admin.messages import message_page

    hub = open_hub()
    with read(hub.engine) as database:
        found = message_page(hub, database, _key(hub, message, connection), clock.now())
    if json_:
        print_json(found)
    else:
        _print_page(found)


@messages.command()
@ID
@CONNECTION
@click.option("--destination", help="Only to this destination, by name. Default: all that have a sync.")
def preview(message: str, connection: str | None, destination: str | None) -> None:
    """Show what a message would send if it came now: one request a line, secrets masked. Nothing is sent.

    The person is taken as the message alone describes them. What would not be sent is told on standard error.
    """
    from hub.admin.messages import preview_message

    hub = open_hub()
    found = preview_message(hub, _key(hub, message, connection), destination)
    for request in found["requests"]:
        print_json(request)
    for note in found["notes"]:
        echo(note, err=True)
    if not found["requests"]:
        raise ConfigurationError("Nothing would be sent.")


@messages.command()
@IDS
@filtered(without=["status"])
@WARNED
@click.option("--because", required=True, metavar="TEXT", help="Why, for the audit; name no person in it.")
@click.option("--dry-run", is_flag=True, help="Only count.")
@click.option("--yes", is_flag=True, help="Do not ask.")
@as_json
def dismiss(
    asked: Asked, ids: tuple[str, ...], warned: bool, because: str, dry_run: bool, yes: bool, json_: bool
) -> None:
    """Take messages out of quarantine without applying them: they are then ignored, with the reason `dismissed`.

    Name some by their ids, or narrow with filters; those are counted first, and you are asked. While their bodies are
    kept, `hub messages replay` takes it back.
    """
    from hub.admin.dismissals import dismiss_messages

    if not ids and not warned and asked == Asked():
        raise ConfigurationError("Name messages by their ids, or give a filter such as --reason or --since.")
    hub, now = open_hub(), clock.now()
    wanted = _wanted(hub, asked, ids, is_warned=warned)
    done = dismiss_messages(hub, wanted, because, now, ACTOR, is_dry=True)
    if done["matching"] and not dry_run:
        if not ids:
            confirm_or_exit(f"Dismiss {done['matching']} quarantined messages?", yes=yes)
        done = dismiss_messages(hub, wanted, because, now, ACTOR)
    print_fields(done, json_=json_)
    if not done["matching"]:
        echo("No message matches among those that are quarantined; only those can be dismissed.", err=True)


@messages.command()
@click.argument("ids", nargs=-1, required=True, metavar="ID...")
@CONNECTION
@as_json
def replay(ids: tuple[str, ...], connection: str | None, json_: bool) -> None:
    """Apply these messages again, whatever their state, with the mapping of now; `hub replay messages` takes filters.

    It changes profiles and sends nothing.
    """
    from hub.admin.replays import replay_messages

    hub = open_hub()
    wanted = _wanted(hub, Asked(connection=connection), ids)
    print_fields(replay_messages(hub, wanted, clock.now(), ACTOR, is_dry=False), json_=json_)


@messages.command()
@filtered(without=["status", "source_id"])
@click.option("--limit", type=click.IntRange(1, 1_000), default=50, show_default=True)
@as_json
def refused(asked: Asked, limit: int, json_: bool) -> None:
    """Show requests that were refused in the last hour, newest first: a few of each source, reason and minute, with
    their headers and body. `hub ledger refusals` counts them all."""
    from hub.admin.bodies import pretty
    from hub.admin.messages import refused_requests
    from hub.inbox.sql import open_inbox

    hub = open_hub()
    inbox = open_inbox(hub.settings, hub.engine)
    try:
        with read(hub.engine) as database:
            wanted = filter_of(RecordFilter, hub, database, asked, "source")
            rows = refused_requests(hub, database, inbox, wanted, limit, clock.now())
    finally:
        inbox.close()
    if json_:
        print_json(rows)
        return
    for row in rows:
        echo("  ".join([row["received_at"], short(row["id"]), row["connection"], row["reason"], row["path"]]))
        _section("headers", "\n".join(f"{name}: {value}" for name, value in row["headers"].items()))
        _section(f"body ({row['size']} bytes)", pretty(row["body"]))
    if not rows:
        echo("None.", err=True)


def _wanted(hub: Installation, asked: Asked, ids: tuple[str, ...], *, is_warned: bool = False) -> MessageFilter:
    with read(hub.engine) as database:
        wanted = filter_of(MessageFilter, hub, database, asked, "source", is_warned=is_warned)
        return replace(wanted, keys=messages_named(database, ids, wanted.connection_id))


def _key(hub: Installation, message: str, connection: str | None) -> MessageKey:
    return _wanted(hub, Asked(connection=connection), (message,)).keys[0]


def _print_page(page: Mapping[str, Any]) -> None:
    from hub.admin.bodies import pretty

    print_fields({name: page[name] for name in TOP}, json_=False)
    for one in page["warnings"]:
        echo(f"warning: {warning(one, page['schema_hash'])}")
    if page["headers"]:
        _section("headers", "\n".join(f"{name}: {value}" for name, value in page["headers"].items()))
    _section("body", "Not kept." if page["body"] is None else pretty(page["body"]))
    if page["canonical"] is None:
        _section("what it means", page["canonical_missing"])
    else:
        canonical = dict(page["canonical"])
        lineage = canonical.pop("lineage")
        _section("what it means", pretty(canonical))
        _section("where that comes from", "\n".join(_origin(*each) for each in lineage.items()))
    _section("what it caused", "\n".join(_caused(page["caused"])) or "Nothing.")


def _section(title: str, text: str) -> None:
    echo(f"\n{title}:")
    for line in text.splitlines():
        echo(f"  {line}")


def _origin(field: str, origin: Mapping[str, Any]) -> str:
    rest = ", ".join(f"{name} {value}" for name, value in origin.items() if name != "source")
    told = f"{field} ← {origin.get('source', '-')}"
    return f"{told} ({rest})" if rest else told


def _caused(caused: Mapping[str, Any]) -> list[str]:
    told = list(lines(caused["sync_run"])) if caused["sync_run"] else []
    told += [f"event {event['key']} at {event['occurred_at']}" for event in caused["events"]]
    for delivery in caused["deliveries"]:
        told += lines({"kind": "delivery", **delivery})
    return told
