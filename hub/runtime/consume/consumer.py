"""Sources that are read instead of sending: their topics, record by record, into the inbox like any webhook.

The place up to which a topic was taken moves in the state database after its records are durable in the inbox; a crash in
between reads them again under the same ids, which counts duplicates and changes nothing.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, Final

from sqlalchemy.exc import DBAPIError

from hub.core import clock
from hub.core.clock import LATEST, to_datetime
from hub.core.counters import ACCEPTED
from hub.core.database import is_passing, read, write
from hub.core.kafka import client_config
from hub.core.logging import logger
from hub.inbox.body import check_depth
from hub.inbox.kafka_reader import Place, TopicReader
from hub.inbox.kafka_record import HEAD_BYTES
from hub.inbox.queue import Inbox, Unreachable
from hub.inbox.values import AcceptedRequest
from hub.outbox.wire.private_hosts import guard_servers
from hub.runtime.consume import offsets as places
from hub.runtime.consume.doctor import made_anew
from hub.runtime.process.installation import Installation
from hub.sdk.broker import Subscription, servers_of
from hub.sdk.contract import Source
from hub.sdk.errors import Busy, ConfigurationError, PayloadInvalid
from hub.sdk.values import RawMessage, Record

AT_ONCE: Final = 500  # records of one append
BYTES_AT_ONCE: Final = 4_194_304
WAIT_S: Final = 0.5
PAUSE_S: Final = 2.0  # after something that must be waited for
TELL_S: Final = 60.0  # until the log says again why it waits
LOOK_BACK_S: Final = 60.0
SHOWN_BYTES: Final = 1_000  # kept of a record that is too large

log = logger("consume")


class Consumer:
    """Reads one source's topics until it is told to stop."""

    def __init__(
        self, hub: Installation, inbox: Inbox, connection_id: str, source: Source, wanted: Subscription
    ) -> None:
        self._hub, self._inbox, self._connection_id, self._source, self._wanted = (
            hub,
            inbox,
            connection_id,
            source,
            wanted,
        )
        self._reader: TopicReader | None = None
        self._told, self._told_at = "", 0.0
        self._looked_at = 0.0
        settings = hub.settings
        self._most = min(settings.inflated_limit, settings.kafka_message_bytes - HEAD_BYTES)

    def run(self, stop: threading.Event) -> None:
        """Blocks until `stop`. What cannot be read or stored now is tried again; nothing is passed over."""
        try:
            while not stop.is_set():
                try:
                    if self.step():
                        self._tell("")
                except (Busy, Unreachable, ConfigurationError) as error:
                    self._tell(str(error))
                    stop.wait(PAUSE_S)
                except DBAPIError as error:
                    if not is_passing(error):
                        raise
                    self._tell(type(error.orig).__name__)
                    stop.wait(PAUSE_S)
        finally:
            self.close()

    def step(self) -> int:
        """Take what is there, at most AT_ONCE records; how many. Raises Busy, Unreachable and what the database raises."""
        reader = self._open()
        at = self._positions(reader, reader.assigned(WAIT_S))
        records = reader.read(at, AT_ONCE, BYTES_AT_ONCE, WAIT_S) if at else []
        if not records:
            self._look_back(reader, at)
            return 0
        messages = [message for one in records for message in self._messages(one)]
        if messages:
            self._inbox.append(AcceptedRequest(self._connection_id, clock.now(), messages))
            ACCEPTED.inc(len(messages))
        new = {(str(one.topic()), int(one.partition() or 0)): int(one.offset() or 0) + 1 for one in records}
        with write(self._hub.engine) as state:
            places.move(state, self._connection_id, new)
        reader.commit(new)
        return len(records)

    def close(self) -> None:
        """Leave the group."""
        if self._reader is not None:
            self._reader.close()
            self._reader = None

    def _tell(self, why: str) -> None:
        """Log why nothing is read, once in a while; an empty text says that reading goes on."""
        now = time.monotonic()
        if why and (why != self._told or now - self._told_at >= TELL_S):
            log.warning("a source's topics wait", connection=self._connection_id, why=why)
            self._told_at = now
        elif self._told and not why:
            log.info("a source's topics are read again", connection=self._connection_id)
        self._told = why

    def _open(self) -> TopicReader:
        if self._reader is None:
            wanted = self._wanted
            if not self._hub.settings.allow_private_hosts:
                guard_servers(servers_of(wanted.url), "The source names")
            config = client_config(wanted.url, wanted.broker, wanted.credentials)
            self._reader = TopicReader(config, wanted.group, wanted.topics)
        return self._reader

    def _messages(self, one: Any) -> Sequence[RawMessage]:
        """What the source makes of a record; one it cannot read ends in quarantine, as it is."""
        record = _record(one)
        value = record.value or b""
        if len(value) > self._most:
            return [_poison(record, b"too large: " + value[:SHOWN_BYTES])]
        try:
            messages = self._source.receive_record(replace(record, headers=_headers(one)))
            for message in messages:
                check_depth(message.body)
        except PayloadInvalid:
            return [_poison(record, value)]
        except Exception:  # a connector's defect is one record's fault
            log.exception("a source could not read a record", connection=self._connection_id, place=_place(record))
            return [_poison(record, value)]
        if any(len(message.body) > self._most for message in messages):  # the envelope may be larger than its record
            return [_poison(record, b"too large: " + value[:SHOWN_BYTES])]
        return messages

    def _positions(self, reader: TopicReader, has: frozenset[Place]) -> dict[Place, int]:
        with read(self._hub.engine) as state:
            known = places.stored(state, self._connection_id, has)
        if len(known) < len(has) and not self._wanted.from_beginning:
            fresh = {place: reader.end(place) for place in has if place not in known}
            with write(self._hub.engine) as state:
                places.begin(state, self._connection_id, fresh)
                known = places.stored(state, self._connection_id, has)
        return {place: known.get(place, 0) for place in has}

    def _look_back(self, reader: TopicReader, at: Mapping[Place, int]) -> None:
        """Once in a while, where nothing comes: is that because it never can? Raises ConfigurationError and Unreachable."""
        if time.monotonic() - self._looked_at < LOOK_BACK_S:
            return
        self._looked_at = time.monotonic()
        for place, offset in at.items():
            if reader.end(place) < offset:
                raise ConfigurationError(made_anew(place[0]))


def _record(message: Any) -> Record:
    """Without its headers. Producers may write any time, also one that no calendar has."""
    at = to_datetime(min(max(0, message.timestamp()[1]) * 1_000, LATEST))
    return Record(message.topic(), message.partition(), message.offset(), message.key(), message.value(), {}, at)


def _headers(message: Any) -> dict[str, bytes]:
    return {name: value or b"" for name, value in message.headers() or ()}


def _place(record: Record) -> str:
    return f"{record.topic}/{record.partition}/{record.offset}"


def _poison(record: Record, body: bytes) -> RawMessage:
    """Kept under its place. What is valid JSON all the same must not be mapped: its first byte makes it none."""
    key = f"{_place(record)}/{round(record.at.timestamp() * 1_000)}"
    return RawMessage(b"!" + body, key, None)
