"""Senders never repeat what was refused for good: what an operator has just done counts at once, and a look is no success."""

from __future__ import annotations

from typing import Any

import pytest
from werkzeug.test import TestResponse

from hub.core import clock
from hub.core.database import write
from hub.registry import store as registry
from tests.rooms.api.conftest import Api

KNOCKS = 30


@pytest.fixture
def other(api: Api) -> Api:
    """Another web process of the same hub, which has looked at its connections a moment ago."""
    other = Api(api.hub, api.inbox)
    assert other.http.post("/in/nobody").status_code == 404
    return other


def sends(api: Api, source: Any, key: str = "") -> TestResponse:
    body = {"batch": [{"type": "identify", "userId": "ada", "traits": {}}]}
    path = source["webhook_url"].removeprefix("https://hub.example.com")
    return api.http.post(f"{path}/v1/batch", json=body, auth=(key or source["write_key"], ""))


def test_a_new_source_is_never_told_that_nobody_has_its_key(api: Api, other: Api) -> None:
    answers = []
    for number in range(KNOCKS):
        source = api.add_source(f"web-{number}")
        answers += [sends(web, source).status_code for web in (other, api)]

    assert answers == [200] * 2 * KNOCKS


def test_a_new_secret_is_good_as_soon_as_it_is_set(api: Api, other: Api) -> None:
    source = api.add_source()
    assert sends(other, source).status_code == 200
    assert sends(other, source, "first").status_code == 401
    for key in ("first", "second", "third"):
        assert api("PATCH", "/hub/v1/sources/web", json={"settings": {"write_key": key}}).status_code == 200
        assert sends(other, source, key).status_code == 200
    assert sends(other, source).status_code == 401, "the one before the last is not good any more"


def test_a_source_takes_messages_as_soon_as_it_is_resumed(api: Api, other: Api) -> None:
    source = api.add_source()
    for _ in range(3):
        api.post("/hub/v1/sources/web/pause", {}, 200)
        other.app.extensions["switchboard"].live.latest()
        assert sends(other, source).status_code == 503
        api.post("/hub/v1/sources/web/resume", None, 200)
        assert sends(other, source).status_code == 200


def test_a_source_whose_connector_is_missing_keeps_its_senders_waiting(api: Api) -> None:
    with write(api.engine) as database:
        gone = registry.add(
            database, api.hub.vault, clock.now(), role="source", connector="gone", name="gone", settings={}, secrets={}
        )  # fmt: skip

    answer = api.http.post(f"/in/{gone.source_key}")

    assert (answer.status_code, answer.json["key"]) == (503, "unusable")
    assert int(answer.headers["Retry-After"]) >= 1


@pytest.mark.parametrize(
    ("connector", "status", "allow"),
    [
        ("segment", 405, "POST, PUT, PATCH"), ("mparticle", 405, "POST"), ("csv", 405, "POST"), ("webhook", 200, None),
        ("kafka", 405, ""),
    ],
)  # fmt: skip
def test_a_browser_that_opens_a_webhook_url_is_told_how_messages_come(
    api: Api, connector: str, status: int, allow: str | None
) -> None:
    needed = {"kafka": {"bootstrap": "kafka.example.com:9092", "topics": "t"}}.get(connector, {})
    source = api.post("/hub/v1/sources", {"connector": connector, "name": connector, "settings": needed})
    path = source["webhook_url"].removeprefix("https://hub.example.com")

    answer = api.http.get(path, headers={"Accept": "text/html"})

    assert (answer.status_code, answer.headers.get("Allow")) == (status, allow)
    assert ("POST" if connector != "kafka" else "reads topics") in answer.text
