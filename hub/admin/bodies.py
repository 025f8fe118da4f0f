"""Bodies as they may be shown: no secret in them, and no value of a person where those are masked."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from hub.outbox.wire.masking import Mask
from hub.sdk.json import dumps, loads
from hub.sdk.wire import MASK

KEPT_WORDS = frozenset({"kind", "name", "key", "at", "occurred_at", "position", "topic", "status", "type", "warnings"})
"""What an event, a consent or an identity says of itself and not of a person."""
PLAIN = frozenset(
    {"verdict", "reason", "at", "test", "replay", "removed", "defaults", "field_times", "rules", "ignored_items", "warnings",
     "lineage", "mapping_hash", "schema_hash", "is_mapping_of_now"}
)  # fmt: skip
"""What a canonical result says of the message and the mapping."""


def shown_body(body: bytes | None, secrets: Iterable[str], *, is_masked: bool) -> Any:
    """A body as JSON where it is JSON, else as text; None where none is kept."""
    if body is None:
        return None
    text = Mask(secrets)(body.decode("utf-8", "replace"))
    try:
        value = loads(text)
    except ValueError:
        return MASK if is_masked else text
    return masked(value) if is_masked else value


def masked(value: Any, kept: frozenset[str] = frozenset()) -> Any:
    """The same shape with every text and number masked, but for those under the names in `kept`."""
    if isinstance(value, dict):
        return {name: one if name in kept else masked(one, kept) for name, one in value.items()}
    if isinstance(value, list):
        return [masked(one, kept) for one in value]
    return value if value is None or isinstance(value, bool) else MASK


def masked_canonical(canonical: dict[str, Any]) -> dict[str, Any]:
    """A canonical result of which the mapping's part can be read and the person's cannot."""
    lists = {"events", "consents", "identities", "links", "orders"}
    return {
        name: value if name in PLAIN else masked(value, KEPT_WORDS if name in lists else frozenset())
        for name, value in canonical.items()
    }


def pretty(value: Any) -> str:
    """JSON for people to read; a text stays as it is."""
    import json

    return value if isinstance(value, str) else json.dumps(loads(dumps(value)), indent=2, ensure_ascii=False)
