"""A patch over a mapping is tried as it would be applied, before it is."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.unit.cli.conftest import Shell

MESSAGE = json.dumps({"type": "identify", "userId": "ada", "traits": {"email": "ada@example.com", "nick": "Countess"}})
PATCH = "rules:\n  identify:\n    profile: {description: traits.nick}\n"


@pytest.fixture
def patched(shell: Shell) -> Shell:
    shell.text("sources", "add", "segment", "--name", "web", "--patch", "-", given=PATCH)
    return shell


def test_a_connections_mapping_is_previewed_with_its_patch(patched: Shell, tmp_path: Path) -> None:
    (tmp_path / "message.json").write_text(MESSAGE)
    plain = json.loads(patched.text("mappings", "preview", "segment", given=MESSAGE))
    own = json.loads(patched.text("mappings", "preview", "--connection", "web", str(tmp_path / "message.json")))

    assert "description" not in plain["profile"]
    assert own["profile"]["description"] == "Countess"


def test_another_patch_is_tried_without_being_set(patched: Shell, tmp_path: Path) -> None:
    (tmp_path / "new.yaml").write_text(PATCH.replace("description", "first_name"))
    tried = json.loads(
        patched.text("mappings", "preview", "--connection", "web", "--patch", str(tmp_path / "new.yaml"), given=MESSAGE)
    )
    assert (tried["profile"]["first_name"], "description" in tried["profile"]) == ("Countess", False)
    assert "description" in patched.json("sources", "show", "web")["mapping_patch"]


def test_patches_are_checked_without_naming_a_connector(patched: Shell, tmp_path: Path) -> None:
    good, bad = tmp_path / "good.yaml", tmp_path / "bad.yaml"
    good.write_text(PATCH)
    bad.write_text("rules:\n  identify:\n    profile: {nonsense: traits.nick}\n")

    assert patched.json("mappings", "check", "--connection", "web") == []
    assert patched.json("mappings", "check", "--connection", "web", str(good)) == []
    checked = patched.run("mappings", "check", "--connection", "web", str(good), str(bad))
    assert checked.exit_code == 1
    assert f"{bad}:3:" in checked.stdout
    assert "no source 'nobody'" in patched.error("mappings", "preview", "--connection", "nobody", given=MESSAGE)
    assert "--connection NAME" in patched.error("mappings", "preview", given=MESSAGE)
