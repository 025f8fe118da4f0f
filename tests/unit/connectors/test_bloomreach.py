"""Bloomreach's own odds, beyond what the contract suite asks of every connector."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from connectors.bloomreach.connector import Bloomreach
from connectors.bloomreach.simulator import KEY_ID, PROJECT, SECRET, BloomreachSimulator
from hub.mapping.model import REMOVED
from hub.mapping.outbound import Outbound, compile_outbound
from hub.mapping.versions.files import Folders, read_file
from hub.registry.discovery import discover
from hub.sdk.declared import build
from hub.sdk.errors import AuthFailed, Permanent, RateLimited, Retryable, Split, Unreadable
from hub.sdk.flow import run_flow
from hub.sdk.json import dumps
from hub.sdk.kit.bench.bench import Bench, in_memory
from hub.sdk.kit.simulator.base import ManualClock, SimRequest
from hub.sdk.values import Accepted, Operation, Rejected, Request, Response, Wanted

NOW = datetime(2026, 3, 14, 9, tzinfo=UTC)
CUSTOMER = {"name": "customers", "data": {"customer_ids": {"registered": "ada"}, "properties": {"city": "Gdynia"}}}
ONE = Request("POST", "/track", json={"commands": [CUSTOMER]})
TWO = Request("POST", "/track", json={"commands": [CUSTOMER, CUSTOMER]})


@pytest.fixture
def bench() -> Bench:
    return in_memory(discover()["bloomreach"].subject())


@pytest.fixture
def bloomreach() -> Bloomreach:
    settings = {"base_url": "https://api.example.com/", "project_token": PROJECT}
    return build(Bloomreach, settings, {"api_key_id": KEY_ID, "api_secret": SECRET})


@pytest.fixture(scope="module")
def mapping() -> Outbound:
    return compile_outbound(read_file(Path(__file__).parents[3] / "mappings" / "bloomreach.yaml", Folders()).document)


def answer(status: int, body: object = None, **headers: str) -> Response:
    return Response(status, headers, body if isinstance(body, bytes) else dumps(body), NOW)


# ── answers ──────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("request_", "response", "error"),
    [
        (ONE, answer(200, {"success": True, "results": [{"success": True}]}), None),
        (ONE, answer(200, {"success": False, "results": [{"success": False}]}), None),
        (ONE, answer(200, {"success": False, "errors": ["At least one id should be specified."]}), Permanent),
        (TWO, answer(200, {"success": False, "message": "Invalid JSON"}), Split),
        (TWO, answer(400, {"success": False, "message": "Invalid JSON"}), Split),
        (TWO, answer(404, {"success": False}), Permanent),
        (TWO, answer(400, {"success": False, "error": "Invalid project id"}), AuthFailed),
        (TWO, answer(200, {"success": False, "errors": {"auth": ["No permission"]}}), AuthFailed),
        (TWO, answer(200, b"no permission"), AuthFailed),
        (TWO, answer(200, b"<html>no permission to see this page</html>"), Unreadable),
        (TWO, answer(200, []), Unreadable),
        (TWO, answer(200, {"time": 1}), Unreadable),
        (TWO, answer(401), AuthFailed),
        (TWO, answer(403, b"<html>"), AuthFailed),
        (TWO, answer(413), Split),
        (TWO, answer(429), RateLimited),
        (TWO, answer(500, {"success": False, "errors": ["no permission"]}), Retryable),
    ],
)
def test_an_answer_has_its_error(bloomreach, request_, response, error):
    assert type(bloomreach.classify(request_, response)) is (error or type(None))


def test_a_retry_after_is_honoured_where_it_comes(bloomreach):
    error = bloomreach.classify(ONE, answer(429, {"success": False}, **{"retry-after": "30"}))

    assert error.until == datetime(2026, 3, 14, 9, 0, 30, tzinfo=UTC)


def test_an_unreadable_success_may_have_been_acted_upon(bloomreach):
    assert bloomreach.classify(ONE, answer(200, [])).unknown


def test_the_words_of_a_refusal_stand_in_the_error(bloomreach):
    refused = answer(400, {"success": False, "errors": {"commands": ["too many", "too many"]}, "message": "Bad"})

    assert "commands: too many; Bad" in str(bloomreach.classify(TWO, refused))


def test_check_tells_a_bad_key_from_a_bad_project(bench):
    findings = []
    for changed in ({"api_secret": "wrong"}, {"project_token": "another"}, {}):
        settings = {**bench.simulator.example_settings(), **changed}
        trial = in_memory(discover()["bloomreach"].subject(), settings)
        findings += run_flow([], trial.destination.check(), trial.send, trial.destination.classify, print).value

    assert [one.level for one in findings] == ["error", "error", "ok"]
    assert "Could not authenticate" in findings[0].text
    assert "Invalid project id" in findings[1].text


def test_a_missing_permission_lets_the_rest_of_the_call_go(bench):
    bench.simulator.permissions.discard("customers/events")
    (batch,), _ = bench.batches([*bench.pushes(Operation.PROFILES, 1), *bench.pushes(Operation.EVENTS, 1, 1)])
    end, reports = bench.run(batch)

    assert [type(one) for one in reports] == [Accepted]
    assert isinstance(end.error, AuthFailed)
    assert end.open_ids == (batch.records[1].delivery_id,)
    assert list(bench.simulator.profiles) == ["person-0"]


def test_a_legacy_deployment_pauses_erasures_too(bench):
    bench.simulator.permissions.discard("anonymize")
    bench.simulator.is_legacy = True
    results = bench.settle(bench.pushes(Operation.ERASE, 1))

    assert [type(one) for one in results.values()] == [AuthFailed]


def test_prepare_names_the_properties_that_an_erasure_can_only_remove_if_they_are_private(bloomreach):
    def found(wanted):
        return run_flow([], bloomreach.prepare(wanted), print, bloomreach.classify, print).value

    (finding,) = found(Wanted({Operation.PROFILES: {"phone": "string", "email": "string"}}))
    assert finding.level == "unknown"
    assert "email, phone" in finding.text
    assert found(Wanted()) == []


# ── what is sent ─────────────────────────────────────────────────────────────────────────────────────────────────


def body_of(bench: Bench, push: object) -> dict:
    (item,) = bench.destination.items(push)
    return item.body["data"]


def test_one_call_never_holds_two_records_of_a_person_since_they_run_in_any_order(bloomreach):
    assert bloomreach.routes()["commands"].items_per_profile == 1
    assert bloomreach.pools()["tracking"].scope == "address"


@pytest.mark.parametrize("who", ["", " ", "0", "null", "NULL", "undefined", "None", "NaN"])
def test_a_placeholder_is_refused_before_sending(bench, who):
    for operation in bench.destination.Options:
        (push,) = bench.pushes(operation, 1)
        refused = bench.destination.items(replace(push, person=replace(push.person, source_id=who)))
        assert isinstance(refused, Rejected)
        assert refused.code == "placeholder_id"


def test_ids_are_sent_letter_by_letter_unless_told_otherwise(bench):
    (push,) = bench.pushes(Operation.PROFILES, 1)
    push = replace(push, person=replace(push.person, source_id=" Ada "))

    assert body_of(bench, push)["customer_ids"] == {"registered": " Ada "}


def test_a_repeated_event_has_the_same_id_and_a_backfill_is_marked(bench):
    (push,) = bench.pushes(Operation.EVENTS, 1)
    first, again = body_of(bench, push), body_of(bench, replace(push, attempt=2, now=NOW.replace(hour=12)))
    quiet = body_of(bench, replace(push, quiet=True))

    assert first == again
    assert first["properties"]["event_id"] == push.vendor_key
    assert quiet["properties"]["is_backfill"] is True


def test_two_writes_within_a_second_keep_their_order(bench):
    (push,) = bench.pushes(Operation.PROFILES, 1)
    early = replace(push, now=NOW.replace(microsecond=200_000), changed={"city": "Gdynia"})
    late = replace(push, now=NOW.replace(microsecond=900_000), changed={"city": "Sopot"}, delivery_id="D" + "9" * 25)
    bench.settle([late])
    bench.settle([early])

    assert bench.simulator.profiles["person-0"]["city"] == "Sopot"


def test_a_property_the_hub_calls_unset_is_written_as_null_beside_the_changes(bench):
    (push,) = bench.pushes(Operation.PROFILES, 1)
    data = body_of(bench, replace(push, changed={"city": "Sopot"}, unset=["state", "city"]))

    assert data["properties"] == {"city": "Sopot", "state": None}


def test_a_consent_without_a_category_is_refused(bench):
    (push,) = bench.pushes(Operation.CONSENT, 1)
    refused = bench.destination.items(replace(push, fields={}))

    assert isinstance(refused, Rejected)
    assert refused.field == "category"


def test_a_consent_without_a_time_of_its_own_has_that_of_the_delivery(bench):
    (push,) = bench.pushes(Operation.CONSENT, 1)

    assert body_of(bench, push)["timestamp"] == push.at.timestamp()


def test_an_attribute_from_the_options_stands_where_the_mapping_names_none(bench):
    (push,) = bench.pushes(Operation.AUDIENCE, 1)
    options = push.options.model_copy(update={"attribute": "circles"})

    assert body_of(bench, replace(push, fields={}, options=options))["properties"] == {"circles": ["vip"]}


# ── the mapping ──────────────────────────────────────────────────────────────────────────────────────────────────


def test_removed_traits_become_null_and_dates_unix_seconds(mapping):
    profile = {
        "city": None,
        "address": {"city": REMOVED},
        "birthdate": "1965-03-01",
        "metadata": {"seen": "2026-03-14T09:00:00Z"},
    }
    mapped = mapping.apply("profiles", {"profile": profile, "options": {}})

    assert mapped.fields == {"birthday": -152668800, "city": None, "seen": 1773478800}
    assert mapped.unset == ("city",)


def test_metadata_cannot_take_the_place_of_an_address(mapping):
    profile = {"metadata": {"email": "other@example.com", "hub_segments": ["x"], "imię": "Ada"}}
    mapped = mapping.apply("profiles", {"profile": profile, "options": {}})

    assert mapped.fields == {"metadata_email": "other@example.com", "metadata_hub_segments": ["x"], "imi_": "Ada"}


@pytest.mark.parametrize(
    ("key", "name"), [("consent", "source_consent"), ("purchase_item", "source_purchase_item"), ("viewed", "viewed")]
)
def test_names_with_a_meaning_are_kept_apart(mapping, key, name):
    event = {"key": key, "name": key.title(), "properties": {"event_id": "theirs"}}
    mapped = mapping.apply("events", {"event": event, "options": {}})

    assert mapped.name == name
    assert mapped.fields == {"properties": {"source_event_id": "theirs"}}


@pytest.mark.parametrize(
    ("topic", "category"),
    [("email", "email"), ("email.newsletter", "email.newsletter"), ("purpose.ads", "purpose.ads")],
)
def test_a_consent_topic_is_its_category(mapping, topic, category):
    consent = {"topic": topic, "status": "granted", "at": "2026-03-14T09:00:00Z"}
    mapped = mapping.apply("consent", {"consent": consent, "options": {}})

    assert mapped.fields == {"category": category, "valid_until": "unlimited", "source": "hub", "timestamp": 1773478800}


def test_an_email_reads_iso_dates_and_an_event_unix_seconds(mapping):
    scope = {"code": {"code": "S-1", "expires_at": "2026-04-01T00:00:00Z"}, "profile": {"first_name": "Ada"}}
    email = mapping.apply("messages", {**scope, "options": {"template_id": "t-1", "code_attribute": "voucher"}})
    event = mapping.apply("messages", {**scope, "options": {"template_id": ""}})

    assert email.fields["params"] == {
        "voucher": "S-1",
        "voucher_expires_at": "2026-04-01T00:00:00Z",
        "first_name": "Ada",
    }
    assert event.fields["properties"] == {"incentive_code": "S-1", "incentive_code_expires_at": 1775001600}


# ── the simulator ────────────────────────────────────────────────────────────────────────────────────────────────


def call(simulator: BloomreachSimulator, body: object, path: str = "track/v2/projects/{}/batch") -> tuple[int, dict]:
    import base64

    basic = base64.b64encode(f"{KEY_ID}:{SECRET}".encode()).decode()
    headers = {"authorization": f"Basic {basic}"}
    raw = body if isinstance(body, bytes) else dumps(body)
    response = simulator.answer(SimRequest("POST", "/" + path.format(PROJECT), headers=headers, body=raw))
    return response.status, response.json


def customer(who: str, properties: object, **more: object) -> dict:
    return {"name": "customers", "data": {"customer_ids": {"registered": who}, "properties": properties, **more}}


def event(who: str, kind: str, properties: object, **more: object) -> dict:
    data = {"customer_ids": {"registered": who}, "event_type": kind, "properties": properties, **more}
    return {"name": "customers/events", "data": data}


def test_the_simulator_refuses_what_is_no_batch():
    simulator = BloomreachSimulator()

    assert call(simulator, b"{") == (400, {"success": False, "message": "Invalid JSON"})
    assert call(simulator, {"commands": [customer("ada", {})] * 51})[0] == 400


@pytest.mark.parametrize(
    ("command", "words"),
    [
        ({"name": "customers", "data": {"customer_ids": {}, "properties": {}}}, "At least one id"),
        (customer("ada", []), "must be an object"),
        (customer("ada", {"a": "x" * 17_000}), "larger than 16 KB"),
        (customer("ada", {"imię": 1}), "ASCII"),
        (customer("ada", {}, update_timestamp="2026-03-14"), "update_timestamp"),
        (event("ada", "", {}), "event_type"),
        ({"name": "customers/delete"}, "Unknown command"),
        ({"name": "customers", "data": {"customer_ids": {"email": "x"}, "properties": {}}}, "no id email"),
        (
            {
                "name": "customers",
                "data": {"customer_ids": {"registered": "a"}, "properties": {str(n): "x" * 16_000 for n in range(52)}},
            },
            "800 KB",
        ),
    ],
)
def test_the_simulator_validates_each_command_alone(command, words):
    simulator = BloomreachSimulator()
    status, body = call(simulator, {"commands": [command, customer("bob", {"city": "Sopot"})]})

    assert status == 200
    assert [one["success"] for one in body["results"]] == [False, True]
    assert words in body["results"][0]["errors"][0]
    assert simulator.profiles == {"bob": {"city": "Sopot"}}


def test_the_simulator_runs_commands_in_any_order():
    orders = set()
    for seed in range(8):
        simulator = BloomreachSimulator(seed=seed)
        call(simulator, {"commands": [event("ada", f"e{n}", {"n": n}) for n in range(4)]})
        orders.add(tuple(one["event_type"] for one in simulator.events))

    assert len(orders) > 1


def test_the_simulator_keeps_the_newer_value_of_each_property():
    simulator = BloomreachSimulator()
    call(simulator, {"commands": [customer("ada", {"city": "Sopot"}, update_timestamp=20)]})
    call(simulator, {"commands": [customer("ada", {"city": "Gdynia", "state": "PM"}, update_timestamp=10)]})

    assert simulator.profiles["ada"] == {"city": "Sopot", "state": "PM"}


def test_the_simulator_discards_properties_beyond_the_contract_without_a_word():
    simulator = BloomreachSimulator(max_properties=1)
    status, body = call(simulator, {"commands": [customer("ada", {"a": 1, "b": 2})]})

    assert (status, body["results"]) == (200, [{"success": True}])
    assert simulator.profiles["ada"] == {"a": 1}


def test_the_simulator_can_read_quoted_digits_as_numbers():
    simulator = BloomreachSimulator(reads_numbers=True)
    call(simulator, {"commands": [customer("ada", {"code": "00123", "plan": "1e5x"})]})

    assert simulator.profiles["ada"] == {"code": 123.0, "plan": "1e5x"}


def test_a_consent_that_expired_counts_as_revoked():
    clock = ManualClock()
    simulator = BloomreachSimulator(clock=clock)
    until = clock().timestamp() + 60
    grant = {"action": "accept", "category": "newsletter", "valid_until": until}
    call(
        simulator,
        {"commands": [event("ada", "consent", grant), event("bob", "consent", {**grant, "action": "Accept"})]},
    )

    assert simulator.is_consented("ada", "newsletter")
    assert not simulator.is_consented("bob", "newsletter")  # other spellings mean nothing
    clock.advance(61)
    assert not simulator.is_consented("ada", "newsletter")


def test_what_is_too_fast_is_dropped():
    clock = ManualClock()
    simulator = BloomreachSimulator(calls_per_s=1, clock=clock)
    statuses = [call(simulator, {"commands": [customer(who, {"n": 1})]})[0] for who in ("ada", "bob")]
    clock.advance(1)
    statuses.append(call(simulator, {"commands": [customer("cleo", {"n": 1})]})[0])

    assert statuses == [200, 429, 200]
    assert sorted(simulator.profiles) == ["ada", "cleo"]


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ({}, "recipient"),
        ({"recipient": {"customer_ids": {"registered": "a"}}, "email_content": {"html": "x"}}, "email_content"),
        (
            {"recipient": {"customer_ids": {"registered": "a"}}, "email_content": {"template_id": "t", "params": "{}"}},
            "params",
        ),
        ({"recipient": {"customer_ids": {"registered": "a"}}, "email_content": {"template_id": "t"}}, "campaign_name"),
        ({"recipient": {}, "email_content": {"template_id": "t"}, "campaign_name": "c"}, "At least one id"),
    ],
)
def test_the_simulator_checks_transactional_emails(body, words):
    status, told = call(BloomreachSimulator(), body, "email/v2/projects/{}/sync")

    assert status == 400
    assert words in told["errors"][0]
