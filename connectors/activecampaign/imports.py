"""The simulator's bulk import (bulk-import-contacts, bulk-import-status-info)."""

from __future__ import annotations

from collections import Counter
from typing import Any, ClassVar, Final

from connectors.activecampaign.account import EMAIL, Account, custom_values, is_mailbox
from hub.sdk.kit.simulator.base import Refused, SimRequest, SimResponse, Simulator, route
from hub.sdk.values import Json

MOST: Final = 250
MOST_BYTES: Final = 400_000
NAMES: Final = {"email": "email", "first_name": "firstName", "last_name": "lastName", "phone": "phone"}
KNOWN: Final = frozenset(
    [*NAMES, "customer_acct_name", "tags", "fields", "subscribe", "unsubscribe", "exclude_automations"]
)


class ImportEndpoints(Simulator):
    """Imports are done after `polls_until_done` polls. Automations run on imports unless excluded."""

    account: Account
    imports: dict[str, dict[str, Json]]
    automated: list[str]
    polls_until_done: int
    is_throttling: bool
    per_minute: ClassVar = {"several": 100, "one": 20}

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self._imported: Counter[tuple[str, int]] = Counter()

    @route("POST", "/api/3/import/bulk_import")
    def bulk_import(self, request: SimRequest) -> SimResponse:
        told = request.json()
        contacts = told.get("contacts") if isinstance(told, dict) else None
        if not isinstance(contacts, list) or not 1 <= len(contacts) <= MOST or len(request.body) > MOST_BYTES:
            raise _invalid([{"failureReason": f"Between 1 and {MOST} contacts, {MOST_BYTES} bytes, are taken."}])
        self._limit("several" if contacts[1:] else "one")
        reasons = [
            {"contact": place, "failureReason": reason}
            for place, contact in enumerate(contacts)
            if (reason := _reason(contact))
        ]
        if reasons:
            raise _invalid(reasons)
        batch_id = f"0641fbdd-0000-4000-8000-{len(self.imports):012d}"
        self.imports[batch_id] = {"contacts": contacts, "polls": 0, "success": [], "failure": []}
        answer = {"queued_contacts": len(contacts), "batchId": batch_id, "message": "Contact import queued"}
        return SimResponse(200, {"Success": 1, **answer})

    @route("GET", "/api/3/import/info")
    def import_info(self, request: SimRequest) -> SimResponse:
        job = self.imports.get(request.query.get("batchId", ""))
        if job is None:
            return SimResponse(400, {"success": 0, "message": "'batchId' is a required field."})
        job["polls"] += 1
        if job["polls"] < self.polls_until_done:
            return SimResponse(200, {"status": "active", "success": [], "failure": []})
        for contact in job.pop("contacts", ()):
            self._import(job, contact)
        return SimResponse(200, {"status": "completed", "success": job["success"], "failure": job["failure"]})

    def _import(self, job: dict[str, Json], contact: dict[str, Any]) -> None:
        if not is_mailbox(contact["email"]):
            job["failure"].append(contact["email"])
            return
        told = {ours: contact[theirs] for theirs, ours in NAMES.items() if theirs in contact}
        contact_id, _ = self.account.upsert(told, custom_values(contact.get("fields"), "id"))
        for entry in contact.get("subscribe", ()):
            self.account.subscribe(contact_id, str(entry["listid"]), "1", is_import=True)
        for entry in contact.get("unsubscribe", ()):
            self.account.subscribe(contact_id, str(entry["listid"]), "2", is_import=True)
        for name in contact.get("tags", ()):
            self.account.put_tag(contact_id, self.account.tag_named(name))
        if not contact.get("exclude_automations"):
            self.automated.append(contact_id)
        job["success"].append(contact_id)

    def _limit(self, kind: str) -> None:
        """More than a minute takes is refused with 400, not with 429."""
        minute = int(self.clock().timestamp()) // 60
        self._imported[kind, minute] += 1
        most = self.per_minute[kind]
        if self.is_throttling and self._imported[kind, minute] > most:
            words = f"Up to {most} imports may be requested per minute."
            raise Refused(
                SimResponse(400, {"success": 0, "message": "Rate limit exceeded.", "failureReasons": [words]})
            )


def _reason(contact: Json) -> str:
    """Why the whole request is refused because of this contact."""
    if not isinstance(contact, dict):
        return "A contact must be an object"
    unknown = sorted(set(contact) - KNOWN)
    if unknown:
        return f"Field '{unknown[0]}' is not allowed"
    if not isinstance(contact.get("email"), str) or not EMAIL.fullmatch(contact["email"]):
        return "Field 'email' incorrect format"
    for entry in contact.get("fields", ()):
        if not isinstance(entry.get("id"), int) or not isinstance(entry.get("value"), str):
            return "Field 'fields' incorrect format"
    return ""


def _invalid(reasons: list[dict[str, Json]]) -> Refused:
    words = "JSON payload did not pass validation. No contacts were imported."
    return Refused(SimResponse(400, {"success": 0, "message": words, "failureReasons": reasons}))
