"""One message as one record of the inbox topic, so that an offset counts messages (docs/decisions/0004)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from hub.core.clock import LATEST, Micros
from hub.inbox.codec import EncodedRow, bounded_id, decode
from hub.inbox.values import Message
from hub.sdk.json import dumps, loads

HEAD_BYTES = 8_192  # more than any head and key: ids have 128 characters, a hint has 200, headers 700, of up to 7 bytes
MAX_HINT = 200
FOREIGN = "-"
"""Under this connection stands a record that the hub did not write; it ends in quarantine."""


class InboxRecord(NamedTuple):
    """`value` is a line of JSON, `[connection, message_id, received_at, authentic, hint, fresh, headers]`, then the body."""

    key: bytes
    value: bytes


def records_of(rows: Sequence[EncodedRow]) -> Iterator[InboxRecord]:
    """The records of some rows, in order. Raises OverflowError for a time that the state database could not hold."""
    for row in rows:
        if row.received_at >= 2**63:
            raise OverflowError("a time of receipt has more than 64 bits")
        for message in decode(row.connection_id, row.received_at, row.heads, row.bodies):
            hint = None if message.profile_hint is None else message.profile_hint[:MAX_HINT]
            head = dumps([*message[:4], hint, message.has_fresh_id, message.headers])
            yield InboxRecord((hint or message.message_id).encode(), b"%b\n%b" % (head, message.body))


def message_of(place: str, value: bytes | None, written_at: Micros) -> Message:
    """The message of a record; `place` is its topic, partition and offset."""
    head, _, body = (value or b"").partition(b"\n")
    try:
        connection_id, message_id, received_at, is_authentic, hint, is_fresh, *rest = loads(head)
        headers = rest[0] if rest and isinstance(rest[0], str) else ""  # records of before have none
        message = Message(
            connection_id, message_id, received_at, bool(is_authentic), hint, bool(is_fresh), body, headers
        )
        if _is_ours(message):
            return message
    except (ValueError, TypeError):
        pass
    at = min(max(0, written_at), LATEST)  # whoever wrote it may have written any time
    return Message(
        FOREIGN, f"record:{place}", at, is_authentic=False, profile_hint=None, has_fresh_id=False, body=value or b""
    )


def _is_ours(message: Message) -> bool:
    """Whether a head holds what the hub writes, and so what the state database takes."""
    connection_id, message_id, received_at = message[:3]
    are_texts = isinstance(connection_id, str) and isinstance(message_id, str) and isinstance(received_at, int)
    if not are_texts or not 0 <= received_at <= LATEST:
        return False
    return (
        connection_id.isascii()
        and connection_id.isalnum()
        and len(connection_id) <= 26
        and message_id == bounded_id(message_id)
    )
