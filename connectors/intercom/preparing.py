"""Contact attributes, which must exist before they are written, and whether the token is good."""

from __future__ import annotations

from typing import Any, Final

from connectors.intercom.answers import listed, said
from connectors.intercom.calls import Calls
from hub.sdk.contract import Flow
from hub.sdk.errors import AuthFailed, Permanent
from hub.sdk.values import Finding, Operation, Wanted

DATA_TYPES: Final = {
    "string": "string",
    "number": "float",
    "boolean": "boolean",
    "date": "date",
    "datetime": "datetime",
    "list": "string",
    "object": "string",
}
"""Kinds of the mapping to `data_type` of POST /data_attributes."""
FITTING: Final = {"number": {"integer", "float", "date", "datetime"}, "date": {"string", "datetime"}}
"""Other types an attribute may have already: Unix seconds are numbers to the mapping."""
EVENT_NAMES: Final = 120
CONTAINER: Final = "custom_attributes."


def prepare(calls: Calls, wanted: Wanted) -> Flow:
    """Create the contact attributes that are missing; say what only an operator can change."""
    fields = {
        name.removeprefix(CONTAINER): kind
        for operation in (Operation.PROFILES, Operation.MESSAGES)
        for name, kind in wanted.fields.get(operation, {}).items()
        if name.startswith(CONTAINER)
    }
    findings = []
    if fields:
        known = {str(one.get("name")): one for one in listed((yield calls.attributes())) if one.get("custom", True)}
        for name, kind in fields.items():
            if name in known:
                findings += _misfits(name, kind, known[name])
            else:
                findings.append((yield from _create(calls, name, kind)))
    if len(set(wanted.events)) > EVENT_NAMES:
        words = f"The mapping sends {len(set(wanted.events))} event names; a workspace may have {EVENT_NAMES}."
        findings.append(Finding("warning", words))
    return findings


def _create(calls: Calls, name: str, kind: str) -> Flow:
    try:
        yield calls.create_attribute(name, DATA_TYPES.get(kind, "string"))
    except Permanent as refusal:
        return Finding("error", f"Intercom did not create the contact attribute {name}: {said(refusal.response)}")
    return Finding("ok", f"Created the contact attribute {name}.")


def _misfits(name: str, kind: str, attribute: Any) -> list[Finding]:
    has, wants = str(attribute.get("data_type")), DATA_TYPES.get(kind, "string")
    found = []
    if attribute.get("archived"):
        found.append(f"The contact attribute {name} is archived; bring it back in Intercom.")
    if attribute.get("api_writable") is False:
        found.append(f"The contact attribute {name} cannot be written by API; allow it in Intercom.")
    if has != wants and has not in FITTING.get(kind, set()):
        found.append(f"The contact attribute {name} holds {has} in Intercom, the mapping sends {wants}.")
    return [Finding("warning", words) for words in found]


def check(calls: Calls) -> Flow:
    """GET /me is harmless and tells whose token it is."""
    try:
        response = yield calls.me()
    except (AuthFailed, Permanent) as refusal:
        return [Finding("error", f"{refusal} A token is good in the region of its workspace only.")]
    app = response.json().get("app")
    name = f" of the workspace {app['name']}" if isinstance(app, dict) and app.get("name") else ""
    return [Finding("ok", f"Intercom knows the token{name}.")]
