"""What Batch's answers mean (doc.batch.com/developer/api/cep/profiles/update).

202 `{"code": "SUCCESS"}`, or `SUCCESS_WITH_PARTIAL_ERRORS` with `errors: [{category, bulk_index, attribute, reason}]`: what
is listed was left out, all else applied. Refusals: `{"error_code": "...", "error_message": "..."}`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from connectors.batch.edits import Edit, bare_name
from hub.sdk.contract import by_status
from hub.sdk.errors import AuthFailed, DeliveryError, Permanent, RateLimited, Retryable, Unreadable
from hub.sdk.values import Accepted, Outcome, Rejected, Response

SUCCESS: Final = ("SUCCESS", "SUCCESS_WITH_PARTIAL_ERRORS")
SHAPES: Final = frozenset({"code", "token", "request_id", "status", "error_code"})
RETRY_CODES: Final = frozenset({"SERVER_ERROR", "MAINTENANCE_ERROR"})


def classify(response: Response) -> DeliveryError | None:
    if response.status < 300:
        return _success(response)
    code, words = refusal(response)
    if response.status == 404 and code == "ROUTE_NOT_FOUND":
        return AuthFailed(
            f"Batch does not know this path; correct api_version or the app keys. {words}", response=response
        )
    return _by_code(code, words, response) or by_status(response)


def _success(response: Response) -> DeliveryError | None:
    body = response.json()
    if not isinstance(body, dict) or not SHAPES & body.keys():
        return Unreadable("Batch answered something that is not its API's.", response=response, unknown=True)
    code, words = refusal(response)
    if code or body.get("code", SUCCESS[0]) not in SUCCESS:
        failed = Permanent(f"Batch refused the call: {words or body.get('code')}", response=response)
        return _by_code(code, words, response) or failed
    return None


def _by_code(code: str, words: str, response: Response) -> DeliveryError | None:
    if code == "AUTHENTICATION_INVALID":
        return AuthFailed(f"Batch refused the REST API key: {words}", response=response)
    if code == "TOO_MANY_REQUESTS" and response.status != 429:
        return RateLimited(f"Batch asked to slow down: {words}", response=response)
    if code in RETRY_CODES:
        return Retryable(f"Batch failed with {code}: {words}", response=response)
    return None


def refusal(response: Response | None) -> tuple[str, str]:
    """`error_code` and `error_message`, empty where the answer has none."""
    try:
        body = response.json() if response is not None else None
    except Unreadable:
        return "", ""
    if not isinstance(body, dict):
        return "", ""
    return str(body.get("error_code") or ""), str(body.get("error_message") or body.get("error_code") or "")


@dataclass
class Findings:
    """What the calls of a batch left out, by delivery."""

    refused: dict[str, tuple[str, str]] = field(default_factory=dict)  # field, words
    notices: list[str] = field(default_factory=list)  # about nobody in particular

    def read(self, edits: Sequence[Edit], response: Response) -> None:
        errors = response.json().get("errors")
        for error in errors if isinstance(errors, list) else ():
            self._blame(edits, error if isinstance(error, dict) else {"reason": str(error)})

    def _blame(self, edits: Sequence[Edit], error: Mapping[str, Any]) -> None:
        index, words = error.get("bulk_index"), str(error.get("reason") or "no reason given")
        if not isinstance(index, int) or not 0 <= index < len(edits):
            self.notices.append(f"Batch left something out of this call without saying whose: {words}")
            return
        name = str(error.get("attribute") or "")
        owner = edits[index].owners.get(bare_name(name))
        if owner is not None and "event" not in str(error.get("category")):
            self._refuse(owner, name, f"Batch left out the attribute {name}: {words}. The others were taken.")
            return
        for delivery_id, why in _events(edits[index], error, words):
            self._refuse(delivery_id, name, why)

    def _refuse(self, delivery_id: str, name: str, words: str) -> None:
        self.refused.setdefault(delivery_id, (name, words))

    def outcome(self, delivery_id: str) -> Outcome:
        if delivery_id not in self.refused:
            return Accepted(delivery_id, notices=self.notices)
        name, words = self.refused[delivery_id]
        return Rejected(delivery_id, words, code="left_out", field=name or None)


def _events(edit: Edit, error: Mapping[str, Any], words: str) -> list[tuple[str, str]]:
    """Whose event was refused. How Batch names one of several is not documented: all that it may be are told so, since a
    loss that nobody sees is worse than one to look into."""
    if not edit.events:
        return [(one, f"Batch left out something of this person: {words}") for one in sorted(edit.deliveries())]
    said = {str(error.get(key)) for key in ("event", "name", "event_name", "attribute") if error.get(key)}
    named = [(delivery_id, one) for delivery_id, one in edit.events if one["name"] in said] or edit.events
    why = f"Batch refused the event: {words}"
    if len(named) > 1:
        why = f"Batch refused one of {len(named)} events of this person without saying which: {words}"
    return [(delivery_id, why) for delivery_id, _ in named]
