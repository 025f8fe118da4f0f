"""How a role learns that it should stop: a signal, or the death of the process that started it."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable
from multiprocessing.util import Finalize
from types import FrameType

PARENT_ENV = "HUB_PARENT_PID"  # set by whoever starts a role; the role exits when that process is gone
WATCH_S = 0.25
GRACE_S = 8.0


def stop_on_signals() -> threading.Event:
    """An event that SIGTERM, SIGINT or the parent's death sets. Call from the main thread of a role."""
    stop = threading.Event()

    def ask_to_stop(_number: int, _frame: FrameType | None) -> None:
        stop.set()

    signal.signal(signal.SIGTERM, ask_to_stop)
    signal.signal(signal.SIGINT, ask_to_stop)
    watch_parent(stop)
    return stop


def watch_parent(stop: threading.Event | None = None) -> None:
    """End this process when its parent dies, by any cause: a killed supervisor must leave no role behind.

    With `stop`, the role is asked first and has GRACE_S seconds; without it the process ends at once.
    """
    parent = os.environ.get(PARENT_ENV)
    if not parent:
        return
    thread = threading.Thread(target=_watch, args=(int(parent), stop), name="lifeline", daemon=True)
    thread.start()


def at_end(callback: Callable[[], object]) -> None:
    """Call it when this process ends in good order; the last one given comes first.

    For the web worker, which is forked by multiprocessing: before Python 3.13 that asks no `atexit`.
    """
    Finalize(None, callback, exitpriority=0)


def _watch(parent: int, stop: threading.Event | None) -> None:
    pause = threading.Event()
    while os.getppid() == parent:
        pause.wait(WATCH_S)
    if stop is not None:
        stop.set()
        pause.wait(GRACE_S)
    os._exit(1)
