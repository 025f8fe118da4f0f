"""A backup taken at any moment of a busy hub can be restored: nothing is missing, and the books balance."""

from __future__ import annotations

import shutil
import threading
from pathlib import Path

import pytest

from hub.core import clock
from hub.core.database import open_database
from hub.core.settings import Settings
from hub.runtime.process.installation import Installation
from hub.runtime.process.schema import create_all
from hub.runtime.upkeep.backup import back_up
from hub.runtime.upkeep.housekeeping import tidy
from hub.sdk.errors import ConfigurationError
from tests.rooms.whole import Whole


@pytest.fixture
def embedded(tmp_path: Path) -> Whole:
    """A hub on SQLite files."""
    folder = tmp_path / "hub"
    engine = open_database(f"sqlite:///{folder}/hub.db")
    create_all(engine)
    return Whole(engine, folder)


def restored(copy: Path, key: Path, folder: Path) -> Whole:
    folder.mkdir()
    for name in ("hub.db", "inbox.db"):
        shutil.copy(copy / name, folder / name)
    shutil.copy(key, folder / "secret.key")
    hub = Installation(Settings(data_dir=folder))
    return Whole(hub.engine, folder, source_name="another")


def test_backups_of_a_busy_hub_can_be_restored(embedded: Whole, tmp_path: Path) -> None:
    stop = threading.Event()
    sent: list[str] = []

    def work() -> None:
        while not stop.is_set():
            sent.extend(embedded.receives({"type": "identify", "userId": f"p{len(sent)}", "traits": {"plan": "pro"}}))
            embedded.role.step()
            tidy(embedded.hub, embedded.inbox, clock.now())

    worker = threading.Thread(target=work)
    worker.start()
    acknowledged = []
    for number in range(6):
        acknowledged.append(len(sent))
        back_up(embedded.hub, tmp_path / f"backup-{number}")
    stop.set()
    worker.join()
    embedded.close()

    for number, least in enumerate(acknowledged):
        again = restored(
            tmp_path / f"backup-{number}", tmp_path / "hub" / "secret.key", tmp_path / f"restored-{number}"
        )
        again.applies()
        terms = again.books().terms
        assert terms["waiting"] == 0
        assert terms["accepted"] == terms["applied"] >= least
        assert least == 0 or again.profile(f"p{least - 1}") is not None, "what was acknowledged before is in it"
        again.close()


def test_a_backup_overwrites_nothing(embedded: Whole, tmp_path: Path) -> None:
    first = back_up(embedded.hub, tmp_path / "backup")
    assert [path.name for path in first] == ["hub.db", "inbox.db"]
    with pytest.raises(ConfigurationError, match="empty folder"):
        back_up(embedded.hub, tmp_path / "backup")
    embedded.close()


def test_postgres_has_tools_of_its_own(whole: Whole, tmp_path: Path) -> None:
    if whole.engine.dialect.name == "postgresql":
        with pytest.raises(ConfigurationError, match="pg_dump"):
            back_up(whole.hub, tmp_path / "backup")
