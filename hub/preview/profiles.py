"""Profiles as messages would make them, with nothing stored: the same rules as the store's, applied in memory.

A test holds this equal to what the store makes of the same messages.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from hub.mapping.model import Micros
from hub.profiles.links import with_rows
from hub.profiles.rules.clusters import survivors
from hub.profiles.rules.stamps import (
    STATUS,
    Document,
    address_subject,
    bounded,
    consent_stamp,
    consent_wins,
    contribution,
    join,
    matched,
    merge,
    stamp_time,
)
from hub.profiles.rules.views import ConsentStatement, addresses_of, channel_trait, view
from hub.profiles.values import AppliedChange, View
from hub.sdk.text import storable

Stamp = tuple[int, int, str, int]
Word = tuple[Stamp, ConsentStatement]


class Imagined:
    """Everybody of whom these messages speak. `roots`: each source_id to the one through whom it is read."""

    def __init__(self, changes: Sequence[AppliedChange]) -> None:
        self._documents: dict[str, Document] = {}
        self._identities: dict[tuple[str, str, str], tuple[Micros, str, str]] = {}
        self._own: dict[tuple[str, str], Word] = {}
        self._of_addresses: dict[tuple[str, str], Word] = {}
        links: set[tuple[str, str]] = set()
        for applied in changes:
            links.update((link.loser, link.survivor) for link in applied.change.links if link.loser != link.survivor)
            self._hear(applied)
        for end in with_rows(changes):
            self._documents.setdefault(end, {})
        chosen = survivors(links)
        self.roots = {source_id: chosen.get(source_id, source_id) for source_id in self._documents}

    def members(self, root: str) -> list[str]:
        """Everyone read through this one, in order."""
        return sorted(one for one, through in self.roots.items() if through == root)

    def view(self, root: str) -> View:
        """The profile as outbound mappings read it."""
        document = join(self._documents[one] for one in self.members(root))
        return view(root, document, self._identities_of(root), self._consents_of(root, document))

    def holders(self, kind: str, value: str) -> list[str]:
        """The source_ids an identifier is linked to."""
        return sorted(
            {one for one, of_kind, known in self._identities if (of_kind, known) == (kind, matched(kind, value))}
        )

    def identifiers(self, source_id: str) -> dict[str, list[str]]:
        """Everything a person is known by, as an erasure carries it."""
        members = self.members(self.roots.get(source_id, source_id)) or [source_id]
        found: dict[str, set[str]] = {"source_id": set(members)}
        for (member, kind, _), (_, _, shown) in self._identities.items():
            if member in members:
                found.setdefault(kind, set()).add(shown)
        for member in members:
            for kind, value in addresses_of(self._documents.get(member, {})).items():
                found.setdefault(kind, set()).add(value)
        return {kind: sorted(values) for kind, values in sorted(found.items())}

    def _hear(self, applied: AppliedChange) -> None:
        change, key = applied.change, applied.message_key
        for consent in change.consents:
            stamp = consent_stamp(consent, key, 0, applied.received_at)
            source = consent.source and storable(consent.source)
            word = (stamp, ConsentStatement(bounded(consent.topic, 255), STATUS[consent.granted], stamp[0], source))
            if change.source_id is not None:
                _keep(self._own, change.source_id, word)
            if consent.address:
                _keep(self._of_addresses, address_subject(consent.address), word)
        if change.source_id is None:
            return
        merge(self._documents.setdefault(change.source_id, {}), contribution(change, key, 0, applied.received_at))
        for kind, sent, at in change.identities:
            place = (change.source_id, bounded(kind, 64), matched(kind, sent))
            heard = (stamp_time(at, applied.received_at), key, storable(sent))
            if place not in self._identities or heard[:2] < self._identities[place][:2]:
                self._identities[place] = heard

    def _identities_of(self, root: str) -> list[tuple[str, str]]:
        """Those first heard of most recently in front."""
        rows = [
            (-at, key, kind, shown)
            for (member, kind, _), (at, key, shown) in self._identities.items()
            if self.roots[member] == root
        ]
        return [(row[2], row[3]) for row in sorted(rows)]

    def _consents_of(self, root: str, document: Document) -> Iterable[ConsentStatement]:
        """The latest word of each topic over all members, and the words about the present addresses."""
        latest: dict[str, Word] = {}
        for (member, topic), word in self._own.items():
            if self.roots[member] == root and (topic not in latest or word[0][:3] > latest[topic][0][:3]):
                latest[topic] = word
        said = [word for _, word in latest.values()]
        for trait, address in addresses_of(document).items():
            said += [
                word
                for (subject, topic), (_, word) in self._of_addresses.items()
                if subject == address_subject(address) and channel_trait(topic) in (trait, None)
            ]
        return said


def _keep(words: dict[tuple[str, str], Word], subject: str, word: Word) -> None:
    place: Any = (subject, word[1].topic)
    if place not in words or consent_wins(word[0], words[place][0]):
        words[place] = word
