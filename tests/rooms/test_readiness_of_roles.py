"""A role tells its supervisor that it is ready once it has all it needs, and not before."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from hub.core.locks import role_lock
from hub.core.settings import Settings
from hub.runtime.process.installation import Installation
from hub.runtime.roles.apply import run_apply
from hub.runtime.roles.deliver import run_deliver
from hub.runtime.roles.schedule import run_schedule
from hub.sdk.errors import ConfigurationError
from tests.rooms.whole import Whole

Run = Callable[[object, threading.Event, Callable[[], None]], None]


@pytest.mark.parametrize("run", [run_apply, run_deliver, run_schedule])
def test_a_role_that_has_all_it_needs_says_so(whole: Whole, run: Run) -> None:
    stop = threading.Event()

    run(whole.hub, stop, stop.set)

    assert stop.is_set(), "it was ready, and so was told to stop"


@pytest.mark.parametrize(("role", "run"), [("apply", run_apply), ("deliver", run_deliver)])
def test_a_role_whose_lock_another_one_has_does_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, role: str, run: Run
) -> None:
    hub = Installation(Settings(data_dir=tmp_path))
    monkeypatch.setattr("hub.core.locks.PREDECESSOR_S", 0.0)
    other = role_lock(hub.engine, role)
    assert other.acquire()
    told: list[bool] = []
    with pytest.raises(ConfigurationError, match=f"Another {role} role"):
        run(hub, threading.Event(), lambda: told.append(True))
    other.release()
    hub.engine.dispose()
    assert not told
