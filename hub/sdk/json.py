"""JSON as senders really write it: fast where it is valid, tolerant where official clients are not.

`loads` takes bare NaN and Infinity (an official client sends them) and lone surrogates, both of which strict parsers
refuse. Integers that fit 64 bits never pass through a float; larger ones become floats, so that what was read can always
be written. `loads_storable` and `storable_json` give what a row can hold as well (see `hub.sdk.text`).
"""

from __future__ import annotations

import json
import math
import re
from typing import Any

import orjson

from hub.sdk.text import REPLACEMENT, UNSTORABLE

MAX_DEPTH = 64
_INT_MIN, _INT_MAX, _INT_DIGITS = -(2**63), 2**64 - 1, 20
_WRITABLE_DEPTH = 250  # orjson writes 254 levels
_SURROGATES = re.compile("[\ud800-\udfff]")
_NUL = (b"\\u0000", "\\u0000")  # as bytes and as text; JSON has no other way to write it


def loads(text: bytes | str) -> Any:
    """Parse JSON text. Raises ValueError for text that is not JSON, is not UTF-8, or nests too deep to parse."""
    try:
        return orjson.loads(text)
    except orjson.JSONDecodeError:
        pass
    if isinstance(text, bytes):
        text = text.decode("utf-8")
    try:
        return json.loads(text, parse_int=_integer)
    except RecursionError as error:
        raise ValueError("the JSON nests too deep") from error


def loads_storable(text: bytes | str) -> Any:
    """As `loads`, and as `storable_json`: what a vendor says, in a form that may reach a row."""
    try:
        found = orjson.loads(text)
    except orjson.JSONDecodeError:
        return storable_json(loads(text))
    has_nul = _NUL[0] in text if isinstance(text, bytes) else _NUL[1] in text
    return storable_json(found) if has_nul else found


def storable_json(value: Any) -> Any:
    """`value` as a row can hold it: in its texts and keys NUL and half surrogate pairs become U+FFFD, numbers that are
    not finite null, integers beyond 64 bits floats. Raises ValueError where it nests too deep."""
    try:
        return _replaced(value, UNSTORABLE)
    except RecursionError as error:
        raise ValueError("the JSON nests too deep") from error


def dumps(value: Any) -> bytes:
    """Compact JSON in insertion order. What JSON cannot hold is replaced: NaN and Infinity by null, lone surrogates by
    U+FFFD, integers beyond 64 bits by the float that `loads` would make of them. Raises TypeError for other objects."""
    return _dump(value, 0)


def canonical(value: Any) -> bytes:
    """As `dumps`, with sorted keys: equal values give equal bytes."""
    return _dump(value, orjson.OPT_SORT_KEYS)


def _dump(value: Any, option: int) -> bytes:
    try:
        return orjson.dumps(value, option=option)
    except TypeError:
        pass
    try:
        return orjson.dumps(_replaced(value, _SURROGATES), option=option | orjson.OPT_NON_STR_KEYS)
    except RecursionError as error:
        raise ValueError("the JSON nests too deep") from error
    except TypeError as error:
        if depth_exceeds(value, _WRITABLE_DEPTH):
            raise ValueError("the JSON nests too deep") from error
        raise


def _integer(digits: str) -> int | float:
    """As orjson reads them: exact up to 64 bits, else the nearest float (which may be Infinity)."""
    if len(digits) > _INT_DIGITS:
        return float(digits)
    number = int(digits)
    return number if _INT_MIN <= number <= _INT_MAX else float(number)


def _replaced(value: Any, unfit: re.Pattern[str]) -> Any:
    if isinstance(value, dict):
        return {_replaced(key, unfit): _replaced(child, unfit) for key, child in value.items()}
    if isinstance(value, list | tuple):
        return [_replaced(child, unfit) for child in value]
    if isinstance(value, str):
        return unfit.sub(REPLACEMENT, value)
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, int) and not _INT_MIN <= value <= _INT_MAX:
        try:
            return float(value)
        except OverflowError:
            return None
    return value


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
