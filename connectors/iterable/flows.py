"""The calls of a batch."""

from __future__ import annotations

from typing import Any, Final
from urllib.parse import quote

from connectors.iterable import answers, bodies
from connectors.iterable.settings import IterableSettings
from hub.sdk.contract import Flow
from hub.sdk.errors import AuthFailed, Permanent
from hub.sdk.values import (
    Accepted,
    Again,
    Batch,
    Finding,
    Operation,
    Progress,
    Rejected,
    Report,
    Request,
    Response,
    Wanted,
)

LISTS: Final = "lists"  # the key under which the hub keeps the names of lists
LISTS_KEPT_S: Final = 600.0
PATHS: Final = {
    "email": "/api/email/target",
    "sms": "/api/sms/target",
    "push": "/api/push/target",
    "in_app": "/api/inApp/target",
    "journey": "/api/workflows/triggerWorkflow",
    "purchases": "/api/commerce/trackPurchase",
}
KINDS: Final = {
    "string": {"string"},
    "date": {"date", "string"},
    "datetime": {"date", "string"},
    "number": {"long", "double"},
    "boolean": {"boolean"},
    "object": {"object", "geo_location"},
}
"""What the hub sends → types of Iterable's fields that take it (support.iterable.com 208183076)."""


def update(settings: IterableSettings, batch: Batch) -> Flow:
    users = [item.body for item in batch.items]
    call = Request(
        "POST", "/api/users/bulkUpdate", json={"users": users, "createNewFields": settings.create_new_fields}
    )
    yield from _bulk(batch, call)


def track(batch: Batch) -> Flow:
    yield from _bulk(batch, Request("POST", "/api/events/trackBulk", json={"events": [i.body for i in batch.items]}))


def _bulk(batch: Batch, call: Request, fine: frozenset[str] = frozenset()) -> Flow:
    try:
        response = yield call
    except Permanent as refusal:
        yield answers.refused_batch(batch, refusal)
        return
    yield from answers.settle(batch, response, fine)


def rename(batch: Batch) -> Flow:
    """In an e-mail-based project the address is the user's name: it is changed by a call of its own, or the new address
    would become a second user. The fields follow when Iterable has worked that off."""
    (record,) = batch.records
    change = {"currentEmail": record.person.previous["email"], "newEmail": bodies.address(record)}
    why = ""
    try:
        yield Request("POST", "/api/users/updateEmail", json=change)
    except Permanent as refusal:
        told = answers.read(refusal)
        if not told.is_about_a_stranger:
            why = f"Iterable did not change the address; the user with the old one stays as it was: {told.words}"
    reports: list[Report] = [
        Progress(record.delivery_id, {"renamed": True, "notice": why}),
        Again(record.delivery_id, "The address went first, the fields follow.", answers.KNOWN_LATER_S, counts=False),
    ]
    yield reports


def single(batch: Batch) -> Flow:
    """A purchase or a message: one call, one person."""
    record, item = batch.records[0], batch.items[0]
    try:
        response = yield Request("POST", PATHS[batch.route], json=item.body)
    except Permanent as refusal:
        yield [answers.refused_one(record, refusal)]
        return
    yield [Accepted(record.delivery_id, receipt=answers.receipt(response))]


def subscription(settings: IterableSettings, batch: Batch) -> Flow:
    """Subscribe (PATCH) or unsubscribe (DELETE): a toggle that leaves the person's other subscriptions alone."""
    record, item = batch.records[0], batch.items[0]
    named = bodies.who(settings, record)
    path = f"/user/{_quoted(named['email'])}" if "email" in named else f"/byUserId/{_quoted(named['userId'])}"
    try:
        yield Request(item.body["method"], f"/api/subscriptions/{item.body['subscription']}{path}")
    except Permanent as refusal:
        yield [answers.refused_one(record, refusal)]
        return
    yield [Accepted(record.delivery_id)]


def members(batch: Batch) -> Flow:
    """Onto a static list, or off it. On a removal, whoever is not found is off already."""
    name, _, verb = batch.group.rpartition(" ")
    list_id = int(name) if name.isdecimal() else (yield from _list_id(name))
    if list_id is None:
        why = f"Iterable has no static list {name!r}; create it there or by `hub destinations prepare`, then replay."
        yield [Rejected(one.delivery_id, why, code="no_list") for one in batch.records]
        return
    body = {"listId": list_id, "subscribers": [item.body for item in batch.items]}
    fine = frozenset({"notFound"}) if verb == "unsubscribe" else frozenset()
    yield from _bulk(batch, Request("POST", f"/api/lists/{verb}", json=body), fine)


def _list_id(name: str) -> Flow:
    response = yield _get_lists()
    return _static(response).get(name)


def _get_lists() -> Request:
    return Request("GET", "/api/lists", pools=["lookups"], cache_for_s=LISTS_KEPT_S, cache_key=LISTS)


def _static(response: Response) -> dict[str, int]:
    """Name → id of static lists; of several with one name, the oldest."""
    found: dict[str, int] = {}
    for one in response.json().get("lists") or ():
        if isinstance(one, dict) and one.get("listType") == "Standard" and isinstance(one.get("id"), int):
            found[str(one.get("name"))] = min(one["id"], found.get(str(one.get("name")), one["id"]))
    return found


def erase(batch: Batch) -> Flow:
    """One call for each name the person has; whom Iterable does not know is erased already."""
    record, item = batch.records[0], batch.items[0]
    unknown = 0
    for named in item.body:
        try:
            yield _erasure(batch.route, named)
        except Permanent as refusal:
            told = answers.read(refusal)
            if not told.is_about_a_stranger:
                yield [told.rejected(record.delivery_id)]
                return
            unknown += 1
    yield [
        Accepted(
            record.delivery_id, notices=["Iterable knows no user of this person."] if unknown == len(item.body) else []
        )
    ]


def _erasure(route: str, named: dict[str, str]) -> Request:
    if route == "forget":
        return Request("POST", "/api/users/forget", json=named)
    path = f"/{_quoted(named['email'])}" if "email" in named else f"/byUserId/{_quoted(named['userId'])}"
    return Request("DELETE", f"/api/users{path}")


def check() -> Flow:
    """Reading the lists changes nothing."""
    try:
        yield Request("GET", "/api/lists", pools=["lookups"])
    except (AuthFailed, Permanent) as refusal:
        return [Finding("error", f"{refusal} Compare the key, its type (server-side) and the region.")]
    return [Finding("ok", "Iterable knows the API key.")]


def prepare(wanted: Wanted) -> Flow:
    """Creates lists that audiences need, and compares types: Iterable fixes a field's type by the first value it sees."""
    findings: list[Finding] = []
    if wanted.audiences:
        response = yield Request("GET", "/api/lists", pools=["lookups"])
        known = _static(response)
        for name in sorted(set(wanted.audiences) - known.keys()):
            if not name.isdecimal():
                yield Request("POST", "/api/lists", json={"name": name}, pools=["lists"], forget=[LISTS])
                findings.append(Finding("ok", f"The static list {name!r} was created."))
    fields = wanted.fields.get(Operation.PROFILES)
    if fields:
        response = yield Request("GET", "/api/users/getFields", pools=["fields"])
        findings += _mismatches(response.json().get("fields") or {}, fields)
    return findings or [Finding("ok", "Iterable has what this mapping needs.")]


def _mismatches(known: Any, wanted: Any) -> list[Finding]:
    return [
        Finding("warning", f"The field {name!r} holds {known[name]} in Iterable; the mapping sends a {kind}.")
        for name, kind in sorted(wanted.items())
        if isinstance(known.get(name), str) and kind in KINDS and known[name].lower() not in KINDS[kind]
    ]


def _quoted(name: str) -> str:
    return quote(name, safe="")
