"""Commands that run processes: serve, run, migrate, settings."""

from __future__ import annotations

import click

from hub.cli.support import as_json, open_hub, print_rows
from hub.core.settings import Settings
from hub.runtime.roles.supervisor import ROLES


@click.command()
def serve() -> None:
    """Run the whole hub: web, apply, deliver and schedule under one supervisor."""
    from hub.core import logging, metrics
    from hub.core.database import write
    from hub.runtime.process import heartbeat
    from hub.runtime.process.lifeline import stop_on_signals
    from hub.runtime.roles.supervisor import load, supervise

    installation = open_hub()
    logging.configure(installation.settings, "supervisor")
    metrics.prepare(installation.settings, clean=True)
    stop = stop_on_signals()
    with write(installation.engine) as database:
        heartbeat.forget(database)
    installation.engine.dispose()
    load()
    supervise(stop)


@click.command()
@click.argument("role", type=click.Choice(ROLES))
def run(role: str) -> None:
    """Run one role in this process, as `hub serve` and containers do."""
    from hub.runtime.roles.start import run_role

    run_role(role, Settings())


@click.command()
def migrate() -> None:
    """Make or upgrade the tables of the state database and of the inbox."""
    open_hub()
    click.echo("The database is up to date.")


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
    print_rows(rows, ["variable", "value", "description"], json_=json_)


def _shown(current: Settings, name: str) -> str:
    value = str(getattr(current, name))
    return value.partition("://")[0] + "://***" if name == "database_url" and value else value
