"""What CleverTap's answers mean. Page: developer.clevertap.com/docs/api-errors.

An upload is answered with 200 whatever became of it: `status` is success, partial or fail, and `unprocessed` echoes each
refused record with a code. The codes look like HTTP 5xx, but all save 555 are faults of the record.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any, Final, NamedTuple

from connectors.clevertap.bodies import cut_names
from hub.sdk.contract import by_status
from hub.sdk.errors import AuthFailed, DeliveryError, Permanent, Split, Unreadable
from hub.sdk.json import canonical
from hub.sdk.values import (
    Accepted,
    Again,
    AnyPush,
    Batch,
    EventPush,
    Item,
    Json,
    MessagePush,
    Outcome,
    ProfilePush,
    Rejected,
    Request,
    Response,
)

STATUSES: Final = frozenset({"success", "partial", "fail"})
SERVER_ERROR: Final = 555
LIVE_WINDOW: Final = timedelta(hours=2)
TOO_LATE: Final = "It is older than two hours: CleverTap stores it, and starts no live campaign for it."
LISTED_BY: Final = ("d", "identity")


class Told(NamedTuple):
    """What one answer says of each record; `hidden` are words about a record that it does not name."""

    outcomes: Sequence[Outcome]
    hidden: str


def failure(request: Request, response: Response) -> DeliveryError | None:
    """Whether the whole call failed. One that fails without saying why is halved: it hides a bad record."""
    if response.status == 400:
        return _refused(request, response, _words(response))
    if response.status in (401, 403):
        words = f"CleverTap refused the account ID or the passcode, or the region is another one: {_words(response)}"
        return AuthFailed(words, response=response)
    if response.status >= 300:
        return by_status(response)
    body = response.json()
    if not isinstance(body, dict) or body.get("status") not in STATUSES:
        return Unreadable("CleverTap answered something that is not its API's.", response=response, unknown=True)
    if body["status"] == "fail" and not _listed(body):
        return _refused(request, response, _words(response))
    return None


def told(batch: Batch, response: Response) -> Told:
    """One outcome per record, save those of which one is refused and none is named.

    `{"status": "partial", "processed": 2, "unprocessed": [{"code": 509, "error": "...", "record": {...}}]}`
    """
    body = response.json()
    listed = _listed(body)
    if not listed:
        return Told([_accepted(record, ()) for record in batch.records], "")
    refused, unnamed = _refusals(batch.items, listed)
    rest = [record for record in batch.records if record.delivery_id not in refused]
    outcomes = [_refusal(name, one) for name, one in refused.items()]
    if body["status"] == "fail" and not body.get("processed") and not unnamed:
        return Told([*outcomes, *(_innocent(record) for record in rest)], "")
    if not unnamed:
        return Told([*outcomes, *(_accepted(record, ()) for record in rest)], "")
    if len(unnamed) >= len(rest):
        found = zip(rest, unnamed, strict=False)
        return Told([*outcomes, *(_refusal(record.delivery_id, one) for record, one in found)], "")
    words = _said(unnamed[0])
    if any(isinstance(record, EventPush | MessagePush) for record in rest):
        # A second upload would count the others twice, so all carry the words as a warning.
        notices = [f"CleverTap refused a record of this call without naming it: {_said(one)}" for one in unnamed]
        return Told([*outcomes, *(_accepted(record, notices) for record in rest)], "")
    return Told(outcomes, words)


def _refusals(
    items: Sequence[Item], listed: Sequence[Mapping[str, Any]]
) -> tuple[dict[str, Mapping[str, Any]], list[Mapping[str, Any]]]:
    """Entries of `unprocessed` by delivery, and those that fit none. An echo is compared whole, then by what names it,
    since numbers may come back in another form."""
    refused: dict[str, Mapping[str, Any]] = {}
    left = list(listed)
    for key_of in (canonical, _label):
        owners: dict[Any, list[str]] = defaultdict(list)
        for item in items:
            if item.delivery_id not in refused:
                owners[key_of(item.body)].append(item.delivery_id)
        unmatched = []
        for one in left:
            names = owners.get(key_of(one.get("record")), [])
            if names and (key_of is canonical or len(names) == 1):
                refused[names.pop(0)] = one
            else:
                unmatched.append(one)
        left = unmatched
    return refused, left


def _label(record: Json) -> tuple[str, ...]:
    if not isinstance(record, dict):
        return (str(record),)
    return tuple(str(record.get(name)) for name in ("type", "identity", "evtName", "ts", "value", "status"))


def _refusal(delivery_id: str, one: Mapping[str, Any]) -> Outcome:
    if one.get("code") == SERVER_ERROR:
        return Again(delivery_id, _said(one))
    return Rejected(delivery_id, _said(one), code=str(one.get("code") or "refused"))


def _innocent(record: AnyPush) -> Again:
    return Again(record.delivery_id, "CleverTap took nothing of this call, because of others in it.", counts=False)


def _accepted(record: AnyPush, notices: Sequence[str]) -> Accepted:
    found = list(notices)
    if isinstance(record, EventPush) and not record.quiet and record.now - record.at > LIVE_WINDOW:
        found.append(TOO_LATE)
    cut = cut_names(_sent(record))
    if cut:
        found.append(f"Cut to the 512 bytes that CleverTap holds: {', '.join(cut)}")
    return Accepted(record.delivery_id, notices=found)


def _sent(record: AnyPush) -> Mapping[str, Json]:
    if isinstance(record, ProfilePush):
        return record.changed
    return record.fields.get("evtData") or {} if isinstance(record, EventPush | MessagePush) else {}


def _refused(request: Request, response: Response, words: str) -> DeliveryError:
    text = f"CleverTap refused the call ({response.status}): {words or 'it gave no reason'}"
    body = request.json if isinstance(request.json, dict) else {}
    count = max((len(body[name]) for name in LISTED_BY if name in body), default=1)
    return Split(text, response=response) if count > 1 else Permanent(text, response=response)


def _listed(body: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    return [one for one in body.get("unprocessed") or [] if isinstance(one, dict)]


def _said(one: Mapping[str, Any]) -> str:
    return str(one.get("error") or one.get("message") or f"code {one.get('code')}")


def _words(response: Response) -> str:
    try:
        body = response.json()
    except Unreadable:
        return ""
    return str(body.get("error") or body.get("message") or "") if isinstance(body, dict) else ""
