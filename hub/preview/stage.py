"""Deliveries played out as the deliver role would, against a simulator, with every request noted."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from hub.core.clock import Micros, to_datetime
from hub.mapping.model import Json
from hub.outbox.engine.build import Builder, Built, Known, View
from hub.outbox.values import Row
from hub.sdk.batches import Ready, form
from hub.sdk.json import loads
from hub.sdk.kit.bench.bench import Bench
from hub.sdk.values import Accepted, Again, Batch, Rejected, Request, Response
from hub.sdk.wire import encode


@dataclass
class Stage:
    """`requests` are {method, url, headers, body}, secrets masked; `notes` tell what is not sent."""

    bench: Bench
    builder: Builder
    hosts: Mapping[str, str]
    views: Mapping[str, View]
    now: Micros
    requests: list[dict[str, Json]] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def play(self, rows: Sequence[Row]) -> None:
        """Round by round: one call at a time per person, and what must come after another operation waits for it."""
        waiting = list(rows)
        while waiting:
            by_id = {row.id: row for row in waiting}
            built = list(self._built(waiting))
            ready, later = self._in_order(built)
            batches, deferred = form(ready, self.builder.routes)
            for formed in batches:
                self._run(formed.batch(to_datetime(self.now)))
            waiting = [by_id[one.id] for one in (*deferred, *later)]

    def _built(self, rows: Sequence[Row]) -> Iterator[Built]:
        known = Known(self.views, {}, self.bench.remembered)
        for row in rows:
            one = self.builder.build(row, known, self.now, to_datetime(self.now))
            if isinstance(one, Built):
                self.notes.extend(one.notes)
                yield one
            else:
                what = f"The {row.operation} delivery of {row.source_id}"
                self.notes.append(f"{what} would be {one.state} ({one.reason}): {one.detail}")

    def _in_order(self, built: Sequence[Built]) -> tuple[list[Ready], list[Ready]]:
        """What may go now, and what waits for an operation of the same person."""
        under_way = {(one.row.operation, one.ready.person) for one in built}
        now: list[Ready] = []
        later: list[Ready] = []
        for one in built:
            first = self.builder.routes[one.ready.route].after
            has_to_wait = any(
                each.value != one.row.operation and (each.value, one.ready.person) in under_way for each in first
            )
            (later if has_to_wait else now).append(one.ready)
        return now, later

    def _run(self, batch: Batch) -> None:
        """What the simulated vendor or the connector says of a record, beside its requests, is a note."""
        end, reports = self.bench.run(batch, self._send)
        people = {
            push.delivery_id: f"the {push.operation} delivery of {push.person.source_id}" for push in batch.records
        }
        for one in reports:
            if isinstance(one, Accepted):
                self.notes.extend(f"With {people[one.delivery_id]}: {notice}" for notice in one.notices)
            elif isinstance(one, Rejected | Again):
                self.notes.append(f"The simulated vendor does not take {people[one.delivery_id]}: {one.reason}")
        if end.error is not None:
            told = ", ".join(people[one] for one in end.open_ids[:3])
            self.notes.append(f"The simulated vendor does not take {told}: {end.error}")

    def _send(self, request: Request) -> Response:
        wire = encode(request, self.hosts, self.bench.destination.auth(), masked=True)
        shown = {"method": wire.method, "url": wire.url, "headers": dict(wire.headers), "body": _shown(wire.body)}
        self.requests.append(shown)
        return self.bench.send(request)


def _shown(body: bytes | None) -> Any:
    if body is None:
        return None
    try:
        return loads(body)
    except ValueError:
        return body.decode("utf-8", "replace")
