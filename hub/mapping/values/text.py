"""Text as senders write it: blank or not, clean or not, and the forms that keys and comparisons use."""

from __future__ import annotations

import re
from collections.abc import Mapping
from types import MappingProxyType
from typing import Final, NamedTuple

from hub.mapping.model import Json
from hub.sdk.text import storable

NO_CONTEXT: Final[Mapping[str, Json]] = MappingProxyType({})

_WORD_EDGES = re.compile(r"(?<=[^\W_A-Z])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])|[\W_]+")


class Failed(NamedTuple):
    """Why a value did not pass. `code` groups warnings; `text` never holds the value itself."""

    code: str
    text: str


def is_blank(value: Json) -> bool:
    """White space only. Null and absent are not blank: they mean something else."""
    return isinstance(value, str) and (not value or value.isspace())


def clean_text(text: str) -> tuple[str, bool]:
    """NUL and lone surrogates become U+FFFD (databases and UTF-8 refuse them), and whether anything changed."""
    cleaned = storable(text)
    return cleaned, cleaned != text


def words(text: str) -> list[str]:
    """The words of a name as written: `orderCompleted`, `Order Completed` and `order-completed` have the same two."""
    return [word for word in _WORD_EDGES.split(text) if word]


def snake(text: str) -> str:
    """`Order Completed` -> `order_completed`. Empty where the text has no letter and no digit."""
    return "_".join(words(text)).lower()
