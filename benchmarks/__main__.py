"""Runs the benchmarks and prints one table.

    python -m benchmarks              # all of them, in about nine minutes
    python -m benchmarks apply peer   # some

Each runs in a process of its own, so that none inherits the caches, threads or collector settings of another. Exits 1
if a goal is missed or a row could not be measured.
"""

from __future__ import annotations

import importlib
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from benchmarks.rows import Row, missing, table

ROOT = Path(__file__).resolve().parent.parent
NAMES = ("accept", "apply", "mapping", "peer", "build", "deliver", "latency", "idle", "imports")
LONGEST_S = 240.0  # of one benchmark
ROWS_OF = "--rows-of"


def main(names: Sequence[str]) -> int:
    """The exit status."""
    unknown = sorted(set(names) - set(NAMES))
    if unknown:
        print(f"There is no benchmark {unknown[0]!r}; there are {', '.join(NAMES)}.")
        return 2
    began = time.monotonic()
    rows: list[Row] = []
    for name in names or NAMES:
        print(f"{name} …", file=sys.stderr, flush=True)
        rows += _measured(name)
    print(table(rows))
    missed = [row for row in rows if not row.is_met]
    print(f"\n{len(rows) - len(missed)} of {len(rows)} goals reached in {time.monotonic() - began:.0f} s.")
    return 1 if missed else 0


def _measured(name: str) -> list[Row]:
    """The rows of one benchmark; one that says why, where it fails or takes too long."""
    with tempfile.TemporaryDirectory() as folder:
        answer = Path(folder) / "rows.json"
        command = [sys.executable, "-m", "benchmarks", ROWS_OF, name, str(answer)]
        # A session of its own: a benchmark starts servers, and all of them end with it.
        process = subprocess.Popen(command, cwd=ROOT, start_new_session=True, stderr=subprocess.PIPE, text=True)
        try:
            _, said = process.communicate(timeout=LONGEST_S)
        except subprocess.TimeoutExpired:
            return [missing(name, f"It took more than {LONGEST_S:.0f} s.")]
        finally:
            _end(process)
        if process.returncode != 0:
            return [missing(name, _last_line(said) or f"It ended with status {process.returncode}.")]
        return [Row(*row) for row in json.loads(answer.read_text())]


def _end(process: subprocess.Popen[str]) -> None:
    """End it with everything it started, if it has not ended by itself."""
    if process.poll() is not None:
        return
    os.killpg(process.pid, signal.SIGTERM)
    try:
        process.wait(10)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def _last_line(said: str) -> str:
    lines = [line.strip() for line in said.splitlines() if line.strip()]
    return lines[-1] if lines else ""


def _write_rows(name: str, answer: str) -> None:
    rows: list[Row] = importlib.import_module(f"benchmarks.{name}").run()
    Path(answer).write_text(json.dumps(rows))


if __name__ == "__main__":
    if sys.argv[1:2] == [ROWS_OF]:
        _write_rows(*sys.argv[2:4])
    else:
        sys.exit(main(sys.argv[1:]))
