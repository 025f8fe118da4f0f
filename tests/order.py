"""Which tests run, on which worker, and when: what shares fixtures stays together, and the longest comes first."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from xdist.scheduler import LoadScopeScheduling

ROOT = Path(__file__).resolve().parent.parent
CONNECTORS = "tests/contract/test_connectors.py"
FAULTS = "tests/faults/"
LONGEST_FIRST = (
    "tests/faults/test_kafka.py",  # waits for minutes: others work meanwhile
    "tests/e2e/test_story.py",
    "tests/e2e/",
    FAULTS,
    "tests/rooms/test_kafka",
    "tests/rooms/inbox/",
    "tests/rooms/test_importing.py",
    "tests/rooms/",
    "tests/contract/",
)
_ENGINE = re.compile(r"\[(?:[^\]]*-)?(sqlite|postgres)[-\]]")
_KIT = ("hub/sdk/", "hub/check/", "tests/contract/")
_OF_A_CONNECTOR = re.compile(r"connectors/(\w+)/|mappings/(\w+)\.yaml$|docs/connectors/(\w+)\.md$")


def unit_of(nodeid: str) -> str:
    """What one worker runs in one go: a file's tests on one engine, one connector's contract, a file that mostly waits."""
    file, _, name = nodeid.partition("::")
    if file.startswith(FAULTS):
        return file
    if file == CONNECTORS:
        return f"{file} {connector_of(name)}"
    engine = _ENGINE.search(name)
    return f"{file} {engine[1] if engine else ''}"


def connector_of(name: str) -> str:
    """Of `test_a_connector_keeps_the_contract[braze: settings-have-help]`: braze."""
    return name.partition("[")[2].partition(":")[0].rstrip("]")


def rank(nodeid: str) -> int:
    return next((rank for rank, start in enumerate(LONGEST_FIRST) if nodeid.startswith(start)), len(LONGEST_FIRST))


def pytest_addoption(parser: pytest.Parser) -> None:
    words = "of the connectors, keep to the contracts of those that differ from this revision"
    parser.addoption("--changed-since", metavar="REVISION", help=words)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    revision = config.getoption("changed_since")
    if revision:
        connectors = changed_connectors(changed_files(revision))
        dropped = [one for one in items if not _is_asked(one.nodeid, connectors)]
        items[:] = [one for one in items if _is_asked(one.nodeid, connectors)]
        config.hook.pytest_deselected(items=dropped)
    if hasattr(config, "workerinput"):
        items.sort(key=lambda one: (rank(one.nodeid), unit_of(one.nodeid)))


def _is_asked(nodeid: str, connectors: set[str] | None) -> bool:
    file, _, name = nodeid.partition("::")
    return file != CONNECTORS or connectors is None or connector_of(name) in connectors


def changed_files(revision: str) -> list[str]:
    """What differs from where this branch left the revision: committed, not committed, or new."""
    since = _git("merge-base", revision, "HEAD")[0]
    return [*_git("diff", "--name-only", since), *_git("ls-files", "--others", "--exclude-standard")]


def changed_connectors(files: Sequence[str]) -> set[str] | None:
    """Their names; None for every one, where the contract itself has changed."""
    if any(file.startswith(_KIT) for file in files):
        return None
    found = [match for file in files if (match := _OF_A_CONNECTOR.match(file))]
    return {next(filter(None, match.groups())) for match in found}


def _git(*arguments: str) -> list[str]:
    return subprocess.run(["git", *arguments], cwd=ROOT, capture_output=True, text=True, check=True).stdout.splitlines()


class Units(LoadScopeScheduling):
    """Hands units to workers in the order of collection."""

    def _split_scope(self, nodeid: str) -> str:
        return unit_of(nodeid)


def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Units:
    config.option.loadscopereorder = False
    return Units(config, log)
