"""The inbox in a Kafka topic: one record per message, so that Kafka's own offsets are the running totals.

Positions live in the state database and move inside the batch transaction (docs/decisions/0004). What the inbox was
before Kafka, a file or a table, keeps the refusals, and is drained first.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from typing import Any, Final

from sqlalchemy import Connection, Engine

from hub.core.clock import Micros
from hub.core.database import read, write
from hub.core.filters import EVERY, RecordFilter
from hub.core.logging import logger
from hub.core.settings import Settings
from hub.inbox import kafka_positions as positions
from hub.inbox.codec import encode
from hub.inbox.commit import GroupCommit, Keep
from hub.inbox.kafka_admin import LOOK_S
from hub.inbox.kafka_producer import DOWN, KafkaStore, fits
from hub.inbox.kafka_reader import Place, TopicReader
from hub.inbox.kafka_record import message_of
from hub.inbox.kafka_topic import Topic, connect_config
from hub.inbox.queue import Claim, Inbox, Superseded, Unreachable
from hub.inbox.values import AcceptedRequest, InboxTerms, Message, Refusal, RefusedRequest
from hub.ledger.retention import carry
from hub.sdk.errors import Busy, ConfigurationError, Overloaded, TooLarge

BATCH_BYTES: Final = 8_388_608  # a batch ends here even below its limit of messages: bodies are held in memory
WAIT_S: Final = 0.2  # for the first record, when nothing is at hand
ARRIVE_S: Final = 5.0  # for one that is there
SHORT_S: Final = 60.0  # a topic that ends before its position for so long was made anew
GLANCE_S: Final = 1.0  # for counting between two commits
COMMIT_EVERY_S: Final = 1.0
OLDEST_FOR_S: Final = 1.0  # how old the answer to "what is the oldest" may be
OLDEST_S: Final = 1.0  # for finding it
TRUNCATE_AGAIN_S: Final = 300.0  # after brokers that did not want to delete
LOST = "lost_in_kafka"
"""Why messages are ignored that were deleted from the topic before they were applied."""

log = logger("inbox")


@dataclass(frozen=True, slots=True)
class KafkaClaim:
    """Records after the positions, read without holding any transaction."""

    inbox: KafkaInbox
    old: Mapping[Place, int]
    new: Mapping[Place, int]
    messages: Sequence[Message] = field(repr=False)

    def following(self, limit: int) -> AbstractContextManager[KafkaClaim]:
        return self.inbox.after({**self.old, **self.new}, limit)

    @contextmanager
    def transaction(self) -> Iterator[Connection]:
        with write(self.inbox.state) as connection:
            self.inbox.advance(connection, self.old, self.new, len(self.messages))
            yield connection
        self.inbox.applied(self.new)


class KafkaInbox:
    """See hub.inbox.queue.Inbox. `before` is the inbox of the same installation without Kafka.

    `is_sole`: this process applies alone and reads every partition; else it shares them with its consumer group.
    """

    is_awaited = True

    def __init__(self, settings: Settings, state: Engine, engine: Engine, before: Inbox, *, is_sole: bool) -> None:
        self.state = state
        self._settings = settings
        self._engine = engine
        self._before = before
        self._topic = Topic(settings)
        self._is_sole = is_sole
        self._reader: TopicReader | None = None
        self._scout: TopicReader | None = None
        self._store = KafkaStore(settings, self._topic, engine, self._waiting)
        self._commit = GroupCommit(self._store)
        self._committed_at = 0.0
        self._oldest: tuple[float, Micros | None] = (-OLDEST_FOR_S, None)
        self._truncate_at = 0.0
        self._short_since: float | None = None

    def create_tables(self) -> None:
        self._before.create_tables()

    # ── accepting ───────────────────────────────────────────────────────────────────────────────────────────────

    def append(self, request: AcceptedRequest) -> None:
        """Raises TooLarge for a message that no record could hold, before anything is stored."""
        if self._store.waiting >= self._settings.inbox_limit:
            raise Overloaded
        if self._store.is_down:
            raise Busy(DOWN)
        if not all(fits(message.body, self._settings) for message in request.messages):
            raise TooLarge("A message is larger than a record of the inbox may be; see HUB_KAFKA_MESSAGE_BYTES.")
        self._commit.append(encode(request))

    def refuse(self, connection_id: str, reason: str, now: Micros, keep: Keep | None = None) -> None:
        self._commit.refuse(connection_id, reason, now, keep)

    # ── applying ────────────────────────────────────────────────────────────────────────────────────────────────

    @contextmanager
    def batch(self, limit: int) -> Iterator[Claim]:
        with self._before.batch(limit) as claim:
            if claim.messages:
                yield claim
                return
        has = self._open_reader().assigned(WAIT_S)
        with read(self.state) as connection:
            known = positions.stored(connection, self._topic.name)
        with self.after({place: known.get(place[1], 0) for place in has}, limit) as following:
            yield following

    @contextmanager
    def after(self, old: Mapping[Place, int], limit: int) -> Iterator[KafkaClaim]:
        """Claim what comes after positions, which are the stored ones by the time the claim's transaction begins.

        Nothing once this worker's partitions are others than those: a claim follows another for as long as there is
        much to do, and would pass over what was added, or wait for what went to another worker.
        """
        reader, places = self._open_reader(), frozenset(old)
        deadline = time.monotonic() + ARRIVE_S
        records: list[Any] = []
        while old and reader.assigned() == places:
            records = reader.read(old, limit, BATCH_BYTES, WAIT_S)
            if records or not self._is_behind(old) or time.monotonic() >= deadline:
                break
        new = {(str(one.topic()), int(one.partition() or 0)): int(one.offset() or 0) + 1 for one in records}
        yield KafkaClaim(self, old, new, [_message(one) for one in records])

    def advance(self, state: Connection, old: Mapping[Place, int], new: Mapping[Place, int], count: int) -> None:
        """Move the positions in a batch's transaction. Raises Superseded. What a gap swallowed is counted as lost."""
        before = {place[1]: old[place] for place in new}
        if not positions.advance(state, self._topic.name, before, {place[1]: end for place, end in new.items()}):
            raise Superseded
        lost = sum(end - old[place] for place, end in new.items()) - count
        if lost:
            log.error("messages were deleted from the inbox topic before they were applied", count=lost)
            carry(state, {("ignored", LOST): lost})

    def applied(self, new: Mapping[Place, int]) -> None:
        now = time.monotonic()
        if self._reader is not None and now - self._committed_at >= COMMIT_EVERY_S:
            self._committed_at = now
            self._reader.commit(new)

    # ── counting ────────────────────────────────────────────────────────────────────────────────────────────────

    def terms(self, state: Connection) -> InboxTerms:
        return self._terms(state, LOOK_S)

    def oldest_waiting(self) -> Micros | None:
        """At most OLDEST_FOR_S seconds old."""
        now = time.monotonic()
        if now - self._oldest[0] >= OLDEST_FOR_S:
            self._oldest = (now, self._find_oldest())
        return self._oldest[1]

    def refusals(self, wanted: RecordFilter = EVERY) -> list[Refusal]:
        return self._before.refusals(wanted)

    def refused(self, wanted: RecordFilter = EVERY, limit: int = 50) -> list[RefusedRequest]:
        return self._before.refused(wanted, limit)

    def forget_refused(self, before: Micros) -> int:
        return self._before.forget_refused(before)

    def prune(self, refusals_before: Micros) -> int:
        return self._before.prune(refusals_before) + self._truncate()

    def left(self) -> tuple[int, int]:
        """How many applied messages can still be read from the topic, and how many wait. Raises Unreachable."""
        with read(self.state) as connection:
            known = positions.stored(connection, self._topic.name)
        begins, ends = self._topic.beginnings(), self._topic.ends()
        kept = sum(max(0, offset - begins.get(one, 0)) for one, offset in known.items())
        return kept, sum(ends.values()) - sum(known.values())

    def ends(self) -> dict[str, int]:
        """How far the topic reaches now, by partition. Raises Unreachable."""
        return {str(partition): offset for partition, offset in self._topic.ends().items()}

    def is_truncated(self, to: Mapping[str, int]) -> bool:
        """Whether nothing before these offsets can be read any more. Raises Unreachable."""
        begins = self._topic.beginnings()
        return all(begins.get(int(partition), 0) >= offset for partition, offset in to.items())

    def close(self) -> None:
        self._commit.close()
        for reader in (self._reader, self._scout):
            if reader is not None:
                reader.close()
        self._before.close()

    def _waiting(self) -> int:
        with read(self.state) as connection:
            return self._terms(connection, GLANCE_S).waiting

    def _terms(self, state: Connection, timeout_s: float) -> InboxTerms:
        known = positions.stored(state, self._topic.name)  # first: what is accepted after this counts as both
        before = self._before.terms(state)  # with everything that was applied from Kafka
        waiting = sum(self._topic.ends(timeout_s).values()) - sum(known.values())
        return InboxTerms(before.accepted + waiting, before.waiting + waiting)

    def _is_behind(self, at: Mapping[Place, int]) -> bool:
        """Whether records wait behind these positions. Raises ConfigurationError where that cannot be."""
        ends, now = self._topic.ends(), time.monotonic()
        if all(ends.get(place[1], 0) >= offset for place, offset in at.items()):
            self._short_since = None
        elif self._short_since is None:  # a new leader may not know the end for a moment
            self._short_since = now
        if self._short_since is not None and now - self._short_since >= SHORT_S:
            raise ConfigurationError(
                f"The topic {self._topic.name} ends before what was applied of it: it was made anew, and new messages "
                "would never be applied. Name another topic in HUB_KAFKA_TOPIC."
            )
        return any(ends.get(place[1], 0) > offset for place, offset in at.items())

    def _truncate(self) -> int:
        if time.monotonic() < self._truncate_at:
            return 0
        with read(self.state) as connection:
            known = positions.stored(connection, self._topic.name)
        try:
            return self._topic.truncate(known)
        except Unreachable as error:
            log.warning("the applied part of the inbox topic could not be deleted", why=str(error))
            self._truncate_at = time.monotonic() + TRUNCATE_AGAIN_S
            return 0

    def _find_oldest(self) -> Micros | None:
        with read(self.state) as connection:
            known = positions.stored(connection, self._topic.name)
        ends = self._topic.ends()
        waiting = {(self._topic.name, one): known.get(one, 0) for one in ends if ends[one] > known.get(one, 0)}
        found = [self._before.oldest_waiting()]
        if waiting:
            scout = self._open_scout()
            deadline = time.monotonic() + OLDEST_S
            for place, offset in waiting.items():
                records = scout.read({place: offset}, 1, 1, max(0.0, deadline - time.monotonic()))
                found += [_message(one).received_at for one in records]
        return min((one for one in found if one is not None), default=None)

    def _open_scout(self) -> TopicReader:
        """Reads single records, so it fetches little."""
        if self._scout is None:
            little = {"fetch.message.max.bytes": 1_000, "queued.min.messages": 1}
            config = self._reading() | little
            self._scout = TopicReader(config, f"{self._settings.kafka_group}-look", [self._topic.name], self._every)
        self._scout.assigned()
        return self._scout

    def _open_reader(self) -> TopicReader:
        if self._reader is None:
            self._topic.partitions()  # makes the topic, or refuses it
            every = self._every if self._is_sole else None
            self._reader = TopicReader(self._reading(), self._settings.kafka_group, [self._topic.name], every)
        return self._reader

    def _reading(self) -> dict[str, Any]:
        """Everything is read, as everything counts: a foreign transaction that never ends must not hold up the rest."""
        return connect_config(self._settings) | {"isolation.level": "read_uncommitted"}

    def _every(self) -> list[Place]:
        return [(self._topic.name, one) for one in range(self._topic.partitions())]


def _message(record: Any) -> Message:
    place = f"{record.topic()}/{record.partition()}/{record.offset()}"
    return message_of(place, record.value(), record.timestamp()[1] * 1_000)
