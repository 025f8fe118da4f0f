"""Signatures, rotation, and what a receiver's status means, beyond what the contract suite asks."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from standardwebhooks import Webhook as Verifier
from standardwebhooks import WebhookVerificationError

from connectors.webhook.connector import Webhook
from connectors.webhook.simulator import EARLIER_KEY, HEADER, HEADER_VALUE, SIGNING_KEY, WebhookSimulator
from hub.registry.discovery import discover
from hub.sdk.declared import build
from hub.sdk.errors import ConfigurationError, RateLimited, Retryable
from hub.sdk.flow import run_flow
from hub.sdk.kit.bench.bench import Bench, in_memory
from hub.sdk.kit.bench.pushes import push
from hub.sdk.kit.simulator.base import SimRequest
from hub.sdk.values import Accepted, Batch, Finding, Operation, Person, Request, Response
from hub.sdk.wire import Wire, encode

NOW = datetime(2026, 3, 14, 9, tzinfo=UTC)
OLD, NEW = EARLIER_KEY, SIGNING_KEY
URL = "https://receiver.example.com/hooks/switchboard"


def webhook(**settings: Any) -> Webhook:
    return build(Webhook, {"url": URL, "secret": NEW, **settings}, {})


def batch(connector: Webhook, count: int = 1, now: datetime = NOW, **more: Any) -> Batch:
    pushes = [
        push(Operation.EVENTS, fields={"properties": {"text": "zażółć 🎟️\n"}}, now=now, at=NOW, name="Signed Up",
             person=Person(f"cust_{n}"), options=None, delivery_id=f"D{n:025d}", **more)
        for n in range(count)
    ]  # fmt: skip
    return Batch("records", "", pushes, [item for one in pushes for item in connector.items(one)], now)


def sent(connector: Webhook, of: Batch) -> Wire:
    return encode(connector.request(of), connector.hosts(), connector.auth())


def answering(status: int, **headers: str) -> Any:
    return lambda request: Response(status, headers, b"", NOW)


def deliver(connector: Webhook, of: Batch, send: Any) -> tuple[Any, list[Any]]:
    reports: list[Any] = []
    return run_flow(of.records, connector.flow(of), send, connector.classify, reports.extend), reports


def test_the_official_library_takes_what_is_sent_now():
    connector = webhook()
    wire = sent(connector, batch(connector, now=datetime.now(UTC)))

    record = Verifier(NEW).verify(wire.body, dict(wire.headers))

    assert record["data"]["event"]["properties"] == {"text": "zażółć 🎟️\n"}
    assert record["id"] == wire.headers["webhook-id"]


def test_a_changed_byte_spoils_the_signature():
    connector = webhook()
    wire = sent(connector, batch(connector, now=datetime.now(UTC)))

    with pytest.raises(WebhookVerificationError, match="No matching signature"):
        Verifier(NEW).verify(wire.body.replace(b"cust_0", b"cust_1"), dict(wire.headers))


def test_during_a_change_both_secrets_verify_and_then_only_the_new_one():
    now = datetime.now(UTC)
    during, after = webhook(previous_secret=OLD), webhook()
    both, one = sent(during, batch(during, now=now)), sent(after, batch(after, now=now))

    for secret in (OLD, NEW):
        Verifier(secret).verify(both.body, dict(both.headers))
    Verifier(NEW).verify(one.body, dict(one.headers))
    with pytest.raises(WebhookVerificationError):
        Verifier(OLD).verify(one.body, dict(one.headers))


def test_a_repeat_keeps_its_id_and_has_a_new_time():
    connector = webhook()
    first, second = batch(connector), batch(connector, now=NOW.replace(hour=11))
    headers = [sent(connector, one).headers for one in (first, second)]

    assert headers[0]["webhook-id"] == headers[1]["webhook-id"] == first.records[0].vendor_key
    assert headers[0]["webhook-timestamp"] != headers[1]["webhook-timestamp"]


def test_the_id_of_a_batch_depends_on_its_records_only():
    connector = webhook(records_per_call=3)
    again = sent(connector, batch(connector, 3, now=NOW.replace(hour=11)))

    assert sent(connector, batch(connector, 3)).headers["webhook-id"] == again.headers["webhook-id"]
    assert sent(connector, batch(connector, 2)).headers["webhook-id"] != again.headers["webhook-id"]


def test_the_query_of_the_address_is_kept_and_its_origin_is_a_host():
    connector = webhook(url="https://receiver.example.com:8443/in?shop=7&b")

    assert connector.hosts() == {"api": "https://receiver.example.com:8443"}
    assert sent(connector, batch(connector)).url == "https://receiver.example.com:8443/in?shop=7&b"


def test_the_extra_header_is_sent_and_never_shown():
    connector = webhook(header_name="X-Receiver-Key", header_value="let-me-in")
    request = connector.request(batch(connector))

    assert sent(connector, batch(connector)).headers["x-receiver-key"] == "let-me-in"
    assert "let-me-in" not in repr(request)
    assert encode(request, connector.hosts(), masked=True).headers["x-receiver-key"] == "***"


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"secret": "sesame"}, "base64 of 24 to 64 bytes"),
        ({"secret": "whsec_c2hvcnQ="}, "base64 of 24 to 64 bytes"),
        ({"secret": NEW.removeprefix("whsec_")}, "whsec_"),
        ({"url": "receiver.example.com"}, "whole http or https address"),
        ({"url": "https://ada:pw@receiver.example.com/"}, "no user, password"),
        ({"header_name": "X-Key"}, "belong together"),
        ({"header_value": "k"}, "belong together"),
        ({"header_name": "Webhook-Id", "header_value": "k"}, "sets itself"),
    ],
)
def test_settings_that_cannot_work_are_refused_in_a_sentence(settings, words):
    with pytest.raises(ConfigurationError, match=words):
        webhook(**settings)


@pytest.mark.parametrize(("status", "words"), [(410, "wants no more webhooks"), (301, "Set url"), (308, "Set url")])
@pytest.mark.parametrize("count", [1, 3])
def test_gone_and_redirects_stop_the_connection_and_lose_nothing(status, words, count):
    connector = webhook(records_per_call=count)

    with pytest.raises(ConfigurationError, match=words):
        deliver(connector, batch(connector, count), answering(status))


def test_a_gateway_error_may_have_been_delivered():
    connector = webhook()
    end, _ = deliver(connector, batch(connector), answering(504))

    assert isinstance(end.error, Retryable)
    assert end.error.unknown


def test_503_waits_as_told_only_where_a_time_is_told():
    connector = webhook()
    told, untold = (connector.classify(Request("POST", "/"), one) for one in (
        Response(503, {"retry-after": "60"}, b"", NOW), Response(503, {}, b"", NOW)
    ))  # fmt: skip

    assert isinstance(told, RateLimited)
    assert told.until == datetime(2026, 3, 14, 9, 1, tzinfo=UTC)
    assert not isinstance(untold, RateLimited)


def test_without_deduplication_a_repeat_is_a_second_record():
    assert webhook(deduplicates_for_s=0).routes()["records"].repeat == "duplicates"
    assert webhook(deduplicates_for_s=600).routes()["records"].repeat_window_s == 600


# ── the check ────────────────────────────────────────────────────────────────────────────────────────────────────


def findings(connector: Webhook, send: Any) -> list[Finding]:
    end = run_flow([], connector.check(), send, connector.classify, list)
    assert end.error is None
    return list(end.value)


def test_a_ping_is_signed_with_the_time_that_the_first_answer_came():
    asked: list[Request] = []
    connector = webhook()

    def send(request: Request) -> Response:
        asked.append(request)
        return Response(204, {}, b"", NOW)

    assert [one.level for one in findings(connector, send)] == ["ok"]
    assert [one.method for one in asked] == ["HEAD", "POST"]
    assert asked[1].headers["webhook-timestamp"] == str(int(NOW.timestamp()))
    assert b'"type":"hub.ping"' in asked[1].body


def test_without_pings_a_check_only_looks_whether_somebody_is_there():
    connector = webhook(ping=False)

    assert [one.level for one in findings(connector, answering(500))] == ["unknown"]


@pytest.mark.parametrize("status", [401, 403, 404, 410, 422, 500])
def test_a_refused_ping_is_an_error(status):
    assert [one.level for one in findings(webhook(), answering(status))] == ["error"]


# ── the receiver ─────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.fixture
def bench() -> Bench:
    return in_memory(discover()["webhook"].subject(), {"records_per_call": 4})


def test_ten_people_in_fours_arrive_once_each_even_if_sent_twice(bench):
    pushes = bench.pushes(Operation.EVENTS, 10)
    for _ in range(2):
        assert all(isinstance(one, Accepted) for one in bench.settle(pushes).values())

    assert len(bench.simulator.events) == 10
    assert len(bench.simulator.calls("/hooks")) == 6


def test_a_stale_or_unsigned_call_is_refused():
    simulator = WebhookSimulator(clock=lambda: NOW)
    connector = webhook(header_name=HEADER, header_value=HEADER_VALUE)
    wire = sent(connector, batch(connector))

    def ask(**changed: str) -> int:
        headers = {**wire.headers, **changed}
        return simulator.answer(SimRequest("POST", "/hooks/switchboard", {}, headers, wire.body)).status

    assert ask() == 204
    assert ask(**{"webhook-timestamp": str(int(NOW.timestamp()) - 3600)}) == 401
    assert ask(**{"webhook-signature": "v1,bm9wZQ=="}) == 401
    assert ask(**{HEADER: "wrong"}) == 401
