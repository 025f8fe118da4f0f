"""The demo that the README promises."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from tests.harness import ROOT

ENVIRONMENT = {key: value for key, value in os.environ.items() if not key.startswith("HUB_")}
LAST = "Ctrl-C stops everything"


def test_the_demo_verifies_every_step_and_leaves_nothing_running() -> None:
    command = [sys.executable, "-m", "hub", "demo", "--once"]
    done = subprocess.run(command, cwd=ROOT, env=ENVIRONMENT, capture_output=True, text=True, timeout=120, check=False)

    assert done.returncode == 0, done.stdout + done.stderr
    for source in ("Segment", "mParticle"):
        assert f"webhooks of {source} were accepted" in done.stdout
    assert "codes were published, one per person" in done.stdout
    assert "the books balance" in done.stdout
    assert not done.stderr


@contextmanager
def going_on() -> Iterator[tuple[subprocess.Popen[str], str]]:
    """A demo that was not told to stop, and what it has said until it waits."""
    command = [sys.executable, "-m", "hub", "demo"]
    with subprocess.Popen(command, cwd=ROOT, env=ENVIRONMENT, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            yield process, "".join(lines_until_it_waits(process.stdout))
        finally:
            process.send_signal(signal.SIGINT)
            process.wait(30)


def lines_until_it_waits(output: IO[str]) -> Iterator[str]:
    for line in output:
        yield line
        if line.startswith(LAST):
            return


def test_the_demo_shows_what_it_did_and_its_hub_answers_the_commands_that_it_names() -> None:
    with going_on() as (process, said):
        assert re.search(r"The profile (\w+):\n  traits\.\w+: ", said), said
        code = re.search(r"was given the code (HELLO-\w+)\.", said)
        assert code is not None, said
        request = said.partition("One request, as ")[2].partition("The sync log")[0]
        assert re.search(r"\n  (POST|PUT) /", request)
        assert code[1] in request
        assert re.search(r"Wyng is not among them: it takes [\w, ]+, but no messages and so no codes\.", said)

        folder = re.search(r"Its data are in (\S+)", said)
        assert folder is not None, said
        assert (Path(folder[1]) / "hub.db").is_file()
        first, *commands = [line.strip() for line in said.partition("try:\n")[2].splitlines()[:-1]]
        assert first.startswith("export HUB_DATA_DIR=")
        assert len(commands) >= 4
        program = f"{sys.executable} -m hub "
        for command in commands:
            if not command.startswith("curl"):
                command = program + command.partition("hub ")[2]
            line = f"{first}; {command}"
            ran = subprocess.run(line, shell=True, cwd=ROOT, env=ENVIRONMENT, capture_output=True, check=False)
            assert ran.returncode == 0, (command, ran.stderr)
            assert ran.stdout
    assert process.returncode == 0
    assert not Path(folder[1]).exists()
