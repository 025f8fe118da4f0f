"""The command line and its settings are documented, and every command explains itself."""

from __future__ import annotations

from pathlib import Path

import click
import pytest

from hub.cli import hub
from hub.core.settings import Settings
from tests.docs.reference import reference, walk

ROOT = Path(__file__).resolve().parent.parent.parent
REFERENCE = (ROOT / "docs" / "reference.md").read_text()


@pytest.mark.parametrize(("path", "command"), walk(hub, "hub"), ids=lambda each: each if isinstance(each, str) else "")
def test_every_command_has_a_help_sentence_and_stands_in_the_reference(path: str, command: click.Command) -> None:
    assert command.help, path
    assert f"`{path}`" in REFERENCE, f"{path} is missing in docs/reference.md; run python -m tests.docs.reference"


@pytest.mark.parametrize("name", Settings.model_fields)
def test_every_setting_has_a_description_and_stands_in_the_reference(name: str) -> None:
    assert Settings.model_fields[name].description
    assert f"`HUB_{name.upper()}`" in REFERENCE


def test_the_reference_is_what_the_code_says() -> None:
    assert reference() == REFERENCE, "docs/reference.md is stale; run python -m tests.docs.reference"
