"""`--mapping`, `--patch` and settings that are lists, as an operator types them."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.unit.cli.conftest import Shell

ADD = ("sources", "add", "webhook", "--name", "feedback", "--set", "verify=url")


def test_a_source_is_added_with_a_mapping_and_a_patch(shell: Shell, tmp_path: Path) -> None:
    file = tmp_path / "patch.yaml"
    file.write_text("who: {source_id: email}\n")

    added = shell.json(*ADD, "--mapping", "iterable-feedback", "--patch", str(file))

    assert (added["mapping"], added["mapping_patch"]) == ("iterable-feedback", "who: {source_id: email}")
    assert "?secret=" not in added["webhook_url"]
    assert added["secret"]


def test_mapping_and_patch_are_changed_and_taken_away(shell: Shell, tmp_path: Path) -> None:
    first = shell.json(*ADD, "--mapping", "mailchimp-feedback")
    empty, file = tmp_path / "empty.yaml", tmp_path / "patch.yaml"
    empty.write_text("")
    file.write_text("rules: {profile: null}\n")

    patched = shell.json("sources", "set", "feedback", "--patch", str(file))
    assert patched["mapping_hash"] != first["mapping_hash"]
    back = shell.json("sources", "set", "feedback", "--patch", str(empty))
    assert (back["mapping_patch"], back["mapping_hash"]) == (None, first["mapping_hash"])
    own = shell.json("sources", "set", "feedback", "--mapping", "webhook", "--set", "url_parameter=key")
    assert (own["mapping"], own["settings"]["url_parameter"]) == ("webhook", "key")


def test_a_destination_takes_a_patch(shell: Shell) -> None:
    options = ("--set", "base_url=https://rest.example.com", "--set", "api_key=k", "--patch", "-")
    result = shell.run(
        "destinations", "add", "braze", "--name", "crm", "--no-check", *options, given="profiles: {unset: omit}\n"
    )
    assert result.exit_code == 0, result.output
    assert shell.json("destinations", "show", "crm")["mapping_patch"] == "profiles: {unset: omit}"


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (("--mapping", "nobodys"), "There is no mapping 'nobodys'; there are"),
        (("--mapping", "segmen/t"), "not a mapping name"),
        (("--mapping", "braze"), "no `rules` for what comes in"),
    ],
)
def test_a_mapping_that_is_not_there_is_told_with_those_that_are(
    shell: Shell, options: tuple[str, ...], words: str
) -> None:
    assert words in shell.error(*ADD, *options)
    assert shell.json("sources", "list") == []
    if "nobodys" in options:
        assert "mailchimp-feedback" in shell.error(*ADD, *options)


def test_set_says_what_it_wants(shell: Shell) -> None:
    shell.text(*ADD)
    assert "--mapping" in shell.error("sources", "set", "feedback")


def test_a_list_is_written_as_json(shell: Shell) -> None:
    added = shell.json(*ADD, "--set", 'allowed_networks=["203.0.113.0/24", "2001:db8::/32"]')
    assert added["settings"]["allowed_networks"] == ["203.0.113.0/24", "2001:db8::/32"]
    assert "allowed_networks" in shell.error("sources", "set", "feedback", "--set", "allowed_networks=203.0.113.0/24")
    assert "allowed_networks" not in shell.json("sources", "set", "feedback", "--set", "allowed_networks=")["settings"]
