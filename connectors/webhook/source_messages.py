"""Bodies into messages: one JSON object, a list of them, or a list somewhere inside."""

from __future__ import annotations

import codecs
import hashlib
import json
from collections.abc import Callable, Mapping
from typing import Any, Final

import orjson

from connectors.webhook.source_forms import FORM, read_form
from connectors.webhook.source_settings import SourceSettings
from hub.sdk.errors import PayloadInvalid
from hub.sdk.json import MAX_DEPTH, depth_exceeds, dumps, loads
from hub.sdk.values import InboundRequest, Json, RawMessage

Encode = Callable[[Any], bytes]
HEADERS: Final = "headers"


def messages_of(request: InboundRequest, settings: SourceSettings) -> list[RawMessage]:
    """The messages of a request that was let in. Raises PayloadInvalid for a body that cannot be read."""
    value, body, encode = _read(request, settings)
    headers = {
        name.lower(): request.headers[name.lower()] for name in settings.keep_headers if name.lower() in request.headers
    }
    request_id = _request_id(request, settings)
    elements = value if isinstance(value, list) else at(value, settings.messages_path)
    if not isinstance(elements, list):
        return [_message(value, body, {HEADERS: headers} if headers else {}, request_id, encode, settings)]
    shared = {name: value[name] for name in settings.batch_fields if name in value} if isinstance(value, dict) else {}
    if headers:
        shared[HEADERS] = headers
    return [
        _message(element, encode(element), shared, request_id and f"{request_id}.{index}", encode, settings)
        for index, element in enumerate(elements)
    ]


def at(value: Json, path: str) -> Json:
    """What stands at a dotted path; None where nothing does, and for an empty path."""
    for key in path.split(".") if path else ():
        value = value.get(key) if isinstance(value, dict) else None
    return value if path else None


def _read(request: InboundRequest, settings: SourceSettings) -> tuple[Json, bytes, Encode]:
    """The body as a value and as JSON, and how to write a part of it so that it reads back the same."""
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind == FORM:
        return _read_form(request.body, settings.messages_path)
    body = request.body.removeprefix(codecs.BOM_UTF8)
    if not body.strip():
        raise PayloadInvalid("The body is empty.")
    encode: Encode = orjson.dumps
    try:
        value = orjson.loads(body)
    except orjson.JSONDecodeError:
        value, encode = _odd(body), _exact
    _check_depth(value, body)
    return value, body, encode


def _read_form(body: bytes, messages_path: str) -> tuple[Json, bytes, Encode]:
    """Form data; a field that holds the messages as JSON text is read as such."""
    form = read_form(body)
    text = form.get(messages_path)
    if isinstance(text, str) and text.lstrip().startswith(("{", "[")):
        form[messages_path] = _odd(text.encode("utf-8", "surrogatepass"))
        _check_depth(form, text.encode("utf-8", "surrogatepass"))
    return form, dumps(form), dumps


def _check_depth(value: Json, body: bytes) -> None:
    if body.count(b"{") + body.count(b"[") >= MAX_DEPTH and depth_exceeds(value):
        raise PayloadInvalid(f"The body nests deeper than {MAX_DEPTH} levels; nothing of it was kept.")


def _request_id(request: InboundRequest, settings: SourceSettings) -> str:
    is_standard = settings.verify == "standard_webhooks"
    name = f"{settings.header_prefix}-id" if is_standard else settings.message_id_header
    return request.headers.get(name.lower(), "").strip() if name else ""


def _message(
    value: Json, body: bytes, shared: Mapping[str, Json], request_id: str, encode: Encode, settings: SourceSettings
) -> RawMessage:
    """What is not an object carries no id and no time; it is taken all the same and ends in quarantine."""
    if not isinstance(value, dict):
        return RawMessage(body, request_id or None)
    key = _text(at(value, settings.message_id)) or request_id
    if not key and at(value, settings.time_path) not in (None, ""):
        key = f"body:{hashlib.sha256(body).hexdigest()}"
    if not shared:
        return RawMessage(body, key or None)
    return RawMessage(encode({**shared, **value}), key or None, element=None if key else body)


def _text(value: Json) -> str:
    """An id as text: trimmed, integers in digits; nothing for what cannot be one."""
    if isinstance(value, str):
        return value.strip()
    return str(value) if isinstance(value, int) and not isinstance(value, bool) else ""


def _odd(body: bytes) -> Json:
    """Bare NaN and lone surrogates, which strict parsers refuse."""
    try:
        return loads(body)
    except ValueError as error:
        raise PayloadInvalid("The body is not JSON in UTF-8; nothing of it was kept.") from error


def _exact(value: Json) -> bytes:
    return json.dumps(value, separators=(",", ":")).encode()
