"""The second an event is stamped with.

Intercom drops an event with the contact, name and second of another one, and answers 202 all the same (POST /events).
So a repeat must carry the same second, and another event of that name a different one. The hub keeps, per person, which
delivery took which of the latest seconds.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping
from typing import Final

from hub.sdk.values import EventPush, MessagePush

REMEMBERED: Final = "event_seconds"
KEPT_S: Final = 60
KEPT: Final = 30
_REPLAY: Final = re.compile(r"-r(\d+)$")

Taken = dict[str, dict[int, str]]  # event name -> second -> the delivery that took it


def second(push: EventPush | MessagePush, name: str) -> int:
    """Unix seconds: the event's own, or the next free one where another event of that name took it."""
    if isinstance(push.progress, dict) and "created_at" in push.progress:
        return int(push.progress["created_at"])
    taken = _taken(push.person.remembered).get(_folded(name), {})
    at, mine = natural(push), _mark(push)
    while taken.get(at, mine) != mine:
        at += 1
    return at


def natural(push: EventPush | MessagePush) -> int:
    """When it happened; a forced replay (`-rN`) is meant to arrive again, so it stands N seconds later."""
    replay = _REPLAY.search(push.vendor_key)
    return math.floor(push.at.timestamp()) + (int(replay[1]) if replay else 0)


def remember(push: EventPush | MessagePush, name: str, created_at: int) -> dict[str, str]:
    """What to remember once this second is taken: the latest minute of each event name, at most thirty seconds of it."""
    taken = _taken(push.person.remembered)
    taken.setdefault(_folded(name), {})[created_at] = _mark(push)
    newest = max(at for seconds in taken.values() for at in seconds)
    kept: Taken = {}
    for one, seconds in taken.items():
        latest = sorted(at for at in seconds if newest - at < KEPT_S)[-KEPT:]
        if latest:
            kept[one] = {at: seconds[at] for at in latest}
    return {REMEMBERED: json.dumps(kept, sort_keys=True, separators=(",", ":"), ensure_ascii=False)}


def _folded(name: str) -> str:
    """Event names are case-insensitive; `.` and `$` become `-`."""
    return name.lower().replace(".", "-").replace("$", "-")


def _mark(push: EventPush | MessagePush) -> str:
    """Enough of the key to tell two deliveries of one person and minute apart."""
    return push.vendor_key[-10:]


def _taken(remembered: Mapping[str, str]) -> Taken:
    text = remembered.get(REMEMBERED)
    found = json.loads(text) if text else {}
    return {name: {int(at): mark for at, mark in seconds.items()} for name, seconds in found.items()}
