"""What tests of the contract's promises share."""

from __future__ import annotations

from typing import Any

from tests.rooms.outbox.world import World


def known(hub: World, count: int, **traits: Any) -> list[str]:
    people = [f"u{number}" for number in range(count)]
    for one in people:
        hub.people.knows(one, name="x", **traits)
    return people


def pushed_events(hub: World, who: str, count: int, **more: Any) -> list[str]:
    return [hub.decides(who, "events", record={"event": {"id": f"{who}-{n}"}}, **more) for n in range(count)]


def batch_sizes(hub: World, path: str = "") -> list[int]:
    return [len(call.json) for call in hub.vendor.calls if call.path.startswith(path) and call.json]


def order(hub: World) -> list[str]:
    """The paths of all calls, in their order."""
    return [call.path.strip("/") for call in hub.vendor.calls]
