"""The processes of `hub serve`: restarted when they die, gone when their supervisor dies, stopped in time."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import psutil
import pytest
import requests

from hub.runtime.roles.supervisor import ROLES
from tests.harness import SharedHub, eventually, free_port


@pytest.fixture
def hub(shared_hub: SharedHub) -> SharedHub:
    return shared_hub


def all_roles(hub: SharedHub) -> set[int] | None:
    roles = hub.roles()
    return {process.pid for process in roles.values()} if set(roles) == set(ROLES) else None


def test_the_hub_stops_within_ten_seconds_and_leaves_no_process(hub: SharedHub) -> None:
    assert hub.process is not None
    children = psutil.Process(hub.process.pid).children(recursive=True)

    took_s = hub.stop()

    _, alive = psutil.wait_procs(children, timeout=1)
    assert took_s < 10
    assert not alive
    assert "The hub is not running: no role leaves heartbeats." in hub.cli("doctor", fails=True).stdout


def test_a_role_that_dies_is_started_again(hub: SharedHub) -> None:
    before = eventually(lambda: all_roles(hub))
    for process in hub.roles().values():
        process.kill()

    after = eventually(lambda: found if (found := all_roles(hub)) and not found & before else None)

    assert len(after) == len(ROLES)
    eventually(hub.is_ready)


def test_a_second_hub_on_the_port_or_the_data_directory_of_the_first_is_turned_away(
    hub: SharedHub, tmp_path: Path
) -> None:
    assert hub.process is not None
    seconds = [hub.environment | {"HUB_DATA_DIR": str(tmp_path), "HUB_DATABASE_URL": ""}]
    if not hub.environment["HUB_DATABASE_URL"]:
        seconds.append(hub.environment | {"HUB_PORT": str(free_port())})
    for environment in seconds:
        command = [sys.executable, "-m", "hub", "serve"]
        told = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=30, check=False)

        assert (told.returncode, told.stdout) == (1, "")
        assert f"process {hub.process.pid} (" in told.stderr
        assert told.stderr.count("\n") == 1, "a sentence, and nothing of a role"
    assert hub.is_ready(), "the first one goes on"


def test_callers_wait_while_the_web_role_starts_again(hub: SharedHub) -> None:
    for _ in range(3):
        web = eventually(lambda: hub.roles().get("web"))
        family = [web, *web.children(recursive=True)]
        web.kill()
        psutil.wait_procs(family, timeout=5)

        assert requests.get(f"{hub.url}/healthz", timeout=20).ok


def test_roles_exit_when_the_supervisor_is_killed_and_the_next_one_takes_over(hub: SharedHub) -> None:
    hub.kill_supervisor()
    hub.start()

    assert requests.get(f"{hub.url}/healthz", timeout=5).json() == {"status": "ok"}


def test_metrics_and_health_answer(hub: SharedHub) -> None:
    source = hub.cli("sources", "add", "segment", "--name", hub.name("web"), "--json")
    body = {"batch": [{"type": "identify", "userId": "ada", "messageId": "m-1", "traits": {}}]}
    requests.post(f"{source['webhook_url']}/v1/batch", json=body, auth=(source["write_key"], ""), timeout=5)
    hub.drained()

    ready = requests.get(f"{hub.url}/readyz", timeout=5).json()
    metrics = requests.get(f"{hub.url}/metrics", timeout=5).text

    assert ready["status"] == "ok"
    assert "hub_messages_waiting 0" in metrics
    assert "hub_messages_accepted_total 1.0" in metrics
    assert "hub_messages_applied_total" in metrics
