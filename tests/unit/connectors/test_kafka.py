"""Outcomes of messages acknowledged together, and settings that fit together, beyond what the contract suite asks."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from connectors.kafka.answers import settled
from connectors.kafka.connector import Kafka
from hub.registry.discovery import discover
from hub.sdk.declared import build
from hub.sdk.errors import AuthFailed, ConfigurationError, DeliveryError, Permanent, Retryable, Split
from hub.sdk.flow import run_flow
from hub.sdk.kit.bench.bench import in_memory
from hub.sdk.kit.bench.pushes import push
from hub.sdk.values import Accepted, Again, Batch, Operation, Person, Published, Rejected, Response

NOW = datetime(2026, 3, 14, 9, tzinfo=UTC)
PEM = "-----BEGIN CERTIFICATE-----\nx\n-----END CERTIFICATE-----"
DONE = Published(2, 7)
LOST, AWAY = Retryable("lost", unknown=True), Retryable("away")


def kafka(**settings: Any) -> Kafka:
    return build(Kafka, {"bootstrap": "b1.example.com:9093, b2.example.com:9093", **settings}, {})


def batch(connector: Kafka, count: int, operation: Operation = Operation.EVENTS) -> Batch:
    options = Kafka.Options[operation]()
    pushes = [
        push(operation, fields={}, now=NOW, at=NOW, name="Seen", person=Person(f"cust_{n}"), options=options,
             delivery_id=f"D{n}")
        for n in range(count)
    ]  # fmt: skip
    return Batch("records", "", pushes, [item for one in pushes for item in connector.items(one)], NOW)


def outcomes(*answers: Published | DeliveryError) -> tuple[list[Any], DeliveryError | None]:
    found, error = settled(batch(kafka(), len(answers)), answers)
    return sorted(found, key=lambda one: one.delivery_id), error


def test_each_record_has_its_own_acknowledgement():
    found, error = outcomes(DONE, Permanent("no"), DONE)

    assert [type(one) for one in found] == [Accepted, Rejected, Accepted]
    assert found[0].receipt == "switchboard/2/7"
    assert error is None


def test_records_without_an_acknowledgement_share_the_error():
    found, error = outcomes(DONE, LOST, LOST)

    assert [one.delivery_id for one in found] == ["D0"]
    assert error is LOST


def test_what_surely_did_not_arrive_is_no_more_than_tried_again_when_a_neighbour_is_unknown():
    found, error = outcomes(LOST, AWAY, AuthFailed("no"))

    assert [(type(one), one.delivery_id) for one in found] == [(Again, "D1"), (Again, "D2")]
    assert error is LOST


def test_refused_permissions_win_over_an_absent_leader():
    found, error = outcomes(AWAY, AuthFailed("no"))

    assert [one.delivery_id for one in found] == ["D0"]
    assert isinstance(error, AuthFailed)


def test_too_large_is_halved_for_several_and_final_for_one():
    several, error = outcomes(Split("big"), Split("big"), DONE)
    assert [type(one) for one in several] == [Accepted]
    assert isinstance(error, Split)

    (one, _), error = outcomes(Split("big"), DONE)
    assert (type(one), one.code) == (Rejected, "too_large")
    assert error is None


def test_an_erasure_is_accepted_once_its_tombstone_is():
    connector = kafka(tombstone_topic="people")
    of = batch(connector, 1, Operation.ERASE)
    half, error = settled(of, [DONE, AWAY])
    both, _ = settled(of, [DONE, Published(0, 1)])

    assert (half, error) == ([], AWAY)
    assert both[0].receipt == "switchboard/2/7 people/0/1"


# ── declarations ─────────────────────────────────────────────────────────────────────────────────────────────────


def test_the_cluster_is_a_host_like_any_other():
    assert kafka().hosts() == {"broker": "kafka+ssl://b1.example.com:9093,b2.example.com:9093"}
    assert kafka(tls=False).hosts()["broker"].startswith("kafka://")
    assert kafka().broker().host == "broker"


def test_credentials_are_secrets_of_that_host():
    connector = kafka(mechanism="SCRAM-SHA-512", user="ada", password="sesame-key")

    assert connector.auth()["broker"].password.reveal() == "sesame-key"
    assert "sesame-key" not in repr((connector.auth(), connector.broker(), connector.settings))
    assert kafka().auth() == {}


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"mechanism": "PLAIN"}, "belong together"),
        ({"user": "ada", "password": "x"}, "belong together"),
        ({"certificate": PEM}, "belong together"),
        ({"tls": False, "ca": PEM}, "need tls"),
        ({"ca": "/etc/ca.pem"}, "match pattern"),
        ({"topic": "a topic"}, "match pattern"),
        ({"topic": ""}, "match pattern"),
        ({"tombstone_topic": "a topic"}, "match pattern"),
    ],
)
def test_settings_that_cannot_work_are_refused_in_a_sentence(settings, words):
    with pytest.raises(ConfigurationError, match=words):
        kafka(**settings)


def test_without_deduplicating_consumers_a_repeat_is_a_second_message():
    assert kafka(deduplicates_for_s=0).routes()["records"].repeat == "duplicates"
    assert kafka().routes()["records"].repeat == "deduplicated"


def test_the_time_of_a_call_is_the_time_of_a_message():
    assert kafka(timeout_s=7).routes()["records"].timeout_s == kafka(timeout_s=7).broker().timeout_s == 7


def test_a_check_names_each_topic_that_is_missing():
    connector = kafka(topic="a", tombstone_topic="b")

    def send(_request: Any) -> Response:
        return Response(200, {}, b'{"brokers": 3, "topics": {"a": 6}}', NOW)

    end = run_flow([], connector.check(), send, connector.classify, list)

    assert [one.level for one in end.value] == ["ok", "ok", "warning"]
    assert "no topic b" in end.value[2].text


def test_a_person_whose_consumer_saw_the_message_is_not_counted_twice():
    bench = in_memory(discover()["kafka"].subject())
    pushes = bench.pushes(Operation.EVENTS, 3)
    for _ in range(2):
        bench.settle(pushes)

    assert len(bench.simulator.log["switchboard"]) == 6
    assert len(bench.simulator.events) == 3
