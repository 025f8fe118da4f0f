"""Commands for campaigns and their codes."""

from __future__ import annotations

from typing import Any, TextIO

import click

from hub.admin.names import usable_name
from hub.admin.views import campaign_json
from hub.campaigns import store
from hub.campaigns.values import Campaign
from hub.cli.support import ACTOR, as_json, open_hub, parse_time, print_fields, print_rows
from hub.core import clock
from hub.core.clock import DAY, SECOND
from hub.core.database import read, write
from hub.ledger.store import record_audit
from hub.sdk.errors import ConfigurationError
from hub.sdk.json import loads

EMPTY = "No campaign yet; `hub campaigns add --name NAME` adds one that makes its own codes."
COLUMNS = ["id", "name", "kind", "pattern", "free", "published", "retired"]


@click.group()
def campaigns() -> None:
    """Where incentive codes come from."""


@campaigns.command()
@click.option("--name", required=True)
@click.option("--pattern", default="", help="For example SPRING-######; each # becomes one character.")
@click.option("--charset", default="", help="Characters for #. Default: letters and digits that look unlike.")
@click.option(
    "--length",
    type=click.IntRange(1, 100),
    default=8,
    show_default=True,
    help="Without a pattern: how many characters.",
)
@click.option("--prefix", default="")
@click.option("--imported", is_flag=True, help="Codes come from `hub campaigns import` instead.")
@click.option("--each-time", is_flag=True, help="A new code each time, instead of one code a person.")
@click.option("--valid-days", type=click.IntRange(1, 36_500), help="Days a code is valid from its publication.")
@click.option("--expires", help="When the campaign ends, and every code of it (ISO 8601; without an offset in UTC).")
@click.option("--value", help="JSON handed on with each code, such as '{\"percent_off\": 10}'.")
@as_json
def add(
    name: str,
    pattern: str,
    charset: str,
    length: int,
    prefix: str,
    imported: bool,
    each_time: bool,
    valid_days: int | None,
    expires: str | None,
    value: str | None,
    json_: bool,
) -> None:
    """Add a campaign."""
    usable_name(name, "campaign")
    hub, now = open_hub(), clock.now()
    with write(hub.engine) as database:
        campaign = store.add(
            database,
            now,
            name=name,
            kind="imported" if imported else "generated",
            pattern=pattern,
            charset=charset,
            length=length,
            prefix=prefix,
            is_once=not each_time,
            valid_s=valid_days * DAY // SECOND if valid_days else None,
            expires_at=parse_time("--expires", expires) if expires else None,
            value=_json(value),
        )
        record_audit(database, now, ACTOR, "campaign.added", name, {"id": campaign.id})
        shown = campaign_json(campaign, store.counts(database, campaign.id))
    print_fields(shown, json_=json_)


@campaigns.command("list")
@as_json
def list_(json_: bool) -> None:
    """List the campaigns with their codes by state."""
    hub = open_hub()
    with read(hub.engine) as database:
        rows = [campaign_json(each, store.counts(database, each.id)) for each in store.every(database)]
    print_rows(rows, COLUMNS, empty=EMPTY, json_=json_)


@campaigns.command()
@click.argument("name")
@as_json
def show(name: str, json_: bool) -> None:
    """Show one campaign."""
    hub = open_hub()
    with read(hub.engine) as database:
        campaign = found(database, name)
        shown = campaign_json(campaign, store.counts(database, campaign.id))
    print_fields(shown, json_=json_)


@campaigns.command("import")
@click.argument("name")
@click.argument("file", type=click.File("r", encoding="utf-8", errors="replace"))
@as_json
def import_(name: str, file: TextIO, json_: bool) -> None:
    """Import codes, one a line; `-` reads standard input. Each rejected code is named with its reason."""
    hub, now = open_hub(), clock.now()
    codes = [line.strip() for line in file if line.strip()]
    with write(hub.engine) as database:
        done = store.import_codes(database, found(database, name), codes)
        record_audit(database, now, ACTOR, "codes.imported", name, {"added": done.added})
    print_fields({"added": done.added, "rejected": done.rejected_count, "reasons": done.rejected}, json_=json_)


def found(database: Any, name: str) -> Campaign:
    """The campaign of this name or id. Raises ConfigurationError."""
    campaign = store.find(database, name)
    if campaign is None:
        raise ConfigurationError(f"There is no campaign {name!r}; `hub campaigns list` shows those there are.")
    return campaign


def _json(text: str | None) -> Any:
    if text is None:
        return None
    try:
        return loads(text)
    except ValueError as error:
        raise ConfigurationError(f"--value is not JSON: {text}") from error
