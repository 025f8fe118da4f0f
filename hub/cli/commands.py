"""Every command and the module it is in. A module is loaded when its command is asked for, so that help is instant."""

from __future__ import annotations

import importlib
from difflib import get_close_matches
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

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Raises UsageError for what is not text: a shell hands on any bytes, and no database stores those."""
        from hub.sdk.text import is_storable

        for given in args:
            if not is_storable(given):
                raise click.UsageError(f"{given!a} is not text in UTF-8; type it anew, or rename the file.")
        return super().parse_args(ctx, args)

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Names the nearest commands where there is none of this name."""
        if args and args[0] not in MODULES and not args[0].startswith("-") and not ctx.resilient_parsing:
            nearest = " or ".join(f"`hub {name}`" for name in get_close_matches(args[0], MODULES, n=2))
            hint = f"did you mean {nearest}?" if nearest else "`hub --help` lists them."
            raise click.UsageError(f"There is no command {args[0]!r}; {hint}", ctx)
        return super().resolve_command(ctx, args)

    def invoke(self, ctx: click.Context) -> Any:
        """What an operator can put right is told in one sentence, with exit code 1; only a defect shows its trace."""
        try:
            return super().invoke(ctx)
        except click.exceptions.Exit:
            raise
        except Exception as error:
            from hub.cli.failures import sentence
            from hub.cli.terminal import visible_lines

            told = sentence(error)
            if told is None:
                raise
            raise click.ClickException(
                visible_lines(told)
            ) from None  # the cause may hold a password or a person's data


@click.group(cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110})
@click.version_option(__version__, prog_name="hub")
def hub() -> None:
    """Switchboard: CDP webhooks in, normalised profiles, distributions out."""
