"""Which records of a list: the one set of filters of runs, messages, deliveries and refusals."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

from hub.core.clock import DAY, HOUR, MINUTE, SECOND, Micros, from_datetime

_AGO = re.compile(r"(\d{1,6}) ?(s|m|h|d|w)")
_UNITS: Mapping[str, Micros] = {"s": SECOND, "m": MINUTE, "h": HOUR, "d": DAY, "w": 7 * DAY}


@dataclass(frozen=True, slots=True)
class RecordFilter:
    """Every field that is set must match; `since` counts, `until` does not. `text` is looked for, in whatever case, in
    what a list tells of a record: never in bodies."""

    status: str | None = None
    connection_id: str | None = None
    reason: str | None = None
    source_id: str | None = None
    text: str | None = None
    since: Micros | None = None
    until: Micros | None = None


EVERY = RecordFilter()


def read_span(text: str) -> Micros:
    """How long: `90s`, `15m`, `2h`, `1d`, `2w`; `0` is not at all. Raises ValueError."""
    word = text.strip().lower()
    span = _AGO.fullmatch(word)
    if span is None and word != "0":
        raise ValueError(text)
    return int(span[1]) * _UNITS[span[2]] if span else 0


def read_moment(text: str, now: Micros) -> Micros:
    """A time as people write it: ISO 8601 (UTC without an offset), `90s`, `15m`, `2h`, `1d`, `2w` ago, `now`, `today`
    or `yesterday` (00:00 UTC). Raises ValueError or OverflowError."""
    word = text.strip().lower()
    today = now - now % DAY
    named = {"now": now, "today": today, "yesterday": today - DAY}
    if word in named:
        return named[word]
    ago = _AGO.fullmatch(word)
    if ago is not None:
        return now - int(ago[1]) * _UNITS[ago[2]]
    at = datetime.fromisoformat(text.strip())
    return from_datetime(at if at.tzinfo else at.replace(tzinfo=UTC))
