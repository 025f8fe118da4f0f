"""Tells the callbacks of requests to erase where these stand: at least once, in order, in the source's own form."""

from __future__ import annotations

import random
from dataclasses import replace
from urllib.parse import urlsplit

from hub.core.clock import HOUR, MINUTE, Micros
from hub.core.database import read, write
from hub.core.logging import logger
from hub.ledger.store import record_audit
from hub.outbox.rules import backoff
from hub.outbox.values import Policy
from hub.outbox.wire.http import Sender
from hub.outbox.wire.masking import Mask
from hub.profiles import requests
from hub.profiles.values import DueCallback
from hub.runtime.erasing.requested import erasure_of, shown_url, urls_of
from hub.runtime.live.connections import LiveConnections
from hub.runtime.process.installation import Installation
from hub.sdk.errors import ConfigurationError, DeliveryError
from hub.sdk.values import Request

TIMEOUT_S = 10.0
LEASE: Micros = MINUTE  # within which an attempt has ended, or its process has died
HOST = "callback"
REMOVED = "Its source was removed."

_log = logger("erasure")


class Callbacks:
    """Sends what is due. Each attempt is taken by a lease, so that of several processes one makes it."""

    def __init__(self, hub: Installation, live: LiveConnections) -> None:
        self._hub = hub
        self._live = live

    def step(self, now: Micros) -> None:
        """Make each attempt that is due."""
        with read(self._hub.engine) as database:
            due = requests.due_callbacks(database, now)
        for callback in due:
            with write(self._hub.engine) as database:
                is_mine = requests.lease(database, callback, now + LEASE)
            if is_mine:
                self._try(callback, now)

    def _try(self, callback: DueCallback, now: Micros) -> None:
        try:
            why = self._told(callback)
        except ConfigurationError as error:  # nothing that time would mend
            self._end(callback, "dead", str(error), now)
            return
        if why == REMOVED:
            self._end(callback, "skipped", why, now)
        elif not why:
            self._end(callback, "sent", "", now)
        elif now - callback.changed_at >= self._hub.settings.retry_hours * HOUR:
            self._end(callback, "dead", why, now)
        else:
            pause = backoff(callback.attempts + 1, random.random(), Policy())  # noqa: S311 - spreads attempts, keeps no secret
            with write(self._hub.engine) as database:
                requests.put_off(database, callback, now + pause, why)

    def _told(self, callback: DueCallback) -> str:
        """Why it could not be told; empty if it was. Raises ConfigurationError for an address that cannot be called."""
        record = callback.erasure
        connection = self._live.connection(record.connection_id)
        if connection is None:
            return REMOVED
        source = self._live.snapshot().sources.get(connection.id)
        if source is None:
            return f"The connector {connection.connector} cannot be used at this moment; `hub doctor` says why."
        url = urls_of(self._hub, record)[callback.position]
        try:
            request = source.callback(erasure_of(record, callback.status, callback.changed_at), url)
        except Exception as defect:  # noqa: BLE001 - a connector's own code: the others' requests go on meanwhile
            _log.exception("a source could not word a status callback", connection=connection.name)
            return f"The connector {connection.connector} could not word the call ({type(defect).__name__})."
        return self._call(url, request, Mask(connection.secrets.values()))

    def _call(self, url: str, request: Request, mask: Mask) -> str:
        parts = urlsplit(url)
        path = parts.path + (f"?{parts.query}" if parts.query else "")
        origin = f"{parts.scheme}://{parts.netloc}"
        sender = Sender({HOST: origin}, {}, mask, allow_private=self._hub.settings.allow_private_hosts)
        try:
            answer = sender.send(replace(request, host=HOST, path=path), TIMEOUT_S)
        except DeliveryError as error:
            return mask(str(error))
        finally:
            sender.close()
        return "" if 200 <= answer.status < 300 else f"{shown_url(url)} answered {answer.status}."

    def _end(self, callback: DueCallback, state: str, detail: str, now: Micros) -> None:
        with write(self._hub.engine) as database:
            requests.end_callback(database, callback, state, detail)
            if state == "dead":
                told = {"request_id": callback.erasure.request_id, "status": callback.status, "why": detail}
                record_audit(database, now, "erasure watch", "erasure.callback_failed", callback.erasure.id, told)
        if state == "dead":
            _log.error("a status callback could not be told", request=callback.erasure.request_id, why=detail)
