"""Commands for mapping files."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TextIO, cast

import click

from hub.cli.preview import active_schemas, messages
from hub.cli.support import as_json, open_hub, parse_pairs, patch_option, print_json, print_rows
from hub.cli.terminal import echo
from hub.core.database import read
from hub.core.settings import Settings
from hub.mapping.language.document import Node
from hub.runtime.process.installation import Installation
from hub.sdk.errors import ConfigurationError


@click.group()
def mappings() -> None:
    """The files that turn vendor names into ours and ours into vendor names."""


@mappings.command("list")
@as_json
def list_(json_: bool) -> None:
    """List every mapping with its version and the connections that follow it."""
    from hub.admin.mappings import listed

    hub = open_hub()
    with read(hub.engine) as database:
        rows = listed(hub, database)
    for row in rows if not json_ else ():
        row["hash"] = (row["hash"] or "")[:12]
        row["connections"] = ", ".join(each["name"] for each in row["connections"])
    print_rows(
        rows,
        ["name", "file", "hash", "connections", "error"],
        empty="No mapping was found; look at HUB_MAPPINGS_PATH.",
        json_=json_,
    )


@mappings.command()
@click.argument("which", nargs=-1, metavar="[FILE|NAME]...")
@click.option("--connection", metavar="NAME", help="Each FILE is a patch over the mapping of this connection.")
@as_json
def check(which: tuple[str, ...], connection: str | None, json_: bool) -> None:
    """Check mapping files, by path or name (all, if none is given); exit code 1 and a line per problem.

    With --connection, check patches as they would be applied; without a FILE, the patch that it has.
    """
    from hub.admin import mappings as admin
    from hub.mapping.versions.files import names

    hub = Installation(Settings())
    if connection is not None:
        found = admin.of_connection(hub, connection)
        patches = {each: _text_of(each) for each in which} or {f"patch of {found.name}": found.mapping_patch}
        checked = tuple(patches)
        problems = [one for called, patch in patches.items() for one in admin.check_patch(hub, found, patch, called)]
    else:
        checked = which or tuple(names(hub.folders))
        problems = [problem for each in checked for problem in admin.check(hub, each)]
    if json_:
        print_json([problem._asdict() for problem in problems])
    else:
        for problem in problems:
            echo(str(problem))
        echo(f"{len(problems)} problems." if problems else f"{', '.join(checked)}: right.")
    if problems:
        raise SystemExit(1)


@mappings.command()
@click.argument("paths", nargs=-1, metavar="[FILE|NAME] [MESSAGES]")
@click.option("--connection", metavar="NAME", help="The mapping that this source follows, with its patch and settings.")
@patch_option
@click.option(
    "--set", "pairs", multiple=True, metavar="KEY=VALUE", help="An option of the connection; may be repeated."
)
def preview(paths: tuple[str, ...], connection: str | None, patch: TextIO | None, pairs: tuple[str, ...]) -> None:
    """Show what a source mapping makes of messages: one JSON object a message, with the lineage of each field.

    Say which mapping, by file or name, or whose with --connection; with --patch as it would be with another patch over it,
    which changes nothing. Messages are read from a file or standard input.

    Metadata schemas apply where this installation has some: what they drop is among the warnings, and `schema_hash` says
    which version of them it was. Without a database there are none.
    """
    from hub.mapping.check import preview as preview_change
    from hub.preview.preview import received_at

    hub = Installation(Settings())
    document, own, rest = _previewed(hub, paths, connection, patch)
    options, schemas = {**own, **parse_pairs(pairs)}, active_schemas(hub)
    under = {"schema_hash": schemas.hash} if schemas.hash else {}
    with click.open_file(rest[0] if rest else "-", encoding="utf-8", errors="replace") as file:
        for place, message in enumerate(messages(cast("TextIO", file))):
            shown = preview_change(
                document,
                message,
                message_id=f"preview-{place}",
                received_at=received_at(message),
                options=options,
                behind=schemas.filter,
            )
            print_json(shown | under)


def _previewed(
    hub: Installation, paths: tuple[str, ...], connection: str | None, patch: TextIO | None
) -> tuple[Node, Mapping[str, Any], tuple[str, ...]]:
    """The mapping, the options that its connection has, and what is left of the arguments. Raises ConfigurationError."""
    from hub.admin import mappings as admin
    from hub.mapping.versions.files import read_file

    most = 2 if connection is None else 1
    if len(paths) > most or (connection is None and not paths):
        raise ConfigurationError("Name a mapping, or --connection NAME, and at most one file of messages behind it.")
    if connection is None:
        if patch is not None:
            raise ConfigurationError("--patch lies over the mapping of a connection; name it with --connection.")
        return read_file(admin.path_of(hub, paths[0]), hub.folders).document, {}, paths[1:]
    found = admin.of_connection(hub, connection, "source")
    over = found.mapping_patch if patch is None else patch.read()
    document = admin.patched_mapping(hub, found, over, getattr(patch, "name", "patch of the connection"))
    return document, {**found.settings, "currency": found.currency}, paths


def _text_of(path: str) -> str:
    with click.open_file(path, encoding="utf-8", errors="replace") as file:
        return str(file.read())
