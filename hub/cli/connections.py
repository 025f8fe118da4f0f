"""Commands for sources and destinations."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import TextIO

import click
from sqlalchemy import Connection as Database

from hub.cli.filters import Span
from hub.cli.support import (
    ACTOR,
    as_json,
    ask_to_send,
    confirm_or_exit,
    json_or_text,
    mapping_option,
    open_hub,
    parse_pairs,
    patch_option,
    print_fields,
    print_findings,
    print_rows,
    settings_option,
    tell_prepared,
)
from hub.cli.terminal import echo
from hub.core import clock
from hub.core.clock import iso
from hub.core.database import read, write
from hub.registry.values import Connection
from hub.runtime.process.installation import Installation
from hub.sdk.errors import ConfigurationError
from hub.sdk.values import Finding

NAME = click.argument("name")
SYNCED = click.argument("operation", type=click.Choice(["profiles", "events", "audience", "consent"]))


@click.group()
def sources() -> None:
    """The CDPs that send webhooks to this hub."""


@click.group()
def destinations() -> None:
    """The platforms this hub sends to."""


@sources.command("add")
@click.argument("connector")
@click.option("--name", required=True, help="Your name for it.")
@settings_option
@mapping_option
@patch_option
@as_json
def add_source(
    connector: str, name: str, pairs: tuple[str, ...], mapping: str | None, patch: TextIO | None, json_: bool
) -> None:
    """Add a source; prints its webhook URL and its secrets, which are shown only now."""
    from hub.admin import connections
    from hub.admin.mapping_choice import Choice

    hub, choice = open_hub(), Choice(mapping or "", patch.read() if patch else "")
    with write(hub.engine) as database:
        added = connections.add_source(hub, database, clock.now(), connector, name, parse_pairs(pairs), ACTOR, choice)
    shown = connections.reveal_once(hub, added)
    print_fields(shown if json_ else connections.each_once(shown), json_=json_)


@destinations.command("add")
@click.argument("connector")
@click.option("--name", required=True, help="Your name for it.")
@settings_option
@mapping_option
@patch_option
@click.option(
    "--check/--no-check", "checks", default=True, show_default=True, help="Ask the vendor about the credentials."
)
@as_json
def add_destination(
    connector: str,
    name: str,
    pairs: tuple[str, ...],
    mapping: str | None,
    patch: TextIO | None,
    checks: bool,
    json_: bool,
) -> None:
    """Add a destination, and check its credentials. `--set hosts.<name>=URL` sends to a sandbox instead of the vendor.

    It is added whatever the check finds, also where the vendor cannot be reached now.
    """
    from hub.admin import connections
    from hub.admin.mapping_choice import Choice

    hub, choice = open_hub(), Choice(mapping or "", patch.read() if patch else "")
    with write(hub.engine) as database:
        added = connections.add_destination(
            hub, database, clock.now(), connector, name, parse_pairs(pairs), ACTOR, choice
        )
    print_fields(connections.describe(hub, added), json_=json_)
    if not checks or _tell_checked(hub, added):
        tell_prepared(hub, added)


def _shared(group: click.Group, role: str) -> None:
    """The commands that sources and destinations have in common."""

    @group.command("list")
    @as_json
    def list_(json_: bool) -> None:
        """List them."""
        from hub.admin.connections import describe
        from hub.registry import store

        hub = open_hub()
        with read(hub.engine) as database:
            rows = [describe(hub, each) for each in store.every(database, hub.vault, role)]
        last = "webhook_url" if role == "source" else "paused_reason"
        print_rows(
            rows,
            ["id", "name", "connector", "status", last],
            empty=f"No {role} yet; `hub {role}s add CONNECTOR --name NAME` adds one, `hub connectors list` shows what there is.",
            json_=json_,
        )

    @group.command()
    @NAME
    @as_json
    def show(name: str, json_: bool) -> None:
        """Show one, by name or id; secrets only by name."""
        from hub.admin.connections import describe
        from hub.admin.syncs import syncs_json

        hub = open_hub()
        with read(hub.engine) as database:
            connection = _existing(hub, database, role, name)
            shown = describe(hub, connection)
            if role == "destination":
                shown["syncs"] = syncs_json(database, connection)
        print_fields(shown, json_=json_)

    @group.command("set")
    @NAME
    @settings_option
    @mapping_option
    @patch_option
    @as_json
    def set_(name: str, pairs: tuple[str, ...], mapping: str | None, patch: TextIO | None, json_: bool) -> None:
        """Change settings; `KEY=` takes one away. A rotated secret's predecessor is kept where the connector allows."""
        from hub.admin.connections import change_settings, describe
        from hub.admin.mapping_choice import change_mapping

        if not pairs and mapping is None and patch is None:
            raise ConfigurationError(
                "Say what to change: --set KEY=VALUE, --set KEY= to take a setting away, --mapping or --patch."
            )
        hub, now = open_hub(), clock.now()
        over = None if patch is None else patch.read()
        with write(hub.engine) as database:
            changed = _existing(hub, database, role, name)
            if pairs:
                changed = change_settings(hub, database, now, changed, parse_pairs(pairs), ACTOR)
            if mapping is not None or over is not None:
                changed = change_mapping(hub, database, now, changed, ACTOR, name=mapping, patch=over)
        print_fields(describe(hub, changed), json_=json_)
        if role == "destination":
            tell_prepared(hub, changed)

    @group.command()
    @NAME
    @click.option("--reason", default="", help="Shown wherever the connection is shown.")
    @as_json
    def pause(name: str, reason: str, json_: bool) -> None:
        """Pause one: senders to a source are told to retry (503), deliveries to a destination wait."""
        from hub.admin import connections

        hub = open_hub()
        with write(hub.engine) as database:
            found = _existing(hub, database, role, name)
            connections.pause(database, clock.now(), found, reason, ACTOR)
        _show(hub, found.id, json_=json_)

    @group.command()
    @NAME
    @as_json
    def resume(name: str, json_: bool) -> None:
        """Take up a paused one, and its paused routes, again."""
        from hub.admin import connections

        hub = open_hub()
        with write(hub.engine) as database:
            found = _existing(hub, database, role, name)
            connections.resume(database, clock.now(), found, ACTOR)
        _show(hub, found.id, json_=json_)

    @group.command()
    @NAME
    @click.option("--yes", is_flag=True, help="Do not ask.")
    @as_json
    def remove(name: str, yes: bool, json_: bool) -> None:
        """Remove one. What it sent or received stays in the ledger; what waits for it is skipped."""
        from hub.admin import connections

        confirm_or_exit(f"Remove the {role} {name!r}? Its secrets are gone for good.", yes=yes)
        hub = open_hub()
        with write(hub.engine) as database:
            skipped = connections.remove(database, clock.now(), _existing(hub, database, role, name), ACTOR)
        print_fields({"removed": name, "deliveries_skipped": skipped}, json_=json_)


@sources.command()
@NAME
@click.option("--secret", metavar="SECRET", help="Which one, where the source has several. Default: its first.")
@click.option(
    "--keep", type=Span(), default="7d", show_default=True, help="How long the old one is taken too; 0: no more."
)
@as_json
def rotate(name: str, secret: str | None, keep: int, json_: bool) -> None:
    """Make a secret anew. For a time the old one is taken too, so that no webhook is lost while it is changed."""
    from hub.admin import secrets

    hub, now = open_hub(), clock.now()
    with write(hub.engine) as database:
        found = _existing(hub, database, "source", name)
        done = secrets.rotate(hub, database, now, found, ACTOR, secret=secret, keep=keep)
    until = iso(done.until) if done.until else None
    print_fields({"secret": done.secret, "value": done.value, "old_one_taken_until": until}, json_=json_)


@sources.command()
@NAME
@as_json
def reveal(name: str, json_: bool) -> None:
    """Show the secrets of a source and its webhook URL again, to enter them at the vendor. It is audited."""
    from hub.admin import secrets
    from hub.admin.connections import webhook_url

    hub, now = open_hub(), clock.now()
    with write(hub.engine) as database:
        found = _existing(hub, database, "source", name)
        shown = secrets.reveal(database, now, found, ACTOR)
    print_fields({"webhook_url": webhook_url(hub, found), **shown}, json_=json_)


@sources.command("test")
@NAME
@click.option("--url", default="", metavar="ORIGIN", help="Where the hub is reached. Default: where it listens.")
@click.option(
    "--wait", type=click.FloatRange(0, 600), default=10, show_default=True, help="Seconds for it to be applied."
)
@as_json
def test_(name: str, url: str, wait: float, json_: bool) -> None:
    """Post a sample to the running hub, signed as the vendor signs, and say what became of it: exit code 1 if not well.

    It is about a person `hub-test-…` whom nobody knows, and applied like any message: `hub erase` removes that person.
    """
    from hub.admin.samples import send_sample, sentence

    hub = open_hub()
    with read(hub.engine) as database:
        found = _existing(hub, database, "source", name)
    shown = send_sample(hub, found, url, wait)
    is_well, told = sentence(shown, name)
    print_fields(shown, json_=json_)
    echo(told, err=True)
    if not is_well:
        raise SystemExit(1)


_shared(sources, "source")
_shared(destinations, "destination")


@destinations.command()
@NAME
@click.option(
    "--resume", "resumes", is_flag=True, help="If they are good, resume one that is paused for its credentials."
)
@as_json
def check(name: str, resumes: bool, json_: bool) -> None:
    """Ask the vendor whether the credentials are good, with its harmless call. One paused for them can then be resumed."""
    from hub.admin import connections

    hub = open_hub()
    with read(hub.engine) as database:
        connection = _existing(hub, database, "destination", name)
    print_findings(_checked(hub, connection), json_=json_)
    if not connections.is_paused_for_credentials(connection):
        return
    asks = not resumes and not json_ and sys.stdin.isatty()
    if resumes or (asks and click.confirm(f"{connection.name!r} is paused for its credentials. Resume it?")):
        with write(hub.engine) as database:
            connections.resume(database, clock.now(), connection, ACTOR)
        echo(f"{connection.name} is resumed.", err=True)
    elif not asks:
        echo(
            f"It is paused for its credentials still; `hub destinations resume {connection.name}` resumes it.", err=True
        )


@destinations.command()
@NAME
@as_json
def prepare(name: str, json_: bool) -> None:
    """Make at the vendor what is about to be needed: fields, event types, lists. Names what only its dashboard can make."""
    from hub.admin import prepare

    hub = open_hub()
    with read(hub.engine) as database:
        connection = _existing(hub, database, "destination", name)
    print_findings(prepare.prepare(hub, connection, ACTOR), json_=json_)


@destinations.command()
@NAME
@SYNCED
@click.option("--set", "pairs", multiple=True, metavar="KEY=VALUE", help="An option of the operation; may be repeated.")
@click.option(
    "--event", "events", multiple=True, metavar="KEY", help="Only this event, by key or name; may be repeated."
)
@click.option("--backfill", is_flag=True, help="Send everybody who is there already too, quietly, as the limits allow.")
@click.option("--dry-run", is_flag=True, help="Change nothing; count what --backfill would send.")
@click.option("--yes", is_flag=True, help="Do not count and ask before --backfill.")
@as_json
def sync(
    name: str,
    operation: str,
    pairs: tuple[str, ...],
    events: tuple[str, ...],
    backfill: bool,
    dry_run: bool,
    yes: bool,
    json_: bool,
) -> None:
    """Keep one in step from now on: with each profile, membership or consent that changes, or each event that comes."""
    from hub.admin import syncs

    if dry_run and not backfill:
        raise ConfigurationError("--dry-run counts what --backfill would send; give both.")
    hub, now = open_hub(), clock.now()
    options = {key: json_or_text(value) for key, value in parse_pairs(pairs).items()}
    if dry_run or (backfill and not yes):
        with read(hub.engine) as database:
            connection = _existing(hub, database, "destination", name)
        counts = syncs.count_backfill(hub, now, connection, operation, options=options)
        if dry_run:
            print_fields(counts, json_=json_)
            return
        if counts["deliveries"]:
            ask_to_send(
                f"{counts['deliveries']} deliveries to {counts['people']} people who are there already", yes=yes
            )
    with write(hub.engine) as database:
        connection = _existing(hub, database, "destination", name)
        added = syncs.add_sync(hub, database, now, connection, operation, ACTOR, options=options, events=list(events))
        shown = syncs.sync_json(added)
        if backfill:
            opened = syncs.start_backfill(database, now, connection, added, ACTOR)
            shown["backfill"] = syncs.backfill_json(opened)
    print_fields(shown, json_=json_)
    tell_prepared(hub, connection)


@destinations.command()
@NAME
@SYNCED
def unsync(name: str, operation: str) -> None:
    """Stop keeping one in step. What waits already is still sent."""
    from hub.admin.syncs import remove_sync

    hub = open_hub()
    with write(hub.engine) as database:
        connection = _existing(hub, database, "destination", name)
        is_gone = remove_sync(database, clock.now(), connection, operation, ACTOR)
    if not is_gone:
        raise ConfigurationError(f"{connection.name!r} has no sync of {operation}.")
    echo(f"{connection.name}: {operation} is no longer synced.")


def _checked(hub: Installation, connection: Connection) -> Sequence[Finding]:
    """What the vendor says of the credentials. Raises ConfigurationError if the connector cannot be used."""
    from hub.outbox.wire.checks import check_destination

    found = hub.connectors.get(connection.connector)
    if found is None or found.destination_class is None:
        raise ConfigurationError(f"The connector {connection.connector!r} cannot be used here; see `hub doctor`.")
    return check_destination(found.destination_class, connection, hub.settings)


def _tell_checked(hub: Installation, connection: Connection) -> bool:
    """Check a destination that was added just now, beside the command's own answer; whether all is well."""
    findings = _checked(hub, connection)
    for finding in findings:
        echo(f"{finding.level}: {finding.text}", err=True)
    is_well = all(finding.level != "error" for finding in findings)
    if not is_well:
        echo(
            f"It was added all the same. Correct it with `hub destinations set {connection.name} --set KEY=VALUE`, then"
            f" `hub destinations check {connection.name}` and `hub destinations prepare {connection.name}`.",
            err=True,
        )
    return is_well


def _existing(hub: Installation, database: Database, role: str, name: str) -> Connection:
    from hub.registry import store

    connection = store.find(database, hub.vault, role, name)
    if connection is None:
        raise ConfigurationError(f"There is no {role} {name!r}; `hub {role}s list` shows those there are.")
    return connection


def _show(hub: Installation, connection_id: str, *, json_: bool) -> None:
    from hub.admin.connections import describe
    from hub.registry import store

    with read(hub.engine) as database:
        connection = store.get(database, hub.vault, connection_id)
    print_fields(describe(hub, connection), json_=json_)
