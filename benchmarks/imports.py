"""Rows of a CSV file imported per second, and the most memory that took, on SQLite without an apply role beside it.

    python -m benchmarks.imports               # 1,000,000 rows
    python -m benchmarks.imports --rows 200000

The file is read, every row is tried on the mapping, and its message is on disk in the inbox. Against it stands Python's
own csv reader over the same file. Memory is what the process has over what it had before the file was opened.
"""

from __future__ import annotations

import argparse
import csv
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path

import psutil

from benchmarks.rows import Row
from hub.core.settings import Settings
from hub.inbox.sql import open_inbox
from hub.runtime import importing
from hub.runtime.collector import calm_collector
from hub.runtime.importing.wish import Wish
from hub.runtime.installation import Installation
from hub.runtime.migrate import migrate

ROWS = 1_000_000
LEAST_PER_S = 5_000.0
MOST_MIB = 256.0
HEADER = "source_id,email,first_name,last_name,phone,city,country,tier,points,updated_at\n"


def run(number: int = ROWS) -> list[Row]:
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


class _Watch(importing.Told):
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
    job = importing.run(hub, inbox, Wish("customers", path, path.name, "bench"), watch)
    took_s = time.perf_counter() - began
    inbox.close()
    hub.engine.dispose()
    assert job.counts["accepted"] == number, job.counts
    return took_s, watch.most_mib


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=ROWS)
    for row in run(parser.parse_args().rows):
        print(f"{row.name}: {row.value:,.0f}{row.unit} ({row.detail})")
