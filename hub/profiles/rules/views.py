"""How a profile looks to outbound mappings and to the public."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final, NamedTuple

from hub.core.clock import iso
from hub.mapping.model import REMOVED
from hub.profiles.rules.stamps import Document, stricter, value_of

_GROUPED: Final = frozenset({"address", "metadata", "groups", "audiences"})
_CHANNEL_TRAIT: Final[Mapping[str, str]] = {"email": "email", "sms": "phone", "whatsapp": "phone"}


class ConsentStatement(NamedTuple):
    """One consent as stored: by the profile itself, or by whoever holds an address."""

    topic: str
    status: str
    at: int
    source: str | None


def view(
    source_id: str,
    document: Document,
    identities: Iterable[tuple[str, str]],
    consents: Iterable[ConsentStatement],
    *,
    removed: bool = True,
) -> dict[str, Any]:
    """The nested profile of an outbound scope.

    Example: {"source_id": "u1", "email": "a@b.c", "address": {"city": "Ghent"}, "metadata": {"points": 3}, "groups":
    {}, "audiences": {}, "identities": {"email": ["a@b.c"]}, "consents": {"email": {"status": "granted", "at": "…Z"}}}.
    A removed field is REMOVED if `removed`, else left out. Identities are in the order given.
    """
    public_view: dict[str, Any] = {"source_id": source_id, "address": {}, "metadata": {}, "groups": {}, "audiences": {}}
    for name in sorted(document):
        value = value_of(document[name])
        if value is REMOVED and not removed:
            continue
        group, dot, key = name.partition(".")
        if dot and group in _GROUPED:
            public_view[group][key] = value
        elif name not in public_view:
            public_view[name] = value
    by_type: dict[str, list[str]] = {}
    for kind, value in identities:
        values = by_type.setdefault(kind, [])
        if value not in values:
            values.append(value)
    public_view["identities"] = dict(sorted(by_type.items()))
    public_view["consents"] = consents_of(consents)
    return public_view


def consents_of(consents: Iterable[ConsentStatement]) -> dict[str, dict[str, Any]]:
    """Topic to what may be done, by the stricter of all that was said; `at` and `source` are of the deciding word."""
    by_topic: dict[str, list[ConsentStatement]] = {}
    for statement in consents:
        by_topic.setdefault(statement.topic, []).append(statement)
    return {topic: _decided(words) for topic, words in sorted(by_topic.items())}


def _decided(statements: Sequence[ConsentStatement]) -> dict[str, Any]:
    status = stricter(statement.status for statement in statements)
    deciding = max(
        (statement for statement in statements if statement.status == status),
        key=lambda statement: (statement.at, statement.source or ""),
    )
    decided = {"status": status, "at": iso(deciding.at)}
    return decided if deciding.source is None else {**decided, "source": deciding.source}


def channel_trait(topic: str) -> str | None:
    """The trait that holds the address a topic's channel writes to, or None for channels without one."""
    return _CHANNEL_TRAIT.get(topic.partition(".")[0])


def addresses_of(document: Document) -> dict[str, str]:
    """The present addresses by trait: {"email": "a@b.c"}; as the profile says them, not yet folded."""
    found = {}
    for trait in ("email", "phone"):
        value = value_of(document[trait]) if trait in document else REMOVED
        if isinstance(value, str) and value:
            found[trait] = value
    return found


def public(
    view_: dict[str, Any], events: Mapping[str, int], orders: Sequence[Any], merged: Sequence[str]
) -> dict[str, Any]:
    """A profile's public JSON: `{source_id, traits, metadata, identities, consents, segments, events}` and more."""
    grouped = {"source_id", "metadata", "identities", "consents", "groups", "audiences", "address"}
    traits = {name: value for name, value in view_.items() if name not in grouped}
    if view_["address"]:
        traits["address"] = view_["address"]
    return {
        "source_id": view_["source_id"],
        "traits": traits,
        "metadata": view_["metadata"],
        "identities": view_["identities"],
        "consents": view_["consents"],
        "groups": view_["groups"],
        "audiences": view_["audiences"],
        "segments": [],
        "events": dict(sorted(events.items())),
        "orders": list(orders),
        "merged": list(merged),
    }


def public_order(order_id: str, fields: Document, refunds: Document) -> dict[str, Any]:
    """An order's public JSON: its fields, and refunds by their id."""
    values = {name: value_of(fields[name]) for name in sorted(fields)}
    back = {name: value_of(refunds[name]) for name in sorted(refunds)}
    present = {name: value for name, value in values.items() if value is not REMOVED}
    return {"id": order_id, **present, "refunds": {name: value for name, value in back.items() if value is not REMOVED}}
