"""Memberships and consents as deliveries: which of them a merge changed, or which of them somebody has at all.

Both are built from the profile when they are sent, so a delivery names only whom and what it is about.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Connection

from hub.core.clock import Micros
from hub.distributions.values import Sync
from hub.mapping.anonymous import is_anonymous
from hub.mapping.model import REMOVED, Json
from hub.outbox.values import NewDelivery
from hub.profiles.reading import holders, views
from hub.profiles.rules.stamps import AUDIENCE, address_subject, bounded
from hub.profiles.rules.views import channel_trait
from hub.profiles.values import AppliedChange, MergeResult
from hub.sdk.values import Operation

TOPIC_CHARS = 255
Pair = tuple[str, str]


@dataclass(frozen=True, slots=True)
class States:
    """(source_id, audience key) and (source_id, consent topic) with the time of the latest word about them."""

    memberships: dict[Pair, Micros] = field(default_factory=dict)
    consents: dict[Pair, Micros] = field(default_factory=dict)

    def people(self) -> set[str]:
        return {source_id for source_id, _ in (*self.memberships, *self.consents)}


def changed_states(
    state: Connection, recent: Sequence[AppliedChange], result: MergeResult, operations: Collection[str]
) -> States:
    """What these messages changed of what is kept in step. Whoever was joined with others has all states of both."""
    found = States()
    if Operation.AUDIENCE not in operations and Operation.CONSENT not in operations:
        return found
    if Operation.AUDIENCE in operations:
        _note(found.memberships, _memberships(recent, set(result.memberships)))
    if Operation.CONSENT in operations:
        _note(found.consents, _consents(state, recent, result))
    joined = joined_at(recent, result)
    readdressed = _readdressed(recent, result) if Operation.CONSENT in operations else {}
    if not joined and not readdressed:
        return found
    known = views(state, {*joined, *readdressed})
    for source_id, at in joined.items():
        view = known.get(source_id, {})
        _note(found.memberships, (((source_id, key), at) for key in audiences_of(view)))
        _note(found.consents, (((source_id, topic), at) for topic in consents_of(view)))
    for source_id, (at, traits) in readdressed.items():
        topics = [topic for topic in consents_of(known.get(source_id, {})) if channel_trait(topic) in traits]
        _note(found.consents, (((source_id, topic), at) for topic in topics))
    return found


def state_deliveries(
    sync: Sync, states: States, roots: Mapping[str, str], *, is_quiet: bool = False
) -> Iterator[NewDelivery]:
    """One per survivor and audience or topic, for a sync of either. Who is in no `roots` was erased."""
    pairs = states.memberships if sync.operation == Operation.AUDIENCE else states.consents
    latest: dict[Pair, Micros] = {}
    for (source_id, key), at in pairs.items():
        if source_id in roots:
            _note(latest, [((roots[source_id], key), at)])
    for (root, key), at in sorted(latest.items()):
        topic = bounded(key, TOPIC_CHARS)
        record = {"audience": {"key": key}} if topic != key else {}
        yield NewDelivery(
            sync.connection_id,
            Operation(sync.operation),
            root,
            at,
            record=record,
            options=sync.options,
            topic=topic,
            is_quiet=is_quiet,
        )


def audiences_of(view: Mapping[str, Json]) -> list[str]:
    """The audiences anything is said of, in the profile as mappings read it."""
    return sorted(key for key, value in view.get("audiences", {}).items() if key and value is not REMOVED)


def consents_of(view: Mapping[str, Json]) -> list[str]:
    """The topics anything is said of."""
    return sorted(topic for topic in view.get("consents", {}) if topic)


def _note(found: dict[Pair, Micros], pairs: Any) -> None:
    for pair, at in pairs:
        found[pair] = max(at, found.get(pair, at))


def _memberships(recent: Sequence[AppliedChange], changed: set[Pair]) -> Iterator[tuple[Pair, Micros]]:
    for applied in recent if changed else ():
        change = applied.change
        for name in change.fields:
            pair = (str(change.source_id), name[len(AUDIENCE) :])
            if name.startswith(AUDIENCE) and pair in changed:
                yield pair, change.at


def _consents(state: Connection, recent: Sequence[AppliedChange], result: MergeResult) -> Iterator[tuple[Pair, Micros]]:
    """Those of the profile itself, and those of an address for everyone whose present address it is."""
    own, of_address = set(result.consented), set(result.addressed)
    if not own and not of_address:
        return
    by_address: dict[Pair, Micros] = {}
    for applied in recent:
        for consent in applied.change.consents:
            topic = bounded(consent.topic, TOPIC_CHARS)
            pair = (str(applied.change.source_id), topic)
            if pair in own:
                yield pair, applied.change.at
            held_by = (address_subject(consent.address), topic) if consent.address else None
            if held_by is not None and held_by in of_address:
                _note(by_address, [(held_by, applied.change.at)])
    held = holders(state, {address for address, _ in by_address}) if by_address else {}
    for (address, topic), at in by_address.items():
        for source_id in held[address]:
            yield (source_id, topic), at


def joined_at(recent: Sequence[AppliedChange], result: MergeResult) -> dict[str, Micros]:
    """Whoever is another person to read since these messages, with the latest time of those that can have joined."""
    if not result.joined:
        return {}
    times = [one.change.at for one in recent if one.change.links or is_anonymous(str(one.change.source_id))]
    return dict.fromkeys(result.joined, max(times)) if times else {}


def _readdressed(recent: Sequence[AppliedChange], result: MergeResult) -> dict[str, tuple[Micros, set[str]]]:
    """Who has another e-mail or phone now: what the address's holder once said holds for them since."""
    changed: dict[str, set[str]] = {}
    for source_id, trait in result.readdressed:
        changed.setdefault(source_id, set()).add(trait)
    found: dict[str, tuple[Micros, set[str]]] = {}
    for applied in recent if changed else ():
        source_id = str(applied.change.source_id)
        traits = changed.get(source_id, set()).intersection(applied.change.fields)
        if traits:
            at, before = found.get(source_id, (applied.change.at, set()))
            found[source_id] = (max(at, applied.change.at), before | traits)
    return found
