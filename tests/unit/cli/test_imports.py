"""`hub import` and `hub export` as an operator types them."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.unit.cli.conftest import Shell


@pytest.fixture
def people(tmp_path: Path) -> Path:
    path = tmp_path / "people.csv"
    path.write_text("source_id,E-mail,Points\nu1,ada@example.com,7\nu2,bad,9\n")
    return path


def test_an_import_prints_its_counts_and_where_the_rejected_rows_are(shell: Shell, people: Path) -> None:
    shown = shell.json("import", "customers", str(people))

    assert (shown["state"], shown["rows"], shown["accepted"], shown["rejected"]) == ("done", 2, 1, 1)
    assert shown["errors_file"] == str(people.with_name("people.errors.csv"))
    assert "bad" in people.with_name("people.errors.csv").read_text("utf-8-sig")
    assert shell.json("ledger", "check")["accepted"] == 1
    (run,) = shell.lines("log", "--kind", "import")
    assert run["counts"]["rejected"] == 1


def test_the_end_is_told_to_a_person_too_without_a_bar_where_there_is_no_terminal(shell: Shell, people: Path) -> None:
    result = shell.run("import", "customers", str(people), "--errors", str(people.with_name("bad.csv")))

    assert "\naccepted     1\n" in result.stdout
    assert "1 of 2 rows were rejected: correct them in" in result.stderr
    assert people.with_name("bad.csv").exists()


def test_a_dry_run_tells_columns_and_rows_and_writes_nothing(shell: Shell, people: Path) -> None:
    told = shell.text("import", "customers", str(people), "--dry-run", "--map", "Points=metadata.points:number")

    assert "E-mail → email" in told
    assert "Points → metadata.points:number" in told
    assert "row 1 (line 2): source_id=u1" in told
    assert "metadata.points=7" in told
    assert "row 2 (line 3): rejected: E-mail: " in told
    assert not people.with_name("people.errors.csv").exists()
    assert shell.json("sources", "list") == []
    assert shell.json("import", "customers", str(people), "--dry-run", "--first", "1")["rejected"] == 1


def test_a_dry_run_tells_what_the_schema_drops_row_by_row(shell: Shell, people: Path) -> None:
    shell.text("schema", "set", "-", given="profile: {properties: {Points: boolean}}")
    dry = ("import", "customers", str(people), "--dry-run")
    told = shell.text(*dry)
    assert "row 1 (line 2): rejected: Points: the schema has a boolean here, not text like this\n" in told
    assert "row 2 (line 3): rejected: E-mail: an e-mail address has one @" in told

    told = shell.text(*dry, "--accept-warnings")
    assert "\nwarned      2\n" in told
    assert "row 1 (line 2): source_id=u1" in told
    assert "\n    Points: the schema has a boolean here, not text like this\n" in told
    people.write_text("source_id,Points\nu1,yes\nu2,no\nu3,perhaps\n")
    told = shell.text(*dry, "--accept-warnings")
    assert "Taken without some values" not in told, "a row is told once"
    told = shell.text(*dry, "--accept-warnings", "--first", "1")
    assert "Taken without some values\n  row 3 (line 4): source_id=u3" in told


def test_codes_go_to_a_campaign(shell: Shell, tmp_path: Path) -> None:
    shell.json("campaigns", "add", "--name", "spring", "--imported")
    path = tmp_path / "codes.csv"
    path.write_text("code\nA-1\nA-2\n")

    assert shell.json("import", "codes", str(path), "--campaign", "spring")["accepted"] == 2
    assert shell.json("campaigns", "show", "spring")["free"] == 2


def test_products_are_imported_listed_and_shown(shell: Shell, tmp_path: Path) -> None:
    path = tmp_path / "products.csv"
    path.write_text("product_id,name,price,colour\np1,Tent,199,green\np2,Rope,7,\n")

    assert shell.json("import", "products", str(path))["accepted"] == 2
    assert [each["product_id"] for each in shell.json("products", "list", "--after", "p1")] == ["p2"]
    assert shell.json("products", "show", "p1") == {
        "product_id": "p1", "name": "Tent", "price": 19900, "currency": "USD", "metadata": {"colour": "green"}
    }  # fmt: skip
    assert "no product 'p3'" in shell.error("products", "show", "p3")


def test_delimiters_have_names(shell: Shell, tmp_path: Path) -> None:
    path = tmp_path / "tabs.csv"
    path.write_text("source_id\tname\nu1\tAda, Quill\n")

    assert shell.json("import", "customers", str(path), "--delimiter", "tab")["accepted"] == 1


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["products", "FILE", "--campaign", "spring"], "--campaign NAME"),
        (["codes", "FILE"], "--campaign NAME"),
        (["customers", "FILE", "--campaign", "spring"], "--campaign NAME"),
        (["customers", "FILE", "--source", "crm"], "There is no source 'crm'"),
        (["customers", "FILE", "--map", "Pints=email"], "no column 'Pints' in the file; did you mean 'Points'?"),
        (["customers", "FILE", "--map", "email"], "maps no column"),
        (["customers", "FILE", "--encoding", "klingon"], "There is no encoding 'klingon'"),
        (["customers", "FILE", "--at", "soon"], "--at 'soon' is not a time"),
        (["orders", "FILE"], "No column holds the id of orders"),
    ],
)
def test_what_cannot_be_imported_is_told_in_one_sentence(
    shell: Shell, people: Path, arguments: list[str], told: str
) -> None:
    assert told in shell.error("import", *[str(people) if word == "FILE" else word for word in arguments])


def test_profiles_are_exported_to_a_file(shell: Shell, tmp_path: Path) -> None:
    path = tmp_path / "profiles.csv"

    assert shell.json("export", "profiles", str(path)) == {"profiles": 0, "file": str(path)}
    assert path.read_text("utf-8-sig").startswith("source_id,at,name,")


def test_import_and_export_explain_themselves(shell: Shell) -> None:
    assert "Default: beside FILE" in shell.text("import", "--help")
    assert "leading apostrophe" in shell.text("export", "profiles", "--help")


def test_a_file_of_rubbish_is_refused_whole_unless_that_is_allowed(shell: Shell, tmp_path: Path) -> None:
    path = tmp_path / "people.csv"
    path.write_text("source_id,E-mail\nu1,ada@example.com\n" + "".join(f"b{row},bad\n" for row in range(30)))

    refused = shell.run("import", "customers", str(path), "--json")
    assert refused.exit_code == 1
    assert "30 of its first 31 rows would be rejected. Row 2: E-mail" in refused.stderr
    assert shell.json("ledger", "check")["accepted"] == 0, "nothing was imported"
    assert shell.lines("log", "--kind", "import")[0]["result"] == "failed"

    taken = shell.json("import", "customers", str(path), "--max-bad", "100")
    assert (taken["state"], taken["accepted"], taken["rejected"]) == ("done", 1, 30)


def test_rubbish_further_down_ends_the_import_there(
    shell: Shell, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("hub.imports.request.PORTION_ROWS", 10)
    path = tmp_path / "codes.csv"
    shell.text("campaigns", "add", "--name", "bought", "--imported")
    path.write_text("code\n" + "".join(f"A-{row}\n" for row in range(10)) + f"{'x' * 101}\n" * 60)

    ended = shell.run("import", "codes", str(path), "--campaign", "bought", "--json")
    assert ended.exit_code == 1
    assert "was read to row 30 only. 20 of 30 rows were rejected" in ended.stderr
