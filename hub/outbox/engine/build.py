"""Turns a claimed row into what a connector is given: fresh profile or frozen record, mapped, with its delta."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple

from pydantic import BaseModel, ValidationError

from hub.core.clock import Micros, iso, to_datetime
from hub.core.secrets import Vault
from hub.outbox.queue import delta
from hub.outbox.queue.claim import Ended
from hub.outbox.queue.finish import Push as PushedLater
from hub.outbox.rules import DETAIL_CHARS, REASON_CHARS, is_fresh, may_repeat
from hub.outbox.values import Held, Mappings, Outbound, Row
from hub.registry.values import Connection
from hub.sdk.batches import Ready, sizes_of, too_large, total
from hub.sdk.contract import Destination
from hub.sdk.errors import ConfigurationError
from hub.sdk.json import loads
from hub.sdk.text import storable
from hub.sdk.values import (
    EMPTY,
    AnyPush,
    AudienceChange,
    ConsentChange,
    ErasePush,
    EventPush,
    Json,
    MessagePush,
    Operation,
    Person,
    ProfilePush,
    Rejected,
    Route,
)

View = Mapping[str, Json]
# Plain text compares several times faster than members of an enumeration, and rows hold text.
PROFILES, EVENTS, MESSAGES = Operation.PROFILES.value, Operation.EVENTS.value, Operation.MESSAGES.value
AUDIENCE, CONSENT, ERASE = Operation.AUDIENCE.value, Operation.CONSENT.value, Operation.ERASE.value
NOTES_KEPT = 20
_NONE: Mapping[str, str] = {}
EXPIRED = "An earlier attempt may have reached the vendor, and the time in which it ignores a repeat is over."


class Built(NamedTuple):
    """A delivery ready for a batch, and what to keep of it while it is under way."""

    ready: Ready
    row: Row
    push: PushedLater | None
    saved: int  # fields that the delta left out
    notes: Sequence[str] = ()  # what the mapping dropped, in words


class Known(NamedTuple):
    """What was read with the claim, by survivor: hashes last accepted, vendor ids."""

    views: Mapping[str, View]
    pushed: Mapping[str, Mapping[str, str]]
    remembered: Mapping[str, Mapping[str, str]]


@dataclass
class Builder:
    """Builds pushes of one connection; made anew when the connection changes.

    A row that ends here comes back as Ended. Raises ConfigurationError where nothing can be sent until an operator acts.
    """

    connection: Connection
    destination: Destination
    mappings: Mappings
    vault: Vault | None = None

    def __post_init__(self) -> None:
        self.routes: Mapping[str, Route] = self.destination.routes()
        self._sized = any(route.bytes or route.item_bytes for route in self.routes.values())
        self._options: dict[tuple[str, str], BaseModel | str] = {}
        self._raw_options: dict[str, Json] = {"{}": {}}
        self._mappings: dict[str, Outbound] = {}
        self._last_at: tuple[Micros, tuple[datetime, str]] = (0, (to_datetime(0), iso(0)))

    def build(self, row: Row, known: Known, now: Micros, at: datetime) -> Built | Ended:
        """The push and items of one delivery, or why it ends unsent."""
        if row.is_unknown and self._is_out_of_time(row, now):
            return Ended(row.id, "dead", "unknown", EXPIRED)
        options = self._options_of(row)
        if isinstance(options, str):
            return Ended(row.id, "dead", "unsupported" if not self._takes(row) else "options_invalid", options)
        if row.operation == ERASE:
            return self._finish(row, self._erasure(row, options, at), row.source_id)
        view = known.views.get(row.source_id)
        if view is None:
            if is_fresh(row.operation):
                return Ended(row.id, "skipped", "no_profile", "There is no profile with this source_id.")
            view = {"source_id": row.source_id, "consents": {}, "audiences": {}, "address": {}, "metadata": {}}
        record = loads(row.record) if row.record != "{}" else {}
        person = str(view["source_id"])
        scope = self._scope(row, view, record)
        mapped = self._mapping(row).apply(row.operation, scope)
        if mapped.skip:
            return Ended(
                row.id,
                "skipped",
                storable(mapped.skip, REASON_CHARS),
                "The mapping says that this is not for this destination.",
            )
        notes = [_note(one) for one in mapped.warnings[:NOTES_KEPT]] if mapped.warnings else ()
        hashes = known.pushed.get(person) or _NONE
        addresses = {name: view.get(name) or None for name in delta.ADDRESSES}
        common: dict[str, Any] = {
            "delivery_id": row.id,
            "vendor_key": f"{row.id}-r{row.replay}" if row.replay else row.id,
            "person": Person(
                person,
                addresses["email"],
                addresses["phone"],
                delta.previous(hashes, addresses) if hashes and is_fresh(row.operation) else EMPTY,
                known.remembered.get(person, EMPTY),
                view.get("consents") or EMPTY,
                _audiences(view),
            ),
            "fields": mapped.fields,
            "options": options,
            "at": self._moment(row.at)[0],
            "now": at,
            "attempt": row.attempts + 1,
            "progress": loads(row.progress) if row.progress else None,
            "quiet": bool(row.is_quiet),
        }
        if row.operation == PROFILES:
            found = delta.difference(
                mapped.fields,
                mapped.unset,
                self.destination.containers,
                hashes,
                row.options,
                is_forced=bool(row.is_forced),
            )
            if found.is_empty:
                return Ended(row.id, "skipped", "unchanged", "The vendor holds all of this already.")
            push = ProfilePush(**common, changed=found.changed, unset=found.unset)
            later = PushedLater(person, hashes, found.sending, addresses)
            return self._finish(row, push, person, later, found.saved, notes)
        return self._finish(row, self._other(row, common, scope, mapped.name), person, notes=notes)

    def _other(self, row: Row, common: dict[str, Any], scope: Mapping[str, Json], name: str | None) -> AnyPush:
        if row.operation == EVENTS:
            event = scope.get("event") or {}
            return EventPush(
                **common, event_id=str(event.get("id") or row.id), name=name or str(event.get("name") or "")
            )
        if row.operation == MESSAGES:
            code = scope.get("code") or {}
            return MessagePush(**common, distribution_id=row.distribution_id or "", code=code.get("code"))
        if row.operation == AUDIENCE:
            audience = scope["audience"]
            return AudienceChange(**common, audience=audience["key"], member=audience["member"])
        return ConsentChange(**common, consent=scope["consent"])

    def _finish(
        self,
        row: Row,
        push: AnyPush,
        person: str,
        later: PushedLater | None = None,
        saved: int = 0,
        notes: Sequence[str] = (),
    ) -> Built | Ended:
        items = self.destination.items(push)
        if isinstance(items, Rejected):
            code, reason = storable(items.code, REASON_CHARS), storable(items.reason, DETAIL_CHARS)
            return Ended(row.id, "dead", code or "rejected", reason)
        if not items:
            return Ended(row.id, "dead", "defect", "The connector made nothing to send of this record.")
        first = items[0]
        if len(items) > 1 and any(item.route != first.route or item.group != first.group for item in items):
            return Ended(row.id, "dead", "defect", "The connector spread one record over several routes or groups.")
        route = self.routes.get(first.route)
        if route is None:
            return Ended(row.id, "dead", "defect", f"The connector named the route {first.route!r}, which it has not.")
        size = 0
        if self._sized:
            sizes = sizes_of(items)
            words = too_large(sizes, route)
            if words is not None:
                return Ended(row.id, "dead", "too_large", words)
            size = total(sizes)
        ready = Ready(row.id, person, push, items, first.route, first.group, row.cohort, size)
        return Built(ready, row, later, saved, notes)

    def _scope(self, row: Row, view: View, record: dict[str, Json]) -> dict[str, Json]:
        scope = {
            **record,
            "profile": view,
            "options": self._raw(row.options),
            "delivery": {"id": row.id, "at": self._moment(row.at)[1], "quiet": bool(row.is_quiet)},
        }
        if row.operation == AUDIENCE:
            told = record.get("audience") or {}
            key = str(told.get("key") or row.topic)  # a long one is cut in the topic
            present = view["audiences"].get(key) or {}
            name = present.get("name") or told.get("name") or key
            scope["audience"] = {**told, "key": key, "member": bool(present.get("member")), "name": name}
        elif row.operation == CONSENT:
            present = view["consents"].get(row.topic) or record.get("consent") or {"status": "unknown"}
            scope["consent"] = {**present, "topic": row.topic}
        return scope

    def _erasure(self, row: Row, options: BaseModel, at: datetime) -> ErasePush:
        """Opens the sealed record. Raises ConfigurationError if it was sealed under another key."""
        if self.vault is None:
            raise ConfigurationError("An erasure can be sent only by a process that has the vault's key.")
        told = loads(self.vault.open(row.record))
        identifiers = told["identifiers"]
        person = Person(
            told["source_id"],
            next(iter(identifiers.get("email", ())), None),
            next(iter(identifiers.get("phone", ())), None),
            remembered=told["remembered"],
        )
        profile = {"source_id": told["source_id"], "identities": identifiers}
        scope = {"profile": profile, "options": self._raw(row.options), "delivery": {"id": row.id, "at": iso(row.at)}}
        mapped = self._mapping(row).apply(row.operation, scope)
        return ErasePush(
            delivery_id=row.id,
            vendor_key=f"{row.id}-r{row.replay}" if row.replay else row.id,
            person=person,
            fields=mapped.fields,
            options=options,
            at=to_datetime(row.at),
            now=at,
            attempt=row.attempts + 1,
            progress=loads(row.progress) if row.progress else None,
            quiet=bool(row.is_quiet),
            request_id=told["request_id"],
        )

    def _moment(self, at: Micros) -> tuple[datetime, str]:
        """Deliveries of one occasion share their time, so the last one is kept."""
        if self._last_at[0] != at:
            self._last_at = (at, (to_datetime(at), iso(at)))
        return self._last_at[1]

    def _is_out_of_time(self, row: Row, now: Micros) -> bool:
        held = Held(row.id, row.operation, row.attempts, 0, row.repeat, row.repeat_until, None)
        return not may_repeat(held, now, retry_unknown=self.connection.retry_unknown)

    def _mapping(self, row: Row) -> Outbound:
        wanted = row.mapping_hash or self.connection.mapping_hash
        found = self._mappings.get(wanted)
        if found is None:
            found = self._mappings[wanted] = self.mappings(wanted)
        return found

    def _raw(self, text: str) -> Json:
        found = self._raw_options.get(text)
        if found is None:
            found = self._raw_options[text] = loads(text)
        return found

    def _options_of(self, row: Row) -> BaseModel | str:
        key = (row.operation, row.options)
        found = self._options.get(key)
        if found is None:
            found = self._options[key] = self._validated(row)
        return found

    def _takes(self, row: Row) -> bool:
        return row.operation in self.destination.Options

    def _validated(self, row: Row) -> BaseModel | str:
        kind = self.destination.Options.get(Operation(row.operation))
        if kind is None:
            return f"The connector {self.connection.connector!r} has no operation {row.operation!r}."
        try:
            return kind.model_validate(self._raw(row.options))
        except ValidationError as error:
            fields = ", ".join(sorted({".".join(map(str, one["loc"])) for one in error.errors()}))
            return (
                f"The options of this {row.operation} delivery do not fit ({fields}); correct them and decide it again."
            )


def _audiences(view: View) -> Sequence[str]:
    found = view.get("audiences")
    return [key for key, value in found.items() if value and value.get("member")] if found else ()


def _note(warning: Any) -> str:
    return storable(f"{warning.code} at {warning.path}: {warning.text}", DETAIL_CHARS)
