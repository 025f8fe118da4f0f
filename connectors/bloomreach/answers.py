"""What Bloomreach's answers mean.

Pages: documentation.bloomreach.com/engagement/reference/ (tracking-api-error-messages, tracking-api-authorization-errors,
tips-and-best-practices). `success: true` means queued; what happens to a value later is never told.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Final, NamedTuple

from hub.sdk.contract import by_status
from hub.sdk.errors import AuthFailed, DeliveryError, Permanent, Split, Unreadable
from hub.sdk.values import Accepted, AnyPush, Batch, Json, MessagePush, Outcome, Rejected, Request, Response

ACCESS: Final = ("could not authenticate", "invalid project id", "no permission")
"""Words about credentials or permissions; they come with 400, 403 and, from older deployments, with 200."""
BY_STATUS: Final = frozenset({401, 403, 408, 413, 423, 429})
NUMBER: Final = re.compile(r"[+-]?\d+(\.\d+)?([eE][+-]?\d+)?", re.ASCII)
READ_AS_NUMBER: Final = "Bloomreach reads quoted digits as a number, so this code may lose its form; give the campaign a pattern with letters."


class Told(NamedTuple):
    """What one answer says of each record, and the words with which it refused some for want of a permission."""

    outcomes: Sequence[Outcome]
    denied: str


def failure(request: Request, response: Response) -> DeliveryError | None:
    """Whether the whole call failed. A batch that is refused as a whole is halved: it may hide one bad command."""
    if response.status == 429 or response.status >= 500:
        return by_status(response)
    body = _object(response)
    words = said(body) if body is not None else _plain(response)
    if is_about_access(words):
        return AuthFailed(f"Bloomreach refused the key, the project token or a permission: {words}", response=response)
    if response.status < 300:
        if body is None or "success" not in body:
            return Unreadable("Bloomreach answered something that is not its API's.", response=response, unknown=True)
        if body["success"] or body.get("results"):
            return None
    elif response.status in BY_STATUS:
        return by_status(response)
    refused = f"Bloomreach refused the call ({response.status}): {words or 'it gave no reason'}"
    if response.status != 404 and _commands(request) > 1:
        return Split(refused, response=response)
    return Permanent(refused, response=response)


def results(batch: Batch, response: Response) -> Told:
    """`{"results": [{"success": true, "command_id": "c1"}, {"success": false, "errors": ["..."]}]}`: by id, else by index.

    Raises Unreadable if a record has no result.
    """
    listed = [one for one in response.json().get("results") or [] if isinstance(one, dict)]
    named = {str(one["command_id"]): one for one in listed if one.get("command_id")}
    outcomes: list[Outcome] = []
    denied = ""
    for index, record in enumerate(batch.records):
        result = named.get(record.delivery_id) or (listed[index] if len(listed) == len(batch.records) else None)
        if result is None:
            raise Unreadable("Bloomreach's answer leaves out a command.", response=response, unknown=True)
        words = said(result)
        if not result.get("success") and is_about_access(words):
            denied = words
        else:
            outcomes.append(_outcome(record, result, words))
    return Told(outcomes, denied)


def accepted(record: AnyPush) -> Accepted:
    code = record.code if isinstance(record, MessagePush) else None
    return Accepted(record.delivery_id, notices=[READ_AS_NUMBER] if code and NUMBER.fullmatch(code) else ())


def said(body: Mapping[str, Json] | None) -> str:
    """The words of an answer: `error` (text), `errors` (text, list, or lists by field) and `message`."""
    found: list[str] = []
    for name in ("error", "errors", "message"):
        found += _texts((body or {}).get(name))
    return "; ".join(dict.fromkeys(found))


def is_about_access(words: str) -> bool:
    return any(one in words.lower() for one in ACCESS)


def is_about_the_customer(error: DeliveryError) -> bool:
    """A 404 that means the person, not the project or the path."""
    response = error.response
    return response is not None and response.status == 404 and "customer" in said(_object(response)).lower()


def _outcome(record: AnyPush, result: Mapping[str, Json], words: str) -> Outcome:
    if result.get("success"):
        return accepted(record)
    return Rejected(record.delivery_id, words or "Bloomreach refused it without a reason.", code="refused")


def _texts(value: Json) -> list[str]:
    if isinstance(value, str):
        return [value] if value else []
    if isinstance(value, list):
        return [text for one in value for text in _texts(one)]
    if isinstance(value, dict):
        return [f"{name}: {text}" for name, one in value.items() for text in _texts(one)]
    return []


def _commands(request: Request) -> int:
    return len(request.json.get("commands", ())) if isinstance(request.json, dict) else 0


def _object(response: Response) -> dict[str, Json] | None:
    try:
        body = response.json()
    except Unreadable:
        return None
    return body if isinstance(body, dict) else None


def _plain(response: Response) -> str:
    """A short answer in plain text; older deployments refuse so. A web page says nothing of the API."""
    text = response.body[:500].decode("utf-8", "replace").strip()
    return "" if text.startswith("<") else text
