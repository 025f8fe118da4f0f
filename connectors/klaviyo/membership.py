"""Lists and subscriptions: who is in an audience, and who may be written to.

Pages: .../reference/add_profiles_to_list, remove_profiles_from_list, bulk_subscribe_profiles, bulk_unsubscribe_profiles.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from connectors.klaviyo.answers import expect, outcomes_of_refusal, profile_named, refused, resource, resources
from connectors.klaviyo.bodies import identifiers
from connectors.klaviyo.calls import PAGE_SIZE, Calls
from hub.sdk.contract import Flow
from hub.sdk.errors import Permanent
from hub.sdk.values import Accepted, Again, AudienceChange, Batch, ConsentChange, Item, Progress, Rejected

LISTS, SUBSCRIBE, UNSUBSCRIBE = "lists", "subscribe", "unsubscribe"
CHANNELS: Final = {
    "email": ("email", "marketing"),
    "sms": ("sms", "marketing"),
    "sms.transactional": ("sms", "transactional"),
    "whatsapp": ("whatsapp", "marketing"),
    "push": ("push", "marketing"),
}
"""Topic of a consent to channel and kind of subscription (bulk_subscribe_profiles)."""
ADDRESS: Final = {"email": "email", "sms": "phone_number", "whatsapp": "phone_number"}
JOBS: Final = {
    SUBSCRIBE: ("/api/profile-subscription-bulk-create-jobs", "profile-subscription-bulk-create-job"),
    UNSUBSCRIBE: ("/api/profile-subscription-bulk-delete-jobs", "profile-subscription-bulk-delete-job"),
}


def audience(push: AudienceChange) -> Item:
    """A place in a list, or a property."""
    list_id = push.options.lists.get(push.audience)
    if list_id:
        verb = "POST" if push.member else "DELETE"
        return Item(push.delivery_id, LISTS, push.person.source_id, group=f"{verb} {list_id}")
    attributes = {"external_id": push.person.source_id, **push.fields}
    return Item(push.delivery_id, "profiles", {"type": "profile", "attributes": attributes})


def consent(push: ConsentChange) -> Item | Rejected:
    """A subscription of one channel. What was consented to long ago, and backfills, are told as history: they ask nobody
    for a second confirmation and start no flow."""
    topic, state = push.consent.get("topic", ""), push.fields.get("consent")
    if topic not in CHANNELS:
        return _unsupported(push, f"Klaviyo has no place for the consent {topic!r}; it knows {', '.join(CHANNELS)}.")
    if state not in ("SUBSCRIBED", "UNSUBSCRIBED"):
        return _unsupported(
            push, "Klaviyo knows people as subscribed or unsubscribed; an unknown consent changes neither."
        )
    channel, kind = CHANNELS[topic]
    known = {name: push.fields[name] for name in ("email", "phone_number") if push.fields.get(name)}
    if channel in ADDRESS and ADDRESS[channel] not in known:
        return _unsupported(
            push, f"Klaviyo keeps consent to {channel} by {ADDRESS[channel]}, which this profile lacks."
        )
    wanted: dict[str, Any] = {"consent": state}
    is_history = bool(push.quiet and state == "SUBSCRIBED" and push.fields.get("consented_at"))
    if is_history:
        wanted["consented_at"] = push.fields["consented_at"]
    if channel in ADDRESS:
        known = {ADDRESS[channel]: known[ADDRESS[channel]]}
    body = {"type": "profile", "attributes": {**known, "subscriptions": {channel: {kind: wanted}}}}
    if state == "UNSUBSCRIBED":
        return Item(push.delivery_id, UNSUBSCRIBE, body)
    return Item(push.delivery_id, SUBSCRIBE, body, group=f"{'history' if is_history else 'now'} {push.options.list_id}")


def send_consents(calls: Calls, batch: Batch) -> Flow:
    """202 takes all; a 400 names the one that is wrong and takes none."""
    path, kind = JOBS[batch.route]
    when, _, list_id = batch.group.partition(" ")
    attributes: dict[str, Any] = {"profiles": {"data": [item.body for item in batch.items]}}
    if when == "history":
        attributes["historical_import"] = True
    data: dict[str, Any] = {"type": kind, "attributes": attributes}
    if list_id:
        data["relationships"] = {"list": {"data": {"type": "list", "id": list_id}}}
    try:
        expect((yield calls.post(path, data)), 202)
    except Permanent as refusal:
        yield outcomes_of_refusal(batch, refusal)
        return
    yield [Accepted(record.delivery_id) for record in batch.records]


def change_list(calls: Calls, batch: Batch) -> Flow:
    """Lists know people by Klaviyo's own ids: looked up where the hub has not kept them, made where there is nobody yet."""
    verb, _, list_id = batch.group.partition(" ")
    ids = {
        push.delivery_id: push.person.remembered["profile_id"]
        for push in batch.records
        if "profile_id" in push.person.remembered
    }
    yield from _look_up(calls, [push for push in batch.records if push.delivery_id not in ids], ids)
    for push in batch.records if verb == "POST" else ():
        if push.delivery_id not in ids:
            profile = {"type": "profile", "attributes": identifiers(push.person)}
            try:
                ids[push.delivery_id] = resource((yield calls.import_profile(profile)))["id"]
            except Permanent as refusal:
                yield [refused(push.delivery_id, refusal)]
    strangers = [push for push in batch.records if push.delivery_id not in ids]
    if verb == "DELETE":
        yield [Accepted(push.delivery_id, notices=["Klaviyo knows no profile of this person."]) for push in strangers]
    yield from _change(calls, verb, list_id, ids)


def _look_up(calls: Calls, unknown: Sequence[Any], ids: dict[str, str]) -> Flow:
    for start in range(0, len(unknown), PAGE_SIZE):
        part = unknown[start : start + PAGE_SIZE]
        found = resources((yield calls.find_profiles([push.person.source_id for push in part])))
        by_name = {(one.get("attributes") or {}).get("external_id"): str(one["id"]) for one in found}
        ids |= {push.delivery_id: by_name[push.person.source_id] for push in part if push.person.source_id in by_name}


def _change(calls: Calls, verb: str, list_id: str, ids: dict[str, str]) -> Flow:
    if not ids:
        return
    members = list(ids)
    try:
        expect((yield calls.list_members(verb, list_id, list(dict.fromkeys(ids.values())))), 204)
    except Permanent as refusal:
        stale = profile_named(refusal, ids)
        if not stale:
            yield [refused(one, refusal) for one in members]
            return
        why = "Klaviyo no longer has the profile that was remembered; it is looked up again."
        yield [Progress(one, None, {"profile_id": None}) for one in stale]
        yield [Again(one, why, counts=one in stale) for one in members]
        return
    yield [Accepted(one, {"profile_id": ids[one]}) for one in members]


def _unsupported(push: ConsentChange, words: str) -> Rejected:
    return Rejected(push.delivery_id, words, code="unsupported")
