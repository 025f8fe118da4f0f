"""Where files are found, and what `extends` patches."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

import pytest

from hub.mapping.versions.files import Folders, names, read, read_file
from hub.mapping.versions.version import resolve
from hub.sdk.errors import MappingInvalid

BASE = """connector: acme
who: {source_id: id, identities: {email: mail}}
let: {one: a, two: b}
rules:
  - {id: first, match: {type: x}, profile: {name: n, email: mail}}
  - {id: second, event: {name: e, properties: {spread: p}}}
profiles:
  unset: null
  fields: {mail: profile.email, name: profile.name}
events:
  rules: [{id: seen, name: event.name, fields: {a: event.key}}, {id: any, fields: {b: event.key}}]
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "acme.yaml").write_text(BASE)
    return tmp_path


def _patched(folder: Path, patch: str) -> dict:
    return read("acme", patch, Folders([folder])).document.plain()


def test_rules_are_patched_by_id_and_rows_by_name(folder: Path) -> None:
    patch = "rules: [{id: first, match: {type: y}, profile: {email: null, phone: {from: tel, as: phone}}}]"
    first, second = _patched(folder, patch)["rules"]
    assert first == {
        "id": "first",
        "match": {"type": "y"},
        "profile": {"name": "n", "phone": {"from": "tel", "as": "phone"}},
    }
    assert second["id"] == "second"


def test_a_row_is_replaced_whole(folder: Path) -> None:
    patch = "rules: {second: {event: {properties: {object: {a: p.a}}}}}"
    assert _patched(folder, patch)["rules"][1]["event"] == {"name": "e", "properties": {"object": {"a": "p.a"}}}


def test_null_deletes_rules_and_names_and_new_ones_come_last(folder: Path) -> None:
    found = _patched(folder, "let: {one: null, three: c}\nrules: {first: null, third: {claims: [event]}}\n")
    assert found["let"] == {"two": "b", "three": "c"}
    assert [rule["id"] for rule in found["rules"]] == ["second", "third"]


def test_identities_of_who_are_patched_by_name(folder: Path) -> None:
    who = _patched(folder, "who: {identities: {phone: tel}, missing: keep}")["who"]
    assert who == {"source_id": "id", "identities": {"email": "mail", "phone": "tel"}, "missing": "keep"}


def test_sections_are_patched_by_field_and_rule(folder: Path) -> None:
    patch = "profiles: {unset: '', fields: {name: null, city: profile.address.city}}\nevents: {rules: {seen: {skip: quiet}}}\n"
    found = _patched(folder, patch)
    assert found["profiles"] == {"unset": "", "fields": {"mail": "profile.email", "city": "profile.address.city"}}
    assert found["events"]["rules"][0] == {
        "id": "seen",
        "name": "event.name",
        "fields": {"a": "event.key"},
        "skip": "quiet",
    }


def test_unset_can_be_patched_to_null(folder: Path) -> None:
    assert _patched(folder, "profiles: {unset: null}")["profiles"]["unset"] is None


def test_deleting_what_is_not_there_is_an_error(folder: Path) -> None:
    with pytest.raises(
        MappingInvalid, match=r"patch of the connection:1:36: rules\.first\.profile: there is no 'nam' to delete"
    ):
        _patched(folder, "rules: [{id: first, profile: {nam: null}}]")


ODD = (
    "7",
    "word",
    "null",
    "[]",
    "[7]",
    "[{}]",
    "[[]]",
    "{}",
    "{id: 7}",
    "{one: 7}",
    "{rules: 7}",
    "{rules: [7]}",
    "{fields: 7}",
)


@pytest.mark.parametrize("odd", ODD)
@pytest.mark.parametrize("key", ["who", "let", "rules", "profiles", "events"])
def test_whatever_stands_in_a_base_or_a_patch_is_followed_or_told(tmp_path: Path, key: str, odd: str) -> None:
    (tmp_path / "good.yaml").write_text(BASE)
    (tmp_path / "odd.yaml").write_text(f"connector: acme\n{key}: {odd}\n")
    folders = Folders([tmp_path])
    for name, patch in (("good", f"{key}: {odd}"), ("odd", BASE), ("odd", f"{key}: {odd}")):
        with suppress(MappingInvalid):
            resolve(name, patch, folders)


def test_rules_of_a_base_that_are_no_list_are_told_with_their_place(tmp_path: Path) -> None:
    (tmp_path / "acme.yaml").write_text("connector: acme\nrules:\n  one: {}\n")
    with pytest.raises(MappingInvalid, match=r"acme\.yaml:3:3: rules: this must be a list of rules, each with an id"):
        read("acme", "rules: {two: {}}", Folders([tmp_path]))


def test_a_file_may_extend_the_bundled_one_of_its_own_name(tmp_path: Path) -> None:
    (tmp_path / "segment.yaml").write_text("extends: segment\nconnector: segment\nwho: {missing: keep}\n")
    resolved = resolve("segment", "", Folders([tmp_path]))
    assert resolved.document.plain()["who"]["missing"] == "keep"
    assert len(resolved.files) == 2


def test_files_that_extend_each_other_in_a_circle_are_refused(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text("extends: b\nconnector: a\n")
    (tmp_path / "b.yaml").write_text("extends: a\nconnector: b\n")
    with pytest.raises(MappingInvalid, match="no mapping 'a' that this file could extend"):
        resolve("a", "", Folders([tmp_path]))


def test_a_connectors_own_file_wins_over_the_bundled_one_and_the_mappings_path_over_both(tmp_path: Path) -> None:
    own, first = tmp_path / "connectors", tmp_path / "mappings"
    (own / "segment").mkdir(parents=True)
    first.mkdir()
    (own / "segment" / "mapping.yaml").write_text(BASE.replace("acme", "own"))
    folders = Folders([first], [own])
    assert read("segment", "", folders).document.plain()["connector"] == "own"
    (first / "segment.yaml").write_text(BASE.replace("acme", "first"))
    assert read("segment", "", folders).document.plain()["connector"] == "first"


@pytest.mark.parametrize("name", ["../acme", "", "a/b", "x" * 200])
def test_a_name_is_never_a_path(folder: Path, name: str) -> None:
    with pytest.raises(MappingInvalid, match="is not a mapping name"):
        read(name, "", Folders([folder]))


def test_every_bundled_file_is_valid() -> None:
    found = names(Folders.of(""))
    assert {"segment", "braze", "klaviyo"} <= set(found)
    for name in found:
        connector = resolve(name, "", Folders.of("")).connector
        assert connector == name or connector in found, name  # several mappings may serve one connector


def test_a_file_that_is_no_text_is_told(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_bytes(b"\xff\xfe")
    with pytest.raises(MappingInvalid, match="cannot be read"):
        read_file(tmp_path / "a.yaml", Folders())
