"""Side threads: what a role does besides its own loop: one that dies ends the role, which then starts anew."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from sqlalchemy.exc import DBAPIError

from hub.core.database import is_passing
from hub.inbox.queue import Unreachable
from hub.sdk.errors import ConfigurationError


class SideThreads:
    """Threads of one role. A role that no longer does part of its work must not look alive."""

    def __init__(self, stop: threading.Event) -> None:
        self._stop = stop
        self._threads: list[threading.Thread] = []
        self._defects: list[BaseException] = []

    def start(self, name: str, work: Callable[[], None]) -> None:
        """`work` ends with `stop`; if it raises, `stop` is set."""

        def worked() -> None:
            try:
                work()
            except BaseException as defect:  # noqa: BLE001 - raised again by join, where the role waits
                self._defects.append(defect)
                self._stop.set()

        thread = threading.Thread(target=worked, name=name, daemon=True)
        self._threads.append(thread)
        thread.start()

    def join(self, patience_s: float | None = None) -> None:
        """Wait for each, for so long at most. Does not raise: see `raise_defect`."""
        for thread in self._threads:
            thread.join(patience_s)

    def raise_defect(self) -> None:
        """Raises what ended the first thread that died."""
        if self._defects:
            raise self._defects[0]


@contextmanager
def put_off(log: Any, what: str) -> Iterator[None]:
    """Work that is tried again soon: what passes, or an operator must mend, is logged; a defect is raised."""
    try:
        yield
    except (Unreachable, ConfigurationError) as error:
        log.warning(what, why=str(error))
    except DBAPIError as error:
        if not is_passing(error):
            raise
        log.warning(what, why=type(error.orig).__name__)
