"""The command line over a data directory of its own, in this process."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from hub.cli import hub
from hub.core.settings import Settings
from hub.runtime.process import migrate as migrating
from hub.runtime.process.installation import Installation
from tests.databases import new_sqlite


class Shell:
    """Runs `hub ...` as an operator would."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.environment = {"HUB_DATA_DIR": str(folder), "HUB_PUBLIC_URL": "https://hub.example.com"}

    def run(self, *arguments: str, given: str | None = None, **environment: str) -> Result:
        """Any outcome. A traceback is a failed test: operators must never see one."""
        result = CliRunner().invoke(hub, arguments, input=given, env={**self.environment, **environment})
        if result.exception is not None and not isinstance(result.exception, SystemExit):
            raise AssertionError(f"hub {' '.join(arguments)} raised") from result.exception
        return result

    def text(self, *arguments: str, given: str | None = None) -> str:
        """The output of a success."""
        result = self.run(*arguments, given=given)
        assert result.exit_code == 0, f"hub {' '.join(arguments)}: {result.output}"
        return result.stdout

    def json(self, *arguments: str, given: str | None = None) -> Any:
        return json.loads(self.text(*arguments, "--json", given=given))

    def lines(self, *arguments: str) -> list[Any]:
        """JSON output of one object a line."""
        return [json.loads(line) for line in self.text(*arguments, "--json").splitlines()]

    def error(self, *arguments: str, given: str | None = None, **environment: str) -> str:
        """The one sentence of a failure: on standard error, with exit code 1 and nothing on standard output."""
        result = self.run(*arguments, given=given, **environment)
        assert result.exit_code == 1, f"hub {' '.join(arguments)}: {result.exit_code} {result.output}"
        assert result.stdout == ""
        assert result.stderr.startswith("Error: "), result.stderr
        assert result.stderr.count("\n") == 1, result.stderr
        return result.stderr.removeprefix("Error: ").strip()

    @property
    def installation(self) -> Installation:
        return Installation(Settings(data_dir=self.folder))


@pytest.fixture
def shell(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Shell:
    """A new hub. Its tables are made directly: that migrations make the same is a room test's matter."""
    for name in [name for name in os.environ if name.startswith("HUB_")]:
        monkeypatch.delenv(name)
    monkeypatch.setattr(migrating, "migrate", _make_tables)
    return Shell(tmp_path)


def _make_tables(hub: Installation) -> None:
    for part, name in (("state", "hub.db"), ("inbox", "inbox.db")):
        path = hub.settings.data_dir / name
        if not path.exists() or not path.stat().st_size:
            new_sqlite(path, part)
