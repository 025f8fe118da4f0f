"""How fast an import may fill the inbox: it must not make senders of webhooks wait, nor have them refused."""

from __future__ import annotations

import time
from collections.abc import Callable
from threading import Event

from hub.core import clock
from hub.core.database import read
from hub.inbox.queue import Inbox
from hub.inbox.values import AcceptedRequest
from hub.runtime.process import heartbeat
from hub.runtime.process.installation import Installation
from hub.sdk.errors import Busy

LIVE = 20_000  # messages waiting while apply runs: two or three seconds of its work, by which live ones come later
SHARE = 2  # without an apply role, up to 1/2 of HUB_INBOX_LIMIT: the rest is for webhooks
LOOK_S = 0.25
WAIT_S = 0.05
PATIENCE_S = 120.0  # without any progress of the apply role


class Pace:
    """Appends requests of an import when there is room for them."""

    def __init__(self, hub: Installation, inbox: Inbox, tell: Callable[[str], None], stop: Event) -> None:
        self._hub = hub
        self._inbox = inbox
        self._tell = tell
        self._stop = stop
        self._looked_at = -LOOK_S

    def append(self, request: AcceptedRequest) -> None:
        """Returns when it is on disk. Raises Busy when there was no room for long, or the import is to stop."""
        self._wait_for_room()
        patience = _Patience()
        while True:
            try:
                return self._inbox.append(request)
            except Busy as error:
                self._tell(str(error))
                if patience.is_over or self._stop.wait(WAIT_S):
                    raise

    def _wait_for_room(self) -> None:
        if time.monotonic() - self._looked_at < LOOK_S:
            return
        patience = _Patience()
        least = None
        while True:
            waiting, most = self._look()
            if waiting < most:
                self._looked_at = time.monotonic()
                return
            if least is None or waiting < least:
                least, patience = waiting, _Patience()
            why = f"{waiting:,} messages wait to be applied, and an import may let {most:,} wait"
            self._tell(why)
            if patience.is_over:
                raise Busy(f"{why}; is the hub running? Import the file again then, and it goes on where it stopped.")
            if self._stop.wait(WAIT_S):
                raise Busy(f"{why}, and it was stopped.")

    def _look(self) -> tuple[int, int]:
        """Messages that wait, and how many may."""
        with read(self._hub.engine) as state:
            waiting = self._inbox.terms(state).waiting
            apply = heartbeat.health(state, clock.now()).get("apply")
        half = max(1, self._hub.settings.inbox_limit // SHARE)
        return waiting, min(LIVE, half) if apply is not None and apply.alive else half


class _Patience:
    def __init__(self) -> None:
        self._until = time.monotonic() + PATIENCE_S

    @property
    def is_over(self) -> bool:
        return time.monotonic() > self._until
