"""Pauses between tries, and waiting for a lock: each written once, used by every loop."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest
from sqlalchemy import create_engine

from hub.core import locks
from hub.core.backoff import Backoff, pause_after
from hub.core.locks import lead, role_lock
from hub.sdk.errors import ConfigurationError


def test_pauses_double_up_to_the_longest_and_begin_anew_after_a_success() -> None:
    backoff = Backoff(0.05, 0.3)
    assert [backoff.failed() for _ in range(5)] == [0.05, 0.1, 0.2, 0.3, 0.3]
    backoff.succeeded()
    assert backoff.failed() == 0.05


def test_a_loop_that_failed_for_years_still_has_its_longest_pause() -> None:
    assert pause_after(10**9, 1.0, 60.0) == 60.0


def test_a_role_on_sqlite_waits_for_its_predecessor_and_then_says_that_another_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(locks, "PREDECESSOR_S", 0.0)
    engine = create_engine(f"sqlite:///{tmp_path}/hub.db")
    first, second = role_lock(engine, "apply"), role_lock(engine, "apply")
    assert first.acquire()
    with pytest.raises(ConfigurationError, match="Another apply role runs"):
        lead(second, "apply", threading.Event())

    monkeypatch.setattr(locks, "PREDECESSOR_S", 30.0)
    leaving = threading.Timer(0.05, first.release)
    leaving.start()
    assert lead(second, "apply", threading.Event()), "it takes over as soon as the other has let go"
    leaving.join()
    second.release()
    engine.dispose()


def test_a_role_that_is_told_to_stop_waits_no_longer(tmp_path: Path) -> None:
    engine = create_engine(f"sqlite:///{tmp_path}/hub.db")
    held, waiting = role_lock(engine, "deliver"), role_lock(engine, "deliver")
    assert held.acquire()
    stop = threading.Event()
    stop.set()
    assert not lead(waiting, "deliver", stop)
    held.release()
    engine.dispose()
