"""Setting up an industry, once and again, and a day of each through the real rooms."""

from __future__ import annotations

import random
from datetime import UTC, datetime
from typing import Any

import pytest

from hub.admin.connections import add_source
from hub.admin.distributions import run_by_hand
from hub.admin.industries import SetUp, industry, industry_names, set_up
from hub.campaigns import store as campaigns
from hub.cli.demo import holds
from hub.cli.demo_industry import expected, moments, sender
from hub.core import clock
from hub.core.database import read, write
from hub.profiles import schema_store
from hub.registry import store as registry
from hub.runtime.occasions.scheduler import ScheduleRole
from hub.sdk.errors import ConfigurationError
from tests.rooms.test_schemas import define, warnings
from tests.rooms.whole import Whole


def sets_up(whole: Whole, name: str, **more: Any) -> SetUp:
    with write(whole.engine) as database:
        return set_up(whole.hub, database, clock.now(), industry(name), "tests", **more)


def mapping(whole: Whole) -> str:
    with read(whole.engine) as database:
        return registry.get(database, whole.hub.vault, whole.web.id).mapping


@pytest.mark.parametrize("name", industry_names())
def test_a_day_of_each_industry_ends_as_its_people_say_and_the_books_balance(whole: Whole, name: str) -> None:
    wanted = industry(name)
    made = sets_up(whole, name, destination=whole.connect("crm"))
    assert all(step.is_new for step in made.steps)
    assert mapping(whole) == name

    day = moments(wanted, sender(whole.hub.connectors[wanted.source]), datetime.now(UTC))
    assert [each.at for each in day] == sorted(each.at for each in day)
    assert (day[-1].at - day[0].at).total_seconds() > 8 * 3600
    whole.receives(*(each.message for each in day))
    whole.applies()
    for source_id, profile in expected(wanted):
        assert holds(whole.profile(source_id), profile), (profile, whole.profile(source_id))
    assert [found for found in warnings(whole).values() if found] == []

    with write(whole.engine) as database:
        run_by_hand(database, clock.now(), wanted.distribution["name"], "once", "tests")
    role = ScheduleRole(whole.engine, whole.hub.vault.digest, random.Random(1))
    while role.step(clock.now()):
        pass
    whole.delivers()
    sent = whole.deliveries()
    assert sorted(row["source_id"] for row in sent) == sorted(person["id"] for person in wanted.people)
    assert {row["state"] for row in sent} == {"sent"}
    with read(whole.engine) as database:
        campaign = campaigns.find(database, wanted.campaign["name"])
        assert campaign is not None
        assert campaigns.counts(database, campaign.id).published == len(sent)
    whole.books()


def test_setting_up_twice_changes_nothing(whole: Whole) -> None:
    crm = whole.connect("crm")
    sets_up(whole, "travel", destination=crm)
    with read(whole.engine) as database:
        before = schema_store.revision(database), registry.revision(database)
    again = sets_up(whole, "travel", destination=crm)

    assert [step for step in again.steps if step.is_new] == []
    with read(whole.engine) as database:
        assert (schema_store.revision(database), registry.revision(database)) == before


def test_a_key_that_is_defined_otherwise_stays_and_is_named(whole: Whole) -> None:
    define(whole, "profile", {"properties": {"age_range": "number", "own": "string"}})
    made = sets_up(whole, "travel")
    with read(whole.engine) as database:
        found = schema_store.every(database)["profile"]["properties"]
    assert found["age_range"]["type"] == "number"
    assert {"own", "destinations"} <= found.keys()
    assert any("profile.age_range stayed" in step.what for step in made.steps)


def test_a_source_with_a_mapping_of_its_own_keeps_it(whole: Whole) -> None:
    sets_up(whole, "travel")
    made = sets_up(whole, "food")
    assert mapping(whole) == "travel"
    assert any("goes on following 'travel'" in step.what for step in made.steps)


def test_without_a_source_one_is_added_and_among_several_one_must_be_chosen(whole: Whole) -> None:
    with write(whole.engine) as database:
        registry.remove(database, whole.web.id)
    made = sets_up(whole, "services")
    assert made.new_source is not None
    assert made.new_source.name == "services"

    with write(whole.engine) as database:
        for name in ("web", "app"):
            add_source(whole.hub, database, clock.now(), "segment", name, {}, "tests")
        add_source(whole.hub, database, clock.now(), "mparticle", "phone", {}, "tests")
    with pytest.raises(ConfigurationError, match="Several sources could be meant"):
        sets_up(whole, "ecommerce")
    made = sets_up(whole, "ecommerce", source="phone")
    assert made.source is not None
    assert made.source.mapping == "ecommerce-mparticle"
    with pytest.raises(ConfigurationError, match="no source 'nobody'"):
        sets_up(whole, "ecommerce", source="nobody")


def test_nothing_is_done_by_halves(whole: Whole) -> None:
    with pytest.raises(ConfigurationError):
        sets_up(whole, "ecommerce", source="nobody")
    with read(whole.engine) as database:
        assert schema_store.every(database) == {}
    with pytest.raises(ConfigurationError, match="no industry 'mining'; there are ecommerce, food"):
        industry("mining")
