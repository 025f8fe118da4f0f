"""From the queue to the vendor and back: the ordinary ways."""

from __future__ import annotations

import pytest

from hub.core.database import read
from hub.ledger.store import attempts_of, runs
from tests.rooms.outbox.world import World


def test_a_profile_is_sent_in_the_vendors_names_and_counted(hub: World):
    hub.people.knows("u1", name="Ada", city="Ghent")
    one = hub.decides("u1")
    hub.delivers()
    assert hub.state(one) == "sent"
    assert hub.vendor.bodies == [{"name": "Ada", "city": "Ghent"}]
    assert hub.terms()["sent"] == 1


def test_due_deliveries_share_calls_up_to_the_routes_limit(hub: World):
    for number in range(7):
        hub.people.knows(f"u{number}", name="x")
        hub.decides(f"u{number}")
    hub.delivers()
    assert sorted(len(call.json) for call in hub.vendor.calls) == [1, 3, 3]


def test_each_call_is_an_attempt_and_a_sync_run_with_masked_texts(hub: World):
    hub.people.knows("u1", name="sesame-key")
    one = hub.decides("u1")
    hub.vendor.says(200, {"echo": "sesame-key"})
    hub.delivers()
    with read(hub.database) as database:
        [attempt] = attempts_of(database, one).items
        [run] = runs(database).items
    assert attempt.outcome == "accepted"
    assert attempt.status == 200
    assert "POST http://acme.invalid/profiles" in attempt.request
    assert "sesame-key" not in attempt.request + attempt.response
    assert (run.kind, run.result, run.counts["accepted"]) == ("request", "ok", 1)


def test_a_second_push_sends_only_what_changed_and_nothing_if_nothing_did(hub: World):
    hub.people.knows("u1", name="Ada", city="Ghent", properties={"points": 1, "tier": "gold"})
    hub.decides("u1")
    hub.delivers()
    hub.people.knows("u1", name="Ada", city="Bruges", properties={"points": 2, "tier": "gold"})
    hub.decides("u1")
    hub.delivers()
    third = hub.decides("u1")
    hub.delivers()
    assert hub.vendor.bodies[1] == {"city": "Bruges", "properties": {"points": 2}}
    assert hub.state(third) == "skipped(unchanged)"
    assert len(hub.vendor.calls) == 2


def test_a_removed_trait_is_unset_once(hub: World):
    hub.people.knows("u1", name="Ada", city="Ghent")
    hub.decides("u1")
    hub.delivers()
    hub.people.knows("u1", name="Ada", gone=["city"])
    hub.decides("u1")
    hub.delivers()
    last = hub.decides("u1")
    hub.delivers()
    assert hub.vendor.bodies[1] == {"unset": ["city"]}
    assert hub.state(last) == "skipped(unchanged)"


def test_what_was_not_accepted_is_sent_again_in_full(hub: World):
    hub.people.knows("u1", name="Ada", city="Ghent")
    hub.decides("u1")
    hub.delivers()
    hub.people.knows("u1", name="Ada", city="Bruges")
    hub.decides("u1")
    hub.vendor.says(503)
    hub.delivers()
    assert "city" not in hub.pushed("u1")
    assert "name" in hub.pushed("u1")
    hub.people.knows("u1", name="Ada", city="Ghent")
    hub.decides("u1")
    hub.delivers(after=60)
    assert hub.vendor.bodies[-1] == {"city": "Ghent"}


def test_forcing_ignores_the_delta(hub: World):
    hub.people.knows("u1", name="Ada")
    hub.decides("u1")
    hub.delivers()
    hub.decides("u1", is_forced=True)
    hub.delivers()
    assert hub.vendor.bodies == [{"name": "Ada"}, {"name": "Ada"}]


def test_a_push_under_new_options_is_sent_even_if_no_field_changed(hub: World):
    hub.people.knows("u1", name="Ada")
    hub.decides("u1")
    hub.delivers()
    listed = hub.decides("u1", options={"list_id": "L1"})
    hub.delivers()
    again = hub.decides("u1", options={"list_id": "L1"})
    hub.delivers()
    assert (hub.state(listed), hub.state(again)) == ("sent", "skipped(unchanged)")


def test_a_newer_push_takes_the_place_of_one_that_waits(hub: World):
    hub.people.knows("u1", name="Ada")
    old, new = hub.decides("u1"), hub.decides("u1")
    hub.delivers()
    assert (hub.state(old), hub.state(new)) == ("skipped(superseded)", "sent")
    assert len(hub.vendor.calls) == 1


def test_pushes_with_a_code_do_not_supersede_each_other_across_distributions(hub: World):
    hub.people.knows("u1", name="Ada")
    one = hub.decides("u1", record={"code": {"code": "A1"}}, distribution_id="d1")
    two = hub.decides("u1", record={"code": {"spring": "B2"}}, distribution_id="d2")
    plain = hub.decides("u1")
    hub.delivers()
    assert {hub.state(one), hub.state(two)} == {"sent"}
    assert hub.state(plain) in ("sent", "skipped(unchanged)")


def test_an_event_keeps_what_was_decided_and_carries_its_id_as_the_vendors_key(hub: World):
    hub.people.knows("u1", name="Ada")
    one = hub.decides("u1", "events", record={"event": {"id": "e1", "name": "bought"}})
    hub.delivers()
    assert hub.vendor.taken == {one: 1}
    assert hub.vendor.bodies == [{"id": "e1", "name": "bought"}]


def test_a_merged_profile_is_read_through_its_redirect(hub: World):
    hub.people.knows("u2", name="Ada")
    hub.people.merged["u1"] = "u2"
    one = hub.decides("u1")
    hub.delivers()
    assert hub.state(one) == "sent"
    assert hub.vendor.people == ["u2"]
    assert hub.pushed("u2")


def test_a_connector_may_refuse_before_sending(hub: World):
    hub.people.knows("u1", name="refuse me")
    one = hub.decides("u1")
    hub.delivers()
    assert hub.state(one) == "dead(unsupported)"
    assert not hub.vendor.calls


def test_partial_failure_takes_the_named_records_only(hub: World):
    ids = {}
    for name in ("good", "bad", "later"):
        hub.people.knows(name, name=name)
        ids[name] = hub.decides(name)
    hub.vendor.says(200, {"bad": "reject", "later": "again"})
    hub.delivers()
    assert hub.state(ids["good"]) == "sent"
    assert hub.state(ids["bad"]) == "dead(bad_email)"
    assert hub.state(ids["later"]) == "waiting(again)"
    hub.delivers(after=5)
    assert hub.state(ids["later"]) == "sent"


def test_vendor_ids_are_remembered_and_handed_back(hub: World):
    hub.people.knows("u1", name="Ada", email="ada@x.org")
    hub.decides("u1")
    hub.delivers()
    seen = []
    hub.kind.items, original = lambda self, push: seen.append(push) or original(self, push), hub.kind.items
    try:
        hub.people.knows("u1", name="Ada", email="new@x.org")
        hub.decides("u1")
        hub.delivers()
    finally:
        hub.kind.items = original
    assert seen[0].person.remembered == {"acme_id": "a-u1"}
    assert seen[0].person.previous == {"email": "ada@x.org"}


def test_an_occasion_is_decided_once_per_person_and_connection(hub: World):
    hub.people.knows("u1", name="Ada")
    first = hub.decides("u1", "messages", occasion_id="o1", record={"code": {"code": "A"}})
    again = hub.decides("u1", "messages", occasion_id="o1", record={"code": {"code": "B"}})
    assert first == again
    assert hub.terms()["decided"] == 1


def test_a_delivery_decided_again_for_its_occasion_does_not_supersede_itself(hub: World):
    hub.people.knows("u1", name="Ada")
    one = hub.decides("u1", occasion_id="o1")
    hub.decides("u1", occasion_id="o1")
    hub.delivers()
    assert hub.state(one) == "sent"


@pytest.mark.parametrize("operation", ["audience", "consent"])
def test_audience_and_consent_are_read_when_sent(hub: World, operation: str):
    hub.people.knows("u1", consents={"email": {"status": "granted"}})
    hub.decides("u1", operation, topic="email")
    hub.people.knows("u1", consents={"email": {"status": "denied"}}, audiences={"email": {"member": True}})
    hub.delivers()
    expected = {"status": "denied", "topic": "email"} if operation == "consent" else {"member": True}
    assert expected.items() <= hub.vendor.bodies[0].items()


def test_listing_pages_newest_first_and_filters(hub: World):
    from hub.outbox.queue.store import deliveries
    from hub.outbox.values import Filters

    hub.people.knows("u1", name="Ada")
    made = [hub.decides("u1", "events", record={"event": {"id": str(n)}}) for n in range(5)]
    hub.delivers()
    with read(hub.database) as database:
        first = deliveries(database, Filters(status="sent"), limit=3)
        second = deliveries(database, Filters(status="sent"), first.next_cursor, limit=3)
        none = deliveries(database, Filters(source_id="someone else"))
    assert [row["id"] for row in [*first.items, *second.items]] == sorted(made, reverse=True)
    assert second.next_cursor is None
    assert none.items == []


def test_a_record_the_mapping_leaves_out_is_skipped_with_its_reason(hub: World):
    hub.people.knows("u1", name="Ada", skip="not_a_customer")
    one = hub.decides("u1")
    unknown = hub.decides("nobody")
    hub.delivers()
    assert hub.state(one) == "skipped(not_a_customer)"
    assert hub.state(unknown) == "skipped(no_profile)"


def test_no_two_calls_of_a_profile_are_under_way_at_once(hub: World):
    for number in range(4):
        hub.people.knows(f"u{number}", name="x")
        for event in range(5):
            hub.decides(f"u{number}", "events", record={"event": {"id": str(event)}})
            hub.decides(f"u{number}", "messages", record={"code": {"code": str(event)}})
    hub.delivers()
    assert hub.vendor.overlaps == []
    assert hub.terms()["sent"] == 40
