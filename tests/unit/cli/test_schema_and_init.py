"""`hub schema` and `hub init`."""

from __future__ import annotations

from pathlib import Path

import pytest

from hub.registry.discovery import discover
from hub.sdk.kit.sandbox_page import sandbox
from tests.unit.cli.conftest import Shell

FILE = """
profile:
  allow_defined_only: true
  properties: {points: number, home: {type: geopoint, optional: false}}
event.order_completed:
  properties: {total: number}
"""


def test_schemas_are_set_from_a_file_shown_and_changed_key_by_key(shell: Shell, tmp_path: Path) -> None:
    file = tmp_path / "schema.yaml"
    file.write_text(FILE)
    assert [row["is_changed"] for row in shell.json("schema", "set", str(file))] == [True, True]
    assert [row["is_changed"] for row in shell.json("schema", "set", str(file))] == [False, False]
    assert [row["kind"] for row in shell.json("schema", "show")] == ["event.order_completed", "profile"]
    [profile] = shell.json("schema", "show", "profile")
    assert profile["properties"]["home"] == {"type": "geopoint", "array": False, "optional": False}
    assert "geopoint" in shell.text("schema", "show")

    assert shell.json("schema", "key", "add", "profile", "tags", "--type", "string", "--array")["is_changed"]
    [changed] = shell.json("schema", "show", "profile")
    assert changed["properties"]["tags"]["array"] is True
    assert changed["hash"] != profile["hash"]
    assert changed["allow_defined_only"] is True
    shell.text("schema", "key", "remove", "profile", "tags")
    assert shell.json("schema", "show", "profile")[0]["hash"] == profile["hash"]

    assert shell.json("schema", "remove", "profile", "--yes") == {"removed": True}
    assert "No schema of 'profile' is defined" in shell.error("schema", "show", "profile")


def test_what_is_shown_can_be_set_again_also_as_it_stood_before(shell: Shell, tmp_path: Path) -> None:
    file = tmp_path / "schema.yaml"
    file.write_text(FILE)
    shell.text("schema", "set", str(file))
    before = shell.json("schema", "show")
    [first] = shell.json("schema", "versions")
    shell.text("schema", "key", "remove", "profile", "points")
    assert first["hash"][:12] in shell.text("schema", "versions")
    assert [each["is_active"] for each in shell.json("schema", "versions")] == [True, False]

    then = shell.text("schema", "show", "--version", first["hash"][:12], "--json")
    assert [row["is_changed"] for row in shell.json("schema", "set", "-", given=then)] == [False, True]
    assert [row["hash"] for row in shell.json("schema", "show")] == [row["hash"] for row in before]
    assert "no schema version 'abc'" in shell.error("schema", "show", "--version", "abc")


def test_keys_of_objects_are_shown_under_their_path(shell: Shell) -> None:
    given = (
        "profile: {properties: {home: {type: object, array: true, properties: {at: {type: geopoint, array: true}}}}}"
    )
    shell.text("schema", "set", "-", given=given)
    lines = [line.split() for line in shell.text("schema", "show").splitlines()]
    assert ["profile", "home", "object", "True", "True", "False"] in lines
    assert ["profile", "home.at", "geopoint", "True", "True", "False"] in lines


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("[{kind: people}]", "There is no schema of 'people'"),
        ("[]", "holds no schema"),
        ("event.Signed In: {}", "in snake case: event.signed_in"),
        ("profile: {properties: {shoe size: number}}", "without white space"),
        ("people: {}", "There is no schema of 'people'"),
        ("profile: {properties: {a: text}}", "one of string, number"),
        ("- profile", "holds no schema"),
        ("profile: &a {}", "anchors"),
    ],
)
def test_a_wrong_file_is_one_sentence_and_changes_nothing(shell: Shell, text: str, sentence: str) -> None:
    assert sentence in shell.error("schema", "set", "-", given=text)
    assert shell.json("schema", "show") == []


def test_a_wrong_key_is_one_sentence(shell: Shell) -> None:
    assert "its `type` is one of" in shell.error("schema", "key", "add", "profile", "a", "--type", "text")
    assert "nothing to remove" in shell.error("schema", "key", "remove", "profile", "a")


def test_init_lists_the_industries(shell: Shell) -> None:
    assert [row["industry"] for row in shell.json("init")] == ["ecommerce", "food", "services", "travel"]
    assert "no industry 'mining'" in shell.error("init", "--industry", "mining")


def test_init_without_a_sandbox_says_what_to_do(shell: Shell) -> None:
    said = shell.text("init", "--industry", "food", "--sandbox", "http://127.0.0.1:9")
    assert "+ mapping: 'food' follows 'food'" in said
    assert "hub sandbox" in said
    assert "webhook URL is https://hub.example.com/in/" in said
    assert shell.json("sources", "list")[0]["mapping"] == "food"
    assert shell.json("distributions", "list") == []
    again = shell.text("init", "--industry", "food", "--sandbox", "http://127.0.0.1:9")
    assert "+ " not in again


def test_init_sends_through_the_sandbox_or_a_destination_by_name(shell: Shell) -> None:
    subjects = {"Braze": discover()["braze"].subject()}
    with sandbox(subjects, "127.0.0.1", 0) as (page, _):
        done = shell.json("init", "--industry", "services", "--sandbox", page)
        assert "distribution: added 'app loyalty month' through 'braze-sandbox'; it runs by hand" in [
            step["what"] for step in done["steps"]
        ]
        assert done["source"]["webhook_url"].startswith("https://hub.example.com/in/")
        again = shell.json("init", "--industry", "services", "--sandbox", page)
    assert [step["is_new"] for step in again["steps"]] == [False] * 4
    assert again["source"] is None

    made = shell.json("init", "--industry", "travel", "--source", "services", "--destination", "braze-sandbox",
                      "--option", "campaign_id=mine")  # fmt: skip
    assert any("goes on following 'services'" in step["what"] for step in made["steps"])
    [travel] = [row for row in shell.json("distributions", "list") if row["name"] == "travel upgrade"]
    assert travel["targets"][0]["options"]["campaign_id"] == "mine"
    assert "no destination 'nobody'" in shell.error("init", "--industry", "food", "--destination", "nobody")
