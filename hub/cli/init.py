"""`hub init`: a ready-made data model for a trade."""

from __future__ import annotations

from typing import Any

import click
import requests

from hub.admin.connections import add_destination, reveal_once
from hub.admin.industries import Industry, SetUp, industry, industry_names, set_up
from hub.cli.support import ACTOR, as_json, json_or_text, open_hub, parse_pairs, print_json, print_rows
from hub.cli.terminal import echo
from hub.core import clock
from hub.core.database import read, write
from hub.registry import store as registry
from hub.registry.values import Connection
from hub.runtime.process.installation import Installation
from hub.sdk.errors import ConfigurationError

SANDBOX = "http://127.0.0.1:8090"


@click.command()
@click.option("--industry", "name", metavar="NAME", help="ecommerce, food, services or travel.")
@click.option(
    "--source", metavar="NAME", help="The source whose mapping it becomes. Default: the only one, or a new one."
)
@click.option("--destination", metavar="NAME", help="Where the example distribution sends. Default: the sandbox.")
@click.option("--sandbox", default=SANDBOX, show_default=True, metavar="URL", help="The page of `hub sandbox`.")
@click.option("--option", "options", multiple=True, metavar="KEY=VALUE", help="An option of the example's messages.")
@as_json
def init(
    name: str | None, source: str | None, destination: str | None, sandbox: str, options: tuple[str, ...], json_: bool
) -> None:
    """Set up a ready-made data model: schema, mapping, an example campaign and distribution. Twice does no harm.

    Without --industry, list those there are.
    """
    if name is None:
        rows = [{"industry": each, "for": industry(each).title} for each in industry_names()]
        print_rows(rows, ["industry", "for"], empty="No industry is bundled.", json_=json_)
        return
    wanted, hub, now = industry(name), open_hub(), clock.now()
    given = {key: json_or_text(value) for key, value in parse_pairs(options).items()}
    with read(hub.engine) as database:
        target = _existing(hub, database, wanted, destination)
    url = None if target or destination else _sandbox(sandbox, wanted.destination)
    with write(hub.engine) as database:
        done = SetUp()
        if url is not None:
            target = _connect(hub, database, now, wanted, url, done)
        made = set_up(hub, database, now, wanted, ACTOR, source=source, destination=target, options=given)
    made.steps[:0] = done.steps
    _tell(hub, wanted, made, target, json_=json_)


def _existing(hub: Installation, database: Any, wanted: Industry, name: str | None) -> Connection | None:
    """The destination of this name, or the sandbox's if it is connected already. Raises ConfigurationError."""
    found = registry.find(database, hub.vault, "destination", name or _sandbox_name(wanted))
    if found is None and name is not None:
        raise ConfigurationError(f"There is no destination {name!r}; `hub destinations list` shows those there are.")
    return found


def _sandbox(page: str, connector: str) -> str | None:
    """Where the sandbox serves this vendor; None if no sandbox answers."""
    try:
        answer = requests.get(f"{page.rstrip('/')}/index.json", timeout=3)
        stands = answer.json()["simulators"] if answer.ok else []
    except (requests.RequestException, ValueError, KeyError):
        return None
    return next((str(each["url"]) for each in stands if each.get("name") == connector), None)


def _connect(hub: Installation, database: Any, now: int, wanted: Industry, url: str, done: SetUp) -> Connection:
    simulator_class = hub.connectors[wanted.destination].subject().simulator_class
    assert simulator_class is not None, "the sandbox serves it"
    simulator = simulator_class()
    settings = {key: str(value) for key, value in simulator.example_settings().items()}
    settings |= {f"hosts.{host}": base for host, base in simulator.base_urls(url).items()}
    added = add_destination(hub, database, now, wanted.destination, _sandbox_name(wanted), settings, ACTOR)
    done.did(f"destination: added {added.name!r}, which is the simulator at {url}")
    return added


def _sandbox_name(wanted: Industry) -> str:
    return f"{wanted.destination}-sandbox"  # as the sandbox itself proposes


def _tell(hub: Installation, wanted: Industry, made: SetUp, target: Connection | None, *, json_: bool) -> None:
    shown = reveal_once(hub, made.new_source) if made.new_source else None
    following = list(_next(wanted, made, target))
    if json_:
        steps = [step._asdict() for step in made.steps]
        print_json({"industry": wanted.name, "steps": steps, "source": shown, "next": following})
        return
    for step in made.steps:
        echo(f"{'+' if step.is_new else '='} {step.what}")
    if shown:
        echo(f"\nThe source's webhook URL is {shown['webhook_url']}, its secret (shown only now) {shown['secret']}")
    echo("\nNext:")
    for line in following:
        echo(f"  {line}")


def _next(wanted: Industry, made: SetUp, target: Connection | None) -> list[str]:
    assert made.source is not None, "set_up chose one"
    lines = ["hub schema show                  # what is in force; hub schema key add … for your own"]
    if target is None:
        lines += [
            "hub sandbox                      # then this command again: it adds the example distribution",
            f"hub init --industry {wanted.name} --destination NAME    # or through a destination of yours",
        ]
    else:
        lines += [f"hub distributions run '{wanted.distribution['name']}'", "hub log"]
    return [*lines, f"hub demo --industry {wanted.name}   # see it play"]
