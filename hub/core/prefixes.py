"""Ids by their beginning, as lists show them: looked up in the index of the id, never by a scan."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Connection, select

ID_CHARS = 26
SHOWN_CHARS = 16
"""So much of an id a list shows: its millisecond, and 30 of its random bits."""
NAMED = 5
"""So many candidates a sentence names."""


def short(record_id: str) -> str:
    """An id as lists show it; every command takes it back."""
    return record_id[:SHOWN_CHARS]


def ids_beginning(database: Connection, column: Any, text: str, most: int = NAMED + 1) -> list[str]:
    """Ids that begin with a text, in order; of a whole id that one alone. They are ULIDs, so `Z` ends every range."""
    given = text.strip().upper()
    if not given or len(given) > ID_CHARS or not (given.isascii() and given.isalnum()):
        return []
    query = select(column).where(column >= given, column <= given.ljust(ID_CHARS, "Z"))
    return list(database.scalars(query.order_by(column).limit(most)))


def ambiguous(what: str, text: str, found: list[str]) -> str:
    """The sentence for a beginning that several ids have."""
    names = ", ".join(found[:NAMED]) + (" and more" if len(found) > NAMED else "")
    return f"{text!r} is the beginning of several {what}: {names}. Give more of it."
