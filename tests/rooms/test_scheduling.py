"""The schedule role as a process: what runs beside it never dies in silence."""

from __future__ import annotations

import threading

import pytest

from hub.runtime.roles.schedule import run_schedule
from tests.rooms.whole import Whole


@pytest.mark.parametrize(
    "work",
    [
        "hub.runtime.roles.schedule.tidy",
        "hub.runtime.roles.schedule.MappingWatch.look",
        "hub.runtime.roles.schedule.ErasureWatch.follow",
    ],
)
def test_a_defect_beside_the_schedule_ends_the_role_so_that_it_shows(
    whole: Whole, monkeypatch: pytest.MonkeyPatch, work: str
) -> None:
    def broken(*_: object) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr("hub.runtime.roles.schedule.TIDY_EVERY_S", 0.01)
    monkeypatch.setattr(work, broken)
    with pytest.raises(ZeroDivisionError):
        run_schedule(whole.hub, threading.Event())
