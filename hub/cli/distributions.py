"""Commands for distributions."""

from __future__ import annotations

from typing import Any

import click

from hub.admin.distributions import add_distribution, change_status, distribution_json, existing, run_by_hand
from hub.cli.support import (
    ACTOR,
    as_json,
    confirm_or_exit,
    json_or_text,
    open_hub,
    print_fields,
    print_rows,
    tell_prepared,
)
from hub.core import clock
from hub.core.database import read, write
from hub.distributions import store
from hub.registry import store as registry
from hub.sdk.errors import ConfigurationError

UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86_400}
EMPTY = "No distribution yet; `hub distributions add --name NAME --to CONNECTION:OPERATION` adds one."
COLUMNS = ["id", "name", "is_enabled", "next_at", "campaign", "targets"]


@click.group()
def distributions() -> None:
    """Standing instructions: who gets what, through which connections, and when."""


@distributions.command()
@click.option("--name", required=True)
@click.option("--campaign", help="Name of the campaign whose codes are published.")
@click.option("--all", "everybody", is_flag=True, help="For everybody (the default).")
@click.option("--source-id", "source_ids", multiple=True, help="For this person; may be repeated.")
@click.option("--to", "targets", multiple=True, required=True, metavar="CONNECTION:OPERATION[:KEY=VALUE,...]")
@click.option("--cron", help="Five fields, such as '0 9 * * mon-fri'.")
@click.option("--every", help="An interval, such as 90s, 15m, 6h or 1d.")
@click.option("--at", "at", help="Once, at this time (ISO 8601).")
@click.option("--timezone", default="UTC", show_default=True)
@click.option("--missed", type=click.Choice(["skip", "once"]), default="skip", show_default=True)
@click.option("--consent", default="", help="A topic that a person must have granted, such as email.")
@as_json
def add(
    name: str,
    campaign: str | None,
    everybody: bool,
    source_ids: tuple[str, ...],
    targets: tuple[str, ...],
    cron: str | None,
    every: str | None,
    at: str | None,
    timezone: str,
    missed: str,
    consent: str,
    json_: bool,
) -> None:
    """Add a distribution. Without --cron, --every or --at it runs by `hub distributions run`."""
    if everybody and source_ids:
        raise ConfigurationError("Choose either --all or --source-id.")
    plan = {
        "name": name,
        "campaign": campaign,
        "audience": {"source_ids": list(source_ids)} if source_ids else {"all": True},
        "trigger": _trigger(cron, every, at, timezone),
        "targets": [_target(text) for text in targets],
        "missed": missed,
        "consent": consent,
    }
    hub = open_hub()
    with write(hub.engine) as database:
        added = add_distribution(hub, database, clock.now(), plan, ACTOR)
        shown = distribution_json(hub, database, added)
        reached = [registry.get(database, hub.vault, target.connection_id) for target in added.targets]
    print_fields(shown, json_=json_)
    for connection in reached:
        tell_prepared(hub, connection)


@distributions.command("list")
@as_json
def list_(json_: bool) -> None:
    """List the distributions."""
    hub = open_hub()
    with read(hub.engine) as database:
        rows = [distribution_json(hub, database, each) for each in store.every(database)]
    print_rows(rows, COLUMNS, empty=EMPTY, json_=json_)


@distributions.command()
@click.argument("name")
@as_json
def show(name: str, json_: bool) -> None:
    """Show one distribution."""
    hub = open_hub()
    with read(hub.engine) as database:
        shown = distribution_json(hub, database, existing(database, name))
    print_fields(shown, json_=json_)


@distributions.command()
@click.argument("name")
@click.option("--key", help="The same key never runs it twice.")
@as_json
def run(name: str, key: str | None, json_: bool) -> None:
    """Run one now, besides its schedule."""
    hub = open_hub()
    with write(hub.engine) as database:
        done = run_by_hand(database, clock.now(), name, key, ACTOR)
    print_fields(done, json_=json_)


@distributions.command()
@click.argument("name")
@as_json
def pause(name: str, json_: bool) -> None:
    """Stop one. People whom a run under way has not reached are skipped, with the reason."""
    _change(name, "pause", json_=json_)


@distributions.command()
@click.argument("name")
@as_json
def resume(name: str, json_: bool) -> None:
    """Let a paused one run again, from now on."""
    _change(name, "resume", json_=json_)


@distributions.command()
@click.argument("name")
@click.option("--yes", is_flag=True, help="Do not ask.")
@as_json
def remove(name: str, yes: bool, json_: bool) -> None:
    """Take one away; what it published stays readable."""
    confirm_or_exit(f"Remove the distribution {name!r}?", yes=yes)
    _change(name, "remove", json_=json_)


def _change(name: str, action: str, *, json_: bool) -> None:
    hub = open_hub()
    with write(hub.engine) as database:
        changed = change_status(database, clock.now(), name, action, ACTOR)
        shown = distribution_json(hub, database, changed)
    print_fields(shown, json_=json_)


def _trigger(cron: str | None, every: str | None, at: str | None, timezone: str) -> dict[str, Any]:
    if sum(given is not None for given in (cron, every, at)) > 1:
        raise ConfigurationError("Choose one of --cron, --every and --at.")
    if cron is not None:
        return {"kind": "cron", "expression": cron, "timezone": timezone}
    if every is not None:
        return {"kind": "interval", "every_s": _seconds(every)}
    if at is not None:
        return {"kind": "at", "at": at, "timezone": timezone}
    return {"kind": "manual"}


def _seconds(text: str) -> int:
    number, unit = text[:-1], text[-1:]
    if unit not in UNITS or not number.isdigit():
        raise ConfigurationError(f"--every {text!r} is not an interval; write it as 90s, 15m, 6h or 1d.")
    return int(number) * UNITS[unit]


def _target(text: str) -> dict[str, Any]:
    """`crm:messages:campaign_id=42,ttl=5` as a target."""
    connection, _, rest = text.partition(":")
    operation, _, options = rest.partition(":")
    pairs = [pair.partition("=") for pair in options.split(",") if pair]
    return {
        "connection": connection,
        "operation": operation,
        "options": {key: json_or_text(each) for key, _, each in pairs},
    }
