"""The sources that are read, all together: every change of them is followed, and their reading never ends in silence."""

from __future__ import annotations

import itertools
import threading
from collections.abc import Iterator

import pytest

from hub.admin.connections import add_source, change_settings, pause, resume
from hub.core import clock
from hub.core.database import write
from hub.registry.values import Connection
from hub.runtime.consume import consumers as consuming_all
from hub.runtime.consume.consumers import Consumers
from hub.runtime.roles.apply import run_apply
from tests.harness import eventually
from tests.kafka import Kafka, other_broker
from tests.rooms.test_consuming import publish, seen_event
from tests.rooms.whole import Whole

_topics = (f"all-{number}" for number in itertools.count())


@pytest.fixture(scope="module")
def kafka() -> Iterator[Kafka]:
    with other_broker() as running:
        yield running


@pytest.fixture
def consumers(whole: Whole, monkeypatch: pytest.MonkeyPatch) -> Iterator[Consumers]:
    """Running, as in the apply role."""
    monkeypatch.setattr(consuming_all, "LOOK_S", 0.05)
    with whole.reads_topics() as found:
        yield found


def source(whole: Whole, kafka: Kafka, topic: str) -> Connection:
    given = {"bootstrap": kafka.servers, "tls": "false", "topics": topic, "group": f"g-{topic}", "id_field": "id"}
    with write(whole.engine) as database:
        return add_source(whole.hub, database, clock.now(), "kafka", topic, given, "tests")


def until_applied(whole: Whole, count: int) -> None:
    def look() -> bool:
        whole.applies()
        return whole.books().terms["applied"] >= count

    eventually(look, what=f"{count} messages being applied")
    assert whole.books().terms["applied"] == count


@pytest.mark.usefixtures("consumers")
def test_a_source_is_read_as_soon_as_it_is_there_and_follows_its_settings(whole, kafka):
    first, second = kafka.create(next(_topics)), kafka.create(next(_topics))
    publish(kafka, first, seen_event(1), seen_event(2))
    publish(kafka, second, seen_event(3))
    made = source(whole, kafka, first)
    until_applied(whole, 2)

    with write(whole.engine) as database:
        change_settings(whole.hub, database, clock.now(), made, {"topics": second}, "tests")
    until_applied(whole, 3)


def test_a_paused_source_is_not_read_until_it_goes_on(whole, kafka, consumers):
    topic = kafka.create(next(_topics))
    made = source(whole, kafka, topic)
    eventually(lambda: consumers._running, what="the source being read")
    with write(whole.engine) as database:
        pause(database, clock.now(), made, "a look", "tests")
    eventually(lambda: not consumers._running, what="the source being left alone")

    publish(kafka, topic, seen_event(1))
    assert not consumers._running
    with write(whole.engine) as database:
        resume(database, clock.now(), made, "tests")
    until_applied(whole, 1)


def test_reading_that_died_begins_again(whole, kafka, consumers, monkeypatch):
    topic = kafka.create(next(_topics))
    publish(kafka, topic, seen_event(1))
    with monkeypatch.context() as patched:
        patched.setattr("hub.runtime.consume.consumer.Consumer.run", lambda *_: None)
        source(whole, kafka, topic)
        eventually(lambda: consumers._running, what="a first try")
    until_applied(whole, 1)


def test_a_defect_in_reading_ends_the_role_so_that_it_shows(whole, monkeypatch):
    def look(_self: Consumers) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(Consumers, "look", look)
    with pytest.raises(ZeroDivisionError):
        run_apply(whole.hub, threading.Event())
