"""Last writer wins, by stamps that never depend on arrival.

A document maps a flat key to an entry:

    [at, message_key, revision, value]      said by that message
    [at, message_key, revision]             removed by it
    [at, message_key, revision, null, 1]    withdrawn: re-applied, the message no longer says anything of this key

Times are microseconds; entries of a row's `default` carry 0, so they fill and never overwrite. Two entries of one
message compare by revision alone, others by (at, message key). A withdrawn entry keeps its place against older values,
which return only when their own messages are re-applied in the same run or a later one.
"""

from __future__ import annotations

import json
import re
from base64 import urlsafe_b64encode
from collections.abc import Iterable, Mapping
from hashlib import blake2b
from typing import Any, Final

from hub.mapping.model import REMOVED, Change, Consent, Micros
from hub.sdk.text import storable

Entry = list[Any]
Document = dict[str, Entry]

AUDIENCE: Final = "audiences."  # how the field of a membership begins; its key follows
ADDRESSES: Final = ("email", "phone")
DEFAULT_AT: Final = 0
_PHONE = re.compile(r"\+?[\d\s().\-/]{7,30}", re.ASCII)
_VALUE: Final = 4
_WITHDRAWN: Final = 5
REFUSAL: Final[Mapping[bool | None, int]] = {False: 2, None: 1, True: 0}
STATUS: Final[Mapping[bool | None, str]] = {False: "denied", None: "unknown", True: "granted"}


def wins(new: Entry, old: Entry) -> bool:
    """Whether `new` replaces `old`."""
    if new[1] == old[1]:
        if new[2] != old[2]:
            return bool(new[2] > old[2])
        return _own_order(new) > _own_order(old)
    if len(old) == _WITHDRAWN and len(new) != _WITHDRAWN and new[2] >= old[2]:
        return True
    if len(new) == _WITHDRAWN and len(old) != _WITHDRAWN and old[2] >= new[2]:
        return False
    return (new[0], new[1]) > (old[0], old[1])


def _own_order(entry: Entry) -> tuple[bool, int, bool, str]:
    """Order among entries of one message and revision: met only when an id returns with another body, years later."""
    has_value = len(entry) == _VALUE
    return len(entry) != _WITHDRAWN, entry[0], has_value, json.dumps(entry[3], sort_keys=True) if has_value else ""


def stamp_time(at: Micros, received_at: Micros) -> Micros:
    """A stamp's time: never later than receipt, so nothing rules for ever, and above that of defaults."""
    if DEFAULT_AT < at <= received_at:
        return at
    return max(min(at, received_at), DEFAULT_AT + 1)


def contribution(change: Change, message_key: str, revision: int, received_at: Micros) -> Document:
    """What a change says of its profile's fields."""
    at = stamp_time(change.at, received_at)
    document: Document = {
        name: [at, message_key, revision] if value is REMOVED else [at, message_key, revision, value]
        for name, value in change.fields.items()
    }
    for name, own_at in change.field_times.items():
        if name in document:
            document[name][0] = stamp_time(own_at, received_at)
    for name in change.defaults:
        if name in document:
            document[name][0] = DEFAULT_AT
    return document


def entries(values: Mapping[str, Any], at: Micros, message_key: str, revision: int) -> Document:
    """The same for an order's fields or refunds."""
    return {name: [at, message_key, revision, value] for name, value in values.items()}


def merge(document: Document, statements: Document) -> bool:
    """Merge `statements` into `document` in place; whether anything changed."""
    has_changed = False
    for name, new in statements.items():
        old = document.get(name)
        if old is None or wins(new, old):
            document[name] = new
            has_changed = True
    return has_changed


def withdraw(document: Document, message_key: str, revision: int) -> bool:
    """Mark what `message_key` said in earlier revisions as withdrawn, in place; its re-application follows."""
    stale = [name for name, entry in document.items() if entry[1] == message_key and entry[2] < revision]
    for name in stale:
        document[name] = [document[name][0], message_key, revision, None, 1]
    return bool(stale)


def join(documents: Iterable[Document]) -> Document:
    """One document of several. Give them in source_id order: then the result depends on nothing else."""
    joined: Document = {}
    for document in documents:
        merge(joined, document)
    return joined


def value_of(entry: Entry) -> Any:
    """The value, or REMOVED."""
    return entry[3] if len(entry) == _VALUE else REMOVED


def shown_value(document: Document, name: str) -> Any:
    """What a field says, so that two of them can be compared: of a membership only whether it is one.

    None where nobody said anything or it was removed.
    """
    entry = document.get(name)
    value = REMOVED if entry is None else value_of(entry)
    if value is REMOVED:
        return None
    return bool(value.get("member")) if name.startswith(AUDIENCE) and isinstance(value, dict) else value


def consent_wins(new: tuple[int, int, str, int], old: tuple[int, int, str, int]) -> bool:
    """Whether stamp `new` replaces `old`; stamps are (at, refusal, message key, revision), so ties go to refusal."""
    if new[2] == old[2] and new[3] != old[3]:
        return new[3] > old[3]
    return new[:3] > old[:3]


def consent_stamp(consent: Consent, message_key: str, revision: int, received_at: Micros) -> tuple[int, int, str, int]:
    return stamp_time(consent.at, received_at), REFUSAL[consent.granted], message_key, revision


def stricter(statuses: Iterable[str]) -> str:
    """Denied if anyone denied; else granted if anyone granted; else unknown."""
    given = set(statuses)
    return "denied" if "denied" in given else "granted" if "granted" in given else "unknown"


def message_key(connection_id: str, message_id: str) -> str:
    """16 characters that stand for one message in stamps, the same for ever: base64url of 12 hashed bytes."""
    return short_hash(f"{connection_id}\0{message_id}")


def short_hash(text: str) -> str:
    """16 characters that stand for a text of any length."""
    return urlsafe_b64encode(blake2b(text.encode("utf-8", "replace"), digest_size=12).digest()).decode()


def bounded(text: str, limit: int) -> str:
    """`text` as a key of at most `limit` characters; a longer one as its hash."""
    text = storable(text)
    if len(text) <= limit:
        return text
    return "#" + blake2b(text.encode(), digest_size=15).hexdigest()


def matched(identity_type: str, value: str) -> str:
    """An identifier as it is matched: e-mail without regard to case, others as they are; bounded."""
    return bounded(value.lower() if identity_type == "email" else value, 255)


def address_subject(address: str) -> str:
    """An address as consents know it, however it was written: e-mail without regard to case, a phone number as `+` and its
    digits. Platforms tell of refusals in `0048 500 000 001`, `48500000001` and `+48 500-000-001`, which are one number."""
    text = address.strip()
    if "@" in text:
        return matched("email", text)
    if not _PHONE.fullmatch(text):
        return matched("phone", text)
    return "+" + "".join(filter(str.isdigit, text)).removeprefix("00")
