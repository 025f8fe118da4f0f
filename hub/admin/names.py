"""Names that operators give to things."""

from __future__ import annotations

from hub.sdk.errors import ConfigurationError

NAME_CHARS = 100
RESERVED = "/:"
"""Marks between names: in URLs, and in `hub distributions add --to CONNECTION:OPERATION`."""


def usable_name(name: str, what: str) -> str:
    """The name. Raises ConfigurationError if it cannot be stored, printed and typed again."""
    if not 0 < len(name) <= NAME_CHARS or not name.isprintable() or name != name.strip():
        raise ConfigurationError(
            f"A {what} needs a name of 1 to {NAME_CHARS} printable characters, no space around it."
        )
    if any(mark in name for mark in RESERVED):
        raise ConfigurationError(f"The name {name!r} of a {what} may hold neither '/' nor ':'; choose another.")
    return name
