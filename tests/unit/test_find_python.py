"""`make` finds any Python from 3.11 on."""

from __future__ import annotations

import shutil
import stat
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent.parent
FIND = ROOT / "tools" / "find_python.sh"
SHELL = shutil.which("sh") or "/bin/sh"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A folder of programs, as PATH would name it: nothing in it but what a test puts there."""
    (tmp_path / "programs").mkdir()
    return tmp_path / "programs"


def program(path: Path, name: str, line: str) -> None:
    (path / name).write_text(f"#!{SHELL}\n{line}\n")
    (path / name).chmod(stat.S_IRWXU)


def found(path: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [SHELL, str(FIND), *arguments]
    return subprocess.run(command, env={"PATH": str(path)}, capture_output=True, text=True, check=False)


@pytest.mark.parametrize("name", ["python3.11", "python3.12", "python3.13", "python3.14", "python3"])
def test_any_python_that_is_new_enough_is_found(path: Path, name: str) -> None:
    program(path, name, f'exec {sys.executable} "$@"')
    assert found(path).stdout == f"{name}\n"


def test_a_python_that_is_too_old_or_cannot_make_environments_is_passed_over(path: Path) -> None:
    program(path, "python3.11", "exit 1")  # a version manager's placeholder
    program(path, "python3", f'exec {sys.executable} "$@"')
    assert found(path).stdout == "python3\n"


def test_without_any_one_sentence_says_what_to_do(path: Path) -> None:
    answer = found(path)
    assert answer.returncode == 1
    assert answer.stdout == ""
    assert answer.stderr.startswith("The hub needs Python 3.11 or newer")
    assert "make PYTHON=" in answer.stderr
    assert len(answer.stderr.splitlines()) == 1


def test_a_named_python_is_taken_or_refused_by_name(path: Path) -> None:
    program(path, "mine", f'exec {sys.executable} "$@"')
    program(path, "old", "exit 1")
    assert found(path, "mine").stdout == "mine\n"
    answer = found(path, "old")
    assert (answer.returncode, answer.stdout) == (1, "")
    assert answer.stderr.startswith("PYTHON=old is not a Python 3.11")
