"""Versions of mappings in the state database, and hot reload that keeps the last good one, on both engines."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from sqlalchemy import Engine, func, select

from hub.core.database import read, write
from hub.mapping.tables import MappingVersionRow
from hub.mapping.versions.files import Folders
from hub.mapping.versions.store import import_version, load
from hub.mapping.versions.version import resolve
from hub.mapping.versions.watch import Mappings
from hub.sdk.errors import MappingInvalid

NOW = 1_773_489_600_000_000
GOOD = "connector: acme\nwho: {source_id: id}\nrules: [{id: one, profile: {name: NAME}}]\n"
OUT = "connector: vendor\nprofiles: {fields: {mail: profile.email}}\n"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "mappings"
    folder.mkdir()
    (folder / "acme.yaml").write_text(GOOD)
    (folder / "vendor.yaml").write_text(OUT)
    return folder


@pytest.fixture
def mappings(engine: Engine, folder: Path) -> Mappings:
    return Mappings(engine, Folders([folder]))


def _stored(engine: Engine) -> int:
    with read(engine) as connection:
        return connection.execute(select(func.count()).select_from(MappingVersionRow)).scalar_one()


def _change(path: Path, text: str) -> None:
    """Write a file so that its time surely differs, however coarse the clock of the file system is."""
    before = path.stat().st_mtime_ns if path.exists() else 0
    path.write_text(text)
    os.utime(path, ns=(before + 1_000_000_000, before + 1_000_000_000))


def test_a_version_is_stored_once_and_reads_back_as_it_was(engine: Engine, folder: Path) -> None:
    resolved = resolve("acme", "", Folders([folder]))
    for _ in range(2):
        with write(engine) as connection:
            assert import_version(connection, resolved, NOW) == resolved.hash
    assert _stored(engine) == 1
    with read(engine) as connection:
        assert load(connection, resolved.hash).plain() == resolved.document.plain()


def test_an_unknown_version_is_told_in_a_sentence(engine: Engine) -> None:
    with read(engine) as connection, pytest.raises(MappingInvalid, match="There is no mapping version 0000"):
        load(connection, "0" * 64)


def test_the_hash_follows_content_not_spelling(folder: Path) -> None:
    first = resolve("acme", "", Folders([folder])).hash
    (folder / "acme.yaml").write_text("# a comment\n" + GOOD.replace("NAME", '"NAME"'))
    assert resolve("acme", "", Folders([folder])).hash == first
    (folder / "acme.yaml").write_text(GOOD.replace("NAME", "other"))
    assert resolve("acme", "", Folders([folder])).hash != first


def test_a_changed_file_takes_effect_and_the_old_version_stays_usable(mappings: Mappings, folder: Path) -> None:
    first = mappings.refresh("acme", "", active="", now=NOW)
    assert first.error is None
    _change(folder / "acme.yaml", GOOD.replace("NAME", "nick"))
    second = mappings.refresh("acme", "", active=first.hash, now=NOW)
    assert second.hash != first.hash
    message = {"id": "u1", "NAME": "then", "nick": "now"}
    names = [
        mappings.inbound(hash_, "c", {}).apply(message, message_id="m", received_at=NOW).fields["name"]
        for hash_ in (first.hash, second.hash)
    ]
    assert names == ["then", "now"]


def test_a_broken_file_changes_nothing_and_says_so_until_it_is_mended(mappings: Mappings, folder: Path) -> None:
    good = mappings.refresh("acme", "", active="", now=NOW).hash
    _change(folder / "acme.yaml", GOOD.replace("profile", "profiel"))
    for _ in range(2):
        broken = mappings.refresh("acme", "", active=good, now=NOW)
        assert broken.hash == good
        assert "acme.yaml:3:19: rules.one: there is no 'profiel' here; did you mean 'profile'?" in (broken.error or "")
    _change(folder / "acme.yaml", GOOD)
    assert mappings.refresh("acme", "", active=good, now=NOW) == (good, None)


def test_a_file_that_is_broken_from_the_start_has_no_version(mappings: Mappings, folder: Path) -> None:
    _change(folder / "acme.yaml", "connector: [")
    found = mappings.refresh("acme", "", active="", now=NOW)
    assert found.hash == ""
    assert found.error is not None


def test_an_unchanged_file_is_not_read_again(mappings: Mappings, folder: Path) -> None:
    first = mappings.refresh("acme", "", active="", now=NOW)
    status = (folder / "acme.yaml").stat()
    (folder / "acme.yaml").write_text(GOOD.replace("NAME", "nick"))  # same size
    os.utime(folder / "acme.yaml", ns=(status.st_atime_ns, status.st_mtime_ns))
    assert mappings.refresh("acme", "", active=first.hash, now=NOW) == first


def test_a_file_that_appears_in_front_of_the_bundled_one_wins(mappings: Mappings, folder: Path) -> None:
    bundled = mappings.refresh("segment", "", active="", now=NOW)
    (folder / "segment.yaml").write_text("extends: segment\nconnector: segment\nrules: {page: null}\n")
    own = mappings.refresh("segment", "", active=bundled.hash, now=NOW)
    assert own.error is None
    assert own.hash != bundled.hash
    (folder / "segment.yaml").unlink()
    assert mappings.refresh("segment", "", active=own.hash, now=NOW) == bundled


def test_a_change_of_what_is_extended_takes_effect(mappings: Mappings, folder: Path) -> None:
    (folder / "child.yaml").write_text("extends: acme\nconnector: child\n")
    first = mappings.refresh("child", "", active="", now=NOW)
    _change(folder / "acme.yaml", GOOD.replace("NAME", "nick"))
    assert mappings.refresh("child", "", active=first.hash, now=NOW).hash != first.hash


def test_a_patch_makes_a_version_of_its_own(mappings: Mappings) -> None:
    plain = mappings.refresh("acme", "", active="", now=NOW).hash
    patch = "rules: [{id: one, profile: {name: null, email: mail}}]"
    patched = mappings.refresh("acme", patch, active="", now=NOW)
    assert patched.error is None
    assert patched.hash != plain
    change = mappings.inbound(patched.hash, "c", {}).apply(
        {"id": "u", "mail": "a@b.c"}, message_id="m", received_at=NOW
    )
    assert change.fields == {"email": "a@b.c"}


def test_a_broken_patch_names_its_line(mappings: Mappings) -> None:
    found = mappings.refresh("acme", "rules:\n  nine: null\n", active="", now=NOW)
    assert found.error == "patch of the connection:2:9: rules: there is no 'nine' to delete; allowed: one."


def test_an_unknown_name_is_told(mappings: Mappings) -> None:
    found = mappings.refresh("nobody", "", active="", now=NOW)
    assert found.error is not None
    assert found.error.startswith("There is no mapping 'nobody'; there are ")


def test_compiled_mappings_are_shared_and_follow_the_options(mappings: Mappings) -> None:
    hash_ = mappings.refresh("acme", "", active="", now=NOW).hash
    euro = mappings.inbound(hash_, "c", {"currency": "EUR"})
    assert mappings.inbound(hash_, "c", {"currency": "EUR"}) is euro
    dollar = mappings.inbound(hash_, "c", {"currency": "USD"})
    assert dollar is not euro
    assert dollar.tree is euro.tree


def test_destination_mappings_come_by_hash_too(mappings: Mappings) -> None:
    hash_ = mappings.refresh("vendor", "", active="", now=NOW).hash
    outbound = mappings.outbound(hash_)
    assert outbound is mappings.outbound(hash_)
    assert outbound.apply("profiles", {"profile": {"email": "a@b.c"}}).fields == {"mail": "a@b.c"}
