"""Is the key good, and what is missing in the account."""

from __future__ import annotations

from typing import Final

from connectors.activecampaign import calls, fields
from connectors.activecampaign.answers import body, is_duplicate, words
from connectors.activecampaign.events import NAME_CHARS, make_known
from connectors.activecampaign.settings import STANDARD
from hub.sdk.contract import Flow
from hub.sdk.errors import AuthFailed, Permanent
from hub.sdk.values import Finding, Operation, Response, Wanted

KINDS: Final = {"number": "number", "date": "date", "datetime": "datetime", "object": "textarea"}
"""Kind of a mapped field to type of a custom one; everything else is text (contact-custom-fields-api-guide)."""


def check(*, has_events: bool) -> Flow:
    """`users/me` changes nothing and needs a good key. Event tracking has no such call; only its switch can be read."""
    try:
        yield calls.me()
        findings = [Finding("ok", "ActiveCampaign knows the API key.")]
        if has_events:
            response: Response = yield calls.event_tracking()
            findings.append(_tracking(response))
    except AuthFailed as error:
        return [Finding("error", f"{error} {words(error.response)}".strip())]
    return findings


def _tracking(response: Response) -> Finding:
    switch = body(response).get("eventTracking")
    if isinstance(switch, dict) and switch.get("enabled") in (False, 0, "0"):
        return Finding("warning", "Event tracking is off: switch it on under Website > Site Tracking.")
    return Finding("ok", "Event tracking is on; whether its account number and key are good, only an event tells.")


def prepare(wanted: Wanted, *, has_events: bool) -> Flow:
    """Create the custom fields that the mapping writes, and the names of events."""
    kinds = {
        name.upper(): kind
        for operation in (Operation.PROFILES, Operation.MESSAGES)
        for name, kind in wanted.fields.get(operation, {}).items()
        if name not in STANDARD and not name.isdecimal()
    }
    findings: list[Finding] = []
    if kinds:
        known = yield from fields.known()
        stale = calls.pages("fields", len(known))
        for name, kind in sorted(kinds.items()):
            if name not in known:
                findings.append((yield from _field(name, KINDS.get(kind, "text"), stale)))
    for name in wanted.events if has_events else ():
        findings += yield from _event(name[:NAME_CHARS])
    return findings


def _field(perstag: str, kind: str, stale: list[str]) -> Flow:
    title = perstag.replace("_", " ").title()
    try:
        response: Response = yield calls.create_field(title, perstag, kind, stale)
        made = body(response).get("field")
        yield calls.show_field(str(made.get("id")) if isinstance(made, dict) else "")
    except Permanent as refusal:
        if is_duplicate(refusal):
            text = f"There is a custom field titled {title!r} with another personalisation tag; set it to {perstag}."
            return Finding("warning", text)
        return Finding("warning", f"The custom field {perstag} could not be made: {words(refusal.response) or refusal}")
    except AuthFailed as refusal:
        return Finding(
            "error", f"The API key's user may not make the custom field {perstag}. {words(refusal.response)}"
        )
    return Finding("ok", f"Made the custom field {perstag} ({kind}).")


def _event(name: str) -> Flow:
    try:
        yield from make_known(name)
    except Permanent as refusal:
        return [Finding("warning", f"The event {name!r} could not be made known: {words(refusal.response) or refusal}")]
    return []
