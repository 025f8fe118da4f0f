"""/hub/v1/schemas."""

from __future__ import annotations

from tests.rooms.api.conftest import Api

PATH = "/hub/v1/schemas"


def test_a_schema_is_put_shown_replaced_and_taken_away(api: Api) -> None:
    assert api.get(PATH) == []
    put = api("PUT", f"{PATH}/profile", json={"properties": {"points": "number"}})
    assert put.status_code == 200, put.text
    assert put.json is not None
    assert put.json["properties"] == {"points": {"type": "number", "array": False, "optional": True}}
    assert put.json["allow_defined_only"] is False
    assert put.json["updated_at"].endswith("Z")
    assert api.get(f"{PATH}/profile") == put.json
    assert api.get(PATH) == [put.json]

    again = api("PUT", f"{PATH}/profile", json={"properties": {"points": {"type": "number", "optional": True}}})
    assert again.json == put.json, "the same schema is no new version"
    other = api("PUT", f"{PATH}/event.order_completed", json={"allow_defined_only": True})
    assert other.status_code == 200
    assert [each["kind"] for each in api.get(PATH)] == ["event.order_completed", "profile"]

    gone = api("DELETE", f"{PATH}/profile")
    assert gone.json == {"removed": True}
    assert api.refused("GET", f"{PATH}/profile", status=404)["key"] == "not_found"
    assert api.refused("DELETE", f"{PATH}/profile", status=404)["key"] == "not_found"


def test_what_does_not_fit_is_told_and_changes_nothing(api: Api) -> None:
    assert "no schema of 'people'" in api.refused("PUT", f"{PATH}/people", {})["message"]
    assert "no schema of 'people'" in api.refused("GET", f"{PATH}/people")["message"]
    told = api.refused("PUT", f"{PATH}/profile", {"properties": {"shoe size": "number"}})
    assert "without white space" in told["message"]
    api.refused("PUT", f"{PATH}/profile", {"properties": {"a": {"type": "text"}}})
    api.refused("PUT", f"{PATH}/profile", {"properties": {"a": None}})
    api.refused("PUT", f"{PATH}/profile", {"keys": {}})
    api.refused("GET", PATH, query_string={"kind": "profile"})
    assert api.get(PATH) == []
