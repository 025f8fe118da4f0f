"""What Airship's answers say.

{"ok": false, "error": "Could not parse request body.", "error_code": 40202, "details": {"path": "...", "error": "..."},
"operation_id": "..."}; a refusal of the credentials is plain text (schemas of the operations, and the sheet's section 8).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from hub.sdk.errors import Permanent, Unreadable
from hub.sdk.values import Rejected, Response


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


def words(response: Response | None) -> str:
    """The vendor's own words: the error, and what exactly is wrong with which part of the body."""
    body = fields(response)
    details = body.get("details")
    parts = [body.get("error"), *(details.get(name) for name in ("path", "error") if isinstance(details, Mapping))]
    return " ".join(str(part) for part in parts if part)


def refused(delivery_id: str, refusal: Permanent) -> Rejected:
    """A call that carried one record, refused."""
    code = fields(refusal.response).get("error_code") or status(refusal) or "rejected"
    return Rejected(delivery_id, words(refusal.response) or str(refusal), code=str(code))


def warnings(response: Response) -> Sequence[str]:
    """What Airship left out of something it accepted: unknown attributes and tag groups, by name."""
    body = fields(response)
    found = [str(body["warning"])] if body.get("warning") else []
    groups = tag_warnings(response)
    return (
        [*found, f"Airship did not write the tags of {groups}; make the tag group in its dashboard."]
        if groups
        else found
    )


def tag_warnings(response: Response) -> str:
    """The tag groups that failed, as `group1,group2`; empty if none did."""
    return str(fields(response).get("tag_warnings") or "")


def receipt(response: Response) -> str | None:
    """What Airship's support asks for; custom events spell it otherwise than everything else."""
    body = fields(response)
    found = body.get("operation_id") or body.get("operationId")
    return str(found) if found else None


def channel_id(response: Response) -> str:
    """The id of a registered channel. Raises Unreadable where there is none."""
    found = fields(response).get("channel_id")
    if not isinstance(found, str) or not found:
        raise Unreadable("The answer to a registration holds no channel_id.", response=response, unknown=True)
    return found
