"""The time of a message: a pure function of what acceptance stored, so that arrival order changes nothing."""

from __future__ import annotations

from typing import Final

from hub.core.clock import MINUTE, Micros
from hub.mapping.model import Json
from hub.mapping.values.coerce_time import EARLIEST, read_instant
from hub.mapping.values.text import Failed

SKEW: Final = 5 * MINUTE  # clocks that differ by less are taken as right


def message_time(body: Json, received_at: Micros, at: Json) -> tuple[Micros, str | None]:
    """When the message happened, in microseconds, and the code of a warning.

    `at` is the sender's time (the value at the mapping's `message.at`). It stands as it is where the sender's own
    servers corrected it (`receivedAt` in the body); otherwise it moves by `received_at - sentAt` when these differ by
    more than five minutes. It is never later than receipt, which also stands in for a missing (no warning) or an
    unreadable (`invalid_time`) one. `time_in_future` names a time cut back by more than five minutes.
    """
    if at is None:
        return received_at, None
    said = read_instant(at)
    if isinstance(said, Failed):
        return received_at, "invalid_time"
    corrected = max(EARLIEST, said + _skew(body, received_at))
    if corrected <= received_at:
        return corrected, None
    return received_at, "time_in_future" if corrected - received_at > SKEW else None


def _skew(body: Json, received_at: Micros) -> Micros:
    """How far the sender's clock is behind ours."""
    if not isinstance(body, dict) or not isinstance(read_instant(body.get("receivedAt")), Failed):
        return 0
    sent_at = read_instant(body.get("sentAt"))
    if isinstance(sent_at, Failed):
        return 0
    skew = received_at - sent_at
    return skew if abs(skew) > SKEW else 0
