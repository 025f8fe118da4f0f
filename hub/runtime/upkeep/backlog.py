"""What waits, and for how long: cheap enough for every probe and scrape."""

from __future__ import annotations

from typing import NamedTuple

from sqlalchemy import Engine, func, select

from hub.core.clock import Micros
from hub.core.database import read
from hub.inbox.queue import Inbox
from hub.outbox.queue import store
from hub.outbox.tables import DELIVERY


class Backlog(NamedTuple):
    """Counts and the age of the oldest, in microseconds."""

    messages: int
    message_age: Micros
    deliveries: int
    delivery_age: Micros


def backlog(engine: Engine, inbox: Inbox, now: Micros) -> Backlog:
    """What waits in the inbox and in the outbox at this moment."""
    with read(engine) as database:
        messages = inbox.terms(database).waiting
        waiting = DELIVERY.c.state.in_(["waiting", "sending", "pending"])
        deliveries = database.scalar(select(func.count()).select_from(DELIVERY).where(waiting)) or 0
        oldest_delivery = store.oldest_waiting(database)
    oldest_message = inbox.oldest_waiting()
    return Backlog(messages, _age(oldest_message, now), deliveries, _age(oldest_delivery, now))


def _age(since: Micros | None, now: Micros) -> Micros:
    return max(now - since, 0) if since is not None else 0
