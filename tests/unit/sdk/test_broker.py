"""Addresses of brokers, messages as people read them, publishing to a sandbox, and the hub's own shape of a record."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest

from hub.sdk.broker import is_broker_address, readable, request_of, servers_of
from hub.sdk.envelope import TYPES, envelope, iso
from hub.sdk.errors import ConfigurationError, Permanent, RateLimited, Retryable, Split, Unreadable
from hub.sdk.json import dumps
from hub.sdk.kit.bench.pushes import push
from hub.sdk.rehearsal import over_http
from hub.sdk.values import Operation, Person, Publish, Published, Response

NOW = datetime(2026, 3, 14, 9, tzinfo=UTC)


def test_an_address_names_every_server():
    assert servers_of("kafka://b1:9092,b2.example.com:9093") == [("b1", 9092), ("b2.example.com", 9093)]
    assert servers_of("kafka+ssl://[2001:db8::1]:9093/") == [("2001:db8::1", 9093)]


@pytest.mark.parametrize(
    "url", ["", "kafka://", "kafka://b1", "kafka://b1:x", "http://b1:9092", "kafka://a@b1:9092", "kafka://b1:²"]
)
def test_what_is_no_address_of_a_cluster_is_refused(url):
    assert not is_broker_address(url)
    with pytest.raises(ConfigurationError, match="this is none"):
        servers_of(url)


def test_a_message_is_readable_whatever_it_holds():
    assert readable(Publish("t", b"k", b'{"a": 1}', {"h": b"v"})) == {
        "topic": "t", "key": "k", "headers": {"h": "v"}, "value": {"a": 1},
    }  # fmt: skip
    assert readable(Publish("t", None, None))["value"] is None
    assert readable(Publish("t", b"\xff", b"\xfe"))["value"] == "\ufffd"


def test_messages_of_several_topics_are_one_request():
    request = request_of([Publish("b", None, b"1"), Publish("a", None, b"2"), Publish("b", None, b"3")], "broker")

    assert (request.method, request.path, request.host, len(request.json)) == ("PUBLISH", "/a,b", "broker", 3)


# ── a sandbox ────────────────────────────────────────────────────────────────────────────────────────────────────


def published(status: int, body: Any, count: int = 2) -> Any:
    publish = over_http("broker", lambda request: Response(status, {}, dumps(body), NOW))
    return publish([Publish("t", b"k", b"{}")] * count)


def test_each_message_has_its_own_result():
    first, second = published(200, {"results": [{"partition": 1, "offset": 7}, {"status": 413}]})

    assert first == Published(1, 7)
    assert isinstance(second, Split)


@pytest.mark.parametrize(("status", "kind"), [(429, RateLimited), (500, Retryable), (422, Permanent)])
def test_a_failing_sandbox_fails_for_all(status, kind):
    with pytest.raises(kind):
        published(status, {})


@pytest.mark.parametrize("body", [{}, [], {"results": []}, {"results": [{"partition": 1}]}])
def test_an_answer_that_leaves_a_message_out_is_unknown(body):
    with pytest.raises(Unreadable) as error:
        published(200, body)
    assert error.value.unknown


# ── records ──────────────────────────────────────────────────────────────────────────────────────────────────────


def made(operation: Operation, **given: Any) -> dict[str, Any]:
    person = given.pop("person", Person("cust_1"))
    return envelope(
        push(operation, fields={}, now=NOW, at=NOW, person=person, options=None, delivery_id="D1", name="Seen", **given)
    )


@pytest.mark.parametrize("operation", list(Operation))
def test_each_operation_has_its_type_and_the_shape_that_goes_with_it(operation):
    record = made(operation)

    assert list(record) == ["type", "id", "timestamp", "data"]
    assert record["type"] == TYPES[operation][0]
    assert record["data"]["person"] == {"source_id": "cust_1"}


def test_leaving_an_audience_is_another_type():
    assert made(Operation.AUDIENCE, member=False)["type"] == "audience.left"


def test_a_replay_that_should_wake_nobody_says_so():
    assert made(Operation.EVENTS, quiet=True)["data"]["quiet"] is True
    assert "quiet" not in made(Operation.EVENTS)["data"]


def test_an_older_address_goes_along():
    person = Person("cust_1", "new@example.com", None, {"email": "old@example.com"})

    assert made(Operation.PROFILES, person=person)["data"]["person"] == {
        "source_id": "cust_1", "email": "new@example.com", "previous": {"email": "old@example.com"},
    }  # fmt: skip


def test_changed_fields_inside_an_object_are_named_with_it():
    changed = {"email": "a@example.com", "metadata": {"points": 1, "tier": None}, "address": {}}

    assert made(Operation.PROFILES, changed=changed)["data"]["changed"] == [
        "email", "metadata.points", "metadata.tier", "address",
    ]  # fmt: skip


def test_times_are_utc_with_milliseconds():
    assert (
        iso(datetime(2026, 3, 14, 11, 0, 0, 1_999, tzinfo=timezone(timedelta(hours=2)))) == "2026-03-14T09:00:00.001Z"
    )
