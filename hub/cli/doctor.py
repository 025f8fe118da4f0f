"""`hub doctor`: is this installation able to do its work?"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from typing import NamedTuple

import click
from sqlalchemy.exc import DBAPIError

from hub.admin.running import RunningHub, running
from hub.cli.support import as_json, print_json
from hub.cli.terminal import echo
from hub.core import clock
from hub.core.clock import iso
from hub.core.database import read
from hub.core.private_files import loosened
from hub.core.settings import Settings
from hub.registry import store
from hub.registry.values import Connection
from hub.runtime.consume import doctor as consume_doctor
from hub.runtime.process.installation import Installation
from hub.sdk.errors import ConfigurationError

LEAST_FREE = 1024 * 1024 * 1024
SHOWN = 3  # files named of those that others may read


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
            echo(f"{each.level:<8} {each.text}")
    if any(each.level == "error" for each in found):
        raise SystemExit(1)


def _examine(hub: Installation) -> Iterator[Diagnosis]:
    if not hub.is_made:
        folder = hub.settings.data_dir.absolute()
        yield Diagnosis(
            "error",
            f"The hub is not running: there is none in {folder} yet. `hub serve` makes one; HUB_DATA_DIR names another place.",
        )
        yield from _shell(hub)
        return
    yield from _folder(hub)
    try:
        with read(hub.engine) as database:
            is_current = database.dialect.has_table(database, "heartbeat")
    except DBAPIError as error:
        where = "HUB_DATABASE_URL" if hub.settings.database_url else "HUB_DATA_DIR"
        yield Diagnosis("error", f"The database does not answer ({type(error.orig).__name__}); look at {where}.")
        return
    if not is_current:
        yield Diagnosis(
            "error",
            "The hub is not running: its tables are missing or of an older version; `hub serve` or `hub migrate` makes them.",
        )
        return
    yield Diagnosis("ok", f"The database answers ({hub.engine.dialect.name}).")
    if hub.settings.kafka_bootstrap:
        from hub.inbox.kafka_doctor import examine

        yield from [Diagnosis(*found) for found in examine(hub.settings, hub.engine)]
    with read(hub.engine) as database:
        roles = running(database, clock.now())
    yield from _roles(roles)
    yield from _connectors(hub, roles)
    yield from _connections(hub, roles)
    yield from [Diagnosis(*found) for found in consume_doctor.examine(hub)]
    yield from _erasures(hub)


def _folder(hub: Installation) -> Iterator[Diagnosis]:
    folder = hub.settings.data_dir.absolute()
    if open_to_others := loosened(folder):
        names = ", ".join(path.name for path in open_to_others[:SHOWN])
        more = f" and {len(open_to_others) - SHOWN} more" if len(open_to_others) > SHOWN else ""
        text = f"Others on this machine may read {names}{more} in {folder.parent}; they hold personal data: `chmod -R go= {folder}`."
        yield Diagnosis("warning", text)
    nearest = next(each for each in (folder, *folder.parents) if each.exists())
    if not os.access(nearest, os.W_OK):
        yield Diagnosis("error", f"HUB_DATA_DIR {folder} is not writable for this user.")
    free = shutil.disk_usage(nearest).free
    level = "ok" if free >= LEAST_FREE else "warning"
    yield Diagnosis(level, f"{free // 1024**2} MiB are free in HUB_DATA_DIR.")
    if hub.settings.database_url and not hub.settings.secret_key.get_secret_value():
        text = "HUB_DATABASE_URL is set without HUB_SECRET_KEY: each host makes a key of its own and cannot read the others' secrets."
        yield Diagnosis("warning", text)
    if hub.settings.allow_private_hosts:
        yield Diagnosis("warning", "HUB_ALLOW_PRIVATE_HOSTS is on: connections may reach private addresses.")


def _shell(hub: Installation) -> Iterator[Diagnosis]:
    """The connectors as this shell finds them, where no role can be asked."""
    for found in hub.connectors.values():
        if found.error:
            yield Diagnosis("error", f"The connector {found.name!r} cannot be loaded: {found.error}")


def _roles(found: RunningHub) -> Iterator[Diagnosis]:
    if not found.is_running:
        yield Diagnosis("error", "The hub is not running: no role leaves heartbeats. Start it with `hub serve`.")
    for role, trouble in found.troubles.items():
        if role not in found.roles and not found.is_running:
            continue  # that one sentence says it of all of them
        yield Diagnosis("error", f"The role {role}: {trouble}.")
    for role, each in found.roles.items():
        if each.started_at is not None and not each.trouble:
            of = each.report
            process = f" (process {of['pid']} on {of['host']}, version {of['version']})" if of else ""
            yield Diagnosis("ok", f"The role {role} runs since {iso(each.started_at)}{process}.")


def _connectors(hub: Installation, found: RunningHub) -> Iterator[Diagnosis]:
    """What the running roles have; where this shell would find something else, that is said."""
    if not found.is_running:
        yield from _shell(hub)
        return
    yield from [Diagnosis("error", text) for text in found.findings()]
    yield from [Diagnosis("warning", text) for text in found.differences(hub)]
    yield from [Diagnosis("ok", text) for text in found.usable()]


def _connections(hub: Installation, found: RunningHub) -> Iterator[Diagnosis]:
    try:
        with read(hub.engine) as database:
            every = store.every(database, hub.vault)
    except ConfigurationError as error:
        yield Diagnosis("error", str(error))
        return
    for connection in every:
        if lacking := found.lacks(connection) or _lacks(hub, connection):
            yield Diagnosis("error", lacking)
        if broken := found.broken_mappings.get(connection.id):
            yield Diagnosis(
                "error",
                f"The mapping {connection.mapping!r} of {connection.name!r} is broken; what was followed before stays. {broken}",
            )
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


def _lacks(hub: Installation, connection: Connection) -> str:
    """The same as RunningHub.lacks of this shell, for a hub that does not run."""
    known = hub.connectors.get(connection.connector)
    if known is not None and not known.error:
        return ""
    return f"The {connection.role} {connection.name!r} needs the connector {connection.connector!r}, which is not to be had here."
