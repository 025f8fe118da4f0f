"""Events, messages and erasures reach Klaviyo, and each gets one outcome."""

from __future__ import annotations

import pytest

from connectors.klaviyo import bodies
from hub.sdk.values import Accepted, Again, Rejected
from tests.unit.connectors.klaviyo_deliveries import (
    AT,
    Account,
    delivery,
    erase_push,
    event_push,
    message_push,
    person,
    profile_push,
)

ADA = person(email="ada@example.com", phone="+48600100200")


@pytest.fixture
def account() -> Account:
    return Account()


def test_an_event_carries_its_key_its_time_and_the_strongest_identifiers(account: Account) -> None:
    fields = {"properties": {"OrderId": "o1"}, "value": 28.5, "value_currency": "GBP"}
    account.send(event_push(1, ADA, "Placed Order", fields))
    (element,) = account.sent[-1].json["data"]["attributes"]["events-bulk-create"]["data"]
    assert element["attributes"]["profile"]["data"]["attributes"] == {
        "external_id": "cust_1001",
        "email": "ada@example.com",
    }
    assert element["attributes"]["events"]["data"][0]["attributes"] == {
        "metric": {"data": {"type": "metric", "attributes": {"name": "Placed Order"}}},
        "properties": {"OrderId": "o1"},
        "time": "2026-03-14T08:59:58Z",
        "unique_id": delivery(1),
        "value": 28.5,
        "value_currency": "GBP",
    }
    assert account.outcomes[delivery(1)] == Accepted(delivery(1))


def test_an_event_sent_twice_is_kept_once(account: Account) -> None:
    for _ in range(2):
        account.send(event_push(1, ADA, "Signed Up"), event_push(2, ADA, "Signed Up"))
    assert [event["unique_id"] for event in account.simulator.events] == [delivery(1), delivery(2)]


def test_one_bad_event_is_named_and_its_neighbours_go_again_for_free(account: Account) -> None:
    pushes = [
        event_push(1, ADA, "Fine"),
        event_push(2, ADA, "x" * 128),
        event_push(3, ADA, "Fine"),
        event_push(4, ADA, ""),
    ]
    account.send(*pushes)
    assert account.simulator.events == []
    again = {number for number in range(1, 5) if isinstance(account.outcomes[delivery(number)], Again)}
    assert again == {1, 3}
    rejected = account.outcomes[delivery(2)]
    assert isinstance(rejected, Rejected)
    assert "less than 128 characters" in rejected.reason
    assert isinstance(account.outcomes[delivery(4)], Rejected)
    account.send(*(push for number, push in enumerate(pushes, 1) if number in again))
    assert len(account.simulator.events) == 2


def test_a_message_is_an_event_whose_flow_mails_the_code(account: Account) -> None:
    account.send(message_push(1, ADA, "SPRING-7Q2"))
    (message,) = account.simulator.messages
    assert message["to"] == "ada@example.com"
    assert message["properties"] == {"distribution_id": "dist_9", "incentive_code": "SPRING-7Q2"}
    (event,) = account.simulator.events
    assert (event["metric"], event["time"]) == ("Incentive Assigned", "2026-03-14T09:00:00")


def test_the_mapping_has_the_last_word_on_a_messages_properties(account: Account) -> None:
    fields = {"properties": {"incentive_code": "spring-7q2", "distribution_id": "d"}}
    account.send(message_push(1, ADA, "SPRING-7Q2", fields))
    assert account.simulator.events[0]["properties"] == {"incentive_code": "spring-7q2", "distribution_id": "d"}


def test_a_quiet_event_starts_no_flow(account: Account) -> None:
    account.send(message_push(1, ADA, "SPRING-7Q2", quiet=True))
    assert len(account.simulator.events) == 1
    assert account.simulator.messages == []


def test_a_person_without_email_is_named_by_phone() -> None:
    assert bodies.identifiers(person(phone="+48600100200")) == {
        "external_id": "cust_1001",
        "phone_number": "+48600100200",
    }
    assert bodies.identifiers(person()) == {"external_id": "cust_1001"}


def test_times_are_utc_whatever_zone_they_came_in() -> None:
    from zoneinfo import ZoneInfo

    push = event_push(1, ADA, "Seen", at=AT.astimezone(ZoneInfo("Europe/Warsaw")))
    assert bodies.event(push)["attributes"]["events"]["data"][0]["attributes"]["time"] == "2026-03-14T08:59:58Z"


def test_erasure_deletes_the_profile_and_forgets_its_id(account: Account) -> None:
    account.send(profile_push(1, ADA, {"email": "ada@example.com", "phone_number": "+48600100200"}))
    account.send(erase_push(2, ADA))
    assert account.simulator.profiles == {}
    assert len(account.simulator.deletions) == 1
    assert account.outcomes[delivery(2)] == Accepted(delivery(2), {"profile_id": None}, [])


def test_erasure_also_finds_the_profile_that_kept_the_email(account: Account) -> None:
    account.send(profile_push(1, ADA, {"first_name": "Ada"}))
    account.send(profile_push(2, person("shop-account"), {"email": "ADA@example.com"}))
    account.send(erase_push(3, ADA))
    assert account.simulator.profiles == {}


def test_erasure_without_email_or_phone_looks_the_profile_up(account: Account) -> None:
    odd = person('cust "1\\001')
    account.send(profile_push(1, odd, {"first_name": "Ada"}), profile_push(1, odd, {}))
    account.send(profile_push(2, person("somebody else"), {"first_name": "Bo"}))
    account.send(erase_push(3, odd))
    assert [profile["external_id"] for profile in account.simulator.profiles.values()] == ["somebody else"]


def test_erasing_somebody_unknown_is_done_and_says_so(account: Account) -> None:
    account.send(erase_push(1, person()))
    outcome = account.outcomes[delivery(1)]
    assert isinstance(outcome, Accepted)
    assert outcome.notices == ["Klaviyo knows no profile of this person."]
    assert account.simulator.deletions == []
