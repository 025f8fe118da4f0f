"""What MoEngage's answers say; each family of its API has a shape of its own.

Data: {"status": "fail", "error": {"type": "...", "message": "...", "attribute": "customer_id", "request_id": "..."}}
Inform: {"message": "...", "err_code": 120002, "status_code": 400}; categories: {"title": "...", "description": "..."}
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from hub.sdk.contract import retry_after
from hub.sdk.errors import Permanent, Unreadable
from hub.sdk.values import Rejected, Response

EPOCH_FROM: Final = 1e9
"""Pages disagree on `x-ratelimit-reset`: seconds that are left, or seconds since 1970. Below this it is the former."""


def fields(response: Response | None) -> Mapping[str, Any]:
    """The answer as an object; empty if it is none."""
    if response is None:
        return {}
    try:
        body = response.json()
    except Unreadable:
        return {}
    return body if isinstance(body, dict) else {}


def status(refusal: Permanent) -> int:
    return refusal.response.status if refusal.response else 0


def error_type(response: Response | None) -> str:
    """The type of a Data error, such as MissingAttributeError; "" in other families."""
    error = fields(response).get("error")
    return str(error.get("type") or error.get("code") or "") if isinstance(error, Mapping) else ""


def words(response: Response | None) -> str:
    """The vendor's own words."""
    body = fields(response)
    error = body.get("error") if isinstance(body.get("error"), Mapping) else body
    assert isinstance(error, Mapping)
    parts = [error.get(name) for name in ("type", "title", "message", "description", "attribute")]
    return ": ".join(str(part) for part in parts if isinstance(part, str | int) and part)


def refused(delivery_id: str, refusal: Permanent) -> Rejected:
    """A call that carried one record, refused."""
    code = error_type(refusal.response) or fields(refusal.response).get("err_code") or status(refusal) or "rejected"
    return Rejected(delivery_id, words(refusal.response) or str(refusal), code=str(code))


def reset(response: Response) -> datetime | None:
    """When calls are taken again."""
    text = response.headers.get("x-ratelimit-reset", "").strip()
    try:
        seconds = float(text)
    except ValueError:
        return retry_after(response)  # type: ignore[no-any-return] # the SDK types it as Any
    if seconds > EPOCH_FROM:
        return datetime.fromtimestamp(min(seconds, response.received_at.timestamp() + 86_400), UTC)
    return response.received_at + timedelta(seconds=max(0.0, seconds))


def failed_channels(response: Response, channels: Sequence[str]) -> dict[str, str]:
    """Channel → why Inform did not take it. Told only where MoEngage has switched that on for the account."""
    body = fields(response)
    told = {channel: body.get(channel) for channel in channels}
    return {
        channel: str(one.get("message") or one["status_code"])
        for channel, one in told.items()
        if isinstance(one, Mapping) and isinstance(one.get("status_code"), int) and one["status_code"] >= 400
    }
