"""Form data as JSON: `data[merges][FNAME]=Ada` is {"data": {"merges": {"FNAME": "Ada"}}}, as PHP senders mean it."""

from __future__ import annotations

import re
from typing import Any, Final
from urllib.parse import parse_qsl

from hub.sdk.errors import PayloadInvalid
from hub.sdk.json import MAX_DEPTH

FORM: Final = "application/x-www-form-urlencoded"
MAX_FIELDS: Final = 10_000
_KEYS = re.compile(r"\[([^\[\]]*)\]")


def read_form(body: bytes) -> dict[str, Any]:
    """The fields of a form. A repeated name, or one that ends in `[]`, becomes a list. Raises PayloadInvalid."""
    if not body.strip():
        raise PayloadInvalid("The body is empty.")
    try:
        pairs = parse_qsl(
            body.decode(), keep_blank_values=True, strict_parsing=True, max_num_fields=MAX_FIELDS, errors="strict"
        )
    except ValueError as error:
        raise PayloadInvalid("The body is not form data in UTF-8; nothing of it was kept.") from error
    form: dict[str, Any] = {}
    for name, value in pairs:
        _put(form, _path(name), value)
    return {key: _lists(value) for key, value in form.items()}


def _path(name: str) -> list[str]:
    """`data[merges][FNAME]` as its three keys; a name that is written otherwise is one key."""
    first, bracket, _ = name.partition("[")
    rest = name[len(first) :]
    if not first or not bracket or not re.fullmatch(r"(\[[^\[\]]*\])+", rest):
        return [name]
    keys = [first, *_KEYS.findall(rest)]
    if len(keys) > MAX_DEPTH:
        raise PayloadInvalid(f"The form nests deeper than {MAX_DEPTH} levels; nothing of it was kept.")
    return keys


def _put(form: dict[str, Any], path: list[str], value: str) -> None:
    """The later of two fields that cannot both stand wins: a text, and an object under the same name."""
    holder: dict[str, Any] = form
    for key in path[:-1]:
        inner = holder.get(key or str(len(holder)))
        if not isinstance(inner, dict):
            inner = {}
            holder[key or str(len(holder))] = inner
        holder = inner
    last = path[-1] or str(len(holder))
    known = holder.get(last)
    if known is None or isinstance(known, dict):
        holder[last] = value
    else:
        holder[last] = [*known, value] if isinstance(known, list) else [known, value]


def _lists(value: Any) -> Any:
    """Objects whose keys count from 0 are lists."""
    if not isinstance(value, dict):
        return value
    values = [_lists(one) for one in value.values()]
    if [*value] == [str(number) for number in range(len(value))]:
        return values
    return dict(zip(value, values, strict=True))
