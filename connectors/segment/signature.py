"""What `X-Signature` covers and how it is compared.

Segment signs `JSON.stringify(event)` with HMAC-SHA1 and the shared secret, as lowercase hex. For a batch (a JSON array)
it signs the first element only. Source: destinations/catalog/webhooks and actions-webhook in segmentio/segment-docs,
and destinations/webhook in segmentio/action-destinations (read 2026-08).
"""

from __future__ import annotations

import hmac
import json
from collections.abc import Iterable
from typing import Final

from hub.sdk.errors import PayloadInvalid
from hub.sdk.json import MAX_DEPTH, depth_exceeds
from hub.sdk.values import Json

_SCAN: Final = json.JSONDecoder().raw_decode
_SPACE: Final = " \t\r\n"


def is_signed(body: bytes, signature: str, secrets: Iterable[bytes]) -> bool:
    """Whether the signature was made with one of the secrets."""
    part = signed_part(body)
    return matches(signature.strip(), [hmac.digest(secret, part, "sha1").hex().encode() for secret in secrets])


def signed_part(body: bytes) -> bytes:
    """The bytes Segment signed: the whole body, or the first element of an array exactly as it was sent.

    The element is cut out and never serialised again, because numbers and escapes would come out differently
    (`1e+21`, `1.0`). Raises PayloadInvalid for an array whose first element cannot be read or nests too deep.
    """
    if body[:1] == b"{" or body.lstrip()[:1] != b"[":
        return body
    try:
        text = body.decode()
        start = text.index("[") + 1
        while text[start] in _SPACE:
            start += 1
        element, end = _SCAN(text, start)
    except (ValueError, IndexError, RecursionError) as error:
        raise PayloadInvalid("The body is an array whose first element is not JSON; nothing of it was kept.") from error
    part = text[start:end].encode()
    check_depth(part, element)
    return part


def check_depth(body: bytes, value: Json) -> None:
    """Raises PayloadInvalid for a value nested too deep. Counting its brackets is ten times cheaper than walking it,
    and settles nearly every body."""
    if body.count(b"{") + body.count(b"[") > MAX_DEPTH and depth_exceeds(value):
        raise PayloadInvalid(f"The body nests deeper than {MAX_DEPTH} levels; nothing of it was kept.")


def matches(given: str, wanted: Iterable[bytes]) -> bool:
    """Whether `given` equals one of the values. Every value is compared, each in constant time."""
    presented = given.encode("utf-8", "replace")
    found = False
    for value in wanted:
        found |= hmac.compare_digest(presented, value)
    return found
