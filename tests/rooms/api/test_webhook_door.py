"""A vendor without a connector, over HTTP: set up by settings and a mapping alone."""

from __future__ import annotations

from typing import Any

import pytest

from hub.core.database import read
from tests.rooms.api.conftest import Api

FORM = "type=unsubscribe&fired_at=2026-03-14+09%3A00%3A00&data%5Bemail%5D=ada%40example.com"


@pytest.fixture
def door(api: Api) -> str:
    wanted = {"connector": "webhook", "name": "mail", "mapping": "mailchimp-feedback"}
    added = api.post(
        "/hub/v1/sources", {**wanted, "settings": {"verify": "url", "secret": "s3cret", "time_path": "fired_at"}}
    )
    return str(added["webhook_url"]).removeprefix("https://hub.example.com")


def sends(api: Api, path: str, body: Any = FORM, kind: str = "application/x-www-form-urlencoded", **more: Any) -> Any:
    return api.http.post(path, data=body, headers={"Content-Type": kind}, **more)


def accepted(api: Api) -> int:
    with read(api.engine) as state:
        return api.inbox.terms(state).accepted


def test_the_url_is_asked_for_before_it_is_used(api: Api, door: str) -> None:
    told = api.http.get(door)
    assert told.status_code == 200
    assert "sent to it by POST" in told.json["message"], "who looks must not believe that something was stored"
    head = api.http.head(f"{door}?secret=s3cret")
    assert (head.status_code, head.data) == (200, b"")


def test_a_form_is_stored_and_answered(api: Api, door: str) -> None:
    answer = sends(api, f"{door}?secret=s3cret")

    assert (answer.status_code, answer.json) == (200, {"received": 1})
    assert accepted(api) == 1


@pytest.mark.parametrize(
    ("query", "body", "kind", "status"),
    [
        ("", FORM, "application/x-www-form-urlencoded", 401),
        ("?secret=other", FORM, "application/x-www-form-urlencoded", 401),
        ("?secret=s3cret", "", "application/x-www-form-urlencoded", 400),
        ("?secret=s3cret", "{", "application/json", 400),
        ("?secret=s3cret", "--x\r\n\r\n--x--", "multipart/form-data; boundary=x", 400),
        ("?secret=s3cret", '{"a":' * 100 + "1" + "}" * 100, "application/json", 400),
    ],
)
def test_what_is_not_taken_is_answered_in_json(
    api: Api, door: str, query: str, body: str, kind: str, status: int
) -> None:
    answer = sends(api, door + query, body, kind)

    assert answer.status_code == status
    assert answer.json["message"]
    assert "s3cret" not in answer.text
    assert accepted(api) == 0
