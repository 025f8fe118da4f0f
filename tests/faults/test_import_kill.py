"""`hub import` is killed in the middle of a file: the same command goes on, and every row is applied once."""

from __future__ import annotations

import json
import os
import signal
import sqlite3
import subprocess
import sys
import time
from pathlib import Path

from hub.core.settings import Settings
from hub.imports.request import PORTION_ROWS
from hub.inbox.sql import open_inbox
from hub.profiles import reading
from hub.runtime.apply.loop import ApplyRole
from hub.runtime.apply.mappers import hooks_of, mapper_of
from hub.runtime.process.installation import Installation
from hub.runtime.upkeep import ledger_check

ROWS = 6_000
PATIENCE_S = 60.0


def command(folder: Path, path: Path) -> subprocess.Popen[str]:
    words = [sys.executable, "-m", "hub", "import", "customers", str(path), "--json"]
    environment = {**os.environ, "HUB_DATA_DIR": str(folder)}
    return subprocess.Popen(
        words, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True
    )


def position(folder: Path) -> int:
    if not (folder / "hub.db").exists():
        return 0
    database = sqlite3.connect(f"file:{folder}/hub.db?mode=ro", uri=True)
    try:
        row = database.execute("SELECT position FROM import_file").fetchone()
    except sqlite3.OperationalError:  # its tables are not there yet
        return 0
    finally:
        database.close()
    return int(row[0]) if row else 0


def test_a_killed_import_goes_on_and_nothing_is_lost_or_doubled(tmp_path: Path) -> None:
    folder, path = tmp_path / "hub", tmp_path / "people.csv"
    bad = {100, ROWS - 100}
    path.write_text(
        "source_id,email\n" + "".join(f"u{n},{'bad' if n in bad else f'p{n}@example.com'}\n" for n in range(ROWS))
    )
    first = command(folder, path)
    until = time.monotonic() + PATIENCE_S
    while not position(folder) and time.monotonic() < until and first.poll() is None:
        time.sleep(0.005)
    os.killpg(first.pid, signal.SIGKILL)
    first.communicate()
    reached = position(folder)
    assert 0 < reached < ROWS

    second = command(folder, path)
    answer, told = second.communicate(timeout=PATIENCE_S)
    assert second.returncode == 0, told
    shown = json.loads(answer)
    assert (shown["state"], shown["rows"], shown["accepted"], shown["rejected"]) == ("done", ROWS, ROWS - 2, 2)
    rejected = path.with_name("people.errors.csv").read_text("utf-8-sig").splitlines()
    assert [line.partition(",")[0] for line in rejected] == ["source_id", "u100", f"u{ROWS - 100}"]
    _is_applied_once(Installation(Settings(data_dir=folder)))


def _is_applied_once(hub: Installation) -> None:
    inbox = open_inbox(hub.settings, hub.engine)
    role = ApplyRole(inbox, mapper_of(hub), hooks_of(hub))
    while role.step() is not None:
        pass
    books = ledger_check.check(hub.engine, inbox)
    with hub.engine.connect() as database:
        people = reading.terms(database)["profiles"]
    inbox.close()
    hub.engine.dispose()
    assert books.is_balanced, books.sentences()
    assert people == books.terms["applied"] == ROWS - 2
    assert books.terms["duplicate"] <= PORTION_ROWS, "at most one portion comes again"
