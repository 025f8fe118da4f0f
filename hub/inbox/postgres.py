"""The inbox in PostgreSQL, beside the state: claimed rows are locked, and deleted in the batch transaction.

Ids become visible in commit order, not in their own: no worker may count past a row it has not seen, so there is no
position. Any number of workers claim side by side.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field

from sqlalchemy import Connection, Engine, bindparam, delete, func, select

from hub.core import wakeup
from hub.core.clock import Micros
from hub.core.database import read, write
from hub.core.filters import EVERY, RecordFilter
from hub.core.wakeup import MESSAGES, wake
from hub.inbox import kafka_positions
from hub.inbox.codec import EncodedRow, decode, encode
from hub.inbox.commit import GroupCommit, Keep, RefusalKey
from hub.inbox.refusals import add_refusals, forget_refusals, list_refusals
from hub.inbox.refused import add_refused, forget_refused, list_refused
from hub.inbox.tables import INBOX, request, tally
from hub.inbox.values import AcceptedRequest, InboxTerms, Message, Refusal, RefusedRequest
from hub.sdk.errors import Overloaded

BATCH_BYTES = 8_388_608  # a batch ends here even below its limit of messages: bodies are held in memory
FRESH_S = 0.25  # how old the waiting count may be
SHARDS = 64

# One statement for all rows, with binary parameters (%b): as text every byte of a body would be escaped first.
_INSERT = (
    "INSERT INTO inbox_request (connection_id, received_at, message_count, heads, bodies)"
    " SELECT * FROM unnest(%b::text[], %b::bigint[], %b::int[], %b::text[], %b::bytea[])"
)
_TALLY = (
    "INSERT INTO inbox_tally (shard, accepted, taken) VALUES (%s, %s, %s) ON CONFLICT (shard) DO UPDATE SET"
    " accepted = inbox_tally.accepted + excluded.accepted, taken = inbox_tally.taken + excluded.taken"
)
_HEAD = (
    select(request.c.id, request.c.message_count, func.octet_length(request.c.bodies))
    .order_by(request.c.id)
    .limit(bindparam("row_limit"))
    .with_for_update(skip_locked=True)
)
_TAKE = (
    delete(request)
    .where(request.c.id == func.any(bindparam("ids")))
    .returning(request.c.id, request.c.connection_id, request.c.received_at, request.c.heads, request.c.bodies)
)


@dataclass(frozen=True, slots=True)
class PostgresClaim:
    """Rows taken in a transaction that is still open."""

    inbox: PostgresInbox
    connection: Connection
    messages: Sequence[Message] = field(repr=False)

    def following(self, limit: int) -> AbstractContextManager[PostgresClaim]:
        return self.inbox.batch(limit)  # these rows are locked, so it passes over them

    @contextmanager
    def transaction(self) -> Iterator[Connection]:
        yield self.connection
        _add_to_tally(self.connection, taken=len(self.messages))
        self.connection.commit()
        wakeup.send_noted(self.connection)


class PostgresStore:
    """The writer thread's side."""

    def __init__(self, engine: Engine) -> None:
        self.waiting = 0
        self._engine = engine
        self._counted_at = 0.0

    def add_rows(self, rows: Sequence[EncodedRow]) -> None:
        with write(self._engine) as connection:
            columns = tuple([list(column) for column in zip(*rows, strict=True)])
            connection.exec_driver_sql(_INSERT, columns)
            _add_to_tally(connection, accepted=sum(row.message_count for row in rows))

    def add_refusals(self, counts: Mapping[RefusalKey, int], kept: Sequence[RefusedRequest]) -> None:
        with write(self._engine) as connection:
            add_refusals(connection, counts)
            add_refused(connection, kept)

    def announce(self) -> None:
        wake(self._engine, MESSAGES)

    @property
    def is_watched(self) -> bool:
        return self.waiting > 0

    def upkeep(self) -> None:
        now = time.monotonic()
        if now - self._counted_at < FRESH_S:
            return
        self._counted_at = now
        with read(self._engine) as connection:
            self.waiting = int(connection.scalar(select(func.sum(tally.c.accepted - tally.c.taken))) or 0)

    def release(self) -> None:
        """Nothing is held between commits."""


class PostgresInbox:
    """See hub.inbox.queue.Inbox."""

    is_awaited = False

    def __init__(self, engine: Engine, limit: int) -> None:
        self._engine = engine
        self._limit = limit
        self._messages_per_row = 1.0
        self._store = PostgresStore(engine)
        self._commit = GroupCommit(self._store)

    def create_tables(self) -> None:
        with write(self._engine) as connection:
            INBOX.create_all(connection)

    def append(self, accepted: AcceptedRequest) -> None:
        if self._store.waiting >= self._limit:
            raise Overloaded
        self._commit.append(encode(accepted))

    def refuse(self, connection_id: str, reason: str, now: Micros, keep: Keep | None = None) -> None:
        self._commit.refuse(connection_id, reason, now, keep)

    @contextmanager
    def batch(self, limit: int) -> Iterator[PostgresClaim]:
        # Closing it rolls back what was not committed.
        with self._engine.connect().execution_options(**wakeup.options()) as connection:
            yield PostgresClaim(self, connection, self._take(connection, limit))

    def terms(self, state: Connection) -> InboxTerms:
        accepted = state.scalar(select(func.coalesce(func.sum(tally.c.accepted), 0)))
        waiting = state.scalar(select(func.coalesce(func.sum(request.c.message_count), 0)))
        return InboxTerms(int(accepted or 0) + kafka_positions.applied(state), int(waiting or 0))

    def oldest_waiting(self) -> Micros | None:
        with read(self._engine) as connection:
            return connection.scalar(select(request.c.received_at).order_by(request.c.id).limit(1))

    def refusals(self, wanted: RecordFilter = EVERY) -> list[Refusal]:
        return list_refusals(self._engine, wanted)

    def refused(self, wanted: RecordFilter = EVERY, limit: int = 50) -> list[RefusedRequest]:
        return list_refused(self._engine, wanted, limit)

    def forget_refused(self, before: Micros) -> int:
        with write(self._engine) as connection:
            return forget_refused(connection, before)

    def prune(self, refusals_before: Micros) -> int:
        with write(self._engine) as connection:
            return forget_refusals(connection, refusals_before)

    def close(self) -> None:
        self._commit.close()

    def _take(self, connection: Connection, limit: int) -> list[Message]:
        """Lock about as many rows as the batch needs, then read and delete those that fit it."""
        row_limit = max(1, int(limit / self._messages_per_row))
        ids: list[int] = []
        count = size = 0
        for row_id, messages, n_bytes in connection.execute(_HEAD, {"row_limit": row_limit}):
            ids.append(row_id)
            count += messages
            size += n_bytes
            if count >= limit or size >= BATCH_BYTES:
                break
        if not ids:
            return []
        self._messages_per_row = count / len(ids)
        rows = sorted(connection.execute(_TAKE, {"ids": ids}), key=lambda row: row.id)
        return [
            message for row in rows for message in decode(row.connection_id, row.received_at, row.heads, row.bodies)
        ]


def _add_to_tally(connection: Connection, accepted: int = 0, taken: int = 0) -> None:
    """The last write of its transaction, on this process's own row, so that processes do not wait for each other."""
    connection.exec_driver_sql(_TALLY, (os.getpid() % SHARDS, accepted, taken))
