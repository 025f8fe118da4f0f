"""Merge fields, without which Mailchimp drops a value, and whether the key is good."""

from __future__ import annotations

from typing import Final

from connectors.mailchimp.answers import said, status_of
from connectors.mailchimp.calls import Calls
from hub.sdk.contract import Flow
from hub.sdk.errors import AuthFailed, Permanent, Unreadable
from hub.sdk.values import Finding, Operation, Wanted

CONTAINER: Final = "merge_fields."
KINDS: Final = {"number": "number", "date": "date"}
"""Kinds of the mapping to types of merge fields; everything else is text."""
BY_NAME: Final = {"ADDRESS": "address", "BIRTHDAY": "birthday", "PHONE": "phone"}


def prepare(calls: Calls, source_id_tag: str, wanted: Wanted) -> Flow:
    """Create the merge fields that are missing; say where one that exists does not fit."""
    kinds = {source_id_tag: "string"}
    for operation in (Operation.PROFILES, Operation.MESSAGES):
        for name, kind in wanted.fields.get(operation, {}).items():
            if name.startswith(CONTAINER):
                tag, _, part = name.removeprefix(CONTAINER).partition(".")
                kinds[tag] = "object" if part else kind
    response = yield calls.merge_fields()
    listed = response.json().get("merge_fields")
    if not isinstance(listed, list):
        raise Unreadable("Mailchimp's answer holds no merge fields.", response=response)
    known = {str(one.get("tag")): str(one.get("type")) for one in listed}
    findings = []
    for tag, kind in kinds.items():
        type_ = type_of(tag, kind)
        if tag not in known:
            findings.append((yield from _create(calls, tag, type_)))
        elif not _fits(known[tag], type_):
            words = f"The merge field {tag} is of type {known[tag]} in Mailchimp, the mapping sends {type_}."
            findings.append(Finding("warning", words))
    return findings


def type_of(tag: str, kind: str) -> str:
    return BY_NAME.get(tag) or KINDS.get(kind, "text")


def _fits(has: str, wants: str) -> bool:
    return has == wants or (has == "text" and wants != "address") or (wants == "text" and has in ("radio", "dropdown"))


def _create(calls: Calls, tag: str, kind: str) -> Flow:
    try:
        yield calls.create_merge_field(tag, kind)
    except Permanent as refusal:
        return Finding("error", f"Mailchimp did not create the merge field {tag}: {said(refusal.response)}")
    return Finding("ok", f"Created the merge field {tag} ({kind}).")


def check(calls: Calls, list_id: str) -> Flow:
    """A ping tells whether the key is good, reading the audience whether it may be used."""
    try:
        yield calls.ping()
        response = yield calls.audience()
    except AuthFailed as refusal:
        return [Finding("error", f"{refusal} A key is good in the data centre it names.")]
    except Permanent as refusal:
        if status_of(refusal) != 404:
            raise
        return [Finding("error", f"Mailchimp knows the key, but no audience {list_id}; see its settings for the ID.")]
    return [Finding("ok", f"Mailchimp knows the key and the audience {response.json().get('name') or list_id}.")]
