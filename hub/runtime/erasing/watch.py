"""Follows requests to erase: carries out what has waited long enough, and notices when everything is done.

An erasure is complete when every destination has confirmed it and, with the inbox in Kafka, the topic was truncated past
everything that stood in it. A destination that failed it for good is named to the operator, who ends the request by hand.
"""

from __future__ import annotations

import threading
import time

from hub.core import clock
from hub.core.clock import SECOND, Micros
from hub.core.database import read, write
from hub.core.logging import logger
from hub.core.wakeup import LOOK_S, Sleeper, when_set
from hub.inbox.queue import Unreachable
from hub.inbox.sql import open_inbox
from hub.ledger.store import record_audit
from hub.outbox.queue import store as outbox
from hub.profiles import requests
from hub.profiles.values import ErasureRecord
from hub.registry import store as registry
from hub.runtime.erasing.callbacks import Callbacks
from hub.runtime.erasing.person import carry_out, opened_erase
from hub.runtime.live.connections import LiveConnections
from hub.runtime.process.installation import Installation
from hub.runtime.process.side_threads import put_off
from hub.sdk.errors import ConfigurationError
from hub.sdk.values import ErasureStatus

BUSY_S = 1.0  # between looks while a request is carried out
REST = 9.0  # times as long as a look takes nothing is looked at, so that it is a tenth of a core at most
ENDED = frozenset({"dead", "skipped"})

_log = logger("erasure")


class ErasureWatch:
    """Used by the schedule role; several may run at once, since every step is taken by compare-and-set."""

    def __init__(self, hub: Installation, live: LiveConnections | None = None) -> None:
        self._hub = hub
        self._callbacks = Callbacks(hub, live or LiveConnections(hub))
        self._sleeper = Sleeper()
        self._topic = Topic(hub) if hub.settings.kafka_bootstrap else None

    def wake(self) -> None:
        """From any thread: a request was made, or a callback is due."""
        self._sleeper.wake()

    def run(self, stop: threading.Event) -> None:
        """Look until `stop`: soon where something is to follow, and never so often that it takes much of a core."""
        when_set(stop, self.wake)
        while not stop.is_set():
            began, is_busy = time.monotonic(), True
            with put_off(_log, "requests to erase are put off"):
                is_busy = self.follow(clock.now())
            least_s = REST * (time.monotonic() - began)
            with put_off(_log, "status callbacks are put off"):
                self._callbacks.step(clock.now())
            self._sleeper.sleep(stop, max(BUSY_S if is_busy else LOOK_S, least_s), least_s)
        if self._topic is not None:
            self._topic.close()

    def step(self, now: Micros) -> None:
        """Do what is due at `now`, callbacks included."""
        self.follow(now)
        self._callbacks.step(now)

    def follow(self, now: Micros) -> bool:
        """Carry out what has waited until `now`, and end what is done; whether there is more to follow soon."""
        with read(self._hub.engine) as database:
            pending = [one for one in requests.open_ones(database, ErasureStatus.PENDING) if one.sealed]
            running = [one for one in requests.open_ones(database, ErasureStatus.IN_PROGRESS) if not one.untold]
        for record in pending:
            if record.acts_at <= now:
                self._carry_out(record, now)
        for record in running:
            self._follow(record, now)
        return bool(running) or any(one.acts_at <= now + LOOK_S * SECOND for one in pending)

    def _carry_out(self, record: ErasureRecord, now: Micros) -> None:
        try:
            asked = [opened_erase(self._hub.vault, sealed, now) for sealed in record.sealed.split("\n")]
        except ConfigurationError as error:
            _log.error("a request to erase cannot be carried out", request=record.request_id, why=str(error))
            return
        with write(self._hub.engine) as database:
            if requests.begin(database, record, now):
                carry_out(self._hub, database, record, asked, now)

    def _follow(self, record: ErasureRecord, now: Micros) -> None:
        with read(self._hub.engine) as database:
            left = outbox.unfinished(database, record.deliveries)
            names = (
                {one.id: one.name for one in registry.every(database, self._hub.vault, "destination")} if left else {}
            )
        if not ENDED.issuperset(left):
            return
        failed = sorted({names.get(each, each) for state in ENDED for each in left.get(state, [])})
        if failed:
            self._name(record, failed, now)
        elif self._topic is None or self._topic.is_truncated_for(record):
            with write(self._hub.engine) as database:
                if requests.complete(database, record, now):
                    detail = {"request_id": record.request_id}
                    record_audit(database, now, "erasure watch", "erasure.completed", record.id, detail)

    def _name(self, record: ErasureRecord, failed: list[str], now: Micros) -> None:
        """Destinations that did not confirm: nobody but a person can see to it there."""
        _log.error(
            "destinations did not confirm an erasure; see `hub erasures show`",
            request=record.request_id,
            destinations=failed,
        )
        with write(self._hub.engine) as database:
            requests.note(database, record, untold=failed)
            detail = {"request_id": record.request_id, "destinations": failed}
            record_audit(database, now, "erasure watch", "erasure.not_confirmed", record.id, detail)


class Topic:
    """The inbox topic, whose records of a person can be read until it is truncated past them."""

    def __init__(self, hub: Installation) -> None:
        from hub.inbox.kafka import KafkaInbox

        self._hub = hub
        inbox = open_inbox(hub.settings, hub.engine)
        assert isinstance(inbox, KafkaInbox), "with HUB_KAFKA_BOOTSTRAP it is one"
        self._inbox = inbox

    def is_truncated_for(self, record: ErasureRecord) -> bool:
        """Whether everything is gone that stood in the topic when the person was erased; housekeeping truncates it."""
        try:
            if record.queue is not None:
                return self._inbox.is_truncated(record.queue)
            ends = self._inbox.ends()  # looked at after the erasure, so they lie behind whatever it found
        except Unreachable:
            return False
        with write(self._hub.engine) as database:
            requests.note(database, record, queue=ends)
        return False

    def close(self) -> None:
        self._inbox.close()
