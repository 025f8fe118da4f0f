"""CleverTap's own odds, beyond what the contract suite asks of every connector."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from connectors.clevertap import validation
from connectors.clevertap.connector import CleverTap
from connectors.clevertap.simulator import ACCOUNT, PASSCODE, CleverTapSimulator
from hub.mapping.model import REMOVED
from hub.mapping.outbound import Outbound, compile_outbound
from hub.mapping.versions.files import Folders, read_file
from hub.registry.discovery import discover
from hub.sdk.declared import build
from hub.sdk.errors import AuthFailed, ConfigurationError, Permanent, RateLimited, Retryable, Split, Unreadable
from hub.sdk.flow import run_flow
from hub.sdk.json import dumps
from hub.sdk.kit.bench.bench import Bench, in_memory
from hub.sdk.kit.simulator.base import ManualClock, SimRequest
from hub.sdk.values import Accepted, Again, Operation, Rejected, Request, Response, Wanted

NOW = datetime(2026, 3, 14, 9, tzinfo=UTC)
ONE = Request("POST", "/1/upload", json={"d": [{}]})
TWO = Request("POST", "/1/upload", json={"d": [{}, {}]})


@pytest.fixture
def bench() -> Bench:
    return in_memory(discover()["clevertap"].subject())


@pytest.fixture
def clevertap() -> CleverTap:
    return build(CleverTap, {"account_id": ACCOUNT}, {"passcode": PASSCODE})


@pytest.fixture(scope="module")
def mapping() -> Outbound:
    return compile_outbound(read_file(Path(__file__).parents[3] / "mappings" / "clevertap.yaml", Folders()).document)


def answer(status: int, body: object = None, **headers: str) -> Response:
    return Response(status, headers, body if isinstance(body, bytes) else dumps(body), NOW)


# ── answers ──────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("request_", "response", "error"),
    [
        (TWO, answer(200, {"status": "success", "processed": 2, "unprocessed": []}), None),
        (TWO, answer(200, {"status": "partial", "processed": 1, "unprocessed": [{}]}), None),
        (TWO, answer(200, {"status": "fail", "processed": 0, "unprocessed": [{}, {}]}), None),
        (TWO, answer(200, {"status": "fail", "processed": 0, "unprocessed": []}), Split),
        (ONE, answer(200, {"status": "fail", "processed": 0, "unprocessed": []}), Permanent),
        (Request("POST", "/1/delete", json={"identity": ["a", "b"]}), answer(200, {"status": "fail"}), Split),
        (Request("GET", "/1/profile.json"), answer(200, {"status": "fail", "error": "Profile not found"}), Permanent),
        (TWO, answer(400, b"<html>"), Split),
        (ONE, answer(400, {"error": "Malformed"}), Permanent),
        (TWO, answer(401, {"error": "Invalid Credentials"}), AuthFailed),
        (TWO, answer(403), AuthFailed),
        (TWO, answer(404), Permanent),
        (TWO, answer(409), Permanent),
        (TWO, answer(413), Split),
        (TWO, answer(429, {"error": "Too many concurrent requests"}), RateLimited),
        (TWO, answer(503), Retryable),
        (TWO, answer(200, []), Unreadable),
        (TWO, answer(200, {"status": "done"}), Unreadable),
    ],
)
def test_an_answer_has_its_error(clevertap, request_, response, error):
    assert type(clevertap.classify(request_, response)) is (error or type(None))


def test_an_unreadable_success_may_have_been_acted_upon(clevertap):
    assert clevertap.classify(TWO, answer(200, {"status": "done"})).unknown


def test_a_refusal_of_the_credentials_reminds_of_the_region(clevertap):
    error = clevertap.classify(ONE, answer(401, {"error": "Invalid Credentials"}))

    assert "region" in str(error)
    assert "Invalid Credentials" in str(error)


def run(bench: Bench, pushes: list, body: dict) -> tuple:
    """One batch of these pushes, answered with this body."""
    (batch,), _ = bench.batches(pushes)
    return bench.run(batch, lambda _request: answer(200, body))


def test_equal_records_are_refused_as_often_as_they_are_listed(bench):
    one, two = bench.pushes(Operation.EVENTS, 1)[0], bench.pushes(Operation.EVENTS, 1)[0]
    two = replace(two, delivery_id="D" + "9" * 25)
    echo = {"code": 513, "error": "Restricted system event", "record": bench.destination.items(one)[0].body}
    once, twice = (
        run(bench, [one, two], {"status": "partial", "processed": 2 - count, "unprocessed": [echo] * count})[1]
        for count in (1, 2)
    )

    assert [type(report) for report in once] == [Rejected, Accepted]
    assert [type(report) for report in twice] == [Rejected, Rejected]


def test_when_as_many_are_refused_as_are_left_it_is_plain_who_is_meant(bench):
    pushes = bench.pushes(Operation.EVENTS, 2)
    body = {"status": "fail", "processed": 0, "unprocessed": [{"code": 509, "error": "A"}, {"code": 555, "error": "B"}]}
    _, reports = run(bench, pushes, body)

    assert [type(one) for one in reports] == [Rejected, Again]
    assert reports[0].code == "509"


def test_a_mixed_call_is_never_halved_for_an_unnamed_refusal(bench):
    """The profile could be sent again, the event of the same call could not."""
    pushes = [*bench.pushes(Operation.PROFILES, 1), *bench.pushes(Operation.EVENTS, 1, 1)]
    end, reports = run(
        bench, pushes, {"status": "partial", "processed": 1, "unprocessed": [{"code": 512, "error": "?"}]}
    )

    assert end.error is None
    assert [type(one) for one in reports] == [Accepted, Accepted]
    assert all("without naming it: ?" in one.notices[0] for one in reports)


def test_an_upload_that_hides_its_reasons_costs_only_the_culprit(bench):
    bench.simulator.hides_reasons = True
    results = bench.settle(bench.pushes(Operation.PROFILES, 9, 0, {4: {"Gender": "X"}}))

    assert [type(one).__name__ for one in results.values()].count("Accepted") == 8
    assert sorted(bench.simulator.profiles) == sorted(f"person-{n}" for n in range(9) if n != 4)


def test_what_was_processed_is_not_sent_again_beside_a_server_error(bench):
    bench.simulator.broken = {"person-1"}
    (batch,), _ = bench.batches(bench.pushes(Operation.EVENTS, 3))
    _, reports = bench.run(batch)

    assert sorted(type(one).__name__ for one in reports) == ["Accepted", "Accepted", "Again"]
    assert [one["identity"] for one in bench.simulator.events] == ["person-0", "person-2"]


def test_other_tools_at_the_limit_make_it_wait(bench):
    bench.simulator.under_way = {"/1/upload": 15, "/1/delete/profiles.json": 2}
    uploads = bench.settle(bench.pushes(Operation.EVENTS, 1))
    deletions = bench.settle(bench.pushes(Operation.ERASE, 1))

    assert [type(one) for one in uploads.values()] == [RateLimited]
    assert [type(one) for one in deletions.values()] == [Accepted]


# ── declarations ─────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("region", "host"),
    [("eu1", "eu1.api.clevertap.com"), ("in1", "in1.api.clevertap.com"), ("api", "api.clevertap.com")],
)
def test_a_region_is_a_host(region, host):
    made = build(CleverTap, {"region": region, "account_id": ACCOUNT}, {"passcode": PASSCODE})

    assert made.hosts() == {"api": f"https://{host}"}


def test_a_region_that_is_none_is_refused():
    with pytest.raises(ConfigurationError, match="region"):
        build(CleverTap, {"region": "eu9", "account_id": ACCOUNT}, {"passcode": PASSCODE})


def test_requests_under_way_are_counted_apart_for_uploads_and_the_rest(clevertap):
    pools = clevertap.pools()

    assert (pools["uploads"].parallel, pools["others"].parallel) == (15, 3)
    assert clevertap.routes()["upload"].items == 1_000
    assert clevertap.routes()["delete"].items == 100


def test_check_is_content_whatever_the_lookup_finds_and_changes_nothing(bench):
    end = run_flow([], bench.destination.check(), bench.send, bench.destination.classify, print)

    assert [one.level for one in end.value] == ["ok"]
    assert bench.simulator.profiles == {}


def test_prepare_warns_of_more_names_than_an_account_holds(clevertap):
    def found(wanted):
        return run_flow([], clevertap.prepare(wanted), print, clevertap.classify, print).value

    few = {"Name": "string", "Email": "string", **{f"a{n}": "string" for n in range(256)}}
    many = {**few, "b": "string"}
    assert found(Wanted({Operation.PROFILES: few}, [f"e{n}" for n in range(512)])) == []
    assert ["257 profile attributes" in one.text for one in found(Wanted({Operation.PROFILES: many}))] == [True]
    assert ["513 event names" in one.text for one in found(Wanted({}, [f"e{n}" for n in range(513)]))] == [True]


# ── what is sent ─────────────────────────────────────────────────────────────────────────────────────────────────


def body_of(bench: Bench, push: object) -> dict:
    (item,) = bench.destination.items(push)
    return item.body


def test_a_record_without_an_identity_is_refused_before_sending(bench):
    for operation in bench.destination.Options:
        (push,) = bench.pushes(operation, 1)
        refused = bench.destination.items(replace(push, person=replace(push.person, source_id="")))
        assert isinstance(refused, Rejected)


def test_an_event_name_loses_the_characters_that_clevertap_forbids(bench):
    (push,) = bench.pushes(Operation.EVENTS, 1)

    assert (
        body_of(bench, replace(push, name='Order: "50% off" & more | a.b\'s #1'))["evtName"]
        == "Order_ _50_ off_ _ more _ a_b_s #1"
    )
    assert len(body_of(bench, replace(push, name="ż" * 100))["evtName"].encode()) == 120


@pytest.mark.parametrize(
    ("text", "kept"), [("x" * 513, 512), ("ż" * 300, 512), ("🎟️" * 100, 511), ("a\ud800" * 300, 512), ("x" * 512, 512)]
)
def test_a_text_is_cut_to_512_bytes_at_a_whole_character_and_the_log_says_so(bench, text, kept):
    (push,) = bench.pushes(Operation.PROFILES, 1)
    push = replace(push, changed={"note": text, "Name": "Ada"})
    sent = body_of(bench, push)["profileData"]["note"]
    (outcome,) = bench.settle([push]).values()

    assert len(sent.encode("utf-8", "replace")) <= kept
    assert isinstance(outcome, Accepted)
    assert bool(outcome.notices) is (sent != text)


def test_the_time_of_a_record_is_in_whole_seconds_also_before_1970(bench):
    (push,) = bench.pushes(Operation.EVENTS, 1)

    assert body_of(bench, replace(push, at=datetime(1969, 12, 31, 23, 59, 58, 500_000, tzinfo=UTC)))["ts"] == -2


def test_two_hours_are_still_fresh(bench):
    edge, late = bench.pushes(Operation.EVENTS, 2)
    results = bench.settle(
        [replace(edge, at=edge.now - timedelta(hours=2)), replace(late, at=late.now - timedelta(hours=2, seconds=1))]
    )

    assert [len(one.notices) for one in results.values()] == [0, 1]


def test_a_membership_without_mapped_names_uses_the_options_and_the_hubs_key(bench):
    (push,) = bench.pushes(Operation.AUDIENCE, 1)

    assert body_of(bench, replace(push, fields={}, member=False))["profileData"] == {
        "hub_segments": {"$remove": ["vip"]}
    }


# ── the mapping ──────────────────────────────────────────────────────────────────────────────────────────────────


def test_removed_traits_are_named_for_the_connector(mapping):
    profile = {"email": REMOVED, "address": {"city": REMOVED}, "metadata": {"tier": REMOVED}}
    mapped = mapping.apply("profiles", {"profile": profile, "options": {}})

    assert mapped.fields == {}
    assert sorted(mapped.unset) == ["Email", "home_city", "tier"]


def test_metadata_is_flattened_renamed_and_typed(mapping):
    metadata = {
        "Email": "x@example.com",
        "price.net": 1.5,
        "size": {"shoe": 38},
        "tags": ["a", 1],
        "seen": "2026-03-14T09:00:00Z",
        "vip": False,
    }
    mapped = mapping.apply("profiles", {"profile": {"metadata": metadata}, "options": {}})

    assert mapped.fields == {
        "metadata_Email": "x@example.com", "price_net": 1.5, "size_shoe": 38, "tags": ["a", "1"], "seen": "$D_1773478800", "vip": False,
    }  # fmt: skip


@pytest.mark.parametrize(("gender", "sent"), [("male", "M"), ("female", "F"), ("other", None), ("divers", None)])
def test_no_gender_but_two_is_sent(mapping, gender, sent):
    mapped = mapping.apply("profiles", {"profile": {"gender": gender}, "options": {}})

    assert mapped.fields.get("Gender") == sent
    assert mapped.warnings == ()


@pytest.mark.parametrize(
    ("names", "sent"),
    [
        ({"name": "Ada L."}, "Ada L."),
        ({"first_name": "Ada", "last_name": "Lovelace"}, "Ada Lovelace"),
        ({"first_name": "Ada"}, "Ada"),
        ({"last_name": "Lovelace"}, "Lovelace"),
    ],
)
def test_a_name_is_one_text(mapping, names, sent):
    assert mapping.apply("profiles", {"profile": names, "options": {}}).fields == {"Name": sent}


@pytest.mark.parametrize(("status", "sent"), [("granted", True), ("denied", False), ("unknown", None)])
def test_an_unknown_consent_leaves_the_flag_alone(mapping, status, sent):
    profile = {"consents": {"sms": {"status": status}}}

    assert mapping.apply("profiles", {"profile": profile, "options": {}}).fields.get("MSG-sms") is sent


def test_lists_of_an_event_are_json_text_but_the_items_of_an_order(mapping):
    event = {"key": "viewed", "name": "Viewed", "properties": {"tags": ["a", "b"], "where": {"city": "Gdynia"}}}
    mapped = mapping.apply("events", {"event": event, "options": {}})

    assert mapped.fields == {"evtData": {"tags": '["a","b"]', "where_city": "Gdynia"}}
    assert mapped.name == "Viewed"


@pytest.mark.parametrize(
    ("topic", "fields"),
    [
        ("email", {"type": "email", "value": "ada@example.com", "flag": "MSG-email"}),
        ("sms", {"type": "phone", "value": "+48500100200", "flag": "MSG-sms"}),
        ("whatsapp", {"type": "whatsapp", "value": "+48500100200", "flag": "MSG-whatsapp"}),
        ("push", {"flag": "MSG-push"}),
        ("email.offers", {"category": {"email": ["offers"]}}),
        ("sms.offers", {"topic": "sms.offers"}),
        ("purpose.ads", {"topic": "purpose.ads"}),
    ],
)
def test_each_topic_of_a_consent_has_its_place_or_none(mapping, topic, fields):
    scope = {
        "profile": {"email": "ada@example.com", "phone": "+48500100200"},
        "consent": {"topic": topic, "status": "denied"},
        "options": {},
    }

    assert mapping.apply("consent", scope).fields == fields


def test_the_address_of_a_consent_beats_that_of_the_profile(mapping):
    scope = {
        "profile": {"email": "new@example.com"},
        "consent": {"topic": "email", "address": "old@example.com"},
        "options": {},
    }

    assert mapping.apply("consent", scope).fields["value"] == "old@example.com"


# ── the simulator ────────────────────────────────────────────────────────────────────────────────────────────────

PROFILE = {"type": "profile", "identity": "ada", "profileData": {}}
EVENT = {"type": "event", "identity": "ada", "evtName": "Viewed", "evtData": {}}


@pytest.mark.parametrize(
    ("record", "code"),
    [
        (PROFILE, 0),
        (EVENT, 0),
        ({**EVENT, "evtName": ""}, 509),
        ({**EVENT, "evtData": []}, 512),
        ({**EVENT, "evtData": {"a.b": 1}}, 512),
        ({**EVENT, "evtData": {"a": ["b"]}}, 512),
        ({**EVENT, "evtData": {"a": "x" * 513}}, 512),
        ({**EVENT, "evtData": {"Items": [{"a": 1}]}}, 512),
        ({**EVENT, "evtName": "Charged", "evtData": {"Items": [{"a": 1}]}}, 0),
        ({**EVENT, "evtName": "Charged", "evtData": {"Items": [{"a": {}}]}}, 512),
        ({**EVENT, "evtName": "Charged", "evtData": {"Items": "[]"}}, 512),
        ({**EVENT, "evtName": "App Launched"}, 513),
        ({**EVENT, "evtData": {f"p{n}": n for n in range(101)}}, 522),
        ({**EVENT, "identity": ""}, 523),
        ({**EVENT, "type": "page"}, 524),
        ("event", 524),
        ({**EVENT, "ts": 1_772_359_200_000}, 525),
        ({**EVENT, "ts": "2026-03-01"}, 525),
        ({**PROFILE, "profileData": {"Gender": "other"}}, 514),
        ({**PROFILE, "profileData": {"Email": "ada"}}, 515),
        ({**PROFILE, "profileData": {"Email": {"$delete": 1}}}, 0),
        ({**PROFILE, "profileData": {"Phone": "500100200"}}, 516),
        ({**PROFILE, "profileData": {"Employed": "maybe"}}, 517),
        ({**PROFILE, "profileData": {"Education": "life"}}, 518),
        ({**PROFILE, "profileData": {"Married": True}}, 519),
        ({**PROFILE, "profileData": {"Age": "40"}}, 520),
        ({**PROFILE, "profileData": {"a#b": 1}}, 512),
        ({**PROFILE, "profileData": {"a": {"b": 1}}}, 512),
        ({**PROFILE, "profileData": {"a": [1]}}, 512),
        ({**PROFILE, "profileData": {"a": None}}, 512),
        ({**PROFILE, "profileData": None}, 512),
    ],
)
def test_the_simulator_has_clevertaps_codes(record, code):
    assert validation.fault(record) == code


def call(
    simulator: CleverTapSimulator, path: str, body: object, method: str = "POST", **query: str
) -> tuple[int, dict]:
    headers = {"x-clevertap-account-id": ACCOUNT, "x-clevertap-passcode": PASSCODE}
    raw = body if isinstance(body, bytes) else dumps(body)
    response = simulator.answer(SimRequest(method, path, query, headers, raw))
    return response.status, response.json


def test_the_simulator_answers_success_partial_and_fail():
    simulator = CleverTapSimulator()
    bad = {**EVENT, "evtName": ""}
    answers = [call(simulator, "/1/upload", {"d": records})[1] for records in ([EVENT], [EVENT, bad], [bad])]

    assert [(one["status"], one["processed"], len(one["unprocessed"])) for one in answers] == [
        ("success", 1, 0), ("partial", 1, 1), ("fail", 0, 1),
    ]  # fmt: skip
    assert answers[1]["unprocessed"][0]["record"] == bad
    assert answers[1]["unprocessed"][0]["error"].endswith("Skipped record number : 2")


@pytest.mark.parametrize("body", [b"{", [], {}, {"d": []}, {"d": [EVENT] * 1_001}])
def test_the_simulator_refuses_what_is_no_upload(body):
    assert call(CleverTapSimulator(), "/1/upload", body)[0] == 400


def test_the_simulator_knows_the_operators():
    simulator = CleverTapSimulator()
    for data in (
        {"visits": 1, "tags": ["new"], "note": "x"},
        {"visits": {"$incr": 2}, "tags": {"$add": ["vip", "new"]}},
        {"visits": {"$decr": 1}, "tags": {"$remove": ["new"]}, "note": {"$delete": 1}},
    ):
        call(simulator, "/1/upload", {"d": [{**PROFILE, "profileData": data}]})

    assert simulator.profiles["ada"] == {"visits": 2, "tags": ["vip"]}


def test_a_multi_value_attribute_keeps_its_latest_hundred():
    simulator = CleverTapSimulator()
    for part in ([f"a{n}" for n in range(90)], [f"b{n}" for n in range(20)]):
        call(simulator, "/1/upload", {"d": [{**PROFILE, "profileData": {"tags": {"$add": part}}}]})

    assert len(simulator.profiles["ada"]["tags"]) == 100
    assert simulator.profiles["ada"]["tags"][-1] == "b19"


def test_a_full_account_leaves_new_attributes_out():
    simulator = CleverTapSimulator(max_attributes=1)
    call(simulator, "/1/upload", {"d": [{**PROFILE, "profileData": {"a": 1, "b": 2}}]})

    assert simulator.profiles["ada"] == {"a": 1}


def test_a_dry_run_keeps_nothing():
    simulator = CleverTapSimulator()
    status, body = call(simulator, "/1/upload", {"d": [EVENT]}, dryRun="1")

    assert (status, body["status"], simulator.events) == (200, "success", [])


@pytest.mark.parametrize(("age_s", "sent"), [(0, 1), (7_200, 1), (7_201, 0), (-120, 1), (-121, 0)])
def test_a_live_campaign_sends_for_fresh_events_only(age_s, sent):
    simulator = CleverTapSimulator(clock=ManualClock(NOW))
    event = {**EVENT, "evtName": "Incentive Assigned", "ts": int(NOW.timestamp()) - age_s}
    call(simulator, "/1/upload", {"d": [event]})

    assert (len(simulator.events), len(simulator.messages)) == (1, sent)


def test_a_repeated_upload_is_a_second_event():
    simulator = CleverTapSimulator()
    for _ in range(2):
        call(simulator, "/1/upload", {"d": [EVENT]})

    assert len(simulator.events) == 2


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/1/delete/profiles.json", {"identity": ["a"], "guid": ["b"]}),
        ("/1/delete/profiles.json", {}),
        ("/1/delete/profiles.json", {"identity": ["a"] * 101}),
        ("/1/delete/profiles.json", {"identity": [""]}),
        ("/1/send/externaltrigger.json", {"to": {"identity": ["a"]}, "campaign_id": "1", "ExternalTrigger": {"n": 1}}),
        ("/1/send/externaltrigger.json", {"to": {"identity": []}, "campaign_id": "1"}),
        ("/1/send/externaltrigger.json", {"to": {"identity": ["a"]}}),
        ("/1/send/externaltrigger.json", []),
    ],
)
def test_the_simulator_refuses_calls_that_are_not_well_formed(path, body):
    assert call(CleverTapSimulator(), path, body)[0] == 400


def test_the_simulator_needs_account_and_passcode():
    response = CleverTapSimulator().answer(SimRequest("POST", "/1/upload", headers={"x-clevertap-passcode": PASSCODE}))

    assert (response.status, response.json) == (401, {"status": "fail", "error": "Invalid Credentials", "code": 401})
