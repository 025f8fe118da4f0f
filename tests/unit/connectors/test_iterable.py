"""Iterable's own odds, beyond what the contract suite asks of every connector."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from connectors.iterable.connector import Iterable
from connectors.iterable.simulator import API_KEY, IterableSimulator
from hub.mapping.language.dialect import Dialect
from hub.mapping.outbound import compile_outbound
from hub.mapping.versions.files import Folders, read_file
from hub.registry.discovery import discover
from hub.sdk.declared import build
from hub.sdk.errors import AuthFailed, ConfigurationError, Permanent, RateLimited, Retryable, Split, Unreadable
from hub.sdk.flow import run_flow
from hub.sdk.json import dumps
from hub.sdk.kit.bench.bench import Bench, in_memory
from hub.sdk.kit.bench.http import without_network
from hub.sdk.values import Accepted, Again, Operation, Rejected, Request, Response, Wanted

NOW = datetime(2026, 3, 14, 9, tzinfo=UTC)
CALL = Request("POST", "/api/users/bulkUpdate")


@pytest.fixture
def bench() -> Bench:
    return in_memory(discover()["iterable"].subject())


@pytest.fixture
def email_bench() -> Bench:
    """The same in an e-mail-based project."""
    bench = in_memory(discover()["iterable"].subject(), {"project_type": "email"})
    bench.simulator = IterableSimulator(project_type="email", clock=bench.clock)
    bench.send = without_network(bench.destination, bench.simulator, bench.clock)
    return bench


def answer(status: int, body: object = None, raw: bytes | None = None) -> Response:
    return Response(status, {}, dumps(body) if raw is None else raw, NOW)


def code(name: str) -> dict[str, object]:
    return {"msg": "words", "code": name, "params": None}


@pytest.mark.parametrize(
    ("response", "error"),
    [
        (answer(200, code("Success")), type(None)),
        (answer(200, {"successCount": 1, "failCount": 0}), type(None)),
        (answer(202, raw=b""), type(None)),
        (answer(200, raw=b""), Unreadable),
        (answer(200, {"ok": True}), Unreadable),
        (answer(200, []), Unreadable),
        (answer(200, code("BadParams")), Permanent),
        (answer(200, code("QueueEmailError")), Retryable),
        (answer(200, code("RateLimitExceeded")), RateLimited),
        (answer(400, code("DatabaseError")), Retryable),
        (answer(400, code("BatchTooLarge")), Split),
        (answer(400, code("BadApiKey")), AuthFailed),
        (answer(400, code("RequestFieldsTypesMismatched")), Permanent),
        (answer(400, raw=b"<html>"), Permanent),
        (answer(401, code("Success")), AuthFailed),
        (answer(403, code("Forbidden")), AuthFailed),
        (answer(409, code("ForgottenUserError")), Permanent),
        (answer(413, code("BatchTooLarge")), Split),
        (answer(429, code("RateLimitExceeded")), RateLimited),
        (answer(500, code("GenericError")), Retryable),
    ],
)
def test_an_answer_has_its_error(bench, response, error):
    try:
        found = bench.destination.classify(CALL, response)
    except Unreadable as unreadable:
        found = unreadable
    assert type(found) is error


@pytest.mark.parametrize(
    ("region", "host"), [("us", "https://api.iterable.com"), ("eu", "https://api.eu.iterable.com")]
)
def test_each_region_has_its_host(region, host):
    made = build(Iterable, {"region": region, "project_type": "userid"}, {"api_key": API_KEY})

    assert made.hosts() == {"api": host}


def test_the_project_type_must_be_given():
    with pytest.raises(ConfigurationError, match="project_type"):
        build(Iterable, {}, {"api_key": API_KEY})


def test_two_profiles_with_one_address_are_told_apart_by_sending_each_alone(email_bench):
    shared = {"email": "shared@example.com", "loyaltyPoints": 1}
    good, bad = email_bench.pushes(Operation.PROFILES, 2, fields={0: shared, 1: {**shared, "favourite": "x" * 32_001}})

    results = email_bench.settle([good, bad])

    assert isinstance(results[good.delivery_id], Accepted)
    assert isinstance(results[bad.delivery_id], Rejected)
    assert results[bad.delivery_id].code == "invalid_data"


def test_addresses_are_compared_without_regard_to_case(email_bench):
    push = email_bench.pushes(Operation.PROFILES, 1, fields={0: {"email": "ADA@Example.com"}})[0]
    email_bench.simulator.project.forgotten.add("ada@example.com")

    assert email_bench.settle([push])[push.delivery_id].code == "forgotten"


def test_a_changed_address_stays_one_user(email_bench):
    (before,) = email_bench.pushes(Operation.PROFILES, 1)
    email_bench.settle([before])
    (after,) = email_bench.pushes(Operation.PROFILES, 1, fields={0: {"email": "new@example.com"}})
    after = replace(after, person=replace(after.person, previous={"email": "ada0@example.com"}))

    results = email_bench.settle([after])

    assert isinstance(results[after.delivery_id], Accepted)
    assert [user["email"] for user in email_bench.simulator.profiles.values()] == ["new@example.com"]


def test_a_change_of_case_is_no_change_of_address(email_bench):
    (push,) = email_bench.pushes(Operation.PROFILES, 1, fields={0: {"email": "Ada@example.com"}})
    push = replace(push, person=replace(push.person, previous={"email": "ada@example.com"}))

    assert email_bench.destination.items(push)[0].route == "profiles"


def test_an_address_is_a_field_where_users_go_by_id(bench):
    (push,) = bench.pushes(Operation.PROFILES, 1)
    push = replace(push, person=replace(push.person, previous={"email": "old@example.com"}))
    (item,) = bench.destination.items(push)

    assert item.route == "profiles"
    assert item.body["dataFields"]["email"] == "ada0@example.com"


def test_a_stranger_is_waited_for_and_then_given_up(bench):
    (push,) = bench.pushes(Operation.CONSENT, 1)
    outcomes = [bench.run(bench.batches([replace(push, attempt=n)])[0][0])[1][0] for n in (1, 2, 3, 4)]

    assert [type(one) for one in outcomes] == [Again, Again, Again, Rejected]
    assert outcomes[0].after_s >= 60


def test_an_event_of_a_stranger_in_an_email_project_comes_again_until_the_user_is_there(email_bench):
    (push,) = email_bench.pushes(Operation.EVENTS, 1)
    push = replace(push, person=replace(push.person, email=None))
    (batch,) = email_bench.batches([push])[0]
    first = email_bench.run(batch)[1]
    (profile,) = email_bench.pushes(Operation.PROFILES, 1, fields={0: {"email": ""}})
    email_bench.settle([replace(profile, person=push.person)])

    assert isinstance(first[0], Again)
    assert isinstance(email_bench.settle([push])[push.delivery_id], Accepted)


def test_the_forgotten_are_refused_for_good(bench):
    (push,) = bench.pushes(Operation.PROFILES, 1)
    bench.settle([push])
    bench.settle(bench.pushes(Operation.ERASE, 1))

    assert bench.settle([push])[push.delivery_id].code == "forgotten"


def test_a_deletion_does_not_bar_the_person(bench):
    (push,) = bench.pushes(Operation.PROFILES, 1)
    bench.settle([push])
    (erase,) = bench.pushes(Operation.ERASE, 1)
    erase = replace(erase, options=erase.options.model_copy(update={"forget": False}))

    assert isinstance(bench.settle([erase])[erase.delivery_id], Accepted)
    assert bench.simulator.profiles == {}
    assert isinstance(bench.settle([push])[push.delivery_id], Accepted)


def test_without_an_address_an_email_project_can_only_delete(email_bench):
    (erase,) = email_bench.pushes(Operation.ERASE, 1)
    erase = replace(erase, fields={}, person=replace(erase.person, email=None))

    assert email_bench.destination.items(erase)[0].route == "delete"


def test_an_erasure_without_any_name_is_refused(bench):
    (erase,) = bench.pushes(Operation.ERASE, 1)
    erase = replace(erase, person=replace(erase.person, source_id=""))

    assert bench.destination.items(erase).code == "unsupported"


def test_all_codes_of_a_distribution_go_in_one_call(bench):
    bench.settle(bench.pushes(Operation.MESSAGES, 50))

    assert len(bench.simulator.calls("/api/events/trackBulk")) == 1
    assert len(bench.simulator.messages) == 50


def test_a_message_by_event_happens_once_however_often_it_is_sent(bench):
    pushes = bench.pushes(Operation.MESSAGES, 1)
    bench.settle(pushes)
    bench.settle(pushes)

    assert len(bench.simulator.messages) == 1


def test_campaign_and_journey_are_not_repeatable(bench):
    routes = bench.destination.routes()

    assert {routes[name].repeat for name in ("email", "sms", "push", "in_app", "journey")} == {"duplicates"}


@pytest.mark.parametrize("options", [{"via": "email"}, {"via": "journey", "campaign_id": 5}])
def test_a_message_must_name_what_to_send(options):
    with pytest.raises(ValueError, match="needs"):
        Iterable.Options[Operation.MESSAGES].model_validate(options)


def test_the_daily_cap_of_forgetting_is_kept(bench):
    rates = bench.destination.pools()["forget"].rates

    assert [(rate.count, rate.per_s) for rate in rates] == [(3, 1), (1_000, 86_400)]


def findings(bench: Bench, wanted: Wanted) -> list[tuple[str, str]]:
    end = run_flow([], bench.destination.prepare(wanted), bench.send, bench.destination.classify, lambda _: None)
    assert end.error is None
    return [(one.level, one.text) for one in end.value]


def test_prepare_creates_lists_and_finds_fields_of_another_type(bench):
    fields = {Operation.PROFILES: {"loyaltyPoints": "string", "firstName": "string", "signupDate": "datetime"}}
    found = findings(bench, Wanted(fields=fields, audiences=["vip", "newcomers"]))

    assert [level for level, _ in found] == ["ok", "warning"]
    assert "newcomers" in found[0][1]
    assert "loyaltyPoints" in found[1][1]
    assert sorted(bench.simulator.names.values()) == ["big_spenders", "newcomers", "vip"]
    assert findings(bench, Wanted(audiences=["vip", "newcomers"]))[0][1].startswith("Iterable has")


def test_the_simulator_slows_down_as_iterable_does(bench):
    bench.simulator.is_throttling = True
    ends = [bench.run(bench.batches(bench.pushes(Operation.PROFILES, 1, n))[0][0])[0] for n in range(6)]

    assert [end.error for end in ends[:5]] == [None] * 5
    assert isinstance(ends[5].error, RateLimited)


def test_the_mapping_writes_dates_as_iterable_reads_them():
    mapping = compile_outbound(read_file(discover()["iterable"].mapping_path, Folders()).document)
    metadata = {"last_seen": "2026-03-14T09:00:00Z", "anniversary": "2020-05-01", "a.b/c": 1, "itblDS": 2, "email": "x"}
    profile = {"birthdate": "1990-05-01", "created_at": "2025-02-03T08:00:00Z", "metadata": metadata}

    assert mapping.apply("profiles", {"profile": profile, "options": {}}).fields == {
        "birthday": "1990-05-01",
        "sourceCreatedAt": "2025-02-03 08:00:00 +00:00",
        "last_seen": "2026-03-14 09:00:00 +00:00",
        "anniversary": "2020-05-01",
        "a_b_c": 1,
        "metadata_email": "x",
    }


def test_the_mapping_finds_the_subscription_of_a_topic():
    mapping = compile_outbound(read_file(discover()["iterable"].mapping_path, Folders()).document)
    scope = {"options": {"topics": {"email.news": "messageType/202"}}, "profile": {}}

    found = mapping.apply("consent", {**scope, "consent": {"topic": "email.news", "status": "granted"}})
    missing = mapping.apply("consent", {**scope, "consent": {"topic": "sms", "status": "granted"}})

    assert found.fields == {"subscription": "messageType/202"}
    assert (missing.fields, missing.skip) == ({}, None)


def test_a_dialect_may_wrap_the_names_of_dates_and_leave_days_alone():
    dialect = Dialect({"dates": {"format": "iso_z", "prefix": "date(", "suffix": ")", "days": "keep"}})

    assert dialect.apply({"at": "2026-03-14T09:00:00Z", "on": "2026-03-14", "text": "noon"})[0] == {
        "date(at)": "2026-03-14T09:00:00.000Z",
        "date(on)": "2026-03-14",
        "text": "noon",
    }
