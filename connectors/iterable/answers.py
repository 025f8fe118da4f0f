"""What Iterable's answers mean (api.iterable.com/api/docs, IterableApiResponse and the bulk responses).

Single calls answer `{"code": "Success", "msg": "...", "params": {...}}`, errors the same with another code. Bulk calls
answer 200 even where users failed, and name those by identifier, never by index.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from hub.sdk.contract import Flow, by_status
from hub.sdk.errors import AuthFailed, DeliveryError, Permanent, RateLimited, Retryable, Split, Unreadable
from hub.sdk.values import Accepted, Again, AnyPush, Batch, Item, Rejected, Report, Response

RETRY_CODES: Final = frozenset({"DatabaseError", "GenericError", "QueueEmailError"})
KEY_CODES: Final = frozenset({"BadApiKey", "BadAuthorizationHeader", "Unauthorized"})
UNKNOWN_CODES: Final = frozenset({"UnknownEmailError", "UnknownUserIdError"})
CALL_CODES: Final = frozenset({"NotFound", "ForbiddenParamsError"})  # about the call: no record of it would fare better
SHAPES: Final = frozenset({"code", "successCount", "lists", "listId", "fields"})
KNOWN_LATER_S: Final = 90.0
"""Iterable asks for a minute between an update and what depends on it (users_updateUser)."""
LAST_TRY: Final = 4
_SUFFIXES: Final = ("Emails", "UserIds")
_INDEX: Final = re.compile(r"\[(\d+)\]")
_REASONS: Final[Mapping[str, tuple[str, str]]] = {
    "invalid": ("invalid_identifier", "Iterable finds the e-mail address or the userId malformed."),
    "invalidData": ("invalid_data", "Iterable refused a value, most likely because its field has another type there."),
    "conflict": ("conflict", "The e-mail address or the userId belongs to another Iterable user."),
    "forgotten": ("forgotten", "Iterable has forgotten this person on request and takes no more data about them."),
    "notFound": ("not_found", "Iterable does not know this user."),
    "disallowed": ("disallowed_event", "The Iterable project does not take events of this name."),
}
_OF_THE_DATA: Final = frozenset({"invalidData", "conflict"})
"""Kinds that need not concern every record with the identifier that is named."""

Identifier = tuple[str, str]


@dataclass(frozen=True, slots=True)
class Refusal:
    """The error envelope of a refused call."""

    code: str
    words: str
    params: Mapping[str, Any]

    @property
    def index(self) -> int | None:
        """Of the element that is not valid JSON for this call: `{"obj.users[1].preferUserId": "Boolean value expected"}`."""
        found = [int(match[1]) for name in self.params if (match := _INDEX.search(name))]
        return found[0] if found and self.code == "BadJsonBody" else None

    @property
    def fields(self) -> list[str]:
        """Names of the fields whose type does not fit."""
        errors = self.params.get("validationErrors")
        return list(errors) if isinstance(errors, dict) else []

    @property
    def is_about_a_stranger(self) -> bool:
        said = self.words.lower()
        return self.code in UNKNOWN_CODES or ("user" in said and ("not exist" in said or "not found" in said))

    def rejected(self, delivery_id: str) -> Rejected:
        fields = self.fields
        named = f" Fields: {', '.join(fields)}; their type in Iterable is another one." if fields else ""
        return Rejected(delivery_id, self.words + named, code=self.code, field=fields[0] if fields else None)


def read(refusal: Permanent) -> Refusal:
    """Raises the refusal itself where the answer is not in Iterable's words."""
    body = _body(refusal.response) if refusal.response is not None else {}
    code, params = body.get("code"), body.get("params")
    if not isinstance(code, str) or not code:
        raise refusal
    return Refusal(code, str(body.get("msg") or code), params if isinstance(params, dict) else {})


def classify(response: Response) -> DeliveryError | None:
    """Some 401 bodies carry the code Success, so a status that says failure is trusted before the code."""
    if response.status in (401, 429):
        return by_status(response)
    if response.status < 300:
        return _success(response)
    body = _body(response)
    return by_code(str(body.get("code", "")), str(body.get("msg", "")), response) or by_status(response)


def _success(response: Response) -> DeliveryError | None:
    if response.status == 202 and not response.body:
        return None  # subscriptions may be taken for later without a word
    body = response.json()
    if not isinstance(body, dict) or not SHAPES & body.keys():
        return Unreadable("Iterable answered something that is not its API's.", response=response, unknown=True)
    code = str(body.get("code", "Success"))
    if code == "Success":
        return None
    words = str(body.get("msg") or code)
    return by_code(code, words, response) or Permanent(f"Iterable refused the call: {words}", response=response)


def by_code(code: str, words: str, response: Response) -> DeliveryError | None:
    if code in RETRY_CODES:
        return Retryable(f"Iterable failed with {code}: {words}", response=response)
    if code == "RateLimitExceeded":
        return RateLimited(f"Iterable asked to slow down: {words}", response=response)
    if code == "BatchTooLarge":
        return Split(f"Iterable takes less in one call: {words}", response=response)
    if code in KEY_CODES:
        return AuthFailed(f"Iterable refused the API key: {words}", response=response)
    return None


# ── bulk calls ───────────────────────────────────────────────────────────────────────────────────────────────────


def settle(batch: Batch, response: Response, fine: frozenset[str] = frozenset()) -> Flow:
    """Outcomes from the failure lists. `fine`: kinds of failure that are what was wanted.

    Raises Split for records that may or may not have failed, so that each comes to stand alone.
    """
    body = response.json()
    count = body.get("failCount")
    if not isinstance(count, int):
        raise Unreadable("The answer to a bulk call does not count its failures.", response=response, unknown=True)
    failed = failures(body) if count else {}
    items = {item.delivery_id: item for item in batch.items}
    kinds = {name: _kind(item, failed, body) for name, item in items.items()} if count else {}
    unclear = _unclear(items, kinds, failed) if failed else set()
    if count > max(len(failed), sum(kind is not None for kind in kinds.values())):
        unclear |= {name for name, kind in kinds.items() if kind is None}
    doubtful = unclear if len(unclear) > 1 else set()
    yield [
        _outcome(one, kinds.get(one.delivery_id), one.delivery_id in unclear, fine, _notices(one, items, body))
        for one in batch.records
        if one.delivery_id not in doubtful
    ]
    if doubtful:
        raise Split("Iterable refused somebody in this call without saying clearly whom.", response=response)


def failures(body: Mapping[str, Any]) -> dict[Identifier, str]:
    """(Emails or UserIds, identifier) → kind of failure. E-mail addresses are compared in lower case, as Iterable keeps
    them; the lists at the top are older duplicates."""
    found: dict[Identifier, str] = {}
    for lists in (body.get("failedUpdates"), body):
        for name, values in lists.items() if isinstance(lists, dict) else ():
            for suffix in _SUFFIXES:
                kind = name.removesuffix(suffix)
                if kind != name and kind in _REASONS and isinstance(values, list):
                    for value in values:
                        found.setdefault(_identifier(suffix, value), kind)
    return found


def identifiers(item: Item) -> set[Identifier]:
    """All names by which Iterable may call this element; a malformed address in `dataFields` is named as well."""
    body = item.body
    names = {("Emails", body.get("email")), ("UserIds", body.get("userId"))}
    names.add(("Emails", (body.get("dataFields") or {}).get("email")))
    return {_identifier(suffix, value) for suffix, value in names if value}


def _identifier(suffix: str, value: Any) -> Identifier:
    return suffix, str(value).lower() if suffix == "Emails" else str(value)


def _kind(item: Item, failed: Mapping[Identifier, str], body: Mapping[str, Any]) -> str | None:
    named = [failed[name] for name in identifiers(item) if name in failed]
    disallowed = body.get("disallowedEventNames")
    if not named and isinstance(disallowed, list) and item.body.get("eventName") in disallowed:
        return "disallowed"
    return min(named) if named else None


def _unclear(items: Mapping[str, Item], kinds: Mapping[str, str | None], failed: Mapping[Identifier, str]) -> set[str]:
    """Records whose data may be the refused ones: another goes by the identifier that is named."""
    shared = Counter(name for item in items.values() for name in identifiers(item) if name in failed)
    return {
        delivery_id
        for delivery_id, item in items.items()
        if kinds[delivery_id] in _OF_THE_DATA and any(shared[name] > 1 for name in identifiers(item))
    }


def _outcome(one: AnyPush, kind: str | None, is_unclear: bool, fine: frozenset[str], notices: Sequence[str]) -> Report:
    if kind is None and is_unclear:
        return Rejected(one.delivery_id, "Iterable refused this record without giving a reason.", code="refused")
    if kind is None or kind in fine:
        return Accepted(one.delivery_id, notices=notices)
    code, words = _REASONS[kind]
    if kind == "notFound" and one.attempt < LAST_TRY:
        return Again(one.delivery_id, f"{words} It may have been created just now.", after_s=KNOWN_LATER_S)
    return Rejected(one.delivery_id, words, code=code)


def _notices(one: AnyPush, items: Mapping[str, Item], body: Mapping[str, Any]) -> list[str]:
    """What an earlier call of this record left to say, and the fields that Iterable dropped because it may create none."""
    notices = [one.progress["notice"]] if isinstance(one.progress, dict) and one.progress.get("notice") else []
    listed = body.get("filteredOutFields")
    if isinstance(listed, list) and listed:
        fields = items[one.delivery_id].body.get("dataFields") or {}
        lost = sorted({str(name) for name in listed if str(name) in fields or str(name).partition(".")[0] in fields})
        notices += [f"Iterable dropped fields that it does not know: {', '.join(lost)}."] if lost else []
    return notices


def refused_batch(batch: Batch, refusal: Permanent) -> Sequence[Report]:
    """Who is to blame where a bulk call was refused as a whole. Raises Split if Iterable does not say, and the refusal
    where it concerns the call."""
    told = read(refusal)
    index = told.index
    if len(batch.records) == 1:
        return [told.rejected(batch.records[0].delivery_id)]
    if index is not None and index < len(batch.items):
        culprit = batch.items[index].delivery_id
        return [
            told.rejected(culprit)
            if one.delivery_id == culprit
            else Again(one.delivery_id, "Another record of the same call was refused.", counts=False)
            for one in batch.records
        ]
    if told.code in CALL_CODES:
        raise refusal
    raise Split(f"Iterable refused the call, maybe for one record in it: {told.words}", response=refusal.response)


def refused_one(one: AnyPush, refusal: Permanent) -> Report:
    """The refusal of a call about one person, whom Iterable may come to know only in a while."""
    told = read(refusal)
    if told.is_about_a_stranger and one.attempt < LAST_TRY:
        return Again(one.delivery_id, f"{told.words} It may have been created just now.", after_s=KNOWN_LATER_S)
    return told.rejected(one.delivery_id)


def receipt(response: Response) -> str | None:
    """The id of an event or a message, if the answer names one."""
    params = _body(response).get("params")
    found = (params.get("id") or params.get("messageId")) if isinstance(params, dict) else None
    return str(found) if found else None


def _body(response: Response) -> Mapping[str, Any]:
    try:
        body = response.json()
    except Unreadable:
        return {}
    return body if isinstance(body, dict) else {}
