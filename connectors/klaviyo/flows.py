"""What Klaviyo needs several calls for, or answers later."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from connectors.klaviyo.answers import (
    errors,
    expect,
    is_about_identifiers,
    next_cursor,
    obstacle,
    outcomes_of_refusal,
    refused,
    rejected,
    resource,
    resources,
    words,
)
from connectors.klaviyo.calls import Calls
from hub.sdk.contract import Flow
from hub.sdk.errors import AuthFailed, Permanent
from hub.sdk.values import Accepted, Again, Batch, Finding, Pending, Progress, Report, Waiting

ALONE: Final = "alone"
"""Progress of a profile that a job did not take: it goes by itself, where identifiers can be left out."""
FIRST_POLL_S: Final = 2.0
NEXT_POLL_S: Final = 5.0


def import_one(calls: Calls, batch: Batch) -> Flow:
    """One profile. Identifiers that stand in its way are left out, one by one."""
    item, notices = batch.items[0], []
    profile = item.body
    while True:
        try:
            response = yield calls.import_profile(profile)
        except Permanent as refusal:
            found = obstacle(refusal.response, profile["attributes"])
            if found is None:
                yield [refused(item.delivery_id, refusal)]
                return
            left_out, notice = found
            notices.append(notice)
            kept = {name: value for name, value in profile["attributes"].items() if name != left_out}
            profile = {**profile, "attributes": kept}
            continue
        profile_id = resource(response)["id"]
        yield [Accepted(item.delivery_id, {"profile_id": profile_id}, notices, receipt=profile_id)]
        return


def start_import(calls: Calls, batch: Batch) -> Flow:
    """A job; what became of each profile is asked later."""
    try:
        response = yield calls.start_import([item.body for item in batch.items])
    except Permanent as refusal:
        yield outcomes_of_refusal(batch, refusal)
        return
    job_id = resource(response, 202)["id"]
    yield [
        Pending(record.delivery_id, job_id, FIRST_POLL_S, find_by=record.person.source_id) for record in batch.records
    ]


def poll_import(calls: Calls, job_id: str, waiting: Sequence[Waiting]) -> Flow:
    """Who was not imported, by external_id; everybody else was."""
    try:
        job = resource((yield calls.import_job(job_id)))["attributes"]
    except Permanent as refusal:
        if refusal.response is None or refusal.response.status != 404:
            raise
        yield [Again(one.delivery_id, "Klaviyo no longer knows the import job.") for one in waiting]
        return
    status = job.get("status")
    if status in {"queued", "processing"}:
        yield [Pending(one.delivery_id, job_id, NEXT_POLL_S, find_by=one.find_by) for one in waiting]
        return
    if status != "complete":
        yield [Again(one.delivery_id, f"Klaviyo ended the import job as {status}.") for one in waiting]
        return
    failed: dict[str, Mapping[str, Any]] = {}
    if job.get("failed_count") != 0:
        failed = yield from _import_errors(calls, job_id)
    yield [report for one in waiting for report in _imported(one, failed)]


def _import_errors(calls: Calls, job_id: str) -> Flow:
    """external_id → its first error, over all pages; under "" stands an error that names nobody."""
    failed: dict[str, Mapping[str, Any]] = {}
    cursor = None
    while True:
        response = yield calls.import_errors(job_id, cursor)
        for error in resources(response):
            attributes = error.get("attributes") or {}
            failed.setdefault(_external_id(attributes.get("original_payload")), attributes)
        cursor = next_cursor(response)
        if cursor is None:
            return failed


def _external_id(payload: Any) -> str:
    """Klaviyo echoes the profile; whether flat or as a resource with attributes, its pages do not say."""
    if not isinstance(payload, dict):
        return ""
    nested = payload.get("attributes")
    found = payload.get("external_id") or (nested.get("external_id") if isinstance(nested, dict) else None)
    return str(found or "")


def _imported(one: Waiting, failed: Mapping[str, Mapping[str, Any]]) -> Sequence[Report]:
    error = failed.get(one.find_by)
    if error is None and "" not in failed:
        return [Accepted(one.delivery_id)]
    if error is None:
        why = "Klaviyo refused a profile of the job without naming it; each is sent by itself."
    elif is_about_identifiers(error):
        why = f"{words(error)} It is sent by itself, without what stands in its way."
    else:
        return [rejected(one.delivery_id, error)]
    return [Progress(one.delivery_id, ALONE), Again(one.delivery_id, why, counts=False)]


def create_events(calls: Calls, batch: Batch) -> Flow:
    """202 takes all events; a 400 names the one that is wrong and takes none."""
    try:
        response = yield calls.create_events([item.body for item in batch.items])
    except Permanent as refusal:
        yield outcomes_of_refusal(batch, refusal)
        return
    expect(response, 202)
    yield [Accepted(record.delivery_id) for record in batch.records]


def erase(calls: Calls, batch: Batch) -> Flow:
    """A deletion job for the profile with our external_id, and for others that hold the person's email or phone.

    Both, because a profile may have been imported without an email that belongs to another one (see import_one).
    """
    person = batch.records[0].person
    profiles = resources((yield calls.find_profiles([person.source_id])))
    ids = {str(profile.get("id")) for profile in profiles} | set(filter(None, [person.remembered.get("profile_id")]))
    covered = {str(value).lower() for profile in profiles for value in (profile.get("attributes") or {}).values()}
    targets = [{"id": profile_id} for profile_id in sorted(ids)]
    targets += [
        {name: value}
        for name, value in (("email", person.email), ("phone_number", person.phone))
        if value and value.lower() not in covered
    ]
    asked = 0
    for target in targets:
        try:
            expect((yield calls.delete_profile(target)), 202)
        except Permanent as refusal:
            if refusal.response is None or refusal.response.status != 404:
                yield [refused(batch.records[0].delivery_id, refusal)]
                return
        else:
            asked += 1
    notices = [] if asked else ["Klaviyo knows no profile of this person."]
    yield [Accepted(batch.records[0].delivery_id, {"profile_id": None}, notices)]


def check(calls: Calls) -> Flow:
    """Reading the lists is harmless and tells a wrong key (401) from a missing scope (403)."""
    try:
        yield calls.lists()
    except (AuthFailed, Permanent) as refusal:
        said = " ".join(words(error) for error in errors(refusal.response))
        return [Finding("error", f"{refusal} {said}".strip())]
    return [Finding("ok", "Klaviyo takes the key.")]
