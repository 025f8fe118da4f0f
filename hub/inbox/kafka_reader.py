"""The reading side: records of the partitions this worker has, from where the state database says.

Kafka's own committed offsets steer nothing. A reader that was fenced off may read the same records as another; what it
makes of them is refused by the positions.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

from hub.core.kafka import REFUSED, Complaints
from hub.core.logging import logger
from hub.inbox.queue import Unreachable
from hub.sdk.errors import ConfigurationError

if TYPE_CHECKING:
    from confluent_kafka import Consumer, Message

AT_ONCE: Final = 200  # records taken from the client in one call
END_S: Final = 3.0
LEAVE_S: Final = 3.0
QUEUE_KBYTES: Final = 16_384  # held by the client beforehand
READING: Final[Mapping[str, Any]] = {
    "fetch.wait.max.ms": 100,
    "fetch.error.backoff.ms": 100,
    "queued.max.messages.kbytes": QUEUE_KBYTES,
    "session.timeout.ms": 10_000,
    "heartbeat.interval.ms": 1_000,
    "max.poll.interval.ms": 15_000,  # a worker that hangs loses its partitions, and no rebalance waits longer for it
    "topic.metadata.refresh.interval.ms": 30_000,
}
ALWAYS: Final[Mapping[str, Any]] = {
    "enable.auto.commit": False,
    "enable.auto.offset.store": False,
    "auto.offset.reset": "earliest",  # where a position was deleted; the gap is counted
    "allow.auto.create.topics": False,
    "group.protocol": "classic",  # with others, and other strategies, partitions come and go one by one
    "partition.assignment.strategy": "range,roundrobin",
}
"""What nobody's options change: the reader counts on it."""

Place = tuple[str, int]
"""A topic and one of its partitions."""

log = logger("inbox")


class TopicReader:
    """One consumer. With `group` the partitions are shared among its members, else this reader has `every` one.

    Records of transactions are read once those are committed, and aborted ones never, unless `config` says otherwise.
    """

    def __init__(
        self,
        config: Mapping[str, Any],
        group: str,
        topics: Sequence[str],
        every: Callable[[], Collection[Place]] | None = None,
    ) -> None:
        self._complaints = Complaints()
        self._config = {
            **READING,
            **config,
            **ALWAYS,
            "group.id": group,
            "error_cb": self._complaints.heard,
        }
        self._topics = list(topics)
        self._every = every
        self._lock = threading.RLock()
        self._consumer: Consumer | None = None
        self._has: frozenset[Place] = frozenset()
        self._next: dict[Place, int] = {}  # what the client gives next, where that is known
        self._held: deque[Message] = deque()  # taken from the client, not yet given out

    def assigned(self, wait_s: float = 0.0) -> frozenset[Place]:
        """The partitions this reader has at the moment; in a group they come and go with its members.

        Raises Unreachable where it has none because the brokers refuse it or are away, as `read` does.
        """
        with self._lock:
            consumer = self._open()
            if self._every is not None:
                self._take(frozenset(self._every()))
            elif not self._has:
                self._hold(consumer.poll(wait_s))  # joining a group happens in here
                self._tell()
            return self._has

    def read(self, at: Mapping[Place, int], limit: int, most_bytes: int, wait_s: float) -> list[Message]:
        """Records from these offsets on, in order within each partition, as soon as there are any; none after a time.

        Raises Unreachable where there are none because the brokers refuse this consumer or are away.
        """
        with self._lock:
            for place, offset in at.items():
                if place in self._has and self._next.get(place) != offset:
                    self._seek(place, offset)
            found: list[Message] = []
            size = 0
            if not self._held:
                self._hold(self._open().poll(wait_s))
            while len(found) < limit and size < most_bytes and self._fill(limit - len(found)):
                message = self._held.popleft()
                if self._is_due(message, at):
                    found.append(message)
                    size += len(message)
            if found:
                self._complaints.calm()
            else:
                self._tell()
            return found

    def end(self, place: Place) -> int:
        """The offset that its next record gets. Raises Unreachable."""
        from confluent_kafka import KafkaException, TopicPartition

        with self._lock:
            try:
                found = self._open().get_watermark_offsets(TopicPartition(*place), timeout=END_S)
            except KafkaException as error:
                raise Unreachable(f"The Kafka cluster does not answer ({error.args[0].str()}).") from error
            if not found or found[1] < 0:
                raise Unreachable("The Kafka cluster does not answer (a partition's leader is silent).")
            return int(found[1])

    def commit(self, offsets: Mapping[Place, int]) -> None:
        """Tell Kafka how far this group is, for whoever watches its lag."""
        from confluent_kafka import KafkaException, TopicPartition

        with self._lock:
            mine = [TopicPartition(*place, offset) for place, offset in offsets.items() if place in self._has]
            if self._consumer is None or not mine:
                return
            try:
                self._consumer.commit(offsets=mine, asynchronous=True)
            except KafkaException as error:
                log.debug("Kafka was not told how far we are", why=error.args[0].str())

    def close(self) -> None:
        """Leave the group. Brokers that are silent now are not waited for: they miss this member by themselves."""
        with self._lock:
            consumer, self._consumer = self._consumer, None
        if consumer is not None:
            leaving = threading.Thread(target=consumer.close, name="leave", daemon=True)
            leaving.start()
            leaving.join(LEAVE_S)

    # ── the client ──────────────────────────────────────────────────────────────────────────────────────────────

    def _open(self) -> Consumer:
        if self._consumer is None:
            from confluent_kafka import Consumer, KafkaException

            try:
                self._consumer = Consumer(self._config)
            except KafkaException as error:
                raise ConfigurationError(f"The Kafka settings are not usable: {error.args[0].str()}.") from None
            if self._every is None:
                self._consumer.subscribe(
                    self._topics, on_assign=self._assigned, on_revoke=self._revoked, on_lost=self._revoked
                )
        return self._consumer

    def _assigned(self, _consumer: Consumer, places: Sequence[Any]) -> None:
        self._forget(frozenset((one.topic, one.partition) for one in places))
        self._complaints.calm()
        log.info("partitions assigned", count=len(self._has))

    def _revoked(self, _consumer: Consumer, _places: Sequence[Any]) -> None:
        self._forget(frozenset())

    def _forget(self, has: frozenset[Place]) -> None:
        self._has = has
        self._next.clear()
        self._held.clear()

    def _take(self, every: frozenset[Place]) -> None:
        if every != self._has:
            from confluent_kafka import OFFSET_BEGINNING, TopicPartition

            self._open().assign([TopicPartition(*place, OFFSET_BEGINNING) for place in sorted(every)])
            self._forget(every)

    def _seek(self, place: Place, offset: int) -> None:
        from confluent_kafka import KafkaException, TopicPartition

        self._held = deque(one for one in self._held if (one.topic(), one.partition()) != place)
        try:
            self._open().seek(TopicPartition(*place, offset))
        except KafkaException:  # it is only being assigned, or no longer: the next read tries again
            self._next.pop(place, None)
            return
        self._next[place] = offset

    def _fill(self, wanted: int) -> bool:
        """Whether a record is at hand."""
        if not self._held:
            for message in self._open().consume(min(wanted, AT_ONCE), 0):
                self._hold(message)
        return bool(self._held)

    def _hold(self, message: Message | None) -> None:
        if message is None:
            return
        error = message.error()
        if error is None:
            self._held.append(message)
        elif error.name() in REFUSED:
            self._complaints.heard(error)
        else:
            log.info("the Kafka client says", why=error.str())

    def _tell(self) -> None:
        why = self._complaints.trouble()
        if why:
            raise Unreachable(f"The Kafka cluster does not let this consumer read ({why}).")

    def _is_due(self, message: Message, at: Mapping[Place, int]) -> bool:
        """Whether it comes next, or after a gap, in a partition that was asked for."""
        place = (str(message.topic()), int(message.partition() or 0))
        offset = int(message.offset() or 0)
        if place not in at or place not in self._next:
            self._next.pop(place, None)  # given away: the next to ask for it begins with a seek
            return False
        if offset < self._next[place]:
            return False
        self._next[place] = offset + 1
        return True
