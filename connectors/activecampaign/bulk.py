"""Imports: up to 250 contacts in a call, queued, and asked after by the id of the batch."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Final

from connectors.activecampaign import calls, fields
from connectors.activecampaign.answers import body, is_status, outcomes_of_refusal
from connectors.activecampaign.contacts import address_of
from connectors.activecampaign.fields import Contact
from hub.sdk.contract import Flow
from hub.sdk.errors import Permanent, Unreadable
from hub.sdk.values import (
    EMPTY,
    Accepted,
    Again,
    AudienceChange,
    Batch,
    Item,
    Json,
    MessagePush,
    Pending,
    ProfilePush,
    Progress,
    Rejected,
    Report,
    Response,
    Waiting,
)

ALONE: Final = "alone"
"""Progress of a record that an import did not take: it goes by itself, so that ActiveCampaign says why."""
QUIET: Final = "quiet "
"""How the token of an import begins that must start no automation."""
LIST: Final = "list:"
"""How the word begins that says, behind an address, to which list it was subscribed; no field is named so."""
FIRST_POLL_S: Final = 5.0
NEXT_POLL_S: Final = 15.0
UNDER_WAY: Final = frozenset({"waiting", "claimed", "active"})


def element(
    email: str,
    told: Mapping[str, Json] = EMPTY,
    *,
    tags: Sequence[str] = (),
    lists: Mapping[str, Json] = EMPTY,
    required: str = "",
) -> dict[str, Json]:
    """The body of an item: mapped fields by name, what else an import takes (`tags`, `subscribe`, `unsubscribe`), and
    the field without which nothing may be written."""
    more = {**({"tags": list(tags)} if tags else {}), **lists}
    return {"email": email, "fields": dict(told), "more": more, "required": required}


def profile_route(push: ProfilePush) -> str:
    """A contact under a new address cannot be imported, and one that an import refused goes by itself."""
    if push.person.previous.get("email") or push.progress == ALONE:
        return "profiles_alone"
    return "profiles_quiet" if push.quiet else "profiles"


def audience_route(push: AudienceChange) -> str:
    """An import can add tags by name and e-mail; only a call for the one contact can take them away, or find the
    contact under an earlier address."""
    if not push.member or push.progress == ALONE or not address_of(push) or push.person.previous.get("email"):
        return "audience"
    return "audience_quiet" if push.quiet else "audience_add"


def message_route(push: MessagePush, how: str) -> str:
    """What may be repeated, and what may be imported, because the change of a field starts it or nothing should."""
    if push.quiet:
        return "messages_quiet"
    if how == "field" and push.progress != ALONE:
        return "messages_field"
    return "messages_safe" if how in ("field", "tag") else "messages"


def start(batch: Batch) -> Flow:
    """An import; what became of each contact is asked later."""
    known = (yield from fields.known()) if any(fields.needs_ids(item.body["fields"]) for item in batch.items) else {}
    sent: list[tuple[Item, Contact]] = []
    for item in batch.items:
        contact = fields.contact_of(item.body["email"], item.body["fields"], known)
        if item.body["required"] in contact.missing:
            yield [fields.no_place(item.delivery_id, item.body["required"])]
        else:
            sent.append((item, contact))
    if sent:
        items = [item for item, _ in sent]
        ids = {item.delivery_id for item in items}
        left = replace(batch, items=items, records=[one for one in batch.records if one.delivery_id in ids])
        yield from _import(left, [contact for _, contact in sent])


def _import(batch: Batch, contacts: Sequence[Contact]) -> Flow:
    is_quiet = batch.route.endswith("_quiet")
    bodies = [_body(item, contact) for item, contact in zip(batch.items, contacts, strict=True)]
    try:
        response: Response = yield calls.bulk_import(bodies, is_quiet=is_quiet)
    except Permanent as refusal:
        yield outcomes_of_refusal(batch, refusal)
        return
    batch_id = str(body(response).get("batchId") or "")
    if not batch_id:
        raise Unreadable("The answer to an import names no batch.", response=response, unknown=True)
    token = QUIET + batch_id if is_quiet else batch_id
    yield [
        Pending(item.delivery_id, token, FIRST_POLL_S, find_by=_find_by(item, contact))
        for item, contact in zip(batch.items, contacts, strict=True)
    ]


def _body(item: Item, contact: Contact) -> dict[str, Json]:
    return {**contact.bulk(), **item.body["more"]}


def _find_by(item: Item, contact: Contact) -> str:
    """The address, and after it what the operator is to be told once the import is done: fields, a list."""
    lists = [f"{LIST}{entry['listid']}" for entry in item.body["more"].get("subscribe", ())]
    return " ".join([contact.email.casefold(), *contact.missing, *lists])


def poll(token: str, waiting: Sequence[Waiting]) -> Flow:
    """Who was not imported, as bare addresses without a reason (bulk-import-status-info); everybody else was."""
    is_quiet = token.startswith(QUIET)
    batch_id = token.removeprefix(QUIET)
    try:
        response: Response = yield calls.import_info(batch_id)
    except Permanent as refusal:
        if not is_status(refusal, 404) and not is_status(refusal, 400):
            raise
        yield [Again(one.delivery_id, f"ActiveCampaign no longer knows the import {batch_id}.") for one in waiting]
        return
    told = body(response)
    status = str(told.get("status") or "")
    if status in UNDER_WAY:
        yield [Pending(one.delivery_id, token, NEXT_POLL_S, find_by=one.find_by) for one in waiting]
        return
    if status != "completed":
        yield [Again(one.delivery_id, f"ActiveCampaign ended the import as {status or 'nothing'}.") for one in waiting]
        return
    failed = {str(address).casefold() for address in told.get("failure") or ()}
    is_empty = not told.get("success")
    yield [report for one in waiting for report in _imported(one, failed, is_empty=is_empty, is_quiet=is_quiet)]


def _imported(one: Waiting, failed: set[str], *, is_empty: bool, is_quiet: bool) -> Sequence[Report]:
    address, *told = one.find_by.split(" ")
    if address not in failed and not is_empty:
        return [Accepted(one.delivery_id, notices=_notices(told))]
    if is_quiet:
        words = "ActiveCampaign did not import this contact and does not say why; send it by itself to be told."
        return [Rejected(one.delivery_id, words, code="not_imported")]
    why = "ActiveCampaign did not import this contact and does not say why; it is sent by itself."
    return [Progress(one.delivery_id, ALONE), Again(one.delivery_id, why, counts=False)]


def _notices(told: Sequence[str]) -> list[str]:
    missing = [name for name in told if not name.startswith(LIST)]
    lists = [name.removeprefix(LIST) for name in told if name.startswith(LIST)]
    kept = "An import subscribes to list {} all but those who unsubscribed in ActiveCampaign, and does not say who did."
    return [*([fields.missing_words(missing)] if missing else []), *map(kept.format, lists)]
