"""The door over HTTP: what is taken is on disk, what is refused is answered in JSON and counted."""

from __future__ import annotations

import gzip
import hashlib
import hmac
import json
from collections.abc import Callable
from typing import Any

import pytest
from flask import Flask
from werkzeug.test import TestResponse

from hub.api.doors import mount
from hub.core.settings import Settings
from hub.inbox.accept import Door, SourceDoor
from hub.inbox.sql import Inbox
from hub.sdk.contract import Source
from hub.sdk.errors import Busy, Forbidden, InboundError, PayloadInvalid, SignatureInvalid
from hub.sdk.json import loads
from hub.sdk.values import ErasureRequest, InboundRequest, Question, RawMessage, Received, Reply
from tests.rooms.inbox.conftest import CONNECTION, apply, until

PAUSED = "01J00000000000000000000002"
SECRET = b"test-secret"
TRACK = b'{"messageId":"m1","type":"track"}'


class NoErasures:
    """Nothing is remembered, and one request cannot be."""

    def register(self, connection_id: str, request: ErasureRequest, now: int) -> None:
        raise Busy("The state database is away.")

    def ask(self, connection_id: str, question: Question, now: int) -> None:
        return None


class SignedSource(Source):
    """A small source: a signature over the exact body, a list or one message, its own error shape."""

    name = "signed"
    title = "Signed"

    def __init__(self, *, answers_looks: bool = True) -> None:
        super().__init__(None)
        self.answers_looks = answers_looks
        self.seen: list[InboundRequest] = []

    def receive(self, request: InboundRequest) -> Received:
        self.seen.append(request)
        if request.method in ("GET", "HEAD") and self.answers_looks:
            return Received((), Reply(200, {"here": True}))
        if request.path == "/erasure":
            message = RawMessage(b"{}", "r-1")
            return Received([message], Reply(201), erasure=ErasureRequest("r-1"))
        if request.path == "/question":
            return Received((), Reply(404, {"unknown": True}), question=Question("r-1"))
        if request.path == "/signed":
            return Received((), Reply(200, headers={"Content-Type": "text/x-own"}, body=b"as it is"))
        if request.path == "/forbidden":
            raise Forbidden
        if request.path == "/defect":
            raise KeyError("someone@example.com")
        if request.path == "/recursion":
            json.loads(b"[" * 100_000)
        expected = hmac.new(SECRET, request.body, hashlib.sha256).hexdigest()
        if not hmac.compare_digest(expected, request.headers.get("x-signature", "")):
            raise SignatureInvalid
        try:
            value = loads(request.body)
        except ValueError as error:
            raise PayloadInvalid from error
        elements = value if isinstance(value, list) else [value]
        messages = [RawMessage(json.dumps(each).encode(), each.get("messageId")) for each in elements]
        return Received(messages, Reply(202, {"taken": len(messages)}, {"X-Vendor": "yes"}))

    def refuse(self, request: InboundRequest, error: InboundError) -> Reply:
        return Reply(error.status, {"error": error.key, "words": str(error)})


Send = Callable[..., TestResponse]


@pytest.fixture
def source() -> SignedSource:
    return SignedSource()


@pytest.fixture
def send(inbox: Inbox, source: SignedSource) -> Send:
    """Posts to a Flask application with the doors in front."""
    plain = SignedSource(answers_looks=False)
    doors = {
        "key": SourceDoor(CONNECTION, source),
        "plain": SourceDoor(CONNECTION, plain),
        "paused": SourceDoor(PAUSED, source, is_paused=True),
    }
    app = Flask("test")
    app.add_url_rule("/", view_func=lambda: "the application")
    door = Door(inbox, doors.get, Settings(body_limit=10_000, inflated_limit=50_000), NoErasures())
    app.wsgi_app = mount(app.wsgi_app, door, 8)
    client = app.test_client()

    def sender(body: bytes = TRACK, path: str = "/in/key", method: str = "POST", **headers: str) -> TestResponse:
        given = {name.replace("_", "-"): value for name, value in headers.items()}
        given.setdefault("X-Signature", hmac.new(SECRET, body, hashlib.sha256).hexdigest())
        return client.open(path, method=method, data=body, headers=given)

    return sender


def refused(inbox: Inbox) -> dict[tuple[str, str], int]:
    counts: dict[tuple[str, str], int] = {}
    for refusal in inbox.refusals():
        key = refusal.connection_id, refusal.reason
        counts[key] = counts.get(key, 0) + refusal.count
    return counts


def test_a_signed_message_is_answered_by_its_source_and_waits(send, inbox, source):
    answer = send()
    assert (answer.status_code, answer.json, answer.headers["X-Vendor"]) == (202, {"taken": 1}, "yes")
    (message,) = apply(inbox)
    assert (message.connection_id, message.message_id, loads(message.body)) == (CONNECTION, "m1", loads(TRACK))
    assert message.received_at > 0


def test_the_source_sees_the_request_as_it_came(send, source):
    body = gzip.compress(TRACK)
    send(
        body,
        "/in/key/v1/b%20c?a=1&b=%C3%A9&c=",
        Content_Encoding="gzip",
        Content_Type="application/json",
        X_Signature=hmac.new(SECRET, TRACK, hashlib.sha256).hexdigest(),
    )
    (request,) = source.seen
    assert (request.method, request.path, dict(request.query)) == ("POST", "/v1/b c", {"a": "1", "b": "é", "c": ""})
    assert (request.raw_body, request.body) == (body, TRACK)
    assert request.headers["content-type"] == "application/json"
    assert request.headers.get("x-nothing") is None
    assert {"content-type", "content-length", "content-encoding", "x-signature", "host"} <= set(request.headers)
    assert len(request.headers) == len(list(request.headers))
    assert request.received_at.tzinfo is not None


@pytest.mark.parametrize(
    ("body", "headers", "status", "reason"),
    [
        (b'{"a":', {}, 400, "payload_invalid"),
        (b"", {}, 400, "payload_invalid"),
        (b'{"a":"\xff"}', {}, 400, "payload_invalid"),
        (gzip.compress(TRACK)[:-5], {"Content_Encoding": "gzip"}, 400, "payload_invalid"),
        (TRACK, {"Content_Encoding": "br"}, 400, "payload_invalid"),
        (b'{"a":' * 65 + b"1" + b"}" * 65, {}, 400, "payload_invalid"),
        (b"[" * 5_000 + b"]" * 5_000, {}, 400, "payload_invalid"),
        (b" " * 10_000_000, {}, 413, "too_large"),
        (gzip.compress(b" " * 60_000), {"Content_Encoding": "gzip"}, 413, "too_large"),
        (TRACK, {"X_Signature": "00"}, 401, "signature_invalid"),
        (TRACK, {"X_Signature": ""}, 401, "signature_invalid"),
    ],
    ids=[
        "broken JSON", "empty", "invalid UTF-8", "truncated gzip", "unknown encoding", "deep", "absurdly deep",
        "10 MB", "gzip bomb", "wrong signature", "no signature",
    ],
)  # fmt: skip
def test_bad_input_is_refused_in_the_sources_words_and_counted(send, inbox, body, headers, status, reason):
    answer = send(body, **headers)
    assert answer.status_code == status
    assert answer.json["error"] == reason
    assert apply(inbox) == []
    until(lambda: refused(inbox) == {(CONNECTION, reason): 1})


def test_the_sources_own_refusals_keep_their_meaning(send, inbox):
    assert send(path="/in/key/forbidden").status_code == 403
    until(lambda: refused(inbox) == {(CONNECTION, "forbidden"): 1})


def test_an_unknown_source_key_is_the_hubs_own_404(send, inbox, source):
    for path in ("/in/nobody", "/in/", "/in/nobody/v1/batch", "/in/KEY"):
        answer = send(path=path)
        assert answer.status_code == 404
        assert answer.json.keys() == {"code", "key", "message", "details", "request_id"}
    assert source.seen == []
    until(lambda: refused(inbox) == {("-", "unknown_source"): 4})


def test_a_paused_source_keeps_its_senders_waiting(send, inbox, source):
    answer = send(path="/in/paused")
    assert (answer.status_code, answer.json["error"]) == (503, "paused")
    assert int(answer.headers["Retry-After"]) >= 1
    assert source.seen == []
    until(lambda: refused(inbox) == {(PAUSED, "paused"): 1})


def test_a_defect_in_a_source_is_never_an_accepted_message_nor_a_lost_one(send, inbox):
    answer = send(path="/in/key/defect")
    assert (answer.status_code, answer.json["error"]) == (503, "defect")
    assert "someone@example.com" not in answer.text
    assert int(answer.headers["Retry-After"]) >= 1
    until(lambda: refused(inbox) == {(CONNECTION, "defect"): 1})


def test_a_source_that_drowns_in_nesting_refuses_the_body(send):
    assert send(path="/in/key/recursion").status_code == 400


def test_a_failing_store_is_503_and_never_200(send, inbox, monkeypatch):
    def down(*_: Any) -> None:
        raise OSError("no disk")

    monkeypatch.setattr(inbox._store, "add_rows", down)
    answer = send()
    assert (answer.status_code, answer.json["error"]) == (503, "busy")
    assert answer.headers["Retry-After"] == "5"
    until(lambda: refused(inbox) == {(CONNECTION, "busy"): 1})


def test_whatever_fails_behind_the_door_is_503_in_json(send, inbox, monkeypatch):
    monkeypatch.setattr("hub.inbox.accept.to_datetime", lambda _: 1 / 0)
    answer = send()
    assert answer.status_code == 503
    assert answer.json["key"] == "busy"


@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_probes_are_answered_by_the_source_and_store_nothing(send, inbox, method):
    answer = send(b"", method=method)
    assert answer.status_code == 200
    assert answer.data == (b"" if method == "HEAD" else b'{"here":true}')
    assert apply(inbox) == []


@pytest.mark.parametrize("path", ["/in/plain", "/in/plain/"])
def test_who_looks_at_a_webhook_url_is_told_what_it_is(send, inbox, path):
    answer = send(b"", path, "GET", X_Signature="", Accept="*/*")
    assert (answer.status_code, answer.headers["Allow"]) == (405, "POST")
    assert answer.json["error"] == "method_not_allowed", "in the source's own shape"
    assert "webhook URL of a source (Signed). Messages are sent to this URL by POST." in answer.json["words"]

    page = send(b"", path, "GET", X_Signature="", Accept="text/html,application/xhtml+xml;q=0.9,*/*;q=0.8")
    assert (page.status_code, page.headers["Allow"]) == (405, "POST")
    assert page.headers["Content-Type"] == "text/plain; charset=utf-8"
    assert page.text.startswith("This is the webhook URL of a source (Signed). ")
    assert page.text.endswith(" This request stored nothing.\n")

    head = send(b"", path, "HEAD", X_Signature="")
    assert (head.status_code, head.headers["Allow"], head.data) == (405, "POST", b"")
    assert apply(inbox) == []
    until(lambda: refused(inbox) == {(CONNECTION, "method_not_allowed"): 3})


def test_questions_below_a_webhook_url_are_refused_for_what_they_are(send):
    answer = send(b"", "/in/plain/requests/7", "GET", X_Signature="")
    assert (answer.status_code, answer.json["error"]) == (401, "signature_invalid")


def test_who_looks_where_nobody_has_the_key_gets_the_hubs_own_404(send):
    assert send(b"", "/in/nobody", "GET", Accept="text/html").json["key"] == "unknown_source"


def test_one_odd_message_refuses_its_whole_request(send, inbox):
    deep = b'{"a":' * 70 + b"1" + b"}" * 70
    assert send(b"[" + TRACK + b"," + deep + b"]").status_code == 400
    assert apply(inbox) == []


def test_other_paths_reach_the_application(send):
    assert send(b"", "/", "GET").text == "the application"
    assert send(b"", "/inn", "GET").status_code == 404


def test_a_request_to_erase_that_cannot_be_remembered_is_not_taken_either(send, inbox):
    """Its sender was to be told what came of it: it keeps the request, and sends it again."""
    answer = send(b"{}", "/in/key/erasure")
    assert (answer.status_code, answer.headers["Retry-After"]) == (503, "5")
    assert apply(inbox) == []


def test_a_question_about_a_request_that_nobody_made_gets_the_sources_own_answer(send, inbox):
    answer = send(b"", "/in/key/question", X_Signature="")
    assert (answer.status_code, answer.json) == (404, {"unknown": True})


def test_an_answer_that_is_a_body_is_sent_as_it_is(send):
    answer = send(b"", "/in/key/signed", X_Signature="")
    assert (answer.data, answer.headers.getlist("Content-Type")) == (b"as it is", ["text/x-own"])
