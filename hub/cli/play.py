"""Commands to play with: the demo and the sandbox of vendor simulators."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import click

from hub.cli.support import print_json
from hub.cli.terminal import echo
from hub.core.settings import Settings
from hub.sdk.errors import ConfigurationError
from hub.sdk.kit.simulator.faults import KINDS

if TYPE_CHECKING:
    from hub.registry.discovery import Found
    from hub.sdk.kit.subject import Subject

TIMEOUT_S = 5.0
VENDOR = click.argument("vendor")


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


@click.group(invoke_without_command=True)
@click.option("--host", default="127.0.0.1", show_default=True)
@click.option(
    "--port", default=8090, show_default=True, help="Of the page; each simulator has its own place behind it."
)
@click.option("--reached-as", default="", metavar="HOST", help="What hubs call this host, if not --host.")
@click.pass_context
def sandbox(ctx: click.Context, host: str, port: int, reached_as: str) -> None:
    """Serve a simulator of every destination, and one page that shows how to connect each and what it received.

    With a command behind it: look into a sandbox that is running, or let a vendor of it fail.
    """
    ctx.obj = f"http://{host}:{port}"
    if ctx.invoked_subcommand is None:
        _serve(host, port, reached_as)


@sandbox.command()
@VENDOR
@click.option("--status", type=click.IntRange(100, 599), help="Answer with it, in the vendor's own words.")
@click.option("--retry-after", type=click.FloatRange(0), metavar="SECONDS", help="As the vendor tells it.")
@click.option("--times", type=click.IntRange(1, 1_000_000), default=1, show_default=True, help="How many calls.")
@click.option("--after", type=click.IntRange(0), default=0, show_default=True, help="So many calls go well first.")
@click.option("--path", default="", help="Only calls whose path begins so.")
@click.option(
    "--kind", type=click.Choice(KINDS[1:]), default="answer", show_default=True, help="What goes wrong instead."
)
@click.pass_obj
def fail(
    page: str, vendor: str, status: int | None, retry_after: float | None, times: int, after: int, path: str, kind: str
) -> None:
    """Let the next calls to a vendor fail: `hub sandbox fail NAME --status 429 --retry-after 20 --times 3`."""
    if kind == "answer" and status is None:
        raise ConfigurationError("Say how it fails: --status 429, or --kind timeout.")
    asked = {"kind": kind, "status": status, "retry_after": retry_after, "times": times, "after": after, "path": path}
    pending = _ask(page, vendor, "next", asked)["pending"]
    echo(f"{vendor}: {pending} calls are scripted; `hub sandbox reset {vendor}` takes that back.")


@sandbox.command()
@VENDOR
@click.pass_obj
def state(page: str, vendor: str) -> None:
    """What a vendor holds now, as JSON."""
    print_json(_ask(page, vendor, "state"))


@sandbox.command()
@VENDOR
@click.pass_obj
def received(page: str, vendor: str) -> None:
    """The calls that a vendor received, as JSON, credentials included."""
    print_json(_ask(page, vendor, "received"))


@sandbox.command()
@VENDOR
@click.pass_obj
def unexpected(page: str, vendor: str) -> None:
    """Calls that the real vendor does not have, as JSON."""
    print_json(_ask(page, vendor, "unexpected"))


@sandbox.command()
@VENDOR
@click.pass_obj
def reset(page: str, vendor: str) -> None:
    """Forget the calls of a vendor and what it was told to do wrong; what it holds stays."""
    _ask(page, vendor, "reset", {})
    echo(f"{vendor}: calls and scripted failures are forgotten.")


def _ask(page: str, vendor: str, what: str, body: Mapping[str, Any] | None = None) -> Any:
    """What the simulator of a running sandbox answers below /_sim/. Raises ConfigurationError."""
    import requests

    try:
        stands = requests.get(f"{page}/index.json", timeout=TIMEOUT_S).json()["simulators"]
        url = {str(one["name"]): str(one["url"]) for one in stands}.get(vendor)
        if url is None:
            raise ConfigurationError(
                f"The sandbox has no {vendor!r}; it has {', '.join(one['name'] for one in stands)}."
            )
        answer = requests.request("GET" if body is None else "POST", f"{url}/_sim/{what}", json=body, timeout=TIMEOUT_S)
        told = answer.json()
    except (requests.RequestException, ValueError, KeyError) as error:
        raise ConfigurationError(
            f"No sandbox answers at {page} ({type(error).__name__}); start it with `hub sandbox`, or say"
            " `hub sandbox --port PORT …`."
        ) from None
    if not answer.ok:
        raise ConfigurationError(f"The sandbox refused that: {told['message']}")
    return told


def _serve(host: str, port: int, reached_as: str) -> None:
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
