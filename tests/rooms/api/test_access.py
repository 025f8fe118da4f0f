"""Who may call, and in what shape every refusal comes."""

from __future__ import annotations

import pytest

from hub.api import access
from hub.core import clock
from hub.core.database import write
from hub.registry import store as registry
from tests.rooms.api.conftest import Api, error_of

GUARDED = [
    "/hub/v1/sources", "/hub/v1/destinations", "/hub/v1/campaigns", "/hub/v1/distributions", "/hub/v1/profiles/ada",
    "/hub/v1/sync-runs", "/hub/v1/deliveries", "/hub/v1/dead-letters", "/hub/v1/messages", "/hub/v1/refusals",
    "/hub/v1/audit", "/hub/v1/ledger", "/hub/v1/mappings",
    "/hub/v1/no-such", "/v1/customers",
]  # fmt: skip


def test_every_path_of_operators_needs_a_key(api: Api) -> None:
    for path in GUARDED:
        for header in [
            "",
            "Bearer",
            "Bearer ",
            "Bearer wrong",
            "Basic aGk6aG8=",
            "Bearer ÿ€".encode().decode("latin-1"),
        ]:
            answer = api.http.get(path, headers={"Authorization": header})

            assert answer.status_code == 401, path
            assert error_of(answer)["key"] == "unauthorized"
            assert answer.headers["WWW-Authenticate"] == "Bearer"


def test_no_method_gets_around_the_key(api: Api) -> None:
    for method in ["GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE"]:
        assert api.http.open("/hub/v1/sources", method=method).status_code == 401


def test_a_revoked_key_stops_working(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(access, "REMEMBER_S", 0.0)
    api.get("/hub/v1/sources")

    with write(api.engine) as database:
        registry.revoke_key(database, api.key_id, clock.now())

    assert api.refused("GET", "/hub/v1/sources", status=401)["key"] == "unauthorized"


def test_the_name_of_the_key_stands_in_the_audit(api: Api) -> None:
    api.add_source()

    entry = api.get("/hub/v1/audit")["audit"][0]
    assert (entry["actor"], entry["action"], entry["subject"]) == ("key:tests", "source.added", "web")


STRAYS = [
    ("GET", "/", 404),
    ("GET", "/no-such", 404),
    ("GET", "/hub/v1/no-such", 404),
    ("GET", "/hub/v1/sources/", 404),
    ("GET", "//hub/v1/sources", 404),
    ("GET", "/hub//v1/sources", 404),
    ("GET", "/healthz/", 404),
    ("GET", "/static/x", 404),
    ("POST", "/healthz", 405),
    ("OPTIONS", "/healthz", 405),
    ("PUT", "/hub/v1/sources", 405),
    ("GET", "/hub/v1/sources/%00", 400),
    ("GET", "/hub/v1/profiles/%00", 400),
    ("GET", "/in/nobody", 404),
]


def test_no_path_answers_with_html(api: Api) -> None:
    for method, path, status in STRAYS:
        answer = api(method, path)

        assert answer.status_code == status, f"{method} {path}: {answer.text}"
        error_of(answer)


def test_a_wrong_method_says_which_are_right(api: Api) -> None:
    assert "GET" in api("PUT", "/hub/v1/sources").headers["Allow"]


def test_an_answer_and_the_log_share_the_request_id(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    from hub.api import errors, instructions

    told: list[str] = []

    class Log:
        def error(self, event: str, *, exc_info: object, request: str) -> None:
            told.append(request)

    def break_down(*_: object) -> None:
        raise KeyError("a defect that quotes secret@example.com")

    monkeypatch.setattr(errors, "logger", lambda _: Log())
    monkeypatch.setattr(instructions.reading, "show", break_down)

    error = api.refused("GET", "/hub/v1/profiles/ada", status=500)

    assert error["key"] == "defect"
    assert "secret@example.com" not in str(error)
    assert told == [error["request_id"]]


def test_a_body_that_is_too_large_is_refused(api: Api) -> None:
    too_much = b'{"name": "' + b"x" * (api.hub.settings.inflated_limit + 1) + b'"}'
    answer = api("POST", "/hub/v1/campaigns", data=too_much)

    assert answer.status_code == 413
    error_of(answer)
