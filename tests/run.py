"""One run of the tests, and its end: whatever it started ends with it, also when it is interrupted or killed.

Every process that a test starts inherits the name of the run in its environment. Another process waits for the end of the
run, however that comes, and ends what is left; it also removes the run's folder. (Roles of a hub write over their
environment; these end with their supervisor.)
"""

from __future__ import annotations

import atexit
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Collection
from contextlib import suppress
from pathlib import Path

import psutil

NAME = "SWITCHBOARD_TEST_RUN"
"""The environment variable that names the run: its folder."""

PATIENCE_S = 2.0


def folder() -> Path:
    """Where this run keeps what outlives a test: data of servers. Removed after the run.

    Benchmarks start hubs too: without a test run it begins here, and ends with this process.
    """
    if NAME not in os.environ:
        atexit.register(end, begin())
    return Path(os.environ[NAME])


def begin() -> subprocess.Popen[bytes]:
    """Name the run, and start the process that cleans up after it."""
    os.environ[NAME] = tempfile.mkdtemp(prefix="hub-tests-")
    folder().chmod(0o755)  # PostgreSQL refuses to run as root, and its own user has to get in
    # A session of its own: Ctrl-C is meant for the run, and what cleans up comes after it.
    return subprocess.Popen([sys.executable, __file__], stdin=subprocess.PIPE, start_new_session=True)


def end(cleaner: subprocess.Popen[bytes]) -> None:
    """Wait until everything is cleaned up."""
    cleaner.communicate()


def left(but: Collection[int] = ()) -> list[psutil.Process]:
    """The processes of this run, but these."""
    return [one for one in psutil.process_iter() if one.pid not in but and _is_of_this_run(one)]


def described(processes: Collection[psutil.Process]) -> str:
    words = []
    for one in processes:
        with suppress(psutil.Error):
            words.append(f"{one.pid} ({' '.join(one.cmdline())[:200]})")
    return ", ".join(words)


def stop(processes: Collection[psutil.Process]) -> None:
    """Politely, then not."""
    for one in processes:
        with suppress(psutil.Error):
            one.terminate()
    _, alive = psutil.wait_procs(processes, PATIENCE_S)
    for one in alive:
        with suppress(psutil.Error):
            one.kill()
    psutil.wait_procs(alive, PATIENCE_S)


def _is_of_this_run(process: psutil.Process) -> bool:
    with suppress(psutil.Error, OSError):
        return bool(process.environ().get(NAME) == os.environ[NAME])
    return False


def _clean_up() -> None:
    sys.stdin.buffer.read()  # ends when the run does: nobody else holds the other end
    stop(left(but=[os.getpid()]))
    shutil.rmtree(folder(), ignore_errors=True)


if __name__ == "__main__":
    _clean_up()
