"""Commands for requests to erase: what was asked, and where each stands."""

from __future__ import annotations

import click

from hub.cli.support import ACTOR, as_json, open_hub, print_fields, print_rows
from hub.core import clock
from hub.core.database import read, write
from hub.profiles import requests
from hub.runtime.erasing.requested import complete, described, listed
from hub.sdk.errors import ConfigurationError
from hub.sdk.values import ErasureStatus

EMPTY = "Nobody asked to erase anybody; `hub erase SOURCE_ID` does."
COLUMNS = ["id", "request_id", "status", "source", "received_at", "expected_at", "not_confirmed"]


@click.group()
def erasures() -> None:
    """Requests to erase people, and where each stands; they name nobody."""


@erasures.command("list")
@click.option("--status", type=click.Choice([one.value for one in ErasureStatus]), help="Only these.")
@click.option("--limit", type=click.IntRange(1, 10_000), default=50, show_default=True)
@as_json
def list_(status: str | None, limit: int, json_: bool) -> None:
    """List requests to erase, the newest first."""
    hub = open_hub()
    with read(hub.engine) as database:
        rows = listed(hub, database, requests.page(database, status, None, limit))
    print_rows(rows, COLUMNS, empty=EMPTY, json_=json_)


@erasures.command()
@click.argument("which", metavar="REQUEST")
@as_json
def show(which: str, json_: bool) -> None:
    """Show one, by its id or the sender's request id: what was done, and what its callbacks were told."""
    hub = open_hub()
    with read(hub.engine) as database:
        found = described(hub, database, which)
    if found is None:
        raise ConfigurationError(f"There is no request to erase {which!r}; `hub erasures list` shows them.")
    print_fields(found, json_=json_)


@erasures.command("complete")
@click.argument("which", metavar="REQUEST")
@as_json
def complete_(which: str, json_: bool) -> None:
    """End a request after you have erased the person by hand at the destinations that did not confirm."""
    hub = open_hub()
    with write(hub.engine) as database:
        done = complete(hub, database, which, clock.now(), ACTOR)
    print_fields(done, json_=json_)
