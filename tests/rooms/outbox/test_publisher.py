"""Publishing, with a real broker of the Kafka protocol: what arrives, what waits, what is refused."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine

from connectors.kafka.connector import Kafka as Connector
from hub.admin import connections
from hub.core.settings import Settings
from hub.outbox.wire import kafka as publisher
from hub.outbox.wire.checks import check_destination
from hub.outbox.wire.http import Sender
from hub.outbox.wire.kafka import Publisher
from hub.outbox.wire.masking import Mask
from hub.outbox.wire.private_hosts import PrivateAddress
from hub.outbox.wire.senders import open_sender
from hub.registry.values import Connection
from hub.sdk.declared import build
from hub.sdk.errors import ConfigurationError, Retryable
from hub.sdk.json import loads
from hub.sdk.values import Publish, Published, Request
from tests.harness import eventually
from tests.kafka import Kafka, broker
from tests.rooms.outbox.world import World
from tests.tls import new_authority

ROOT = Path(__file__).resolve().parents[3]
SHORT_S = 2


@pytest.fixture(scope="module")
def kafka() -> Iterator[Kafka]:
    with broker() as running:
        yield running


@pytest.fixture
def cluster(kafka: Kafka) -> Iterator[Kafka]:
    """The broker, with its line whole again whatever the test did to it."""
    yield kafka
    kafka.line.restore()


_count = iter(range(1_000))


@pytest.fixture
def topic(cluster: Kafka) -> str:
    return cluster.create(f"people-{next(_count)}")


def connector(cluster: Kafka, topic: str, **settings: Any) -> Connector:
    plain = {"bootstrap": cluster.servers, "tls": False, "topic": topic, "timeout_s": SHORT_S}
    return build(Connector, {**plain, **settings}, {})


@pytest.fixture
def hub(engine: Engine, cluster: Kafka, topic: str) -> Iterator[Callable[..., World]]:
    """Makes a hub with one connection to the cluster."""
    worlds: list[World] = []

    def make(**settings: Any) -> World:
        made: Any = connector(cluster, topic, **settings)
        worlds.append(World(engine, kind=lambda _settings: made))
        return worlds[-1]

    yield make
    for world in worlds:
        world.engine.stop(1.0)


def publishing(made: Connector, hosts: Mapping[str, str] | None = None, *, allow_private: bool = True) -> Publisher:
    found = open_sender(made, {**made.hosts(), **(hosts or {})}, Mask([]), allow_private=allow_private)
    assert isinstance(found, Publisher)
    return found


def said(topic: str, key: str, value: bytes | None = b"{}") -> Publish:
    return Publish(topic, key.encode(), value, {"delivery-id": key.encode()})


def ids(messages: list[Any]) -> list[str]:
    return [dict(one.headers())["delivery-id"].decode() for one in messages]


# ── what arrives ─────────────────────────────────────────────────────────────────────────────────────────────────


def test_every_delivery_is_consumed_once_and_its_receipt_says_where(hub, cluster, topic):
    world = hub()
    wanted = {
        world.decides(f"cust_{n % 7}", "events", record={"event": {"id": f"e{n}", "name": "Seen"}}): n
        for n in range(40)
    }
    world.delivers()

    found = cluster.consumed(topic, len(wanted))
    assert sorted(ids(found)) == sorted(wanted)
    places = {dict(one.headers())["delivery-id"].decode(): f"{topic}/{one.partition()}/{one.offset()}" for one in found}
    assert {one: world.row(one).receipt for one in wanted} == places
    assert {world.state(one) for one in wanted} == {"sent"}
    for one in found:
        assert one.key().decode() == loads(one.value())["data"]["person"]["source_id"]


def test_the_records_of_one_person_keep_their_order(hub, cluster, topic):
    world = hub()
    wanted = [world.decides("cust_1", "events", at=world.now + n, record={"event": {"id": f"e{n}"}}) for n in range(12)]
    world.delivers()

    assert ids(cluster.consumed(topic, len(wanted))) == wanted


def test_an_erasure_leaves_an_empty_value_under_the_persons_key(cluster, topic):
    sender = publishing(connector(cluster, topic))

    answers = sender.publish([said(topic, "cust_1"), said(topic, "cust_1", None)])

    assert [one.offset for one in answers] == [0, 1]
    assert [one.value() for one in cluster.consumed(topic, 2)] == [b"{}", None]


# ── what waits ───────────────────────────────────────────────────────────────────────────────────────────────────


def test_what_cannot_be_sent_waits_and_goes_out_once_the_cluster_is_back(hub, cluster, topic):
    world = hub()
    cluster.line.close()
    wanted = [world.decides(f"cust_{n}", "messages") for n in range(5)]
    world.delivers()

    assert {world.state(one) for one in wanted} == {"waiting(retry)"}
    assert not any(world.row(one).is_unknown for one in wanted)  # no broker ever had them
    assert "nothing was stored" in world.row(wanted[0]).detail
    cluster.line.open()
    world.delivers(after=3_600)
    assert {world.state(one) for one in wanted} == {"sent"}
    assert sorted(ids(cluster.consumed(topic, 5))) == sorted(wanted)


def test_a_cluster_that_went_away_unnoticed_by_any_call_is_known_to_have_nothing(cluster, topic):
    sender = publishing(connector(cluster, topic))
    sender.publish([said(topic, "cust_1")])
    cluster.line.close()
    eventually(
        lambda: sender._producer.poll(0.01) is not None and sender._complaints.is_down, what="the client's notice"
    )

    with pytest.raises(Retryable, match="nothing was stored") as refusal:
        sender.publish([said(topic, "cust_2")])
    assert not refusal.value.unknown
    cluster.line.open()
    assert isinstance(sender.publish([said(topic, "cust_3")])[0], Published)
    assert {one.key() for one in cluster.consumed(topic, 2)} == {b"cust_1", b"cust_3"}


def test_threads_share_a_producer_and_each_hears_of_its_own_messages(cluster, topic):
    sender = publishing(connector(cluster, topic))
    calls = [[said(topic, f"{call}-{n}") for n in range(50)] for call in range(8)]
    with ThreadPoolExecutor(8) as pool:
        answers = [list(one) for one in pool.map(sender.publish, calls)]

    places = {(one.partition, one.offset): message.key for call, said_of in zip(calls, answers, strict=True)
              for message, one in zip(call, said_of, strict=True)}  # fmt: skip
    assert {(one.partition(), one.offset()): one.key() for one in cluster.consumed(topic, 400)} == places


def test_what_was_under_way_when_the_line_was_cut_is_unknown_and_comes_again(hub, cluster, topic):
    world = hub()
    first = world.decides("cust_0", "messages")
    world.delivers()  # the connection is up
    cluster.line.cut()
    wanted = [world.decides(f"cust_{n}", "messages") for n in range(1, 5)]
    world.delivers()

    assert {world.state(one) for one in wanted} == {"waiting(retry)"}
    assert all(world.row(one).is_unknown for one in wanted)
    cluster.line.mend()
    world.delivers(after=3_600)
    assert {world.state(one) for one in [first, *wanted]} == {"sent"}
    assert set(ids(cluster.consumed(topic, 5))) == {first, *wanted}  # some perhaps twice, under the same id


def test_without_deduplicating_consumers_an_unknown_message_is_not_sent_twice(hub, cluster, topic):
    world = hub(deduplicates_for_s=0)
    world.decides("cust_0", "messages")
    world.delivers()
    cluster.line.cut()
    lost = world.decides("cust_1", "messages")
    world.delivers()

    assert world.state(lost) == "dead(unknown)"
    cluster.line.mend()
    world.delivers(after=3_600)
    assert world.row(lost).attempts == 1


# ── what is refused ──────────────────────────────────────────────────────────────────────────────────────────────


def test_a_message_that_is_too_large_is_refused_and_its_neighbour_arrives(hub, cluster, topic):
    world = hub(max_message_bytes=10_000)
    large = world.decides("cust_1", "events", record={"event": {"id": "e1", "properties": {"text": "x" * 20_000}}})
    small = world.decides("cust_2", "events", record={"event": {"id": "e2"}})
    world.delivers()

    assert (world.state(large), world.state(small)) == ("dead(rejected)", "sent")
    assert "larger than the broker" in world.row(large).detail
    assert ids(cluster.consumed(topic, 1)) == [small]


def test_refused_credentials_pause_the_connection_and_deliveries_wait(hub):
    world = hub(mechanism="PLAIN", user="ada", password="sesame-key")
    waiting = world.decides("cust_1", "messages")
    world.delivers()

    assert world.connection().status == "paused"
    assert "refused the credentials" in world.connection().paused_reason
    assert world.state(waiting) == "waiting(auth)"


def test_the_ledger_shows_messages_and_acknowledgements(cluster, topic):
    sender = publishing(connector(cluster, topic))
    messages = [said(topic, "cust_1", b'{"a": 1}')]
    posting = sender.posting(messages)
    posting.answers = sender.publish(messages)

    assert posting.shown_request().startswith(f"PUBLISH kafka://{cluster.servers}/{topic}\n")
    assert '"value":{"a":1}' in posting.shown_request()
    assert posting.shown_response().startswith("partition ")


# ── the check ────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.fixture
def check(cluster: Kafka, topic: str) -> Callable[..., list[tuple[str, str]]]:
    """What `check` finds with these settings, as (level, text)."""

    def run(*, allow_private: bool = True, **settings: Any) -> list[tuple[str, str]]:
        plain = {"bootstrap": cluster.servers, "tls": False, "topic": topic, **settings}
        secrets = {"password": plain.pop("password")} if "password" in plain else {}
        connection = Connection(
            "c",
            "destination",
            "kafka",
            "stream",
            None,
            plain,
            secrets,
            {},
            "",
            "",
            "",
            "USD",
            False,
            "active",
            "",
            {},
            1,
        )
        found = check_destination(Connector, connection, Settings(allow_private_hosts=allow_private))
        return [(one.level, one.text) for one in found]

    return run


def test_a_check_tells_how_many_brokers_and_partitions_there_are(check):
    (cluster_level, _), (level, text) = check()

    assert (cluster_level, level) == ("ok", "ok")
    assert "3 partition(s)" in text


def test_a_check_warns_of_a_missing_topic_and_does_not_make_it(check):
    for _ in range(2):
        assert [level for level, _ in check(topic="nobody-made-this")] == ["ok", "warning"]


def test_a_check_tells_refused_credentials_from_an_absent_cluster(check, cluster):
    refused = check(mechanism="PLAIN", user="ada", password="sesame-key")
    cluster.line.close()
    absent = check()

    assert [level for level, _ in refused + absent] == ["error", "error"]
    assert "refuse the user or the password" in refused[0][1]
    assert "could not be reached" in absent[0][1]
    assert "sesame-key" not in str(refused)


# ── TLS ──────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_brokers_are_trusted_by_their_authority_only(tmp_path):
    authority = new_authority(tmp_path)
    with broker(authority) as secured:
        trusting = publishing(connector(secured, "people", tls=True, ca=authority.pem))
        strange = publishing(connector(secured, "people", tls=True))

        (answer,) = trusting.publish([said("people", "cust_1")])
        with pytest.raises(Retryable, match="certificate verify failed") as refusal:
            strange.publish([said("people", "cust_2")])

    assert isinstance(answer, Published)
    assert not refusal.value.unknown


# ── addresses ────────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_private_server_is_refused_before_anything_connects(cluster, topic, check):
    sender = publishing(connector(cluster, topic), allow_private=False)

    with pytest.raises(PrivateAddress, match=r"The connection names '127\.0\.0\.1'"):
        sender.publish([said(topic, "cust_1")])
    assert "private address" in check(allow_private=False)[0][1]


def test_a_private_address_that_a_broker_advertises_is_refused_before_a_message_goes_there(cluster, topic, monkeypatch):
    looked_at: list[str] = []

    def guard(servers: Any, who: str) -> None:
        looked_at.append(who)
        if who == "A broker advertises":
            raise PrivateAddress("A broker advertises a private address.")

    monkeypatch.setattr(publisher, "guard_servers", guard)
    sender = publishing(connector(cluster, topic), allow_private=False)
    for _ in range(2):
        with pytest.raises(PrivateAddress):
            sender.publish([said(topic, "cust_1")])

    assert set(looked_at) == {"The connection names", "A broker advertises"}
    assert cluster.consumed(topic, 1, within_s=0.3) == []


@pytest.mark.parametrize(
    "bootstrap", ["b1", "b1:0", "b1:70000", "ada:pw@b1:9092", "b1:9092,", "http://b1:9092", "b1:90 92"]
)
def test_what_is_no_list_of_servers_is_refused_in_a_sentence(bootstrap):
    with pytest.raises(ConfigurationError, match="host:port"):
        build(Connector, {"bootstrap": bootstrap}, {})


def test_settings_the_client_cannot_use_are_told_without_their_values(cluster, topic):
    key = "-----BEGIN PRIVATE KEY-----\nbm9uc2Vuc2U=\n-----END PRIVATE KEY-----"
    made = connector(
        cluster,
        topic,
        tls=True,
        certificate="-----BEGIN CERTIFICATE-----\nx\n-----END CERTIFICATE-----",
        certificate_key=key,
    )

    with pytest.raises(ConfigurationError, match="settings are not usable") as refusal:
        publishing(made).publish([said(topic, "cust_1")])
    assert "bm9uc2Vuc2U=" not in str(refusal.value)


def test_a_cluster_can_be_redirected_to_another_or_to_a_sandbox(cluster, topic):
    made = build(Connector, {"bootstrap": "b1.example.com:9093"}, {})
    elsewhere = {"broker": f"kafka://{cluster.servers}"}

    assert isinstance(publishing(made, elsewhere).publish([said(topic, "cust_1")])[0], Published)
    assert isinstance(open_sender(made, {"broker": "http://127.0.0.1:1"}, Mask([]), allow_private=True), Sender)


@pytest.mark.parametrize("url", ["ftp://b1:9092", "kafka://b1", "kafka://ada:pw@b1:9092", "b1:9092"])
def test_a_cluster_is_redirected_to_addresses_only(url):
    made = build(Connector, {"bootstrap": "b1.example.com:9093"}, {})

    connections._check_hosts(made, {"broker": "kafka://b1:9092"})
    with pytest.raises(ConfigurationError, match="this is none"):
        connections._check_hosts(made, {"broker": url})


def test_a_broker_has_no_other_requests_than_its_metadata(cluster, topic):
    with pytest.raises(ConfigurationError, match="GET /topics"):
        publishing(connector(cluster, topic)).send(Request("GET", "/", host="broker"), 1)


# ── what it costs ────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_hub_that_publishes_nothing_never_loads_the_client():
    code = """
import sys
import hub.runtime.roles.deliver, hub.cli
from hub.registry.discovery import discover
discover()["kafka"].subject()
assert "confluent_kafka" not in sys.modules
"""
    subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=True, timeout=60)
