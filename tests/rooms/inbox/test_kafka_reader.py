"""One reader of topics: where it goes on, what it shares, and that nobody waits for brokers that are silent."""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable, Iterator, Mapping

import pytest
from confluent_kafka import Producer

from hub.inbox.kafka_reader import Place, TopicReader
from tests.harness import eventually
from tests.kafka import Kafka, other_broker

MANY, LARGE = 10_000, 10**7
CLOSED_S = 8.0  # far less than a client alone waits for silent brokers

_topics = (f"read-{number}" for number in itertools.count())


@pytest.fixture(scope="module")
def running() -> Iterator[Kafka]:
    with other_broker() as kafka:
        yield kafka


@pytest.fixture
def kafka(running: Kafka) -> Iterator[Kafka]:
    yield running
    running.line.restore()


@pytest.fixture
def topic(kafka: Kafka) -> str:
    return kafka.create(next(_topics), partitions=2)


@pytest.fixture
def join(kafka: Kafka, topic: str) -> Iterator[Callable[..., TopicReader]]:
    """Another member of the topic's group."""
    every: list[TopicReader] = []

    def make(**options: object) -> TopicReader:
        config = {"bootstrap.servers": kafka.servers, "log_level": 0, **options}
        every.append(TopicReader(config, f"g-{topic}", [topic]))
        return every[-1]

    yield make
    for one in every:
        one.close()


def publish(kafka: Kafka, topic: str, count: int) -> None:
    """So many records into each partition."""
    producer = Producer(kafka.config())
    for number in range(count):
        for partition in (0, 1):
            producer.produce(topic, str(number).encode(), partition=partition)
    assert producer.flush(10) == 0


def has(reader: TopicReader, count: int) -> frozenset[Place]:
    eventually(lambda: len(reader.assigned(0.05)) == count, what=f"{count} partitions")
    return reader.assigned()


def reads(reader: TopicReader, at: Mapping[Place, int], count: int) -> list[tuple[int, int]]:
    found: list[tuple[int, int]] = []
    eventually(
        lambda: (
            found.extend((int(m.partition() or 0), int(m.offset() or 0)) for m in reader.read(at, MANY, LARGE, 0.1))
            or len(found) >= count
        ),
        what=f"{count} records",
    )
    return found


def test_it_reads_from_where_it_is_told_forward_and_back(kafka, topic, join):
    publish(kafka, topic, 10)
    reader = join()
    places = has(reader, 2)

    assert sorted(reads(reader, {(topic, 0): 7, (topic, 1): 9}, 4)) == [(0, 7), (0, 8), (0, 9), (1, 9)]
    again = reads(reader, dict.fromkeys(places, 8), 4)
    assert sorted(again) == [(0, 8), (0, 9), (1, 8), (1, 9)]


def test_a_batch_ends_at_its_limits_and_the_next_goes_on_there(kafka, topic, join):
    publish(kafka, topic, 10)
    reader = join()
    at = dict.fromkeys(has(reader, 2), 0)
    sizes, found = [], []
    while len(found) < 20:
        batch = reader.read(at, 3, LARGE, 0.5)
        sizes.append(len(batch))
        for one in batch:
            place = (str(one.topic()), int(one.partition() or 0))
            found.append((place[1], int(one.offset() or 0)))
            at[place] = found[-1][1] + 1

    assert max(sizes) == 3
    assert sorted(found) == [(partition, offset) for partition in (0, 1) for offset in range(10)]
    for partition in (0, 1):
        assert [offset for one, offset in found if one == partition] == list(range(10)), "in order"


@pytest.mark.parametrize(
    "options", [{}, {"partition.assignment.strategy": "cooperative-sticky", "auto.offset.reset": "latest"}]
)
def test_what_another_member_left_is_given_to_those_that_stay(kafka, topic, join, options):
    """Whatever an operator's options say of it."""
    publish(kafka, topic, 5)
    first = join(**options)
    has(first, 2)
    second = join(**options)
    eventually(
        lambda: first.read({}, 1, 1, 0.05) is not None and len(second.assigned(0.05)) == 1 == len(first.assigned()),
        what="both having one",
    )
    assert first.assigned() | second.assigned() == {(topic, 0), (topic, 1)}
    second.close()
    eventually(lambda: first.read({}, 1, 1, 0.05) is not None and len(first.assigned()) == 2, what="all being back")
    assert len(reads(first, dict.fromkeys(first.assigned(), 0), 10)) == 10


def test_records_of_a_transaction_count_once_it_is_committed(kafka, topic, join):
    producer = Producer(kafka.config(**{"transactional.id": topic}))
    producer.init_transactions(10)
    for name, ends in (("a", True), ("b", False), ("c", True)):
        producer.begin_transaction()
        producer.produce(topic, name, partition=0)
        producer.flush(10)
        (producer.commit_transaction if ends else producer.abort_transaction)(10)
    producer.begin_transaction()
    producer.produce(topic, "not yet", partition=0)
    producer.flush(10)
    reader = join()
    at = dict.fromkeys(has(reader, 2), 0)
    found: list[bytes] = []
    eventually(
        lambda: (
            found.extend(one.value() for one in reader.read(at, 1, LARGE, 0.1))
            or at.update(reader._next)
            or b"c" in found
        ),
        what="the last committed one",
    )
    assert found == [b"a", b"c"]
    assert reader.read(dict(reader._next), 1, LARGE, 0.5) == []
    producer.abort_transaction(10)


@pytest.mark.parametrize("how", ["cut", "close"])
def test_leaving_waits_for_no_silent_brokers(kafka, topic, join, how):
    publish(kafka, topic, 1)
    reader = join()
    at = dict.fromkeys(has(reader, 2), 0)
    assert len(reads(reader, at, 2)) == 2
    getattr(kafka.line, how)()
    reader.commit(dict.fromkeys(at, 1))

    began = time.monotonic()
    reader.close()
    assert time.monotonic() - began < CLOSED_S
