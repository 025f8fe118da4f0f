"""Intercom's error list and what its answers mean (developers.intercom.com, errors/http-responses, rate-limiting).

{"type": "error.list", "request_id": "...", "errors": [{"code": "conflict", "message": "...", "field": null}]}
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Final

from hub.sdk.contract import by_status
from hub.sdk.errors import AuthFailed, DeliveryError, Permanent, RateLimited, Unreadable
from hub.sdk.values import Outcome, Rejected, Request, Response

_NAMED_ID: Final = re.compile(r"\bid=([A-Za-z0-9_-]+)")
PLAN: Final = "Intercom says that the plan of this workspace does not include this call."


class Stopped(Exception):
    """Ends the flow of a record from anywhere inside it; never leaves the connector."""

    def __init__(self, outcome: Outcome) -> None:
        super().__init__(str(outcome))
        self.outcome = outcome


def classify(request: Request, response: Response) -> DeliveryError | None:
    """Reset times stand in a header of their own, and a success has the shape that the call has."""
    status = response.status
    if status == 402:
        return AuthFailed(f"{PLAN} {said(response)}".strip(), response=response)
    if status in (401, 403):
        return AuthFailed(f"Intercom refused the token or its permissions. {said(response)}".strip(), response=response)
    if status == 429:
        return RateLimited("Intercom asked to slow down.", until=reset(response), response=response)
    if status >= 300:
        return by_status(response)
    if request.path == "/events":
        if status == 202:
            return None
        return Unreadable(f"The answer is {status} where Intercom answers 202.", response=response, unknown=True)
    body = response.json()
    if isinstance(body, dict) and body.get("type") not in (None, "error.list"):
        return None
    return Unreadable("Intercom answered something that is not its API's.", response=response, unknown=True)


def reset(response: Response) -> datetime | None:
    """`X-RateLimit-Reset` is in epoch seconds; Retry-After, which is not documented, counts as well."""
    text = response.headers.get("x-ratelimit-reset", "")
    if text.isascii() and text.isdigit() and len(text) <= 11:
        return datetime.fromtimestamp(int(text), UTC)
    fallback = by_status(response)
    return fallback.until if isinstance(fallback, RateLimited) else None


def first_error(response: Response | None) -> Mapping[str, Any]:
    """The first object of the error list; empty if the answer is none."""
    if response is None:
        return {}
    try:
        body = response.json()
    except Unreadable:
        return {}
    listed = body.get("errors") if isinstance(body, dict) else None
    return listed[0] if isinstance(listed, list) and listed and isinstance(listed[0], dict) else {}


def said(response: Response | None) -> str:
    """Intercom's own sentence."""
    error = first_error(response)
    return str(error.get("message") or error.get("code") or "")


def status_of(refusal: Permanent) -> int:
    return refusal.response.status if refusal.response is not None else 0


def named_contact(refusal: Permanent) -> str | None:
    """The contact that a 409 says already exists, where its message names one."""
    found = _NAMED_ID.search(said(refusal.response))
    return found[1] if found else None


def refused(delivery_id: str, refusal: Permanent) -> Rejected:
    """The refusal in Intercom's words, with the request_id that its support asks for."""
    error = first_error(refusal.response)
    if not error:
        return Rejected(delivery_id, str(refusal), code=str(status_of(refusal) or "rejected"))
    body = refusal.response.json() if refusal.response is not None else {}
    request_id = f" (request_id {body['request_id']})" if body.get("request_id") else ""
    field = error.get("field")
    return Rejected(
        delivery_id,
        f"Intercom: {said(refusal.response)}{request_id}",
        code=str(error.get("code") or "rejected"),
        field=str(field) if field else None,
    )


def identifier(response: Response) -> str:
    """The id of the one object of an answer. Raises Unreadable if it has none."""
    found = response.json().get("id")
    if not isinstance(found, str | int) or found == "":
        raise Unreadable("Intercom's answer holds no id.", response=response, unknown=True)
    return str(found)


def listed(response: Response) -> list[Mapping[str, Any]]:
    """The objects of a list answer. Raises Unreadable if it is none."""
    found = response.json().get("data")
    if not isinstance(found, list):
        raise Unreadable("Intercom's answer holds no list.", response=response)
    return [one for one in found if isinstance(one, dict)]
