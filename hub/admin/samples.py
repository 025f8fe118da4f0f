"""A test message to the running hub, signed as the vendor of a source would sign it, and what became of it."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlencode

import requests

from hub.admin.views import message_json
from hub.core import clock
from hub.core.clock import Micros, to_datetime
from hub.core.database import read
from hub.core.ids import new_token
from hub.core.settings import Settings
from hub.inbox import seen
from hub.inbox.values import MessageFilter, StoredMessage
from hub.registry.discovery import build
from hub.registry.values import Connection
from hub.runtime.process.installation import Installation
from hub.sdk.errors import ConfigurationError, InboundError
from hub.sdk.values import InboundRequest

TIMEOUT_S = 10.0
POLL_S = 0.1
ANY_ADDRESS = {"0.0.0.0": "127.0.0.1", "::": "[::1]", "": "127.0.0.1"}  # noqa: S104 - where a hub listens, not this
PASSED_ON = 1_000  # characters of an answer


def send_sample(hub: Installation, source: Connection, origin: str = "", wait_s: float = TIMEOUT_S) -> dict[str, Any]:
    """Post a message about nobody who exists; the answer, and what became of the message within `wait_s`.

    Raises ConfigurationError where the connector cannot make one, or no hub answers at `origin`.
    """
    person, now = f"hub-test-{new_token(8)}", clock.now()
    request = _sample(hub, source, person, now)
    key = _key(hub, source, request)
    answer = _post(f"{origin.rstrip('/') or origin_of(hub.settings)}/in/{source.source_key}", request)
    shown: dict[str, Any] = {
        "status": answer.status_code,
        "answer": answer.text[:PASSED_ON],
        "source_id": person,
        "message": None,
    }
    if answer.ok:
        found = _wait(hub, source, key, person, now, wait_s)
        shown["message"] = message_json(found) if found else None
    return shown


def origin_of(settings: Settings) -> str:
    """Where the hub of this installation listens, as its own machine reaches it."""
    return f"http://{ANY_ADDRESS.get(settings.host, settings.host)}:{settings.port}"


def sentence(shown: Mapping[str, Any], name: str) -> tuple[bool, str]:
    """Whether all is well, and what to tell an operator."""
    message, status = shown["message"], shown["status"]
    if status >= 400:
        return False, f"The hub refused it with {status}; `hub ledger refusals --connection {name}` counts why."
    if message is None:
        return False, "The hub has it, and it is not applied yet; `hub doctor` says whether the apply role runs."
    if message["state"] == "quarantined":
        return False, f"It came in and could not be applied: {message['reason']}; `hub mappings check` looks closer."
    if message["state"] == "ignored":
        return True, f"It came in and was ignored: {message['reason']}; the mapping has no use for such a message."
    return True, f"It came in and was applied; `hub erase {shown['source_id']}` removes the person it made."


def _sample(hub: Installation, source: Connection, person: str, now: Micros) -> InboundRequest:
    found = hub.connectors.get(source.connector)
    sender = found.subject().sender_class if found and not found.error else None
    if sender is None:
        raise ConfigurationError(f"The connector {source.connector!r} does not say how its vendor sends webhooks.")
    try:
        return sender().sample({**source.settings, **source.secrets}, person, to_datetime(now))
    except (ValueError, NotImplementedError) as error:
        raise ConfigurationError(f"No sample can be signed for {source.name!r}: {error}.") from error


def _key(hub: Installation, source: Connection, request: InboundRequest) -> str | None:
    """The id under which the message will be stored, where its vendor gives one."""
    kind = hub.connectors[source.connector].source_class
    assert kind is not None, "it has a sender"
    try:
        messages = build(kind, source.settings, source.secrets).receive(request).messages
    except InboundError:
        return None  # the hub will say so itself
    return messages[0].dedup_key if messages else None


def _post(url: str, request: InboundRequest) -> requests.Response:
    query = f"?{urlencode(request.query)}" if request.query else ""
    try:
        return requests.post(f"{url}{query}", data=request.body, headers=dict(request.headers), timeout=TIMEOUT_S)
    except requests.RequestException as error:
        raise ConfigurationError(
            f"No hub answers at {url.partition('/in/')[0]} ({type(error).__name__}); start it with `hub serve`, or say"
            " where it is with --url."
        ) from None


def _wait(
    hub: Installation, source: Connection, key: str | None, person: str, since: Micros, wait_s: float
) -> StoredMessage | None:
    """The message once it was decided about; None where that takes longer."""
    wanted = MessageFilter(connection_id=source.id, message_id=key, source_id=None if key else person)
    deadline = time.monotonic() + wait_s
    while time.monotonic() < deadline:
        with read(hub.engine) as database:
            found = seen.page(database, wanted, None, 1, newest_first=True)
        if found and found[0].received_at >= since:
            return found[0]
        time.sleep(POLL_S)
    return None
