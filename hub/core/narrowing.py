"""The SQL of the one set of filters; each store says which columns it means."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import ColumnElement, or_

from hub.core.filters import RecordFilter


def conditions(
    wanted: RecordFilter, equal: Mapping[str, Any], at: ColumnElement[int], told: Sequence[ColumnElement[str]]
) -> list[ColumnElement[bool]]:
    """The WHERE of a store: `equal` names the columns of fields, `at` is the records' time, `told` their words."""
    found = [column == str(value) for name, column in equal.items() if (value := getattr(wanted, name)) is not None]
    if wanted.since is not None:
        found.append(at >= wanted.since)
    if wanted.until is not None:
        found.append(at < wanted.until)
    if wanted.text:
        found.append(or_(*[column.icontains(wanted.text, autoescape=True) for column in told]))
    return found
