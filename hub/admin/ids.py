"""Records by the beginning of their id, as lists show it. Every command and path that takes an id takes one."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from sqlalchemy import Connection as Database

from hub.core.prefixes import ambiguous, ids_beginning
from hub.inbox import seen
from hub.ledger.tables import RUN
from hub.outbox.tables import DELIVERY
from hub.sdk.errors import ConfigurationError

MessageKey = tuple[str, str]


def find_delivery(database: Database, text: str) -> str | None:
    """The id of the delivery whose id begins so. Raises ConfigurationError, naming some, if several do."""
    return _only(database, DELIVERY.c.id, text, "deliveries")


def find_run(database: Database, text: str) -> str | None:
    """The same of a sync run."""
    return _only(database, RUN.c.id, text, "sync runs")


def find_message(database: Database, text: str, connection_id: str | None = None) -> MessageKey | None:
    """The key of the message with this id, else of the one whose id begins so. Raises ConfigurationError, naming some,
    if several do: several sources may also use one id."""
    found = seen.keys_beginning(database, text, connection_id)
    if len(found) > 1 and len({message_id for _, message_id in found}) == 1:
        raise ConfigurationError(f"Several sources sent a message {found[0][1]!r}; say which with --connection.")
    if len(found) > 1:
        raise ConfigurationError(ambiguous("messages", text, [message_id for _, message_id in found]))
    return found[0] if found else None


def deliveries_named(database: Database, texts: Iterable[str]) -> tuple[str, ...]:
    """The ids of all these deliveries. Raises ConfigurationError for one that is not there."""
    return tuple([_known(find_delivery(database, text), "delivery", text, "deliveries") for text in texts])


def messages_named(
    database: Database, texts: Iterable[str], connection_id: str | None = None
) -> tuple[MessageKey, ...]:
    """The keys of all these messages. Raises ConfigurationError for one that is not there."""
    return tuple([_known(find_message(database, text, connection_id), "message", text, "messages") for text in texts])


def _known(found: Any, what: str, text: str, group: str) -> Any:
    if found is None:
        raise ConfigurationError(f"There is no {what} {text!r}; `hub {group} list` shows the newest.")
    return found


def _only(database: Database, column: Any, text: str, what: str) -> str | None:
    found = ids_beginning(database, column, text)
    if len(found) > 1:
        raise ConfigurationError(ambiguous(what, text, found))
    return found[0] if found else None
