"""What text the ledger keeps."""

from __future__ import annotations

KEPT_CHARS = 8_192
KEPT_REASON_CHARS = 1_000
ERASED = "(erased)"


def kept(text: str, limit: int = KEPT_CHARS) -> str:
    """`text` as both engines can store it, no longer than `limit` characters and an ending that says how much is missing.

    PostgreSQL refuses NUL, and no engine takes a lone surrogate; a vendor's answer may hold either.
    """
    missing = len(text) - limit
    if missing > 0:
        text = f"{text[:limit]}… ({missing} more characters)"
    if text.isascii() and "\0" not in text:
        return text
    return text.replace("\0", "�").encode("utf-8", "replace").decode("utf-8")
