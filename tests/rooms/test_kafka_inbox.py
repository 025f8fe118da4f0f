"""A whole hub whose inbox is a topic: what is deleted from it, by the hub and behind its back, and what never was a message."""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from confluent_kafka import Producer, TopicPartition
from confluent_kafka.admin import AdminClient
from sqlalchemy import Engine

from hub.api.services import Services
from hub.app import build
from hub.core import clock
from hub.core.database import read, write
from hub.inbox import kafka as kafka_inbox
from hub.inbox.headers import PLAIN, kept_headers
from hub.inbox.kafka import KafkaInbox
from hub.inbox.kafka_doctor import examine
from hub.inbox.kafka_record import HEAD_BYTES
from hub.inbox.values import AcceptedRequest
from hub.profiles import requests
from hub.runtime.erasing.person import erasure_in_queue
from hub.runtime.erasing.watch import ErasureWatch
from hub.runtime.live.connections import LiveConnections
from hub.runtime.process.heartbeat import forget
from hub.sdk.errors import ConfigurationError
from hub.sdk.values import RawMessage
from tests.harness import eventually
from tests.heartbeats import roles_live
from tests.kafka import Kafka, broker, other_broker
from tests.rooms.whole import Whole

_topics = (f"whole-{number}" for number in itertools.count())


@pytest.fixture(scope="module")
def kafka() -> Iterator[Kafka]:
    """It can delete records."""
    with other_broker() as running:
        yield running


@pytest.fixture(scope="module")
def unable() -> Iterator[Kafka]:
    """It cannot."""
    with broker() as running:
        yield running


@pytest.fixture
def opened(empty_engine: Engine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., Whole]]:
    """Opens a hub with its inbox in a new topic of a cluster."""
    monkeypatch.setattr(kafka_inbox, "WAIT_S", 0.05)
    every: list[Whole] = []

    def make(kafka: Kafka | None, **settings: Any) -> Whole:
        topic = next(_topics)
        where = {"kafka_bootstrap": kafka.servers if kafka else "", "kafka_topic": topic, "kafka_group": topic}
        size = {"kafka_partitions": 1, "kafka_replication": 1, "kafka_allow_unsafe": True}
        every.append(Whole(empty_engine, tmp_path / "hub", **{**where, **size, **settings}))
        return every[-1]

    yield make
    for one in every:
        one.close()


@pytest.fixture
def again(opened: Callable[..., Whole]) -> Callable[[Whole], Whole]:
    """The same hub, started again."""

    def make(whole: Whole) -> Whole:
        whole.close()
        settings = whole.hub.settings.model_dump()
        return opened(None, source_name="app", **{key: settings[key] for key in settings if key.startswith("kafka_")})

    return make


@pytest.fixture
def whole(opened: Callable[..., Whole], kafka: Kafka) -> Whole:
    return opened(kafka)


def topic_of(whole: Whole) -> str:
    return str(whole.hub.settings.kafka_topic)


def identify(who: str, **traits: str) -> dict[str, Any]:
    return {"type": "identify", "userId": who, "traits": traits}


def applies(whole: Whole, count: int) -> None:
    """Until so many messages in all have an end; in a group partitions come after a moment."""

    def look() -> bool:
        whole.applies()
        return whole.books().terms["waiting"] == 0

    eventually(look, what="nothing waiting")
    terms = whole.books().terms
    assert terms["accepted"] == count


def says(whole: Whole) -> list[str]:
    return [text for _, text in examine(whole.hub.settings, whole.engine)]


# ── what the hub deletes ─────────────────────────────────────────────────────────────────────────────────────────


def test_what_was_applied_is_deleted_and_what_waits_is_not(whole, kafka):
    whole.receives(*[identify(f"cust_{number}") for number in range(6)])
    applies(whole, 6)
    whole.receives(identify("cust_6"), identify("cust_7"))
    assert "2 messages wait in it, and 6 applied ones are not deleted yet." in says(whole)

    assert whole.inbox.prune(0) == 6
    assert "2 messages wait in it, and 0 applied ones are not deleted yet." in says(whole)
    assert [one.offset() for one in kafka.consumed(topic_of(whole), 2, partitions=1)] == [6, 7]
    assert whole.inbox.prune(0) == 0
    applies(whole, 8)


def test_a_worker_that_starts_after_deleting_goes_on_where_the_last_one_ended(whole, again):
    whole.receives(*[identify(f"cust_{number}") for number in range(5)])
    applies(whole, 5)
    whole.inbox.prune(0)
    same = again(whole)

    same.receives(identify("cust_5"))
    applies(same, 6)
    assert same.books().terms["ignored"] == 0


def test_an_erasure_says_when_nothing_of_the_person_is_left_in_the_topic(whole, kafka):
    whole.receives(identify("cust_1", email="ada@example.com"), identify("cust_2"))
    applies(whole, 2)
    whole.erases("cust_1")
    assert erasure_in_queue(whole.hub) == {"inbox": "Complete: nothing can be read from the inbox topic any more."}
    assert kafka.consumed(topic_of(whole), 1, partitions=1, within_s=0.5) == []

    whole.receives(identify("cust_1", email="ada@example.com"))
    assert "Complete but for 1 messages that wait" in erasure_in_queue(whole.hub)["inbox"]
    applies(whole, 3)
    assert erasure_in_queue(whole.hub)["inbox"].startswith("Complete: nothing can be read")
    assert whole.profile("cust_1") is None


def test_a_request_to_erase_is_complete_when_the_topic_is_truncated_past_what_stood_in_it(whole):
    whole.receives(identify("ada"), identify("bo"))
    applies(whole, 2)
    done = whole.erases("ada")
    watch = ErasureWatch(whole.hub)

    def status() -> str:
        watch.step(clock.now())
        with read(whole.engine) as database:
            record = requests.find(database, "", done["request_id"])
        assert record is not None
        return record.status

    assert [status(), status()] == ["in_progress", "in_progress"]
    whole.receives(identify("cy"))  # what comes later has nothing to do with it
    assert whole.inbox.prune(0) == 2
    assert status() == "completed"


def test_where_brokers_cannot_delete_an_erasure_says_that_it_is_not_complete(opened, unable, monkeypatch):
    whole = opened(unable)
    whole.receives(identify("cust_1"))
    applies(whole, 1)
    whole.erases("cust_1")

    assert erasure_in_queue(whole.hub)["inbox"].startswith("Not complete: 1 applied messages are still in the inbox")
    assert "0 messages wait in it, and 1 applied ones are not deleted yet." in says(whole)


# ── what happens behind its back ─────────────────────────────────────────────────────────────────────────────────


def test_messages_deleted_before_they_were_applied_are_told_of_and_counted(whole, again, kafka):
    whole.receives(identify("cust_1"))
    applies(whole, 1)
    same = again(whole)  # a worker may have read ahead what is deleted now
    same.receives(*[identify(f"cust_{number}") for number in range(2, 7)])
    delete(kafka, topic_of(same), before=4)
    assert any(
        text.startswith("3 messages were deleted from the topic before they were applied") for text in says(same)
    )

    applies(same, 6)
    found = same.books()
    assert (found.terms["applied"], found.terms["ignored"]) == (3, 3)
    assert found.reasons["ignored"] == {"lost_in_kafka": 3}


def test_a_topic_made_anew_is_told_of_instead_of_staying_silent(whole, kafka, monkeypatch):
    monkeypatch.setattr(kafka_inbox, "SHORT_S", 0.0)
    whole.receives(identify("cust_1"), identify("cust_2"))
    applies(whole, 2)
    admin = AdminClient(kafka.config())
    admin.delete_topics([topic_of(whole)])[topic_of(whole)].result(10)
    kafka.create(topic_of(whole), partitions=1)

    assert any("it was made anew" in text for text in says(whole))
    with pytest.raises(ConfigurationError, match="made anew"):
        eventually(whole.applies, what="the sentence")


def delete(kafka: Kafka, topic: str, before: int) -> None:
    admin = AdminClient(kafka.config())
    for one in admin.delete_records([TopicPartition(topic, 0, before)]).values():
        one.result(10)


# ── what never was a message ─────────────────────────────────────────────────────────────────────────────────────


HEADS: list[Any] = [
    None,
    5,
    {},
    [],
    [1, 2, 3, 4, 5, 6],
    ["01J00000000000000000000001", "m", "soon", True, None, False],
    ["01J00000000000000000000001", "m", 10**30, True, None, False],
    ["01J00000000000000000000001", "m", -1, True, None, False],
    ["01J00000000000000000000001", "m" * 500, 1, True, None, False],
    ["01J00000000000000000000001", "m\0", 1, True, None, False],
    ["\0", "m", 1, True, None, False],
    ["x" * 300, "m", 1, True, None, False],
    [None, None, None, None, None, None],
]
FAR: int = 2**62  # milliseconds


def test_records_that_the_hub_did_not_write_end_in_quarantine_and_stop_nobody(whole, kafka):
    whole.receives(identify("cust_1"))
    producer = Producer(kafka.config())
    values = [b"", b"\xff\n\xff", b"hello", *[json.dumps(head).encode() + b"\n{}" for head in HEADS]]
    for value in values:
        producer.produce(topic_of(whole), value)
    producer.produce(topic_of(whole), None, b"a key alone")
    producer.produce(topic_of(whole), b"from afar", timestamp=FAR)
    assert producer.flush(10) == 0
    whole.receives(identify("cust_2"))
    applies(whole, len(values) + 4)

    terms = whole.books().terms
    assert (terms["applied"], terms["quarantined"]) == (2, len(values) + 2)


def test_a_message_that_just_fits_is_taken_whatever_its_id_hint_and_headers_hold(opened, kafka):
    whole = opened(kafka, kafka_message_bytes=50_000)
    room = 50_000 - HEAD_BYTES - len(b'{"filler":""}')
    for number, odd in enumerate(["\x01", "\U0001f600", "x", '"']):
        body = b'{"filler":"%b"}' % (b"x" * room)
        message = RawMessage(body, f"{number}" + odd * 127, odd * 10_000)
        headers = kept_headers(dict.fromkeys(sorted(PLAIN), odd * 10_000))
        whole.inbox.append(AcceptedRequest(whole.web.id, clock.now(), [message], headers))
    applies(whole, 4)


def test_the_inbox_is_in_the_topic(whole):
    assert isinstance(whole.inbox, KafkaInbox)


# ── is it ready? ─────────────────────────────────────────────────────────────────────────────────────────────────


def ready(whole: Whole) -> tuple[int, dict[str, str]]:
    with write(whole.engine) as database:
        forget(database)
    roles_live(whole.engine)
    app = build(Services(whole.hub, whole.inbox, LiveConnections(whole.hub)))
    answer = app.test_client().get("/readyz")
    return answer.status_code, dict(answer.get_json()["troubles"])


def test_readiness_says_that_a_topic_cannot_be_used_and_keeps_the_reason_for_operators(opened, kafka):
    whole = opened(kafka, kafka_allow_unsafe=False)
    assert ready(whole) == (
        503,
        {"inbox": "its Kafka topic cannot be used; nothing is accepted or applied: see `hub doctor`"},
    )
    assert any("A partition has 1 replica" in text for text in says(whole))


def test_readiness_says_that_the_cluster_does_not_answer_and_that_it_does_again(whole, kafka):
    whole.receives(identify("cust_1"))
    assert ready(whole) == (200, {})
    kafka.line.close()
    try:
        assert ready(whole) == (
            503,
            {"inbox": "its Kafka cluster does not answer; nothing is accepted or applied until it does"},
        )
    finally:
        kafka.line.open()
    eventually(lambda: ready(whole) == (200, {}), what="being ready again")
