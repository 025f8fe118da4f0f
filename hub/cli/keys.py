"""Commands for API keys."""

from __future__ import annotations

import click

from hub.admin.names import usable_name
from hub.admin.views import with_times
from hub.cli.support import ACTOR, as_json, open_hub, print_fields, print_rows
from hub.core import clock
from hub.core.database import read, write
from hub.ledger.store import record_audit
from hub.registry import store
from hub.sdk.errors import ConfigurationError


@click.group()
def keys() -> None:
    """Keys for the HTTP API."""


@keys.command()
@click.option("--name", default="key", show_default=True, help="Whose key it is.")
@as_json
def add(name: str, json_: bool) -> None:
    """Make a key; it is shown only now."""
    usable_name(name, "key")
    hub, now = open_hub(), clock.now()
    with write(hub.engine) as database:
        key_id, key = store.add_key(database, hub.vault, name, now)
        record_audit(database, now, ACTOR, "key.added", key_id, {"name": name})
    print_fields({"id": key_id, "key": key}, json_=json_)


@keys.command("list")
@as_json
def list_(json_: bool) -> None:
    """List the keys, without the keys themselves."""
    hub = open_hub()
    with read(hub.engine) as database:
        rows = [with_times(dict(row)) for row in store.keys(database)]
    print_rows(
        rows,
        ["id", "name", "created_at", "revoked_at"],
        empty="No key yet; `hub keys add` makes one for the HTTP API.",
        json_=json_,
    )


@keys.command()
@click.argument("key_id")
@as_json
def revoke(key_id: str, json_: bool) -> None:
    """Revoke a key; it stops working within two seconds."""
    hub, now = open_hub(), clock.now()
    with write(hub.engine) as database:
        if not store.revoke_key(database, key_id, now):
            raise ConfigurationError(f"There is no key {key_id!r}; `hub keys list` shows those there are.")
        record_audit(database, now, ACTOR, "key.revoked", key_id)
    print_fields({"revoked": key_id}, json_=json_)
