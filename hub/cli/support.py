"""What the commands share: opening the hub, reading key=value pairs, printing tables and JSON."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import click

from hub.campaigns.rules import LEAST_BAD, MOST_BAD
from hub.cli.terminal import cell, echo, print_table
from hub.core.clock import Micros, from_datetime
from hub.core.settings import Settings
from hub.registry.values import Connection
from hub.runtime.process.installation import Installation
from hub.sdk.errors import ConfigurationError
from hub.sdk.json import dumps, loads_storable
from hub.sdk.values import Finding

ACTOR = "cli"
READS = ("list", "show", "log", "versions", "links", "find", "check", "refusals", "refused", "preview", "profiles")
REPEATS = ("messages", "deliveries", "reload")  # `hub replay …` and `hub connectors reload`

as_json = click.option("--json", "json_", is_flag=True, help="Print JSON instead of a table.")
settings_option = click.option("--set", "pairs", multiple=True, metavar="KEY=VALUE", help="A setting; may be repeated.")
mapping_option = click.option("--mapping", metavar="NAME", help="Follow this mapping instead of the connector's own.")
patch_option = click.option(
    "--patch",
    type=click.File(encoding="utf-8", errors="replace"),
    help="YAML over the mapping, for this connection alone; an empty file takes it away.",
)

max_bad = click.option(
    "--max-bad",
    "most_bad",
    type=click.IntRange(0, 100),
    metavar="PERCENT",
    help=f"Refuse it whole where more of it is bad; 100 takes what can be taken. Default: {MOST_BAD}, if {LEAST_BAD} or more are.",
)


def open_hub() -> Installation:
    """The installation of this environment, its tables made if this is the first command.

    A command that only reads, or repeats what is there, makes none: it says that there is no hub yet, and reads an empty one.
    """
    from hub.runtime.process.migrate import migrate

    installation = Installation(Settings())
    if not installation.is_made and click.get_current_context().info_name in READS + REPEATS:
        installation = _empty(installation.settings)
    migrate(installation)
    return installation


def _empty(settings: Settings) -> Installation:
    """A hub with nothing in it, gone when this command ends."""
    where = settings.data_dir.absolute()
    echo(f"There is no hub in {where} yet; `hub serve` makes one, HUB_DATA_DIR names another place.", err=True)
    folder = click.get_current_context().with_resource(TemporaryDirectory(prefix="hub-empty-"))
    return Installation(settings.model_copy(update={"data_dir": Path(folder)}))


def parse_pairs(pairs: Sequence[str]) -> dict[str, str]:
    """`("a=1", "b=2")` as a dict. Raises ConfigurationError for a pair without `=`."""
    parsed = {}
    for pair in pairs:
        key, equals, value = pair.partition("=")
        if not equals or not key:
            raise ConfigurationError(f"{pair!r} is not a setting; write it as key=value.")
        parsed[key.strip()] = value
    return parsed


def json_or_text(text: str) -> Any:
    """A list or object where it reads as JSON of one; else the text, which options take as number or boolean too."""
    try:
        value = loads_storable(text)
    except ValueError:
        return text
    return value if isinstance(value, list | dict) else text


def print_json(value: Any) -> None:
    """One JSON value on one line."""
    click.echo(dumps(value).decode())


def print_rows(rows: Sequence[Mapping[str, Any]], columns: Sequence[str], *, empty: str, json_: bool) -> None:
    """Rows as a JSON array, or as a table of the named columns. `empty` says what there is none of, and what to do."""
    if json_:
        print_json(list(rows))
    elif rows:
        print_table(rows, columns)
    else:
        echo(empty, err=True)


def print_fields(fields: Mapping[str, Any], *, json_: bool) -> None:
    """One thing: a JSON object, or a line per field."""
    if json_:
        print_json(dict(fields))
        return
    width = max(map(len, fields), default=0)
    for key, value in fields.items():
        echo(f"{key.replace('_', ' '):<{width}}  {cell(value)}")


def print_findings(findings: Sequence[Finding], *, json_: bool) -> None:
    """Findings, one a line; exit code 1 if there is an error among them."""
    if json_:
        print_json([{"level": finding.level, "text": finding.text} for finding in findings])
    else:
        for finding in findings:
            echo(f"{finding.level}: {finding.text}")
    if any(finding.level == "error" for finding in findings):
        raise SystemExit(1)


def tell_prepared(hub: Installation, connection: Connection) -> None:
    """Prepare a destination after a change and tell what came of it, beside the command's own answer."""
    from hub.admin.prepare import prepare_after

    for finding in prepare_after(hub, connection, ACTOR):
        echo(f"{finding.level}: {finding.text}", err=True)


def parse_time(option: str, text: str) -> Micros:
    """An option's ISO 8601 time; without an offset it is UTC. Raises ConfigurationError."""
    from datetime import UTC, datetime

    try:
        at = datetime.fromisoformat(text)
        return from_datetime(at if at.tzinfo else at.replace(tzinfo=UTC))
    except (ValueError, OverflowError) as error:
        raise ConfigurationError(
            f"{option} {text!r} is not a time; write it as 2026-12-01T09:00 or with +01:00."
        ) from error


def ask_to_send(what: str, *, yes: bool) -> None:
    """Ask before something is sent to people again. Raises ConfigurationError where nobody is there to be asked."""
    if yes:
        return
    if not sys.stdin.isatty():
        raise ConfigurationError(f"This would send {what}; give --yes to do it, or --dry-run to count only.")
    confirm_or_exit(f"Send {what}?", yes=False)


def confirm_or_exit(question: str, *, yes: bool, ask: Callable[..., bool] = click.confirm) -> None:
    """Ask before something that cannot be taken back, unless --yes was given."""
    if not yes and not ask(question):
        raise click.Abort
