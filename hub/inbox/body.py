"""Request bodies: inflated within a limit, and nested within one."""

from __future__ import annotations

import zlib

from hub.sdk.errors import PayloadInvalid, TooLarge
from hub.sdk.json import MAX_DEPTH, depth_exceeds, loads

GZIP_WINDOW = 31  # zlib: a gzip header and trailer around the stream


def inflate(raw: bytes, encoding: str, limit: int) -> bytes:
    """The body without its Content-Encoding. Stops at `limit` bytes, however small the compressed form.

    Raises TooLarge, and PayloadInvalid for a broken or truncated stream or an encoding other than gzip.
    """
    name = encoding.strip().lower()
    if name in ("", "identity"):
        return raw
    if name not in ("gzip", "x-gzip"):
        raise PayloadInvalid("The body's Content-Encoding is not supported; send it as it is, or with gzip.")
    parts: list[bytes] = []
    size = 0
    rest = raw
    while rest:  # a gzip body may consist of several members, one after another
        part, rest = _member(rest, limit - size)
        parts.append(part)
        size += len(part)
    return b"".join(parts)


def _member(raw: bytes, limit: int) -> tuple[bytes, bytes]:
    stream = zlib.decompressobj(GZIP_WINDOW)
    try:
        part = stream.decompress(raw, limit + 1)  # one byte more tells a body at the limit from one over it
    except zlib.error as error:
        raise PayloadInvalid("The body is not valid gzip; nothing of it was kept.") from error
    if len(part) > limit:
        raise TooLarge("The body is larger than this hub accepts once it is inflated; see HUB_INFLATED_LIMIT.")
    if not stream.eof:
        raise PayloadInvalid("The gzip body ends too early; nothing of it was kept.")
    return part, stream.unused_data


def check_depth(body: bytes, limit: int = MAX_DEPTH) -> None:
    """Raises PayloadInvalid if a message nests deeper than `limit`: nothing after acceptance would read it."""
    if body.count(b"{") + body.count(b"[") <= limit:  # far cheaper than parsing, and true of nearly every message
        return
    try:
        is_too_deep = depth_exceeds(loads(body), limit)
    except ValueError as error:
        raise PayloadInvalid(
            "A message is not valid JSON, or nests too deep; nothing of the request was kept."
        ) from error
    if is_too_deep:
        raise PayloadInvalid(f"A message nests deeper than {limit} levels; nothing of the request was kept.")
