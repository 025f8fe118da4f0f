"""What every inbox can do, whatever it is stored in. `hub.inbox.sql.open_inbox` opens the one of this installation."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from typing import Protocol

from sqlalchemy import Connection

from hub.core.clock import Micros
from hub.core.filters import EVERY, RecordFilter
from hub.inbox.values import AcceptedRequest, InboxTerms, Message, Refusal, RefusedRequest
from hub.sdk.errors import HubError


class Superseded(HubError):
    """Another process applied these messages first; nothing of this batch was kept. Claim again."""


class Unreachable(HubError):
    """The queue's server does not answer now; nothing of it is lost. Try again in a moment."""


class Claim(Protocol):
    """Some waiting messages, whole rows of the queue, in order of arrival. Used once:

        with inbox.batch(limit) as claim:
            if claim.messages:
                mapped = [...]                          # outside the write transaction where the engine has one writer
                with claim.transaction() as state:      # moves the position (or deletes the rows) in this transaction
                    fresh = seen.record(state, rows)
                    ...

    A block left without `transaction`, or by an exception, claims nothing: the messages come again.
    """

    @property
    def messages(self) -> Sequence[Message]: ...

    def transaction(self) -> AbstractContextManager[Connection]:
        """The one state transaction of this batch: commits at the end, rolls back on any exception.

        Raises Superseded, before anything is written, if another process has applied these messages meanwhile.
        """
        ...

    def following(self, limit: int) -> AbstractContextManager[Claim]:
        """Claim what comes next while this claim's transaction is still under way, from another thread if wanted.

        If that transaction fails, let go of what follows: on SQLite and Kafka it raises Superseded.
        """
        ...


class Inbox(Protocol):
    """The durable queue of messages."""

    is_awaited: bool
    """Whether `batch` itself waits a moment for messages. If not, `hub.core.wakeup` tells when some have come."""

    def create_tables(self) -> None:
        """Make the queue's tables directly, as tests do; processes use `hub migrate`."""
        ...

    def append(self, request: AcceptedRequest) -> None:
        """Returns when the request is on disk. Raises Busy when it may not be."""
        ...

    def refuse(
        self, connection_id: str, reason: str, now: Micros, keep: Callable[[], RefusedRequest] | None = None
    ) -> None:
        """Count a refusal; written with the next commit, within about a second. Never waits. `keep` makes what is kept of
        the request, for a few of each source, reason and minute."""
        ...

    def batch(self, limit: int) -> AbstractContextManager[Claim]:
        """Claim rows until they hold `limit` messages: at least one row if any waits, so up to 249 messages more.

        On Kafka of the partitions that this worker has. Raises Unreachable there.
        """
        ...

    def terms(self, state: Connection) -> InboxTerms:
        """Accepted and waiting, exact beside the seen rows of the same snapshot: pass a `read(engine)` connection.

        Raises Unreachable, as `oldest_waiting` does.
        """
        ...

    def oldest_waiting(self) -> Micros | None:
        """When the oldest waiting message was received."""
        ...

    def refusals(self, wanted: RecordFilter = EVERY) -> list[Refusal]:
        """Refusals of the minutes that match, oldest first."""
        ...

    def refused(self, wanted: RecordFilter = EVERY, limit: int = 50) -> list[RefusedRequest]:
        """Refused requests that are kept still and match, newest first."""
        ...

    def forget_refused(self, before: Micros) -> int:
        """Delete the refused requests that were received before a time; how many."""
        ...

    def prune(self, refusals_before: Micros) -> int:
        """Delete applied requests and old refusals, a bounded number; how many went. Repeat until 0.

        Accepted and waiting stay exact. After an erasure this removes what the queue still holds of applied bodies.
        """
        ...

    def close(self) -> None:
        """Write what is queued and stop the writer."""
        ...
