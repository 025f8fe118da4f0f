"""/hub/v1/schemas."""

from __future__ import annotations

import pytest

from tests.rooms.api.conftest import Api, error_of

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
    assert again.json == put.json, "the same schema is not a new version"
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


@pytest.mark.parametrize(
    ("body", "sentence"),
    [
        (b"", ""), (b"null", "JSON object"), (b"[]", "JSON object"), (b"{", "not JSON"), (b'"x"', "JSON object"),
        (b'{"properties": "a"}', "`properties` is an object"), (b'{"properties": {"a": []}}', "is an object of"),
        (b'{"properties": {"a": {"type": ["number"]}}}', "`type` is one of"),
        (b'{"properties": {"a": {"type": {"b": 1}}}}', "`type` is one of"),
        (b'{"properties": {"a": {"type": "object", "properties": 3}}}', "`properties` is an object"),
        (b'{"properties": {"a": {"type": "number", "array": null}}}', "`array` is true or false"),
        (b'{"allow_defined_only": 1}', "true or false"), (b'{"properties": {"\\u0000": "number"}}', "NUL"),
        (b'{"properties": {"\\ud800": "number"}}', "surrogate"), (b'{"properties": {"\xff": "number"}}', "not JSON"),
        (b'{"properties": {"a\\u00a0b": "number"}}', "white space"), (b"[" * 2000 + b"]" * 2000, "not JSON"),
        (b'{"properties":' * 70 + b"{}" + b"}" * 70, "nests deeper"), (b'{"kind": "order"}', "of another kind"),
        (b'{"kind": ["profile"]}', "of another kind"), (b"a=b", "not JSON"),
    ],
    ids=lambda value: value[:40].decode("latin-1") if isinstance(value, bytes) else None,
)  # fmt: skip
def test_whatever_is_put_is_taken_or_refused_with_a_sentence(api: Api, body: bytes, sentence: str) -> None:
    answer = api("PUT", f"{PATH}/profile", data=body, content_type="application/json")
    if not sentence:
        assert answer.status_code == 200, answer.text
        return
    assert answer.status_code == 400, answer.text
    assert sentence in error_of(answer)["message"]
    assert api.get(PATH) == []


@pytest.mark.parametrize(
    "kind",
    ["profiles", "PROFILE", " profile", "profile/x", "event.", "event.a b", "event.Signed In", "event.signed-in",
     "event.%00", "event." + "x" * 201, "x" * 5000, ".."],
)  # fmt: skip
@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE"])
def test_a_kind_that_no_record_has_is_told_and_never_kept(api: Api, method: str, kind: str) -> None:
    answer = api(method, f"{PATH}/{kind}", json={} if method == "PUT" else None)
    assert answer.status_code == 400, answer.text
    told = error_of(answer)["message"]
    assert "NUL" in told or "profile, order, item, event and event.<key>" in told
    if kind.startswith("event.S") or kind.endswith("-in"):
        assert told.endswith("in snake case: event.signed_in.")


@pytest.mark.parametrize("kind", ["event.signed_in", "event.i\u0307ndirim_kodu", "event.シャツ", "event." + "x" * 200])
def test_an_event_is_named_by_its_key_in_any_language(api: Api, kind: str) -> None:
    assert api("PUT", f"{PATH}/{kind}", json={"properties": {"a": "number"}}).status_code == 200
    assert api.get(PATH)[0]["kind"] == kind
    assert api("DELETE", f"{PATH}/{kind}").json == {"removed": True}


def test_what_get_answers_can_be_put_again(api: Api) -> None:
    document = {
        "allow_defined_only": True,
        "properties": {"home": {"type": "object", "properties": {"at": "geopoint"}}},
    }
    put = api("PUT", f"{PATH}/profile", json=document).json
    api("DELETE", f"{PATH}/profile")
    assert api("PUT", f"{PATH}/profile", json=put).status_code == 200
    again = api.get(f"{PATH}/profile")
    assert again | {"updated_at": ""} == dict(put or {}) | {"updated_at": ""}


def test_versions_are_listed_and_shown_as_they_stood(api: Api) -> None:
    assert api.get("/hub/v1/schema-versions") == []
    api("PUT", f"{PATH}/profile", json={"properties": {"points": "number"}})
    api("PUT", f"{PATH}/order", json={"properties": {"gift": "boolean"}})
    api("DELETE", f"{PATH}/profile")

    now, both, first = api.get("/hub/v1/schema-versions")
    assert [each["kinds"] for each in (now, both, first)] == [["order"], ["order", "profile"], ["profile"]]
    assert [each["is_active"] for each in (now, both, first)] == [True, False, False]
    assert first["created_at"].endswith("Z")
    assert [each["kind"] for each in api.get(PATH, version=first["hash"][:12])] == ["profile"]
    assert api.get(PATH, version=now["hash"])[0]["properties"] == api.get(PATH)[0]["properties"]
    for prefix in ("nothing", "%", "\u0130", ""):
        assert "There is no schema version" in api.refused("GET", PATH, query_string={"version": prefix})["message"]
    audit = api.get("/hub/v1/audit")["audit"]
    assert [each["detail"]["version"] for each in audit] == [now["hash"], both["hash"], first["hash"]]


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE", "OPTIONS"])
def test_other_methods_on_the_list_are_refused_as_json(api: Api, method: str) -> None:
    assert error_of(api(method, PATH))["code"] == 405
    assert error_of(api(method, "/hub/v1/schema-versions"))["code"] == 405


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE"])
def test_a_parameter_that_means_nothing_is_refused(api: Api, method: str) -> None:
    api("PUT", f"{PATH}/profile", json={})
    assert "is not a parameter here" in api.refused(method, f"{PATH}/profile?kind=order")["message"]
