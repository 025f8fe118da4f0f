"""A new connector begins with a folder whose contract suite passes, and the guide shows that very folder."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from hub.check import run
from hub.mapping.inbound import compile_inbound
from hub.mapping.model import Verdict
from hub.mapping.versions.files import Folders, read_file
from hub.registry.discovery import discover, get
from hub.registry.scaffold import scaffold
from hub.sdk.errors import ConfigurationError

ROOT = Path(__file__).resolve().parents[2]
GUIDE = ROOT / "docs" / "adding-a-connector.md"
RUN_SUITE = """
import sys
from hub.check import run
from hub.registry.discovery import discover, get
verdicts = list(run(get(discover(sys.argv[1]), "acme_mail")))
print(len(verdicts), [f"{one.check.name}: {one.problem}" for one in verdicts if one.problem])
"""


@pytest.mark.parametrize(("kind", "least"), [("destination", 45), ("source", 18)])
def test_the_suite_of_a_new_connector_passes(tmp_path, kind, least):
    written = scaffold("acme", tmp_path, kind)
    verdicts = list(run(get(discover(str(tmp_path)), "acme")))

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
    names = [one.check.name for name in ("acme", "acme_feed") for one in run(found[name])]
    missing = [name for name in names if ":" not in name and f"`{name}`" not in text]

    assert missing == []


def test_what_the_guide_imports_from_the_kit_works_outside_the_hub(tmp_path):
    """The guide's own test file and script, over the scaffold as a package that nobody registered."""
    scaffold("acme", tmp_path)
    test, script = _blocks("py")
    (tmp_path / "test_acme.py").write_text(test, "utf-8")
    (tmp_path / "script.py").write_text(script, "utf-8")
    environment = {**os.environ, "PYTHONPATH": f"{ROOT}{os.pathsep}{tmp_path}"}
    for command in (["-m", "pytest", "-q", "-p", "no:cacheprovider", "test_acme.py"], ["script.py"]):
        answer = subprocess.run(
            [sys.executable, *command],
            cwd=tmp_path,
            env=environment,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        assert answer.returncode == 0, answer.stdout + answer.stderr


def test_the_guide_lists_what_the_kit_offers():
    import hub.sdk.kit as kit

    listed = set(
        re.findall(
            r"`(\w+)`", GUIDE.read_text("utf-8").partition("| from `hub.sdk.kit` | for |")[2].partition("\n\n")[0]
        )
    )
    assert listed == set(kit.__all__)
    assert all(getattr(kit, name) for name in kit.__all__)


def test_the_mapping_of_a_new_source_is_valid(tmp_path):
    scaffold("acme", tmp_path, "source")
    document = read_file(tmp_path / "acme" / "mapping.yaml", Folders()).document
    inbound = compile_inbound(document, connection_id="c", options={})
    sender = get(discover(str(tmp_path)), "acme").sender_class()
    messages = sender.example_messages()
    changes = [inbound.apply(one, message_id=one["id"], received_at=1_773_480_000_000_000) for one in messages]

    assert [change.verdict for change in changes] == [Verdict.APPLY, Verdict.APPLY]
    assert changes[0].fields == {"email": "ada@example.com"}
    assert changes[1].events[0].name == "Signed Up"
