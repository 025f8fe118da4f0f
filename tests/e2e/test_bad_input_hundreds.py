"""500 hostile requests for each source: a 2xx or 4xx with JSON, in time, a named end for what was taken, a hub that works."""

from __future__ import annotations

import base64
import hashlib
import hmac
import http.client
import json
import socket
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, ClassVar
from urllib.parse import quote, urlsplit

import pytest
import requests

from tests.e2e.hostile import Attempt, attempts, broken_http
from tests.harness import ROOT, SharedHub, eventually

COUNT, AT_MOST_S = 500, 5.0
SAMPLES = ROOT / "tests" / "samples"
ALLOWED = {413, 503}


def samples(folder: str, *names: str) -> list[Any]:
    return [
        json.loads(path.read_text()) for name in names for path in sorted((SAMPLES / folder).glob(f"{name}_*.json"))
    ]


class SegmentUnderAttack:
    connector = "segment"
    settings = ()
    doors: ClassVar[Mapping[str, Sequence[Any]]] = {
        "": samples("segment", "01", "03", "13", "19", "20"),
        "/v1/batch": samples("segment", "22"),
        "/v1/track": samples("segment", "24"),
    }
    good: ClassVar[Any] = {
        "type": "identify",
        "messageId": "last",
        "userId": "last-one",
        "traits": {"email": "last@example.com"},
    }

    def __init__(self, source: dict[str, Any]) -> None:
        self._key, self._basic = source["secret"].encode(), _basic(source["write_key"], "")

    def sign(self, body: bytes) -> dict[str, str]:
        first = body
        if body[:1] == b"[":
            with suppress(ValueError, RecursionError):
                _, end = json.JSONDecoder().raw_decode(text := body.decode(), 1)
                first = text[1:end].encode()
        return {"X-Signature": hmac.new(self._key, first, hashlib.sha1).hexdigest(), "Authorization": self._basic}


class MParticleUnderAttack:
    connector = "mparticle"
    settings = ("--set", "api_key=k", "--set", "authorization=Basic azpz", "--set", "api_secret=s")
    doors: ClassVar[Mapping[str, Sequence[Any]]] = {
        "": samples("mparticle", "03", "06", "08", "13", "17"),
        "/v2/events": samples("mparticle", "11"),
        "/v2/bulkevents": samples("mparticle", "12"),
        "/opendsr/requests": samples("mparticle", "18"),
    }
    good: ClassVar[Any] = {
        "user_identities": {"customer_id": "last-one", "email": "last@example.com"}, "message_id": "last",
        "user_attributes": {"tier": "gold"},
    }  # fmt: skip

    def __init__(self, source: dict[str, Any]) -> None:
        pass

    def sign(self, body: bytes) -> dict[str, str]:
        return {"Authorization": _basic("k", "s")}


def _basic(user: str, password: str) -> str:
    return "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()


@pytest.fixture
def hub(shared_hub: SharedHub) -> SharedHub:
    return shared_hub


@pytest.mark.parametrize("kind", [SegmentUnderAttack, MParticleUnderAttack], ids=["segment", "mparticle"])
def test_500_hostile_requests_are_answered_in_time_and_named_and_the_hub_goes_on(
    hub: SharedHub, kind: type[SegmentUnderAttack | MParticleUnderAttack]
) -> None:
    source = hub.cli("sources", "add", kind.connector, "--name", hub.name("web"), *kind.settings, "--json")
    target = kind(source)
    url = urlsplit(source["webhook_url"])
    statuses: list[int] = []
    requests.get(source["webhook_url"], timeout=30)  # the first request loads the connectors
    for attempt in attempts(kind.doors, target.sign, COUNT):
        status, content, took_s = send(url.port or 80, url.path, attempt)
        statuses.append(status)
        assert 200 <= status < 300 or 400 <= status < 500 or status in ALLOWED, f"{attempt.name}: {status} {content!r}"
        assert took_s < AT_MOST_S, f"{attempt.name} took {took_s:.2f} s"
        if content:
            json.loads(content)
        elif status >= 400:
            assert attempt.method == "HEAD", f"{attempt.name}: {status} without a body"
    assert len({status for status in statuses if status >= 400}) >= 4, (
        "the requests were not as varied as they should be"
    )

    for name, raw in broken_http(url.path).items():
        answer = exchange(url.port or 80, raw)
        assert answer[:9] == b"" or answer.startswith((b"HTTP/1.1 4", b"HTTP/1.1 2", b"HTTP/1.0 4")), (
            f"{name}: {answer!r}"
        )

    ledger = hub.drained()
    assert ledger["accepted"] > COUNT / 10
    assert ledger["applied"] + ledger["ignored"] + ledger["quarantined"] + ledger["duplicate"] == ledger["accepted"]
    assert sum(ledger["ignored_reasons"].values()) == ledger["ignored"]
    assert sum(ledger["quarantined_reasons"].values()) == ledger["quarantined"]
    assert not {"", None, "defect"} & {*ledger["ignored_reasons"], *ledger["quarantined_reasons"]}
    goes_on(hub, source, target)


def goes_on(hub: SharedHub, source: dict[str, Any], target: SegmentUnderAttack | MParticleUnderAttack) -> None:
    """Nothing died, nothing was logged as a defect, and a good message is applied as ever."""
    body = json.dumps(target.good).encode()
    headers = target.sign(body) | {"Content-Type": "application/json"}
    assert requests.post(source["webhook_url"], data=body, headers=headers, timeout=5).ok
    hub.drained()
    shown = eventually(lambda: hub.cli("profiles", "show", "last-one", "--json"))
    assert shown["traits"]["email"] == "last@example.com"
    assert "Traceback" not in Path(hub.log).read_text(encoding="utf-8")


def send(port: int, prefix: str, attempt: Attempt) -> tuple[int, bytes, float]:
    """(status, body, seconds). A connection that the server closed while it was still being written to is read all the same."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=15)
    began = time.monotonic()
    try:
        connection.putrequest(
            attempt.method, quote(prefix + attempt.path, safe="/?&=%"), skip_host="Host" in attempt.headers
        )
        for name, value in {"Content-Type": "application/json", **attempt.headers}.items():
            connection.putheader(name, value.encode("utf-8"))
        connection.putheader("Content-Length", str(len(attempt.body)))
        connection.endheaders()
        with suppress(BrokenPipeError, ConnectionResetError):
            connection.send(attempt.body)
        answer = connection.getresponse()
        return answer.status, answer.read(), time.monotonic() - began
    finally:
        connection.close()


def exchange(port: int, raw: bytes) -> bytes:
    """What comes back for these bytes once the sender has nothing more to say; b"" for a connection just closed."""
    with socket.create_connection(("127.0.0.1", port), timeout=10) as connection, suppress(OSError):
        connection.sendall(raw)  # fails where the server hung up in the middle of it
        connection.shutdown(socket.SHUT_WR)
        return connection.recv(200)
    return b""


def test_a_body_that_comes_slowly_is_taken_and_holds_up_nobody(hub: SharedHub) -> None:
    source = hub.cli("sources", "add", "segment", "--name", hub.name("web"), "--json")
    target, url = SegmentUnderAttack(source), urlsplit(source["webhook_url"])
    body = json.dumps(target.good).encode()
    head = "".join(f"{name}: {value}\r\n" for name, value in target.sign(body).items())
    with socket.create_connection(("127.0.0.1", url.port or 80), timeout=10) as slow:
        slow.sendall(f"POST {url.path} HTTP/1.1\r\nHost: hub\r\n{head}Content-Length: {len(body)}\r\n\r\n".encode())
        for number, at in enumerate(range(0, len(body), 8)):
            slow.sendall(body[at : at + 8])
            if number % 4 == 0:
                assert requests.get(f"{hub.url}/healthz", timeout=5).ok
        assert slow.recv(200).startswith(b"HTTP/1.1 200")
    assert hub.drained()["applied"] == 1
