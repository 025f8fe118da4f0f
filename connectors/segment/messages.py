"""Bodies into messages: one RawMessage per event, with what the request around it says of it."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any, Final

import orjson

from connectors.segment.signature import check_depth
from hub.sdk.errors import PayloadInvalid
from hub.sdk.json import loads
from hub.sdk.values import Json, RawMessage

BATCH_FIELDS: Final = ("sentAt", "context", "integrations")
"""What a client library says once for all events of a batch (connections/sources/catalog/libraries/server/http-api)."""

Encode = Callable[[Any], bytes]


def decode(body: bytes) -> tuple[Json, Encode]:
    """The parsed body, and how to write a part of it so that it reads back the same.

    Raises PayloadInvalid for text that is not JSON, is not UTF-8, or nests too deep.
    """
    encode: Encode = orjson.dumps
    try:
        value = orjson.loads(body)
    except orjson.JSONDecodeError:
        value, encode = _decode_odd(body), _encode_odd
    check_depth(body, value)
    return value, encode


def webhook_messages(body: bytes, *, all_authentic: bool) -> list[RawMessage]:
    """The messages of a signed webhook: one as it came, or each element of an array.

    Only the first element of an array is signed; the others are authentic if something else vouches for the request.
    """
    value, encode = decode(body)
    if not isinstance(value, list):
        return [_message(value, body)]
    return [
        _message(element, encode(element), authentic=all_authentic or index == 0) for index, element in enumerate(value)
    ]


def sdk_message(value: Mapping[str, Any], kind: str, body: bytes, encode: Encode) -> RawMessage:
    """The message of a single-event path such as `/v1/track`; the URL names its type where the body does not."""
    if value.get("type") and "writeKey" not in value:
        return _message(value, body)
    message = {"type": kind, **_without_key(value)}
    message["type"] = message["type"] or kind
    return _message(message, encode(message))


def sdk_batch(value: Mapping[str, Any], encode: Encode) -> list[RawMessage]:
    """The messages of `/v1/batch` and `/v1/import`: {"batch": [...], "sentAt": ..., "context"?, "integrations"?}."""
    elements = value.get("batch")
    if not isinstance(elements, list):
        raise PayloadInvalid('The body has no list named "batch"; nothing of it was kept.')
    shared = {name: value[name] for name in BATCH_FIELDS if value.get(name) is not None}
    return [_batch_message(element, shared, encode) for element in elements]


def _batch_message(element: Json, shared: Mapping[str, Any], encode: Encode) -> RawMessage:
    if not isinstance(element, dict):
        return _message(element, encode(element))
    message = _without_key(element)
    for name, said in shared.items():
        own = message.get(name)
        if own is None:
            message[name] = said
        elif isinstance(own, dict) and isinstance(said, dict):
            message[name] = {**said, **own}
    key = text(message.get("messageId"))
    return RawMessage(encode(message), key, _hint(message), element=None if key else encode(element))


def _message(value: Json, body: bytes, *, authentic: bool = True) -> RawMessage:
    """What is not an object carries no id; it is taken all the same and ends in quarantine."""
    if not isinstance(value, dict):
        return RawMessage(body, authentic=authentic)
    return RawMessage(body, text(value.get("messageId")), _hint(value), authentic)


def _hint(message: Mapping[str, Any]) -> str | None:
    return text(message.get("userId")) or text(message.get("anonymousId"))


def text(value: Json) -> str | None:
    """An id as text: trimmed, numbers in digits; None for what cannot be one."""
    if isinstance(value, str):
        return value.strip() or None
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return str(value)


def _without_key(value: Mapping[str, Any]) -> dict[str, Any]:
    """Single messages and browser batches carry the write key in the message, where nothing may store it."""
    message = dict(value)
    message.pop("writeKey", None)
    return message


def _decode_odd(body: bytes) -> Json:
    """The Python library writes bare NaN and JavaScript writes lone surrogates; strict parsers refuse both."""
    try:
        return loads(body)
    except ValueError as error:
        raise PayloadInvalid("The body is not JSON in UTF-8; nothing of it was kept.") from error


def _encode_odd(value: Json) -> bytes:
    """Keeps NaN bare and surrogates escaped: as null, a NaN would remove the trait it stands for."""
    return json.dumps(value, separators=(",", ":")).encode()
