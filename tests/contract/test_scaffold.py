"""A new connector begins with a folder whose contract suite passes, and the guide shows that very folder."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from hub.registry.discovery import discover, get
from hub.registry.scaffold import scaffold
from hub.sdk.errors import ConfigurationError
from hub.sdk.kit.suite import run

ROOT = Path(__file__).resolve().parents[2]
GUIDE = ROOT / "docs" / "adding-a-connector.md"
RUN_SUITE = """
import sys
from hub.registry.discovery import discover, get
from hub.sdk.kit.suite import run
verdicts = list(run(get(discover(sys.argv[1]), "acme_mail").subject()))
print(len(verdicts), [f"{one.check.name}: {one.problem}" for one in verdicts if one.problem])
"""


@pytest.mark.parametrize(("kind", "least"), [("destination", 45), ("source", 18)])
def test_the_suite_of_a_new_connector_passes(tmp_path, kind, least):
    written = scaffold("acme", tmp_path, kind)
    verdicts = list(run(get(discover(str(tmp_path)), "acme").subject()))

    assert [f"{one.check.name}: {one.problem}" for one in verdicts if one.problem] == []
    assert len(verdicts) >= least
    assert {path.name for path in written} >= {"connector.py", "simulator.py", "mapping.yaml", "README.md"}


def test_it_passes_in_a_fresh_process_that_only_knows_the_path(tmp_path):
    scaffold("acme_mail", tmp_path)
    answer = subprocess.run(
        [sys.executable, "-W", "error", "-c", RUN_SUITE, str(tmp_path)],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )

    assert answer.stderr == ""
    assert re.fullmatch(r"\d+ \[\]\n", answer.stdout)


@pytest.mark.parametrize("kind", ["destination", "source"])
def test_a_new_connector_is_tidy(tmp_path, kind):
    scaffold("acme", tmp_path, kind)
    ruff = [sys.executable, "-m", "ruff"]
    config = ["--config", str(ROOT / "pyproject.toml"), "--no-cache", str(tmp_path)]
    for command in ([*ruff, "check", "--ignore", "ARG002", *config], [*ruff, "format", "--check", *config]):
        answer = subprocess.run(command, capture_output=True, text=True, check=False)
        assert answer.returncode == 0, answer.stdout


@pytest.mark.parametrize("name", ["", "Acme", "1acme", "ac-me", "class", "a", "../acme", "x" * 50])
def test_a_name_that_python_or_people_cannot_use_is_refused(tmp_path, name):
    with pytest.raises(ConfigurationError, match="cannot name a connector"):
        scaffold(name, tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_nothing_is_overwritten(tmp_path):
    (tmp_path / "acme").mkdir()
    with pytest.raises(ConfigurationError, match="nothing was written"):
        scaffold("acme", tmp_path)
    with pytest.raises(ConfigurationError, match="already"):
        scaffold("braze", tmp_path, taken=discover())


def _blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", GUIDE.read_text("utf-8"), re.DOTALL)


def test_the_code_of_the_guide_stands_in_the_folder_it_describes(tmp_path):
    texts = [path.read_text("utf-8") for path in scaffold("acme", tmp_path)]
    for block in [*_blocks("python"), *_blocks("yaml")]:
        assert any(block in text for text in texts), f"no file of the scaffold holds this block of the guide:\n{block}"


def test_the_guide_names_every_check_of_the_suite(tmp_path):
    scaffold("acme", tmp_path)
    scaffold("acme_feed", tmp_path, "source")
    found = discover(str(tmp_path))
    text = GUIDE.read_text("utf-8")
    names = [one.check.name for name in ("acme", "acme_feed") for one in run(found[name].subject())]
    missing = [name for name in names if ":" not in name and f"`{name}`" not in text]

    assert missing == []
