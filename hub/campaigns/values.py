"""Campaigns and codes as other rooms see them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

Micros = int
Json = Any

OUT_OF_CODES = "out_of_codes"
EXPIRED = "campaign_expired"
RETIRED = "campaign_retired"


@dataclass(frozen=True, slots=True)
class Campaign:
    """Where codes come from. `kind`: generated or imported. `is_once`: a person gets the same code each time."""

    id: str
    name: str
    kind: str
    pattern: str
    charset: str
    is_once: bool
    value: Json
    balance: Json
    expires_at: Micros | None
    valid_s: int | None
    code_count: int
    created_at: Micros
    retired_at: Micros | None = None


class Code(NamedTuple):
    """One code as it was given to one publication."""

    code: str
    campaign_id: str
    state: str
    publication_id: str | None
    published_at: Micros | None
    expires_at: Micros | None


class Wanted(NamedTuple):
    """A publication that wants a code. `source_ids`: the person's own first, then those read through it by a merge."""

    publication_id: str
    source_ids: Sequence[str]


@dataclass(frozen=True, slots=True)
class Imported:
    """What became of a list of codes. `rejected`: code to the sentence that says why (the first thousand)."""

    added: int
    rejected_count: int
    rejected: dict[str, str]


@dataclass(frozen=True, slots=True)
class CodeCounts:
    """Codes of one campaign by state."""

    free: int
    published: int
    retired: int
