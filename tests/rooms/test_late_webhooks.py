"""Segment sends a webhook again for up to four hours, in any order and more than once: the profile ends the same."""

from __future__ import annotations

import itertools
from typing import Any

import pytest

from tests.rooms.whole import Whole

AT = 1_775_113_200_000_000  # 2026-04-02T07:00:00Z
HOUR = 3_600_000_000
EARLY = {"timestamp": "2026-04-02T02:59:00.000Z", "receivedAt": "2026-04-02T02:59:00.310Z", "userId": "ada"}
LATER = {"timestamp": "2026-04-02T06:00:00.000Z", "receivedAt": "2026-04-02T06:00:00.310Z", "userId": "ada"}
AUDIENCE = {"context": {"personas": {"computation_class": "audience", "computation_key": "vip"}}}
HISTORY: list[dict[str, Any]] = [
    {"type": "identify", "messageId": "1", **EARLY, "traits": {"email": "old@example.com", "tier": "silver"}},
    {"type": "identify", "messageId": "2", **LATER, "traits": {"email": "new@example.com"}},
    {"type": "identify", "messageId": "3", **EARLY, "traits": {"vip": True}, **AUDIENCE},
    {"type": "track", "messageId": "4", **LATER, "event": "Audience Exited", "properties": {"vip": False}, **AUDIENCE},
]


@pytest.mark.parametrize("order", list(itertools.permutations(range(4)))[::5])
def test_a_webhook_four_hours_late_leaves_the_profile_as_if_it_had_come_in_time(
    whole: Whole, order: tuple[int, ...]
) -> None:
    for number, index in enumerate((*order, *reversed(order))):  # each of them twice
        whole.receives(HISTORY[index], at=AT + number * HOUR)
        whole.applies()

    shown = whole.profile("ada")
    assert shown is not None
    assert shown["traits"]["email"] == "new@example.com"
    assert shown["metadata"] == {"tier": "silver"}
    assert shown["audiences"]["vip"]["member"] is False
