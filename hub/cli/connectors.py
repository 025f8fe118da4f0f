"""Commands for connectors: list, scaffold, check, reload."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from hub.cli.support import ACTOR, as_json, open_hub, print_json, print_rows
from hub.cli.terminal import echo
from hub.core.settings import Settings
from hub.registry.discovery import Found, discover
from hub.runtime.process.installation import Installation
from hub.sdk.errors import ConfigurationError

if TYPE_CHECKING:
    from hub.sdk.kit.suite.runner import Verdict

PATIENCE_S = 30.0  # for every role to start again, one after the other
LOOK_S = 0.2


@click.group()
def connectors() -> None:
    """The code that speaks to vendors."""


@connectors.command("list")
@as_json
def list_(json_: bool) -> None:
    """List every connector found: bundled, in HUB_CONNECTORS_PATH, installed as packages."""
    rows = [_row(found) for found in discover(Settings().connectors_path).values()]
    print_rows(
        rows,
        ["name", "title", "source", "operations", "origin", "error"],
        empty="No connector was found; `hub connectors new NAME` writes one.",
        json_=json_,
    )


@connectors.command()
@click.argument("name")
@click.option("--source", "kind", flag_value="source", help="A source instead of a destination.")
@click.option("--destination", "kind", flag_value="destination", default=True, help="A destination (the default).")
@click.option("--into", type=click.Path(path_type=Path), default=".", help="Folder to write into. Default: this one.")
def new(name: str, kind: str, into: Path) -> None:
    """Write the folder of a new connector whose contract suite passes, for you to change bit by bit."""
    from hub.registry.scaffold import scaffold

    parent = into.resolve()
    written = scaffold(name, parent, "source" if kind == "source" else "destination", set(discover(str(parent))))
    for path in written:
        echo(path)
    echo(f"\nNext: export HUB_CONNECTORS_PATH={parent} && hub connectors check {name}")


@connectors.command()
@click.argument("name")
@as_json
def check(name: str, json_: bool) -> None:
    """Run the contract suite on a connector, by name or by its folder's path; exit code 1 if a check fails."""
    from hub.check import run

    found = _found(name)
    if found.error:
        raise ConfigurationError(f"The connector {name!r} cannot be loaded: {found.error}")
    verdicts = list(run(found))
    failed = [each for each in verdicts if each.problem]
    if json_:
        print_json(
            [{"check": v.check.name, "sentence": v.check.sentence, "problem": v.problem or None} for v in verdicts]
        )
    else:
        _print_table(verdicts)
        echo(f"{len(verdicts) - len(failed)} of {len(verdicts)} checks hold.")
    if failed:
        raise SystemExit(1)


@connectors.command()
@click.option("--wait/--no-wait", default=True, help="Wait until every role has started again, and tell what it found.")
def reload(wait: bool) -> None:
    """Let the running roles find new and changed connectors: they start again, one after the other, within seconds.

    Nothing that waits is lost, and webhooks are taken again after a moment; senders repeat what was refused meanwhile.
    Folders are looked for in the HUB_CONNECTORS_PATH that the roles were started with.
    """
    from hub.core import clock
    from hub.core.database import write
    from hub.runtime.process import restart as reloading

    hub = open_hub()
    with write(hub.engine) as database:
        roles = reloading.ask(database, clock.now(), ACTOR)
    if not roles:
        echo("No role is running; the next start finds every connector.")
        return
    echo(f"Asked to start again, one after the other: {', '.join(roles)}.")
    if wait:
        _tell_found(hub, roles)


def _tell_found(hub: Installation, roles: Sequence[str]) -> None:
    """Wait until each of the roles has started again, and tell what it found there."""
    from hub.admin.running import running
    from hub.core import clock
    from hub.core.database import read
    from hub.runtime.process import restart

    until = time.monotonic() + PATIENCE_S
    while True:
        with read(hub.engine) as database:
            waiting = restart.waiting(database, clock.now())
            found = running(database, clock.now())
        late = [role for role in roles if role in waiting or role not in found.roles or not found.roles[role].report]
        if not late or time.monotonic() > until:
            break
        time.sleep(LOOK_S)
    for sentence in [*found.findings(), *found.usable()]:
        echo(sentence)
    if late:
        raise ConfigurationError(
            f"Not started again after {PATIENCE_S:.0f} s: {', '.join(late)}; `hub doctor` looks closer."
        )


def _print_table(verdicts: Sequence[Verdict]) -> None:
    """One row a check: whether it holds, its name, and what is wrong or what it proves."""
    width = max(len(each.check.name) for each in verdicts)
    for each in verdicts:
        mark = click.style("✗", fg="red") if each.problem else click.style("✓", fg="green")
        echo(f" {each.check.name:<{width}}  {each.problem or each.check.sentence}", mark=mark)


def _found(name: str) -> Found:
    folder = Path(name)
    if folder.is_dir():
        every, name = discover(str(folder.resolve().parent)), folder.resolve().name
    else:
        every = discover(Settings().connectors_path)
    if name not in every:
        raise ConfigurationError(f"There is no connector {name!r}; there are {', '.join(sorted(every))}.")
    return every[name]


def _row(found: Found) -> dict[str, str | None]:
    destination = found.destination_class
    return {
        "name": found.name,
        "title": found.title,
        "source": "yes" if found.source_class else "no",
        "operations": ", ".join(destination.Options) if destination else "",
        "origin": found.origin,
        "error": found.error or None,
    }
