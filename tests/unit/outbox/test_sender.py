"""The sender against scripted answers and against real sockets."""

from __future__ import annotations

import gzip
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
import requests
import responses

from hub.outbox.wire.http import Sender
from hub.outbox.wire.masking import Mask
from hub.outbox.wire.private_hosts import PrivateAddress, is_public
from hub.sdk.errors import ConfigurationError, DeliveryError, Retryable, Unreadable
from hub.sdk.values import Bearer, Request, Secret

URL = "http://acme.example"
KEY = "sesame-open-up"


def sender(url: str = URL, *, allow_private: bool = True, limit: int = 1_000_000) -> Sender:
    auth = {"api": Bearer(Secret(KEY))}
    return Sender({"api": url}, auth, Mask([KEY]), allow_private=allow_private, answer_limit=limit)


@contextmanager
def server(reply: bytes | None, *, cut: bool = False, read: bool = True) -> Iterator[tuple[str, list[bytes]]]:
    """One connection: reads the request, then sends `reply`; None never answers."""
    listener = socket.create_server(("127.0.0.1", 0))
    heard: list[bytes] = []
    done = threading.Event()

    def serve() -> None:
        connection, _ = listener.accept()
        with connection:
            if read:
                heard.append(connection.recv(65_536))
            if reply is not None:
                connection.sendall(reply)
            if not cut:
                done.wait(5)

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{listener.getsockname()[1]}", heard
    done.set()
    thread.join(5)
    listener.close()


def failure(url: str, *, timeout_s: float = 0.3, **more) -> DeliveryError:
    with pytest.raises(DeliveryError) as caught:
        sender(url, **more).send(Request("POST", "/x", json={"a": 1}), timeout_s)
    return caught.value


@responses.activate
def test_secrets_are_revealed_on_the_wire_and_nowhere_else():
    responses.add("POST", f"{URL}/x", json={"echo": KEY}, status=201, headers={"X-RateLimit-Reset": "7"})
    speaking = sender()
    request = Request("POST", "/x", json={"nested": [{"key": Secret(KEY)}]})
    exchange = speaking.exchange(request)
    exchange.response = speaking.send(request, 5)
    sent = responses.calls[0].request
    assert sent.headers["authorization"] == f"Bearer {KEY}"
    assert KEY.encode() in sent.body
    assert KEY not in exchange.shown_request()
    assert KEY not in exchange.shown_response()
    assert "x-ratelimit-reset: 7" in exchange.shown_response()
    assert exchange.response.headers["x-ratelimit-reset"] == "7"


@responses.activate
def test_a_redirect_is_an_answer_and_is_not_followed():
    responses.add("POST", f"{URL}/x", status=302, headers={"Location": "http://elsewhere.example/"})
    assert sender().send(Request("POST", "/x"), 5).status == 302
    assert len(responses.calls) == 1


@responses.activate
@pytest.mark.parametrize(
    ("error", "is_unknown"),
    [
        (requests.exceptions.ConnectTimeout(), False),
        (requests.exceptions.ReadTimeout(), True),
        (requests.exceptions.ConnectionError("reset"), True),
        (requests.exceptions.ChunkedEncodingError(), True),
        (requests.exceptions.SSLError("broken off"), True),
    ],
)
def test_each_failure_says_whether_the_vendor_may_have_acted(error: Exception, is_unknown: bool):
    responses.add("POST", f"{URL}/x", body=error)
    with pytest.raises(Retryable) as caught:
        sender().send(Request("POST", "/x"), 5)
    assert caught.value.unknown is is_unknown


def test_a_refused_connection_is_not_unknown():
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    error = failure(f"http://127.0.0.1:{port}")
    assert isinstance(error, Retryable)
    assert not error.unknown


def test_a_name_nobody_knows_is_not_unknown():
    error = failure("http://nobody.invalid")
    assert isinstance(error, Retryable)
    assert not error.unknown


def test_silence_after_sending_is_unknown():
    with server(None) as (url, heard):
        error = failure(url)
    assert isinstance(error, Retryable)
    assert error.unknown
    assert heard[0].startswith(b"POST /x")


@pytest.mark.parametrize("reply", [b"", b"HTTP/1.1 200 OK\r\ncontent-length: 50\r\n\r\nonly this"])
def test_a_connection_cut_before_the_answer_ends_is_unknown(reply: bytes):
    with server(reply, cut=True) as (url, _):
        error = failure(url)
    assert isinstance(error, Retryable)
    assert error.unknown


def test_an_answer_without_end_is_bounded_in_size():
    head = b"HTTP/1.1 200 OK\r\ncontent-type: text/plain\r\n\r\n"
    with server(head + b"x" * 200_000) as (url, _):
        error = failure(url, limit=100_000, timeout_s=5)
    assert isinstance(error, Unreadable)
    assert error.unknown


def test_a_small_answer_that_inflates_to_a_large_one_is_bounded_too():
    body = gzip.compress(b"x" * 50_000_000)
    head = b"HTTP/1.1 200 OK\r\ncontent-encoding: gzip\r\ncontent-length: %d\r\n\r\n" % len(body)
    with server(head + body) as (url, _):
        assert isinstance(failure(url, limit=1_000_000, timeout_s=5), Unreadable)


def test_an_answer_in_gzip_is_inflated():
    body = gzip.compress(b'{"ok":true}')
    head = b"HTTP/1.1 200 OK\r\ncontent-encoding: gzip\r\ncontent-length: %d\r\n\r\n" % len(body)
    with server(head + body) as (url, _):
        assert sender(url).send(Request("GET", "/x"), 5).json() == {"ok": True}


def test_private_addresses_are_refused_before_anything_is_sent():
    with server(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n") as (url, heard):
        with pytest.raises(PrivateAddress, match="HUB_ALLOW_PRIVATE_HOSTS"):
            sender(url, allow_private=False).send(Request("POST", "/x"), 2)
        assert heard == []
        assert sender(url).send(Request("POST", "/x"), 2).status == 200


def test_a_public_name_that_resolves_to_a_private_address_is_refused(monkeypatch: pytest.MonkeyPatch):
    found = [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("10.0.0.7", 80))]
    monkeypatch.setattr("hub.outbox.wire.private_hosts.socket.getaddrinfo", lambda *args, **options: found)
    with pytest.raises(PrivateAddress, match=r"10\.0\.0\.7"):
        sender("http://rebound.example", allow_private=False).send(Request("GET", "/"), 2)


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1", "10.1.2.3", "172.16.0.1", "192.168.1.1", "169.254.169.254", "0.0.0.0", "100.64.0.1", "224.0.0.1",
        "::1", "fe80::1%eth0", "fd00::1", "::ffff:127.0.0.1", "::", "2002:7f00:0001::", "64:ff9b::7f00:1",
    ],
)  # fmt: skip
def test_addresses_of_the_inside(address: str):
    assert not is_public(address)


@pytest.mark.parametrize("address", ["1.1.1.1", "93.184.216.34", "2606:4700::1111", "64:ff9b::101:101"])
def test_addresses_of_the_outside(address: str):
    assert is_public(address)


@pytest.mark.parametrize("url", ["ftp://acme.example", "acme.example", "http://", "file:///etc/passwd"])
def test_a_host_that_is_no_web_address_is_a_matter_of_configuration(url: str):
    with pytest.raises(ConfigurationError):
        sender(url).send(Request("GET", "/x"), 2)


def test_neither_cookies_nor_netrc_are_used(monkeypatch: pytest.MonkeyPatch, tmp_path):
    (tmp_path / ".netrc").write_text("machine 127.0.0.1 login someone password secret\n")
    monkeypatch.setenv("NETRC", str(tmp_path / ".netrc"))
    reply = b"HTTP/1.1 200 OK\r\nset-cookie: a=b\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"
    with server(reply) as (url, heard):
        Sender({"api": url}, {}, Mask([]), allow_private=True).send(Request("GET", "/x"), 2)
    assert b"authorization" not in heard[0].lower()
