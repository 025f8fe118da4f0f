"""Changes in the words of the domain, and the state they leave, for tests of profiles and of the batch transaction."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Connection

from hub.mapping.model import Change, Consent, Event, Identity, Link, Order, Verdict
from hub.profiles import reading, store
from hub.profiles.rules.stamps import message_key
from hub.profiles.values import AppliedChange, MergeResult
from hub.sdk.json import canonical

NOW = 1_800_000_000_000_000
SECOND = 1_000_000
SOURCE = "01SOURCE000000000000000000"


def digest(text: str) -> str:
    return f"hash of {text}"


def change(source_id: str | None = "u1", at: int = 100, **parts: Any) -> Change:
    """A change of one message; `at` counts seconds from an arbitrary beginning."""
    moment = NOW - 1_000_000 * SECOND + at * SECOND
    return Change(
        verdict=parts.get("verdict", Verdict.APPLY),
        reason=parts.get("reason"),
        source_id=source_id,
        at=moment,
        is_test=False,
        is_replay=False,
        identities=tuple(Identity(kind, value, moment) for kind, value in parts.get("identities", ())),
        fields=dict(parts.get("fields", {})),
        defaults=frozenset(parts.get("defaults", ())),
        field_times={
            name: NOW - 1_000_000 * SECOND + own * SECOND for name, own in parts.get("field_times", {}).items()
        },
        events=tuple(parts.get("events", ())),
        orders=tuple(Order(order_id, moment, fields, refunds) for order_id, fields, refunds in parts.get("orders", ())),
        consents=tuple(
            Consent(topic, granted, moment, address) for topic, granted, address in parts.get("consents", ())
        ),
        links=tuple(Link(loser, survivor, moment) for loser, survivor in parts.get("links", ())),
        erasures=tuple(parts.get("erasures", ())),
        rules=("rule",),
        ignored_items=0,
        warnings=(),
    )


def event(key: str, position: int = 0, event_id: str | None = None, **properties: Any) -> Event:
    return Event(position, event_id, "track", key.title(), key, NOW - SECOND, properties)


def applied(change_: Change, message_id: str = "m1", revision: int = 0, previous: str | None = None) -> AppliedChange:
    return AppliedChange(change_, SOURCE, message_id, message_key(SOURCE, message_id), revision, NOW, previous)


def merge(state: Connection, *changes: AppliedChange) -> MergeResult:
    return store.merge(state, changes, NOW, digest)


def everyone(state: Connection) -> list[dict[str, Any]]:
    """Every profile as the public sees it, in source_id order; those that are anonymous come last."""
    shown = []
    for page_of in (store.audience, reading.anonymous):
        after: str | None = None
        while page := page_of(state, after, 3):
            shown += [store.show(state, source_id) for source_id in page]
            after = page[-1]
    return [profile for profile in shown if profile is not None]


def exported(state: Connection) -> bytes:
    """The state that guarantee G3 speaks of, as bytes: profiles, redirects, and consents of addresses nobody has."""
    redirects = state.exec_driver_sql("SELECT source_id, survivor FROM profile ORDER BY 1").fetchall()
    events = state.exec_driver_sql(
        "SELECT id, source_id, name, key, occurred_at, properties, code, order_id FROM event ORDER BY 1"
    ).fetchall()
    consents = state.exec_driver_sql("SELECT kind, subject, topic, status, at FROM consent ORDER BY 1, 2, 3").fetchall()
    parts: Sequence[Any] = [everyone(state), *(list(map(list, rows)) for rows in (redirects, events, consents))]
    return canonical(parts)
