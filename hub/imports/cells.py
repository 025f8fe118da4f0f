"""What a cell says: a text, or a value of the type its column has; and formulas, which are neither.

A spreadsheet runs a cell that begins with one of the RISKY characters as a formula, and a formula can send data away. In
every file that the hub writes such a cell has an apostrophe in front, which makes it text, and reading takes it off. A
cell that begins with apostrophes before such a character gets one more, so that reading takes off exactly what writing
put on.
Source: https://owasp.org/www-community/attacks/CSV_Injection
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from hub.imports.columns import Column
from hub.mapping.values.coerce import Coercion, coercion
from hub.mapping.values.text import Failed
from hub.sdk.errors import PayloadInvalid
from hub.sdk.json import loads

RISKY = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")
MARK = "'"

DAY_FIRST, MONTH_FIRST = "dmy", "mdy"
DATES = (DAY_FIRST, MONTH_FIRST)
_TIMES = frozenset({"at", "traits.birthdate", "traits.created_at"})
_DAY = re.compile(r"(\d{1,2})([./-])(\d{1,2})\2(\d{4})(?:[ T]+(\d{1,2}:\d{2}(?::\d{2})?))?", re.ASCII)

Read = Callable[[str], Any]


def escaped(cell: str) -> str:
    """The cell as it may stand in a file."""
    return MARK + cell if cell.lstrip(MARK).startswith(RISKY) else cell


def unescaped(cell: str) -> str:
    """The cell as it was before `escaped`; any other cell as it is."""
    return cell[1:] if cell.startswith(MARK) and cell.lstrip(MARK).startswith(RISKY) else cell


def value_of(cell: str, read: Read | None, header: str) -> Any:
    """What a cell that is not blank says. Raises PayloadInvalid with a sentence that names the column."""
    if cell[0] == MARK:
        cell = unescaped(cell)
    if "\0" in cell:
        raise PayloadInvalid(f"{header}: the cell holds a NUL character.")
    if read is None:
        return cell
    value = read(cell)
    if isinstance(value, Failed):
        raise PayloadInvalid(f"{header}: {value.text}.")
    return value


def reader_of(column: Column, dates: str = "") -> Read | None:
    """How the cells of a column are read; None for text, which they are already. `dates`: see Plan."""
    read = _reader(column)
    if not dates or (column.field not in _TIMES and column.type not in ("date", "datetime")):
        return read
    if read is None:
        return partial(_iso_day, dates)
    return lambda cell: read(_iso_day(dates, cell))


def _reader(column: Column) -> Read | None:
    if column.field == "traits.email":
        return str.strip  # no address has white space around it, and many files have
    if not column.type:
        return None
    if column.type in _READERS:
        return _READERS[column.type]
    coerce: Coercion = coercion(column.type)
    return lambda cell: coerce(cell.strip())


def _iso_day(dates: str, cell: str) -> str:
    """`31.12.2026` as `2026-12-31`, with the time of day behind it; anything else as it is."""
    found = _DAY.fullmatch(cell.strip())
    if found is None:
        return cell
    first, _, second, year, time = found.groups()
    day, month = (first, second) if dates == DAY_FIRST else (second, first)
    return f"{year}-{month:0>2}-{day:0>2}" + (
        f"T{time.zfill(5) if time.count(':') == 1 else time.zfill(8)}" if time else ""
    )


def _json(cell: str) -> Any:
    try:
        return loads(cell)
    except ValueError:
        return Failed("invalid_json", "the cell is not JSON")


def _list(cell: str) -> Any:
    """A JSON list, or texts between commas."""
    if cell.lstrip().startswith("["):
        return _json(cell)
    return [part.strip() for part in cell.split(",") if part.strip()]


_READERS: Mapping[str, Read] = {"json": _json, "list": _list}
