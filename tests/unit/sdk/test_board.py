"""The sandbox's page lists every simulator, how to connect it, and what it received, with no secret on it."""

from __future__ import annotations

import requests

from hub.registry.discovery import discover
from hub.sdk.kit.sandbox_page import sandbox

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
