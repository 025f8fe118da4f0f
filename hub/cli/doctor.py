"""`hub doctor`: is this installation able to do its work?"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from typing import NamedTuple

import click
from sqlalchemy.exc import DBAPIError

from hub.cli.support import as_json, print_json
from hub.core import clock
from hub.core.database import read
from hub.core.settings import Settings
from hub.registry import store
from hub.runtime.consume import doctor as consume_doctor
from hub.runtime.process import heartbeat
from hub.runtime.process.installation import Installation
from hub.sdk.errors import ConfigurationError

LEAST_FREE = 1024 * 1024 * 1024


class Diagnosis(NamedTuple):
    level: str  # ok | warning | error
    text: str


@click.command()
@as_json
def doctor(json_: bool) -> None:
    """Look at settings, disk, database, connectors, connections and roles; exit code 1 if something is wrong."""
    found = list(_examine(Installation(Settings())))
    if json_:
        print_json([each._asdict() for each in found])
    else:
        for each in found:
            click.echo(f"{each.level:<8} {each.text}")
    if any(each.level == "error" for each in found):
        raise SystemExit(1)


def _examine(hub: Installation) -> Iterator[Diagnosis]:
    from hub.runtime.process.migrate import migrate

    yield from _folder(hub)
    try:
        migrate(hub)
    except DBAPIError as error:
        where = "HUB_DATABASE_URL" if hub.settings.database_url else "HUB_DATA_DIR"
        yield Diagnosis("error", f"The database does not answer ({type(error.orig).__name__}); look at {where}.")
        return
    yield Diagnosis("ok", f"The database answers ({hub.engine.dialect.name}).")
    if hub.settings.kafka_bootstrap:
        from hub.inbox.kafka_doctor import examine

        yield from [Diagnosis(*found) for found in examine(hub.settings, hub.engine)]
    yield from _connectors(hub)
    yield from _connections(hub)
    yield from [Diagnosis(*found) for found in consume_doctor.examine(hub)]
    yield from _erasures(hub)
    yield from _roles(hub)


def _folder(hub: Installation) -> Iterator[Diagnosis]:
    folder = hub.settings.data_dir.absolute()
    folder.mkdir(parents=True, exist_ok=True)
    if not os.access(folder, os.W_OK):
        yield Diagnosis("error", f"HUB_DATA_DIR {folder} is not writable for this user.")
    free = shutil.disk_usage(folder).free
    level = "ok" if free >= LEAST_FREE else "warning"
    yield Diagnosis(level, f"{free // 1024**2} MiB are free in HUB_DATA_DIR.")
    if hub.settings.database_url and not hub.settings.secret_key.get_secret_value():
        text = "HUB_DATABASE_URL is set without HUB_SECRET_KEY: each host makes a key of its own and cannot read the others' secrets."
        yield Diagnosis("warning", text)
    if hub.settings.allow_private_hosts:
        yield Diagnosis("warning", "HUB_ALLOW_PRIVATE_HOSTS is on: connections may reach private addresses.")


def _connectors(hub: Installation) -> Iterator[Diagnosis]:
    for found in hub.connectors.values():
        if found.error:
            yield Diagnosis("error", f"The connector {found.name!r} cannot be loaded: {found.error}")
    usable = [found.name for found in hub.connectors.values() if not found.error]
    yield Diagnosis("ok", f"Connectors: {', '.join(usable)}.")


def _connections(hub: Installation) -> Iterator[Diagnosis]:
    try:
        with read(hub.engine) as database:
            every = store.every(database, hub.vault)
    except ConfigurationError as error:
        yield Diagnosis("error", str(error))
        return
    for connection in every:
        if connection.status == "paused":
            why = connection.paused_reason or "no reason given"
            yield Diagnosis("warning", f"The {connection.role} {connection.name!r} is paused: {why}")
        for route, why in connection.paused_routes.items():
            yield Diagnosis("warning", f"Route {route!r} of {connection.name!r} is paused: {why}")
    yield Diagnosis("ok", f"{len(every)} connections, their secrets readable.")


def _erasures(hub: Installation) -> Iterator[Diagnosis]:
    from hub.profiles import requests

    with read(hub.engine) as database:
        troubles = requests.troubles(database, clock.now())
    yield from [Diagnosis("warning", text) for text in troubles]


def _roles(hub: Installation) -> Iterator[Diagnosis]:
    with read(hub.engine) as database:
        troubles = heartbeat.troubles(database, clock.now())
    for role, why in troubles.items():
        yield Diagnosis("error", f"The role {role}: {why}.")
    if not troubles:
        yield Diagnosis("ok", "Every role that was started shows signs of life.")
