"""What Segment posts becomes messages, each with its bytes, its id and a hint."""

from __future__ import annotations

import hashlib
import hmac
import json
import math
from typing import Any

import pytest

from hub.sdk.errors import MethodNotAllowed, PayloadInvalid, SignatureInvalid
from hub.sdk.json import loads
from hub.sdk.values import InboundRequest, RawMessage
from tests.unit.connectors.segment_requests import (
    NOW,
    SAMPLES,
    SECRET,
    SOURCE,
    bodies,
    messages,
    sdk,
    webhook,
)


@pytest.mark.parametrize("name", sorted(path.name for path in SAMPLES.glob("[0-1]*.json")))
def test_a_single_webhook_keeps_its_bytes(name: str) -> None:
    body = (SAMPLES / name).read_bytes()
    (message,) = messages(webhook(body))
    assert message.body == body
    assert message.dedup_key == json.loads(body).get("messageId")
    assert message.profile_hint in {json.loads(body).get("userId"), json.loads(body).get("anonymousId")}
    assert message.authentic


def test_each_element_of_an_array_is_a_message_of_its_own() -> None:
    elements = json.loads((SAMPLES / "20_webhook_actions_batch_with_duplicate.json").read_text())
    text = json.dumps(elements, ensure_ascii=False, separators=(",", ":")).encode()
    first = json.dumps(elements[0], ensure_ascii=False, separators=(",", ":")).encode()
    signature = hmac.new(SECRET.encode(), first, hashlib.sha1).hexdigest()
    request = InboundRequest("PUT", "", {}, {"x-signature": signature}, text, text, "", NOW)
    assert bodies(request) == elements
    assert [message.dedup_key for message in messages(request)] == [element["messageId"] for element in elements]


def test_a_remapped_body_without_type_or_ids_is_taken_for_the_mapping_to_judge() -> None:
    body = (SAMPLES / "21_webhook_actions_remapped_body_no_type.json").read_bytes()
    assert messages(webhook(body)) == [RawMessage(body)]


@pytest.mark.parametrize("body", [b"42", b'"text"', b"null", b"true", b" {} "])
def test_authentic_json_that_is_no_message_is_taken_and_left_to_quarantine(body: bytes) -> None:
    assert messages(webhook(body)) == [RawMessage(body)]


def test_an_element_that_is_no_object_does_not_fail_its_neighbours() -> None:
    body = b'[{"messageId":"a"},7,"x",null,[1],{"messageId":"b"}]'
    signature = hmac.new(SECRET.encode(), b'{"messageId":"a"}', hashlib.sha1).hexdigest()
    request = InboundRequest("POST", "", {}, {"x-signature": signature}, body, body, "", NOW)
    assert [message.body for message in messages(request)] == [
        b'{"messageId":"a"}', b"7", b'"x"', b"null", b"[1]", b'{"messageId":"b"}',
    ]  # fmt: skip


def test_bare_nan_and_lone_surrogates_stay_as_they_came() -> None:
    body = b'{"messageId":"a","traits":{"score":NaN,"low":-Infinity,"name":"\\ud83d"}}'
    (message,) = messages(webhook(body))
    assert message.body == body
    assert math.isnan(loads(message.body)["traits"]["score"])


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b'{"a":1}}',
        b"{'a':1}",
        b'{"a":"\xff"}',
        b"\xef\xbb\xbf{}",
        b"\xff\xfe{\x00}\x00",
        b"[" * 70 + b"]" * 70,
    ],
    ids=["empty", "truncated", "trailing", "quotes", "not utf-8", "bom", "utf-16", "deep"],
)
def test_what_cannot_be_read_is_refused(body: bytes) -> None:
    with pytest.raises((PayloadInvalid, SignatureInvalid)):
        messages(webhook(body))
    with pytest.raises(PayloadInvalid):
        messages(sdk("/v1/batch", body))


def test_many_brackets_are_not_depth() -> None:
    body = b'{"a":"' + b"[{" * 200 + b'","b":[' + b",".join([b"{}"] * 300) + b"]}"
    assert messages(webhook(body))[0].body == body
    deepest = b'{"a":' + b"[" * 63 + b"]" * 63 + b"}"
    assert messages(webhook(deepest))[0].body == deepest
    with pytest.raises(PayloadInvalid, match="64 levels"):
        messages(webhook(b'{"a":' + b"[" * 64 + b"]" * 64 + b"}"))


@pytest.mark.parametrize(
    ("sent", "kept"),
    [("  m-1 ", "m-1"), (17, "17"), (17.0, "17"), ("", None), (None, None), (True, None), ({}, None), (["m"], None)],
)
def test_the_message_id_is_kept_as_trimmed_text(sent: Any, kept: str | None) -> None:
    assert messages(webhook(json.dumps({"messageId": sent}).encode()))[0].dedup_key == kept


def test_the_routing_hint_is_the_user_else_the_anonymous_id() -> None:
    def hint(**ids: Any) -> str | None:
        return messages(webhook(json.dumps(ids).encode()))[0].profile_hint

    assert hint(userId=60001, anonymousId="a") == "60001"
    assert hint(userId=None, anonymousId="a") == "a"
    assert hint(userId="", anonymousId="") is None


@pytest.mark.parametrize("method", ["GET", "HEAD"])
@pytest.mark.parametrize("path", ["", "/", "/v1/batch"])
def test_a_look_is_no_success_since_it_stores_nothing(method: str, path: str) -> None:
    with pytest.raises(MethodNotAllowed) as refused:
        SOURCE.receive(sdk(path, b"", authorization="", method=method))
    assert "POST" in refused.value.allow


def test_a_delete_request_by_http_method_is_refused() -> None:
    for path in ("", "/v1/track"):
        with pytest.raises(PayloadInvalid) as refused:
            SOURCE.receive(sdk(path, b"{}", method="DELETE"))
        assert SOURCE.refuse(sdk(path, b"{}"), refused.value).status == 405
