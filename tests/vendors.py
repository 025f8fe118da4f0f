"""The engagement platforms of an end-to-end test: simulators over real HTTP, and what arrived at them."""

from __future__ import annotations

from contextlib import ExitStack
from typing import Any

from hub.registry.discovery import discover
from hub.sdk.kit.simulator.base import Simulator
from tests.harness import RunningHub

CONNECTIONS = {"crm": "braze", "mail": "klaviyo"}


class Vendors:
    """One simulator per connection name."""

    def __init__(self) -> None:
        found = discover()
        self.simulators: dict[str, Simulator] = {}
        for name, connector in CONNECTIONS.items():
            simulator_class = found[connector].subject().simulator_class
            assert simulator_class is not None
            self.simulators[name] = simulator_class()
        self._open = ExitStack()

    def __enter__(self) -> Vendors:
        for simulator in self.simulators.values():
            self._open.enter_context(simulator.serving())
        return self

    def __exit__(self, *exception: object) -> None:
        self._open.__exit__(None, None, None)

    def connect(self, hub: RunningHub) -> dict[str, dict[str, Any]]:
        """Add a destination per simulator; what the CLI answered, by connection name."""
        added = {}
        for name, connector in CONNECTIONS.items():
            simulator = self.simulators[name]
            settings = {
                **{key: str(value) for key, value in simulator.example_settings().items()},
                **{f"hosts.{host}": url for host, url in simulator.base_urls().items()},
            }
            pairs = [part for key, value in settings.items() for part in ("--set", f"{key}={value}")]
            added[name] = hub.cli("destinations", "add", connector, "--name", name, "--no-check", *pairs, "--json")
        return added

    def codes(self, name: str) -> list[tuple[str, str]]:
        """(source_id, code) of every message that arrived at one vendor."""
        simulator = self.simulators[name]
        with simulator.lock:
            return [(_person(message), _code(message)) for message in simulator.messages]


def _person(message: dict[str, Any]) -> str:
    return str(message.get("external_id") or message.get("external_user_id"))


def _code(message: dict[str, Any]) -> str:
    properties = message.get("trigger_properties") or message.get("properties") or {}
    return str(properties["incentive_code"])
