"""Commands for metadata schemas."""

from __future__ import annotations

from typing import Any, TextIO

import click

from hub.admin import schemas
from hub.admin.views import with_times
from hub.cli.support import ACTOR, as_json, confirm_or_exit, open_hub, print_fields, print_json, print_rows
from hub.core import clock
from hub.core.database import read, write
from hub.sdk.errors import ConfigurationError

EMPTY = "No schema yet, so nothing is filtered; `hub schema set FILE` or `hub init --industry NAME` defines some."
COLUMNS = ["kind", "key", "type", "array", "optional", "allow_defined_only"]
SHORT = 12  # characters of a hash that tell versions apart
KIND = click.argument("kind")


@click.group()
def schema() -> None:
    """Which metadata keys profiles, orders, items and events have, and of which type: sources are filtered by it."""


@schema.command()
@click.argument("kind", required=False)
@click.option("--version", "of_version", metavar="HASH", help="As they stood in this version; its first characters do.")
@as_json
def show(kind: str | None, of_version: str | None, json_: bool) -> None:
    """Show the schemas, or that of one KIND: profile, order, item, event or event.<key>.

    With --json in the form that `hub schema set` reads.
    """
    hub = open_hub()
    with read(hub.engine) as database:
        found = schemas.shown(database, kind, of_version)
    if kind is not None and not found:
        raise ConfigurationError(f"No schema of {kind!r} is defined; `hub schema set` defines one.")
    if json_:
        print_json([with_times(each) for each in found])
        return
    keys = [row for each in found for row in _rows(each)]
    print_rows(keys, COLUMNS, empty=EMPTY, json_=False)


@schema.command()
@as_json
def versions(json_: bool) -> None:
    """List every version of all schemas together, the newest first. Messages name the one they were filtered by."""
    hub = open_hub()
    with read(hub.engine) as database:
        found = [with_times(each) for each in schemas.versions(database)]
    for row in found if not json_ else ():
        row["hash"] = row["hash"][:SHORT]
        row["kinds"] = ", ".join(row["kinds"])
    print_rows(found, ["hash", "created_at", "is_active", "kinds"], empty=EMPTY, json_=json_)


@schema.command("set")
@click.argument("file", type=click.File("r", encoding="utf-8", errors="replace"))
@as_json
def set_(file: TextIO, json_: bool) -> None:
    """Define the schemas in FILE (YAML or JSON, kind by kind) in place of what there is; other kinds stay."""
    from hub.mapping.language.document import load
    from hub.profiles.schema_document import by_kind

    name = getattr(file, "name", "-")
    documents = by_kind(load(file.read(), name).plain(), name)
    hub = open_hub()
    with write(hub.engine) as database:
        rows = schemas.set_schemas(database, clock.now(), documents, ACTOR)
    print_rows(
        rows if json_ else [row | {"hash": row["hash"][:SHORT]} for row in rows],
        ["kind", "hash", "is_changed"],
        empty="The file defines no schema, so nothing has changed.",
        json_=json_,
    )


@schema.command()
@KIND
@click.option("--yes", is_flag=True, help="Do not ask.")
@as_json
def remove(kind: str, yes: bool, json_: bool) -> None:
    """Take the schema of KIND away: nothing of it is filtered any more."""
    confirm_or_exit(f"Remove the schema of {kind!r}?", yes=yes)
    hub = open_hub()
    with write(hub.engine) as database:
        schemas.remove_schema(database, clock.now(), kind, ACTOR)
    print_fields({"removed": True}, json_=json_)


@schema.group()
def key() -> None:
    """Single keys of a schema."""


@key.command()
@KIND
@click.argument("name")
@click.option("--type", "type_", required=True, help="string, number, boolean, date, datetime, geopoint or image_url.")
@click.option("--array", is_flag=True, help="A list of these.")
@click.option("--required", is_flag=True, help="For the record only: sources are not refused for a missing key.")
@as_json
def add(kind: str, name: str, type_: str, array: bool, required: bool, json_: bool) -> None:
    """Define one more key of KIND. Objects, which have keys of their own, are defined with `hub schema set`."""
    hub = open_hub()
    definition = {"type": type_, "array": array, "optional": not required}
    with write(hub.engine) as database:
        done = schemas.add_key(database, clock.now(), kind, name, definition, ACTOR)
    print_fields(done, json_=json_)


@key.command("remove")
@KIND
@click.argument("name")
@as_json
def remove_key(kind: str, name: str, json_: bool) -> None:
    """Take a key's definition away; values that profiles have stay."""
    hub = open_hub()
    with write(hub.engine) as database:
        done = schemas.remove_key(database, clock.now(), kind, name, ACTOR)
    print_fields(done, json_=json_)


def _rows(found: dict[str, Any], prefix: str = "") -> list[dict[str, Any]]:
    """A line a key, those of objects under their path; one for a schema without keys."""
    shared = {"kind": found["kind"], "allow_defined_only": found["allow_defined_only"]}
    rows = []
    for name, each in sorted(found["properties"].items()):
        rows.append({**shared, "key": prefix + name, **each, "allow_defined_only": shared["allow_defined_only"]})
        if each["type"] == "object":
            inner = _rows({"kind": found["kind"], **each}, f"{prefix}{name}.")
            rows += [row for row in inner if "key" in row]
    return rows or [shared]
