"""What the outputs of a rule add to the draft of a change. Both engines end here."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from functools import lru_cache
from typing import Any, Final

from hub.core.clock import Micros
from hub.mapping.anonymous import CONTACTS, anonymous_key, is_anonymous
from hub.mapping.language.paths import fold
from hub.mapping.model import REMOVED, Consent, Erase, Event, Identity, Json, Link, Order
from hub.mapping.run.draft import NO_NAMES, Draft, add_identity, add_profile, new_tuple
from hub.mapping.values.coerce import Failed, coercion, currency_code, minor_digits
from hub.mapping.values.text import snake

MAX_NAME: Final = 300
MAX_KEY: Final = 255
STATUSES: Final = {fold(status): status for status in ("CREATED", "PAID", "FULFILLED", "CANCELED")} | {
    "cancelled": "CANCELED"
}
CONSENT_STATUSES: Final[Mapping[str, bool | None]] = {
    "granted": True, "true": True, "yes": True, "1": True, "denied": False, "false": False, "no": False, "0": False,
    "unknown": None,
}  # fmt: skip
_TO_ID = coercion("id")
_IDENTITY_COERCIONS: Final = {"email": coercion("email"), "phone": coercion("phone")}
_RECORD_AT: Final = "at"
_MONEY: Final = frozenset({"amount", "subtotal", "discount", "tax", "shipping", "items"})


def add_identities(draft: Draft, values: Json) -> None:
    """Identities whose types come from data."""
    if not isinstance(values, dict):
        return draft.warn("not_an_object", "identities", "identities are an object of type and value")
    for type_, given in values.items():
        for value in given if isinstance(given, list) else [given]:
            checked = _IDENTITY_COERCIONS.get(type_, _TO_ID)(value)
            if isinstance(checked, Failed):
                draft.warn(checked.code, f"identities.{type_[:MAX_KEY]}", checked.text)
            elif 0 < len(type_) <= MAX_KEY:
                add_identity(draft, type_, checked, None)
    return None


def add_consents(draft: Draft, values: Json) -> None:
    """Consents whose topics come from data: topic -> status or record, or records with a `topic`."""
    if isinstance(values, dict):
        for topic, value in values.items():
            add_consent(draft, topic, value)
    elif isinstance(values, list):
        for record in values:
            if isinstance(record, dict):
                add_consent(draft, record.get("topic"), record)


def add_consent(draft: Draft, topic: Json, value: Json) -> None:
    """`value` is a status or a record with `status`. Per topic and address the later rule wins."""
    record = value if isinstance(value, dict) else {"status": value}
    if not isinstance(topic, str) or not 0 < len(topic) <= MAX_KEY:
        return draft.warn("consent_without_topic", "consents", "a consent needs a topic of 1 to 255 characters")
    status = record.get("status")
    text = (
        status.strip().lower()
        if isinstance(status, str)
        else str(status).lower()
        if type(status) in (bool, int)
        else ""
    )
    if text not in CONSENT_STATUSES:
        return draft.warn("invalid_consent", f"consents.{topic}", "the status is none of granted, denied, unknown")
    address, origin = (text if isinstance(text, str) else None for text in map(record.get, ("address", "source")))
    consent = Consent(
        topic,
        CONSENT_STATUSES[text],
        draft.capped(record.get(_RECORD_AT)),
        address,
        origin,
        record.get("proof"),
    )
    others = tuple(known for known in draft.consents if known.topic != topic or known.address != address)
    draft.consents = (*others, consent)
    return None


def add_group(draft: Draft, record: dict[str, Json], _declared: frozenset[str]) -> None:
    """A group of which only the id is known fills, it never overwrites what is known of it."""
    group_id = record.get("id")
    if group_id is None:
        return draft.warn("group_without_id", "group.id", "a group needs an id")
    key = f"groups.{group_id}"
    times = {key: draft.capped(record[_RECORD_AT])} if _RECORD_AT in record else {}
    if record.get("member") is False:
        return add_profile(draft, {key: REMOVED}, NO_NAMES, times)
    facts = {name: record[name] for name in ("name", "metadata") if name in record}
    return add_profile(draft, {key: facts}, NO_NAMES if facts else {key}, times)


def add_audience(draft: Draft, record: dict[str, Json], declared: frozenset[str]) -> None:
    key = record.get("key")
    if key is None:
        return draft.warn("audience_without_key", "audience.key", "an audience needs a key")
    if "member" in declared and "member" not in record:
        return draft.warn(
            "audience_without_member", "audience.member", "nothing says whether this is an entry or an exit"
        )
    field = f"audiences.{key}"
    value = {"member": record.get("member", True)} | {name: record[name] for name in ("id", "name") if name in record}
    times = {field: draft.capped(record[_RECORD_AT])} if _RECORD_AT in record else {}
    return add_profile(draft, {field: value}, NO_NAMES, times)


def add_event(draft: Draft, record: dict[str, Json], _declared: frozenset[str]) -> None:
    get = record.get
    new_event(
        draft, get("name"), get("id"), get("kind"), get("key"), get("occurred_at"), get("properties"), get("code"), get("order_id")
    )  # fmt: skip


EVENT_FIELDS: Final = ("name", "id", "kind", "key", "occurred_at", "properties", "code", "order_id")


def new_event(
    draft: Draft, name: Json, id_: Json, kind: Json, key: Json, at: Json, properties: Json, code: Json, order_id: Json
) -> None:
    """The fields in the order of EVENT_FIELDS; None for those that are absent."""
    if name is None:
        draft.warn("event_without_name", "event.name", "an event needs a name")
        return
    if len(name) > MAX_NAME:
        draft.warn("name_cut", "event.name", f"the event's name was cut to {MAX_NAME} characters")
        name = name[:MAX_NAME]
    event = (
        len(draft.events),
        id_,
        kind or "event",
        name,
        key or event_key(name),
        draft.at if at is None else draft.capped(at),
        {} if properties is None else properties,
        code,
        order_id,
    )
    draft.events += (new_tuple(Event, event),)


@lru_cache(maxsize=4096)
def event_key(name: str) -> str:
    """`Order Completed` -> `order_completed`. A name without letters and digits gets one made of its hash."""
    key = snake(name)[:MAX_KEY].rstrip("_")
    return key or "event_" + hashlib.blake2b(name.encode("utf-8", "replace"), digest_size=4).hexdigest()


def open_order(draft: Draft, currency: Json) -> str | None:
    """Set the currency that rules this order's money; None where the message names none or a wrong one."""
    code = currency_code(currency) if isinstance(currency, str) else None
    if code is None and isinstance(currency, str):
        draft.warn(
            "invalid_currency", "order.currency", "the currency is not an ISO 4217 code; the connection's is taken"
        )
    draft.currency = code or draft.default_currency
    draft.minor_units = minor_units(draft.currency)
    return code


def minor_units(currency: str) -> int:
    """100 for most; 0 for a currency that is unknown or has no minor units."""
    digits = minor_digits(currency)
    return 0 if digits is None else int(10**digits)


def add_order(draft: Draft, record: dict[str, Json], _declared: frozenset[str], code: str | None = None) -> None:
    """Ends what `open_order` began."""
    currency, draft.currency = draft.currency, draft.default_currency
    draft.minor_units = 0
    order_id = record.pop("id", None)
    if order_id is None:
        return draft.warn("order_without_id", "order.id", "an order needs an id")
    at = draft.capped(record.pop(_RECORD_AT, None))
    refund = record.pop("refund", None)
    status = record.get("status")
    if status is not None:
        known = STATUSES.get(fold(status))
        if known is None:
            draft.warn(
                "invalid_status", "order.status", f"the status is none of {', '.join(sorted(set(STATUSES.values())))}"
            )
            del record["status"]
        else:
            record["status"] = known
    if "items" in record and not _are_items(record["items"]):
        draft.warn("not_a_list", "order.items", "items are a list of objects")
        del record["items"]
    if code is not None or not _MONEY.isdisjoint(record):
        record["currency"] = currency
    refunds = {} if refund is None else _refund(draft, refund, at)
    draft.orders += (Order(order_id, at, record, refunds),)
    return None


def _are_items(items: Json) -> bool:
    return isinstance(items, list) and all(isinstance(item, dict) for item in items)


def _refund(draft: Draft, refund: dict[str, Json], at: Micros) -> dict[str, Json]:
    if "amount" not in refund:
        draft.warn("refund_without_amount", "order.refund", "a refund needs an amount")
        return {}
    when = draft.capped(refund[_RECORD_AT]) if _RECORD_AT in refund else at
    return {refund.get("id") or draft.message_id: {"amount": refund["amount"], "at": when}}


def add_link(draft: Draft, record: dict[str, Json], _declared: frozenset[str]) -> None:
    """`old` and `new` of a type that people are kept under are two such people. A `loser` may be either, then it is
    taken as both: the vendor does not say whether it was a source_id or an identifier of that type.
    """
    loser, survivor = record.get("loser", record.get("old")), record.get("survivor", record.get("new"))
    if loser is None or survivor is None:
        return draft.warn("link_incomplete", "link", "a link needs both the id that goes and the one that stays")
    kind = record.get("type")
    if kind in CONTACTS:
        return draft.warn(
            "link_by_contact", "link", "a shared e-mail address or phone number never merges two profiles"
        )
    if is_anonymous(loser) or is_anonymous(survivor):
        return draft.warn("reserved_id", "link", "what begins with `anonymous:` is not a source_id")
    if loser == survivor:
        return draft.warn("link_to_itself", "link", "both ids of the link are the same")
    at = draft.capped(record.get(_RECORD_AT))
    if kind not in draft.stand_ins:
        draft.links += (Link(loser, survivor, at),)
    elif "loser" in record:
        draft.links += (Link(loser, survivor, at), Link(anonymous_key(kind, loser), survivor, at))
    else:
        draft.links += (Link(anonymous_key(kind, loser), anonymous_key(kind, survivor), at),)
    return None


def add_erase(
    draft: Draft, record: dict[str, Json], _declared: frozenset[str], identities: tuple[Identity, ...] = ()
) -> None:
    source_id = record.get("source_id")
    if source_id is None and not identities:
        return draft.warn("erase_of_nobody", "erase", "an erasure needs a source_id or identities")
    request_id = record.get("request_id") or draft.message_id
    at = draft.capped(record.get(_RECORD_AT))
    draft.erasures += (Erase(source_id, identities, request_id, record.get("regulation", "erase"), at),)
    return None


ADDERS: Final[Mapping[str, Any]] = {
    "event": add_event, "group": add_group, "audience": add_audience, "link": add_link,
}  # fmt: skip
