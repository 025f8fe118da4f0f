"""How the messages of one request become rows, and what a message without an id of its own is called."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

from hub.core.clock import Micros
from hub.core.ids import new_id
from hub.inbox.values import AcceptedRequest, Message
from hub.sdk.json import dumps, loads
from hub.sdk.text import is_storable
from hub.sdk.values import RawMessage

MAX_ID = 128
ROW_MESSAGES = 250  # of one row at most
OWN_TIME = frozenset(
    {"timestamp", "time", "at", "occurred_at", "occurredAt", "event_time", "eventTime", "originalTimestamp", "timestamp_ms",
     "timestamp_unixtime_ms"}
)  # fmt: skip
"""Names under which senders write the time of a message. With it, an equal body is the same message sent again."""


class EncodedRow(NamedTuple):
    """A row of `inbox_request`, but for its number and total."""

    connection_id: str
    received_at: Micros
    message_count: int
    heads: str
    bodies: bytes


def encode(request: AcceptedRequest) -> list[EncodedRow]:
    """The rows of one request: a large one has several, since workers claim whole rows and hold short transactions."""
    messages = request.messages
    parts = [messages[start : start + ROW_MESSAGES] for start in range(0, len(messages), ROW_MESSAGES)]
    return [_row(request, part) for part in parts]


def _row(request: AcceptedRequest, messages: Sequence[RawMessage]) -> EncodedRow:
    """`heads` is JSON: `[[n_bytes, message_id, authentic, hint, fresh], ..., headers]`, the last a text if there are any."""
    heads: list[Any] = []
    for message in messages:
        message_id, is_fresh = identify(request.connection_id, message)
        heads.append((len(message.body), message_id, message.authentic, message.profile_hint, is_fresh))
    if request.headers:
        heads.append(request.headers)
    bodies = b"".join([message.body for message in messages])
    return EncodedRow(request.connection_id, request.received_at, len(messages), dumps(heads).decode(), bodies)


def decode(connection_id: str, received_at: Micros, heads: str, bodies: bytes) -> Iterator[Message]:
    """The messages of one row, in the order they were sent."""
    start = 0
    found = loads(heads)
    headers = found.pop() if found and isinstance(found[-1], str) else ""
    for size, message_id, is_authentic, hint, is_fresh in found:
        end = start + size
        yield Message(connection_id, message_id, received_at, is_authentic, hint, is_fresh, bodies[start:end], headers)
        start = end


def identify(connection_id: str, message: RawMessage) -> tuple[str, bool]:
    """The id a message is remembered by, and whether it was made up.

    Without an id of its own a message is known by its bytes, as long as they tell its time: without a time two equal
    messages may well be two facts, so each gets a fresh id.
    """
    if message.dedup_key:
        return bounded_id(message.dedup_key), False
    element = message.body if message.element is None else message.element
    if _has_own_time(element):
        digest = hashlib.sha256(connection_id.encode() + b"\0" + element).hexdigest()
        return f"body:{digest}", False
    return f"fresh:{new_id()}", True


def bounded_id(message_id: str) -> str:
    """The id itself, or its hash where a row could not hold it as it is."""
    if is_storable(message_id, MAX_ID):
        return message_id
    return "hash:" + hashlib.sha256(message_id.encode("utf-8", "surrogatepass")).hexdigest()


def _has_own_time(element: bytes) -> bool:
    try:
        value = loads(element)
    except ValueError:
        return False
    return isinstance(value, dict) and any(value.get(name) not in (None, "") for name in OWN_TIME)
