"""Commands for mapping files."""

from __future__ import annotations

from typing import TextIO

import click

from hub.cli.preview import FILE, active_schemas, messages
from hub.cli.support import as_json, open_hub, parse_pairs, print_json, print_rows
from hub.cli.terminal import echo
from hub.core.database import read
from hub.core.settings import Settings
from hub.runtime.process.installation import Installation


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
@as_json
def check(which: tuple[str, ...], json_: bool) -> None:
    """Check mapping files, by path or name (all, if none is given); exit code 1 and a line per problem."""
    from hub.admin.mappings import check as check_mapping
    from hub.mapping.versions.files import names

    hub = Installation(Settings())
    wanted = which or tuple(names(hub.folders))
    problems = [problem for each in wanted for problem in check_mapping(hub, each)]
    if json_:
        print_json([problem._asdict() for problem in problems])
    else:
        for problem in problems:
            echo(str(problem))
        echo(f"{len(problems)} problems." if problems else f"{', '.join(wanted)}: right.")
    if problems:
        raise SystemExit(1)


@mappings.command()
@click.argument("which", metavar="FILE|NAME")
@FILE
@click.option(
    "--set", "pairs", multiple=True, metavar="KEY=VALUE", help="An option of the connection; may be repeated."
)
def preview(which: str, file: TextIO, pairs: tuple[str, ...]) -> None:
    """Show what a source mapping makes of messages: one JSON object a message, with the lineage of each field.

    Metadata schemas apply where this installation has some: what they drop is among the warnings, and `schema_hash` says
    which version of them it was. Without a database there are none.
    """
    from hub.admin.mappings import path_of
    from hub.mapping.check import preview as preview_change
    from hub.mapping.versions.files import read_file
    from hub.preview.preview import received_at

    hub = Installation(Settings())
    document = read_file(path_of(hub, which), hub.folders).document
    options, schemas = parse_pairs(pairs), active_schemas(hub)
    under = {"schema_hash": schemas.hash} if schemas.hash else {}
    for place, message in enumerate(messages(file)):
        shown = preview_change(
            document,
            message,
            message_id=f"preview-{place}",
            received_at=received_at(message),
            options=options,
            behind=schemas.filter,
        )
        print_json(shown | under)
