"""What client libraries send becomes messages; what it cannot be is refused in Segment's words."""

from __future__ import annotations

import json
from typing import Any

import pytest

from hub.sdk.errors import Busy, Overloaded, PayloadInvalid, SignatureInvalid
from hub.sdk.values import InboundRequest
from tests.unit.connectors.segment_requests import (
    KEY,
    NOW,
    SAMPLES,
    SECRET,
    SOURCE,
    basic,
    bodies,
    messages,
    sdk,
    webhook,
)


@pytest.mark.parametrize(
    "path", ["/v1/batch", "v1/batch/", "/v1/import", "/v1/import/", "/batch", "/import", "/v1/b", "/b"]
)
def test_every_spelling_of_the_batch_path_is_served(path: str) -> None:
    assert bodies(sdk(path, {"batch": [{"type": "track", "messageId": "a"}]})) == [{"type": "track", "messageId": "a"}]


@pytest.mark.parametrize("kind", ["identify", "track", "page", "screen", "group", "alias"])
@pytest.mark.parametrize("spelling", ["/v1/{}", "/v1/{}/", "/{}", "v1/{}"])
def test_a_single_path_names_the_type_where_the_body_does_not(kind: str, spelling: str) -> None:
    for name in (kind, kind[0]):
        path = spelling.format(name)
        assert bodies(sdk(path, {"userId": "u"})) == [{"type": kind, "userId": "u"}]
        assert bodies(sdk(path, {"type": None})) == [{"type": kind}]
        assert bodies(sdk(path, {"type": "delete"})) == [{"type": "delete"}]


def test_a_single_message_that_needs_nothing_keeps_its_bytes() -> None:
    body = b'{ "type":"track", "messageId":"m" , "properties":{"x":NaN}}'
    assert messages(sdk("/v1/track", body))[0].body == body


def test_the_write_key_is_never_stored() -> None:
    track = json.loads((SAMPLES / "24_tracking_api_single_track_body_write_key.json").read_text())
    stored = bodies(sdk("/v1/track", {**track, "writeKey": KEY}, authorization=""))
    assert stored == [{"type": "track", **{name: value for name, value in track.items() if name != "writeKey"}}]
    batch = {"writeKey": KEY, "batch": [{"writeKey": KEY, "messageId": "a"}, {"writeKey": KEY}]}
    for message in messages(sdk("/v1/b", batch, authorization="")):
        assert KEY.encode() not in message.body


@pytest.mark.parametrize("name", ["22_tracking_api_batch_python_client.json", "23_tracking_api_batch_node_client.json"])
def test_batch_fields_are_copied_to_each_element(name: str) -> None:
    batch = json.loads((SAMPLES / name).read_text())
    stored = bodies(sdk("/v1/batch", {**batch, "writeKey": KEY}))
    assert stored == [{**element, "sentAt": batch["sentAt"]} for element in batch["batch"]]
    keys = [message.dedup_key for message in messages(sdk("/v1/batch", {**batch, "writeKey": KEY}))]
    assert keys == [element["messageId"] for element in batch["batch"]]


def test_what_an_element_says_itself_wins_over_its_batch() -> None:
    batch = {
        "sentAt": "2026-01-01T00:00:09Z",
        "context": {"ip": "203.0.113.1", "locale": "en"},
        "integrations": {"All": False},
        "batch": [
            {"messageId": "a", "sentAt": "2026-01-01T00:00:01Z", "context": {"locale": "pl"}},
            {"messageId": "b", "context": None, "integrations": "odd"},
        ],
    }
    assert bodies(sdk("/v1/batch", batch)) == [
        {
            "messageId": "a",
            "sentAt": "2026-01-01T00:00:01Z",
            "context": {"ip": "203.0.113.1", "locale": "pl"},
            "integrations": {"All": False},
        },
        {
            "messageId": "b",
            "sentAt": "2026-01-01T00:00:09Z",
            "context": {"ip": "203.0.113.1", "locale": "en"},
            "integrations": "odd",
        },
    ]


def test_a_batch_sent_again_hashes_the_same_where_there_is_no_message_id() -> None:
    element = {"type": "track", "event": "Seen", "timestamp": "2026-01-01T00:00:00Z"}
    first, second = (
        messages(sdk("/v1/batch", {"batch": [element], "sentAt": f"2026-01-01T00:00:0{n}Z"}))[0] for n in (1, 2)
    )
    assert first.dedup_key is None
    assert first.element == second.element
    assert first.body != second.body
    assert messages(sdk("/v1/batch", {"batch": [{**element, "messageId": "m"}]}))[0].element is None


def test_a_nan_survives_a_batch_so_that_it_removes_nothing() -> None:
    body = b'{"batch":[{"traits":{"score":NaN,"name":"\\udc00"}},3],"sentAt":"2026-01-01T00:00:00Z"}'
    stored = [message.body for message in messages(sdk("/v1/batch", body))]
    assert stored == [b'{"traits":{"score":NaN,"name":"\\udc00"},"sentAt":"2026-01-01T00:00:00Z"}', b"3"]


def test_more_events_than_segment_itself_takes_are_fine() -> None:
    assert len(messages(sdk("/v1/batch", {"batch": [{"messageId": str(n)} for n in range(3_000)]}))) == 3_000


@pytest.mark.parametrize("body", [{}, {"batch": None}, {"batch": {"0": {}}}, [], [{"messageId": "a"}], 5, "text"])
def test_a_batch_that_is_none_is_refused(body: Any) -> None:
    with pytest.raises(PayloadInvalid):
        messages(sdk("/v1/batch", body))


def test_an_empty_batch_is_a_success() -> None:
    assert messages(sdk("/v1/batch", {"batch": []})) == []


@pytest.mark.parametrize(
    ("authorization", "in_body", "is_good"),
    [
        (basic(KEY), None, True),
        (basic("old-write-key"), None, True),
        ("", KEY, True),
        (basic(KEY), KEY, True),
        ("Bearer token-of-an-oauth-app", KEY, True),
        ("basic " + basic(KEY).split()[1], None, True),
        (basic(KEY), "old-write-key", False),
        (basic("other"), KEY, False),
        (basic("other"), None, False),
        ("", "other", False),
        ("", None, False),
        ("", 7, False),
        ("Bearer " + KEY, None, False),
        ("Basic !!!", None, False),
        ("Basic /w==", None, False),
        ("Basic", None, False),
    ],
)
def test_the_write_key_may_stand_in_the_header_or_in_the_body(authorization: str, in_body: Any, is_good: bool) -> None:
    body: dict[str, Any] = {"batch": [{"messageId": "a"}]}
    if in_body is not None:
        body["writeKey"] = in_body
    request = sdk("/v1/batch", body, authorization)
    if is_good:
        assert len(messages(request)) == 1
        return
    with pytest.raises(SignatureInvalid, match="write key"):
        messages(request)


def test_a_signature_opens_no_sdk_path_and_a_write_key_no_webhook() -> None:
    body = b'{"type":"track"}'
    with pytest.raises(SignatureInvalid):
        SOURCE.receive(InboundRequest("POST", "/v1/track", {}, dict(webhook(body).headers), body, body, "", NOW))
    with pytest.raises(SignatureInvalid):
        SOURCE.receive(sdk("", body))


def test_browser_metrics_are_answered_and_not_kept() -> None:
    assert messages(sdk("/v1/m", {"series": []})) == []


def test_a_browser_may_read_the_answer_on_sdk_paths() -> None:
    assert SOURCE.receive(sdk("/v1/t", {})).reply.headers["Access-Control-Allow-Origin"] == "*"
    assert SOURCE.receive(sdk("/v1/t", b"", "", method="OPTIONS")).reply.status == 204
    assert SOURCE.receive(webhook(b"{}")).reply.headers == {}


@pytest.mark.parametrize("path", ["/v2/batch", "/v1", "/v1/unknown", "/v1/batch/more", "/x"])
def test_an_unknown_path_is_named_as_such(path: str) -> None:
    with pytest.raises(PayloadInvalid) as refused:
        SOURCE.receive(sdk(path, {"batch": []}))
    reply = SOURCE.refuse(sdk(path, {}), refused.value)
    assert (reply.status, reply.json["code"]) == (404, "unknown_path")


def test_refusals_carry_the_two_keys_that_the_python_library_reads() -> None:
    request = sdk("/v1/batch", b"{")
    reply = SOURCE.refuse(request, PayloadInvalid("The body is not JSON."))
    assert (reply.status, reply.json) == (400, {"code": "invalid_json", "message": "The body is not JSON."})
    assert SOURCE.refuse(request, SignatureInvalid()).status == 401
    busy = SOURCE.refuse(request, Busy(retry_after_s=0))
    assert (busy.status, busy.headers["Retry-After"]) == (503, "1")


def test_no_secret_shows_in_settings_or_refusals() -> None:
    assert SECRET not in repr(SOURCE.settings)
    with pytest.raises(SignatureInvalid) as refused:
        SOURCE.receive(sdk("/v1/batch", {"batch": []}, basic("other")))
    assert KEY not in str(refused.value)


def test_libraries_of_a_full_hub_are_told_to_slow_down_and_webhooks_to_come_again() -> None:
    """A library waits at 429 without counting it as a try; a classic webhook repeats a 5xx only."""
    slow = SOURCE.refuse(sdk("/v1/batch", {}), Overloaded())
    assert (slow.status, slow.headers["Retry-After"], slow.json["code"]) == (429, "5", "overloaded")
    assert SOURCE.refuse(sdk("", {}), Overloaded()).status == 503
    assert SOURCE.refuse(sdk("/v1/batch", {}), Busy()).status == 503
