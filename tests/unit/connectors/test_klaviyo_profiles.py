"""Profiles reach Klaviyo, one by one and by jobs, and each gets one outcome."""

from __future__ import annotations

import pytest

from connectors.klaviyo import bodies
from hub.sdk.errors import Split
from hub.sdk.kit.simulator.base import SimResponse
from hub.sdk.values import Accepted, Again, Pending, Rejected
from tests.unit.connectors.klaviyo_deliveries import (
    Account,
    delivery,
    person,
    profile_push,
)

ADA = person(email="ada@example.com", phone="+48600100200")


@pytest.fixture
def account() -> Account:
    return Account()


def test_a_profile_is_imported_by_external_id_and_its_klaviyo_id_is_remembered(account: Account) -> None:
    account.send(profile_push(1, ADA, {"email": "ada@example.com", "properties": {"points": 120}}))
    profile = account.profile("cust_1001")
    assert (profile["email"], profile["properties"]) == ("ada@example.com", {"points": 120})
    outcome = account.outcomes[delivery(1)]
    assert outcome == Accepted(delivery(1), {"profile_id": profile["id"]}, [], receipt=profile["id"])


def test_only_what_changed_is_sent_and_the_rest_stays(account: Account) -> None:
    account.send(
        profile_push(1, ADA, {"first_name": "Ada", "properties": {"a": 1, "b": 2}, "location": {"city": "Gdynia"}})
    )
    account.send(profile_push(2, ADA, {"properties": {"b": 3}, "location": {"country": "Poland"}}))
    profile = account.profile("cust_1001")
    assert profile["first_name"] == "Ada"
    assert profile["properties"] == {"a": 1, "b": 3}
    assert profile["location"] == {"city": "Gdynia", "country": "Poland"}


def test_removed_fields_are_cleared_each_in_its_own_way(account: Account) -> None:
    full = {"first_name": "Ada", "properties": {"old": 1, "kept": 2}, "location": {"city": "Gdynia", "zip": "81"}}
    account.send(profile_push(1, ADA, full))
    account.send(profile_push(2, ADA, {"properties": {"old": None}}, ["properties.old", "first_name", "location.city"]))
    assert account.sent[-1].json["data"] == {
        "type": "profile",
        "attributes": {"external_id": "cust_1001", "properties": {}, "first_name": None, "location": {"city": None}},
        "meta": {"patch_properties": {"unset": ["old"]}},
    }
    profile = account.profile("cust_1001")
    assert "first_name" not in profile
    assert (profile["properties"], profile["location"]) == ({"kept": 2}, {"zip": "81"})


def test_a_property_whose_name_has_a_dot_is_unset_by_its_whole_name() -> None:
    push = profile_push(1, ADA, {}, ["properties.cart.total"])
    assert bodies.profile(push)["meta"] == {"patch_properties": {"unset": ["cart.total"]}}


def test_a_push_is_never_changed_by_building_its_body() -> None:
    changed = {"properties": {"old": None, "kept": 1}, "location": {}}
    first = bodies.profile(profile_push(1, ADA, changed, ["properties.old", "location.city"]))
    assert changed == {"properties": {"old": None, "kept": 1}, "location": {}}
    assert first == bodies.profile(profile_push(1, ADA, changed, ["properties.old", "location.city"]))


def test_identifiers_of_two_profiles_cost_the_phone_first(account: Account) -> None:
    account.send(profile_push(1, ADA, {"email": "ada@example.com"}))
    account.send(profile_push(3, person("other"), {"phone_number": "+48600100200"}))
    account.send(
        profile_push(2, ADA, {"email": "ada@example.com", "phone_number": "+48600100200", "first_name": "Ada"})
    )
    outcome = account.outcomes[delivery(2)]
    other = account.profile("other")["id"]
    assert isinstance(outcome, Accepted)
    assert [notice.split(":")[0] for notice in outcome.notices] == ["Sent without phone_number"]
    assert other in outcome.notices[0]
    assert account.profile("cust_1001")["email"] == "ada@example.com"
    assert account.profile("other")["phone_number"] == "+48600100200"


def test_then_the_email_so_that_the_profile_is_there_in_any_case(account: Account) -> None:
    account.send(profile_push(1, ADA, {"first_name": "Ada"}))
    account.send(profile_push(2, person("other"), {"email": "ada@example.com", "phone_number": "+48600100201"}))
    account.send(profile_push(3, ADA, {"email": "ada@example.com", "phone_number": "+48600100201", "title": "Dr"}))
    outcome = account.outcomes[delivery(3)]
    assert isinstance(outcome, Accepted)
    assert [notice.split(":")[0] for notice in outcome.notices] == ["Sent without phone_number", "Sent without email"]
    assert account.profile("cust_1001")["title"] == "Dr"


def test_a_phone_that_klaviyo_will_not_take_does_not_cost_the_profile(account: Account) -> None:
    account.send(profile_push(1, ADA, {"email": "ada@example.com", "phone_number": "600 100 200"}))
    outcome = account.outcomes[delivery(1)]
    assert isinstance(outcome, Accepted)
    assert "Invalid phone number format" in outcome.notices[0]
    assert "phone_number" not in account.profile("cust_1001")


def test_what_is_wrong_otherwise_is_rejected_in_klaviyos_words(account: Account) -> None:
    account.send(profile_push(1, ADA, {"email": "no address"}))
    assert account.outcomes[delivery(1)] == Rejected(
        delivery(1), "Invalid email address", code="invalid", field="/data/attributes/email"
    )


def test_an_unresolvable_collision_ends_instead_of_looping(account: Account) -> None:
    answer = {"errors": [{"code": "duplicate_profile", "detail": "A profile already exists.", "meta": None}]}
    account.simulator.answer = lambda request: SimResponse(409, answer)  # type: ignore[method-assign] # a vendor that never relents
    account.send(profile_push(1, ADA, {"email": "a@example.com", "phone_number": "+48600100200"}))
    assert len(account.sent) == 3
    outcome = account.outcomes[delivery(1)]
    assert isinstance(outcome, Rejected)
    assert outcome.code == "duplicate_profile"


def test_a_job_is_polled_until_each_profile_has_its_answer(account: Account) -> None:
    account.send(profile_push(9, person("other"), {"phone_number": "+48600100209"}))
    people = {1: {"first_name": "Ada"}, 2: {"email": "no address"}, 3: {"phone_number": "600"}, 4: {"title": "Dr"}}
    pushes = [profile_push(number, person(f"cust_{number}"), changed) for number, changed in people.items()]
    pushes.append(
        profile_push(
            5, person("cust_5", email="e@example.com"), {"phone_number": "+48600100209", "email": "e@example.com"}
        )
    )
    account.send(profile_push(8, person("cust_5"), {"email": "e@example.com"}))
    account.send(*pushes, route="profiles_bulk")
    first = account.outcomes[delivery(1)]
    assert isinstance(first, Pending)
    assert (first.find_by, first.token) == ("cust_1", next(iter(account.simulator.jobs)))

    account.poll()
    assert all(isinstance(account.outcomes[delivery(number)], Pending) for number in range(1, 6))
    account.poll()
    assert account.outcomes[delivery(1)] == Accepted(delivery(1))
    assert account.outcomes[delivery(4)] == Accepted(delivery(4))
    rejected = account.outcomes[delivery(2)]
    assert isinstance(rejected, Rejected)
    assert (rejected.reason, rejected.code) == ("Invalid email address", "invalid")
    for number in (3, 5):
        again = account.outcomes[delivery(number)]
        assert isinstance(again, Again)
        assert not again.counts
        assert account.progress[delivery(number)] == "alone"

    alone = profile_push(3, person("cust_3"), {"phone_number": "600"}, progress="alone")
    assert account.batch(alone).route == "profiles_alone"
    account.send(alone)
    assert isinstance(account.outcomes[delivery(3)], Accepted)


def test_the_errors_of_a_job_are_read_to_the_last_page(account: Account) -> None:
    pushes = [profile_push(number, person(f"cust_{number}"), {"email": "no address"}) for number in range(1, 251)]
    account.send(*pushes, route="profiles_bulk")
    account.poll()
    account.poll()
    assert all(isinstance(account.outcomes[push.delivery_id], Rejected) for push in pushes)
    assert len([request for request in account.sent if request.path.endswith("import-errors")]) == 3


def test_polls_draw_on_the_pool_of_the_jobs(account: Account) -> None:
    account.send(profile_push(1, ADA, {}), route="profiles_bulk")
    account.poll()
    assert account.sent[-1].pools == ["profile_jobs"]


def test_a_profile_of_the_wrong_shape_fails_the_job_and_is_named(account: Account) -> None:
    pushes = [profile_push(1, person("a"), {"title": "Dr"}), profile_push(2, person("b"), {"shoe_size": 44})]
    account.send(*pushes, route="profiles_bulk")
    assert account.outcomes[delivery(1)] == Again(
        delivery(1), "Another record of the same job was refused.", counts=False
    )
    rejected = account.outcomes[delivery(2)]
    assert isinstance(rejected, Rejected)
    assert rejected.field == "/data/attributes/profiles/data/1/attributes/shoe_size"


def test_a_job_refused_without_a_name_is_split_until_the_culprit_stands_alone(account: Account) -> None:
    answer = {"errors": [{"code": "invalid", "detail": "Something is wrong.", "source": {"pointer": "/data"}}]}
    account.simulator.answer = lambda request: SimResponse(400, answer)  # type: ignore[method-assign] # a vendor that blames nobody
    end = account.send(profile_push(1, person("a"), {}), profile_push(2, person("b"), {}), route="profiles_bulk")
    assert isinstance(end.error, Split)
    assert end.open_ids == (delivery(1), delivery(2))
    account.send(profile_push(1, person("a"), {}), route="profiles_bulk")
    assert account.outcomes[delivery(1)] == Rejected(delivery(1), "Something is wrong.", code="invalid", field="/data")


def test_a_lost_or_cancelled_job_sends_its_profiles_again(account: Account) -> None:
    account.send(profile_push(1, ADA, {}), route="profiles_bulk")
    job = account.simulator.jobs[account.outcomes[delivery(1)].token]  # type: ignore[union-attr] # pending, as sent
    pending = account.outcomes[delivery(1)]
    account.simulator.jobs.clear()
    account.poll()
    assert isinstance(account.outcomes[delivery(1)], Again)

    account.outcomes[delivery(1)] = pending
    account.simulator._job = lambda job_id: {"type": "x", "id": job_id, "attributes": {"status": "cancelled"}}  # type: ignore[method-assign] # no call cancels a job
    account.simulator.jobs[pending.token] = {**job, "status": "complete"}  # type: ignore[union-attr] # pending, as sent
    account.poll()
    assert account.outcomes[delivery(1)] == Again(delivery(1), "Klaviyo ended the import job as cancelled.")


def test_a_failure_that_names_nobody_sends_each_profile_by_itself(account: Account) -> None:
    account.send(profile_push(1, ADA, {"email": "no address"}), route="profiles_bulk")
    account.poll()
    account.simulator._import = lambda profile: {"attributes": {"code": "invalid", "original_payload": None}}  # type: ignore[method-assign] # a vendor that echoes nothing
    account.poll()
    assert isinstance(account.outcomes[delivery(1)], Again)
    assert account.progress[delivery(1)] == "alone"
