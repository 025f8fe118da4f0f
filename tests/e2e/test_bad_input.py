"""Hostile and odd requests: a JSON answer in time, counted or quarantined, and the hub goes on working."""

from __future__ import annotations

import gzip
import hashlib
import hmac
import json
import socket
import time
from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any

import pytest
import requests

from tests.harness import SharedHub, eventually

IDENTIFY = {"type": "identify", "messageId": "m-1", "userId": "ada", "traits": {"email": "ada@example.com"}}
JSON = {"Content-Type": "application/json"}
WEBHOOK_TIMEOUT_S = 5.0  # of Segment's own webhooks: later than this, the sender has given up


@pytest.fixture
def hub(shared_hub: SharedHub) -> SharedHub:
    return shared_hub


@pytest.fixture
def source(hub: SharedHub) -> dict[str, Any]:
    added: dict[str, Any] = hub.cli("sources", "add", "segment", "--name", hub.name("web"), "--json")
    return added


def signed(source: dict[str, Any], body: bytes) -> dict[str, str]:
    """Signed as Segment signs: of a list only its first element."""
    body = b"1" if body == b"[1]" else body
    return JSON | {"X-Signature": hmac.new(source["secret"].encode(), body, hashlib.sha1).hexdigest()}


def refused(source: dict[str, Any]) -> Iterator[tuple[str, bytes, dict[str, str], set[int]]]:
    """name, body, headers, allowed statuses"""
    whole = json.dumps(IDENTIFY).encode()
    for name, body in {
        "broken JSON": b'{"type": "identify", ',
        "not JSON at all": b"<html>hello</html>",
        "an empty body": b"",
        "invalid UTF-8": b'{"type": "identify", "userId": "\xff\xfe"}',
        "nesting beyond the limit": b"[" * 5_000 + b"]" * 5_000,
        "objects beyond the limit": b'{"a":' * 400 + b"1" + b"}" * 400,
    }.items():
        yield name, body, signed(source, body), {400}
    squeezed = gzip.compress(whole)
    yield "truncated gzip", squeezed[:-9], signed(source, whole) | {"Content-Encoding": "gzip"}, {400, 401}
    bomb = gzip.compress(b" " * 50_000_000)
    yield "a gzip bomb", bomb, signed(source, bomb) | {"Content-Encoding": "gzip"}, {413}
    large = b'{"a":"' + b"x" * 10_000_000 + b'"}'
    yield "a body of 10 MB", large, signed(source, large), {413}
    yield "a wrong signature", whole, JSON | {"X-Signature": "0" * 40}, {401}
    yield "no signature", whole, JSON, {401}


def test_what_cannot_be_read_or_is_not_authentic_is_refused_in_time_and_counted(
    hub: SharedHub, source: dict[str, Any]
) -> None:
    cases = list(refused(source))
    for name, body, headers, statuses in cases:
        began = time.monotonic()
        answer = requests.post(source["webhook_url"], data=body, headers=headers, timeout=5)
        took_s = time.monotonic() - began

        assert answer.status_code in statuses, f"{name}: {answer.status_code} {answer.text}"
        assert isinstance(answer.json(), dict), name
        assert took_s < WEBHOOK_TIMEOUT_S, f"{name} took {took_s:.2f} s"

    counted = eventually(
        lambda: found if _total(found := refusals(hub)) == len(cases) else None,
        what="every refusal being counted",
    )
    assert {each["reason"] for each in counted} == {
        "payload_invalid",
        "signature_invalid",
        "signature_missing",
        "too_large",
    }
    assert hub.balanced()["accepted"] == 0


def _total(counted: list[dict[str, Any]]) -> int:
    return sum(each["count"] for each in counted)


def refusals(hub: SharedHub) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = hub.cli("ledger", "refusals", "--json")
    return found


def odd() -> dict[str, bytes]:
    def message(**fields: Any) -> bytes:
        return json.dumps({**IDENTIFY, **fields}).encode()

    return {
        "no userId": message(messageId="odd-1", userId=None),
        "a userId of 10,000 characters": message(messageId="odd-2", userId="u" * 10_000),
        "a messageId of 10,000 characters": message(messageId="m" * 10_000),
        "NUL characters": message(messageId="odd-4\0", userId="a\0b", traits={"na\0me": "x\0y", "plan": "\0"}),
        "the year 99999": message(
            messageId="odd-5", timestamp="99999-01-01T00:00:00Z", traits={"birthday": "99999-01-01"}
        ),
        "an event no rule knows": message(messageId="odd-6", type="no-such-type"),
        "no type": message(messageId="odd-7", type=None),
        "a lone surrogate": b'{"type":"identify","messageId":"odd-8","userId":"ada","traits":{"name":"\\ud800"}}',
        "bare NaN": b'{"type":"identify","messageId":"odd-9","userId":"ada","traits":{"score":NaN,"big":Infinity}}',
        "a list instead of traits": message(messageId="odd-10", traits=[1, 2, 3]),
        "a number instead of a message": b"[1]",
        "numbers for ids": message(messageId=123456789012345678901234567890, userId=12345678901234567890),
        "1,200 traits": message(messageId="odd-13", traits={f"t{number}": number for number in range(1_200)}),
    }


def test_what_is_authentic_but_odd_is_accepted_and_ends_in_a_named_state(
    hub: SharedHub, source: dict[str, Any]
) -> None:
    bodies = odd()
    for name, body in bodies.items():
        answer = requests.post(source["webhook_url"], data=body, headers=signed(source, body), timeout=5)
        assert answer.status_code == 200, f"{name}: {answer.status_code} {answer.text}"

    ledger = hub.drained()

    assert ledger["accepted"] == len(bodies)
    assert ledger["applied"] + ledger["ignored"] + ledger["quarantined"] == len(bodies)
    assert ledger["ignored_reasons"]
    assert ledger["quarantined_reasons"]


def test_an_unknown_source_key_is_the_hubs_own_404(hub: SharedHub) -> None:
    answer = requests.post(f"{hub.url}/in/nobody", json=IDENTIFY, timeout=5)

    assert answer.status_code == 404
    assert set(answer.json()) >= {"code", "key", "message"}


@pytest.mark.parametrize("path", ["/hub/v1/sources", "/hub/v1/deliveries", "/hub/v1/no-such", "/v1/customers"])
def test_every_admin_path_needs_a_key(hub: SharedHub, path: str) -> None:
    answer = requests.get(hub.url + path, timeout=5)

    assert answer.status_code == 401
    assert answer.json()["key"] == "unauthorized"


def test_senders_that_stop_midway_hold_up_neither_the_health_check_nor_each_other_for_good(
    hub: SharedHub, source: dict[str, Any]
) -> None:
    url = source["webhook_url"]
    half = f"POST {url.removeprefix(hub.url)} HTTP/1.1\r\nHost: hub\r\nContent-Length: 100\r\n\r\n{{".encode()
    with ExitStack() as stack:
        for _ in range(60):
            line = stack.enter_context(socket.create_connection(("127.0.0.1", hub.port)))
            line.sendall(half)
        assert requests.get(f"{hub.url}/healthz", timeout=10).status_code == 200
        turned_away = requests.post(url, data=b"{}", timeout=30)
        assert turned_away.status_code == 503
        assert "Retry-After" in turned_away.headers
    body = json.dumps(IDENTIFY).encode()
    eventually(
        lambda: requests.post(url, data=body, headers=signed(source, body), timeout=10).status_code == 200,
        what="webhooks being taken again",
    )
