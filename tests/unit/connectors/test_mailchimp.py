"""What Mailchimp makes hard: people are named by their address, and nobody may be resubscribed by mistake."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from connectors.mailchimp.calls import subscriber_hash
from connectors.mailchimp.simulator import MailchimpSimulator
from hub.registry.discovery import discover, get
from hub.sdk.errors import AuthFailed, DeliveryError, Permanent, RateLimited, Retryable, Unreadable
from hub.sdk.flow import run_flow
from hub.sdk.kit.bench.bench import Bench, in_memory
from hub.sdk.values import (
    Accepted,
    AnyPush,
    Basic,
    Bearer,
    ConsentChange,
    Finding,
    MessagePush,
    Operation,
    Person,
    ProfilePush,
    Rejected,
    Request,
    Response,
    Wanted,
)

MEMBER = "/lists/a6b5da1054/members/" + subscriber_hash("ada0@example.com")


@pytest.fixture
def bench() -> Bench:
    return _bench()


def _bench(**settings: Any) -> Bench:
    return in_memory(get(discover(), "mailchimp").subject(), settings)


def _vendor(bench: Bench) -> MailchimpSimulator:
    assert isinstance(bench.simulator, MailchimpSimulator)
    return bench.simulator


def _one(bench: Bench, operation: Operation, **changes: Any) -> AnyPush:
    (push,) = bench.pushes(operation, 1)
    return replace(push, **changes)


def _profile(bench: Bench, person: Person | None = None, **fields: Any) -> ProfilePush:
    """A profile of which only these fields changed."""
    push = _one(bench, Operation.PROFILES)
    assert isinstance(push, ProfilePush)
    return replace(push, person=person or push.person, fields=fields, changed=fields)


def _body(bench: Bench, push: AnyPush) -> Any:
    items = bench.destination.items(push)
    assert not isinstance(items, Rejected)
    return items[0]


def _findings(bench: Bench, wanted: Wanted | None = None) -> list[Finding]:
    flow = bench.destination.check() if wanted is None else bench.destination.prepare(wanted)
    end = run_flow([], flow, bench.send, bench.destination.classify, lambda _: None)
    assert end.error is None
    return list(end.value)


def _consent(bench: Bench, status: str) -> object:
    push = _one(bench, Operation.CONSENT)
    assert isinstance(push, ConsentChange)
    push = replace(push, consent={"topic": "email", "status": status})
    return bench.settle([push])[push.delivery_id]


PROBLEM = b'{"title":"Forbidden","status":403,"detail":"User disabled"}'


@pytest.mark.parametrize(
    ("method", "path", "status", "body", "error"),
    [
        ("PUT", MEMBER, 200, b'{"id":"x","status":"subscribed"}', None),
        ("PUT", MEMBER, 200, b'{"title":"Internal Server Error","status":500}', Unreadable),
        ("PUT", MEMBER, 200, b"{}", Unreadable),
        ("PUT", MEMBER, 200, b"<html>", Unreadable),
        ("POST", f"{MEMBER}/events", 204, b"", None),
        ("POST", f"{MEMBER}/events", 200, b"", Unreadable),
        ("POST", f"{MEMBER}/tags", 200, b"{}", Unreadable),
        ("DELETE", MEMBER, 204, b"", None),
        ("PUT", MEMBER, 400, b"{}", Permanent),
        ("PUT", MEMBER, 401, b"{}", AuthFailed),
        ("PUT", MEMBER, 403, PROBLEM, AuthFailed),
        ("PUT", MEMBER, 403, b"", RateLimited),
        ("PUT", MEMBER, 403, b"<html>Forbidden</html>", RateLimited),
        ("PUT", MEMBER, 429, b"", RateLimited),
        ("PUT", MEMBER, 500, b"{}", Retryable),
        ("PUT", MEMBER, 426, b"{}", Permanent),
    ],
)
def test_each_answer_means_what_mailchimp_says_it_means(
    bench: Bench, method: str, path: str, status: int, body: bytes, error: type[DeliveryError] | None
) -> None:
    answer = Response(status, {}, body, bench.clock())
    found: DeliveryError | None
    try:
        found = bench.destination.classify(Request(method, path), answer)
    except Unreadable as unreadable:
        found = unreadable
    assert type(found) is (error or type(None))


@pytest.mark.parametrize(
    ("settings", "host", "auth"),
    [
        ({"api_key": "0123456789abcdef-us19"}, "us19", Basic),
        ({"api_key": "0123456789abcdef-us19", "server": "us7"}, "us7", Basic),
        ({"api_key": "an-oauth-token", "server": "us7"}, "us7", Bearer),
        ({"api_key": "evil.example.com/-x@evil.example.com#"}, "us1", Basic),
    ],
)
def test_the_data_centre_comes_from_the_key_and_can_be_nothing_else(
    settings: dict[str, str], host: str, auth: type
) -> None:
    destination = _bench(**settings).destination
    assert destination.hosts() == {"api": f"https://{host}.api.mailchimp.com/3.0"}
    assert isinstance(destination.auth()["api"], auth)


def test_the_hash_is_that_of_the_lower_case_address() -> None:
    assert subscriber_hash(" Ana.Kow@Example.com") == "c7573ea50cc852f4e1c3bb44a7159a14"


def test_connections_with_one_key_share_ten_calls_at_once() -> None:
    one, other = _bench(list_id="a1"), _bench(list_id="b2", parallel=10)
    assert one.destination.account() == other.destination.account()
    assert other.destination.pools()["calls"].parallel == 10


@pytest.mark.parametrize("status", ["unsubscribed", "cleaned", "transactional", "pending", "subscribed"])
def test_a_profile_changes_nobodys_status(bench: Bench, status: str) -> None:
    granted = replace(_one(bench, Operation.PROFILES).person, consents={"email": {"status": "granted"}})
    bench.settle([_one(bench, Operation.PROFILES)])
    (member,) = bench.simulator.profiles.values()
    member["status"] = status

    bench.settle([_one(bench, Operation.PROFILES, person=granted)])
    assert member["status"] == status


@pytest.mark.parametrize(
    ("before", "settings", "after"),
    [
        ("transactional", {}, "subscribed"),
        ("transactional", {"double_opt_in": True}, "pending"),
        ("pending", {"double_opt_in": True}, "pending"),
        ("unsubscribed", {}, "pending"),
        ("subscribed", {"double_opt_in": True}, "subscribed"),
        ("cleaned", {}, "cleaned"),
    ],
)
def test_a_granted_consent_resubscribes_nobody_by_itself(before: str, settings: dict[str, Any], after: str) -> None:
    bench = _bench(**settings)
    bench.settle([_one(bench, Operation.PROFILES)])
    (member,) = bench.simulator.profiles.values()
    member["status"] = before
    outcome = _consent(bench, "granted")
    assert isinstance(outcome, Rejected if before == "cleaned" else Accepted)
    assert member["status"] == after


def test_a_refused_consent_of_a_stranger_adds_nobody(bench: Bench) -> None:
    assert isinstance(_consent(bench, "denied"), Accepted)
    assert bench.simulator.profiles == {}


def test_a_granted_consent_adds_the_person(bench: Bench) -> None:
    assert isinstance(_consent(bench, "granted"), Accepted)
    (member,) = bench.simulator.profiles.values()
    assert member["status"] == "subscribed"


def test_consent_follows_the_person_to_a_new_address(bench: Bench) -> None:
    """Address and consent change at once; consents go first, profiles move the address."""
    bench.settle([_one(bench, Operation.PROFILES)])
    (member,) = bench.simulator.profiles.values()
    member["status"] = "subscribed"
    moved = Person("person-0", "new@example.com", remembered=bench.remembered["person-0"])

    push = _one(bench, Operation.CONSENT, person=moved)
    assert isinstance(push, ConsentChange)
    batch = bench.batches([replace(push, consent={"topic": "email", "status": "denied"})])[0][0]
    bench.run(batch)
    bench.run(bench.batches([_profile(bench, moved)])[0][0])

    assert [(one["email_address"], one["status"]) for one in bench.simulator.profiles.values()] == [
        ("new@example.com", "unsubscribed")
    ]
    assert bench.remembered["person-0"]["member"] == subscriber_hash("new@example.com")


def test_a_member_whose_old_address_is_gone_comes_back_complete(bench: Bench) -> None:
    push = _one(bench, Operation.PROFILES)
    assert isinstance(push, ProfilePush)
    person = Person("person-0", "ada0@example.com", previous={"email": "old@example.com"})
    bench.settle([replace(push, person=person, changed={"email_address": "ada0@example.com"})])
    (member,) = bench.simulator.profiles.values()
    assert member["merge_fields"]["FNAME"] == "Ada"


def test_an_address_that_changed_its_case_is_the_same_member(bench: Bench) -> None:
    bench.settle([_one(bench, Operation.PROFILES)])
    person = Person("person-0", "ADA0@example.com", previous={"email": "ada0@example.com"})
    assert _body(bench, _profile(bench, person)).route == "profiles"
    bench.settle([_profile(bench, person)])
    assert len(bench.simulator.profiles) == 1


def test_a_batch_of_many_tells_in_the_end(bench: Bench) -> None:
    pushes = bench.pushes(Operation.PROFILES, 120)
    results = bench.settle(pushes)
    assert all(isinstance(results[push.delivery_id], Accepted) for push in pushes)
    assert [call.path for call in bench.simulator.calls() if call.method == "POST"] == ["/batches"]
    assert bench.remembered["person-7"]["member"] == subscriber_hash("ada7@example.com")


def test_one_bad_profile_of_a_batch_is_found_and_the_others_arrive(bench: Bench) -> None:
    pushes = bench.pushes(Operation.PROFILES, 110, fields={41: {"email_address": "not an address"}})
    results = bench.settle(pushes)
    refused = [push.person.source_id for push in pushes if isinstance(results[push.delivery_id], Rejected)]
    assert refused == ["person-41"]
    assert len(bench.simulator.profiles) == 109


def test_a_batch_that_mailchimp_forgot_is_sent_again_one_by_one(bench: Bench) -> None:
    bench.simulator.next(status=404, path="/batches/")
    pushes = bench.pushes(Operation.PROFILES, 100)
    results = bench.settle(pushes)
    assert all(isinstance(results[push.delivery_id], Accepted) for push in pushes)
    assert len(bench.simulator.profiles) == 100


def test_a_metadata_key_cannot_take_the_place_of_the_source_id(bench: Bench) -> None:
    item = _body(bench, _profile(bench, merge_fields={"SOURCE_ID": "somebody else"}))
    assert item.body["merge_fields"]["SOURCE_ID"] == "person-0"


def test_a_message_whose_start_got_no_answer_is_unknown_and_not_repeated(bench: Bench) -> None:
    push = _one(bench, Operation.MESSAGES)
    bench.simulator.next("accepted_then_reset", after=1)
    end, reports = bench.run(bench.batches([push])[0][0])
    assert isinstance(end.error, Retryable)
    assert end.error.unknown
    assert reports == []
    assert bench.destination.routes()["messages"].repeat == "duplicates"


def test_a_journey_mails_subscribed_members_only(bench: Bench) -> None:
    push = _one(bench, Operation.MESSAGES)
    assert isinstance(push, MessagePush)
    options = push.options.model_copy(update={"trigger": "journey"})
    refused = bench.settle([replace(push, options=options)])[push.delivery_id]
    assert isinstance(refused, Rejected)
    assert "not subscribed" in refused.reason

    (member,) = bench.simulator.profiles.values()
    member["status"] = "subscribed"
    assert isinstance(bench.settle([replace(push, options=options)])[push.delivery_id], Accepted)
    assert bench.simulator.messages[0]["merge_fields"]["VOUCHER"] == "SPRING-0"


def test_an_erased_address_does_not_come_back(bench: Bench) -> None:
    bench.settle([_one(bench, Operation.PROFILES)])
    bench.settle([_one(bench, Operation.ERASE)])
    assert bench.simulator.profiles == {}
    refused = bench.settle([_one(bench, Operation.PROFILES)])
    (outcome,) = refused.values()
    assert isinstance(outcome, Rejected)
    assert outcome.code == "erased"


@pytest.mark.parametrize(
    ("status", "outcome"),
    [("subscribed", Accepted), ("archived", Accepted), ("pending", Rejected), ("cleaned", Rejected)],
)
def test_an_erasure_by_archiving_is_honest_about_whom_mailchimp_keeps(status: str, outcome: type) -> None:
    bench = _bench(erase_by="archive")
    bench.settle([_one(bench, Operation.PROFILES)])
    (member,) = bench.simulator.profiles.values()
    member["status"] = status
    push = _one(bench, Operation.ERASE)
    assert isinstance(bench.settle([push])[push.delivery_id], outcome)
    assert (member["status"] == "archived") is (outcome is Accepted)


def test_an_archived_person_comes_back_only_by_confirming(bench: Bench) -> None:
    bench.settle([_one(bench, Operation.PROFILES)])
    (member,) = bench.simulator.profiles.values()
    member["status"] = "archived"
    assert isinstance(_consent(bench, "denied"), Accepted)
    assert member["status"] == "archived"
    assert isinstance(_consent(bench, "granted"), Accepted)
    assert member["status"] == "pending"


def test_a_topic_of_an_archived_person_is_refused(bench: Bench) -> None:
    bench.settle([_one(bench, Operation.PROFILES)])
    (member,) = bench.simulator.profiles.values()
    member["status"] = "archived"
    push = _one(bench, Operation.CONSENT)
    assert isinstance(push, ConsentChange)
    push = replace(push, consent={"topic": "email.newsletter", "status": "granted"})
    refused = bench.settle([push])[push.delivery_id]
    assert isinstance(refused, Rejected)
    assert refused.code == "archived"


def test_missing_merge_fields_are_made_once_and_misfits_are_told(bench: Bench) -> None:
    kinds = {
        "email_address": "string",
        "merge_fields.ADDRESS.addr1": "string",
        "merge_fields.TIER": "string",
        "merge_fields.BORN": "date",
        "merge_fields.POINTS": "string",
    }
    findings = _findings(bench, Wanted({Operation.PROFILES: kinds}))
    assert [one.level for one in findings] == ["ok", "ok", "warning"]
    fields = _vendor(bench).fields
    assert (fields["TIER"], fields["BORN"]) == ("text", "date")
    assert [one.level for one in _findings(bench, Wanted({Operation.PROFILES: kinds}))] == ["warning"]


def test_an_audience_that_is_full_is_told(bench: Bench) -> None:
    _vendor(bench).fields.update({f"F{number}": "text" for number in range(80)})
    (finding,) = _findings(bench, Wanted({Operation.PROFILES: {"merge_fields.MORE": "string"}}))
    assert finding.level == "error"
    assert "already has 80" in finding.text


def test_check_tells_a_wrong_audience_from_a_wrong_key() -> None:
    (finding,) = _findings(_bench(list_id="ffffffffff"))
    assert finding.level == "error"
    assert "no audience ffffffffff" in finding.text
    (finding,) = _findings(_bench(api_key="wrong-us19"))
    assert "API key" in finding.text
