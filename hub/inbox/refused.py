"""A few of the refused requests, for an hour: to see what a sender does wrong.

They are written with the counts of refusals, once a second at most, and bounded in size and number per source, reason and
minute: so whoever forges requests buys neither a write nor room.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from sqlalchemy import Connection, Engine, delete, select

from hub.core.clock import HOUR, Micros
from hub.core.database import read
from hub.core.filters import RecordFilter
from hub.core.ids import new_id
from hub.core.narrowing import conditions
from hub.inbox.headers import kept_headers
from hub.inbox.tables import refused
from hub.inbox.values import RefusedRequest

PER_MINUTE = 3
"""So many are kept of one source, reason and minute, by each web process."""
BODY_BYTES, PATH_CHARS = 16_384, 200
KEPT: Micros = HOUR

_EQUAL = {"connection_id": refused.c.connection_id, "reason": refused.c.reason}
_COLUMNS = [refused.c[name] for name in RefusedRequest._fields]


def kept_request(
    connection_id: str, reason: str, path: str, headers: Mapping[str, str], body: bytes, now: Micros
) -> RefusedRequest:
    """What is kept of a request: no secret of its headers, and its body cut."""
    shown = path[:PATH_CHARS].replace("\0", "\ufffd").encode("utf-8", "replace").decode()
    record_id = new_id(now // 1000)
    return RefusedRequest(
        record_id, connection_id, reason, now, shown, kept_headers(headers), len(body), body[:BODY_BYTES]
    )


def add_refused(connection: Connection, requests: Sequence[RefusedRequest]) -> None:
    """Keep these, and let go of what is older than KEPT, in the caller's transaction."""
    if requests:
        connection.execute(refused.insert(), [request._asdict() for request in requests])
        forget_refused(connection, max(request.received_at for request in requests) - KEPT)


def list_refused(engine: Engine, wanted: RecordFilter, limit: int) -> list[RefusedRequest]:
    """Those that match, newest first."""
    query = select(*_COLUMNS).where(
        *conditions(wanted, _EQUAL, refused.c.received_at, (refused.c.id, refused.c.reason))
    )
    with read(engine) as connection:
        rows = connection.execute(query.order_by(refused.c.received_at.desc(), refused.c.id.desc()).limit(limit))
        return [RefusedRequest(*row) for row in rows]


def forget_refused(connection: Connection, before: Micros) -> int:
    """Delete what was received before `before`; how many."""
    return connection.execute(delete(refused).where(refused.c.received_at < before)).rowcount
