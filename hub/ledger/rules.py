"""What text the ledger keeps."""

from __future__ import annotations

from hub.sdk.text import storable

KEPT_CHARS = 8_192
KEPT_REASON_CHARS = 1_000
ERASED = "(erased)"


def kept(text: str, limit: int = KEPT_CHARS) -> str:
    """`text` as rows can hold it, no longer than `limit` characters and an ending that says how much is missing."""
    missing = len(text) - limit
    if missing > 0:
        text = f"{text[:limit]}… ({missing} more characters)"
    return storable(text)
