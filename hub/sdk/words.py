"""The smallest words of the contract: JSON, operations, secrets."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from enum import StrEnum
from typing import Any

Json = Any  # a JSON value: dict, list, str, int, float, bool or None


class _Empty(Mapping[str, Any]):
    """A mapping without keys that cannot be changed; hashable, because a dataclass default must be (Python 3.11)."""

    __slots__ = ()

    def __getitem__(self, key: str) -> Any:
        raise KeyError(key)

    def __iter__(self) -> Iterator[str]:
        return iter(())

    def __len__(self) -> int:
        return 0

    def __hash__(self) -> int:
        return 0

    def __repr__(self) -> str:
        return "{}"


EMPTY: Mapping[str, Any] = _Empty()


class Operation(StrEnum):
    """What a delivery asks of a destination."""

    PROFILES = "profiles"
    EVENTS = "events"
    MESSAGES = "messages"
    AUDIENCE = "audience"
    CONSENT = "consent"
    ERASE = "erase"


class Secret:
    """A value that prints as `***`. Only the sender of a request and a source's verification reveal it."""

    __slots__ = ("_value",)

    def __init__(self, value: str) -> None:
        self._value = value

    def reveal(self) -> str:
        return self._value

    def __repr__(self) -> str:
        return "***"

    __str__ = __repr__

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and other._value == self._value

    def __hash__(self) -> int:
        return hash(("Secret", self._value))
