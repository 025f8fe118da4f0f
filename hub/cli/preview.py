"""`hub preview`: a message in, the vendor requests it would lead to out; nothing is sent."""

from __future__ import annotations

from typing import Any, TextIO

import click

from hub.cli.support import parse_pairs, print_json, settings_option
from hub.core.settings import Settings
from hub.runtime.installation import Installation
from hub.sdk.errors import ConfigurationError
from hub.sdk.json import loads

FILE = click.argument("file", type=click.File("r", encoding="utf-8", errors="replace"), default="-")


@click.command()
@click.option("--from", "source", required=True, metavar="CONNECTOR", help="The source whose message it is.")
@click.option("--to", "destination", required=True, metavar="CONNECTOR", help="The destination to preview.")
@settings_option
@FILE
def preview(source: str, destination: str, pairs: tuple[str, ...], file: TextIO) -> None:
    """Show what a message (JSON, or a list of them) would send: one request a line, secrets masked; nothing is sent.

    The destination is new and in step with profiles and events. What would not be sent is told on standard error.
    """
    from hub.runtime import previewing

    found = previewing.preview(Installation(Settings()), source, destination, messages(file), parse_pairs(pairs))
    for request in found.requests:
        print_json(request)
    for note in found.notes:
        click.echo(note, err=True)
    if not found.requests:
        raise ConfigurationError("Nothing would be sent.")


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
        raise ConfigurationError("The input is no JSON; give a message, a list of messages, or one a line.") from error


def _several(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]
