"""Writes docs/reference.md from the code: `python -m tests.docs.reference`."""

from __future__ import annotations

import re
from pathlib import Path

import click
from flask import Flask

from hub.api import paths
from hub.app import blueprints
from hub.cli import hub
from hub.core.settings import Settings
from hub.sdk import errors

PAGE = Path(__file__).resolve().parent.parent.parent / "docs" / "reference.md"


def reference() -> str:
    """The whole page."""
    return "\n".join(
        [
            "# Reference",
            "",
            "Generated from the code; a test keeps it true.",
            *_settings(),
            *_commands(),
            *_api(),
            *_errors(),
            "",
        ]
    )


def _settings() -> list[str]:
    rows = ["", "## Settings", "", "| variable | default | what it does |", "| --- | --- | --- |"]
    for name, field in Settings.model_fields.items():
        default = "" if name == "secret_key" else str(field.default)
        rows.append(f"| `HUB_{name.upper()}` | {f'`{default}`' if default else ''} | {field.description} |")
    return rows


def _commands() -> list[str]:
    rows = ["", "## Commands", "", "| command | what it does |", "| --- | --- |"]
    rows.extend(f"| `{path}` | {_first_line(command)} |" for path, command in walk(hub, "hub"))
    return rows


def _api() -> list[str]:
    """Every resource with its method and the first sentence of its function, sorted by path."""
    app = Flask("reference", static_folder=None)
    paths.install(app)
    for blueprint in blueprints():
        app.register_blueprint(blueprint)
    rows = [
        "",
        "## HTTP",
        "",
        "Resources under `/hub/v1` take `Authorization: Bearer KEY` (`hub keys add`); errors are JSON with `code`, `message` and `request_id`.",
    ]
    rows += ["", "| request | what it does |", "| --- | --- |"]
    found = []
    for rule in app.url_map.iter_rules():
        told = " ".join((app.view_functions[rule.endpoint].__doc__ or "").split("\n\n")[0].split()).replace("|", "\\|")
        methods = sorted((rule.methods or set()) - {"HEAD", "OPTIONS"})
        found += [(_readable(rule.rule), method, told) for method in methods]
    rows.extend(f"| `{method} {path}` | {told} |" for path, method, told in sorted(found))
    return rows


def _readable(rule: str) -> str:
    """`/hub/v1/<any(sources, destinations):kind>/<which>` as `/hub/v1/{sources|destinations}/{which}`."""
    rule = re.sub(r"<any\(([^)]*)\):[^>]*>", lambda found: "{" + found[1].replace(", ", "\\|") + "}", rule)
    return re.sub(r"<(?:[^:>]*:)?([^>]*)>", r"{\1}", rule)


def walk(group: click.Group, path: str) -> list[tuple[str, click.Command]]:
    found: list[tuple[str, click.Command]] = []
    context = click.Context(group)
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        assert command is not None
        found.append((f"{path} {name}", command))
        if isinstance(command, click.Group):
            found.extend(walk(command, f"{path} {name}"))
    return found


def _first_line(command: click.Command) -> str:
    return " ".join((command.help or "").split("\n\n")[0].split()).replace("|", "\\|")


def _errors() -> list[str]:
    rows = ["", "## Errors", "", "| error | what it tells |", "| --- | --- |"]
    for name, error in vars(errors).items():
        if isinstance(error, type) and issubclass(error, errors.HubError):
            text = " ".join((error.__doc__ or "").split("\n\n")[0].split())
            rows.append(f"| `{name}` | {text} |")
    return rows


if __name__ == "__main__":
    PAGE.write_text(reference())
