"""Hostile requests by the hundred: every part of a good one made wrong, one at a time."""

from __future__ import annotations

import gzip
import itertools
import json
import random
import zlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

ODD: Sequence[Any] = (
    None, True, 0, -1, 1.5, 2**64, "", " ", "null", "x", "x" * 5_000, "a\0b", "\ud800", "🧭", [], [[]], {}, {"a": {"b": []}},
    [1, None, "x", {}], {"": None}, "2026-13-45T99:99:99Z", "1e999", "<script>", "'; DROP TABLE message; --",
)  # fmt: skip
METHODS = ("GET", "HEAD", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "PROPFIND")

Sign = Callable[[bytes], Mapping[str, str]]


@dataclass(frozen=True, slots=True)
class Attempt:
    """One request. `headers` has the credentials of the body, where `is_signed`."""

    name: str
    method: str
    path: str
    headers: Mapping[str, str]
    body: bytes


def attempts(doors: Mapping[str, Sequence[Any]], sign: Sign, count: int) -> Iterator[Attempt]:
    """`count` requests for a source: `doors` are its paths with good bodies, `sign` makes the headers of one."""
    made = list(_all(doors, sign))
    order = random.Random(20_260_402)
    order.shuffle(made)
    yield from itertools.islice(itertools.cycle(made), count)


def _all(doors: Mapping[str, Sequence[Any]], sign: Sign) -> Iterator[Attempt]:
    for path, bodies in doors.items():
        for good in bodies:
            for name, body in (*_replaced(good), *_texts(good)):
                yield Attempt(name, "POST", path, sign(body), body)
            for name, headers, body in _encoded(json.dumps(good).encode()):
                yield Attempt(name, "POST", path, {**sign(body), **headers}, body)
        whole = json.dumps(bodies[0]).encode()
        for method in METHODS:
            yield Attempt(method, method, path, sign(whole), whole)
        for name, headers in _headers():
            yield Attempt(name, "POST", path, {**sign(whole), **headers}, whole)
        for rest in (
            "/../..",
            "/%00",
            "/%ff",
            "//",
            "/" + "x" * 3_000,
            "?secret=" + "y" * 3_000,
            "?a=%ff&a&&=",
            "/v9/no",
        ):
            yield Attempt(f"path {rest[:8]}", "POST", path + rest, sign(whole), whole)


def _replaced(good: Any) -> Iterator[tuple[str, bytes]]:
    """Each field of the body, with a value of another kind; and taken away; and named twice."""
    turn = itertools.cycle(ODD)
    for place in _places(good):
        for odd in itertools.islice(turn, 3):
            yield f"{place} = {str(odd)[:20]!r}", json.dumps(_put(good, place, odd)).encode()
    if isinstance(good, dict):
        for name in good:
            fewer = json.dumps({key: value for key, value in good.items() if key != name})
            yield f"no {name}", fewer.encode()
            yield f"{name} twice", (fewer[:-1] + f', "{name}": 1, "{name}": [{{}}]}}').encode().replace(b"{, ", b"{")


def _texts(good: Any) -> Iterator[tuple[str, bytes]]:
    """Bodies that are not JSON, or more than a message."""
    whole = json.dumps(good).encode()
    yield from {
        "nothing": b"", "a space": b" ", "cut": whole[: len(whole) // 2], "more behind": whole + b"}", "twice": whole * 2,
        "not UTF-8": whole[:-1] + b',"z":"\xff\xfe"}', "UTF-16": whole.decode().encode("utf-16"), "BOM": b"\xef\xbb\xbf" + whole,
        "HTML": b"<html></html>", "form": b"a=1&b=2", "null": b"null", "text": b'"x"', "a number": b"1e400",
        "deep lists": b"[" * 3_000 + b"]" * 3_000, "deep objects": b'{"a":' * 300 + b"1" + b"}" * 300, "open": b"[" * 50_000,
        "junk": b"[" + b",".join([b"1", b'"x"', b"null", b"[]", b"{}", b"true"] * 200) + b"]", "an empty list": b"[]",
        "keys": json.dumps({f"k{number}": number for number in range(5_000)}).encode(), "binary": bytes(range(256)),
        "a long number": b'{"a":' + b"9" * 10_000 + b"}", "NaN": b'{"a":NaN,"b":-Infinity,"type":"track"}',
        "900 kB": json.dumps({"a": "x" * 900_000}).encode(), "10 MB": b'{"a":"' + b"x" * 10_000_000 + b'"}',
    }.items()  # fmt: skip


def _encoded(whole: bytes) -> Iterator[tuple[str, dict[str, str], bytes]]:
    """Compressed bodies that are broken, mislabelled or bombs."""
    squeezed = gzip.compress(whole)
    for name, encoding, body in (
        ("gzip", "gzip", squeezed), ("cut gzip", "gzip", squeezed[:-6]), ("no gzip", "gzip", whole), ("empty gzip", "gzip", b""),
        ("gzip and more", "gzip", squeezed + b"tail"), ("gzip twice", "gzip", gzip.compress(squeezed)),
        ("two members", "gzip", squeezed + squeezed), ("deflate", "deflate", zlib.compress(whole)), ("unknown", "br", whole),
        ("a list", "gzip, gzip", squeezed), ("a bomb", "gzip", gzip.compress(b"[" * 30_000_000)), ("identity", "identity", whole),
    ):  # fmt: skip
        yield name, {"Content-Encoding": encoding}, body


def _headers() -> Iterator[tuple[str, dict[str, str]]]:
    for name, value in (
        ("Content-Type", "text/html"), ("Content-Type", "application/json; charset=utf-16"), ("Content-Type", "x" * 5_000),
        ("Authorization", "Basic"), ("Authorization", "Basic ===="), ("Authorization", "Basic " + "A" * 50_000),
        ("Authorization", "Bearer é"), ("X-Signature", "0" * 40), ("X-Signature", "é"), ("X-Signature", "a" * 50_000),
        ("X-Hub-Secret", "x"), ("Accept", "text/nothing"), ("X-Forwarded-For", "999.1.1.1, x"), ("Host", "x" * 2_000),
        ("X-HTTP-Method-Override", "DELETE"), ("Cookie", "a=" + "b" * 60_000), ("Range", "bytes=5-1"), ("Origin", "null"),
    ):  # fmt: skip
        yield f"{name} {value[:10]}", {name: value}


def _places(value: Any, here: tuple[str | int, ...] = ()) -> Iterator[tuple[str | int, ...]]:
    yield here
    pairs = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, child in pairs:
        yield from _places(child, (*here, key))


def _put(value: Any, place: tuple[str | int, ...], new: Any) -> Any:
    if not place:
        return new
    copied = dict(value) if isinstance(value, dict) else list(value)
    copied[place[0]] = _put(copied[place[0]], place[1:], new)
    return copied


def broken_http(path: str) -> dict[str, bytes]:
    """Requests that are wrong as HTTP; the web server itself answers most of them."""

    def post(headers: str, body: bytes = b'{"a":1}') -> bytes:
        return f"POST {path} HTTP/1.1\r\nHost: hub\r\nConnection: close\r\n{headers}\r\n".encode("latin-1") + body

    return {
        "fewer bytes than Content-Length": post("Content-Length: 100\r\n"),
        "more bytes than Content-Length": post("Content-Length: 3\r\n"),
        "a Content-Length in letters": post("Content-Length: abc\r\n"),
        "a negative Content-Length": post("Content-Length: -5\r\n"),
        "two lengths": post("Content-Length: 5\r\nContent-Length: 7\r\n"),
        "a length and chunks": post(
            "Content-Length: 7\r\nTransfer-Encoding: chunked\r\n", b'7\r\n{"a":1}\r\n0\r\n\r\n'
        ),
        "chunks that are none": post("Transfer-Encoding: chunked\r\n", b"zz\r\nx\r\n"),
        "chunks without an end": post("Transfer-Encoding: chunked\r\n", b'7\r\n{"a":1}\r\n'),
        "no length": post(""),
        "a header of 2 MB": post(f"X-A: {'a' * 2_000_000}\r\nContent-Length: 7\r\n"),
        "a header of 60 kB": post(f"X-A: {'a' * 60_000}\r\nContent-Length: 7\r\n"),
        "400 headers": post("".join(f"X-{n}: a\r\n" for n in range(400)) + "Content-Length: 7\r\n"),
        "a header of bytes": post("X-Signature: \xff\x01\r\nContent-Length: 7\r\n"),
        "another protocol": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"\0" * 40,
        "no protocol": b"hello\r\n\r\n",
    }
