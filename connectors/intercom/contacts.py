"""Finding, creating and updating one contact: Intercom has no upsert (Intercom-OpenAPI, contacts).

remembered id -> PUT; 404 -> find -> PUT; none -> POST; 409 -> PUT to the contact it names, or wait for the search index.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final, NamedTuple

from connectors.intercom.answers import Stopped, identifier, listed, named_contact, said, status_of
from connectors.intercom.calls import Calls
from hub.sdk.contract import Flow
from hub.sdk.errors import Permanent
from hub.sdk.values import Again, AnyPush, Rejected, Response

REMEMBERED: Final = "contact_id"
LAG_S: Final = 180.0
"""Search misses a new contact "for minutes" (sheet, gotcha 1)."""
CONFLICT_ATTEMPTS: Final = 4


class Written(NamedTuple):
    contact_id: str
    notices: tuple[str, ...] = ()


def write(calls: Calls, push: AnyPush, fields: Mapping[str, Any], whole: Mapping[str, Any] | None = None) -> Flow:
    """Create or update the person's contact; returns Written. Raises Stopped where that cannot be now, or ever.

    `whole`: what a new contact is made of, where `fields` hold only what changed; a contact deleted in Intercom comes
    back complete.
    """
    who = {"role": "user", "external_id": push.person.source_id}
    body = {**who, **fields}
    known = push.person.remembered.get(REMEMBERED)
    if known:
        try:
            return Written(identifier((yield calls.update(known, body))))
        except Permanent as refusal:
            if status_of(refusal) != 404:
                raise
    found = yield from find(calls, push)
    if found:
        try:
            return Written(identifier((yield calls.update(found, body))))
        except Permanent as refusal:
            if status_of(refusal) != 404:
                raise
            raise Stopped(_later(push, "Intercom found the contact, yet no longer has it.")) from refusal
    return (yield from _create(calls, push, body if whole is None else {**who, **whole}))


def find(calls: Calls, push: AnyPush) -> Flow:
    """The id of the contact with our external_id, or None. Raises Stopped if there are several."""
    found = yield from find_all(calls, push.person.source_id)
    if len(found) > 1:
        words = f"Intercom has {len(found)} contacts with this external_id ({', '.join(found)}); merge them there."
        raise Stopped(Rejected(push.delivery_id, words, code="ambiguous_identity"))
    return found[0] if found else None


def find_all(calls: Calls, source_id: str) -> Flow:
    try:
        response: Response = yield calls.find(source_id)
    except Permanent as refusal:
        if status_of(refusal) != 404:
            raise
        return []
    return [str(one["id"]) for one in listed(response)] if calls.is_search_late else [identifier(response)]


def on_contact(
    calls: Calls, push: AnyPush, act: Callable[[str, int], Flow], *, may_create: bool, missing: str = ""
) -> Flow:
    """Do something to the person's contact; returns Written. On a 404 the contact is looked up anew, once.

    `act(contact_id, turn)`: the turn is 1 or 2. `missing`: where an unknown contact, or a second 404, is as good as done.
    """
    known = push.person.remembered.get(REMEMBERED) or (yield from find(calls, push))
    if known:
        try:
            yield from act(known, 1)
            return Written(known)
        except Permanent as refusal:
            if status_of(refusal) != 404:
                raise
    written = yield from _look_again(calls, push, known, may_create=may_create)
    if written is None:
        if missing:
            return Written("", (missing,))
        raise Stopped(absent(push))
    try:
        yield from act(written.contact_id, 2)
    except Permanent as refusal:
        if status_of(refusal) != 404:
            raise
        if missing:
            return Written(written.contact_id, (missing,))
        raise Stopped(_later(push, f"Intercom: {said(refusal.response)}")) from refusal
    return written


def absent(push: AnyPush) -> Rejected:
    words = "Intercom has no contact with this external_id; send the profile first, or set create_missing."
    return Rejected(push.delivery_id, words, code="no_contact")


def at_least(push: AnyPush) -> dict[str, Any]:
    """What a contact is created with where no profile is at hand."""
    known = {"email": push.person.email, "phone": push.person.phone}
    return {name: value for name, value in known.items() if value}


def _look_again(calls: Calls, push: AnyPush, tried: str | None, *, may_create: bool) -> Flow:
    found = (yield from find(calls, push)) if tried else None
    if found:
        return Written(found)
    return (yield from write_anew(calls, push)) if may_create else None


def write_anew(calls: Calls, push: AnyPush) -> Flow:
    """Create the contact of a person that Intercom was just seen not to know."""
    return (yield from _create(calls, push, {"role": "user", "external_id": push.person.source_id, **at_least(push)}))


def _create(calls: Calls, push: AnyPush, body: Mapping[str, Any]) -> Flow:
    try:
        return Written(identifier((yield calls.create(body))))
    except Permanent as refusal:
        if status_of(refusal) != 409:
            raise
        return (yield from _take_over(calls, push, body, refusal))


def _take_over(calls: Calls, push: AnyPush, body: Mapping[str, Any], refusal: Permanent) -> Flow:
    """After a 409: the contact exists already. Only one with our external_id, or with none, is ours to write."""
    words = said(refusal.response)
    if "archived" in words.lower():
        told = f"Intercom: {words} Unarchive or delete that contact in Intercom, then replay."
        raise Stopped(Rejected(push.delivery_id, told, code="archived_duplicate")) from refusal
    contact_id = named_contact(refusal)
    if contact_id is None:
        raise Stopped(_later(push, f"Intercom: {words}")) from refusal
    try:
        response: Response = yield calls.contact(contact_id)
    except Permanent as gone:
        if status_of(gone) != 404:
            raise
        raise Stopped(_later(push, f"Intercom: {words}")) from gone
    holder = response.json().get("external_id")
    if holder and holder != push.person.source_id:
        told = f"Intercom: {words} It belongs to the external_id {holder}; correct the address, or merge the contacts."
        raise Stopped(Rejected(push.delivery_id, told, code="conflict")) from refusal
    identifier((yield calls.update(contact_id, body)))
    notice = f"Took over the Intercom contact {contact_id}, which had the same details and no external_id."
    return Written(contact_id, () if holder else (notice,))


def _later(push: AnyPush, reason: str) -> Again | Rejected:
    """The search index, or a deletion, has not settled; after a few attempts it is not lag."""
    if push.attempt < CONFLICT_ATTEMPTS:
        return Again(push.delivery_id, f"{reason} Tried again when Intercom's index has caught up.", after_s=LAG_S)
    return Rejected(push.delivery_id, reason, code="conflict")
