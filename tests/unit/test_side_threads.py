"""Threads beside a role: work that can be tried again goes on, a defect ends the role so that it shows."""

from __future__ import annotations

import threading
from typing import Any

import pytest
from sqlalchemy.exc import ProgrammingError

from hub.inbox.queue import Unreachable
from hub.runtime.process.side_threads import SideThreads, put_off
from hub.sdk.errors import ConfigurationError


class Log:
    def __init__(self) -> None:
        self.told: list[tuple[str, str]] = []

    def warning(self, what: str, why: str) -> None:
        self.told.append((what, why))


def test_a_thread_that_dies_ends_its_role_and_says_why():
    stop = threading.Event()
    side_threads = SideThreads(stop)
    side_threads.start("well", lambda: stop.wait() and None)
    side_threads.start("broken", lambda: 1 // 0 and None)
    assert stop.wait(10)
    side_threads.join()
    with pytest.raises(ZeroDivisionError):
        side_threads.raise_defect()


def test_threads_that_end_with_their_role_leave_nothing_to_raise():
    stop = threading.Event()
    side_threads = SideThreads(stop)
    side_threads.start("well", lambda: stop.wait() and None)
    stop.set()
    side_threads.join()
    side_threads.raise_defect()


@pytest.mark.parametrize("error", [Unreachable("The brokers are away."), ConfigurationError("The key is another's.")])
def test_what_time_or_an_operator_mends_is_told_and_put_off(error: Exception):
    log: Any = Log()
    with put_off(log, "tidying is put off"):
        raise error
    assert log.told == [("tidying is put off", str(error))]


@pytest.mark.parametrize("defect", [KeyError("x"), ProgrammingError("select 1", {}, Exception("no such column"))])
def test_a_defect_is_not_put_off(defect: Exception):
    log: Any = Log()
    with pytest.raises(type(defect)), put_off(log, "tidying is put off"):
        raise defect
    assert log.told == []
