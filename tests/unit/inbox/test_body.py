"""Bodies: inflated within a limit, never beyond it."""

from __future__ import annotations

import gzip
import tracemalloc
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hub.inbox.body import check_depth, inflate
from hub.sdk.errors import PayloadInvalid, TooLarge

BODY = b'{"type":"track"}'


@pytest.mark.parametrize("encoding", ["", "identity", " Identity "])
def test_a_plain_body_stays_as_it_is(encoding):
    assert inflate(BODY, encoding, 1) is BODY


@pytest.mark.parametrize("encoding", ["gzip", "x-gzip", "GZIP"])
def test_gzip_is_inflated(encoding):
    assert inflate(gzip.compress(BODY), encoding, 100) == BODY


def test_gzip_of_several_members_is_one_body():
    assert inflate(gzip.compress(b"ab") + gzip.compress(b"cd"), "gzip", 4) == b"abcd"


def test_a_body_may_be_as_large_as_the_limit_and_no_larger():
    assert inflate(gzip.compress(b"x" * 10), "gzip", 10) == b"x" * 10
    with pytest.raises(TooLarge):
        inflate(gzip.compress(b"x" * 11), "gzip", 10)
    with pytest.raises(TooLarge):
        inflate(gzip.compress(b"x" * 6) * 2, "gzip", 10)


def test_a_bomb_is_stopped_at_the_limit_and_not_inflated():
    bomb = gzip.compress(b"\0" * 100_000_000)
    tracemalloc.start()
    with pytest.raises(TooLarge):
        inflate(bomb, "gzip", 1_000_000)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 5_000_000


def test_endless_empty_members_end_with_the_body():
    assert inflate(gzip.compress(b"") * 2_000, "gzip", 10) == b""


@pytest.mark.parametrize(
    "raw",
    [
        gzip.compress(BODY)[:-1],
        gzip.compress(BODY)[:12],
        gzip.compress(BODY) + b"more",
        gzip.compress(BODY)[:-8] + b"\0" * 8,
        BODY,
    ],
    ids=["truncated", "cut off early", "followed by more", "wrong checksum", "not gzip at all"],
)
def test_a_broken_stream_is_refused(raw):
    with pytest.raises(PayloadInvalid):
        inflate(raw, "gzip", 1_000)


@pytest.mark.parametrize("encoding", ["br", "deflate", "gzip, gzip", "zstd"])
def test_other_encodings_are_refused(encoding):
    with pytest.raises(PayloadInvalid, match="Content-Encoding"):
        inflate(BODY, encoding, 1_000)


@given(st.binary(max_size=300), st.integers(0, 400))
def test_whatever_comes_is_inflated_or_refused(raw, limit):
    with suppress(PayloadInvalid, TooLarge):
        assert len(inflate(raw, "gzip", limit)) <= limit


def nested(depth: int) -> bytes:
    return b'{"a":' * depth + b"1" + b"}" * depth


def test_messages_may_nest_as_deep_as_the_limit_and_no_deeper():
    check_depth(nested(64))
    check_depth(b"[" + b",".join([b"{}"] * 500) + b"]")
    with pytest.raises(PayloadInvalid, match="64"):
        check_depth(nested(65))


def test_absurd_nesting_is_refused_and_never_crashes():
    with pytest.raises(PayloadInvalid):
        check_depth(nested(100_000))


def test_brackets_inside_text_are_no_nesting():
    check_depth(b'{"a":"' + b"[{" * 500 + b'"}')
