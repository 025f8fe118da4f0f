"""The pages of the three people, played from top to bottom in a shell beside a running hub."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.harness import ROOT, RunningHub

PAGES = ROOT / "docs" / "tasks"


@pytest.fixture(scope="module")
def hub(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningHub]:
    folder = tmp_path_factory.mktemp("tasks")
    (folder / "connectors").mkdir()
    with RunningHub(folder / "hub", HUB_CONNECTORS_PATH=str(folder / "connectors")) as running:
        yield running


def played(page: str, hub: RunningHub, folder: Path) -> subprocess.CompletedProcess[str]:
    """Its `sh` blocks as one script that stops at the first failure."""
    blocks = re.findall(r"^```sh\n(.*?)^```", (PAGES / page).read_text(), re.MULTILINE | re.DOTALL)
    (folder / "hub").write_text(f'#!/bin/sh\nexec "{sys.executable}" -m hub "$@"\n')
    (folder / "hub").chmod(0o755)
    environment = {**hub.environment, "PATH": f"{folder}{os.pathsep}{os.environ['PATH']}"}
    script = "set -euo pipefail\n" + "\n".join(blocks)
    return subprocess.run(
        ["bash", "-c", script], cwd=folder, env=environment, capture_output=True, text=True, timeout=240, check=False
    )


@pytest.mark.parametrize("page", ["webhook-url.md", "morning.md", "drop-in-connector.md"])
def test_a_page_can_be_followed_to_its_end(page: str, hub: RunningHub, tmp_path: Path) -> None:
    done = played(page, hub, tmp_path)
    assert done.returncode == 0, f"{done.stdout}\n{done.stderr}"
    assert "Traceback" not in done.stderr


def test_every_page_is_played() -> None:
    assert {path.name for path in PAGES.glob("*.md")} == {"webhook-url.md", "morning.md", "drop-in-connector.md"}
