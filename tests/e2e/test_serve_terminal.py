"""`hub serve` on a terminal: it says what it is, when it is ready, and which role ended."""

from __future__ import annotations

import os
import pty
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from tests.harness import ROOT, eventually, free_port


class Terminal:
    """`hub serve` with a terminal as its standard output."""

    def __init__(self, folder: Path) -> None:
        self.port = free_port()
        self._screen, theirs = pty.openpty()
        os.set_blocking(self._screen, False)
        environment = {**os.environ, "HUB_DATA_DIR": str(folder), "HUB_PORT": str(self.port), "PYTHONPATH": str(ROOT)}
        self.process = subprocess.Popen(
            [sys.executable, "-m", "hub", "serve"], stdout=theirs, stderr=theirs, env=environment, cwd=ROOT
        )
        os.close(theirs)
        self._text = ""

    @property
    def text(self) -> str:
        try:
            while found := os.read(self._screen, 65_536):
                self._text += found.decode()
        except OSError:  # nothing more at this moment, or the terminal was closed
            pass
        return self._text

    def close(self) -> None:
        self.process.send_signal(signal.SIGINT)
        self.process.wait(30)
        os.close(self._screen)


@pytest.fixture
def terminal(tmp_path: Path) -> Iterator[Terminal]:
    opened = Terminal(tmp_path)
    yield opened
    opened.close()


def test_it_introduces_itself_says_when_it_is_ready_and_which_role_ended(terminal: Terminal, tmp_path: Path) -> None:
    eventually(lambda: "Ready after" in terminal.text, what="being ready")
    shown = terminal.text
    for line in (
        f"Switchboard listens on http://127.0.0.1:{terminal.port}",
        f"data          {tmp_path}",
        "source        none yet",
        "next          hub sources add segment --name web",
    ):
        assert line in shown
    assert max(map(len, shown.splitlines())) < 120
    assert "Traceback" not in shown

    apply = next(
        each for each in psutil.Process(terminal.process.pid).children() if each.cmdline()[:1] == ["hub run apply"]
    )
    apply.kill()
    ended = "The role apply ended by SIGKILL; it starts again in 0.2 s."
    eventually(lambda: ended in terminal.text, what="a line about the role")
