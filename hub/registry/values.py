"""A connection as other rooms see it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

PREVIOUS = "previous_"
"""Begins the name of a secret that another one has taken the place of."""


@dataclass(frozen=True, slots=True)
class Connection:
    """One configured use of a connector. `settings` holds plain values and `secrets` revealed ones: never print it."""

    id: str
    role: str  # source | destination
    connector: str
    name: str
    source_key: str | None
    settings: Mapping[str, Any]
    secrets: Mapping[str, str] = field(repr=False)
    hosts: Mapping[str, str]
    mapping: str
    mapping_patch: str
    mapping_hash: str
    currency: str
    retry_unknown: bool
    status: str
    paused_reason: str
    paused_routes: Mapping[str, str]
    version: int
    previous_until: int | None = None
