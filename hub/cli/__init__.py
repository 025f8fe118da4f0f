"""The command line. One module per group of commands; each imports what it needs when it runs, so help is instant."""

from __future__ import annotations

import importlib
from keyword import iskeyword
from typing import Any

import click

from hub import __version__

MODULES = {
    "serve": "process",
    "run": "process",
    "migrate": "process",
    "settings": "process",
    "doctor": "doctor",
    "backup": "backup",
    "demo": "play",
    "sandbox": "play",
    "sources": "connections",
    "destinations": "connections",
    "keys": "keys",
    "connectors": "connectors",
    "mappings": "mappings",
    "schema": "schema",
    "init": "init",
    "preview": "preview",
    "campaigns": "campaigns",
    "distributions": "distributions",
    "profiles": "profiles",
    "products": "products",
    "erase": "profiles",
    "erasures": "erasures",
    "log": "log",
    "messages": "messages",
    "deliveries": "log",
    "replay": "log",
    "ledger": "ledger",
    "import": "imports",
    "export": "imports",
}


class LazyGroup(click.Group):
    """Loads a command's module when the command is asked for."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return sorted(MODULES)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        module = MODULES.get(cmd_name)
        if module is None:
            return None
        name = f"{cmd_name}_" if iskeyword(cmd_name) else cmd_name
        command: Any = getattr(importlib.import_module(f"hub.cli.{module}"), name)
        return command if isinstance(command, click.Command) else None

    def invoke(self, ctx: click.Context) -> Any:
        """What an operator can put right is told in one sentence, with exit code 1; only a defect shows its trace."""
        try:
            return super().invoke(ctx)
        except click.exceptions.Exit:
            raise
        except Exception as error:
            from hub.cli.failures import sentence

            told = sentence(error)
            if told is None:
                raise
            raise click.ClickException(told) from None  # the cause may hold a password or a person's data


@click.group(cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110})
@click.version_option(__version__, prog_name="hub")
def hub() -> None:
    """Switchboard: CDP webhooks in, normalised profiles, distributions out."""
