"""What holds over all tests: a leak fails the module that made it, and no process outlives its module or the run."""

from __future__ import annotations

import gc
import os
import subprocess
import sys
from collections.abc import Iterator

import psutil
import pytest

from tests import commands, run

CLEANER = pytest.StashKey[subprocess.Popen[bytes]]()
_kept: set[int] = set()


def keep(pid: int) -> None:
    """This process serves several modules; the fixture that started it ends it."""
    _kept.add(pid)


def pytest_configure(config: pytest.Config) -> None:
    if not hasattr(config, "workerinput"):  # the process that xdist's workers belong to, or the only one
        config.stash[CLEANER] = run.begin()
        keep(config.stash[CLEANER].pid)


def pytest_collection_finish() -> None:
    gc.collect()
    gc.freeze()  # modules and items live on: looking at them after each module would cost more than the rest


@pytest.hookimpl(wrapper=True)
def pytest_runtest_teardown(item: pytest.Function, nextitem: pytest.Function | None) -> Iterator[None]:
    """Nothing that was left open waits for a chance collection, and no process outlives its module."""
    yield
    if nextitem is not None and nextitem.path == item.path:
        return
    found = [f"Left open: {one}" for one in _left_open(item)]
    if processes := [one for one in psutil.Process().children() if one.pid not in _kept]:
        found.append(f"Left running: {run.described(processes)}")
        run.stop(processes)
    if found:
        pytest.fail("\n".join([f"{item.path.name} did not clean up.", *found]), pytrace=False)


def _left_open(item: pytest.Function) -> list[str]:
    """What a collection finds unclosed: it warns, and a warning is an error (of nobody, in a finalizer)."""
    found: list[str] = []
    before = sys.unraisablehook
    sys.unraisablehook = lambda one: found.append(str(one.exc_value or one.object))
    try:
        item.funcargs = {}  # the last test's
        gc.collect()
        gc.freeze()  # what is still there outlives this module: it is not looked at again
    finally:
        sys.unraisablehook = before
    return found


@pytest.hookimpl(wrapper=True)
def pytest_sessionfinish(session: pytest.Session) -> Iterator[None]:
    yield
    commands.end()
    if CLEANER not in session.config.stash:
        return
    cleaner = session.config.stash[CLEANER]
    _, found = psutil.wait_procs(run.left(but=[os.getpid(), cleaner.pid]), 2)  # some end as soon as their parent has
    if found:
        print(f"\nThese processes outlived their tests: {run.described(found)}")
        session.exitstatus = session.exitstatus or pytest.ExitCode.TESTS_FAILED
    run.end(cleaner)
