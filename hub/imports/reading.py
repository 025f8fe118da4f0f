"""Reads the rows of a CSV file, in bounded memory, and goes on behind those that cannot be read."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from typing import BinaryIO, NamedTuple, TextIO

from hub.imports.cells import unescaped
from hub.imports.dialects import STRAY, STRAYS, Opened, read_strays
from hub.sdk.errors import ConfigurationError

RECORD_CHARS = 1_048_576  # of one row: more is not a row, but a quote that is never closed


class CsvRow(NamedTuple):
    """One row below the header; the first is number 1. With `error` it cannot be taken, and `cells` are what could be
    made of it, if anything. `joined`: the rows it was made of, where it is an order of several."""

    number: int
    line: int
    cells: list[str]
    error: str = ""
    joined: tuple[CsvRow, ...] = ()

    @property
    def rows(self) -> tuple[CsvRow, ...]:
        """The rows as they stand in the file."""
        return self.joined or (self,)


def header_of(opened: Opened) -> list[str]:
    """The names of the columns; empty ones at the end are left out. Raises ConfigurationError."""
    with CsvReader(opened) as reader:
        return reader.header


class CsvReader:
    """The rows of a file, one after another: `with Reader(opened) as reader: for record in reader: ...`.

    `lost`: the sentence of a row behind which nothing could be read, once it was met.
    """

    header: list[str]

    def __init__(self, opened: Opened) -> None:
        self._opened = opened
        self.lost = ""
        csv.field_size_limit(max(csv.field_size_limit(), RECORD_CHARS))

    def __enter__(self) -> CsvReader:
        self._bytes: BinaryIO = self._opened.path.open("rb")
        dialect = self._opened.dialect
        self._file = io.TextIOWrapper(self._bytes, encoding=dialect.encoding, errors=STRAYS, newline="")
        self._lines = _Lines(self._file)
        if dialect.has_hint:
            next(self._lines)
        self._rows = csv.reader(self._lines, delimiter=dialect.delimiter, strict=True)
        try:
            self.header = self._header()
        except ConfigurationError:
            self._file.close()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()

    @property
    def position(self) -> int:
        """How many bytes of the file were read: of use to a progress bar only."""
        return self._bytes.tell()

    def __iter__(self) -> Iterator[CsvRow]:
        """Every row but blank ones. What cannot be taken is a record with an error, and reading goes on behind it."""
        number = 0
        while True:
            self._lines.begin()
            try:
                cells, error = next(self._rows), ""
            except StopIteration:
                return
            except csv.Error as found:
                cells, error = self._broken(str(found))
            except _TooLong:
                cells, error = [], self._too_long()
            if self._lines.has_stray and not error:
                cells, error = self._strayed(cells)
            if error or any(cells):
                number += 1
                yield CsvRow(number, self._lines.began, cells, error)

    def _broken(self, words: str) -> tuple[list[str], str]:
        """A row that breaks the rules of quoting, as a patient reader takes it."""
        if "unexpected end of data" in words:
            return [], self._never_closed()
        cells = next(csv.reader(self._lines.held, delimiter=self._opened.dialect.delimiter), [])
        why = f"the row is not CSV: {words}."
        if "expected after" in words:
            why = 'text follows a closing quote. Quote the whole cell, and write a quote inside it twice ("").'
        return [read_strays(cell) for cell in cells], f"Line {self._lines.began}: {why}"

    def _too_long(self) -> str:
        if self._lines.skip():
            return f"Line {self._lines.began}: the row is longer than {RECORD_CHARS:,} characters."
        return self._never_closed()

    def _never_closed(self) -> str:
        self.lost = f"A quote opened in line {self._lines.began} is never closed; nothing after it could be read."
        return self.lost

    def _strayed(self, cells: list[str]) -> tuple[list[str], str]:
        place = next(index for index, cell in enumerate(cells) if STRAY.search(cell))
        name = self.header[place] if place < len(self.header) else f"Cell {place + 1}"
        why = "not in UTF-8, as the rest of the file is; it is read as Windows-1252 here. Is it right?"
        return [read_strays(cell) for cell in cells], f"{name}: {why}"

    def _header(self) -> list[str]:
        try:
            names = next((row for row in self._rows if any(name.strip() for name in row)), [])
        except (csv.Error, _TooLong) as error:
            raise ConfigurationError("The first line, which names the columns, cannot be read as CSV.") from error
        if self._lines.has_stray:
            raise ConfigurationError(
                "The first line is not in UTF-8, as the rest of the file is; save the file anew, or give --encoding."
            )
        names = [unescaped(name.strip()) for name in names]
        while names and not names[-1]:
            names.pop()
        return names


class _TooLong(Exception):
    """A row does not end within RECORD_CHARS."""


class _Lines:
    """The physical lines of a file, and which of them make up the row at hand."""

    def __init__(self, text: TextIO) -> None:
        self._text = text
        self.held: list[str] = []  # lines of this row; no longer than RECORD_CHARS
        self._size = 0
        self._is_inside = False  # a line that was cut: what comes next still belongs to it
        self.has_stray = False  # in this row
        self.line = 0
        self.began = 0

    def begin(self) -> None:
        self.held = []
        self._size = 0
        self.has_stray = False
        self.began = self.line + 1

    def __iter__(self) -> _Lines:
        return self

    def __next__(self) -> str:
        line = self._text.readline(RECORD_CHARS)
        if not line:
            raise StopIteration
        self.line += 1
        self.held.append(line)
        self._size += len(line)
        if not line.isascii() and STRAY.search(line):
            self.has_stray = True
        if self._size >= RECORD_CHARS:
            self._is_inside = not line.endswith(("\n", "\r"))
            raise _TooLong
        return line

    def skip(self) -> bool:
        """Read over the rest of a row that is too long, without keeping it; whether it had an end.

        A row ends with the line in which every quote that was opened is closed.
        """
        quotes = sum(line.count('"') for line in self.held)
        self.held = []
        while self._is_inside or quotes % 2:
            part = self._text.readline(RECORD_CHARS)
            if not part:
                return quotes % 2 == 0
            self.line += not self._is_inside
            self._is_inside = not part.endswith(("\n", "\r"))
            quotes += part.count('"')
        return True
