"""What broker errors mean: every name the client knows, before and after a message was handed over."""

from __future__ import annotations

import pytest
from confluent_kafka import KafkaError

from hub.core.kafka import REFUSED
from hub.outbox.wire import kafka_errors
from hub.outbox.wire.kafka_errors import failure
from hub.sdk.errors import AuthFailed, Permanent, Retryable, Split

NAMED = [REFUSED, kafka_errors.TOO_LARGE, kafka_errors.NO_TOPIC, kafka_errors.FINAL, kafka_errors.NEVER_TAKEN]


@pytest.mark.parametrize(
    ("name", "kind", "is_unknown"),
    [
        ("_MSG_TIMED_OUT", Retryable, True),
        ("_TRANSPORT", Retryable, True),
        ("_PURGE_INFLIGHT", Retryable, True),
        ("REQUEST_TIMED_OUT", Retryable, True),
        ("NOT_ENOUGH_REPLICAS_AFTER_APPEND", Retryable, True),
        ("OUT_OF_ORDER_SEQUENCE_NUMBER", Retryable, True),
        ("SOMETHING_NEW", Retryable, True),
        ("NOT_ENOUGH_REPLICAS", Retryable, False),
        ("NOT_LEADER_FOR_PARTITION", Retryable, False),
        ("_PURGE_QUEUE", Retryable, False),
        ("UNKNOWN_TOPIC_OR_PART", Retryable, False),
        ("_UNKNOWN_TOPIC", Retryable, False),
        ("TOPIC_AUTHORIZATION_FAILED", AuthFailed, False),
        ("CLUSTER_AUTHORIZATION_FAILED", AuthFailed, False),
        ("MSG_SIZE_TOO_LARGE", Split, False),
        ("INVALID_RECORD", Permanent, False),
        ("POLICY_VIOLATION", Permanent, False),
    ],
)
def test_an_error_after_handing_over(name, kind, is_unknown):
    error = failure(name, "words", was_handed_over=True)

    assert type(error) is kind
    assert getattr(error, "unknown", False) is is_unknown
    assert f"({name}: words)" in str(error)


@pytest.mark.parametrize("name", ["_TRANSPORT", "_MSG_TIMED_OUT", "_QUEUE_FULL", "_SSL", "_RESOLVE", "SOMETHING_NEW"])
def test_before_handing_over_nothing_is_unknown(name):
    error = failure(name, "words", was_handed_over=False)

    assert type(error) is Retryable
    assert not error.unknown


def test_a_message_that_the_client_itself_finds_too_large_is_alone_to_blame():
    assert type(failure("MSG_SIZE_TOO_LARGE", "", was_handed_over=False)) is Permanent


def test_every_name_is_one_the_client_knows_and_stands_in_one_place():
    known = {name for name in dir(KafkaError) if name.lstrip("_").isupper()}
    names = [name for names in NAMED for name in names]

    assert set(names) <= known
    assert len(names) == len(set(names))
