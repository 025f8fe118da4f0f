"""The people of an audience, a page at a time: read through merges, with what the gates of a distribution ask."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection

from hub.core.bulk import select_by
from hub.distributions.rules import audience_of
from hub.distributions.values import Recipient
from hub.outbox.values import ERASED_PREFIX
from hub.profiles import store as profiles
from hub.profiles.reading import addressees

Digest = Callable[[str], str]


@dataclass(frozen=True, slots=True)
class RecipientPage:
    """Some people of an audience. The next page goes on after `cursor`."""

    people: Sequence[Recipient]
    cursor: str
    is_last: bool


def recipients(
    connection: Connection, audience: Any, after: str, limit: int, consent: str, digest: Digest
) -> RecipientPage:
    """The next people of an audience, those merged into another as that one, so nobody comes under two names.

    Erased people, anonymous ones and source_ids nobody has come only where the audience names them; an erased one under its tombstone.
    """
    named = audience_of(audience).source_ids
    if named is None:
        ids: Sequence[str] = profiles.audience(connection, after or None, limit)
    else:
        start = bisect_right(named, after) if after else 0
        ids = named[start : start + limit]
    people = _read(connection, ids, consent, digest)
    return RecipientPage(people, ids[-1] if ids else after, len(ids) < limit)


def _read(connection: Connection, ids: Sequence[str], consent: str, digest: Digest) -> list[Recipient]:
    gone = profiles.erased(connection, ids, digest)
    redirects = addressees(connection, [one for one in ids if one not in gone])
    survivors = sorted(set(redirects.values()))
    merged: dict[str, list[str]] = {}
    for survivor, source_id in select_by(
        connection, "SELECT survivor, source_id FROM profile WHERE survivor", survivors, "ORDER BY survivor, source_id"
    ):
        merged.setdefault(survivor, []).append(source_id)
    consents = profiles.consent_for(connection, survivors, [consent]) if consent else {}
    people: dict[str, Recipient] = {}
    for one in ids:
        if one in gone:
            name = f"{ERASED_PREFIX}{digest(one)}"
            people[name] = Recipient(name, is_erased=True)
        elif one not in redirects:
            people[one] = Recipient(one, is_known=False)
        else:
            root = redirects[one]
            granted = {topic: state.is_granted for topic, state in consents.get(root, {}).items()}
            people[root] = Recipient(root, merged.get(root, ()), granted)
    return list(people.values())
