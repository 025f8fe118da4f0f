"""How long the supervisor holds a role back that died, by a clock of its own."""

from __future__ import annotations

import signal
from collections.abc import Sequence

import pytest

from hub.runtime.roles.supervisor import BACKOFF_S, HEALTHY_AFTER_S, Child

EXIT, KILLED = 1, -signal.SIGKILL


class Lives:
    """A role that is started, lives for some seconds and dies, again and again."""

    def __init__(self, role: str) -> None:
        self.child, self.now = Child(role), 1_000.0

    def held_back(
        self, times: int, *, status: int = EXIT, was_ready: bool = False, for_s: float = 1.0
    ) -> Sequence[float]:
        """The delay after each of so many deaths."""
        return [self._dies(status, was_ready, for_s) for _ in range(times)]

    def _dies(self, status: int, was_ready: bool, for_s: float) -> float:
        child = self.child
        child.pid, child.started_at = 4711, self.now
        child.readiness[0] = 0
        if was_ready:
            child.note_ready()
        self.now += for_s
        delay = child.schedule_restart(self.now, status)
        assert child.pid is None
        assert child.start_at == self.now + delay
        self.now += delay
        return delay


@pytest.fixture
def apply() -> Lives:
    return Lives("apply")


def test_a_role_that_ends_before_it_is_ready_is_held_back_ever_longer(apply: Lives) -> None:
    assert apply.held_back(8) == [*BACKOFF_S, 30.0, 30.0]


@pytest.mark.parametrize("status", [EXIT, KILLED])
def test_a_role_that_had_been_ready_is_back_within_two_seconds_however_often_it_dies(apply: Lives, status: int) -> None:
    assert apply.held_back(8, was_ready=True, status=status) == [0.2, 1.0, 2.0, 2.0, 2.0, 2.0, 2.0, 2.0]


def test_a_role_that_is_killed_before_it_is_ready_is_back_as_soon(apply: Lives) -> None:
    assert max(apply.held_back(8, status=KILLED)) == 2.0


def test_the_web_role_never_keeps_senders_waiting_for_more_than_two_seconds() -> None:
    assert max(Lives("web").held_back(8)) == 2.0


def test_a_role_that_was_ready_once_waits_no_longer_for_what_came_before(apply: Lives) -> None:
    apply.held_back(8)
    assert apply.held_back(1, was_ready=True) == [2.0]
    assert apply.held_back(2) == [5.0, 10.0]


def test_a_role_that_was_up_for_long_enough_is_started_at_once_and_all_is_forgotten(apply: Lives) -> None:
    apply.held_back(8)
    assert apply.held_back(1, for_s=HEALTHY_AFTER_S + 1) == [0.0]
    assert apply.held_back(2) == [0.2, 1.0]
