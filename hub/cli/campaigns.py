"""Commands for campaigns and their codes."""

from __future__ import annotations

from typing import Any, TextIO

import click

from hub.admin import campaigns as admin
from hub.admin.names import usable_name
from hub.admin.views import campaign_json, with_times
from hub.campaigns import store
from hub.cli.support import ACTOR, as_json, confirm_or_exit, max_bad, open_hub, parse_time, print_fields, print_rows
from hub.core import clock
from hub.core.clock import DAY, SECOND
from hub.core.database import read, write
from hub.ledger.store import record_audit
from hub.sdk.errors import ConfigurationError
from hub.sdk.json import loads_storable

EMPTY = "No campaign yet; `hub campaigns add --name NAME` adds one that makes its own codes."
COLUMNS = ["id", "name", "kind", "pattern", "free", "published", "retired", "retired_at"]

CODES = click.argument("texts", metavar="CODE...", nargs=-1, required=True)


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
        campaign = admin.existing(database, name)
        shown = campaign_json(campaign, store.counts(database, campaign.id))
    print_fields(shown, json_=json_)


@campaigns.command("import")
@click.argument("name")
@click.argument("file", type=click.File("r", encoding="utf-8", errors="replace"))
@max_bad
@as_json
def import_(name: str, file: TextIO, most_bad: int | None, json_: bool) -> None:
    """Import codes, one a line; `-` reads standard input. Each rejected code is named with its reason."""
    hub, now = open_hub(), clock.now()
    codes = [line.strip() for line in file if line.strip()]
    with write(hub.engine) as database:
        done = admin.import_codes(database, now, admin.existing(database, name), codes, ACTOR, most_bad)
    print_fields({"added": done.added, "rejected": done.rejected_count, "reasons": done.rejected}, json_=json_)


@campaigns.command()
@click.argument("name")
@click.option("--yes", is_flag=True, help="Do not ask.")
@as_json
def retire(name: str, yes: bool, json_: bool) -> None:
    """End a campaign for good: it gives no more codes, its free ones are retired. Who has a code keeps it."""
    confirm_or_exit(f"Retire the campaign {name!r}? It never gives a code again.", yes=yes)
    hub, now = open_hub(), clock.now()
    with write(hub.engine) as database:
        codes_retired = admin.retire(database, now, admin.existing(database, name), ACTOR)
    print_fields({"retired": name, "codes_retired": codes_retired}, json_=json_)


@campaigns.command()
@click.argument("name")
@click.option("--yes", is_flag=True, help="Do not ask.")
@as_json
def remove(name: str, yes: bool, json_: bool) -> None:
    """Remove a campaign, and its codes, of which nobody was given any; others can be retired."""
    confirm_or_exit(f"Remove the campaign {name!r} with its codes?", yes=yes)
    hub, now = open_hub(), clock.now()
    with write(hub.engine) as database:
        codes_removed = admin.remove(database, now, admin.existing(database, name), ACTOR)
    print_fields({"removed": name, "codes_removed": codes_removed}, json_=json_)


@campaigns.group()
def codes() -> None:
    """Single codes of a campaign."""


@codes.command("list")
@click.argument("name")
@click.option("--state", type=click.Choice(store.STATES), help="Only these.")
@click.option("--after", default="", help="Begin behind this code.")
@click.option("--limit", type=click.IntRange(1, 10_000), default=50, show_default=True)
@as_json
def list_codes(name: str, state: str | None, after: str, limit: int, json_: bool) -> None:
    """List codes in alphabetical order."""
    with read(open_hub().engine) as database:
        page = store.codes(database, admin.existing(database, name).id, state, after or None, limit)
    rows = [with_times(each._asdict()) for each in page.items]
    empty = f"{name!r} has no such code; `hub campaigns import` adds some to an imported campaign."
    print_rows(rows, ["code", "state", "published_at", "expires_at"], empty=empty, json_=json_)


@codes.command("retire")
@click.argument("name")
@CODES
@as_json
def retire_codes(name: str, texts: tuple[str, ...], json_: bool) -> None:
    """Take codes out of use for good, free or published; whoever had one may be given another."""
    hub, now = open_hub(), clock.now()
    with write(hub.engine) as database:
        done = admin.retire_codes(database, now, admin.existing(database, name), texts, ACTOR)
    print_fields({"codes_retired": done}, json_=json_)


@codes.command("remove")
@click.argument("name")
@click.argument("texts", metavar="[CODE]...", nargs=-1)
@click.option("--all-free", is_flag=True, help="Every code that nobody was given.")
@as_json
def remove_codes(name: str, texts: tuple[str, ...], all_free: bool, json_: bool) -> None:
    """Remove free codes, as if they had never been imported."""
    if all_free == bool(texts):
        raise ConfigurationError("Say which codes, or --all-free for every one that nobody was given.")
    hub, now = open_hub(), clock.now()
    with write(hub.engine) as database:
        chosen = None if all_free else texts
        done = admin.remove_codes(database, now, admin.existing(database, name), chosen, ACTOR)
    print_fields({"codes_removed": done}, json_=json_)


def _json(text: str | None) -> Any:
    if text is None:
        return None
    try:
        return loads_storable(text)
    except ValueError as error:
        raise ConfigurationError(f"--value is not JSON: {text}") from error
