"""The calls of a batch."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any, Final

from connectors.batch.answers import Findings, refusal
from connectors.batch.edits import rounds
from connectors.batch.settings import BatchSettings
from hub.sdk.contract import Flow
from hub.sdk.errors import Permanent, Split, Unreadable
from hub.sdk.values import Accepted, Again, Batch, MessagePush, Pending, Progress, Rejected, Report, Request, Waiting

PATHS: Final = {"edits": "update", "imports": "mass-update"}
FIRST_POLL_S: Final = 60.0
NEXT_POLL_S: Final = 600.0
GIVE_UP_S: Final = 20 * 86_400.0  # Batch keeps requests 20 to 30 days
_GROUP: Final = re.compile(r"[^A-Za-z0-9_-]")
_GROUP_CHARS: Final = 128


def edit(settings: BatchSettings, batch: Batch) -> Flow:
    """Usually one call. A person with more than an edit holds goes on in the next; whoever is complete is reported."""
    findings = Findings()
    waiting = [record.delivery_id for record in batch.records]
    calls = rounds(batch.items)
    for number, edits in enumerate(calls):
        body = [one.body() for one in edits]
        try:
            response = yield Request(
                "POST",
                f"/{settings.api_version}/profiles/{PATHS[batch.route]}",
                headers={"X-Batch-Project": settings.project_key},
                json=body,
            )
        except Permanent as error:
            yield _refused(waiting, error)
            return
        findings.read(edits, response)
        later = {name for some in calls[number + 1 :] for one in some for name in one.deliveries()}
        done = [name for name in waiting if name not in later]
        waiting = [name for name in waiting if name in later]
        yield [findings.outcome(name) for name in done]


def _refused(waiting: Sequence[str], error: Permanent) -> list[Report]:
    """A body that Batch will not read at all. Raises Split, so that the one that spoils it comes to stand alone."""
    code, words = refusal(error.response)
    if len(waiting) > 1:
        raise Split(f"Batch refused the call, maybe for one record in it: {words or error}", response=error.response)
    if not words:
        raise error
    return [Rejected(waiting[0], words, code=code)]


def push(settings: BatchSettings, batch: Batch) -> Flow:
    """One call per app, since each has its own key; what has gone out is noted before the next."""
    record = batch.records[0]
    assert isinstance(record, MessagePush)
    sent = list(record.progress or ())
    receipts: list[str] = []
    for app_key in settings.apps:
        if app_key in sent:
            continue
        try:
            response = yield Request(
                "POST", f"/1.1/{app_key}/transactional/send", host="apps", json=batch.items[0].body
            )
        except Permanent as error:
            yield _refused([record.delivery_id], error)
            return
        sent.append(app_key)
        receipts.append(str(response.json().get("token") or ""))
        yield [Progress(record.delivery_id, list(sent))]
    yield [Accepted(record.delivery_id, receipt=" ".join(filter(None, receipts)) or None)]


def push_body(record: MessagePush) -> dict[str, Any]:
    options, code = record.options, record.code or ""
    message = {"title": options.title.replace("{code}", code), "body": options.text.replace("{code}", code)}
    return {
        "group_id": _GROUP.sub("-", record.distribution_id)[:_GROUP_CHARS] or "hub",
        "recipients": {"custom_ids": [record.person.source_id]},
        "message": message,
    }


def erase(settings: BatchSettings, batch: Batch) -> Flow:
    """A removal request per app; Batch works them off later. A request made twice removes nothing more."""
    record = batch.records[0]
    body = {"request_type": "remove", "id": {"type": "custom_id", "value": record.person.source_id}}
    asked = []
    for app_key in settings.apps:
        try:
            response = yield Request("POST", f"/1.0/{app_key}/gdpr/request", host="apps", json=body)
        except Permanent as error:
            yield _refused([record.delivery_id], error)
            return
        request_id = response.json().get("request_id")
        if not isinstance(request_id, str) or not request_id:
            raise Unreadable("Batch's answer to an erasure names no request.", response=response, unknown=True)
        asked.append(f"{app_key}/{request_id}")
    yield [Pending(record.delivery_id, " ".join(asked), FIRST_POLL_S, give_up_s=GIVE_UP_S)]


def poll_erasure(token: str, waiting: Sequence[Waiting]) -> Flow:
    """Done once every app is. Somebody whom no app knows is erased already."""
    problems: list[str] = []
    apps = token.split(" ")
    for pair in apps:
        app_key, _, request_id = pair.partition("/")
        try:
            response = yield Request("GET", f"/1.0/{app_key}/gdpr/request/{request_id}", host="apps", pools=["apps"])
        except Permanent as error:
            if error.response is None or error.response.status != 404:
                raise
            yield [Again(one.delivery_id, "Batch no longer knows the removal request.") for one in waiting]
            return
        body = response.json()
        if body.get("status") != "done":
            yield [Pending(one.delivery_id, token, NEXT_POLL_S, give_up_s=GIVE_UP_S) for one in waiting]
            return
        problems += [str(body["error"])] if body.get("error") else []
    unknown = [words for words in problems if "not found" in words.lower()]
    if len(unknown) < len(problems):
        words = next(words for words in problems if words not in unknown)
        yield [Rejected(one.delivery_id, f"Batch did not remove this person: {words}") for one in waiting]
        return
    notices = ["Batch knows no user with this id."] if len(unknown) == len(apps) else []
    yield [Accepted(one.delivery_id, notices=notices) for one in waiting]
