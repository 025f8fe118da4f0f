"""How CLI and API show things: one JSON shape each, times as ISO text."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from hub.campaigns.values import Campaign, CodeCounts
from hub.core.clock import iso
from hub.inbox.values import StoredMessage
from hub.ledger.values import Attempt, Run
from hub.sdk.json import loads


def campaign_json(campaign: Campaign, counts: CodeCounts) -> dict[str, Any]:
    """A campaign with its codes by state."""
    return with_times(asdict(campaign)) | asdict(counts)


def run_json(run: Run) -> dict[str, Any]:
    """One entry of the sync log."""
    shown = asdict(run)
    shown["duration_ms"] = round(shown.pop("duration_us") / 1000, 1)
    return with_times(shown)


def attempt_json(attempt: Attempt) -> dict[str, Any]:
    """One attempt with its masked request and response."""
    return with_times(asdict(attempt))


def message_json(message: StoredMessage) -> dict[str, Any]:
    """What became of one message; never its body."""
    shown = message._asdict()
    shown["is_body_kept"] = shown.pop("body") is not None
    shown["warnings"] = loads(shown["warnings"])
    shown["headers"] = loads(shown["headers"]) if shown["headers"] else None
    return with_times(shown)


def with_times(shown: dict[str, Any]) -> dict[str, Any]:
    """The same with every `*_at` (and a message's `at`) as ISO text."""
    return {key: iso(value) if _is_time(key) and isinstance(value, int) else value for key, value in shown.items()}


def _is_time(key: str) -> bool:
    return key == "at" or key.endswith("_at")
