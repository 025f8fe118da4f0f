"""What every room stands on: ids, clock, vault, key file, transactions."""

from __future__ import annotations

import os
import sqlite3
import stat
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import Engine, text
from sqlalchemy.exc import DBAPIError, DisconnectionError

from hub.core import ids
from hub.core.clock import from_datetime, iso, now, to_datetime
from hub.core.database import insert, is_passing, open_database, read, write
from hub.core.secrets import KEY_FILE, Vault, open_vault
from hub.core.settings import Settings
from hub.registry.tables import ApiKeyRow
from hub.sdk.errors import ConfigurationError

API_KEYS = ApiKeyRow.__table__
ZONES = [UTC, *map(ZoneInfo, ("Europe/Berlin", "America/St_Johns", "Pacific/Kiritimati", "Asia/Kathmandu"))]


# ── ids ──────────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_ids_are_unique_and_26_characters_of_digits_and_capitals():
    made = {ids.new_id() for _ in range(20_000)}
    assert len(made) == 20_000
    assert {len(one) for one in made} == {26}
    assert set("".join(made)) <= set("0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ")


@settings(max_examples=200, deadline=None)
@given(st.lists(st.integers(0, 2**48 - 1), unique=True, min_size=2, max_size=20))
def test_ids_sort_as_they_were_made(moments):
    made = sorted((ids.new_id(at), at) for at in moments)
    assert [at for _, at in made] == sorted(moments)


def test_tokens_have_the_length_asked_for():
    assert len(ids.new_token(40)) == 40
    assert len({ids.new_token() for _ in range(1000)}) == 1000


# ── clock ────────────────────────────────────────────────────────────────────────────────────────────────────────────


@settings(max_examples=200, deadline=None)
@given(st.datetimes(timezones=st.sampled_from(ZONES)))
def test_an_instant_survives_the_way_to_a_datetime_and_back_in_every_zone(moment):
    try:
        at = from_datetime(moment)
        back = to_datetime(at)
    except OverflowError:  # the first and the last day of the calendar have no UTC form in some zones
        assert moment.year in {1, 9999}
        return
    assert from_datetime(back) == at
    assert back == moment.astimezone(UTC)


def test_iso_is_utc_with_milliseconds():
    at = from_datetime(datetime(2026, 3, 14, 9, 0, 0, 120_999, tzinfo=UTC))
    assert iso(at) == "2026-03-14T09:00:00.120Z"
    assert iso(-1) == "1969-12-31T23:59:59.999Z"


def test_now_is_in_microseconds():
    assert abs(to_datetime(now()) - datetime.now(UTC)).total_seconds() < 5


# ── vault ────────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_vault_opens_what_it_sealed():
    sealed = Vault("a key").seal("sk_live_ünï")
    assert "sk_live" not in sealed
    assert Vault("a key").open(sealed) == "sk_live_ünï"


@pytest.mark.parametrize(
    "damage", [lambda sealed: sealed, lambda sealed: sealed[:-8], lambda sealed: "", lambda sealed: "nonsense"]
)
def test_a_wrong_key_or_a_damaged_secret_is_named_in_a_sentence(damage):
    sealed = damage(Vault("old key").seal("secret"))
    with pytest.raises(ConfigurationError, match="cannot be opened with this HUB_SECRET_KEY; set the key"):
        Vault("new key").open(sealed)


def test_a_vault_prints_nothing_of_its_key():
    assert "topsecret" not in repr(Vault("topsecret"))
    assert "topsecret" not in repr(vars(Vault("topsecret")))


def test_digests_are_equal_for_equal_text_under_one_key_only():
    assert Vault("k").digest("a\ud800") == Vault("k").digest("a\ud800")
    assert Vault("k").digest("a") != Vault("k2").digest("a")
    assert len(Vault("k").digest("")) == 64


def test_a_key_that_is_set_needs_no_file(tmp_path: Path):
    opened = open_vault(Settings(data_dir=tmp_path / "none", secret_key="given"))
    assert opened.open(Vault("given").seal("x")) == "x"
    assert not (tmp_path / "none").exists()


def test_the_generated_key_is_0600_and_stays_the_same(tmp_path: Path):
    folder = tmp_path / "deep" / "data"
    sealed = open_vault(Settings(data_dir=folder)).seal("x")
    key = folder / KEY_FILE
    assert stat.S_IMODE(key.stat().st_mode) == 0o600
    assert open_vault(Settings(data_dir=folder)).open(sealed) == "x"
    assert [path.name for path in folder.iterdir()] == [KEY_FILE]


def test_an_empty_key_file_is_refused_rather_than_used(tmp_path: Path):
    (tmp_path / KEY_FILE).touch()
    with pytest.raises(ConfigurationError, match="is empty"):
        open_vault(Settings(data_dir=tmp_path))


FIRST_USE = """
import sys, pathlib
from hub.core.secrets import open_vault
from hub.core.settings import Settings
settings = Settings(data_dir=pathlib.Path(sys.argv[1]))
print("ready", flush=True)
sys.stdin.readline()
print(open_vault(settings).digest("x"), flush=True)
"""


def test_processes_that_start_together_agree_on_one_whole_key(tmp_path: Path):
    folder = tmp_path / "data"
    command = [sys.executable, "-c", FIRST_USE, str(folder)]
    starters = [subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) for _ in range(4)]
    assert all(process.stdout.readline() == "ready\n" for process in starters)
    for process in starters:
        process.stdin.write("go\n")
        process.stdin.flush()
    digests = {process.communicate(timeout=60)[0].strip() for process in starters}
    assert digests == {open_vault(Settings(data_dir=folder)).digest("x")}
    assert [path.name for path in folder.iterdir()] == [KEY_FILE]


def test_a_key_another_process_makes_in_the_same_moment_wins(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    link = os.link

    def too_late(draft, path):
        Path(path).write_text("the other's key")
        link(draft, path)

    monkeypatch.setattr(os, "link", too_late)
    assert open_vault(Settings(data_dir=tmp_path)).digest("x") == Vault("the other's key").digest("x")
    assert [path.name for path in tmp_path.iterdir()] == [KEY_FILE]


# ── database ─────────────────────────────────────────────────────────────────────────────────────────────────────────


def add_key(connection, name: str, hashed: str) -> None:
    row = {"id": ids.new_id(), "name": name, "hash": hashed, "created_at": 1}
    connection.execute(insert(connection, API_KEYS).values(row))


def add_keys(engine: Engine, *keys: tuple[str, str]) -> None:
    with write(engine) as connection:
        for name, hashed in keys:
            add_key(connection, name, hashed)


def names(engine: Engine) -> list[str]:
    with read(engine) as connection:
        return list(connection.execute(text("SELECT name FROM api_key ORDER BY name")).scalars())


def test_a_write_is_kept_whole_or_not_at_all(engine: Engine):
    with write(engine) as connection:
        add_key(connection, "kept", "1")
    with pytest.raises(DBAPIError):
        add_keys(engine, ("lost", "2"), ("lost too", "1"))
    assert names(engine) == ["kept"]
    with write(engine) as connection:  # and the connection is fit for the next
        add_key(connection, "next", "2")
    assert names(engine) == ["kept", "next"]


def test_a_reader_sees_one_snapshot_while_others_write(engine: Engine):
    with write(engine) as connection:
        add_key(connection, "before", "1")
    with read(engine) as reader:
        first = reader.execute(text("SELECT count(*) FROM api_key")).scalar()
        with write(engine) as connection:
            add_key(connection, "after", "2")
        assert reader.execute(text("SELECT count(*) FROM api_key")).scalar() == first == 1
    assert len(names(engine)) == 2


def test_an_integrity_error_is_not_passing(engine: Engine):
    with pytest.raises(DBAPIError) as caught:
        add_keys(engine, ("a", "same"), ("b", "same"))
    assert not is_passing(caught.value)
    assert names(engine) == []


def test_errors_that_are_not_the_database_s_are_not_passing():
    assert not is_passing(RuntimeError("locked"))
    assert not is_passing(DisconnectionError())


def test_a_sqlite_write_takes_the_lock_at_its_beginning(tmp_path: Path):
    path = tmp_path / "hub.db"
    engine = open_database(f"sqlite:///{path}")
    other = sqlite3.connect(path, timeout=0, isolation_level=None)
    with write(engine), pytest.raises(sqlite3.OperationalError, match="locked"):
        other.execute("BEGIN IMMEDIATE")
    with read(engine):
        other.execute("BEGIN IMMEDIATE")  # a reader holds back no writer
        other.execute("ROLLBACK")
    other.close()
    engine.dispose()


def test_a_locked_sqlite_database_is_passing(tmp_path: Path):
    path = tmp_path / "hub.db"
    engine = open_database(f"sqlite:///{path}?timeout=0")
    with engine.connect() as connection:
        connection.exec_driver_sql("PRAGMA busy_timeout=0")
        connection.rollback()
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    with pytest.raises(DBAPIError) as caught, write(engine):
        pass
    assert is_passing(caught.value)
    other.close()
    engine.dispose()


RAISE = "DO $$ BEGIN RAISE EXCEPTION 'again' USING ERRCODE = '40001'; END $$"
LOST = "SELECT pg_terminate_backend(pg_backend_pid())"


@pytest.mark.parametrize(
    ("statement", "passing"), [(RAISE, True), (LOST, True), ("SELECT 1 / 0", False), ("SELECT '\\x00'::json", False)]
)
def test_postgres_errors_are_passing_unless_they_are_about_data(postgres_url: str, statement: str, passing: bool):
    engine = open_database(postgres_url)
    with pytest.raises(DBAPIError) as caught, engine.connect() as connection:
        connection.execute(text(statement))
    assert is_passing(caught.value) is passing
    engine.dispose()


def test_sqlite_files_are_in_wal_mode_and_synced_in_full(tmp_path: Path):
    engine = open_database(f"sqlite:///{tmp_path}/new/folder/hub.db")
    with read(engine) as connection:
        pragmas = {
            name: connection.exec_driver_sql(f"PRAGMA {name}").scalar()
            for name in ("journal_mode", "synchronous", "foreign_keys")
        }
    assert pragmas == {"journal_mode": "wal", "synchronous": 2, "foreign_keys": 1}
    engine.dispose()
