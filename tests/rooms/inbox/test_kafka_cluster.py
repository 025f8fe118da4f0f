"""Three brokers: leaders die, replicas fall behind, coordinators move; what was accepted is applied once."""

from __future__ import annotations

import itertools
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from sqlalchemy import Engine

from hub.core.settings import Settings
from hub.inbox import kafka as kafka_inbox
from hub.inbox import kafka_producer
from hub.inbox.kafka import KafkaInbox
from hub.inbox.queue import Superseded, Unreachable
from hub.inbox.sql import Inbox, open_inbox
from hub.sdk.errors import Busy
from tests.harness import eventually
from tests.kafka_cluster import (
    FETCH,
    NOT_ENOUGH_REPLICAS,
    NOT_ENOUGH_REPLICAS_AFTER_APPEND,
    NOT_LEADER,
    OFFSETS,
    PRODUCE,
    Cluster,
    cluster,
)
from tests.rooms.inbox.conftest import accepted, apply, ids, terms

BROKERS = (1, 2, 3)
_topics = (f"replicated-{number}" for number in itertools.count())


@pytest.fixture(scope="module")
def brokers() -> Iterator[Cluster]:
    with cluster(len(BROKERS)) as made:
        yield made


@pytest.fixture
def kafka(brokers: Cluster) -> Iterator[Cluster]:
    """All brokers up and willing, whatever the test did to them."""
    yield brokers
    for request in (PRODUCE, FETCH, OFFSETS):
        brokers.forgive(request)
    for broker in BROKERS:
        brokers.start(broker)


@pytest.fixture
def topic(kafka: Cluster) -> str:
    return kafka.create(next(_topics), 1, len(BROKERS))


@pytest.fixture
def open_one(
    kafka: Cluster, topic: str, engine: Engine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Callable[..., KafkaInbox]]:
    monkeypatch.setattr(kafka_inbox, "WAIT_S", 0.05)
    opened: list[Inbox] = []

    def make(**settings: object) -> KafkaInbox:
        where = {"kafka_bootstrap": kafka.servers, "kafka_topic": topic, "kafka_group": topic}
        inbox = open_inbox(Settings(data_dir=tmp_path, kafka_allow_unsafe=True, **{**where, **settings}), engine)
        inbox.create_tables()
        opened.append(inbox)
        assert isinstance(inbox, KafkaInbox)
        return inbox

    yield make
    for inbox in opened:
        inbox.close()


def appended(inbox: Inbox, name: str) -> bool:
    try:
        inbox.append(accepted(name))
    except Busy:
        return False
    return True


def applied(inboxes: list[KafkaInbox], names: set[str]) -> list[str]:
    """Everything that these workers apply until all of it is there."""
    found: list[str] = []

    def look() -> bool:
        for inbox in inboxes:
            try:
                found.extend(ids(apply(inbox, limit=20)))
            except (Superseded, Unreachable):
                continue
        return names <= set(found)

    eventually(look, what="all messages being applied")
    return found


def test_while_a_leader_dies_and_another_takes_over_nothing_is_lost_and_nothing_comes_twice(
    kafka, topic, engine, open_one
):
    kafka.coordinate(topic, BROKERS[-1])  # by its name the group's coordinator might be one of the brokers that die
    inbox = open_one()
    names = [f"m{number}" for number in range(30)]
    for number, name in enumerate(names):
        if number in (10, 20):
            leader = 1 + number // 10
            kafka.lead(topic, 0, leader)
            kafka.stop(leader - 1)
        eventually(lambda: appended(inbox, name), what=f"{name} being accepted")  # noqa: B023
    found = applied([inbox], set(names))

    assert sorted(found) == sorted(names)
    assert terms(inbox, engine) == (30, 0)


@pytest.mark.parametrize("error", [NOT_ENOUGH_REPLICAS, NOT_ENOUGH_REPLICAS_AFTER_APPEND, NOT_LEADER])
def test_a_broker_that_soon_thinks_better_of_it_costs_nobody_a_refusal(kafka, engine, open_one, error):
    inbox = open_one()
    inbox.append(accepted("before"))
    kafka.answer(PRODUCE, error, times=3)
    inbox.append(accepted("during"))

    assert applied([inbox], {"before", "during"}) == ["before", "during"]
    assert terms(inbox, engine) == (2, 0)


def test_without_enough_replicas_senders_are_told_to_come_again_and_then_taken(kafka, engine, open_one, monkeypatch):
    monkeypatch.setattr(kafka_producer, "ACK_S", 1.0)
    inbox = open_one()
    inbox.append(accepted("before"))
    kafka.answer(PRODUCE, NOT_ENOUGH_REPLICAS, times=1_000)
    with pytest.raises(Busy):
        inbox.append(accepted("during"))
    kafka.forgive(PRODUCE)
    eventually(lambda: appended(inbox, "after"), what="messages being taken again")

    assert applied([inbox], {"before", "after"}) == ["before", "after"]
    assert terms(inbox, engine) == (2, 0)


def test_counting_and_reading_follow_a_leader_that_moves(kafka, topic, engine, open_one):
    inbox = open_one()
    found: list[str] = []
    for number, leader in enumerate([1, 2, 3, 2, 1]):
        kafka.lead(topic, 0, leader)
        inbox.append(accepted(f"m{number}"))
        assert terms(inbox, engine) == (number + 1, 1)
        found += applied([inbox], {f"m{number}"})
    assert found == [f"m{number}" for number in range(5)]


def test_a_count_is_right_or_there_is_none(kafka, topic, engine, open_one):
    """To the client a leader that does not answer is not an error."""
    kafka.lead(topic, 0, 1)
    inbox = open_one()
    inbox.append(accepted("a"))
    assert terms(inbox, engine) == (1, 1)
    kafka.stop(1)
    for _ in range(2):
        with pytest.raises(Unreachable):
            terms(inbox, engine)
    kafka.lead(topic, 0, 2)
    assert eventually(lambda: counted(inbox, engine), what="a count") == (1, 1)


def counted(inbox: Inbox, engine: Engine) -> tuple[int, int] | None:
    try:
        return terms(inbox, engine)
    except Unreachable:
        return None


def test_workers_follow_their_groups_coordinator_and_apply_each_message_once(kafka, engine, open_one, tmp_path):
    """While messages keep coming, the coordinator moves and its old broker dies."""
    topic = kafka.create(next(_topics), 4, len(BROKERS))
    for partition in range(4):
        kafka.lead(topic, partition, 3)
    workers = [open_one(kafka_topic=topic, kafka_group=topic) for _ in range(2)]
    for worker in workers:
        worker._is_sole = False
    kafka.coordinate(topic, 1)
    found: list[str] = []
    stop = threading.Event()

    def work(inbox: KafkaInbox) -> None:
        while not stop.is_set():
            try:
                found.extend(ids(apply(inbox, limit=5)))
            except (Superseded, Unreachable):
                continue

    threads = [threading.Thread(target=work, args=(one,)) for one in workers]
    for thread in threads:
        thread.start()
    names = [f"m{number}" for number in range(60)]
    try:
        for number, name in enumerate(names):
            if number in (20, 40):
                kafka.coordinate(topic, 1 + number // 20)
                kafka.stop(number // 20)
            eventually(lambda: appended(workers[0], name), what=f"{name} being accepted")  # noqa: B023
        eventually(lambda: set(names) <= set(found), what="all messages being applied")
    finally:
        stop.set()
        for thread in threads:
            thread.join()

    assert sorted(found) == sorted(names)
    assert terms(workers[0], engine) == (60, 0)
