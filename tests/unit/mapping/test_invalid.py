"""Each file in invalid/ is a mapping that is refused; its first comment lines are the problems, as `check` prints them."""

from __future__ import annotations

from pathlib import Path

import pytest

from hub.mapping.check import check_file
from hub.mapping.language.document import load
from hub.mapping.language.problems import MappingFileInvalid
from hub.mapping.versions.version import check
from hub.sdk.errors import ConfigurationError, MappingInvalid

FOLDER = Path(__file__).with_name("invalid")
FILES = sorted(FOLDER.glob("*.yaml"))


@pytest.mark.parametrize("path", FILES, ids=[path.stem for path in FILES])
def test_the_file_is_refused_with_line_and_column(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    expected = [line.removeprefix("# ") for line in text.splitlines() if line.startswith("# ")]
    found = [str(problem).removeprefix(f"{path}:") for problem in check_file(path, None)]
    assert found == expected


def test_an_error_is_a_configuration_error_with_every_problem_in_it() -> None:
    with pytest.raises(MappingFileInvalid) as caught:
        check(load("connector: a\nwho: {source_id: id}\nrules:\n  - {id: one, profile: {nam: a, mail: b}}\n", "x.yaml"))
    assert isinstance(caught.value, MappingInvalid)
    assert isinstance(caught.value, ConfigurationError)
    assert [problem.column for problem in caught.value.problems] == [25, 33]
    assert str(caught.value).splitlines()[0].startswith("x.yaml:4:25: rules.one.profile: there is no 'nam' here")


@pytest.mark.parametrize(
    "text", ["", "# nothing\n", "[" * 5000, "a: " * 3000, "\x00", "{" * 100 + "}" * 100, "- " * 200]
)
def test_no_text_makes_the_loader_fail_otherwise(text: str) -> None:
    with pytest.raises(MappingFileInvalid):
        check(load(text, "x.yaml"))


@pytest.mark.parametrize(
    ("text", "value"),
    [("no", "no"), ("on", "on"), ("yes", "yes"), ("010", 10), ("0o7", "0o7"), ("0x1F", "0x1F"), ("1:30", "1:30"), ("1_000", "1_000"),
     ("2026-03-14", "2026-03-14"), (".inf", ".inf"), ("~", None), ("null", None), ("", None), ("true", True), ("1.50", 1.5),
     ("1e3", 1000.0), ("12345678901234567890", "12345678901234567890"), ("~first", "~first"), ("!important", None)],
)  # fmt: skip
def test_scalars_are_those_of_yaml_1_2(text: str, value: object) -> None:
    if text.startswith("!"):
        with pytest.raises(MappingFileInvalid):
            load(f"key: {text}\n", "x.yaml")
        return
    found = load(f"key: {text}\n", "x.yaml").value["key"].value
    assert (type(found), found) == (type(value), value)


def test_a_missing_file_is_a_problem_too(tmp_path: Path) -> None:
    (found,) = check_file(tmp_path / "none.yaml", None)
    assert "cannot be read" in found.text


def test_fields_the_vendor_does_not_take_are_problems(tmp_path: Path) -> None:
    file = tmp_path / "acme.yaml"
    file.write_text(
        "connector: acme\n"
        "profiles:\n"
        "  fields:\n"
        "    mail: profile.email\n"
        "    nmae: profile.name\n"
        "    place: {object: {citty: profile.address.city, '{x}': profile.name}}\n"
        "let: {x: {const: a}}\n"
    )
    place = {"additionalProperties": False, "properties": {"city": {}}}
    targets = {"profiles": {"additionalProperties": False, "properties": {"mail": {}, "name": {}, "place": place}}}
    assert [str(found).removeprefix(str(file)) for found in check_file(file, targets)] == [
        ":5:5: profiles.fields: the vendor has no field 'nmae'; did you mean 'name'?",
        ":6:22: profiles.fields.place: the vendor has no field 'citty'; did you mean 'city'?",
    ]
