"""The suite guards itself: leaks fail where they are made, and nothing outlives a run, however that ends."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from tests.harness import ROOT, eventually

CONFTEST = "from tests.guards import *\nfrom tests.guards import CLEANER\n"
LEAKS = """
import asyncio, socket

def test_leaks():
    async def connected():
        near, far = socket.socketpair()
        near.setblocking(False)
        transport, _ = await asyncio.get_running_loop().create_connection(asyncio.Protocol, sock=near)
        transport.itself, transport.far = transport, far
    asyncio.run(connected())
"""
STARTS = """
import subprocess, sys
kept = []

def test_starts():
    kept.append(subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"]))
"""
FINE = """
import gc

def test_fine():
    gc.collect()
"""
HANGS = """
import pathlib, subprocess, sys, time

STUBBORN = "import os, signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print(os.getpid(), flush=True); time.sleep(600)"

def test_hangs():
    child = subprocess.Popen([sys.executable, "-c", STUBBORN], stdout=subprocess.PIPE, text=True, start_new_session=True)
    pathlib.Path("new").write_text(child.stdout.readline())
    pathlib.Path("new").rename("started")
    time.sleep(600)
"""


def started(folder: Path, *options: str, **modules: str) -> subprocess.Popen[str]:
    """A run of these test modules under the guards of this suite."""
    (folder / "conftest.py").write_text(CONFTEST)
    for name, text in modules.items():
        (folder / f"test_{name}.py").write_text(text)
    return subprocess.Popen(
        [sys.executable, "-m", "pytest", "-q", "-W", "error", "-p", "no:cacheprovider", *options, str(folder)],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(ROOT), "TMPDIR": str(folder)},
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


@pytest.mark.parametrize(
    ("module", "left"),
    [(LEAKS, "Left open: unclosed transport <_SelectorSocketTransport"), (STARTS, "Left running: ")],
    ids=["a transport", "a process"],
)
def test_a_leak_fails_the_module_that_made_it(tmp_path: Path, module: str, left: str) -> None:
    output, _ = started(tmp_path, a=module, b=FINE).communicate(timeout=60)

    assert "test_a.py did not clean up." in output
    assert left in output
    assert "2 passed, 1 error" in output


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGKILL])
def test_nothing_outlives_a_run_that_is_interrupted_or_killed(tmp_path: Path, how: signal.Signals) -> None:
    run = started(tmp_path, "-n", "1", hangs=HANGS)
    eventually((tmp_path / "started").exists, what="the test having started its process")
    processes = psutil.Process(run.pid).children(recursive=True)
    processes.append(psutil.Process(int((tmp_path / "started").read_text())))

    if how is signal.SIGINT:
        os.killpg(run.pid, how)  # as a terminal does at Ctrl-C
    else:
        run.send_signal(how)
    run.communicate(timeout=60)

    _, alive = psutil.wait_procs(processes, 30)
    assert not alive
    assert not list(tmp_path.glob("hub-tests-*"))
