"""/hub/v1/erasures: every request, without naming anybody."""

from __future__ import annotations

import pytest

from hub.core.database import write
from hub.profiles import requests
from tests.rooms.api.conftest import NOW, Api


def test_requests_are_listed_the_newest_first_page_by_page(api: Api) -> None:
    for number in range(3):
        assert api("DELETE", f"/hub/v1/profiles/p-{number}").status_code == 200
    first = api.get("/hub/v1/erasures", limit=2)
    second = api.get("/hub/v1/erasures", limit=2, cursor=first["next_cursor"])
    ids = [one["id"] for one in first["erasures"] + second["erasures"]]
    assert (len(ids), len(set(ids)), second["next_cursor"]) == (3, 3, None)
    assert ids == sorted(ids, reverse=True)
    assert api.get("/hub/v1/erasures", status="pending")["erasures"] == []


def test_a_request_is_found_by_the_id_that_the_erasure_answered(api: Api) -> None:
    request_id = api("DELETE", "/hub/v1/profiles/ada").json["request_id"]
    shown = api.get(f"/hub/v1/erasures/{request_id}")
    assert (shown["status"], shown["profiles"], shown["source"], shown["callbacks"]) == ("completed", 1, None, [])
    assert "ada" not in str(shown)


def test_two_sources_may_use_the_same_id_and_the_hubs_own_id_tells_them_apart(api: Api) -> None:
    web = api.add_source("web")
    shop = api.add_source("shop")
    with write(api.engine) as database:
        mine = [requests.register(database, one["id"], "r-1", NOW) for one in (web, shop)]
    assert api.refused("GET", "/hub/v1/erasures/r-1", status=404)["key"] == "not_found"
    assert [api.get(f"/hub/v1/erasures/{one.id}")["source"] for one in mine] == ["web", "shop"]


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/hub/v1/erasures/none", 404),
        ("POST", "/hub/v1/erasures/none/complete", 404),
        ("GET", "/hub/v1/erasures?status=done", 400),
        ("GET", "/hub/v1/erasures?state=pending", 400),
        ("DELETE", "/hub/v1/erasures/none", 405),
    ],
)
def test_what_cannot_be_answered_is_refused_in_the_one_shape(api: Api, method: str, path: str, status: int) -> None:
    api.refused(method, path, status=status)


def test_a_request_that_no_destination_failed_cannot_be_completed_by_hand(api: Api) -> None:
    request_id = api("DELETE", "/hub/v1/profiles/ada").json["request_id"]
    assert "nothing to see to" in api.refused("POST", f"/hub/v1/erasures/{request_id}/complete")["message"]
