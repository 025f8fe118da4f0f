"""The simulated account refuses what Klaviyo refuses, in its words."""

from __future__ import annotations

import json
from typing import Any

import pytest

from connectors.klaviyo.simulator import KlaviyoSimulator
from hub.sdk.kit.simulator.base import ManualClock, SimRequest, SimResponse

KEY = KlaviyoSimulator.example_settings()["api_key"]
HEADERS = {
    "authorization": f"Klaviyo-API-Key {KEY}",
    "revision": "2026-07-15",
    "content-type": "application/vnd.api+json",
}


@pytest.fixture
def simulator() -> KlaviyoSimulator:
    return KlaviyoSimulator(clock=ManualClock())


def call(
    simulator: KlaviyoSimulator, method: str, path: str, body: Any = None, query: Any = None, **headers: str
) -> SimResponse:
    raw = b"" if body is None else json.dumps(body).encode()
    response = simulator.answer(SimRequest(method, path, query or {}, {**HEADERS, **headers}, raw))
    simulator.assert_expected()
    return response


def post(simulator: KlaviyoSimulator, path: str, kind: str, attributes: Any, **more: Any) -> SimResponse:
    return call(simulator, "POST", path, {"data": {"type": kind, "attributes": attributes, **more}})


def imported(simulator: KlaviyoSimulator, **attributes: Any) -> str:
    return str(post(simulator, "/api/profile-import", "profile", attributes).json["data"]["id"])


def fault(response: SimResponse) -> tuple[int, str, str]:
    error = response.json["errors"][0]
    return response.status, error["code"], error["source"]["pointer"]


@pytest.mark.parametrize(
    ("header", "value", "status"),
    [
        ("authorization", "", 401),
        ("authorization", f"Bearer {KEY}", 401),
        ("authorization", "Klaviyo-API-Key pk_other", 401),
        ("revision", "", 400),
        ("revision", "latest", 400),
        ("content-type", "text/plain", 415),
    ],
)
def test_each_call_needs_its_headers(simulator: KlaviyoSimulator, header: str, value: str, status: int) -> None:
    assert call(simulator, "POST", "/api/profile-import", {}, **{header: value}).status == status
    assert simulator.profiles == {}


@pytest.mark.parametrize(
    ("resource", "pointer"),
    [
        (None, "/data"),
        ({"type": "profiles", "attributes": {"email": "a@example.com"}}, "/data/type"),
        ({"type": "profile", "attributes": []}, "/data/attributes"),
        ({"type": "profile", "attributes": {"first_name": "Ada"}}, "/data/attributes"),
        ({"type": "profile", "attributes": {"external_id": "a", "gender": "f"}}, "/data/attributes/gender"),
        ({"type": "profile", "attributes": {"external_id": "a", "title": 7}}, "/data/attributes/title"),
        ({"type": "profile", "attributes": {"external_id": "a", "location": {"x": 1}}}, "/data/attributes/location/x"),
        ({"type": "profile", "attributes": {"phone_number": "0600100200"}}, "/data/attributes/phone_number"),
        ({"type": "profile", "attributes": {"email": "ada"}}, "/data/attributes/email"),
    ],
)
def test_a_profile_must_have_klaviyos_shape(simulator: KlaviyoSimulator, resource: Any, pointer: str) -> None:
    response = call(simulator, "POST", "/api/profile-import", {"data": resource})
    assert fault(response) == (400, "invalid", pointer)


def test_a_profile_of_more_than_100_kb_is_too_large(simulator: KlaviyoSimulator) -> None:
    attributes = {"external_id": "a", "properties": {"story": "x" * 103_000}}
    assert post(simulator, "/api/profile-import", "profile", attributes).status == 413


def test_null_clears_and_patches_reach_into_properties(simulator: KlaviyoSimulator) -> None:
    profile_id = imported(simulator, external_id="a", title="Dr", properties={"tags": ["x"], "old": 1})
    patch = {"append": {"tags": ["y", "z"]}, "unappend": {"tags": "x"}, "unset": "old"}
    attributes = {"external_id": "a", "title": None}
    response = post(simulator, "/api/profile-import", "profile", attributes, meta={"patch_properties": patch})
    assert response.status == 200
    assert simulator.profiles[profile_id] == {
        "id": profile_id, "external_id": "a", "properties": {"tags": ["y", "z"]}, "location": {},
    }  # fmt: skip


def test_a_changed_email_frees_the_old_one(simulator: KlaviyoSimulator) -> None:
    first = imported(simulator, external_id="a", email="old@example.com")
    assert imported(simulator, external_id="a", email="new@example.com") == first
    assert imported(simulator, email="old@example.com") != first


def test_a_collision_names_the_other_profile(simulator: KlaviyoSimulator) -> None:
    imported(simulator, external_id="a")
    other = imported(simulator, email="b@example.com")
    response = post(simulator, "/api/profile-import", "profile", {"external_id": "a", "email": "B@example.com"})
    assert fault(response) == (409, "duplicate_profile", "/data/attributes")
    assert response.json["errors"][0]["meta"] == {"duplicate_profile_id": other}


@pytest.mark.parametrize(
    ("changes", "where"),
    [
        ({"metric": {}}, "/metric/data/attributes/name"),
        ({"properties": None}, "/properties"),
        ({"properties": {str(n): n for n in range(401)}}, "/properties"),
        ({"properties": {"deep": [{"text": "x" * 103_000}]}}, "/properties"),
        ({"value": "12"}, "/value"),
        ({"value_currency": "euro"}, "/value_currency"),
        ({"unique_id": 5}, "/unique_id"),
        ({"time": "yesterday"}, "/time"),
        ({"time": "1989-12-31T00:00:00Z"}, "/time"),
        ({"time": "2028-01-01T00:00:00Z"}, "/time"),
    ],
)
def test_a_bad_event_is_pointed_at_by_its_index(simulator: KlaviyoSimulator, changes: Any, where: str) -> None:
    def element(**changed: Any) -> Any:
        metric = {"data": {"type": "metric", "attributes": {"name": "Seen"}}}
        event = {"metric": metric, "properties": {}, "time": "2026-03-14T09:00:00+01:00", **changed}
        profile = {"data": {"type": "profile", "attributes": {"external_id": "a"}}}
        events = {"data": [{"type": "event", "attributes": event}]}
        return {"type": "event-bulk-create", "attributes": {"profile": profile, "events": events}}

    elements = {"events-bulk-create": {"data": [element(), element(**changes)]}}
    response = post(simulator, "/api/event-bulk-create-jobs", "event-bulk-create-job", elements)
    at = f"/data/attributes/events-bulk-create/data/1/attributes/events/data/0/attributes{where}"
    assert fault(response) == (400, "invalid", at)
    assert simulator.events == []


@pytest.mark.parametrize(
    ("path", "kind", "container", "limit"),
    [
        ("/api/profile-bulk-import-jobs", "profile-bulk-import-job", "profiles", 10_000),
        ("/api/event-bulk-create-jobs", "event-bulk-create-job", "events-bulk-create", 1_000),
        ("/api/profile-subscription-bulk-create-jobs", "profile-subscription-bulk-create-job", "profiles", 1_000),
        ("/api/profile-subscription-bulk-delete-jobs", "profile-subscription-bulk-delete-job", "profiles", 100),
    ],
)
def test_a_job_has_at_least_one_and_at_most_so_many_elements(
    simulator: KlaviyoSimulator, path: str, kind: str, container: str, limit: int
) -> None:
    for count in (0, limit + 1):
        response = post(simulator, path, kind, {container: {"data": [{}] * count}})
        assert fault(response) == (400, "invalid", f"/data/attributes/{container}/data")


def test_a_deletion_names_exactly_one_identifier(simulator: KlaviyoSimulator) -> None:
    for profile in (
        {"attributes": {"external_id": "a"}},
        {"attributes": {"email": "a@example.com", "phone_number": "+48600100200"}},
        {"id": "x", "attributes": {"email": "a@example.com"}},
        {},
    ):
        attributes = {"profile": {"data": {"type": "profile", **profile}}}
        response = post(simulator, "/api/data-privacy-deletion-jobs", "data-privacy-deletion-job", attributes)
        assert response.status == 400
    assert simulator.deletions == []


def test_consent_is_kept_and_needs_the_address_of_its_channel(simulator: KlaviyoSimulator) -> None:
    def subscribe(**attributes: Any) -> SimResponse:
        profiles = {"profiles": {"data": [{"type": "profile", "attributes": attributes}]}}
        kind = "profile-subscription-bulk-create-job"
        return post(simulator, "/api/profile-subscription-bulk-create-jobs", kind, profiles)

    granted = {"marketing": {"consent": "SUBSCRIBED"}}
    assert subscribe(email="a@example.com", subscriptions={"email": granted}).status == 202
    (profile,) = simulator.profiles.values()
    assert profile["subscriptions"] == {"email": granted}
    assert subscribe(email="a@example.com", subscriptions={"sms": granted}).status == 400
    assert subscribe(email="a@example.com").status == 400


def test_lists_take_klaviyo_ids_only(simulator: KlaviyoSimulator) -> None:
    list_id = post(simulator, "/api/lists", "list", {"name": "VIP"}).json["data"]["id"]
    assert len(list_id) == 6
    profile_id = imported(simulator, external_id="a")
    assert len(profile_id) == 26
    path = f"/api/lists/{list_id}/relationships/profiles"
    member = {"data": [{"type": "profile", "id": profile_id}]}
    assert call(simulator, "POST", path, member).status == 204
    assert simulator.lists[list_id]["profiles"] == [profile_id]
    assert call(simulator, "POST", path, {"data": [{"type": "profile", "id": "a"}]}).status == 404
    assert call(simulator, "DELETE", path, member).status == 204
    assert simulator.lists[list_id]["profiles"] == []
    assert call(simulator, "POST", "/api/lists/nope00/relationships/profiles", member).status == 404
    assert post(simulator, "/api/lists", "list", {}).status == 400
    assert call(simulator, "GET", "/api/lists").json["data"][0]["attributes"] == {"name": "VIP"}


def test_every_answer_tells_what_is_left_of_the_minute(simulator: KlaviyoSimulator) -> None:
    for left in (149, 148):
        assert call(simulator, "GET", "/api/lists").headers["RateLimit-Remaining"] == str(left)
    assert call(simulator, "GET", "/api/lists").headers["RateLimit-Reset"] == "60"


def test_profiles_are_found_by_a_filter(simulator: KlaviyoSimulator) -> None:
    ids = [imported(simulator, external_id=name, email=f"{name}@example.com") for name in ("a", "b")]

    def find(text: str) -> Any:
        return call(simulator, "GET", "/api/profiles", query={"filter": text})

    assert [one["id"] for one in find('any(external_id,["a","b","c"])').json["data"]] == ids
    assert [one["id"] for one in find('equals(email,"b@example.com")').json["data"]] == ids[1:]
    assert find("equals(shoe_size,44)").status == 400
