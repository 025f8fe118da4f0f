from __future__ import annotations

import pytest
from sqlalchemy.exc import IntegrityError

from hub.core.clock import DAY
from hub.core.database import read, write
from hub.distributions import store
from hub.distributions.values import Target
from hub.registry import store as registry
from hub.sdk.errors import ConfigurationError

DAILY = {"kind": "cron", "expression": "0 9 * * *", "timezone": "Europe/Prague"}


def test_a_distribution_is_read_as_it_was_set_with_the_mappings_its_connections_follow_now(hub):
    campaign = hub.campaign()
    made = hub.distribution(
        trigger=DAILY, audience={"source_ids": ["b", "a"]}, campaign_id=campaign.id, missed="once", consent="email"
    )
    with read(hub.engine) as connection:
        assert store.find(connection, "Spring mail") == store.find(connection, made.id) == made
        assert store.every(connection) == [made]
    assert (made.trigger, made.audience, made.missed, made.consent) == (
        DAILY,
        {"source_ids": ["a", "b"]},
        "once",
        "email",
    )
    by_id = {target.connection_id: target for target in made.targets}
    assert by_id[hub.mail] == Target(hub.mail, "messages", {"id": "m1"}, "hash-of-mail")


REFUSED = [
    ({"name": ""}, "name"),
    ({"name": "x" * 101}, "name"),
    ({"trigger": {"kind": "cron", "expression": "never"}}, "cron expression"),
    ({"trigger": {"kind": "at", "at": "2020-01-01T00:00"}}, "past"),
    ({"audience": {"segment": "vip"}}, "An audience is"),
    ({"missed": "always"}, "'skip' or 'once'"),
    ({"campaign_id": "nothing"}, "no campaign"),
    ({"targets": [Target("nothing", "profiles")]}, "no destination"),
]


def test_a_distribution_that_cannot_work_is_refused_with_a_sentence(hub):
    for given, words in REFUSED:
        with pytest.raises(ConfigurationError, match=words):
            hub.distribution(**given)
    with read(hub.engine) as connection:
        assert store.every(connection) == []


def test_a_distribution_needs_a_connection_and_each_connection_once(hub):
    with write(hub.engine) as connection:
        for targets, words in (
            ([], "at least one"),
            ([Target(hub.crm, "erase")], "carries messages, events, or profiles"),
            ([Target(hub.crm, "audience")], "hub destinations sync NAME audience"),
            ([Target(hub.crm, "consent")], "does not carry consent"),
            ([Target(hub.crm, "profiles"), Target(hub.crm, "events")], "named twice"),
        ):
            with pytest.raises(ConfigurationError, match=words):
                store.add(connection, hub.now, name="x", trigger={"kind": "manual"}, targets=targets)


def test_two_distributions_cannot_have_one_name(hub):
    hub.distribution()
    with pytest.raises(ConfigurationError, match="already"):
        hub.distribution()


def test_a_change_is_seen_by_its_version_and_a_new_trigger_counts_from_now(hub):
    made = hub.distribution(trigger=DAILY)
    later = hub.now + 3 * DAY
    with write(hub.engine) as connection:
        before = store.revision(connection)
        renamed = store.change(connection, made.id, later, name="Renamed")
        assert (renamed.name, renamed.version, renamed.planned_at) == ("Renamed", 2, hub.now)
        timed = store.change(
            connection, made.id, later, trigger={"kind": "manual"}, targets=[Target(hub.crm, "events")]
        )
        assert (timed.planned_at, [target.operation for target in timed.targets]) == (later, ["events"])
        assert store.revision(connection) != before
        with pytest.raises(ConfigurationError, match="has no colour"):
            store.change(connection, made.id, later, colour="red")
        store.add(connection, later, name="Other", trigger={"kind": "manual"}, targets=[Target(hub.crm, "events")])
        with pytest.raises(ConfigurationError, match="already"):
            store.change(connection, made.id, later, name="Other")
        assert store.change(connection, made.id, later, name="Renamed").name == "Renamed"


def test_what_falls_into_a_pause_is_not_made_up_for(hub):
    made = hub.distribution(trigger=DAILY)
    with write(hub.engine) as connection:
        store.pause(connection, made.id, hub.now + DAY)
        assert not store.get(connection, made.id).is_enabled
        store.resume(connection, made.id, hub.now + 5 * DAY)
        resumed = store.get(connection, made.id)
        assert (resumed.is_enabled, resumed.planned_at) == (True, hub.now + 5 * DAY)
        store.resume(connection, made.id, hub.now + 9 * DAY)
        assert store.get(connection, made.id).planned_at == hub.now + 5 * DAY


def test_the_plan_never_moves_back(hub):
    made = hub.distribution(trigger=DAILY)
    with write(hub.engine) as connection:
        store.plan(connection, made.id, hub.now + DAY)
        store.plan(connection, made.id, hub.now)
        assert store.get(connection, made.id).planned_at == hub.now + DAY


def test_a_removed_distribution_frees_its_name_and_its_connections(hub):
    made = hub.distribution()
    with pytest.raises(IntegrityError), write(hub.engine) as connection:
        registry.remove(connection, hub.crm)
    with write(hub.engine) as connection:
        assert store.using(connection, hub.crm) == ["Spring mail"]
        store.remove(connection, made.id, hub.now)
        assert (store.every(connection), store.using(connection, hub.crm)) == ([], [])
        assert store.find(connection, "Spring mail") is None
        registry.remove(connection, hub.crm)
    hub.distribution(targets=[Target(hub.mail, "events")])


def test_erased_people_leave_the_audiences_that_name_them(hub):
    made = hub.distribution(audience={"source_ids": ["ann", "bob"]})
    everyone = hub.distribution("All")
    with write(hub.engine) as connection:
        store.forget(connection, ["ann", "cid"])
        assert store.get(connection, made.id).audience == {"source_ids": ["bob"]}
        assert store.get(connection, everyone.id).version == 1
