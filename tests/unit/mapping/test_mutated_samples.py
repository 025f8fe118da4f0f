"""Every field of every sample, replaced by something odd: never an exception, always a named verdict."""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from connectors.segment.connector import Segment
from hub.mapping.inbound import Inbound
from hub.mapping.model import Change, Verdict
from hub.sdk.declared import build
from hub.sdk.errors import InboundError
from hub.sdk.json import loads
from hub.sdk.values import InboundRequest, Received
from tests.unit.mapping import mparticle_samples, segment_samples, test_mparticle_mapping, test_segment_mapping

Place = tuple[str | int, ...]
SECRET = "example-shared-secret"
MPARTICLE = mparticle_samples.source()
SEGMENT = build(Segment, {}, {"shared_secret": SECRET, "write_key": "example-write-key"})
ODD: Any = [
    None, True, False, 0, -1, 1.5, 1e308, 2**63, -(2**63) - 1, "", " ", "null", "NaN", "\0", "\ud800", "x" * 1_000, "🧭",
    "1e400", "true", "-0", "2026-13-45", "{}", [], [[]], [None], {}, {"": ""}, {"a": {"b": [1, {"c": None}]}}, float("nan"),
    float("inf"), {"type": "track"}, ["a", 1, None, {}],
]  # fmt: skip
WRONG_TYPES: Any = [None, 7, "x", ["a", 1], {"a": {"b": 1}}]
junk = st.sampled_from(ODD) | st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=6,
)


def places(value: Any, here: Place = ()) -> Iterator[Place]:
    """Where something stands in a body, the body itself included."""
    yield here
    pairs = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, child in pairs:
        yield from places(child, (*here, key))


def put(value: Any, place: Place, new: Any) -> Any:
    if not place:
        return new
    copied = dict(value) if isinstance(value, dict) else list(value)
    copied[place[0]] = put(copied[place[0]], place[1:], new)
    return copied


def from_segment(body: Any) -> Received:
    raw = json.dumps(body).encode()
    first = json.dumps(body[0]).encode() if isinstance(body, list) and body else raw
    is_client = isinstance(body, dict) and ("batch" in body or "writeKey" in body)
    path = ("/v1/batch" if "batch" in body else "/v1/track") if is_client else ""
    headers = {
        "x-signature": hmac.new(SECRET.encode(), first, hashlib.sha1).hexdigest(),
        "authorization": "Basic ZXhhbXBsZS13cml0ZS1rZXk6",
    }
    return SEGMENT.receive(InboundRequest("POST", path, {}, headers, raw, raw, "203.0.113.9", mparticle_samples.AT))


def from_mparticle(name: str) -> Callable[[Any], Received]:
    path = mparticle_samples.PATHS.get(name[:2], "")
    return lambda body: MPARTICLE.receive(mparticle_samples.request(json.dumps(body).encode(), path))


CASES: Sequence[tuple[str, Any, Callable[[Any], Received], Inbound]] = [
    *(
        (path.stem, json.loads(path.read_text()), from_segment, test_segment_mapping.FAST)
        for path in segment_samples.SAMPLES
    ),
    *(
        (path.stem, json.loads(path.read_text()), from_mparticle(path.stem), test_mparticle_mapping.FAST)
        for path in mparticle_samples.SAMPLES
    ),
]


def verdicts(received: Received, mapping: Inbound) -> Iterator[Change]:
    for number, one in enumerate(received.messages):
        yield mapping.apply(loads(one.body), message_id=f"m{number}", received_at=mparticle_samples.RECEIVED_AT)


def judge(receive: Callable[[Any], Received], body: Any, mapping: Inbound) -> None:
    """What a hub would do with the body: refuse it by name, or give each message a verdict."""
    try:
        received = receive(body)
    except InboundError as refused:
        status = refused.status
        assert 400 <= status < 500
        return
    assert 200 <= received.reply.status < 300
    for change in verdicts(received, mapping):
        assert change.verdict in Verdict
        assert (change.reason is None) == (change.verdict is Verdict.APPLY)


@pytest.mark.parametrize(("name", "body", "receive", "mapping"), CASES, ids=[case[0] for case in CASES])
def test_a_sample_with_any_one_field_replaced_is_refused_or_judged_by_name(
    name: str, body: Any, receive: Callable[[Any], Received], mapping: Inbound
) -> None:
    for number, place in enumerate(places(body)):
        for odd in (*WRONG_TYPES, ODD[number % len(ODD)]):
            judge(receive, put(body, place, odd), mapping)


@settings(max_examples=200, deadline=None)
@given(choice=st.data())
def test_a_sample_with_several_fields_replaced_is_refused_or_judged_by_name(choice: st.DataObject) -> None:
    _, body, receive, mapping = choice.draw(st.sampled_from(CASES))
    for _ in range(choice.draw(st.integers(1, 4))):
        body = put(body, choice.draw(st.sampled_from(list(places(body)))), choice.draw(junk))
    judge(receive, body, mapping)
