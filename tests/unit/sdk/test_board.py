"""The sandbox's page lists every simulator, how to connect it, and what it received, with no secret on it."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import requests
from click.testing import CliRunner

from hub.cli import hub as cli
from hub.registry.discovery import discover
from hub.sdk.kit.sandbox_page import places_of, sandbox
from hub.sdk.kit.simulator.base import Simulator

KEY = "sandbox-braze-key"


def _subjects():
    found = discover()
    return {found[name].title: found[name].subject() for name in ("braze", "klaviyo")}


def test_the_page_and_its_json_show_what_each_received():
    with sandbox(_subjects(), "127.0.0.1", 0) as (page, stands):
        for number in range(2):
            body = {"attributes": [{"external_id": f"<ada-{number}>", "note": KEY}]}
            answer = requests.post(
                f"{stands[0].url}/users/track", json=body, headers={"authorization": f"Bearer {KEY}"}, timeout=5
            )
            assert answer.status_code == 201
        told = requests.get(f"{page}/index.json", timeout=5).json()["simulators"]
        html = requests.get(f"{page}/", timeout=5)

    braze, klaviyo = told
    assert (braze["name"], braze["calls"], klaviyo["calls"]) == ("braze", 2, 0)
    assert [one["call"] for one in braze["received"]] == ["POST /users/track"] * 2
    assert "<ada-1>" in braze["received"][0]["body"], "the newest stands first"
    assert braze["received"][0]["headers"]["authorization"] == "***"
    assert KEY not in str(braze["received"])
    assert f"--set api_key={KEY}" in braze["connect"], "the command names the sandbox's own key, which opens nothing"
    assert html.headers["content-type"].startswith("text/html")
    assert 'http-equiv="refresh"' in html.text
    assert "&lt;ada-1&gt;" in html.text
    assert "<ada-1>" not in html.text
    assert "No call yet." in html.text


def test_a_call_that_the_vendor_does_not_have_stands_out():
    with sandbox(_subjects(), "127.0.0.1", 0) as (page, stands):
        requests.get(f"{stands[0].url}/nowhere", timeout=5)
        assert "GET /nowhere is not an endpoint of this vendor" in requests.get(f"{page}/", timeout=5).text


def test_commands_name_the_host_as_hubs_know_it():
    with sandbox(_subjects(), "127.0.0.1", 0, "sandbox") as (_, stands):
        assert "--set hosts.api=http://sandbox:" in stands[0].command
        assert "127.0.0.1" not in stands[0].command


def test_every_vendor_has_its_port_and_a_plugin_moves_none():
    bundled = [one.subject() for one in discover().values() if one.destination_class]
    before = places_of(bundled)
    assert sorted(before.values()) == list(range(1, len(before) + 1)), "each bundled simulator declares its own place"
    page = Path("docs/operations.md").read_text()
    assert all(f"{one.name} {8090 + before[one.name]}" in page for one in bundled), "the page lists every port"

    plugins = [replace(bundled[0], name=name, simulator_class=Simulator) for name in ("zeta", "acme", "alpha")]
    for added in (plugins[:1], plugins[1:], plugins):
        after = places_of([*added, *bundled])
        assert {name: after[name] for name in before} == before
        assert all(after[one.name] >= 100 for one in added)
        assert len(set(after.values())) == len(after)
    assert places_of(plugins)["acme"] == places_of(plugins[1:2])["acme"], "a name has the same place everywhere"


def test_two_names_that_come_to_one_place_stand_side_by_side(monkeypatch):
    monkeypatch.setattr("hub.sdk.kit.sandbox_page.DERIVED_PLACES", 1)
    braze = discover()["braze"].subject()
    assert places_of([replace(braze, name=name, simulator_class=Simulator) for name in ("b", "a")]) == {
        "a": 100,
        "b": 101,
    }


def test_a_running_sandbox_is_asked_and_told_to_fail():
    def hub(*arguments):
        return CliRunner().invoke(cli, ["sandbox", "--port", page.rpartition(":")[2], *arguments])

    with sandbox(_subjects(), "127.0.0.1", 0) as (page, (braze, _)):
        assert (
            "2 calls are scripted"
            in hub("fail", "braze", "--status", "429", "--retry-after", "20", "--times", "2").output
        )
        answer = requests.post(f"{braze.url}/users/track", json={}, timeout=5)
        assert (answer.status_code, "x-ratelimit-reset" in answer.headers) == (429, True), "as this vendor tells it"
        assert json.loads(hub("received", "braze").stdout)[0]["path"] == "/users/track"
        assert json.loads(hub("unexpected", "braze").stdout) == []
        assert "profiles" in json.loads(hub("state", "klaviyo").stdout)
        hub("reset", "braze")
        assert json.loads(hub("received", "braze").stdout) == []
        assert "it has braze, klaviyo." in hub("fail", "nobody", "--status", "500").stderr
        assert "--status 429" in hub("fail", "braze").stderr
        assert hub("fail", "braze", "--kind", "timeout").exit_code == 0
    assert "No sandbox answers at http://127.0.0.1:" in hub("state", "braze").stderr
