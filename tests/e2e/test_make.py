"""`make install`: a word about how far it is, and nothing outside the project's folder."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent.parent
BACKEND = """
import zipfile
def build_editable(folder, config_settings=None, metadata_directory=None):
    name = "small-1.0-py3-none-any.whl"
    with zipfile.ZipFile(f"{folder}/{name}", "w") as wheel:
        wheel.writestr("small-1.0.dist-info/METADATA", "Metadata-Version: 2.1\\nName: small\\nVersion: 1.0\\n")
        wheel.writestr("small-1.0.dist-info/WHEEL", "Wheel-Version: 1.0\\nRoot-Is-Purelib: true\\nTag: py3-none-any\\n")
        wheel.writestr("small-1.0.dist-info/RECORD", "")
    return name
"""


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A small project with the hub's Makefile and tools, and one locked package that is at hand."""
    made = tmp_path / "project"
    shutil.copytree(ROOT / "tools", made / "tools", ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "Makefile", made)
    (made / "backend.py").write_text(BACKEND)
    (made / "pyproject.toml").write_text(
        '[build-system]\nrequires = []\nbuild-backend = "backend"\nbackend-path = ["."]\n'
        '[project]\nname = "small"\nversion = "1.0"\n'
    )
    wheel = made / "locked-1.0-py3-none-any.whl"
    with zipfile.ZipFile(wheel, "w") as file:
        file.writestr("locked-1.0.dist-info/METADATA", "Metadata-Version: 2.1\nName: locked\nVersion: 1.0\n")
        file.writestr("locked-1.0.dist-info/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        file.writestr("locked-1.0.dist-info/RECORD", "")
    lock(made, hashlib.sha256(wheel.read_bytes()).hexdigest())
    return made


def lock(project: Path, digest: str) -> None:
    (project / "requirements.lock").write_text(f"locked==1.0 \\\n    --hash=sha256:{digest}\n")


def install(project: Path) -> subprocess.CompletedProcess[str]:
    home = project.parent / "home"
    home.mkdir(exist_ok=True)
    environment = {
        "PATH": "/usr/bin:/bin",
        "HOME": str(home),
        "PIP_NO_INDEX": "1",
        "PIP_FIND_LINKS": str(project),
        "PIP_CONFIG_FILE": os.devnull,
    }
    command = ["make", "install", f"PYTHON={sys.executable}"]
    return subprocess.run(command, cwd=project, env=environment, capture_output=True, text=True, check=False)


def test_installing_says_how_far_it_is_or_why_it_failed_and_leaves_nothing_in_the_home_folder(project: Path) -> None:
    right = (project / "requirements.lock").read_text()
    lock(project, "0" * 64)
    failed = install(project)
    assert failed.returncode != 0
    assert "pip could not install the packages" in failed.stderr
    assert "HASHES" in failed.stderr

    (project / "requirements.lock").write_text(right)
    done = install(project)
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert lines[0].startswith("Making .venv with Python 3.")
    assert lines[1] == "Installing 1 packages into .venv (about a minute) …"
    assert lines[-1].startswith("Installed in ")
    assert len(lines) <= 6, "progress in a few lines, and none of pip's own"
    assert done.stderr == ""
    assert list((project.parent / "home").iterdir()) == []
