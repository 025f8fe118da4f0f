"""Text from outside as rows can hold it; `hub.sdk.json` does the same for JSON values.

PostgreSQL refuses NUL in a text, and neither engine takes half a surrogate pair; vendors, senders, files and shells may
say either. Whatever comes from outside is made storable where it enters, so that nothing inside has to ask.
"""

from __future__ import annotations

import re
from typing import Final

REPLACEMENT: Final = "\ufffd"
UNSTORABLE: Final = re.compile("[\0\ud800-\udfff]")


def storable(text: str, limit: int | None = None) -> str:
    """`text` with NUL and half surrogate pairs replaced by U+FFFD, cut to `limit` characters."""
    if limit is not None and len(text) > limit:
        text = text[:limit]
    if text.isascii():
        return text.replace("\0", REPLACEMENT) if "\0" in text else text
    return UNSTORABLE.sub(REPLACEMENT, text)


def is_storable(text: str, limit: int | None = None) -> bool:
    """Whether a row can hold `text` as it is; for ids, which mean nothing once they are changed."""
    if limit is not None and len(text) > limit:
        return False
    return "\0" not in text if text.isascii() else UNSTORABLE.search(text) is None
