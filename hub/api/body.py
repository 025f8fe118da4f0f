"""Reading request bodies and query strings, with a sentence for whatever does not fit."""

from __future__ import annotations

import base64
from collections.abc import Callable, Collection, Mapping
from typing import Any, TypeVar

from flask import request
from pydantic import BaseModel, ValidationError

from hub.admin.filters import Asked
from hub.api.errors import ApiError
from hub.core import clock
from hub.core.clock import Micros
from hub.core.filters import read_moment
from hub.inbox.values import Cursor
from hub.sdk.json import MAX_DEPTH, depth_exceeds, dumps, loads
from hub.sdk.text import is_storable

T = TypeVar("T")
B = TypeVar("B", bound=BaseModel)
PAGE, PAGE_MOST = 50, 500
PAGED = ("cursor", "limit")
_KEYS = {"missing": "missing_field", "extra_forbidden": "unknown_field"}


def json_object() -> dict[str, Any]:
    """The body as a JSON object that the database can hold; nothing at all is an empty one. Raises ApiError."""
    text = request.get_data()
    if not text:
        return {}
    try:
        body = loads(text)
    except ValueError as error:
        raise ApiError(400, "invalid_json", "The body is not JSON.") from error
    if not isinstance(body, dict):
        raise ApiError(400, "invalid_body", "The body must be a JSON object.")
    if depth_exceeds(body):
        raise ApiError(400, "invalid_body", f"The body nests deeper than {MAX_DEPTH} levels.")
    if not _is_storable(body):
        raise ApiError(400, "invalid_body", "The body holds a text with a NUL character or half a surrogate pair.")
    return body


def read_body(model: type[B]) -> B:
    """The body as a declared shape. Raises ApiError naming the first field that does not fit."""
    try:
        return model.model_validate(json_object())
    except ValidationError as error:
        raise _misfit(error, model) from None  # the cause would quote the body


def _misfit(error: ValidationError, model: type[BaseModel]) -> ApiError:
    first = error.errors(include_input=False, include_url=False)[0]
    field = ".".join(map(str, first["loc"]))
    key = _KEYS.get(first["type"], "invalid_field")
    if key == "unknown_field":
        sentence = f"{field!r} is not a field here; there are {', '.join(sorted(model.model_fields))}."
    elif key == "missing_field":
        sentence = f"{field!r} is missing."
    else:
        sentence = f"{field!r} does not fit: {first['msg'][:1].lower()}{first['msg'][1:]}."
    return ApiError(400, key, sentence, {"field": field})


def _is_storable(value: Any) -> bool:
    """Whether no text in it holds what a database column refuses."""
    if isinstance(value, str):
        return is_storable(value)
    if isinstance(value, Mapping):
        return all(_is_storable(key) and _is_storable(child) for key, child in value.items())
    return all(map(_is_storable, value)) if isinstance(value, list) else True


# ── query strings ────────────────────────────────────────────────────────────────────────────────────────────────


def expect_query(*known: str) -> None:
    """Raises ApiError for parameters that mean nothing: a typing slip must not read as "no filter"."""
    for name, value in request.args.items():
        if name not in known:
            there_are = f"there are {', '.join(sorted(known))}" if known else "there is none"
            raise ApiError(400, "unknown_parameter", f"?{name}= is not a parameter here; {there_are}.")
        if not is_storable(value):
            raise ApiError(400, "invalid_query", f"?{name}= holds a NUL character.", {"parameter": name})


def one_of(name: str, words: Collection[str]) -> str | None:
    """A query parameter that is one of these words."""
    text = request.args.get(name) or None
    if text is not None and text not in words:
        told = f"?{name}= is one of {', '.join(sorted(words))}."
        raise ApiError(400, "invalid_query", told, {"parameter": name})
    return text


def flag(name: str, *, default: bool = False) -> bool:
    """A query parameter that is true or false."""
    word = one_of(name, ("true", "false"))
    return default if word is None else word == "true"


def limit() -> int:
    """?limit=, between 1 and PAGE_MOST."""
    return query("limit", lambda text: min(max(int(text), 1), PAGE_MOST)) or PAGE


def moment(name: str) -> Micros | None:
    """A time in the query string: ISO 8601 (without a zone it is UTC), or as `2h`, `1d`, `yesterday`."""
    return query(name, lambda text: read_moment(text, clock.now()))


def asked(status: str | None) -> Asked:
    """The filters of every list, as the query string has them."""
    names = ("connection", "reason", "source_id", "text")
    return Asked(
        status=status, since=moment("since"), until=moment("until"), **{name: request.args.get(name) for name in names}
    )


def message_cursor() -> Cursor | None:
    """?cursor= of a page of messages."""

    def parse(text: str) -> Cursor:
        at, connection_id, message_id = loads(base64.urlsafe_b64decode(text.encode()))
        if not (type(at) is int and abs(at) < 2**63 and _is_storable([connection_id, message_id])):
            raise ValueError(text)
        return at, str(connection_id), str(message_id)

    return query("cursor", parse)


def cursor_text(cursor: Cursor) -> str:
    """A cursor of messages as callers hand it back."""
    return base64.urlsafe_b64encode(dumps(list(cursor))).decode()


def query(name: str, parse: Callable[[str], T]) -> T | None:
    """A value of the query string, parsed; None if absent. `parse` raises ValueError, TypeError or OverflowError."""
    text = request.args.get(name)
    if not text:
        return None
    try:
        return parse(text)
    except (ValueError, TypeError, OverflowError) as error:
        raise ApiError(400, "invalid_query", f"?{name}={text[:100]} cannot be read.", {"parameter": name}) from error
