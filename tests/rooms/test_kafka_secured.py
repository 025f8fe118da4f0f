"""A cluster that demands TLS and a login: the inbox, a source and a destination get in, and say why when they do not."""

from __future__ import annotations

import itertools
import threading
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import structlog
from sqlalchemy import Engine

from hub.admin.connections import add_destination, add_source, change_settings
from hub.core import clock
from hub.core.database import open_database, read, write
from hub.core.settings import Settings
from hub.distributions import syncs
from hub.inbox.kafka_doctor import examine
from hub.outbox.engine import pauses
from hub.outbox.engine.lane import Probe
from hub.registry import store as registry
from hub.registry.values import Connection
from hub.runtime.consume import consumer, doctor
from hub.runtime.consume import consumers as reading_threads
from hub.runtime.consume.consumers import Consumers
from hub.runtime.process.schema import create_all
from hub.runtime.roles.deliver import DeliverRole
from hub.sdk.errors import Busy
from tests.harness import eventually
from tests.kafka import Kafka, other_broker
from tests.rooms.test_consuming import publish, seen_event
from tests.rooms.whole import Whole
from tests.sasl import MECHANISMS, Login
from tests.tls import Authority, new_authority

USER, RIGHT, WRONG = "switchboard", "the-right-password", "a-wrong-password"

_names = (f"secured-{number}" for number in itertools.count())


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return new_authority(tmp_path_factory.mktemp("tls"))


@pytest.fixture(scope="module")
def running(authority: Authority) -> Iterator[Kafka]:
    with other_broker(authority, Login({USER: RIGHT})) as kafka:
        yield kafka


@pytest.fixture
def kafka(running: Kafka) -> Iterator[Kafka]:
    """The cluster, with its one user as it was."""
    yield running
    login(running).users[USER] = RIGHT


def login(kafka: Kafka) -> Login:
    assert kafka.line.login is not None
    return kafka.line.login


# ── the inbox ────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.fixture
def inbox_settings(kafka: Kafka, authority: Authority) -> Callable[..., dict[str, Any]]:
    def make(**changed: object) -> dict[str, Any]:
        return {
            "kafka_bootstrap": kafka.servers,
            "kafka_topic": next(_names),
            "kafka_partitions": 2,
            "kafka_replication": 1,
            "kafka_allow_unsafe": True,
            "kafka_tls": True,
            "kafka_ca": str(authority.ca),
            "kafka_mechanism": "SCRAM-SHA-512",
            "kafka_user": USER,
            "kafka_password": RIGHT,
            **changed,
        }

    return make


@pytest.fixture
def opened(empty_engine: Engine, tmp_path: Path) -> Iterator[Callable[..., Whole]]:
    """Opens a hub with such settings."""
    every: list[Whole] = []

    def make(**settings: Any) -> Whole:
        every.append(Whole(empty_engine, tmp_path / "hub", **settings))
        return every[-1]

    yield make
    for one in every:
        one.close()


@pytest.mark.parametrize("mechanism", MECHANISMS)
def test_the_inbox_accepts_and_applies_as_a_user_of_the_cluster(opened, kafka, inbox_settings, mechanism):
    whole = opened(**inbox_settings(kafka_mechanism=mechanism, kafka_group=f"g-{mechanism}"))
    login(kafka).admitted.clear()
    for number in range(20):
        whole.receives({"type": "identify", "userId": f"cust_{number}", "traits": {"name": "Ada"}})

    until_applied(whole, 20)
    assert set(login(kafka).admitted) == {mechanism}
    assert whole.profile("cust_19")["traits"]["name"] == "Ada"
    assert [level for level, _ in examine(whole.hub.settings, whole.engine)] == ["ok", "warning", "warning", "ok"]


@pytest.fixture
def state(tmp_path: Path) -> Iterator[Engine]:
    """For questions that have nothing to do with the engine."""
    engine = open_database(f"sqlite:///{tmp_path}/state.db")
    create_all(engine)
    yield engine
    engine.dispose()


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"kafka_password": WRONG}, "refuses the hub (sasl_ssl://{servers}/bootstrap: SASL authentication error"),
        ({"kafka_user": "nobody"}, "refuses the hub (sasl_ssl://{servers}/bootstrap: SASL authentication error"),
        ({"kafka_ca": ""}, "certificate verify failed"),
        ({"kafka_mechanism": "", "kafka_user": "", "kafka_password": ""}, "they may want TLS or a login"),
        ({"kafka_tls": False, "kafka_ca": ""}, "they may want TLS or a login"),
    ],
    ids=["wrong password", "unknown user", "unknown authority", "no login", "no TLS"],
)
def test_doctor_says_in_one_sentence_why_the_inbox_is_not_let_in(state, kafka, inbox_settings, wrong, words):
    ((level, told),) = examine(Settings(**inbox_settings(**wrong)), state)

    assert level == "error"
    assert words.format(servers=kafka.servers) in told
    assert told.count("\n") == 0
    assert not any(password in told for password in (RIGHT, WRONG))


@pytest.mark.parametrize(
    ("half", "words"),
    [
        ({"kafka_mechanism": ""}, "HUB_KAFKA_MECHANISM, HUB_KAFKA_USER and HUB_KAFKA_PASSWORD belong together"),
        ({"kafka_password": ""}, "HUB_KAFKA_MECHANISM, HUB_KAFKA_USER and HUB_KAFKA_PASSWORD belong together"),
        ({"kafka_tls": False}, "HUB_KAFKA_CA and HUB_KAFKA_CERTIFICATE need HUB_KAFKA_TLS"),
        ({"kafka_ca": "/nowhere/ca.pem"}, "HUB_KAFKA_CA names /nowhere/ca.pem, which cannot be read"),
    ],
)
def test_half_a_setting_is_refused_instead_of_connecting_without_it(state, inbox_settings, half, words):
    ((level, told),) = examine(Settings(**inbox_settings(**half)), state)

    assert level == "error"
    assert words in told


def test_doctor_warns_of_a_password_sent_in_the_clear(state, inbox_settings):
    """The brokers are not reached: they want TLS."""
    settings = Settings(**inbox_settings(kafka_tls=False, kafka_ca="", kafka_mechanism="PLAIN"))

    assert [level for level, told in examine(settings, state) if "in the clear" in told] == ["warning"]


def test_a_password_corrected_at_the_brokers_lets_a_running_inbox_in(opened, kafka, inbox_settings):
    login(kafka).users[USER] = "not yet"
    with structlog.testing.capture_logs() as logs:
        whole = opened(**inbox_settings())
        with pytest.raises(Busy) as refusal:
            whole.receives({"type": "identify", "userId": "cust_1"})
    assert "sasl" not in str(refusal.value).lower()  # senders are not told about the operator's cluster
    assert any("refuses the hub" in str(line.get("why")) for line in logs)

    login(kafka).users[USER] = RIGHT
    eventually(lambda: accepts(whole), what="the inbox taking messages")
    until_applied(whole, 1)


def accepts(whole: Whole) -> bool:
    try:
        whole.receives({"type": "identify", "userId": "cust_1", "messageId": "again"})
    except Busy:
        return False
    return True


def until_applied(whole: Whole, count: int) -> None:
    def look() -> bool:
        whole.applies()
        return whole.books().terms["applied"] >= count

    eventually(look, what=f"{count} messages being applied")
    assert whole.books().terms["applied"] == count


# ── a source and a destination ───────────────────────────────────────────────────────────────────────────────────


@pytest.fixture
def cluster(kafka: Kafka, authority: Authority) -> Callable[..., dict[str, str]]:
    """Settings of a connection to the cluster."""

    def make(**changed: str) -> dict[str, str]:
        good = {"bootstrap": kafka.servers, "mechanism": "SCRAM-SHA-512", "user": USER, "password": RIGHT}
        return {name: value for name, value in {**good, "ca": authority.pem, **changed}.items() if value}

    return make


@pytest.fixture
def consumers(whole: Whole, monkeypatch: pytest.MonkeyPatch) -> Iterator[Consumers]:
    """Running, as in the apply role."""
    monkeypatch.setattr(reading_threads, "LOOK_S", 0.05)
    monkeypatch.setattr(consumer, "PAUSE_S", 0.1)
    with whole.reads_topics() as found:
        yield found


WRONGS: list[tuple[dict[str, str], str]] = [
    ({"password": WRONG}, "Invalid username or password"),
    ({"ca": ""}, "certificate verify failed"),
    ({"mechanism": "", "user": "", "password": ""}, "they may want TLS or a login"),
]
WHICH = ["wrong password", "unknown authority", "no login"]


def reads(whole: Whole, topic: str, given: dict[str, str]) -> Connection:
    settings = {**given, "topics": topic, "group": f"g-{topic}", "id_field": "id"}
    with write(whole.engine) as database:
        return add_source(whole.hub, database, clock.now(), "kafka", topic, settings, "tests")


@pytest.mark.usefixtures("consumers")
@pytest.mark.parametrize("mechanism", MECHANISMS)
def test_a_source_is_read_as_a_user_of_the_cluster(whole, kafka, cluster, mechanism):
    topic = kafka.create(next(_names))
    publish(kafka, topic, *[seen_event(number) for number in range(10)])
    login(kafka).admitted.clear()
    reads(whole, topic, cluster(mechanism=mechanism))

    until_applied(whole, 10)
    assert mechanism in login(kafka).admitted


@pytest.mark.parametrize(("wrong", "words"), WRONGS, ids=WHICH)
def test_a_source_that_is_not_let_in_says_why_and_reads_once_its_settings_are_corrected(
    whole, kafka, cluster, request, wrong, words
):
    topic = kafka.create(next(_names))
    publish(kafka, topic, seen_event(1))
    made = reads(whole, topic, cluster(**wrong))
    with structlog.testing.capture_logs() as logs:
        request.getfixturevalue("consumers")
        eventually(lambda: any(line["event"] == "a source's topics wait" for line in logs), what="a word in the log")
        told = next(str(line["why"]) for line in logs if line["event"] == "a source's topics wait")
    ((level, said),) = doctor.examine(whole.hub)
    assert words in told
    assert words in said
    assert level == "error"
    assert not any(password in f"{logs} {said}" for password in (RIGHT, WRONG))

    with write(whole.engine) as database:
        change_settings(whole.hub, database, clock.now(), made, cluster(), "tests")
    until_applied(whole, 1)


def publishes(whole: Whole, topic: str, given: dict[str, str]) -> Connection:
    settings = {**given, "topic": topic, "timeout_s": "2"}
    with write(whole.engine) as database:
        made = add_destination(whole.hub, database, clock.now(), "kafka", topic, settings, "tests")
        syncs.add(database, clock.now(), connection_id=made.id, operation="profiles", options={})
    return made


@pytest.mark.parametrize("mechanism", MECHANISMS)
def test_a_destination_publishes_as_a_user_of_the_cluster(whole, kafka, cluster, mechanism):
    topic = kafka.create(next(_names))
    publishes(whole, topic, cluster(mechanism=mechanism))
    login(kafka).admitted.clear()
    whole.identifies("cust_1", name="Ada")
    whole.delivers()

    assert mechanism in login(kafka).admitted
    assert [one.key() for one in kafka.consumed(topic, 1)] == [b"cust_1"]
    assert [one["status"] for one in whole.deliveries()] == ["sent"]


def test_a_destination_that_is_refused_pauses_and_goes_on_once_its_password_is_corrected(
    whole, kafka, cluster, monkeypatch
):
    monkeypatch.setattr(pauses, "Probe", partial(Probe, pause_s=0.05))
    topic = kafka.create(next(_names))
    made = publishes(whole, topic, cluster(password=WRONG))
    whole.identifies("cust_1", name="Ada")
    role, stop = DeliverRole(whole.hub), threading.Event()
    thread = threading.Thread(target=role.run, args=(stop,))
    thread.start()
    try:
        paused = eventually(lambda: now(whole, made).paused_reason, what="the connection being paused")
        assert "refused the credentials" in paused
        assert "Invalid username or password" in paused
        assert WRONG not in paused
        with write(whole.engine) as database:
            change_settings(whole.hub, database, clock.now(), made, cluster(), "tests")
        eventually(lambda: [one["status"] for one in whole.deliveries()] == ["sent"], what="the delivery being sent")
    finally:
        stop.set()
        thread.join()
    assert now(whole, made).status == "active"
    assert [one.key() for one in kafka.consumed(topic, 1)] == [b"cust_1"]


@pytest.mark.parametrize(("wrong", "words"), WRONGS[1:], ids=WHICH[1:])
def test_a_destination_that_reaches_nobody_waits_and_says_why(whole, kafka, cluster, wrong, words):
    topic = kafka.create(next(_names))
    made = publishes(whole, topic, cluster(**wrong))
    whole.identifies("cust_1", name="Ada")
    whole.delivers()

    (delivery,) = whole.deliveries()
    assert (delivery["status"], now(whole, made).status) == ("waiting", "active")
    assert words in str(delivery)
    assert "nothing was stored" in str(delivery)
    assert RIGHT not in str(delivery)


def now(whole: Whole, connection: Connection) -> Connection:
    with read(whole.engine) as database:
        return registry.get(database, whole.hub.vault, connection.id)
