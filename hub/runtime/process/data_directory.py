"""One hub per data directory on SQLite: `hub serve` holds it alone, roles that are each run by hand share it."""

from __future__ import annotations

import fcntl
import os
import time
from pathlib import Path

from hub.core.holders import LOCK_NAME, read_holder, write_holder
from hub.runtime.process.installation import Installation
from hub.sdk.errors import ConfigurationError

ORPHANS_S = 10.0  # the roles of a supervisor that was killed end within this time
PAUSE_S = 0.1


def hold_data_directory(hub: Installation, name: str, *, alone: bool) -> None:
    """Hold it until this process and all that it starts have ended. Raises ConfigurationError, naming the holder."""
    if hub.engine.dialect.name != "sqlite":
        return
    path = Path(hub.engine.url.database or ".").absolute().parent / LOCK_NAME
    file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)  # open for good: forked roles hold it too
    deadline = time.monotonic() + ORPHANS_S
    while not _locked(file, fcntl.LOCK_EX if alone else fcntl.LOCK_SH):
        holder = read_holder(path)
        if holder is not None or time.monotonic() > deadline:
            raise ConfigurationError(
                f"The data directory {path.parent} is held by {holder or 'another hub'}; stop that, or set another HUB_DATA_DIR."
            )
        time.sleep(PAUSE_S)
    write_holder(file, name)


def _locked(file: int, how: int) -> bool:
    try:
        fcntl.flock(file, how | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
