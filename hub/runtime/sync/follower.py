"""What follows a merge: connections kept in step get the profiles, memberships and consents that changed, and the
events that came.

It happens in the batch's own transaction, so a message gives rise to its deliveries exactly when it is applied. What is
applied again, was sent for testing, or is older than the memory of message ids gives rise to none.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence

from sqlalchemy import Connection, select

from hub.core.clock import DAY, Micros, iso
from hub.distributions import syncs
from hub.distributions.values import Sync
from hub.mapping.model import Change, Event, Json, Order
from hub.outbox.queue import store as outbox
from hub.outbox.tables import DELIVERY
from hub.outbox.values import NewDelivery
from hub.profiles.products import with_products
from hub.profiles.reading import addressees
from hub.profiles.rules.stamps import short_hash
from hub.profiles.values import AppliedChange, MergeResult
from hub.runtime.process.installation import Installation
from hub.runtime.sync.audiences import changed_states, joined_at, state_deliveries
from hub.sdk.values import Operation

LOOK_S = 0.5  # an installation without syncs looks for a first one this often


class Follower:
    """Makes the deliveries of all syncs. Shared by nobody: one per role."""

    def __init__(self, hub: Installation, clock: Callable[[], float] = time.monotonic) -> None:
        self._memory: Micros = hub.settings.seen_days * DAY
        self._clock = clock
        self._none_until = clock()

    def follow(self, state: Connection, changes: Sequence[AppliedChange], result: MergeResult, now: Micros) -> None:
        """Put the deliveries that this merge gives rise to into the outbox, within its transaction."""
        syncs = self._syncs(state)
        if not syncs:
            return
        oldest = now - self._memory
        recent = [applied for applied in changes if _is_recent(applied, oldest)]
        if not recent:
            return
        changed = _changed(recent, result)
        with_events = {str(applied.change.source_id) for applied in recent if applied.change.events}
        operations = {sync.operation for sync in syncs}
        states = changed_states(state, recent, result, operations)
        roots = addressees(state, with_events.union(changed, states.people()))
        deliveries: list[NewDelivery] = []
        events: list[NewDelivery] = []
        for sync in syncs:
            if sync.operation == Operation.PROFILES:
                deliveries += _pushes(sync, changed, roots)
            elif sync.operation == Operation.EVENTS:
                events += _events(sync, recent, roots, now + len(events))
            else:
                deliveries += state_deliveries(sync, states, roots)
        _add_products(state, events)
        deliveries += _not_told_before(state, events)
        if deliveries:
            outbox.insert(state, deliveries, now)

    def _syncs(self, state: Connection) -> Sequence[Sync]:
        """Read in the transaction, so that a removed sync or connection gets nothing more; none is believed a while."""
        if self._clock() < self._none_until:
            return ()
        found = syncs.every(state)
        if not found:
            self._none_until = self._clock() + LOOK_S
        return found


def _is_recent(applied: AppliedChange, oldest: Micros) -> bool:
    change = applied.change
    says_something = change.source_id is not None or bool(change.consents)  # an address's consents name nobody
    if not says_something or applied.revision or change.is_replay or change.is_test:
        return False
    return change.at >= oldest


def _changed(recent: Sequence[AppliedChange], result: MergeResult) -> dict[str, Micros]:
    """The profiles that these messages made or changed, each with the latest of their times.

    A link changes whom it joins: the survivor is read with what was said of the other.
    """
    differ = {*result.changed, *result.created}
    found = joined_at(recent, result)
    for applied in recent:
        source_id, at = applied.change.source_id, applied.change.at
        if source_id is not None and source_id in differ:
            found[source_id] = max(at, found.get(source_id, at))
    return found


def _pushes(sync: Sync, changed: dict[str, Micros], roots: dict[str, str]) -> Iterator[NewDelivery]:
    """One per survivor; it is built from the profile when it is sent."""
    latest: dict[str, Micros] = {}
    for source_id, at in changed.items():
        if source_id in roots:
            root = roots[source_id]
            latest[root] = max(at, latest.get(root, at))
    for root, at in sorted(latest.items()):
        yield NewDelivery(sync.connection_id, Operation.PROFILES, root, at, options=sync.options)


def _events(
    sync: Sync, recent: Sequence[AppliedChange], roots: dict[str, str], due_at: Micros
) -> Iterator[NewDelivery]:
    """One per event, frozen as it came. Due a microsecond apart, since deliveries are taken in the order they are due."""
    named = frozenset(sync.event_keys)
    for applied in recent:
        root = roots.get(str(applied.change.source_id))
        if root is None:  # erased meanwhile, or of nobody yet
            continue
        for event in applied.change.events:
            if named and event.key not in named and event.name not in named:
                continue
            yield NewDelivery(
                sync.connection_id,
                Operation.EVENTS,
                root,
                event.occurred_at,
                record=event_record(applied, event),
                options=sync.options,
                topic="" if event.id is None else short_hash(f"{applied.connection_id}\0e\0{event.id}"),
                mapping_hash=sync.mapping_hash,
                due_at=due_at,
            )
            due_at += 1


def event_record(applied: AppliedChange, event: Event) -> dict[str, Json]:
    """The scope names of an event: {"event": {...}} and, where its message told of it, {"order": {...}}."""
    record: dict[str, Json] = {
        "event": {
            "id": f"{applied.message_id}.{event.position}" if event.id is None else event.id,
            "kind": event.kind,
            "name": event.name,
            "key": event.key,
            "occurred_at": iso(event.occurred_at),
            "properties": event.properties,
            "code": event.code,
            "order_id": event.order_id,
        }
    }
    order = _order_of(event, applied.change)
    if order is not None:
        record["order"] = _order_scope(order)
    return record


def _order_of(event: Event, change: Change) -> Order | None:
    """The order the event names; if it names none, the only one of its message."""
    if event.order_id is not None:
        return next((order for order in change.orders if order.id == event.order_id), None)
    return change.orders[0] if len(change.orders) == len(change.events) == 1 else None


def _order_scope(order: Order) -> dict[str, Json]:
    refunds = {key: refund | {"at": iso(refund["at"])} for key, refund in order.refunds.items()}
    return {"id": order.id, "at": iso(order.at), **order.fields, "refunds": refunds}


def _add_products(state: Connection, events: Sequence[NewDelivery]) -> None:
    """Complete the items of their orders from the catalogue, as it is now."""
    records = [each.record for each in events if isinstance(each.record, dict)]
    orders = [record["order"] for record in records if "order" in record]
    for order, whole in zip(orders, with_products(state, orders), strict=True):
        order.update(whole)


def _not_told_before(state: Connection, deliveries: Sequence[NewDelivery]) -> Sequence[NewDelivery]:
    """Without events whose sender's own id was passed on before: another message may tell of the same event.

    Two workers cannot pass each other here: both have written the event's one row, so the second waits for the first.
    """
    topics = {new.topic for new in deliveries if new.topic}
    if not topics:
        return deliveries
    people = {new.source_id for new in deliveries if new.topic}
    columns = DELIVERY.c
    query = select(columns.connection_id, columns.topic).where(columns.source_id.in_(sorted(people)))
    query = query.where(columns.operation == Operation.EVENTS.value, columns.topic.in_(sorted(topics)))
    known = {tuple(row) for row in state.execute(query)}
    fresh = []
    for new in deliveries:
        key = (new.connection_id, new.topic)
        if not new.topic or key not in known:
            fresh.append(new)
            known.add(key)
    return fresh
