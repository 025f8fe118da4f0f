"""`hub preview`: a message in, the vendor requests it would lead to out; nothing is sent."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TextIO

import click

from hub.cli.support import json_or_text, parse_pairs, print_json, settings_option
from hub.cli.terminal import echo
from hub.core.settings import Settings
from hub.runtime.process.installation import Installation
from hub.sdk.errors import ConfigurationError
from hub.sdk.json import loads
from hub.sdk.values import Operation

if TYPE_CHECKING:
    from hub.profiles.rules.schemas import Schemas

INPUT = click.File("r", encoding="utf-8", errors="replace", lazy=True)


@click.command()
@click.option("--source", required=True, metavar="CONNECTOR", help="The source whose message it is.")
@click.option("--destination", required=True, metavar="CONNECTOR", help="The destination to preview.")
@click.option(
    "--operation",
    "operations",
    multiple=True,
    type=click.Choice([one.value for one in Operation]),
    help="May be repeated. Default: all that the message gives something to, but messages.",
)
@click.option("--file", "file", type=INPUT, default="-", help="The message. Default: standard input.")
@settings_option
@click.option("--option", "options", multiple=True, metavar="KEY=VALUE", help="An option, such as a campaign's id.")
def preview(
    source: str,
    destination: str,
    operations: tuple[str, ...],
    file: TextIO,
    pairs: tuple[str, ...],
    options: tuple[str, ...],
) -> None:
    """Show what a message (JSON, a list of them, or one a line) would send: one request a line, secrets masked.

    Nothing is sent, and neither a database nor a connection is needed: the destination is new, its settings are the
    examples but for those given with --set. Metadata schemas apply where this installation has some. With --operation
    messages each person gets an example code. What would not be sent is told on standard error.
    """
    from hub.preview.preview import Wish, preview

    wish = Wish(
        source,
        destination,
        [Operation(one) for one in operations],
        {name: json_or_text(value) for name, value in parse_pairs(pairs).items()},
        {name: json_or_text(value) for name, value in parse_pairs(options).items()},
    )
    hub = Installation(Settings())
    found = preview(hub, wish, messages(file), active_schemas(hub))
    for request in found.requests:
        print_json(request)
    for note in dict.fromkeys(found.notes):
        echo(note, err=True)
    if not found.requests:
        raise ConfigurationError("Nothing would be sent.")


def active_schemas(hub: Installation) -> Schemas:
    """The metadata schemas that the apply role follows; none where there is no database, which is not made for it."""
    from sqlalchemy.exc import DBAPIError

    from hub.profiles.rules.schemas import NO_SCHEMAS
    from hub.runtime.live.schemas import installed

    try:
        return installed(hub)
    except DBAPIError:
        echo("The database cannot be read, so no metadata schema was applied.", err=True)
        return NO_SCHEMAS


def messages(file: TextIO) -> list[Any]:
    """The messages in a file: a JSON object, a list of them, or one a line. Raises ConfigurationError."""
    text = file.read()
    try:
        return _several(loads(text))
    except ValueError:
        pass
    try:
        return [loads(line) for line in text.splitlines() if line.strip()]
    except ValueError as error:
        raise ConfigurationError("The input is not JSON; give a message, a list of messages, or one a line.") from error


def _several(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]
