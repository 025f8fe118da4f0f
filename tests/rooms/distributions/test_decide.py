from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import pytest
from sqlalchemy.exc import IntegrityError

from hub.campaigns import store as campaigns
from hub.core.clock import SECOND
from hub.core.database import read, write
from hub.distributions import occasions
from hub.distributions.decide import decide
from hub.distributions.values import Publication, Recipient, Target


def opened(hub, distribution, key="manual:1"):
    with write(hub.engine) as connection:
        return occasions.open_occasion(connection, distribution, key, hub.now, hub.now)[0]


def decided(hub, distribution, people, campaign=None, key="manual:1"):
    occasion = opened(hub, distribution, key)
    with write(hub.engine) as connection:
        return decide(connection, distribution, occasion, people, campaign, hub.now, hub.source)


def test_each_person_gets_one_publication_and_one_delivery_per_connection_all_with_one_code(hub):
    campaign = hub.campaign()
    distribution = hub.distribution(campaign_id=campaign.id)
    result = decided(hub, distribution, [Recipient("ann"), Recipient("bob")], campaign)
    assert [one.source_id for one in result.publications] == ["ann", "bob"]
    assert result.counts == {"people": 2, "published": 2, "deliveries": 4}
    for publication in result.publications:
        mine = [one for one in result.deliveries if one.publication_id == publication.id]
        assert {one.connection_id for one in mine} == {hub.crm, hub.mail}
        assert {one.record["code"]["code"] for one in mine} == {publication.code}
        assert {one.source_id for one in mine} == {publication.source_id}
    assert len({one.code for one in result.publications}) == 2
    assert len({one.id for one in result.deliveries}) == 4


def test_a_message_is_frozen_with_its_code_distribution_and_occasion(hub):
    campaign = hub.campaign()
    distribution = hub.distribution(campaign_id=campaign.id, targets=[Target(hub.mail, "messages", {"id": "m1"})])
    result = decided(hub, distribution, [Recipient("ann")], campaign)
    (delivery,), (publication,) = result.deliveries, result.publications
    assert delivery.record == {
        "message": {"id": publication.id, "name": "Spring mail", "at": "2026-05-28T20:26:40.000Z"},
        "code": {
            "code": publication.code,
            "value": {"percent_off": 10},
            "balance": None,
            "expires_at": None,
            "published_at": "2026-05-28T20:26:40.000Z",
        },
        "distribution": {"id": distribution.id, "name": "Spring mail"},
        "occasion": {
            "id": publication.occasion_id,
            "key": "manual:1",
            "planned_at": "2026-05-28T20:26:40.000Z",
        },
    }
    assert (delivery.operation, delivery.options, delivery.mapping_hash) == ("messages", {"id": "m1"}, "hash-of-mail")


def test_an_event_is_frozen_as_a_canonical_event_and_a_profile_stays_fresh(hub):
    targets = [Target(hub.crm, "profiles"), Target(hub.mail, "events")]
    result = decided(hub, hub.distribution(targets=targets), [Recipient("ann")])
    by_operation = {one.operation: one for one in result.deliveries}
    event = by_operation["events"].record["event"]
    assert (event["name"], event["key"], event["id"]) == ("Spring mail", "spring_mail", result.publications[0].id)
    assert by_operation["events"].mapping_hash == "hash-of-mail"
    assert by_operation["profiles"].mapping_hash == ""
    assert set(by_operation["profiles"].record) == {"distribution", "occasion"}


def test_without_a_campaign_there_is_a_publication_without_a_code(hub):
    result = decided(hub, hub.distribution(), [Recipient("ann")])
    assert [(one.code, one.campaign_id) for one in result.publications] == [(None, None)]
    assert not any("code" in one.record for one in result.deliveries)


def test_whoever_a_gate_stops_is_skipped_with_the_reason_and_costs_no_code(hub):
    campaign = hub.campaign(codes=["A", "B", "C"])
    distribution = hub.distribution(campaign_id=campaign.id, consent="email")
    people = [
        Recipient("ann", consents={"email": True}),
        Recipient("bob"),
        Recipient("cid", is_known=False),
        Recipient("erased:0f", is_erased=True),
    ]
    result = decided(hub, distribution, people, campaign)
    reasons = {(one.source_id, one.reason) for one in result.deliveries}
    wanted = {("ann", ""), ("bob", "no_consent"), ("cid", "unknown_profile"), ("erased:0f", "erased")}
    assert reasons == wanted
    assert len(result.deliveries) == 8
    assert result.counts == {
        "people": 4,
        "published": 1,
        "deliveries": 8,
        "skipped.no_consent": 1,
        "skipped.unknown_profile": 1,
        "skipped.erased": 1,
    }
    with read(hub.engine) as connection:
        assert campaigns.terms(connection)["published"] == 1
        assert [one.source_id for one in occasions.publications(connection).items] == ["ann"]


def test_when_codes_run_out_the_rest_is_skipped_by_name(hub):
    campaign = hub.campaign(codes=["A"])
    distribution = hub.distribution(campaign_id=campaign.id, targets=[Target(hub.crm, "events")])
    result = decided(hub, distribution, [Recipient("ann"), Recipient("bob")], campaign)
    assert [(one.source_id, one.reason) for one in result.deliveries] == [("ann", ""), ("bob", "out_of_codes")]
    assert len(result.publications) == 1


def test_a_paused_distribution_skips_everybody(hub):
    result = decided(hub, hub.distribution(is_enabled=False), [Recipient("ann")])
    assert {one.reason for one in result.deliveries} == {"disabled"}
    assert result.publications == []


def test_joining_once_means_the_same_code_at_every_occasion_and_in_every_distribution(hub):
    campaign = hub.campaign()
    one = hub.distribution("One", campaign_id=campaign.id)
    two = hub.distribution("Two", campaign_id=campaign.id)
    codes = {
        decided(hub, one, [Recipient("ann")], campaign, key).publications[0].code for key in ("manual:1", "manual:2")
    }
    again = decided(hub, two, [Recipient("ann")], campaign)
    assert codes == {again.publications[0].code}
    assert again.counts["reused_codes"] == 1


def test_without_joining_once_each_occasion_gives_a_new_code(hub):
    campaign = hub.campaign(is_once=False)
    distribution = hub.distribution(campaign_id=campaign.id)
    keys = ("manual:1", "manual:2")
    codes = {decided(hub, distribution, [Recipient("ann")], campaign, key).publications[0].code for key in keys}
    assert len(codes) == 2


def test_a_person_merged_since_the_last_chunk_is_not_reached_under_the_other_name(hub):
    distribution = hub.distribution()
    first = decided(hub, distribution, [Recipient("ann")])
    later = decided(hub, distribution, [Recipient("zoe", merged=("ann",)), Recipient("bob")])
    assert [one.source_id for one in first.publications] == ["ann"]
    assert [one.source_id for one in later.publications] == ["bob"]
    assert later.counts["people"] == 1


def test_the_database_refuses_a_second_publication_of_a_person_in_an_occasion(hub):
    distribution = hub.distribution()
    occasion = opened(hub, distribution)
    two = [Publication(f"p{n}", occasion.id, "ann", distribution.id, None, None, hub.now) for n in (1, 2)]
    with pytest.raises(IntegrityError), write(hub.engine) as connection:
        occasions.add_publications(connection, two)


def test_any_number_of_openers_of_one_trigger_key_make_one_occasion(hub):
    distribution = hub.distribution()
    together = Barrier(4)

    def work(_: int) -> tuple[str, bool]:
        together.wait()
        with write(hub.engine) as connection:
            occasion, is_new = occasions.open_occasion(connection, distribution, "at:x", hub.now, hub.now)
        return occasion.id, is_new

    with ThreadPoolExecutor(4) as pool:
        made = list(pool.map(work, range(4)))
    assert len({occasion_id for occasion_id, _ in made}) == 1
    assert sum(is_new for _, is_new in made) == 1


def test_a_chunk_moves_its_occasion_only_from_where_it_was_read(hub):
    occasion = opened(hub, hub.distribution())
    with write(hub.engine) as connection:
        moved = occasions.advance(connection, occasion, "m", {"people": 2}, is_done=False)
        assert (moved.cursor, moved.chunk_count, moved.counts) == ("m", 1, {"people": 2})
    with pytest.raises(occasions.Superseded), write(hub.engine) as connection:
        occasions.advance(connection, occasion, "m", {"people": 2}, is_done=False)
    with write(hub.engine) as connection:
        done = occasions.advance(connection, moved, "z", {"people": 3}, is_done=True)
        assert (done.state, done.cursor, done.counts) == ("done", "", {"people": 5})
        assert occasions.open_ids(connection) == []
    with pytest.raises(occasions.Superseded), write(hub.engine) as connection:
        occasions.advance(connection, done, "z", {}, is_done=True)


def test_occasions_and_publications_are_listed_in_pages_newest_first(hub):
    campaign = hub.campaign(is_once=False)
    distribution = hub.distribution(campaign_id=campaign.id)
    results = []
    for number in range(3):
        hub.now += SECOND
        results.append(decided(hub, distribution, [Recipient("ann"), Recipient("bob")], campaign, f"manual:{number}"))
    with read(hub.engine) as connection:
        first = occasions.of_distribution(connection, distribution.id, limit=2)
        rest = occasions.of_distribution(connection, distribution.id, first.next_cursor, limit=2)
        assert [one.trigger_key for one in [*first.items, *rest.items]] == ["manual:2", "manual:1", "manual:0"]
        of_ann = occasions.publications(connection, source_ids=["ann", "merged"], limit=2)
        rest_of_ann = occasions.publications(connection, source_ids=["ann"], cursor=of_ann.next_cursor)
        assert len(of_ann.items) + len(rest_of_ann.items) == 3
        code = str(results[0].publications[0].code)
        assert occasions.publications(connection, code=code).items == [results[0].publications[0]]
        assert len(occasions.publications(connection, distribution_id=distribution.id).items) == 6


def test_erasure_puts_a_tombstone_in_place_of_the_person(hub):
    distribution = hub.distribution(audience={"source_ids": ["ann", "bob"]})
    decided(hub, distribution, [Recipient("ann"), Recipient("bob")])
    with write(hub.engine) as connection:
        assert occasions.erase(connection, {"ann": "erased:1", "cid": "erased:2"}) == 1
        names = {one.source_id for one in occasions.publications(connection).items}
        assert names == {"erased:1", "bob"}
        (occasion,) = occasions.of_distribution(connection, distribution.id).items
        assert occasion.audience == {"source_ids": ["bob"]}
