"""An inbox beside the state database of `engine`, in that database or in Kafka, and messages to put into it."""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from sqlalchemy import Engine

from hub.core.clock import Micros
from hub.core.database import read
from hub.core.settings import Settings
from hub.inbox import commit, kafka
from hub.inbox.sql import Inbox, open_inbox
from hub.inbox.values import AcceptedRequest, Message
from hub.sdk.values import RawMessage
from tests.guards import keep
from tests.harness import PATIENCE_S
from tests.kafka import ONE_BY_ONE, Kafka, broker

CONNECTION = "01J00000000000000000000001"
NOW: Micros = 1_800_000_000_000_000

Opener = Callable[..., Inbox]


def accepted(*ids: str, connection_id: str = CONNECTION, at: Micros = NOW) -> AcceptedRequest:
    """A request of one message per id."""
    return AcceptedRequest(connection_id, at, [RawMessage(b'{"messageId":"%s"}' % i.encode(), i) for i in ids])


@pytest.fixture(scope="session")
def kafka_broker() -> Iterator[Kafka]:
    with broker() as running:
        keep(running.process.pid)
        yield running


@pytest.fixture(params=["database", "kafka"])
def queue(request: pytest.FixtureRequest) -> str:
    """Where the messages wait."""
    return str(request.param)


_topics = (f"inbox-{number}" for number in itertools.count())


@pytest.fixture
def open_another(
    queue: str, engine: Engine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest
) -> Iterator[Opener]:
    """Opens the same inbox as another process would. Its refusals are written sooner than a second."""
    monkeypatch.setattr(commit, "REFUSALS_S", 0.05)
    monkeypatch.setattr(kafka, "WAIT_S", 0.02)
    monkeypatch.setattr(kafka, "OLDEST_FOR_S", 0)
    opened: list[Inbox] = []
    where: dict[str, object] = {}
    if queue == "kafka":
        servers = request.getfixturevalue("kafka_broker").servers
        where = {"kafka_bootstrap": servers, "kafka_topic": next(_topics), "kafka_allow_unsafe": True}
        where |= {"kafka_partitions": 1, "kafka_replication": 1, "kafka_options": ONE_BY_ONE}

    def opener(**settings: object) -> Inbox:
        inbox = open_inbox(Settings(data_dir=tmp_path, **{**where, **settings}), engine)
        if isinstance(inbox, kafka.KafkaInbox):
            inbox._is_sole = True  # consumer groups take seconds to form: test_kafka.py has them
        inbox.create_tables()
        opened.append(inbox)
        return inbox

    yield opener
    for inbox in opened:
        inbox.close()


@pytest.fixture
def inbox(open_another: Opener) -> Inbox:
    return open_another()


def apply(inbox: Inbox, limit: int = 100) -> list[Message]:
    """One batch, applied and committed."""
    with inbox.batch(limit) as claim:
        if claim.messages:
            with claim.transaction():
                pass
        return list(claim.messages)


def is_rows(engine: Engine, queue: str) -> bool:
    """Whether workers claim rows, side by side, instead of moving a position."""
    return queue == "database" and engine.dialect.name == "postgresql"


def ids(messages: list[Message]) -> list[str]:
    return [message.message_id for message in messages]


def terms(inbox: Inbox, engine: Engine) -> tuple[int, int]:
    with read(engine) as state:
        return tuple(inbox.terms(state))


def until(is_true: Callable[[], object], within_s: float = PATIENCE_S) -> None:
    """Waits for a condition, not for a time."""
    deadline = time.monotonic() + within_s
    while not is_true():
        assert time.monotonic() < deadline, "the condition did not come true in time"
        time.sleep(0.005)
