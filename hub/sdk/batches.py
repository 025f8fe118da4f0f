"""Forms batches: by route, group and cohort, to the limits the connector declares, one batch at a time per profile.

The hub and the kit form theirs here, so a connector is tried on the batches that it will be given.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import NamedTuple

import orjson

from hub.sdk.values import AnyPush, Batch, Item, Route


class Ready(NamedTuple):
    """A delivery that is built and may be sent. `person` is the profile whose calls go one at a time."""

    id: str
    person: str
    push: AnyPush
    items: Sequence[Item]
    route: str
    group: str
    cohort: str = ""
    size: int = 0


@dataclass(slots=True)
class Formed:
    """A batch on its way: what one call will carry."""

    route: str
    group: str
    ready: list[Ready] = field(default_factory=list)
    item_count: int = 0
    size: int = 0
    people: Counter[str] = field(default_factory=Counter)

    def units(self) -> dict[str, int]:
        """What this batch takes from a rate, by unit."""
        return {"call": 1, "item": self.item_count, "profile": len(self.people)}

    def batch(self, now: datetime) -> Batch:
        """What the connector is given."""
        items = [item for one in self.ready for item in one.items]
        return Batch(self.route, self.group, [one.push for one in self.ready], items, now)


def form(
    ready: Iterable[Ready],
    routes: Mapping[str, Route],
    closed: Collection[str] = (),
    *,
    in_sequence: bool = False,
) -> tuple[list[Formed], list[Ready]]:
    """Batches in the order of their first record, and the records that wait because another batch has their profile.

    A record keeps the order it came in; every item of it goes into the same call. No bulk route is chosen that is `closed`.
    Nobody waits where the batches are sent `in_sequence`, each after the end of the one before.
    """
    records = list(ready)
    bulk = _bulk_routes(records, routes, closed)
    open_batches: dict[tuple[str, str, str], Formed] = {}
    holder: dict[str, Formed] = {}
    batches: list[Formed] = []
    deferred: list[Ready] = []
    for record in records:
        name = bulk.get((record.route, record.group), record.route)
        key = (name, record.group, record.cohort)
        batch = open_batches.get(key)
        held_by = None if in_sequence else holder.get(record.person)
        if held_by is not None and (held_by is not batch or not _fits(held_by, record, routes[name])):
            deferred.append(record)
            continue
        if batch is None or not _fits(batch, record, routes[name]):
            batch = open_batches[key] = Formed(name, record.group)
            batches.append(batch)
        _add(batch, record)
        holder[record.person] = batch
    return batches, deferred


def sizes_of(items: Sequence[Item]) -> list[int]:
    """Bytes of each element, as JSON."""
    return [len(_encoded(item)) for item in items]


def too_large(sizes: Sequence[int], route: Route) -> str | None:
    """Why the vendor would not take a record with elements of these sizes, if it would not."""
    most = route.item_bytes
    if most is None or max(sizes) <= most:
        return None
    return f"It has {max(sizes)} bytes; the vendor takes {most} for one element."


def total(sizes: Sequence[int]) -> int:
    """Bytes of the elements and the commas between them."""
    return sum(sizes) + len(sizes)


def _encoded(item: Item) -> bytes:
    try:
        return orjson.dumps(item.body, default=str)
    except TypeError:  # lone surrogates and integers above 64 bits
        return repr(item.body).encode("utf-8", "replace")


def _fits(batch: Formed, record: Ready, route: Route) -> bool:
    if not batch.ready:
        return True  # one record goes alone whatever its size; the vendor answers
    if batch.item_count + len(record.items) > route.items:
        return False
    if route.bytes is not None and batch.size + record.size > route.bytes:
        return False
    limit = route.items_per_profile
    return limit is None or batch.people[record.person] + len(record.items) <= limit


def _add(batch: Formed, record: Ready) -> None:
    batch.ready.append(record)
    batch.item_count += len(record.items)
    batch.size += record.size
    batch.people[record.person] += len(record.items)


def _bulk_routes(
    records: Sequence[Ready], routes: Mapping[str, Route], closed: Collection[str]
) -> dict[tuple[str, str], str]:
    """Which (route, group) goes over its bulk route, because enough of its items wait."""
    by_single: dict[str, list[str]] = defaultdict(list)
    for name, route in routes.items():
        if route.bulk_of and name not in closed:
            by_single[route.bulk_of].append(name)
    if not by_single:
        return {}
    counts: Counter[tuple[str, str]] = Counter()
    for record in records:
        counts[record.route, record.group] += len(record.items)
    chosen = {}
    for key, count in counts.items():
        enough = [name for name in by_single.get(key[0], ()) if count >= routes[name].bulk_from]
        if enough:
            chosen[key] = max(enough, key=lambda name: routes[name].bulk_from)
    return chosen
