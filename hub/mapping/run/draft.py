"""The change of one message while it is being made."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from types import MappingProxyType
from typing import Any, Final

from hub.core.clock import Micros
from hub.mapping.model import Change, Consent, Erase, Event, Identity, Json, Link, Order, Verdict, Warning
from hub.mapping.values.coerce_time import to_text

MAX_WARNINGS: Final = 100
_EMPTY: Final[Mapping[str, Any]] = MappingProxyType({})
NO_NAMES: Final[frozenset[str]] = frozenset()
_FIELD_KINDS: Final = frozenset({"profile", "group", "audience"})
_HOLDERS: Final = {
    "identities": "identities", "consents": "consents", "event": "events", "order": "orders", "link": "links",
    "erase": "erasures",
}  # fmt: skip
new_tuple: Final = tuple.__new__  # a NamedTuple's own constructor takes twice as long


class Missing(Exception):
    """A required value is not there."""

    def __init__(self, path: str) -> None:
        super().__init__(path)
        self.path = path


class Draft:
    """What one message has yielded so far. `items` holds the names bound by `each`, `lets` those read so far;
    `must_bound` says that an output may exceed its bounds; `stand_ins` are the identities people are kept under.

    One is made per message: what most messages leave empty stands on the class.
    """

    at: Micros
    lets: dict[str, Any] = {}  # noqa: RUF012 - replaced, never changed in place, where there are any
    is_inbound = True
    must_bound = True
    minor_units = 0  # per unit of `currency`; 0 where it is unknown or has none
    defaults: frozenset[str] = frozenset()
    field_times: Mapping[str, Micros] = _EMPTY
    identities: tuple[Identity, ...] = ()
    events: tuple[Event, ...] = ()
    orders: tuple[Order, ...] = ()
    consents: tuple[Consent, ...] = ()
    links: tuple[Link, ...] = ()
    erasures: tuple[Erase, ...] = ()
    lineage: dict[str, Any] | None = None
    stand_ins: frozenset[str] = NO_NAMES

    def __init__(self, message: Any, message_id: str, received_at: Micros, options: Any, currency: str) -> None:
        self.message = message
        self.message_id = message_id
        self.received_at = self.at = received_at
        self.options = options
        self.currency = self.default_currency = currency
        self.items: dict[str, Json] = {}
        self.warnings: list[Warning] = []
        self.fields: dict[str, Json] = {}
        self.rules: list[str] = []

    @property
    def hub(self) -> dict[str, Json]:
        """What rows may read of the hub: `hub.received_at` and `hub.message_id`."""
        return {"received_at": to_text(self.received_at), "message_id": self.message_id}

    def warn(self, code: str, path: str, text: str) -> None:
        if len(self.warnings) < MAX_WARNINGS:
            self.warnings.append(Warning(code, path, text))

    def capped(self, at: Json) -> Micros:
        """A time of the message's own, never later than receipt; without one, the message's."""
        return min(at, self.received_at) if type(at) is int else self.at

    def made(self, kind: str) -> int:
        """How much of a kind there is: `fallback` asks."""
        if kind in _FIELD_KINDS:
            return sum(_field_kind(name) == kind for name in self.fields)
        return len(getattr(self, _HOLDERS[kind]))


def _field_kind(name: str) -> str:
    return "group" if name.startswith("groups.") else "audience" if name.startswith("audiences.") else "profile"


def add_profile(
    draft: Draft,
    fields: dict[str, Json],
    defaults: Collection[str] = NO_NAMES,
    times: Mapping[str, Micros] = _EMPTY,
) -> None:
    """Later rules win per field; a default fills only what nothing else said."""
    if not fields:
        return
    if draft.field_times or times:
        kept = {key: at for key, at in draft.field_times.items() if key not in fields}
        draft.field_times = {**kept, **times}
    if not defaults and not draft.defaults:
        if draft.fields:
            draft.fields.update(fields)
        else:
            draft.fields = fields
        return
    for key, value in fields.items():
        if key not in defaults:
            draft.defaults -= {key}
        elif key in draft.fields:
            continue
        else:
            draft.defaults |= {key}
        draft.fields[key] = value


def add_identity(draft: Draft, type_: str, value: str, at: Json) -> None:
    """`value` is checked already. The first rule that names an identity gives its time."""
    for known in draft.identities:
        if known[1] == value and known[0] == type_:
            return
    draft.identities += (new_tuple(Identity, (type_, value, draft.at if at is None else draft.capped(at))),)


def finish(draft: Draft, source_id: str | None, *, is_test: bool, is_replay: bool, ignored_items: int) -> Change:
    """The change of a message that is to be applied."""
    return new_tuple(Change, (
        Verdict.APPLY, None, source_id, draft.at, is_test, is_replay, draft.identities, draft.fields, draft.defaults,
        dict(draft.field_times) if draft.field_times else {}, draft.events, draft.orders, draft.consents, draft.links, draft.erasures, tuple(draft.rules),
        ignored_items, tuple(draft.warnings[:MAX_WARNINGS]),
    ))  # fmt: skip


def refused(
    verdict: Verdict, reason: str, draft: Draft, source_id: str | None = None, *, is_test: bool = False
) -> Change:
    """A change that is not to be applied, with its reason."""
    is_replay = False
    return Change(
        verdict, reason, source_id, draft.at, is_test, is_replay, (), {}, NO_NAMES, {}, (), (), (), (), (), (), 0,
        tuple(draft.warnings[:MAX_WARNINGS]),
    )  # fmt: skip
