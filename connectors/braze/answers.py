"""What Braze's answers mean. Pages: `_docs/_api/errors.md` and `endpoints/user_data/post_user_track.md` (read 2026-08)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Final

from hub.sdk.contract import by_status
from hub.sdk.errors import DeliveryError, Permanent, RateLimited, Split
from hub.sdk.values import Accepted, Batch, Item, Outcome, Rejected, Response

SUCCESS: Final = frozenset({"success", "queued"})  # `queued` comes with 202 during maintenance
FINAL: Final = ("invalid campaign id", "invalid canvas id", "no recipients")  # a 400 about the call, not about a record
TOO_MANY: Final = ("max input length exceeded", "max number of")  # what a 400 for an overfull call says


def outcome(delivery_id: str, refusal: str, notices: Sequence[str], receipt: str | None) -> Outcome:
    if refusal:
        return Rejected(delivery_id, refusal, code="refused")
    return Accepted(delivery_id, notices=notices, receipt=receipt)


def places(batch: Batch) -> Iterator[tuple[str, int, Item]]:
    """Where each item stands in the body: array and index."""
    counts: dict[str, int] = {}
    for item in batch.items:
        array = item.part.partition("/")[0]
        yield array, counts.setdefault(array, 0), item
        counts[array] += 1


def failures(batch: Batch, body: Mapping[str, Any]) -> tuple[dict[str, str], list[str]]:
    """Braze's words by delivery, and those it attached to nobody (bare strings, or without an index)."""
    errors = body.get("errors") or []
    if not errors:
        return {}, []
    if not isinstance(errors, list):
        errors = [errors]
    owners = {(array, str(index)): item.delivery_id for array, index, item in places(batch)}
    failed: dict[str, str] = {}
    unnamed: list[str] = []
    for error in errors:
        place = (str(error.get("input_array")), str(error.get("index"))) if isinstance(error, dict) else ("", "")
        words = str(error.get("type", error)) if isinstance(error, dict) else str(error)
        if place in owners:
            failed.setdefault(owners[place], words)
        else:
            unnamed.append(words)
    return failed, unnamed


def bad_request(response: Response) -> DeliveryError | None:
    """A 400 names each object if all failed, or refuses the call as a whole: for good, or because of one in it."""
    body = response.json()
    message = str(body.get("message", "")) if isinstance(body, dict) else ""
    if message and body.get("errors"):
        return None
    if any(words in message.lower() for words in TOO_MANY):
        return Split(f"Braze takes fewer objects per call: {message}", response=response)
    if any(words in message.lower() for words in FINAL):
        return Permanent(f"Braze refused the call: {message}", response=response)
    return Split(
        f"Braze refused the call, maybe for one record in it: {message or 'no reason given'}", response=response
    )


def reset(response: Response) -> datetime | None:
    """`x-ratelimit-reset` is in epoch seconds (api_limits.md); Retry-After, if it ever comes, counts as well."""
    text = response.headers.get("x-ratelimit-reset", "")
    if text.isascii() and text.isdigit() and len(text) <= 11:
        return datetime.fromtimestamp(int(text), UTC)
    fallback = by_status(response)
    return fallback.until if isinstance(fallback, RateLimited) else None
