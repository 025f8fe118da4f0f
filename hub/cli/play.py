"""Commands to play with: the demo and the sandbox of vendor simulators."""

from __future__ import annotations

import click

from hub.core.settings import Settings


@click.command()
@click.option("--once", is_flag=True, help="Verify every step, then stop: exit code 0 or 1.")
def demo(once: bool) -> None:
    """Play the whole way once: webhooks in, profiles, a scheduled distribution, codes at two vendors, the sync log."""
    from hub.cli.demo import play

    raise SystemExit(play(is_once=once))


@click.command()
@click.option("--host", default="127.0.0.1", show_default=True)
@click.option("--port", default=8090, show_default=True, help="Of the first simulator; the others follow.")
def sandbox(host: str, port: int) -> None:
    """Serve a simulator of every destination over HTTP, to connect a hub to without any vendor account."""
    import signal
    import threading
    from contextlib import ExitStack

    from hub.registry.discovery import discover
    from hub.sdk.kit.server import serve

    stop = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: stop.set())
    with ExitStack() as stack:
        for found in discover(Settings().connectors_path).values():
            simulator_class = found.subject().simulator_class if not found.error else None
            if simulator_class is None:
                continue
            simulator = simulator_class()
            url = stack.enter_context(serve(simulator, host, port))
            simulator.url = url
            port += 1
            settings = {**simulator.example_settings(), **{f"hosts.{k}": v for k, v in simulator.base_urls().items()}}
            pairs = " ".join(f"--set {key}={value}" for key, value in settings.items())
            click.echo(f"{found.title}: {url}  (what it holds: {url}/_sim/state)")
            click.echo(f"  hub destinations add {found.name} --name {found.name}-sandbox {pairs}")
        try:
            stop.wait()
        except KeyboardInterrupt:
            click.echo("Stopped.")
