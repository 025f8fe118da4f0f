"""The writing side of a Kafka inbox: one idempotent producer per process, and nothing is answered before its reports."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

from sqlalchemy import Engine

from hub.core.database import write
from hub.core.logging import logger
from hub.core.settings import Settings
from hub.inbox.codec import EncodedRow
from hub.inbox.commit import RefusalKey
from hub.inbox.kafka_record import HEAD_BYTES, InboxRecord, records_of
from hub.inbox.kafka_topic import Topic, connect_config
from hub.inbox.queue import Unreachable
from hub.inbox.refusals import add_refusals
from hub.inbox.refused import add_refused
from hub.inbox.values import RefusedRequest
from hub.sdk.errors import Busy, ConfigurationError

if TYPE_CHECKING:
    from confluent_kafka import KafkaError, Producer

ACK_S: Final = 5.0  # for the reports of one group; senders give up after 5 to 15 seconds
POLL_S: Final = 0.05
FRESH_S: Final = 0.25  # how old the waiting count may be
QUEUE_KBYTES: Final = 65_536
TOO_LARGE: Final = frozenset({"INVALID_MSG_SIZE", "MSG_SIZE_TOO_LARGE", "RECORD_LIST_TOO_LARGE"})
DOWN: Final = "The inbox's Kafka cluster does not take messages now; send it again in a moment."

log = logger("inbox")


class KafkaStore:
    """The writer thread's side. `count` says how many messages wait, and raises Unreachable."""

    def __init__(self, settings: Settings, topic: Topic, engine: Engine, count: Callable[[], int]) -> None:
        self.waiting = 0
        self._settings, self._topic, self._engine, self._count = settings, topic, engine, count
        self._producer: Producer | None = None
        self._counted_at = 0.0
        self.is_down = False
        """Whether the last group failed, and the cluster has not answered since: senders are told at once, instead of
        each waiting for the same."""

    def add_rows(self, rows: Sequence[EncodedRow]) -> None:
        """Returns when all in-sync replicas have every record. Raises Busy when they may not: then some may be there,
        and come again under the same ids."""
        records = list(records_of(rows))
        try:
            acks = self._publish(records)
        except (Unreachable, ConfigurationError) as error:
            self._fail()
            raise Busy(str(error)) from error
        if acks.error is None and not acks.left:
            self.is_down = False
            return
        if acks.error is not None and acks.error.name() in TOO_LARGE:
            raise ConfigurationError("The brokers refuse a record for its size; see `hub doctor`.")
        self._fail()
        raise Busy(f"{DOWN} ({acks.error.str() if acks.error is not None else 'no word from the client'})")

    def add_refusals(self, counts: Mapping[RefusalKey, int], kept: Sequence[RefusedRequest]) -> None:
        with write(self._engine) as connection:
            add_refusals(connection, counts)
            add_refused(connection, kept)

    def announce(self) -> None:
        """The readers wait at the brokers."""

    @property
    def is_watched(self) -> bool:
        return self.waiting > 0 or self.is_down

    def upkeep(self) -> None:
        now = time.monotonic()
        if now - self._counted_at < FRESH_S:
            return
        self._counted_at = now
        try:
            self.waiting = self._count()
        except (Unreachable, ConfigurationError):
            return
        self.is_down = False

    def release(self) -> None:
        """Nothing is under way any more."""
        self._producer = None

    def _fail(self) -> None:
        """After a gap in what it sent a producer can promise nothing more: the next one begins anew."""
        if self._producer is not None:
            self._producer.purge()
            self._producer = None
        self.is_down = True

    def _publish(self, records: Sequence[InboxRecord]) -> _Acks:
        producer = self._open()
        acks = _Acks(len(records))
        deadline = time.monotonic() + ACK_S + 1.0  # the client reports every fate by its own deadline
        for key, value in records:
            while not _produce(producer, self._topic.name, key, value, acks):
                producer.poll(POLL_S)
                if time.monotonic() > deadline:
                    return acks
        while acks.left and time.monotonic() < deadline:
            producer.poll(POLL_S)
        return acks

    def _open(self) -> Producer:
        if self._producer is None:
            from confluent_kafka import Producer

            self._topic.partitions()  # makes the topic, or refuses it
            self._producer = Producer(self._config())
        return self._producer

    def _config(self) -> dict[str, Any]:
        return connect_config(self._settings) | {
            "acks": "all",
            "enable.idempotence": True,
            "partitioner": "murmur2_random",  # as Java clients choose the partition of a key
            "linger.ms": 0,  # a group is handed over at once
            "message.timeout.ms": round(ACK_S * 1_000),
            "request.timeout.ms": round(ACK_S * 1_000),
            "message.max.bytes": self._settings.kafka_message_bytes,
            "queue.buffering.max.kbytes": QUEUE_KBYTES,
        }


class _Acks:
    """The fates of one group's records; only the thread that polls the producer comes here."""

    def __init__(self, count: int) -> None:
        self.left = count
        self.error: KafkaError | None = None

    def one(self, error: KafkaError | None, _record: object) -> None:
        self.left -= 1
        if error is not None and self.error is None:
            self.error = error


def _produce(producer: Producer, topic: str, key: bytes, value: bytes, acks: _Acks) -> bool:
    """Hand a record over; False if the client holds as much as it may."""
    from confluent_kafka import KafkaException

    try:
        producer.produce(topic, value, key, on_delivery=acks.one)
    except BufferError:
        return False
    except KafkaException as error:
        acks.one(error.args[0], None)
    return True


def fits(body: bytes, settings: Settings) -> bool:
    """Whether a message of this size can be a record."""
    return len(body) + HEAD_BYTES <= settings.kafka_message_bytes
