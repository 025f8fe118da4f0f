"""The demo that the README promises."""

from __future__ import annotations

import os
import subprocess
import sys

from tests.harness import ROOT


def test_the_demo_verifies_every_step_and_leaves_nothing_running() -> None:
    environment = {key: value for key, value in os.environ.items() if not key.startswith("HUB_")}
    done = subprocess.run(
        [sys.executable, "-m", "hub", "demo", "--once"],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )

    assert done.returncode == 0, done.stdout + done.stderr
    for source in ("Segment", "mParticle"):
        assert f"webhooks of {source} were accepted" in done.stdout
    assert "codes were published, one per person" in done.stdout
    assert "the books balance" in done.stdout
    assert not done.stderr
