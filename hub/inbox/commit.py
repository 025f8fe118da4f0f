"""Group commit: many requests share one transaction, and each is answered when its own rows are on disk."""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from queue import Empty, SimpleQueue
from typing import Protocol

from sqlalchemy.exc import DBAPIError, SQLAlchemyError

from hub.core.clock import MINUTE, Micros
from hub.core.database import is_passing
from hub.core.logging import logger
from hub.inbox.codec import EncodedRow
from hub.inbox.refused import PER_MINUTE
from hub.inbox.values import RefusedRequest
from hub.sdk.errors import Busy

RefusalKey = tuple[str, str, Micros]
Keep = Callable[[], RefusedRequest]


class Store(Protocol):
    """What the writer thread writes to. Only that thread calls it; each call is one transaction, on disk at return."""

    def add_rows(self, rows: Sequence[EncodedRow]) -> None: ...

    def add_refusals(self, counts: Mapping[RefusalKey, int], kept: Sequence[RefusedRequest]) -> None: ...

    def announce(self) -> None:
        """After a commit, once its senders are answered: wake who applies messages."""
        ...

    @property
    def is_watched(self) -> bool:
        """Whether senders are answered by what was counted last: then it is counted again though nobody sends."""
        ...

    def upkeep(self) -> None:
        """Between commits, at least every second while it `is_watched`: counting what waits."""
        ...

    def release(self) -> None:
        """The last call: the thread ends."""
        ...


GROUP = 256  # requests of one transaction at most
REFUSALS_S = 1.0  # refusals are written this often at most: forged requests must not buy writes
ANSWER_S = 8.0  # senders give up after 5 to 15 seconds; the result of a commit that takes longer is unknown to them
KEPT_WAITING = 100  # refused requests held until the next write, at most
REFUSAL_KEYS = 10_000  # counts held while the store is down; beyond it minutes are no longer told apart

log = logger("inbox")


class _Ticket:
    """A request on its way to the disk. `done` is released once; then `error` is final."""

    __slots__ = ("done", "error", "rows")

    def __init__(self, rows: Sequence[EncodedRow]) -> None:
        self.rows = rows
        self.done = threading.Lock()
        self.done.acquire()
        self.error: Exception | None = None


_NUDGE = _Ticket(())
"""Ends the writer thread's rest: there is something else to write than requests."""


class GroupCommit:
    """The writer thread of one process and the queue in front of it. The thread starts with the first use."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._queue: SimpleQueue[_Ticket | None] = SimpleQueue()
        self._refusals: dict[RefusalKey, int] = {}
        self._kept: list[RefusedRequest] = []  # refused requests to be written with the counts
        self._kept_counts: Counter[RefusalKey] = Counter()  # of the latest minute
        self._guard = threading.Lock()  # of _refusals and _thread
        self._thread: threading.Thread | None = None
        self._is_closed = False
        self._refusals_at = time.monotonic()

    def append(self, rows: Sequence[EncodedRow]) -> None:
        """Returns when one request's rows are on disk. Raises Busy when they may not be: the sender sends it again."""
        if self._thread is None:
            self._start()
        if self._is_closed:
            raise Busy("The hub is shutting down; send it again in a moment.")
        ticket = _Ticket(rows)
        self._queue.put(ticket)
        if not ticket.done.acquire(timeout=ANSWER_S):
            raise Busy("The store did not answer in time; send it again.")
        if ticket.error is not None:
            raise Busy from ticket.error

    def refuse(self, connection_id: str, reason: str, now: Micros, keep: Keep | None = None) -> None:
        """Count a refusal in memory; it is written within about a second. Of a few per minute the request itself is kept:
        `keep` makes it, and is not called for the others."""
        if self._thread is None:
            self._start()
        key = (connection_id, reason, now - now % MINUTE)
        with self._guard:
            is_first = not self._refusals
            if keep is not None and self._has_room(key):
                self._kept.append(keep())
            if key not in self._refusals and len(self._refusals) >= REFUSAL_KEYS:
                key = (connection_id, reason, 0)
            self._refusals[key] = self._refusals.get(key, 0) + 1
        if is_first:
            self._queue.put(_NUDGE)

    def _has_room(self, key: RefusalKey) -> bool:
        """Whether another request of this source, reason and minute is kept."""
        if key not in self._kept_counts and any(minute != key[2] for _, _, minute in self._kept_counts):
            self._kept_counts.clear()
        self._kept_counts[key] += 1
        return self._kept_counts[key] <= PER_MINUTE and len(self._kept) < KEPT_WAITING

    def close(self) -> None:
        """Write what is queued, then stop."""
        with self._guard:
            self._is_closed = True
            thread = self._thread
        if thread is not None and thread.is_alive():
            self._queue.put(None)
            thread.join()

    # ── the writer thread ────────────────────────────────────────────────────────────────────────────────────────

    def _start(self) -> None:
        with self._guard:
            if self._thread is None and not self._is_closed:
                self._thread = threading.Thread(target=self._run, name="inbox-writer", daemon=True)
                self._thread.start()

    def _run(self) -> None:
        is_open = True
        while is_open:
            tickets, is_open = self._next_group()
            if tickets:
                self._commit(tickets)
            if not is_open or time.monotonic() - self._refusals_at >= REFUSALS_S:
                self._write_refusals()
            self._upkeep()
        self._store.release()

    def _next_group(self) -> tuple[list[_Ticket], bool]:
        """Everything that waits at this moment; and whether more may come."""
        tickets: list[_Ticket] = []
        has_more_to_do = self._refusals or self._store.is_watched
        try:
            ticket = self._queue.get(timeout=REFUSALS_S if has_more_to_do else None)
            while ticket is not None:
                if ticket is not _NUDGE:
                    tickets.append(ticket)
                if len(tickets) == GROUP:
                    return tickets, True
                ticket = self._queue.get_nowait()
        except Empty:
            return tickets, True
        return tickets, False

    def _commit(self, tickets: Sequence[_Ticket]) -> None:
        self._write(tickets)
        self._store.announce()

    def _write(self, tickets: Sequence[_Ticket]) -> None:
        error = self._try([row for ticket in tickets for row in ticket.rows])
        if error is None or _concerns_all(error) or len(tickets) == 1:
            _answer(tickets, error)
            return
        for place, ticket in enumerate(tickets):  # the database refuses one of them: the others must not suffer
            error = self._try(ticket.rows)
            if error is not None and _concerns_all(error):
                _answer(tickets[place:], error)
                return
            _answer([ticket], error)

    def _try(self, rows: Sequence[EncodedRow]) -> Exception | None:
        try:
            self._store.add_rows(rows)
        except Busy as error:
            log.warning("the inbox could not be written", rows=len(rows), why=str(error))
            return error
        except DBAPIError as error:
            why = str(error.orig).partition("\n")[0]  # what follows may quote the row
            log.warning("the inbox could not be written", rows=len(rows), why=why)
            return error
        except Exception as error:  # whatever it is, these senders need an answer and the thread must live on
            log.exception("the inbox could not be written", rows=len(rows))
            return error
        return None

    def _write_refusals(self) -> None:
        self._refusals_at = time.monotonic()
        with self._guard:
            counts, self._refusals = self._refusals, {}
            kept, self._kept = self._kept, []
        if not counts:
            return
        try:
            self._store.add_refusals(counts, kept)
        except SQLAlchemyError as error:
            log.warning("refusals could not be written; they are kept for the next try", why=type(error).__name__)
            with self._guard:
                for key, count in counts.items():
                    self._refusals[key] = self._refusals.get(key, 0) + count

    def _upkeep(self) -> None:
        try:
            self._store.upkeep()
        except SQLAlchemyError as error:
            log.warning("the waiting messages could not be counted", why=type(error).__name__)


def _concerns_all(error: Exception) -> bool:
    """Whether the store itself is at fault: then no request of the group would fare better alone."""
    return is_passing(error) or isinstance(error, Busy)


def _answer(tickets: Sequence[_Ticket], error: Exception | None) -> None:
    for ticket in tickets:
        ticket.error = error
        ticket.done.release()
