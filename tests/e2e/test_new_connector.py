"""A folder dropped into HUB_CONNECTORS_PATH is usable by a running hub after `hub connectors reload`."""

from __future__ import annotations

from pathlib import Path

import requests

from tests.harness import RunningHub, eventually


def test_a_dropped_folder_is_used_without_a_restart_of_the_hub(tmp_path: Path, database_url: str) -> None:
    dropped = tmp_path / "mine"
    dropped.mkdir()
    with RunningHub(tmp_path / "hub", database_url, HUB_CONNECTORS_PATH=str(dropped)) as hub:
        assert hub.process is not None
        supervisor = hub.process.pid
        key = hub.cli("keys", "add", "--name", "tests", "--json")["key"]
        body = {"connector": "acme", "name": "crm", "settings": {"api_key": "key-0123456789"}}

        def add() -> requests.Response:
            return requests.post(
                f"{hub.url}/hub/v1/destinations", json=body, headers={"Authorization": f"Bearer {key}"}, timeout=5
            )

        assert "no connector 'acme'" in add().text
        before = {role: process.pid for role, process in hub.roles().items()}

        hub.cli("connectors", "new", "acme", "--into", str(dropped))
        told = hub.cli("connectors", "reload")
        assert "web, apply, deliver, schedule" in told
        assert f"acme from {dropped / 'acme'}" in told, "what the roles found, not what this shell would"
        eventually(lambda: _all_new(hub, before) and hub.is_ready(), what="every role having started again")

        assert add().status_code == 201
        assert hub.process.pid == supervisor
        assert hub.cli("destinations", "list", "--json")[0]["connector"] == "acme"


def _all_new(hub: RunningHub, before: dict[str, int]) -> bool:
    now = {role: process.pid for role, process in hub.roles().items()}
    return set(now) == set(before) and all(now[role] != before[role] for role in before)
