"""Which mapping a connection follows, and settings that are lists, over the API."""

from __future__ import annotations

from typing import Any

import pytest

from hub.core.database import read
from hub.registry import store as registry
from tests.rooms.api.conftest import Api

PATCH = "who: {source_id: email}"


def feedback(**more: Any) -> dict[str, Any]:
    return {
        "connector": "webhook",
        "name": "feedback",
        "mapping": "iterable-feedback",
        "settings": {"verify": "url"},
        **more,
    }


def test_a_source_follows_the_mapping_it_names(api: Api) -> None:
    added = api.post("/hub/v1/sources", feedback(mapping_patch=PATCH))

    assert (added["mapping"], added["mapping_patch"]) == ("iterable-feedback", PATCH)
    assert len(added["secret"]) >= 32
    assert api.get("/hub/v1/sources/feedback")["mapping_hash"] == added["mapping_hash"]
    followers = {row["name"]: row["connections"] for row in api.get("/hub/v1/mappings")}
    assert [one["name"] for one in followers["iterable-feedback"]] == ["feedback"]
    assert followers["webhook"] == []


def test_mapping_and_patch_change_alone_or_with_settings(api: Api) -> None:
    added = api.post("/hub/v1/sources", feedback())

    patched = api("PATCH", "/hub/v1/sources/feedback", json={"mapping_patch": PATCH}).json
    assert patched["mapping_hash"] != added["mapping_hash"]
    both = api(
        "PATCH",
        "/hub/v1/sources/feedback",
        json={"mapping": "mailchimp-feedback", "mapping_patch": "", "settings": {"url_parameter": "key"}},
    ).json
    assert (both["mapping"], both["mapping_patch"], both["settings"]["url_parameter"]) == (
        "mailchimp-feedback",
        None,
        "key",
    )
    assert api("PATCH", "/hub/v1/sources/feedback", json={"mapping": ""}).json["mapping"] == "webhook"


def test_a_destination_chooses_too(api: Api) -> None:
    added = api.add_destination()
    patch = "profiles: {fields: [{object: {shoe_size: profile.metadata.shoe_size}}]}"

    changed = api("PATCH", "/hub/v1/destinations/crm", json={"mapping_patch": patch}).json

    assert changed["mapping_hash"] != added["mapping_hash"]
    assert changed["mapping"] == "braze"


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"mapping": "nothing-like-it"}, "iterable-feedback"),
        ({"mapping": "../secrets"}, "not a mapping name"),
        ({"mapping": "braze"}, "no `rules` for what comes in"),
        ({"mapping_patch": "rules: {nobody: null}"}, "there is no 'nobody' to delete"),
        ({"mapping": 7}, "mapping"),
    ],
)
def test_a_mapping_that_cannot_be_followed_is_refused_with_a_sentence(api: Api, change: Any, words: str) -> None:
    before = api.post("/hub/v1/sources", feedback())

    assert words in api.refused("PATCH", "/hub/v1/sources/feedback", change)["message"]
    assert words in api.refused("POST", "/hub/v1/sources", {**feedback(name="other"), **change})["message"]
    assert [one["mapping_hash"] for one in api.get("/hub/v1/sources")] == [before["mapping_hash"]]


def test_a_change_of_nothing_is_refused(api: Api) -> None:
    api.post("/hub/v1/sources", feedback())
    assert api.refused("PATCH", "/hub/v1/sources/feedback", {})["key"] == "missing_field"


def test_lists_come_as_json_or_as_its_text(api: Api) -> None:
    networks = ["203.0.113.0/24"]
    added = api.post("/hub/v1/sources", feedback(settings={"verify": "network", "allowed_networks": networks}))
    assert added["settings"]["allowed_networks"] == networks

    changed = api(
        "PATCH", "/hub/v1/sources/feedback", json={"settings": {"allowed_networks": '["198.51.100.0/24"]'}}
    ).json
    assert changed["settings"]["allowed_networks"] == ["198.51.100.0/24"]
    with read(api.engine) as database:
        assert registry.get(database, api.hub.vault, added["id"]).settings["allowed_networks"] == ["198.51.100.0/24"]


def test_a_list_that_is_none_and_a_text_that_looks_like_one_stay_what_they_are(api: Api) -> None:
    told = api.refused(
        "POST", "/hub/v1/sources", feedback(settings={"verify": "url", "allowed_networks": "203.0.113.0/24"})
    )
    assert "allowed_networks" in told["message"]

    settings = {"verify": "basic", "username": '["hub"]', "secret": "[1]"}
    added = api.post("/hub/v1/sources", feedback(settings=settings))
    assert (added["settings"]["username"], added["secret"]) == ('["hub"]', "[1]")
