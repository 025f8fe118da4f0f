"""What ActiveCampaign's answers mean. There is no single error envelope: bodies name their trouble in four ways."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Any, Final

from connectors.activecampaign.calls import PAGE
from hub.sdk.contract import Flow, by_status
from hub.sdk.errors import AuthFailed, DeliveryError, Permanent, RateLimited, Retryable, Split, Unreadable
from hub.sdk.values import Again, Batch, Json, Outcome, Rejected, Request, Response

IMPORTS_TOO_FAST: Final = "rate limit exceeded"
IMPORT_PAUSE: Final = timedelta(seconds=60)
NOT_ADMITTED: Final = "could not create subscriberseries"
_FAILED: Final = (0, "0")
_ABOUT_CREDENTIALS: Final = re.compile(r"\baccount id\b|\bkey\b", re.IGNORECASE)


def classify(request: Request, response: Response) -> DeliveryError | None:
    """Where ActiveCampaign differs from what a status says elsewhere."""
    status, said = response.status, words(response)
    if status in (408, 423, 429) or status >= 500:
        return by_status(response)
    if status == 400 and IMPORTS_TOO_FAST in said.lower():
        until = response.received_at + IMPORT_PAUSE
        pools = ("imports", "single_imports")
        return RateLimited("ActiveCampaign takes no more imports now.", until=until, pools=pools, response=response)
    if status in (401, 402, 403) and NOT_ADMITTED not in said.lower():
        return AuthFailed(
            f"ActiveCampaign refused the API key, or its user may not do this ({status}).", response=response
        )
    if status == 403:
        return Permanent("ActiveCampaign did not admit the contact to the automation.", response=response)
    if request.host == "events" and _has_failed(response) and _ABOUT_CREDENTIALS.search(said):
        # Told under 200. As a 403 it pauses the events alone: the API key may be good.
        refused_as = replace(response, status=403)
        return AuthFailed("Event tracking refused the account number or the event key.", response=refused_as)
    return _of_success(request, response) if status < 300 else by_status(response)


def _of_success(request: Request, response: Response) -> DeliveryError | None:
    """A success is one in JSON that does not say otherwise; a login page means that the key is wrong or has ended."""
    if response.body.lstrip()[:1] == b"<":
        return AuthFailed(
            "ActiveCampaign answered with a web page: the API key is wrong or expired.", response=response
        )
    if request.method == "DELETE" and not response.body:
        return None
    try:
        response.json()
    except Unreadable as error:
        return Unreadable(str(error), response=response, unknown=True)
    if _has_failed(response):
        return Permanent("ActiveCampaign reports a failure under a success status.", response=response)
    return None


def _has_failed(response: Response) -> bool:
    told = body(response)
    return any(told.get(name) in _FAILED for name in ("success", "Success", "succeeded"))


def body(response: Response | None) -> Mapping[str, Any]:
    """The object of an answer; an empty one if it is none."""
    if response is None:
        return {}
    try:
        found = response.json()
    except Unreadable:
        return {}
    return found if isinstance(found, dict) else {}


def words(response: Response | None) -> str:
    """The vendor's own words."""
    told = body(response)
    said = [_first(error, "detail", "title", "error") for error in _dicts(told.get("errors"))]
    reasons = told.get("failureReasons")
    said += [
        _first(reason, "failureReason") if isinstance(reason, dict) else str(reason)
        for reason in (reasons if isinstance(reasons, list) else ())
    ]
    said += [str(told[name]) for name in ("message", "error") if told.get(name)]
    return " ".join(dict.fromkeys(filter(None, said)))


def is_status(refusal: DeliveryError, status: int) -> bool:
    return refusal.response is not None and refusal.response.status == status


def is_duplicate(refusal: Permanent) -> bool:
    """Whether what was to be made exists already: 422 with code `duplicate`, or a duplicate entry in MySQL's words."""
    codes = [str(error.get("code")) for error in _dicts(body(refusal.response).get("errors"))]
    return "duplicate" in codes or "duplicate entry" in words(refusal.response).lower()


def refused(delivery_id: str, refusal: Permanent, code: str = "") -> Rejected:
    """The refusal of a call about one record, in the vendor's words. Raises it where there are none."""
    said = words(refusal.response)
    if not said:
        raise refusal
    errors = _dicts(body(refusal.response).get("errors"))
    source = errors[0].get("source") if errors else None
    pointer = str(source.get("pointer") or "") if isinstance(source, dict) else ""
    code = code or str((errors[0].get("code") if errors else "") or "rejected")
    return Rejected(delivery_id, said, code=code, field=pointer or None)


def outcomes_of_refusal(batch: Batch, refusal: Permanent) -> Sequence[Outcome]:
    """Who is to blame where one contact fails a whole import; `contact` is its index.

    Raises Split if the answer does not say, so that the culprit comes to stand alone.
    """
    blamed: dict[str, str] = {}
    for reason in _dicts(body(refusal.response).get("failureReasons")):
        place = reason.get("contact")
        if isinstance(place, int) and 0 <= place < len(batch.items):
            blamed.setdefault(batch.items[place].delivery_id, _first(reason, "failureReason"))
    if not blamed and len(batch.records) > 1:
        raise Split("ActiveCampaign refused an import without saying which contact.", response=refusal.response)
    if not blamed:
        return [refused(batch.records[0].delivery_id, refusal)]
    return [
        Rejected(record.delivery_id, blamed[record.delivery_id], code="invalid_contact")
        if record.delivery_id in blamed
        else Again(record.delivery_id, "Another contact of the same import was refused.", counts=False)
        for record in batch.records
    ]


def id_in(response: Response, name: str) -> str:
    """The id of the one object of an answer. Raises Unreadable if there is none."""
    found = body(response).get(name)
    value = found.get("id") if isinstance(found, dict) else None
    if value in (None, ""):
        raise Unreadable(f"The answer holds no {name} with an id.", response=response, unknown=True)
    return str(value)


def rows(response: Response, name: str) -> list[Mapping[str, Any]]:
    """The objects of a list answer. Raises Unreadable if it is none."""
    found = body(response).get(name)
    if not isinstance(found, list):
        raise Unreadable(f"The answer holds no list of {name}.", response=response)
    return _dicts(found)


def all_rows(page: Callable[[int], Request], name: str) -> Flow:
    """Every object over all pages."""
    found: list[Mapping[str, Any]] = []
    while True:
        response: Response = yield page(len(found))
        more = rows(response, name)
        found += more
        if len(more) < PAGE:
            return found


def certain(flow: Flow) -> Flow:
    """A step that may be repeated, inside a flow that may not: its lost answer does not leave the whole unknown."""
    try:
        return (yield from flow)
    except RateLimited:
        raise
    except Retryable as error:
        raise Retryable(str(error), response=error.response) from error


def _dicts(found: Json) -> list[Mapping[str, Any]]:
    return [one for one in found if isinstance(one, dict)] if isinstance(found, list) else []


def _first(told: Mapping[str, Any], *names: str) -> str:
    return next((str(told[name]) for name in names if told.get(name)), "")
