"""Forms batches as the hub does: by route and group, to the limits that the route declares."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

import orjson

from hub.sdk.contract import Destination
from hub.sdk.values import AnyPush, Batch, Item, Rejected, Route


@dataclass
class _Open:
    """A batch that may still grow."""

    records: list[AnyPush] = field(default_factory=list)
    items: list[Item] = field(default_factory=list)
    size: int = 0
    people: Counter[str] = field(default_factory=Counter)

    def fits(self, push: AnyPush, items: Sequence[Item], size: int, route: Route, most: int) -> bool:
        if not self.records:
            return True  # one record goes alone whatever its size; the vendor answers
        if len(self.items) + len(items) > most or (route.bytes is not None and self.size + size > route.bytes):
            return False
        limit = route.items_per_profile
        return limit is None or self.people[push.person.source_id] + len(items) <= limit

    def add(self, push: AnyPush, items: Sequence[Item], size: int) -> None:
        self.records.append(push)
        self.items.extend(items)
        self.size += size
        self.people[push.person.source_id] += len(items)


def form(
    destination: Destination, pushes: Sequence[AnyPush], now: datetime, limit: int | None = None
) -> tuple[list[Batch], list[Rejected]]:
    """Batches in the order of their first record, and what is refused before sending. `limit`: items of a batch at most."""
    routes = destination.routes()
    items = {push.delivery_id: _made(destination, push, routes) for push in pushes}
    waiting = Counter[tuple[str, str]]()
    for one in items.values():
        if not isinstance(one, Rejected):
            waiting[one[0].route, one[0].group] += len(one)
    formed: list[Batch] = []
    latest: dict[tuple[str, str], _Open] = {}
    for push in pushes:
        made = items[push.delivery_id]
        if isinstance(made, Rejected):
            continue
        key = (_bulk(routes, made[0].route, waiting[made[0].route, made[0].group]), made[0].group)
        route, size = routes[key[0]], _size(made)
        if key not in latest or not latest[key].fits(push, made, size, route, min(route.items, limit or route.items)):
            latest[key] = _Open()
            formed.append(Batch(*key, latest[key].records, latest[key].items, now))
        latest[key].add(push, made, size)
    return formed, [one for one in items.values() if isinstance(one, Rejected)]


def _made(destination: Destination, push: AnyPush, routes: Mapping[str, Route]) -> Sequence[Item] | Rejected:
    made = destination.items(push)
    if isinstance(made, Rejected):
        return made
    most = routes[made[0].route].item_bytes
    largest = max(_size([one]) for one in made) if most is not None else 0
    if most is not None and largest > most:
        words = f"It has {largest} bytes; the vendor takes {most} for one element."
        return Rejected(push.delivery_id, words, code="too_large")
    return made


def _size(items: Sequence[Item]) -> int:
    """Bytes of the elements and the commas between them."""
    return sum(len(_encoded(item)) + 1 for item in items)


def _encoded(item: Item) -> bytes:
    try:
        return orjson.dumps(item.body, default=str)
    except TypeError:  # lone surrogates and integers above 64 bits
        return repr(item.body).encode("utf-8", "replace")


def _bulk(routes: Mapping[str, Route], single: str, count: int) -> str:
    """The bulk route that serves so many items of this one, else the route itself."""
    enough = [name for name, route in routes.items() if route.bulk_of == single and count >= route.bulk_from]
    return max(enough, key=lambda name: routes[name].bulk_from, default=single)
