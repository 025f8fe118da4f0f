"""A source that is read: its records reach the inbox once, whatever dies in between, and odd ones stop nobody."""

from __future__ import annotations

import itertools
import json
import threading
from collections.abc import Iterator
from typing import Any

import pytest
import structlog
from confluent_kafka import Producer
from confluent_kafka.admin import AdminClient

from hub.admin.connections import add_source, pause
from hub.core import clock
from hub.core.database import read, write
from hub.registry.values import Connection
from hub.runtime.consume import consumer as consuming
from hub.runtime.consume import offsets as places
from hub.runtime.consume.consumer import Consumer
from hub.runtime.consume.doctor import examine
from hub.runtime.live.connections import LiveConnections
from hub.sdk.errors import Busy, ConfigurationError
from tests.harness import eventually
from tests.kafka import Kafka, other_broker
from tests.rooms.whole import Whole

_topics = (f"people-{number}" for number in itertools.count())


@pytest.fixture(scope="module")
def kafka() -> Iterator[Kafka]:
    with other_broker() as running:
        yield running


@pytest.fixture
def topic(kafka: Kafka) -> str:
    return kafka.create(next(_topics), partitions=2)


@pytest.fixture
def source(whole: Whole, kafka: Kafka, topic: str) -> Connection:
    given = {"bootstrap": kafka.servers, "tls": "false", "topics": topic, "group": f"g-{topic}", "id_field": "id"}
    with write(whole.engine) as database:
        return add_source(whole.hub, database, clock.now(), "kafka", "stream", given, "tests")


def reading(whole: Whole, source: Connection) -> Consumer:
    instance: Any = LiveConnections(whole.hub).snapshot().sources[source.id]
    return Consumer(whole.hub, whole.inbox, source.id, instance, instance.subscription())


def taken(consumer: Consumer, count: int) -> int:
    """Steps until so many records were taken; forming a group takes its time."""
    total = 0

    def step() -> bool:
        nonlocal total
        total += consumer.step()
        return total >= count

    eventually(step, what=f"{count} records")
    return total


def publish(kafka: Kafka, topic: str, *values: bytes | None) -> None:
    producer = Producer(kafka.config())
    for number, value in enumerate(values):
        producer.produce(topic, value, f"key-{number}".encode())
    assert producer.flush(10) == 0


def seen_event(number: int) -> bytes:
    data = {"person": {"source_id": f"cust_{number}"}, "event": {"id": f"e-{number}", "name": "Signed Up"}}
    record = {"type": "event.occurred", "id": f"m-{number}", "timestamp": "2026-03-14T10:00:00Z", "data": data}
    return json.dumps(record).encode()


def test_records_become_messages_once_and_odd_ones_stand_in_quarantine(whole, kafka, topic, source):
    publish(kafka, topic, seen_event(1), b"{", None, b'{"a":' * 70 + b"1" + b"}" * 70, seen_event(2))
    consumer = reading(whole, source)
    assert taken(consumer, 5) == 5
    consumer.close()
    whole.applies()
    states = list(whole.messages(connection_id=source.id).values())
    assert sorted(states) == [
        ("applied", ""),
        ("applied", ""),
        ("quarantined", "not_an_object"),
        ("quarantined", "not_json"),
        ("quarantined", "not_json"),
    ]
    assert whole.profile("cust_1")["events"] == {"signed_up": 1}
    assert whole.books().terms["accepted"] == 5


def test_a_reader_that_dies_after_storing_reads_again_and_nothing_counts_twice(
    whole, kafka, topic, source, monkeypatch
):
    publish(kafka, topic, *[seen_event(number) for number in range(20)])
    dying = reading(whole, source)
    with monkeypatch.context() as patched:
        patched.setattr(places, "move", lambda *_: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            taken(dying, 20)
    dying.close()
    next_one = reading(whole, source)
    assert taken(next_one, 20) == 20
    publish(kafka, topic, seen_event(20))
    assert taken(next_one, 1) == 1
    next_one.close()
    whole.applies()
    terms = whole.books().terms
    assert terms["applied"] == 21
    assert terms["duplicate"] == terms["accepted"] - 21 > 0


def test_while_the_inbox_takes_nothing_no_record_is_passed_over(whole, kafka, topic, source, monkeypatch):
    publish(kafka, topic, seen_event(1))
    consumer = reading(whole, source)

    def full(_request: object) -> None:
        raise Busy

    with monkeypatch.context() as patched:
        patched.setattr(whole.inbox, "append", full)
        with pytest.raises(Busy):
            taken(consumer, 1)
    assert taken(consumer, 1) == 1
    consumer.close()
    whole.applies()
    assert whole.books().terms["applied"] == 1


def test_two_processes_share_the_partitions_and_take_each_record_once(whole, kafka, topic, source):
    readers = [reading(whole, source), reading(whole, source)]
    eventually(
        lambda: [one.step() for one in readers] and all(one._reader._has for one in readers), what="both joining"
    )
    publish(kafka, topic, *[seen_event(number) for number in range(100)])
    counts = [0, 0]

    def step() -> bool:
        for place, one in enumerate(readers):
            counts[place] += one.step()
        return sum(counts) >= 100

    eventually(step, what="all records")
    for one in readers:
        one.close()
    whole.applies()
    assert min(counts) > 0
    assert whole.books().terms["applied"] == 100
    assert whole.books().terms["duplicate"] == 0


HUGE_TIME_MS = 2**62
POISON: list[dict[str, object]] = [
    {"value": b"{"},
    {"value": None},
    {"value": b""},
    {"value": b'{"a":' * 70 + b"1" + b"}" * 70},
    {"value": b"\xff\xfe"},
    {"value": b"[]"},
    {"value": b'"text"'},
    {"value": b"1e999"},
    {"value": b'{"id": "a\\u0000b", "type": "\\ud800"}'},
    {"value": b'{"id": "%b"}' % (b"x" * 100_000), "key": b"\0" * 1_000},
    {"value": b'{"id": {"not": "a text"}}', "key": b"\xff"},
    {"value": b'{"id": 5}', "timestamp": HUGE_TIME_MS},
    {"value": b"not JSON", "timestamp": HUGE_TIME_MS},
    {"value": b"{}", "headers": {"a": None, "b": b"\xff", "c": b"\0"}},
    {"value": b'{"filler": "%b"}' % (b"x" * 900_000)},
]


@pytest.mark.parametrize("envelope", ["true", "false"])
def test_whatever_a_record_holds_it_ends_in_a_named_state_and_stops_nobody(whole, kafka, topic, envelope):
    producer = Producer(kafka.config(**{"message.max.bytes": 2_000_000}))
    for each in POISON:
        producer.produce(topic, partition=0, **each)
    producer.produce(topic, seen_event(1), b"key", partition=0)
    assert producer.flush(10) == 0
    made = add(whole, kafka, topic, envelope=envelope)
    consumer = reading(whole, made)
    assert taken(consumer, len(POISON) + 1) == len(POISON) + 1
    consumer.close()
    whole.applies()

    terms = whole.books().terms
    assert (terms["accepted"], terms["waiting"]) == (len(POISON) + 1, 0)
    if envelope == "false":
        assert whole.profile("cust_1")["events"] == {"signed_up": 1}


def test_a_record_that_outgrows_the_inbox_with_its_envelope_ends_in_quarantine(whole, kafka, topic):
    publish(kafka, topic, b'{"filler": "%b"}' % (b"x" * 300), b'{"filler": "%b"}' % (b"x" * 100))
    made = add(whole, kafka, topic, envelope="true")
    consumer = reading(whole, made)
    consumer._most = 350
    assert taken(consumer, 2) == 2
    consumer.close()
    whole.applies()

    reasons = sorted(reason for _, reason in whole.messages(connection_id=made.id).values())
    assert reasons == ["no_rule", "not_json"]


def test_whoever_comes_second_begins_where_the_first_one_decided(whole, kafka, topic):
    """Two readers see a new partition, as after a rebalance nobody was told of; the second one sees a later end."""
    publish(kafka, topic, *[seen_event(number) for number in range(5)])
    made = add(whole, kafka, topic, from_beginning="false")
    first, second = reading(whole, made), reading(whole, made)
    ends = {(topic, 0): 3, (topic, 1): 2}
    places_of_first = first._positions(Ends(ends), frozenset(ends))
    places_of_second = second._positions(Ends({place: end + 4 for place, end in ends.items()}), frozenset(ends))

    assert places_of_first == places_of_second == ends


class Ends:
    """What a reader says of ends."""

    def __init__(self, ends: dict[tuple[str, int], int]) -> None:
        self.ends = ends

    def end(self, place: tuple[str, int]) -> int:
        return self.ends[place]


def test_from_what_comes_next_means_nothing_before_and_everything_after(whole, kafka, topic):
    publish(kafka, topic, *[seen_event(number) for number in range(5)])
    made = add(whole, kafka, topic, from_beginning="false")
    consumer = reading(whole, made)
    eventually(lambda: consumer.step() == 0 and stored(whole, made, topic), what="a place to begin at")
    publish(kafka, topic, *[seen_event(number) for number in range(5, 12)])
    assert taken(consumer, 7) == 7
    consumer.close()


def stored(whole: Whole, source: Connection, topic: str) -> dict[tuple[str, int], int]:
    with read(whole.engine) as state:
        return places.stored(state, source.id, [(topic, 0), (topic, 1)])


# ── what an operator is told ─────────────────────────────────────────────────────────────────────────────────────


def add(whole: Whole, kafka: Kafka, topic: str, **more: str) -> Connection:
    given = {"bootstrap": kafka.servers, "tls": "false", "topics": topic, "group": f"g-{topic}", "id_field": "id"}
    with write(whole.engine) as database:
        return add_source(whole.hub, database, clock.now(), "kafka", topic, {**given, **more}, "tests")


def test_doctor_tells_how_much_waits_for_a_source(whole, kafka, topic, source):
    publish(kafka, topic, *[seen_event(number) for number in range(7)])
    assert list(examine(whole.hub)) == [("ok", "The source 'stream' reads 2 partitions; 7 records wait in them.")]
    consumer = reading(whole, source)
    taken(consumer, 7)
    consumer.close()
    assert list(examine(whole.hub)) == [("ok", "The source 'stream' reads 2 partitions; 0 records wait in them.")]


def test_doctor_names_a_topic_that_is_missing_and_says_nothing_of_paused_sources(whole, kafka):
    made = add(whole, kafka, next(_topics))
    ((level, told),) = examine(whole.hub)
    assert (level, told) == (
        "error",
        f"The source '{made.name}' reads {made.name}, which is missing or hidden from its user.",
    )
    with write(whole.engine) as database:
        pause(database, clock.now(), made, "a look", "tests")
    assert list(examine(whole.hub)) == []


def test_a_topic_that_was_made_anew_is_told_of_in_the_log_and_by_doctor(whole, kafka, topic, source, monkeypatch):
    publish(kafka, topic, *[seen_event(number) for number in range(7)])
    consumer = reading(whole, source)
    taken(consumer, 7)
    consumer.close()
    admin = AdminClient(kafka.config())
    admin.delete_topics([topic])[topic].result(10)
    kafka.create(topic, partitions=2)

    assert [told for _, told in examine(whole.hub)] == [
        f"The topic {topic} ends before what was read of it: it was made anew. Add a new source for it. It is read by 'stream'."
    ]
    monkeypatch.setattr(consuming, "LOOK_BACK_S", 0.0)
    again = reading(whole, source)
    with pytest.raises(ConfigurationError, match="made anew"):
        taken(again, 1)
    again.close()


def test_a_cluster_that_is_away_is_told_of_once_a_minute_and_once_when_it_is_back(
    whole, kafka, topic, source, monkeypatch
):
    monkeypatch.setattr(consuming, "PAUSE_S", 0.02)
    publish(kafka, topic, seen_event(1))
    consumer, stop = reading(whole, source), threading.Event()
    kafka.line.close()
    with structlog.testing.capture_logs() as logs:
        thread = threading.Thread(target=consumer.run, args=(stop,))
        thread.start()
        eventually(lambda: any(line["event"] == "a source's topics wait" for line in logs), what="a word in the log")
        kafka.line.open()
        eventually(lambda: any(line["event"] == "a source's topics are read again" for line in logs), what="another")
        stop.set()
        thread.join()
    told = [str(line.get("why")) for line in logs if line["event"] == "a source's topics wait"]
    assert len(told) == len(set(told))
    assert any("Connection refused" in why for why in told)
