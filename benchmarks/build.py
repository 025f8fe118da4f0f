"""Building requests alone: profiles per second on one core, from the profile as read to the bytes on the wire.

    python -m benchmarks.build [vendor …]

Mapping, delta, items, batches, request and encoding, as the deliver role does them; no database, no network. A vendor that
needs several calls is measured to its first.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Sequence
from typing import Any

from benchmarks.deliver import batch_vendors
from benchmarks.rows import Row

COUNT = 4_000
GOAL = 10_000.0  # twice what the deliver role stores in a second: building must not be what holds it up


def run(vendors: Sequence[str] = ()) -> list[Row]:
    """A row per batch vendor. Takes about five seconds."""
    return [_measure(vendor) for vendor in vendors or batch_vendors()]


def _measure(vendor: str) -> Row:
    builder, rows, known = _prepared(vendor)
    took = min(_build(builder, rows, known) for _ in range(3))
    value = COUNT / took
    detail = f"{took / COUNT * 1e6:.0f} µs each: mapping, delta, items, batches, request, bytes"
    return Row(f"requests built for {vendor}", value, None, None, GOAL, detail, "/s", "least")


def _build(builder: Any, rows: Sequence[Any], known: Any) -> float:
    from hub.core.clock import now, to_datetime
    from hub.sdk.batches import form
    from hub.sdk.values import Batch, Request
    from hub.sdk.wire import encode

    destination, at = builder.destination, now()
    moment, hosts, auth = to_datetime(at), destination.hosts(), destination.auth()
    started = time.perf_counter()
    ready = [builder.build(row, known, at, moment).ready for row in rows]
    for formed in form(ready, builder.routes)[0]:
        items = [item for one in formed.ready for item in one.items]
        flow = destination.flow(Batch(formed.route, formed.group, [one.push for one in formed.ready], items, moment))
        step = next(flow)
        if isinstance(step, Request):
            encode(step, hosts, auth)
        flow.close()
    return time.perf_counter() - started


def _prepared(vendor: str) -> tuple[Any, Sequence[Any], Any]:
    from hub.core.clock import now
    from hub.mapping.outbound import compile_outbound
    from hub.mapping.versions.files import Folders
    from hub.mapping.versions.version import resolve
    from hub.outbox.engine.build import Builder, Known
    from hub.outbox.values import Row as Delivery
    from hub.registry.discovery import discover
    from hub.registry.values import Connection
    from hub.sdk.kit.bench.bench import in_memory

    destination = in_memory(discover("")[vendor].subject()).destination
    mapping = compile_outbound(resolve(vendor, "", Folders()).document)
    at = now()
    given: dict[str, Any] = dict.fromkeys(Connection.__dataclass_fields__)
    connection = Connection(**given | {"id": "C" * 26, "connector": vendor, "mapping_hash": "h"})
    empty: dict[str, Any] = dict.fromkeys(Delivery._fields, "")
    empty |= dict.fromkeys(("attempts", "waited_us", "replay", "is_unknown", "is_manual", "is_quiet", "is_forced"), 0)
    empty |= {"operation": "profiles", "record": "{}", "options": "{}", "mapping_hash": "h", "at": at, "created_at": at}
    rows = [Delivery(**empty | {"id": f"D{n:025d}", "source_id": f"user-{n:06d}"}) for n in range(COUNT)]
    return (
        Builder(connection, destination, lambda _: mapping),
        rows,
        Known({row.source_id: _view(row.source_id, n) for n, row in enumerate(rows)}, {}, {}),
    )


def _view(source_id: str, number: int) -> dict[str, Any]:
    return {
        "source_id": source_id,
        "email": f"person{number}@example.com",
        "first_name": f"Name{number}",
        "last_name": "Lovelace",
        "timezone": "Europe/Brussels",
        "birthdate": "1990-05-01",
        "address": {"city": "Ghent", "country": "Belgium"},
        "metadata": {"points": number, "tier": "gold", "store": f"store {number % 100}"},
        "consents": {},
        "audiences": {},
        "groups": {},
    }


if __name__ == "__main__":
    for row in run(sys.argv[1:]):
        print(f"{row.value:10,.0f}/s  {row.name}: {row.detail}")
