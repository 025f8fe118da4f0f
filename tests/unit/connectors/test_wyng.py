"""Wyng: values fitted to a data model, settings that must agree with each other, and what is not possible there."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from connectors.wyng.connector import Wyng
from connectors.wyng.model import DataModel
from connectors.wyng.settings import WyngSettings
from hub.registry.discovery import discover, get
from hub.sdk.declared import build
from hub.sdk.errors import ConfigurationError, Permanent
from hub.sdk.flow import run_flow
from hub.sdk.json import dumps
from hub.sdk.kit.bench.bench import Bench, in_memory
from hub.sdk.values import Accepted, EventPush, Operation, Person, Rejected, Response, Wanted

NOW = datetime(2026, 3, 14, 9, 0, tzinfo=UTC)
MODEL = DataModel.read("name:text born:date vip:bool points:num tags:set")


@pytest.fixture
def bench() -> Bench:
    return in_memory(get(discover(), "wyng").subject())


def settings(**given: Any) -> dict[str, Any]:
    return {"base_url": "https://profiles.example.com/api/v1/consumer", "access_token": "private-1", **given}


@pytest.mark.parametrize(
    ("field", "value", "fitted"),
    [
        ("name", "Ana", "Ana"),
        ("name", 38, "38"),
        ("name", True, "true"),
        ("name", {"a": [1]}, '{"a":[1]}'),
        ("born", "1931-07-04", "1931-07-04T00:00:00Z"),
        ("born", "2026-03-14T09:00:00.123Z", "2026-03-14T09:00:00Z"),
        ("vip", False, False),
        ("points", 9_223_372_036_854_775_807, 9_223_372_036_854_775_807),
        ("points", 0.5, 0.5),
        ("tags", ["a", 1, True], ["a", "1", "true"]),
        ("tags", "a", ["a"]),
        ("tags", [], []),
        ("name", None, None),
    ],
)
def test_a_value_takes_the_form_of_its_field(field: str, value: Any, fitted: Any):
    assert MODEL.fitted({field: value}) == ({field: fitted}, [])


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("born", "yesterday"),
        ("born", 5),
        ("vip", "yes"),
        ("vip", 1),
        ("points", "7"),
        ("points", True),
        ("hair", "red"),
    ],
)
def test_what_does_not_fit_is_left_out_and_told(field: str, value: Any):
    kept, notices = MODEL.fitted({field: value, "name": "Ana"})

    assert kept == {"name": "Ana"}
    assert len(notices) == 1
    assert field in notices[0]
    assert str(value) not in notices[0].replace(field, "")


@pytest.mark.parametrize(
    ("given", "problem"),
    [
        ({"data_model": "customer_id"}, "is not an id:type"),
        ({"data_model": "customer_id:numeric"}, "out of text, date, bool, num, set"),
        ({"data_model": "customer_id:text customer_id:text"}, "names customer_id twice"),
        ({"data_model": "email:text"}, "key_fields names customer_id, phone"),
        ({"key_fields": " "}, "at least the field of the source_id"),
        ({"delete_path": "/profiles"}, "delete_path"),
        ({"upsert_path": "upsert"}, "upsert_path"),
    ],
)
def test_settings_that_do_not_agree_are_refused_with_a_sentence(given: dict[str, Any], problem: str):
    with pytest.raises(ConfigurationError, match=problem) as refused:
        build(Wyng, settings(**given), {})
    assert "private-1" not in str(refused.value)


@pytest.mark.parametrize(
    ("base_url", "path"),
    [
        ("https://profiles.example.com", "/api/v1/consumer/profiles/upsert"),
        ("https://profiles.example.com/", "/api/v1/consumer/profiles/upsert"),
        ("https://profiles.example.com/api/v1/consumer/", "/api/v1/consumer/profiles/upsert"),
        ("https://profiles.example.com/own", "/own/profiles/upsert"),
    ],
)
def test_the_documented_path_stands_in_where_none_is_given(bench: Bench, base_url: str, path: str):
    destination = Wyng(WyngSettings.model_validate(settings(base_url=base_url)))
    (batch,) = bench.batches(bench.pushes(Operation.PROFILES, 1))[0]

    assert destination.hosts() == {"api": "https://profiles.example.com"}
    assert destination.request(batch).path == path


def test_events_and_messages_are_no_operations_and_an_event_is_refused_in_words(bench: Bench):
    event = EventPush(
        delivery_id="D1",
        vendor_key="D1",
        person=Person("c1"),
        fields={},
        options=None,
        at=NOW,
        now=NOW,
        event_id="e1",
        name="Seen",
    )
    refused = bench.destination.items(event)

    assert set(bench.destination.Options) == {
        Operation.PROFILES,
        Operation.AUDIENCE,
        Operation.CONSENT,
        Operation.ERASE,
    }
    assert isinstance(refused, Rejected)
    assert refused.code == "unsupported"


def test_a_person_in_two_audiences_keeps_both_until_leaving_one(bench: Bench):
    bench.known(Operation.AUDIENCE, 1)
    (push,) = bench.pushes(Operation.AUDIENCE, 1)
    for number, (word, member) in enumerate([("vip", True), ("new", True), ("vip", False), ("gone", False)]):
        changed = replace(push, delivery_id=f"D{number:025d}", fields={"value": word}, member=member)  # type: ignore[call-arg] # an audience change has a member
        assert isinstance(bench.settle([changed])[changed.delivery_id], Accepted)

    (profile,) = bench.simulator.profiles.values()
    assert profile["fields"]["segments"] == ["new"]


def test_a_refusal_without_words_stays_what_its_status_says(bench: Bench):
    bench.send = lambda _request: Response(422, {}, b"no JSON", NOW)
    (batch,) = bench.batches(bench.pushes(Operation.PROFILES, 1))[0]
    end, reports = bench.run(batch)

    assert isinstance(end.error, Permanent)
    assert reports == []


@pytest.mark.parametrize("body", [[], {"error": "words"}, {"error": {"code": 7}}, None])
def test_an_error_of_another_shape_is_read_with_care(bench: Bench, body: Any):
    bench.send = lambda _request: Response(400, {}, dumps(body), NOW)
    (batch,) = bench.batches(bench.pushes(Operation.PROFILES, 1))[0]

    assert isinstance(bench.run(batch)[0].error, Permanent)


def test_an_erased_person_is_gone_and_can_be_erased_again(bench: Bench):
    bench.known(Operation.ERASE, 1)
    for attempt in (1, 2):
        (push,) = bench.pushes(Operation.ERASE, 1)
        again = replace(push, person=replace(push.person, remembered={"profile_id": "wp-000001"}), attempt=attempt)
        assert isinstance(bench.settle([again])[again.delivery_id], Accepted)

    assert bench.simulator.profiles == {}


def test_prepare_names_what_only_the_dashboard_can_make(bench: Bench):
    wanted = Wanted({Operation.PROFILES: {"email": "string", "hair_colour": "string"}})
    end = run_flow([], bench.destination.prepare(wanted), bench.send, bench.destination.classify, lambda _reports: None)

    assert [one.level for one in end.value] == ["warning"]
    assert "hair_colour" in end.value[0].text


def test_limits_are_those_of_the_connection():
    slow = Wyng(WyngSettings.model_validate(settings(calls_per_minute=10)))
    pool = slow.pools()["calls"]

    assert [(rate.count, rate.per_s) for rate in pool.rates] == [(10, 60)]
    assert pool.parallel == 2
