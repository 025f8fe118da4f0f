"""Mailchimp's problem documents, and what its answers mean (docs/errors, docs/fundamentals).

{"title": "Invalid Resource", "status": 400, "detail": "...", "instance": "<uuid>",
 "errors": [{"field": "merge_fields.FNAME", "message": "..."}]}
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from hub.sdk.contract import by_status, retry_after
from hub.sdk.errors import AuthFailed, DeliveryError, Permanent, RateLimited, Unreadable
from hub.sdk.values import Again, Outcome, Rejected, Request, Response

CODES: Final = {
    "member in compliance state": "suppressed",
    "forgotten email not subscribed": "erased",
    "invalid resource": "invalid_resource",
    "member exists": "member_exists",
    "resource not found": "not_found",
}
TOO_OFTEN: Final = "signed up to a lot of lists"
TOO_OFTEN_S: Final = 6 * 3_600.0
"""The throttle on one address lasts "hours to days, not minutes"."""
_SILENT: Final = ("/events", "/tags", "/actions/trigger", "/actions/delete-permanent")
"""Calls that are answered 204, without a body."""


class Stopped(Exception):
    """Ends the flow of a record from anywhere inside it; never leaves the connector."""

    def __init__(self, outcome: Outcome) -> None:
        super().__init__(str(outcome))
        self.outcome = outcome


def classify(request: Request, response: Response) -> DeliveryError | None:
    """A 403 that is not a problem document is throttling; one that is concerns the credentials."""
    status = response.status
    if status == 429 or (status == 403 and not problem(response)):
        words = "Mailchimp slows this account down; it allows ten calls at once."
        return RateLimited(words, until=retry_after(response), response=response)
    if status in (401, 403):
        return AuthFailed(f"Mailchimp refused the API key. {said(response)}".strip(), response=response)
    if status >= 300:
        return by_status(response)
    if request.method == "DELETE" or (request.method == "POST" and request.path.endswith(_SILENT)):
        if status == 204:
            return None
        return Unreadable(f"The answer is {status} where Mailchimp answers 204.", response=response, unknown=True)
    body = response.json()
    if isinstance(body, dict) and not isinstance(body.get("status"), int) and body:
        return None
    return Unreadable("Mailchimp answered something that is not its API's.", response=response, unknown=True)


def problem(response: Response | None) -> Mapping[str, Any]:
    """The problem document; empty if the answer is none."""
    if response is None:
        return {}
    try:
        body = response.json()
    except Unreadable:
        return {}
    return body if isinstance(body, dict) and ("title" in body or "detail" in body) else {}


def said(response: Response | None) -> str:
    """Mailchimp's own sentence, with the fields it names."""
    found = problem(response)
    words = str(found.get("detail") or found.get("title") or "")
    fields = [f"{name}: {message}" for name, message in field_errors(response)]
    return f"{words} ({'; '.join(fields)})" if fields else words


def field_errors(response: Response | None) -> list[tuple[str, str]]:
    listed = problem(response).get("errors")
    errors = [one for one in listed if isinstance(one, dict)] if isinstance(listed, list) else []
    return [(str(one.get("field") or ""), str(one.get("message") or "")) for one in errors]


def status_of(refusal: Permanent) -> int:
    return refusal.response.status if refusal.response is not None else 0


def title_of(refusal: Permanent) -> str:
    return str(problem(refusal.response).get("title") or "").lower()


def outcome_of(delivery_id: str, refusal: Permanent) -> Outcome:
    """What a refused record becomes: a dead letter in Mailchimp's words, or another try much later."""
    found = problem(refusal.response)
    if not found:
        return Rejected(delivery_id, str(refusal), code=str(status_of(refusal) or "rejected"))
    words = f"Mailchimp: {said(refusal.response)}"
    if TOO_OFTEN in words:
        return Again(delivery_id, words, after_s=TOO_OFTEN_S)
    instance = f" (instance {found['instance']})" if found.get("instance") else ""
    fields = field_errors(refusal.response)
    code = CODES.get(title_of(refusal), "rejected")
    return Rejected(delivery_id, words + instance, code=code, field=fields[0][0] or None if fields else None)


def text_of(response: Response, name: str) -> str:
    """A text that the answer must have. Raises Unreadable if it has not."""
    found = response.json().get(name)
    if not isinstance(found, str) or not found:
        raise Unreadable(f"Mailchimp's answer holds no {name}.", response=response, unknown=True)
    return found
