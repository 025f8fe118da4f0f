"""Commands to play with: the demo and the sandbox of vendor simulators."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import click

from hub.cli.terminal import echo
from hub.core.settings import Settings
from hub.sdk.errors import ConfigurationError

if TYPE_CHECKING:
    from hub.registry.discovery import Found
    from hub.sdk.kit.subject import Subject


@click.command()
@click.option("--once", is_flag=True, help="Verify every step, then stop: exit code 0 or 1.")
@click.option("--industry", metavar="NAME", help="Play a day of ecommerce, food, services or travel instead.")
def demo(once: bool, industry: str | None) -> None:
    """Play the whole way once: webhooks in, profiles, a scheduled distribution, codes at every vendor, the sync log."""
    from functools import partial

    from hub.admin.industries import industry as named
    from hub.cli.demo import play
    from hub.cli.demo_industry import IndustryDemo

    raise SystemExit(play(is_once=once, kind=partial(IndustryDemo, named(industry)) if industry else None))


@click.command()
@click.option("--host", default="127.0.0.1", show_default=True)
@click.option("--port", default=8090, show_default=True, help="Of the page; the simulators follow, one port each.")
@click.option("--reached-as", default="", metavar="HOST", help="What hubs call this host, if not --host.")
def sandbox(host: str, port: int, reached_as: str) -> None:
    """Serve a simulator of every destination, and one page that shows how to connect each and what it received."""
    import signal
    import threading

    from hub.core.listener import refusal
    from hub.registry.discovery import discover
    from hub.sdk.kit.sandbox_page import sandbox as serving
    from hub.sdk.kit.simulator.server import CannotListen

    stop = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: stop.set())
    found = [one for one in discover(Settings().connectors_path).values() if not one.error and one.destination_class]
    try:
        with serving(_subjects(found), host, port, reached_as) as (page, stands):
            for stand in stands:
                echo(f"{stand.title}: {stand.url}\n  {stand.command}")
            echo(f"What each of them received: {page}/")
            stop.wait()
    except CannotListen as taken:
        told = refusal(taken.host, taken.port, taken.cause, host_from="--host", port_from="--port")
        raise ConfigurationError(told) from taken
    except KeyboardInterrupt:
        echo("Stopped.")


def _subjects(found: Sequence[Found]) -> dict[str, Subject]:
    """By title. A simulator that cannot be loaded is told of and left out."""
    subjects = {}
    for one in found:
        try:
            subjects[one.title] = one.subject()
        except ConfigurationError as error:
            echo(f"{one.name} has no simulator: {error}", err=True)
    return subjects
