"""Commands that run processes: serve, run, migrate, settings."""

from __future__ import annotations

import sys

import click

from hub.cli.support import as_json, open_hub, print_rows
from hub.cli.terminal import echo
from hub.core.settings import Settings
from hub.runtime.process.installation import Installation
from hub.runtime.roles.supervisor import ROLES


@click.command()
def serve() -> None:
    """Run the whole hub: web, apply, deliver and schedule under one supervisor."""
    from hub.cli.serving import Readiness, introduction
    from hub.core import exposition, logging
    from hub.core.database import write
    from hub.core.listener import listen
    from hub.runtime.process import heartbeat
    from hub.runtime.process.data_directory import hold_data_directory
    from hub.runtime.process.lifeline import stop_on_signals
    from hub.runtime.process.migrate import migrate
    from hub.runtime.roles.supervisor import load, supervise

    installation = Installation(Settings())
    settings = installation.settings
    hold_data_directory(installation, "hub serve", alone=True)
    listener = listen(settings.host, settings.port)
    migrate(installation)
    is_terminal = sys.stdout.isatty()
    for line in introduction(installation) if is_terminal else ():
        echo(line)
    logging.configure(settings, "supervisor")
    exposition.prepare(settings, clean=True)
    stop = stop_on_signals()
    with write(installation.engine) as database:
        heartbeat.forget(database)
    installation.engine.dispose()
    load()
    tell = echo if is_terminal else logging.logger("runtime").info
    on_end = (lambda ended: echo(str(ended))) if is_terminal else None
    supervise(stop, listener, each_round=Readiness(settings, tell).look, on_end=on_end)


@click.command()
@click.argument("role", type=click.Choice(ROLES))
def run(role: str) -> None:
    """Run one role in this process, as `hub serve` and containers do."""
    from hub.core.listener import listen
    from hub.runtime.process.data_directory import hold_data_directory
    from hub.runtime.roles.start import run_role

    settings = Settings()
    hold_data_directory(Installation(settings), f"hub run {role}", alone=False)
    listener = listen(settings.host, settings.port) if role == "web" else None
    run_role(role, settings, listener)


@click.command()
def migrate() -> None:
    """Make or upgrade the tables of the state database and of the inbox."""
    open_hub()
    echo("The database is up to date.")


@click.command()
@as_json
def settings(json_: bool) -> None:
    """List every setting with its environment variable, its value and what it does."""
    current = Settings()
    rows = [
        {
            "variable": f"HUB_{name.upper()}",
            "value": "***"
            if name == "secret_key" and getattr(current, name).get_secret_value()
            else _shown(current, name),
            "default": str(field.default),
            "description": field.description,
        }
        for name, field in Settings.model_fields.items()
    ]
    print_rows(rows, ["variable", "value", "description"], empty="", json_=json_)


def _shown(current: Settings, name: str) -> str:
    value = str(getattr(current, name))
    return value.partition("://")[0] + "://***" if name == "database_url" and value else value
