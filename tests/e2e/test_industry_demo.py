"""`hub demo --industry`: a day of one trade through the real processes."""

from __future__ import annotations

import os
import subprocess
import sys

from tests.harness import ROOT


def test_a_day_of_travel_ends_with_balanced_books() -> None:
    environment = {key: value for key, value in os.environ.items() if not key.startswith("HUB_")}
    done = subprocess.run(
        [sys.executable, "-m", "hub", "demo", "--industry", "travel", "--once"],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )

    assert done.returncode == 0, done.stdout + done.stderr
    assert "mapping: 'travel' follows 'travel'" in done.stdout
    assert "4 codes were published, one per person" in done.stdout
    assert "the books balance: 18 messages accepted, 18 applied" in done.stdout
    assert not done.stderr
