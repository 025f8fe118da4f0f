"""What only an inbox in Kafka can meet: silent brokers, groups, topics that lose or gain records behind its back."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import Engine

from hub.core.settings import Settings
from hub.inbox import kafka_admin, kafka_topic
from hub.inbox.kafka import KafkaInbox
from hub.inbox.kafka_doctor import examine
from hub.inbox.queue import Unreachable
from hub.inbox.sql import Inbox, open_inbox
from hub.inbox.values import AcceptedRequest
from hub.sdk.errors import Busy, TooLarge
from hub.sdk.values import RawMessage
from tests.harness import eventually
from tests.kafka import Kafka
from tests.rooms.inbox.conftest import CONNECTION, NOW, accepted, apply, ids, terms, until

ANSWER_S = 9.0  # a sender has its answer by then, whatever the brokers do


@pytest.fixture(params=["kafka"])
def queue(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(params=["sqlite"])
def engine(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Engine]:
    """What PostgreSQL does differently here is in the shared suite and in tests/faults."""
    from hub.core.database import open_database
    from hub.runtime.process.schema import create_all

    opened = open_database(f"sqlite:///{tmp_path}/hub.db")
    create_all(opened)
    yield opened
    opened.dispose()


@pytest.fixture(autouse=True)
def whole_line(kafka_broker: Kafka) -> Iterator[None]:
    yield
    kafka_broker.line.restore()


def settings_of(inbox: Inbox) -> Settings:
    assert isinstance(inbox, KafkaInbox)
    return inbox._settings


# ── brokers that do not answer ───────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("how", ["cut", "close"])
def test_senders_have_their_answer_in_time_and_what_was_accepted_is_there(inbox, engine, kafka_broker, how):
    inbox.append(accepted("before"))
    getattr(kafka_broker.line, how)()
    for _ in range(2):
        began = time.monotonic()
        with pytest.raises(Busy) as caught:
            inbox.append(accepted("during"))
        assert time.monotonic() - began < ANSWER_S
        assert caught.value.retry_after_s > 0
    kafka_broker.line.restore()
    eventually(lambda: appended(inbox, "after"), what="the inbox taking messages again")
    found: list[str] = []
    until(lambda: found.extend(ids(apply(inbox))) or {"before", "after"} <= set(found))
    assert set(found) <= {"before", "during", "after"}  # its sender was told "unknown", not "no"


def test_after_a_failure_the_next_senders_are_told_at_once(inbox, kafka_broker):
    inbox.append(accepted("before"))
    kafka_broker.line.close()
    with pytest.raises(Busy):
        inbox.append(accepted("first"))
    until(lambda: inbox._store.is_down)
    began = time.monotonic()
    for _ in range(50):
        with pytest.raises(Busy):
            inbox.append(accepted("next"))
    assert time.monotonic() - began < 1.0


def test_reading_and_counting_say_that_the_brokers_are_away(inbox, engine, kafka_broker, monkeypatch):
    monkeypatch.setattr(kafka_admin, "LOOK_S", 0.5)
    inbox.append(accepted("a"))
    kafka_broker.line.close()
    with pytest.raises(Unreachable):
        apply(inbox)
    with pytest.raises(Unreachable):
        terms(inbox, engine)
    kafka_broker.line.restore()
    eventually(lambda: answers(inbox, engine), what="the brokers being back")
    assert ids(apply(inbox)) == ["a"]


def appended(inbox: Inbox, name: str) -> bool:
    try:
        inbox.append(accepted(name))
    except Busy:
        return False
    return True


def answers(inbox: Inbox, engine: Engine) -> bool:
    try:
        terms(inbox, engine)
    except Unreachable:
        return False
    return True


# ── the topic ────────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_message_larger_than_a_record_is_refused_before_anything_is_stored(open_another, engine):
    inbox = open_another(kafka_message_bytes=50_000)
    large = RawMessage(b"x" * 49_000, "large")
    with pytest.raises(TooLarge, match="HUB_KAFKA_MESSAGE_BYTES"):
        inbox.append(AcceptedRequest(CONNECTION, NOW, [RawMessage(b"{}", "small"), large]))
    inbox.append(accepted("fits"))
    assert ids(apply(inbox)) == ["fits"]


def test_a_record_that_the_hub_did_not_write_comes_out_as_nobodys(inbox, engine, kafka_broker):
    from confluent_kafka import Producer

    inbox.append(accepted("a"))
    producer = Producer({"bootstrap.servers": kafka_broker.servers, "log_level": 0})
    producer.produce(settings_of(inbox).kafka_topic, b"hello")
    assert producer.flush(10) == 0
    inbox.append(accepted("b"))
    found = []
    until(lambda: found.extend(apply(inbox)) or len(found) == 3)
    assert [message.connection_id for message in found] == [CONNECTION, "-", CONNECTION]
    assert found[1].body == b"hello"


def test_what_waited_in_the_database_before_kafka_is_applied_first_and_stays_in_the_books(inbox, engine, tmp_path):
    before = open_inbox(Settings(data_dir=tmp_path), engine)
    before.append(accepted("old", "older"))
    before.close()
    inbox.append(accepted("new"))
    assert terms(inbox, engine) == (3, 3)
    assert ids(apply(inbox)) == ["old", "older"]
    assert ids(apply(inbox)) == ["new"]
    assert terms(inbox, engine) == (3, 0)


def test_back_in_the_database_the_books_still_count_what_was_applied_from_kafka(inbox, engine, tmp_path):
    inbox.append(accepted("a", "b"))
    apply(inbox)
    back = open_inbox(Settings(data_dir=tmp_path), engine)
    back.append(accepted("c"))
    assert terms(back, engine) == (3, 1)
    back.close()


def test_another_topic_begins_anew_and_the_books_keep_the_first(inbox, open_another, engine, tmp_path):
    inbox.append(accepted("a", "b"))
    apply(inbox)
    plain = {name: value for name, value in settings_of(inbox).model_dump().items() if name.startswith("kafka_")}
    other = open_inbox(Settings(data_dir=tmp_path, **{**plain, "kafka_topic": f"{plain['kafka_topic']}-b"}), engine)
    other.append(accepted("c"))
    assert terms(other, engine) == (3, 1)
    assert ids(apply(other)) == ["c"]
    other.close()


# ── is it safe? ──────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("replicas", "config", "words"),
    [
        (1, {"min.insync.replicas": "1"}, ["1 replica", "min.insync.replicas is 1"]),
        (3, {"min.insync.replicas": "1"}, ["min.insync.replicas is 1"]),
        (3, {"min.insync.replicas": "2", "unclean.leader.election.enable": "true"}, ["unclean"]),
        (3, {"min.insync.replicas": "2", "cleanup.policy": "compact,delete"}, ["compacts"]),
        (3, {"min.insync.replicas": "2", "cleanup.policy": "delete"}, []),
        (2, {}, []),
    ],
)
def test_a_topic_that_one_machine_can_lose_is_unsafe(replicas, config, words):
    found = kafka_topic.unsafe(replicas, config)
    assert len(found) == len(words)
    assert all(word in sentence for word, sentence in zip(words, found, strict=True))


def test_an_unsafe_topic_takes_nothing_unless_told_to_and_doctor_says_why(open_another, engine, kafka_broker):
    inbox = open_another()
    inbox.append(accepted("a"))
    strict = settings_of(inbox).model_copy(update={"kafka_allow_unsafe": False})
    refusing = open_inbox(strict, engine)
    with pytest.raises(Busy):
        refusing.append(accepted("b"))
    refusing.close()
    assert any(level == "error" and "1 replica" in text for level, text in examine(strict, engine))
    told = list(examine(settings_of(inbox), engine))
    assert any(level == "warning" and "HUB_KAFKA_ALLOW_UNSAFE" in text for level, text in told)
    assert not [text for level, text in told if level == "error"]


def test_a_missing_topic_is_made_with_settings_that_keep_what_waits(inbox):
    inbox.append(accepted("a"))
    replicas, config = inbox._topic.replication()
    assert replicas == 1
    assert {name: config[name] for name in ("cleanup.policy", "retention.ms", "retention.bytes")} == {
        "cleanup.policy": "delete",
        "retention.ms": "-1",
        "retention.bytes": "-1",
    }
    assert config["max.message.bytes"] == "9000000"


# ── truncating ───────────────────────────────────────────────────────────────────────────────────────────────────


def test_brokers_that_cannot_delete_are_asked_again_only_later(inbox, monkeypatch):
    inbox.append(accepted("a"))
    apply(inbox)
    asked: list[object] = []

    def refuse(before: object) -> int:
        asked.append(before)
        raise Unreachable

    monkeypatch.setattr(inbox._topic, "truncate", refuse)
    assert [inbox.prune(NOW), inbox.prune(NOW)] == [0, 0]
    assert len(asked) == 1
