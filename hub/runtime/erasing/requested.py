"""Requests to erase as sources ask after them and as operators read them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any
from urllib.parse import urlsplit

from sqlalchemy import Connection as Database
from sqlalchemy.exc import DBAPIError

from hub.core.clock import SECOND, Micros, iso, to_datetime
from hub.core.database import is_passing, read, write
from hub.ledger.store import record_audit
from hub.profiles import requests
from hub.profiles.values import ErasureRecord
from hub.registry import store as registry
from hub.runtime.process.installation import Installation
from hub.sdk.errors import Busy, ConfigurationError
from hub.sdk.json import dumps, loads
from hub.sdk.values import Erasure, ErasureRequest, ErasureStatus, Question


class RememberedErasures:
    """See hub.inbox.accept.Erasures."""

    def __init__(self, hub: Installation) -> None:
        self._hub = hub

    def register(self, connection_id: str, request: ErasureRequest, now: Micros) -> None:
        with _or_busy(), write(self._hub.engine) as database:
            requests.register(
                database,
                connection_id,
                request.request_id,
                now,
                expected_at=now + round(request.within_s * SECOND),
                acts_at=now + round(request.wait_s * SECOND),
                callbacks=sealed_urls(self._hub, request.callbacks),
                callback_count=len(request.callbacks),
            )

    def ask(self, connection_id: str, question: Question, now: Micros) -> Erasure | None:
        with _or_busy(), (write if question.withdraw else read)(self._hub.engine) as database:
            record = requests.find(database, connection_id, question.request_id)
            if record is None:
                return None
            was_withdrawn = question.withdraw and requests.withdraw(database, record, now)
            if was_withdrawn:
                detail = {"request_id": record.request_id}
                record_audit(database, now, "source", "erasure.withdrawn", record.id, detail)
                record = requests.find(database, connection_id, question.request_id)
                assert record is not None, "requests are never removed"
        return erasure_of(record, record.status, record.changed_at, was_withdrawn=was_withdrawn)


@contextmanager
def _or_busy() -> Iterator[None]:
    try:
        yield
    except DBAPIError as error:
        if not is_passing(error):
            raise
        raise Busy from error


def erasure_of(
    record: ErasureRecord, status: ErasureStatus, changed_at: Micros, *, was_withdrawn: bool = False
) -> Erasure:
    """A request as its source is told of it."""
    return Erasure(
        request_id=record.request_id,
        status=status,
        received_at=to_datetime(record.received_at),
        expected_at=to_datetime(record.expected_at),
        changed_at=to_datetime(changed_at),
        was_withdrawn=was_withdrawn,
    )


def sealed_urls(hub: Installation, urls: Sequence[str]) -> str:
    """Callbacks as they are stored: a URL may hold a token of its receiver."""
    return hub.vault.seal(dumps(list(urls)).decode()) if urls else ""


def urls_of(hub: Installation, record: ErasureRecord) -> list[str]:
    """A request's callbacks. Raises ConfigurationError if they were stored under another key."""
    return list(loads(hub.vault.open(record.callbacks))) if record.callbacks else []


# ── for operators ────────────────────────────────────────────────────────────────────────────────────────────────


def shown_url(url: str) -> str:
    """Where a callback goes, without what may be a token."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}"


def listed(hub: Installation, database: Database, records: Sequence[ErasureRecord]) -> list[dict[str, Any]]:
    """Requests as CLI and API list them."""
    names = {one.id: one.name for one in registry.every(database, hub.vault, "source")}
    return [_shown(record, names) for record in records]


def described(hub: Installation, database: Database, which: str) -> dict[str, Any] | None:
    """One request with its callbacks; None for one that nobody made."""
    record = requests.get(database, which)
    if record is None:
        return None
    urls = urls_of(hub, record)
    callbacks = [
        {
            "url": shown_url(urls[row["position"]]),
            "tells": row["status"],
            "state": row["state"],
            "attempts": row["attempts"],
            "detail": row["detail"] or None,
        }
        for row in requests.callbacks_of(database, record.id)
    ]
    return listed(hub, database, [record])[0] | {"deliveries": list(record.deliveries), "callbacks": callbacks}


def complete(hub: Installation, database: Database, which: str, now: Micros, actor: str) -> dict[str, Any]:
    """An operator has seen to it that the destinations that did not confirm have erased too. Raises ConfigurationError."""
    record = requests.get(database, which)
    if record is None:
        raise ConfigurationError(f"There is no request to erase {which!r}; `hub erasures list` shows them.")
    if not record.untold:
        raise ConfigurationError(
            f"The request is {record.status} and no destination has failed it, so there is nothing to see to by hand."
        )
    if requests.complete(database, record, now):
        detail = {"request_id": record.request_id, "by_hand": list(record.untold)}
        record_audit(database, now, actor, "erasure.completed", record.id, detail)
    shown = described(hub, database, record.id)
    assert shown is not None, "it was there a moment ago"
    return shown


def _shown(record: ErasureRecord, names: dict[str, str]) -> dict[str, Any]:
    source = names.get(record.connection_id, record.connection_id)
    return {
        "id": record.id,
        "request_id": record.request_id,
        "status": record.status,
        "source": source or None,
        "regulation": record.regulation or None,
        "profiles": record.profiles,
        "not_confirmed": list(record.untold),
        "received_at": iso(record.received_at),
        "carried_out_after": iso(record.acts_at),
        "expected_at": iso(record.expected_at),
        "changed_at": iso(record.changed_at),
    }
