"""Workers that share the partitions of an inbox topic: they come, go and hang, and each message is applied once."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from hub.inbox.kafka import KafkaInbox
from hub.inbox.queue import Superseded
from hub.inbox.sql import Inbox
from tests.harness import eventually
from tests.kafka import Kafka, other_broker
from tests.rooms.inbox.conftest import Opener, accepted, apply, ids, terms


@pytest.fixture(params=["kafka"])
def queue(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(scope="module")
def kafka_broker() -> Iterator[Kafka]:
    """One whose groups outlive their leader."""
    with other_broker() as running:
        yield running


def worker(open_another: Opener, group: str, partitions: int) -> KafkaInbox:
    inbox = open_another(kafka_group=group, kafka_partitions=partitions, kafka_options="")
    assert isinstance(inbox, KafkaInbox)
    inbox._is_sole = False
    return inbox


def has(inbox: KafkaInbox) -> int:
    return len(inbox._reader._has) if inbox._reader is not None else 0


def test_workers_share_the_partitions_and_a_departed_ones_messages_go_to_the_other(open_another: Opener, engine, queue):
    first, second = [worker(open_another, "rebalanced", 4) for _ in range(2)]
    names = [f"m{number}" for number in range(200)]
    found: list[str] = []

    def takes(inbox: Inbox) -> list[str]:
        try:
            return ids(apply(inbox, limit=20))
        except Superseded:
            return []

    def both() -> bool:
        found.extend(takes(first) + takes(second))
        return has(first) > 0 < has(second)

    eventually(both, what="both workers having partitions")
    first.append(accepted(*names[:100]))
    eventually(lambda: both() and len(found) >= 100, what="the first hundred")
    second.close()
    first.append(accepted(*names[100:]))
    eventually(lambda: found.extend(takes(first)) or len(found) >= 200, what="the second hundred")
    assert sorted(found) == sorted(names)
    assert terms(first, engine) == (200, 0)


def test_a_worker_that_has_much_to_do_takes_up_the_partitions_that_another_left(open_another: Opener, engine, queue):
    """Claims follow one another without end while messages keep coming; what was added must not wait for that end."""
    first, second = [worker(open_another, "added", 2) for _ in range(2)]

    def both() -> bool:
        return apply(first) is not None and apply(second) is not None and has(first) == 1 == has(second)

    eventually(both, what="each having a partition")
    names = (f"m{number}" for number in range(100_000))

    def more() -> None:
        """At least one for each partition, as good as surely."""
        first.append(accepted(*[next(names) for _ in range(20)]))

    more()
    second.close()
    found = []
    with ExitStack() as claims:
        claim = claims.enter_context(first.batch(5))

        def goes_on() -> bool:
            nonlocal claim
            if not claim.messages:
                return False
            with claim.transaction():
                found.extend(ids(claim.messages))
            more()
            claim = claims.enter_context(claim.following(5))
            return True

        eventually(lambda: not goes_on(), what="an end of the claims that follow one another")
    assert has(first) == 2
    eventually(lambda: found.extend(ids(apply(first))) or terms(first, engine)[1] == 0, what="everything applied")
    assert len(found) == len(set(found)) == terms(first, engine)[0]


def test_a_worker_that_lost_its_partitions_unknowingly_applies_nothing_twice(open_another: Opener, engine, queue):
    """It read before, and writes after, another worker has taken over."""
    slow, quick = [worker(open_another, "fenced", 1) for _ in range(2)]
    eventually(lambda: apply(slow) == [] and has(slow) == 1, what="the first one having the partition")
    slow.append(accepted("a", "b", "c"))
    with slow.batch(10) as stale:
        assert ids(list(stale.messages)) == ["a", "b", "c"]
        slow._reader.close()  # to the group it is gone
        found: list[str] = []
        eventually(lambda: found.extend(ids(apply(quick))) or len(found) >= 3, what="the other one applying them")
        with pytest.raises(Superseded), stale.transaction():
            raise AssertionError("nothing of it may be applied")
    assert found == ["a", "b", "c"]
    assert terms(quick, engine) == (3, 0)
