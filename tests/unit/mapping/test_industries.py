"""The industries' mappings and schemas on their samples: what each makes was read and found right."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from hub.admin.industries import industry, industry_names
from hub.mapping.check import check_file
from hub.mapping.inbound import compile_inbound, interpret_inbound
from hub.mapping.run.bounds import MAX_KEYS
from hub.mapping.values.text import snake
from hub.mapping.versions.files import Folders, names
from hub.mapping.versions.version import resolve
from hub.profiles.schema_document import checked
from tests.unit.mapping.industry_samples import (
    FOLDER,
    RECEIVED_AT,
    SAMPLES,
    Compile,
    canonical,
    inbound_of,
    result,
    schemas_of,
)

TRAITS = {
    "ecommerce": {"currency", "lifetime_value", "order_count"},  # and `locale`, which is built in
    "services": {"device", "app_version", "session_duration", "subscription_group", "notification_preferences"},
    "travel": {"traveler_status", "age_range", "destinations", "travel_companions", "booking_channel"},
    "food": {
        "order_history", "favorite_items", "delivery_address", "dietary_preferences", "favorite_restaurants",
        "delivery_instructions",
    },
}  # fmt: skip
EVENTS = {
    "ecommerce": {"product_viewed", "product_added", "checkout_started", "order_completed", "cart_abandoned"},
    "services": {"account_set", "user_login", "searches", "feature_usage"},
    "travel": {"destination_search", "car_rental", "booking_type", "booking_date"},
    "food": {"menu_item_view", "app_rating", "menu_search", "order_tracking", "delivery_completed"},
}


SPELLINGS: dict[str, Callable[[list[str]], str]] = {
    "snake_case": "_".join,
    "kebab-case": "-".join,
    "Title Case": lambda words: " ".join(words).title(),
    "camelCase": lambda words: words[0] + "".join(map(str.title, words[1:])),
}


def _id(path: Path) -> str:
    return f"{path.parent.name}-{path.stem}"


@pytest.mark.parametrize("engine", [compile_inbound, interpret_inbound], ids=["generated", "interpreted"])
@pytest.mark.parametrize("path", SAMPLES, ids=_id)
def test_a_sample_becomes_its_canonical_result(path: Path, engine: Compile) -> None:
    assert result(path, engine) == json.loads(canonical(path).read_text(encoding="utf-8"))


def test_every_result_belongs_to_a_sample_and_every_industry_has_some() -> None:
    assert sorted(FOLDER.glob("*/canonical/*.json")) == sorted(map(canonical, SAMPLES))
    counts = Counter(path.parent.name for path in SAMPLES)
    assert set(counts) == set(industry_names()) == set(TRAITS)
    assert min(counts.values()) >= 5


@pytest.mark.parametrize("name", industry_names())
def test_every_trait_and_event_of_the_trade_is_defined(name: str) -> None:
    schemas = industry(name).schemas
    assert TRAITS[name] <= schemas["profile"]["properties"].keys()
    assert {f"event.{key}" for key in EVENTS[name]} <= schemas.keys()
    for kind, document in schemas.items():
        assert len(checked(kind, document)["properties"]) <= MAX_KEYS


@pytest.mark.parametrize("name", industry_names())
def test_the_day_of_the_demo_shows_every_event_of_the_trade(name: str) -> None:
    wanted = industry(name)
    played = {each.get("key") or snake(each["event"]) for person in wanted.people for each in person["day"]}
    assert EVENTS[name] <= played
    assert len(wanted.people) >= 4
    assert all(person["traits"]["email"].endswith("@example.com") for person in wanted.people)


@pytest.mark.parametrize("name", [each for one in industry_names() for each in (one, f"{one}-mparticle")])
def test_each_mapping_is_right_and_found_by_its_name(name: str) -> None:
    assert name in names(Folders())
    path = next(path for path in Folders().candidates(name) if path.is_file())
    assert check_file(path, None) == []
    assert resolve(name, "", Folders()).connector in ("segment", "mparticle")


@pytest.mark.parametrize(
    "name", ["food", "services", "travel"]
)  # an online shop's other events are commerce events there
def test_a_name_of_an_event_means_the_same_from_either_source(name: str) -> None:
    assert names_of_events(name, "any track") == names_of_events(f"{name}-mparticle", "custom event")


def names_of_events(mapping: str, rule: str) -> dict[str, str]:
    document = resolve(mapping, "", Folders()).document.plain()
    [found] = [each for each in document["rules"] if each["id"] == rule]
    values: dict[str, str] = found["event"]["name"]["values"]
    return values


@pytest.mark.parametrize("spelling", SPELLINGS)
@pytest.mark.parametrize("name", [each for one in industry_names() for each in (one, f"{one}-mparticle")])
def test_a_trait_ends_once_and_under_its_name_however_it_is_spelled(name: str, spelling: str) -> None:
    """Texts and lists; what becomes of objects stands in the samples."""
    trade = name.removesuffix("-mparticle")
    document = checked("profile", industry(trade).schemas["profile"])
    for trait in sorted(TRAITS[trade]):
        definition = document["properties"][trait]
        if definition["type"] == "object":
            continue
        sent: dict[str, Any] = {SPELLINGS[spelling](trait.split("_")): "12"}
        message = (
            {"type": "identify", "userId": "ada", "traits": sent}
            if name == trade
            else {"user_identities": [{"identity_type": "customer_id", "identity": "ada"}], "user_attributes": sent}
        )
        change = inbound_of(name, compile_inbound).apply(message, message_id="m", received_at=RECEIVED_AT)
        value: Any = 12 if definition["type"] == "number" else "12"
        expected = {f"metadata.{trait}": [value] if definition["array"] else value}
        assert schemas_of(trade).filter(change).fields == expected, sent


def test_schemas_and_examples_are_no_mappings() -> None:
    assert [name for name in names(Folders()) if "." in name] == []
