"""X-Signature: what is covered, what is not, and that nothing else passes."""

from __future__ import annotations

import hashlib
import hmac
import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from connectors.segment.connector import Segment, SegmentSettings
from connectors.segment.signature import signed_part
from hub.sdk.errors import PayloadInvalid, SignatureInvalid
from hub.sdk.values import InboundRequest

SAMPLES = Path(__file__).parents[2] / "samples" / "segment"
VECTORS = json.loads((SAMPLES / "signature_vectors.json").read_text())["vectors"]


def js_number(value: float) -> str:
    """A number as JavaScript prints it: `1`, `0.1`, `1e+21`, `1e-7`."""
    if value == 0:
        return "0"
    if abs(value) >= 1e21 or abs(value) < 1e-6:
        mantissa, _, exponent = f"{value!r}".partition("e")
        if not exponent:
            return mantissa
        return f"{mantissa.removesuffix('.0')}e{exponent[0]}{exponent[1:].lstrip('0')}"
    return repr(int(value)) if value == int(value) else f"{value:.17f}".rstrip("0")


def js_stringify(value: Any) -> str:
    """JSON.stringify, as far as these values go."""
    if isinstance(value, dict):
        return "{" + ",".join(f"{js_stringify(key)}:{js_stringify(item)}" for key, item in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ",".join(map(js_stringify, value)) + "]"
    if isinstance(value, str):
        return json.dumps(value, ensure_ascii=False)
    if isinstance(value, bool) or value is None:
        return json.dumps(value)
    return js_number(value)


json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**53), 2**53)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.sampled_from([1e21, 1e-7, 0.1, "\u2028", 'a"]},[{\\', "Zoë \U0001f9ed"])
    | st.text(max_size=12),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=6), inner, max_size=3),
    max_leaves=8,
)


def sign(secret: str, text: bytes) -> str:
    return hmac.new(secret.encode(), text, hashlib.sha1).hexdigest()


def source(**changes: str) -> Segment:
    return Segment(SegmentSettings.model_validate({"shared_secret": "example-shared-secret", **changes}))


def webhook(body: bytes, signature: str | None = None, **headers: str) -> InboundRequest:
    if signature is not None:
        headers["x-signature"] = signature
    now = datetime(2026, 3, 14, 9, tzinfo=UTC)
    return InboundRequest("POST", "", {}, headers, body, body, "203.0.113.9", now)


@pytest.mark.parametrize("vector", VECTORS, ids=lambda vector: vector["name"])
def test_the_published_vectors_hold(vector: dict[str, Any]) -> None:
    body = vector["raw_body"].encode()
    # A wrong secret makes an invalid vector: this source knows the secret that the valid ones use.
    known = vector["secret"] if vector["valid"] else "example-shared-secret"
    request = webhook(body, vector["x_signature"])
    if vector["valid"]:
        assert signed_part(body) == vector["signed_text"].encode()
        assert source(shared_secret=known).receive(request).messages
    else:
        with pytest.raises(SignatureInvalid):
            source(shared_secret=known).receive(request)


@settings(max_examples=200, deadline=None)
@given(elements=st.lists(json_values, min_size=1, max_size=4))
def test_the_signed_part_of_a_batch_is_what_its_sender_signed(elements: list[Any]) -> None:
    body = js_stringify(elements).encode()
    assert signed_part(body) == js_stringify(elements[0]).encode()
    assert signed_part(b" \n[ " + body[1:]) == js_stringify(elements[0]).encode()
    received = source().receive(webhook(body, sign("example-shared-secret", js_stringify(elements[0]).encode())))
    assert [message.authentic for message in received.messages] == [True] + [False] * (len(elements) - 1)


@settings(max_examples=300, deadline=None)
@given(elements=st.lists(json_values, min_size=1, max_size=3), place=st.integers(0, 10_000), byte=st.integers(0, 255))
def test_one_altered_byte_in_the_first_element_is_always_refused(elements: list[Any], place: int, byte: int) -> None:
    body = js_stringify(elements).encode()
    signed = js_stringify(elements[0]).encode()
    at = 1 + place % len(signed)
    altered = body[:at] + bytes([byte]) + body[at + 1 :]
    request = webhook(altered, sign("example-shared-secret", signed))
    if altered == body:
        source().receive(request)
        return
    with pytest.raises((SignatureInvalid, PayloadInvalid)):
        source().receive(request)


def test_the_slice_keeps_numbers_that_python_would_write_otherwise() -> None:
    assert signed_part(b'[{"big":1e+21,"ratio":1},{"x":2}]') == b'{"big":1e+21,"ratio":1}'


@pytest.mark.parametrize("body", [b"[", b"[]", b"[,1]", b'[{"a":1', b"[\xff]", b"[" * 100_000])
def test_an_array_without_a_readable_first_element_is_refused(body: bytes) -> None:
    with pytest.raises((PayloadInvalid, SignatureInvalid)):
        source().receive(webhook(body, sign("example-shared-secret", b"")))


@pytest.mark.parametrize("depth", [70, 900, 5_000])
def test_an_array_that_nests_too_deep_is_unreadable_whatever_its_signature(depth: int) -> None:
    body = b"[" * depth + b"]" * depth
    with pytest.raises(PayloadInvalid):
        source().receive(webhook(body, sign("example-shared-secret", body)))


@pytest.mark.parametrize("signature", [None, "", "0" * 40, "é", "\udcff", "sha1=" + "0" * 40])
def test_a_missing_or_wrong_signature_is_refused(signature: str | None) -> None:
    with pytest.raises(SignatureInvalid):
        source().receive(webhook(b'{"type":"track"}', signature))


def test_old_and_new_secret_are_both_good_during_a_rotation() -> None:
    body = b'{"type":"track","messageId":"m1"}'
    rotating = source(shared_secret="new", previous_shared_secret="old")
    for secret in ("new", "old"):
        assert rotating.receive(webhook(body, sign(secret, body))).messages[0].dedup_key == "m1"
    with pytest.raises(SignatureInvalid):
        source(shared_secret="new").receive(webhook(body, sign("old", body)))


def test_without_any_secret_nothing_gets_in() -> None:
    body = b'{"type":"track"}'
    for closed in (Segment(SegmentSettings()), source(shared_secret="", hub_secret=" ")):
        for request in (webhook(body), webhook(body, sign("", body)), webhook(body, sign(" ", body))):
            with pytest.raises(SignatureInvalid):
                closed.receive(request)


def test_the_second_secret_vouches_for_the_unsigned_rest_of_a_batch() -> None:
    body = b'[{"messageId":"a"},{"messageId":"b"}]'
    signature = sign("example-shared-secret", b'{"messageId":"a"}')
    vouched = source(hub_secret="second", previous_hub_secret="first")

    def authentic(request: InboundRequest) -> list[bool]:
        return [message.authentic for message in vouched.receive(request).messages]

    assert authentic(webhook(body, signature)) == [True, False]
    assert authentic(webhook(body, signature, **{"x-hub-secret": "wrong"})) == [True, False]
    assert authentic(webhook(body, signature, **{"x-hub-secret": "second"})) == [True, True]
    assert authentic(webhook(body, signature, authorization="Bearer first")) == [True, True]
    in_url = InboundRequest("POST", "", {"secret": "second"}, {"x-signature": signature}, body, body, "", NOW)
    assert authentic(in_url) == [True, True]


def test_the_second_secret_does_not_replace_the_signature() -> None:
    with pytest.raises(SignatureInvalid):
        source(hub_secret="second").receive(webhook(b"{}", **{"x-hub-secret": "second"}))


def test_a_source_with_only_the_second_secret_takes_unsigned_webhooks() -> None:
    extensible = Segment(SegmentSettings.model_validate({"hub_secret": "second"}))
    assert extensible.receive(webhook(b'{"type":"track"}', authorization="Bearer second")).messages[0].authentic
    with pytest.raises(SignatureInvalid):
        extensible.receive(webhook(b'{"type":"track"}', authorization="Bearer other"))


NOW = datetime(2026, 3, 14, 9, tzinfo=UTC)
