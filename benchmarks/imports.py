"""Rows of a CSV file imported per second, and the most memory that took, on SQLite.

    python -m benchmarks.imports               # 1,000,000 rows
    python -m benchmarks.imports --rows 200000
    python -m benchmarks.imports --applied     # with an apply role beside it, until the last row is applied

The file is read, every row is tried on the mapping, and its message is on disk in the inbox. Against it stands Python's
own csv reader over the same file. Memory is what the process has over what it had before the file was opened.

Beside an apply role the import waits for it, so that webhooks need not: what counts then is how fast rows are applied.
"""

from __future__ import annotations

import argparse
import csv
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path

import psutil

from benchmarks.rows import Row
from hub import imports
from hub.core import clock
from hub.core.database import read
from hub.core.settings import Settings
from hub.imports.request import ImportRequest
from hub.inbox.sql import open_inbox
from hub.runtime.process import heartbeat
from hub.runtime.process.gc_tuning import calm_collector
from hub.runtime.process.installation import Installation
from hub.runtime.process.migrate import migrate

ROWS = 1_000_000
ROWS_APPLIED = 100_000
LEAST_PER_S = 5_000.0
LEAST_APPLIED_PER_S = 1_000.0
MOST_MIB = 256.0
LOOK_S = 0.2
HEADER = "source_id,email,first_name,last_name,phone,city,country,tier,points,updated_at\n"


def run() -> list[Row]:
    """Four rows: speed and memory, without an apply role and with one."""
    return [*run_alone(ROWS), *run_applied(ROWS_APPLIED)]


def run_applied(number: int) -> list[Row]:
    """Two rows: how fast rows are imported and applied, and the most memory of the apply role."""
    calm_collector()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "customers.csv"
        write_customers(path, number)
        hub = Installation(Settings(data_dir=Path(folder) / "var"))
        migrate(hub)
        command = [sys.executable, "-m", "hub", "run", "apply"]
        role = subprocess.Popen(
            command, env={**os.environ, "HUB_DATA_DIR": str(hub.settings.data_dir)}, stderr=subprocess.DEVNULL
        )
        try:
            took_s, most_mib, apply_mib = _import_beside(hub, path, psutil.Process(role.pid))
        finally:
            role.terminate()
            role.wait()
            hub.engine.dispose()
    per_s = number / took_s
    detail = f"{number:,} rows in {took_s:.0f} s, until the last is applied; the import itself took {most_mib:.0f} MiB"
    of_memory = f"resident, while {number:,} rows were imported and applied"
    return [
        Row("rows applied, SQLite", per_s, None, None, LEAST_APPLIED_PER_S, detail, goal_for="least"),
        Row("memory of apply beside", apply_mib, None, None, MOST_MIB, of_memory, unit=" MiB", goal_for="most"),
    ]


def _import_beside(hub: Installation, path: Path, role: psutil.Process) -> tuple[float, float, float]:
    """Seconds until all is applied; the most MiB of the import, and of the apply role."""
    apply_mib = 0.0

    def look() -> int:
        nonlocal apply_mib
        apply_mib = max(apply_mib, role.memory_info().rss / 1_048_576)
        with read(hub.engine) as database:
            return inbox.terms(database).waiting

    class Watch(_Watch):
        def moved(self, bytes_read: int, counts: Mapping[str, int], /) -> None:
            super().moved(bytes_read, counts)
            look()

    while not _has_begun(hub):
        time.sleep(LOOK_S)
    inbox = open_inbox(hub.settings, hub.engine)
    watch, began = Watch(), time.perf_counter()
    imports.run(hub, inbox, ImportRequest("customers", path, path.name, "bench"), watch)
    while look():
        time.sleep(LOOK_S)
    took_s = time.perf_counter() - began
    inbox.close()
    return took_s, watch.most_mib, apply_mib


def _has_begun(hub: Installation) -> bool:
    """Whether the apply role has shown a sign of life."""
    with read(hub.engine) as database:
        return "apply" in heartbeat.health(database, clock.now())


def run_alone(number: int) -> list[Row]:
    """Two rows: speed and memory."""
    calm_collector()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "customers.csv"
        write_customers(path, number)
        read_per_s = number / _read(path)
        took_s, most_mib = _import(Path(folder), path, number)
    per_s = number / took_s
    detail = f"{number:,} rows of ten columns in {took_s:.0f} s; {read_per_s:,.0f}/s by Python's csv reader alone"
    of_memory = f"of {number:,} rows; two page caches of SQLite are up to 128 MiB of it"
    return [
        Row("rows imported, SQLite", per_s, read_per_s, per_s / read_per_s, LEAST_PER_S, detail, goal_for="least"),
        Row("memory of an import", most_mib, None, None, MOST_MIB, of_memory, unit=" MiB", goal_for="most"),
    ]


def write_customers(path: Path, number: int) -> None:
    """Customers with an address and two keys of metadata, all different."""
    with path.open("w") as file:
        file.write(HEADER)
        for count in range(number):
            day = 1 + count % 28
            file.write(
                f"cust_{count},p{count}@example.com,Ada{count % 97},Quill{count % 89},+485{count % 100_000_000:08d},"
                f"Gdynia,Poland,gold,{count % 1000},2026-03-{day:02d}T10:00:00Z\n"
            )


def _read(path: Path) -> float:
    began = time.perf_counter()
    with path.open(newline="") as file:
        for _ in csv.reader(file):
            pass
    return time.perf_counter() - began


class _Watch(imports.ImportProgress):
    """The most memory of the process at the end of a portion, in MiB."""

    def __init__(self) -> None:
        self._process = psutil.Process()
        self._before = self._process.memory_info().rss
        self.most_mib = 0.0

    def moved(self, _bytes_read: int, _counts: Mapping[str, int], /) -> None:
        more = (self._process.memory_info().rss - self._before) / 1_048_576
        self.most_mib = max(self.most_mib, more)


def _import(folder: Path, path: Path, number: int) -> tuple[float, float]:
    hub = Installation(Settings(data_dir=folder / "var", inbox_limit=4 * ROWS))
    migrate(hub)
    inbox = open_inbox(hub.settings, hub.engine)
    watch = _Watch()
    began = time.perf_counter()
    job = imports.run(hub, inbox, ImportRequest("customers", path, path.name, "bench"), watch)
    took_s = time.perf_counter() - began
    inbox.close()
    hub.engine.dispose()
    assert job.counts["accepted"] == number, job.counts
    return took_s, watch.most_mib


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=ROWS)
    parser.add_argument("--applied", action="store_true")
    given = parser.parse_args()
    for row in (run_applied if given.applied else run_alone)(given.rows):
        print(f"{row.name}: {row.value:,.0f}{row.unit} ({row.detail})")
