"""The schedule role as a process: distributions on time, mapping files and erasures watched, housekeeping every minute."""

from __future__ import annotations

import threading

from sqlalchemy.exc import DBAPIError

from hub.core import clock
from hub.core.database import is_passing
from hub.core.logging import logger
from hub.inbox.queue import Inbox, Unreachable
from hub.inbox.sql import open_inbox
from hub.mapping.watch import Mappings
from hub.runtime.erasing.watch import ErasureWatch
from hub.runtime.housekeeping import tidy
from hub.runtime.installation import Installation
from hub.runtime.mapping_watch import MappingWatch
from hub.runtime.schedule import ScheduleRole

TIDY_EVERY_S = 60.0


def run_schedule(hub: Installation, stop: threading.Event) -> None:
    """Blocks until `stop`."""
    watch = MappingWatch(hub, Mappings(hub.engine, hub.folders))
    beside = [
        threading.Thread(target=_keep_tidy, args=(hub, stop), name="housekeeping", daemon=True),
        threading.Thread(target=watch.run, args=(stop,), name="mapping-watch", daemon=True),
        threading.Thread(target=ErasureWatch(hub).run, args=(stop,), name="erasure-watch", daemon=True),
    ]
    for thread in beside:
        thread.start()
    ScheduleRole(hub.engine, hub.vault.digest).run(stop)
    for thread in beside:
        thread.join()


def _keep_tidy(hub: Installation, stop: threading.Event) -> None:
    inbox = open_inbox(hub.settings, hub.engine)
    try:
        while not stop.wait(TIDY_EVERY_S):
            _tidy_once(hub, inbox)
    finally:
        inbox.close()


def _tidy_once(hub: Installation, inbox: Inbox) -> None:
    try:
        gone = {name: count for name, count in tidy(hub, inbox, clock.now()).items() if count}
    except Unreachable as error:
        logger("schedule").warning("housekeeping is put off", why=str(error))
        return
    except DBAPIError as error:
        if not is_passing(error):
            raise
        logger("schedule").warning("housekeeping is put off", why=type(error.orig).__name__)
        return
    if gone:
        logger("schedule").info("housekeeping", **gone)
