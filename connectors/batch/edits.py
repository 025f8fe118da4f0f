"""Profile edits: all that a call says about one person, made of any number of deliveries.

Batch counts edits, not deliveries, and takes each custom_id once per call (doc.batch.com/developer/api/cep/profiles/update).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Final

from hub.sdk.values import EventPush, Item, Json, MessagePush

ATTRIBUTES_PER_EDIT: Final = 50
"""Native ones included (segmentio/action-destinations, batch/updateProfile/utils.ts)."""
EVENTS_PER_EDIT: Final = 15
RESET: Final = "reset"
_WRAPPED: Final = re.compile(r"(?:date|url)\((.*)\)")
_OTHERS: Final = re.compile(r"[^a-z0-9_]")
_NAME_CHARS: Final = 30


@dataclass
class Edit:
    """What one call says about one person, and which delivery said it."""

    custom_id: str
    attributes: dict[str, Json] = field(default_factory=dict)
    events: list[tuple[str, Json]] = field(default_factory=list)  # delivery_id, event
    owners: dict[str, str] = field(default_factory=dict)  # bare name of an attribute → delivery_id

    def body(self) -> dict[str, Json]:
        made: dict[str, Json] = {"identifiers": {"custom_id": self.custom_id}}
        if self.attributes:
            made["attributes"] = self.attributes
        if self.events:
            made["events"] = [event for _, event in self.events]
        return made

    def write(self, delivery_id: str, name: str, value: Json) -> None:
        """The later delivery wins, also where it gives the attribute another type."""
        bare = bare_name(name)
        for other in [one for one in self.attributes if bare_name(one) == bare] if bare in self.owners else ():
            del self.attributes[other]
        self.attributes[name] = value
        self.owners[bare] = delivery_id

    def pieces(self) -> list[Edit]:
        """This edit as several, each of a size that Batch takes."""
        attributes, events = list(self.attributes.items()), self.events
        count = max(_parts(len(attributes), ATTRIBUTES_PER_EDIT), _parts(len(events), EVENTS_PER_EDIT), 1)
        if count == 1:
            return [self]
        made = []
        for n in range(count):
            some = dict(attributes[n * ATTRIBUTES_PER_EDIT : (n + 1) * ATTRIBUTES_PER_EDIT])
            owners = {bare_name(name): self.owners[bare_name(name)] for name in some}
            made.append(Edit(self.custom_id, some, events[n * EVENTS_PER_EDIT : (n + 1) * EVENTS_PER_EDIT], owners))
        return made

    def deliveries(self) -> set[str]:
        return {*self.owners.values(), *(delivery_id for delivery_id, _ in self.events)}


def rounds(items: Iterable[Item]) -> list[list[Edit]]:
    """One call after the other, each with at most one edit per person. Deliveries are merged in their order."""
    people: dict[str, Edit] = {}
    for item in items:
        edit = people.setdefault(item.body["custom_id"], Edit(item.body["custom_id"]))
        for name, value in item.body.get("attributes", {}).items():
            edit.write(item.delivery_id, name, value)
        if "event" in item.body:
            edit.events.append((item.delivery_id, item.body["event"]))
    pieces = [edit.pieces() for edit in people.values()]
    return [
        [edits[n] for edits in pieces if n < len(edits)]
        for n in range(max((len(edits) for edits in pieces), default=0))
    ]


def attributes(fields: Mapping[str, Json], unset: Sequence[str] = ()) -> dict[str, Json]:
    """Attributes as Batch takes them: null deletes, and stands for an empty text or list, which Batch refuses."""
    made = {name: None if value in ("", [], RESET) else value for name, value in fields.items()}
    return {**made, **{name: None for name in unset if name not in made}}


def event(push: EventPush | MessagePush, name: str, at: datetime) -> dict[str, Any]:
    """Batch drops no repeated event, so each carries the hub's id. A time ahead of Batch's clock is refused."""
    given = push.fields.get("attributes") or {}
    known = {key: value for key, value in given.items() if value is not None and value not in ("", [])}
    return {"name": name, "time": _iso(min(at, push.now)), "attributes": {**known, "event_id": push.vendor_key}}


def event_name(name: str) -> str:
    """`Order Shipped` → `order_shipped`: lower case, other characters `_`, 30 of them."""
    return _OTHERS.sub("_", name.lower())[:_NAME_CHARS]


def bare_name(name: str) -> str:
    """`date(birthdate)` → `birthdate`: answers may name either."""
    found = _WRAPPED.fullmatch(name)
    return found[1] if found else name


def _iso(at: datetime) -> str:
    return at.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _parts(count: int, size: int) -> int:
    return -(-count // size)
