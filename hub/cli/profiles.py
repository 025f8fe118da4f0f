"""Commands for profiles and erasure."""

from __future__ import annotations

import click

from hub.cli.support import ACTOR, as_json, confirm_or_exit, open_hub, print_fields, print_rows
from hub.core import clock
from hub.core.database import read, write
from hub.ledger.store import record_audit
from hub.profiles import reading
from hub.sdk.errors import ConfigurationError

EMPTY = "Nobody is known from there on; people come from a source (`hub sources add`) or `hub import customers FILE`."


@click.group()
def profiles() -> None:
    """Customers as the hub knows them, by source_id."""


@profiles.command()
@click.argument("source_id")
@as_json
def show(source_id: str, json_: bool) -> None:
    """Show one profile, read through its merges: identities, links, and where it was merged."""
    hub = open_hub()
    with read(hub.engine) as database:
        profile = reading.show(database, source_id)
    if profile is None:
        raise ConfigurationError(f"Nobody is known by the source_id {source_id!r}.")
    print_fields(profile, json_=json_)


@profiles.command()
@click.argument("source_id")
@as_json
def links(source_id: str, json_: bool) -> None:
    """List the links that make a person one, the oldest first; those of a shared anonymous id are not followed."""
    hub = open_hub()
    with read(hub.engine) as database:
        rows = reading.links(database, source_id)
    print_rows(
        rows,
        ["loser", "survivor", "at", "is_followed"],
        empty=f"No link makes {source_id!r} one with anybody.",
        json_=json_,
    )


@profiles.command("list")
@click.option("--after", default="", help="Begin behind this source_id.")
@click.option("--anonymous", is_flag=True, help="Those kept under another identifier that no link claims, instead.")
@click.option("--limit", type=click.IntRange(1, 10_000), default=50, show_default=True)
@click.option("--full", is_flag=True, help="Whole profiles instead of their ids.")
@as_json
def list_(after: str, anonymous: bool, limit: int, full: bool, json_: bool) -> None:
    """List profiles in the order of their source_id."""
    hub = open_hub()
    with read(hub.engine) as database:
        ids = (reading.anonymous if anonymous else reading.audience)(database, after or None, limit)
        found = [reading.show(database, each) if full else {"source_id": each} for each in ids]
    rows = [each for each in found if each is not None]
    print_rows(rows, ["source_id", "traits", "events"] if full else ["source_id"], empty=EMPTY, json_=json_)


@profiles.command()
@click.argument("type_", metavar="TYPE")
@click.argument("value")
@as_json
def find(type_: str, value: str, json_: bool) -> None:
    """Find profiles by another identifier, such as `email ada@example.com`."""
    hub = open_hub()
    with read(hub.engine) as database:
        rows = [{"source_id": each} for each in reading.find(database, type_, value)]
    print_rows(rows, ["source_id"], empty=f"Nobody is known by the {type_} {value!r}.", json_=json_)


@click.command()
@click.argument("source_id")
@click.option("--lift", is_flag=True, help="Let messages for an erased source_id in again.")
@click.option("--anyway", is_flag=True, help="Also where nobody is known by it: a tombstone keeps late messages out.")
@click.option("--yes", is_flag=True, help="Do not ask.")
@as_json
def erase(source_id: str, lift: bool, anyway: bool, yes: bool, json_: bool) -> None:
    """Erase a person everywhere, here and at destinations that support it. This cannot be undone."""
    from hub.profiles.erasure import lift as lift_tombstone
    from hub.runtime.erasing.person import erase_person, erasure_in_queue, is_known

    hub, now = open_hub(), clock.now()
    if lift:
        with write(hub.engine) as database:
            if not lift_tombstone(database, source_id, now, hub.vault.digest):
                raise ConfigurationError(f"{source_id!r} has not been erased, so there is nothing to lift.")
            record_audit(database, now, ACTOR, "tombstone.lifted", hub.vault.digest(source_id))
        print_fields({"lifted": True}, json_=json_)
        return
    with read(hub.engine) as database:
        if not anyway and not is_known(database, source_id):
            raise ConfigurationError(
                f"Nobody is known by the source_id {source_id!r}, so nothing was erased; --anyway leaves a tombstone, which"
                " keeps out messages that come later or wait still."
            )
    confirm_or_exit(f"Erase {source_id!r}, its events, orders and messages, here and at every destination?", yes=yes)
    with write(hub.engine) as database:
        done = erase_person(hub, database, source_id, now, ACTOR)
    print_fields(done | erasure_in_queue(hub), json_=json_)
