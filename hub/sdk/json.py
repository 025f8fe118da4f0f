"""JSON as senders really write it: fast where it is valid, tolerant where official clients are not.

`loads` takes bare NaN and Infinity (an official client sends them) and lone surrogates, both of which strict parsers
refuse. Integers that fit 64 bits never pass through a float.
"""

from __future__ import annotations

import json
from typing import Any

import orjson

MAX_DEPTH = 64


def loads(text: bytes | str) -> Any:
    """Parse JSON text. Raises ValueError for text that is no JSON, is not UTF-8, or nests too deep to parse."""
    try:
        return orjson.loads(text)
    except orjson.JSONDecodeError:
        pass
    if isinstance(text, bytes):
        text = text.decode("utf-8")
    try:
        return json.loads(text)
    except RecursionError as error:
        raise ValueError("the JSON nests too deep") from error


def dumps(value: Any) -> bytes:
    """Compact JSON in insertion order. NaN becomes null; lone surrogates become U+FFFD."""
    try:
        return orjson.dumps(value)
    except TypeError:
        text = json.dumps(value, ensure_ascii=False, separators=(",", ":"))
        return text.encode("utf-8", "replace")


def canonical(value: Any) -> bytes:
    """Compact JSON with sorted keys: equal values give equal bytes."""
    return orjson.dumps(value, option=orjson.OPT_SORT_KEYS)


def depth_exceeds(value: Any, limit: int = MAX_DEPTH) -> bool:
    """Whether objects and lists nest deeper than `limit`."""
    level = [value]
    for _ in range(limit):
        level = [
            child
            for node in level
            for child in (node.values() if isinstance(node, dict) else node if isinstance(node, list) else ())
            if isinstance(child, (dict, list))
        ]
        if not level:
            return False
    return True
