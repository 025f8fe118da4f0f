"""What a terminal is shown: text of senders, vendors and files is data, never markup and never a control sequence."""

from __future__ import annotations

import re
import shutil
import sys
import textwrap
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import click

from hub.sdk.json import dumps

GAP = "  "
LEAST_PROSE = 20  # columns; prose that would get less is not wrapped at all
# Controls (ESC and C1 among them), halves of surrogate pairs, line separators, and marks that turn the writing around.
_UNSEEN = re.compile("[\0-\x1f\x7f-\x9f\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")
_UNSEEN_IN_LINES = re.compile(_UNSEEN.pattern.replace("\0-\x1f", "\0-\x08\x0b-\x1f"))


def visible(text: str) -> str:
    """`text` on one line, whatever a terminal would obey in it spelled out: ESC is `\\x1b`."""
    return text if text.isascii() and text.isprintable() else _UNSEEN.sub(_spelled, text)


def visible_lines(text: str) -> str:
    """The same of a text that may have several lines."""
    return _UNSEEN_IN_LINES.sub(_spelled, text)


def echo(text: Any = "", *, mark: str = "", err: bool = False) -> None:
    """Print lines that may hold text from outside. `mark` is the hub's own, and may be styled."""
    click.echo(mark + visible_lines(str(text)), err=err)


def cell(value: Any) -> str:
    """One value of a table or a field."""
    if value is None or value == "":
        return "-"
    if isinstance(value, (dict, list)):
        return visible(dumps(value).decode()) if value else "-"
    return visible(str(value))


def print_table(rows: Sequence[Mapping[str, Any]], columns: Sequence[str]) -> None:
    """Columns aligned by spaces, whole cells however wide, so that URLs, paths and ids are copied in one piece.

    On a terminal the last column is wrapped between words, never within one. Elsewhere a row is a line.
    """
    is_terminal = sys.stdout.isatty()
    heads = [column.replace("_", " ") for column in columns]
    cells = [[cell(row.get(column)) for column in columns] for row in rows]
    widths = [max(map(_width, column)) for column in zip(heads, *cells, strict=True)]
    edge = shutil.get_terminal_size().columns if is_terminal else None
    for number, row in enumerate([heads, *cells]):
        for line in _lines(row, widths, edge):
            click.echo(click.style(line, bold=True) if is_terminal and number == 0 else line)


def _lines(row: Sequence[str], widths: Sequence[int], edge: int | None) -> Iterator[str]:
    *firsts, last = row
    start = "".join(text + " " * (width - _width(text)) + GAP for text, width in zip(firsts, widths, strict=False))
    room = None if edge is None else edge - _width(start)
    if room is None or room < LEAST_PROSE or _width(last) <= room:
        yield (start + last).rstrip()
        return
    for part in textwrap.wrap(last, room, break_long_words=False, break_on_hyphens=False):
        yield start + part
        start = " " * _width(start)


def _width(text: str) -> int:
    if text.isascii():
        return len(text)
    from rich.cells import cell_len

    return cell_len(text)


def _spelled(match: re.Match[str]) -> str:
    return match[0].encode("unicode_escape").decode()
