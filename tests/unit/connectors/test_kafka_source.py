"""Kafka as a source: what a record becomes, and under which id."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from connectors.kafka.connector import KafkaSource
from hub.sdk.declared import build
from hub.sdk.errors import ConfigurationError, PayloadInvalid
from hub.sdk.json import loads
from hub.sdk.values import RawMessage, Record

AT = datetime(2026, 3, 14, 10, tzinfo=UTC)
RECORD = Record("orders", 2, 41, b"cust_1", b'{"event":{"id":"o-7"},"who":5}', {"trace": b"t-1"}, AT)


def source(**settings: Any) -> KafkaSource:
    return build(KafkaSource, {"bootstrap": "b1.example.com:9093", "topics": "orders, customers", **settings}, {})


def received(record: Record = RECORD, **settings: Any) -> RawMessage:
    (message,) = source(**settings).receive_record(record)
    return message


def test_a_record_is_known_by_its_place_and_time():
    assert received() == RawMessage(RECORD.value, "orders/2/41/1773482400000", "cust_1")


def test_a_record_with_an_id_of_its_own_is_known_by_it():
    assert received(id_field="event.id").dedup_key == "o-7"
    assert received(id_field="who").dedup_key == "5"


@pytest.mark.parametrize("path", ["event", "event.id.more", "nothing", "who.id"])
def test_where_the_id_is_missing_the_place_stands_in(path):
    assert received(id_field=path).dedup_key == "orders/2/41/1773482400000"


def test_the_hint_is_the_key_unless_a_field_names_the_person():
    assert received(hint_field="who").profile_hint == "5"
    assert received(replace(RECORD, key=None)).profile_hint is None
    assert received(replace(RECORD, key=b"\xff")).profile_hint == "\ufffd"


def test_the_envelope_tells_where_a_record_comes_from():
    assert loads(received(envelope=True).body) == {
        "topic": "orders",
        "partition": 2,
        "offset": 41,
        "key": "cust_1",
        "headers": {"trace": "t-1"},
        "value": {"event": {"id": "o-7"}, "who": 5},
    }


def test_a_tombstone_is_a_message_too():
    assert received(replace(RECORD, value=None)).body == b"null"
    assert loads(received(replace(RECORD, value=None), envelope=True).body)["value"] is None


def test_what_is_no_json_is_refused():
    with pytest.raises(PayloadInvalid):
        received(replace(RECORD, value=b"{"))


def test_the_subscription_names_cluster_topics_and_group():
    wanted = source(tls=False, group="g", from_beginning=False).subscription()
    assert (wanted.url, wanted.topics, wanted.group) == ("kafka://b1.example.com:9093", ["orders", "customers"], "g")
    assert not wanted.from_beginning


@pytest.mark.parametrize("topics", ["", ",", "a,,b", "a b", "ünï"])
def test_topics_must_be_names_of_topics(topics):
    with pytest.raises(ConfigurationError):
        source(topics=topics)
