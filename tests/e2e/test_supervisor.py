"""The processes of `hub serve`: restarted when they die, gone when their supervisor dies, stopped in time."""

from __future__ import annotations

import psutil
import requests

from hub.runtime.roles.supervisor import ROLES
from tests.harness import RunningHub, eventually


def all_roles(hub: RunningHub) -> set[int] | None:
    roles = hub.roles()
    return {process.pid for process in roles.values()} if set(roles) == set(ROLES) else None


def test_the_hub_stops_within_ten_seconds_and_leaves_no_process(hub: RunningHub) -> None:
    assert hub.process is not None
    children = psutil.Process(hub.process.pid).children(recursive=True)

    took_s = hub.stop()

    _, alive = psutil.wait_procs(children, timeout=1)
    assert took_s < 10
    assert not alive


def test_a_role_that_dies_is_started_again(hub: RunningHub) -> None:
    before = eventually(lambda: all_roles(hub))
    for process in hub.roles().values():
        process.kill()

    after = eventually(lambda: found if (found := all_roles(hub)) and not found & before else None)

    assert len(after) == len(ROLES)
    eventually(hub.is_ready)


def test_roles_exit_when_the_supervisor_is_killed_and_the_next_one_takes_over(hub: RunningHub) -> None:
    hub.kill_supervisor()
    hub.start()

    assert requests.get(f"{hub.url}/healthz", timeout=5).json() == {"status": "ok"}


def test_metrics_and_health_answer(hub: RunningHub) -> None:
    source = hub.cli("sources", "add", "segment", "--name", "web", "--json")
    body = {"batch": [{"type": "identify", "userId": "ada", "messageId": "m-1", "traits": {}}]}
    requests.post(f"{source['webhook_url']}/v1/batch", json=body, auth=(source["write_key"], ""), timeout=5)
    hub.drained()

    ready = requests.get(f"{hub.url}/readyz", timeout=5).json()
    metrics = requests.get(f"{hub.url}/metrics", timeout=5).text

    assert ready["status"] == "ok"
    assert "hub_messages_waiting 0" in metrics
    assert "hub_messages_accepted_total 1.0" in metrics
    assert "hub_messages_applied_total" in metrics
