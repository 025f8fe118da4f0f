"""Batches of a destination's pushes, formed as the hub forms them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime

from hub.sdk.batches import Ready, form, sizes_of, too_large, total
from hub.sdk.contract import Destination
from hub.sdk.values import AnyPush, Batch, Rejected, Route


def batches_of(
    destination: Destination, pushes: Sequence[AnyPush], now: datetime, limit: int | None = None
) -> tuple[list[Batch], list[Rejected]]:
    """Batches in the order of their first record, and what is refused before sending. `limit`: items of a batch at most."""
    routes = destination.routes()
    if limit is not None:
        routes = {name: replace(route, items=min(route.items, limit)) for name, route in routes.items()}
    made = [_made(destination, push, routes) for push in pushes]
    formed, _ = form([one for one in made if isinstance(one, Ready)], routes, in_sequence=True)
    return [one.batch(now) for one in formed], [one for one in made if isinstance(one, Rejected)]


def _made(destination: Destination, push: AnyPush, routes: Mapping[str, Route]) -> Ready | Rejected:
    items = destination.items(push)
    if isinstance(items, Rejected):
        return items
    sizes = sizes_of(items)
    words = too_large(sizes, routes[items[0].route])
    if words is not None:
        return Rejected(push.delivery_id, words, code="too_large")
    person = push.person.source_id
    return Ready(push.delivery_id, person, push, items, items[0].route, items[0].group, size=total(sizes))
