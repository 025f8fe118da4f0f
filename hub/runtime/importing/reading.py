"""Reads a CSV file of unknown making: its encoding, its delimiter, its rows, in bounded memory.

The file is read twice: once as bytes, for its hash and to find an encoding that fits all of it, so that nothing is
imported of a file whose end cannot be read; then row by row.
"""

from __future__ import annotations

import codecs
import csv
import hashlib
import io
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import BinaryIO, NamedTuple, TextIO

from hub.runtime.importing.cells import unescaped
from hub.sdk.errors import ConfigurationError

DELIMITERS = (",", ";", "\t", "|")
RECORD_CHARS = 1_048_576  # of one row: more is no row, but a quote that is never closed
PART = 1_048_576
SAMPLE_CHARS = 65_536
SAMPLE_ROWS = 20
NOT_IN_1252 = b"\x81\x8d\x8f\x90\x9d"  # bytes without a character in Windows-1252
_MARKS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),  # before UTF-16, whose mark it begins with
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)


class Dialect(NamedTuple):
    """How a file is written. `has_hint`: its first line is Excel's `sep=;`, which is no row."""

    encoding: str
    delimiter: str
    has_hint: bool = False


class Record(NamedTuple):
    """One row below the header; the first is number 1. With `error` it could not be read, and has no cells."""

    number: int
    line: int
    cells: list[str]
    error: str = ""


@dataclass(frozen=True)
class Opened:
    """A file that can be read to its end."""

    path: Path
    size: int
    hash: str  # SHA-256 of its bytes
    dialect: Dialect


def examine(path: Path, encoding: str = "", delimiter: str = "") -> Opened:
    """Find out how a file is written, or check what was said of it. Raises ConfigurationError with a sentence."""
    if encoding:
        _check_encoding(encoding)
    size = path.stat().st_size
    if size == 0:
        raise ConfigurationError(f"The file {path.name!r} is empty.")
    digest, found = _scan(path, encoding)
    with path.open(encoding=found, newline="") as file:
        sample = file.read(SAMPLE_CHARS)
    if not sample.strip():
        raise ConfigurationError(f"The file {path.name!r} is empty.")
    hint = _hint(sample)
    if delimiter and len(delimiter) != 1:
        raise ConfigurationError(f"A delimiter is one character, such as ; or a tab; {delimiter!r} is none.")
    return Opened(path, size, digest, Dialect(found, delimiter or hint or _delimiter(sample), bool(hint)))


def header_of(opened: Opened) -> list[str]:
    """The names of the columns; empty ones at the end are left out. Raises ConfigurationError."""
    with Reader(opened) as reader:
        return reader.header


class Reader:
    """The rows of a file, one after another: `with Reader(opened) as reader: for record in reader: ...`."""

    header: list[str]

    def __init__(self, opened: Opened) -> None:
        self._opened = opened
        csv.field_size_limit(max(csv.field_size_limit(), RECORD_CHARS))

    def __enter__(self) -> Reader:
        self._bytes: BinaryIO = self._opened.path.open("rb")
        self._file = io.TextIOWrapper(self._bytes, encoding=self._opened.dialect.encoding, newline="")
        self._lines = _Lines(self._file)
        if self._opened.dialect.has_hint:
            next(self._lines)
        self._rows = csv.reader(self._lines, delimiter=self._opened.dialect.delimiter, strict=True)
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

    def __iter__(self) -> Iterator[Record]:
        """Every row but blank ones. What cannot be read is a record with an error, and reading goes on behind it."""
        number = 0
        while True:
            self._lines.begin()
            error, cells = "", []
            try:
                cells = next(self._rows)
            except StopIteration:
                return
            except csv.Error as found:
                error = _told(found)
            except _TooLong:
                error = self._lines.skip()
            if error or any(cells):
                number += 1
                yield Record(number, self._lines.began, cells, error)

    def _header(self) -> list[str]:
        try:
            names = next((row for row in self._rows if any(name.strip() for name in row)), [])
        except (csv.Error, _TooLong) as error:
            raise ConfigurationError("The first line, which names the columns, cannot be read as CSV.") from error
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
        self._held: list[str] = []  # lines of this row; no longer than RECORD_CHARS
        self._size = 0
        self._is_inside = False  # a line that was cut: what comes next still belongs to it
        self.line = 0
        self.began = 0

    def begin(self) -> None:
        self._held = []
        self._size = 0
        self.began = self.line + 1

    def __iter__(self) -> _Lines:
        return self

    def __next__(self) -> str:
        line = self._text.readline(RECORD_CHARS)
        if not line:
            raise StopIteration
        self.line += 1
        self._held.append(line)
        self._size += len(line)
        if self._size >= RECORD_CHARS:
            self._is_inside = not line.endswith(("\n", "\r"))
            raise _TooLong
        return line

    def skip(self) -> str:
        """Read over the rest of a row that is too long, without keeping it; the sentence that says so.

        A row ends with the line in which every quote that was opened is closed.
        """
        quotes = sum(line.count('"') for line in self._held)
        self._held = []
        while self._is_inside or quotes % 2:
            part = self._text.readline(RECORD_CHARS)
            if not part:
                if quotes % 2:
                    return f"A quote opened in line {self.began} is never closed; nothing after it could be read."
                break
            self.line += not self._is_inside
            self._is_inside = not part.endswith(("\n", "\r"))
            quotes += part.count('"')
        return f"The row is longer than {RECORD_CHARS:,} characters."


def _told(error: csv.Error) -> str:
    words = str(error)
    if "unexpected end of data" in words:
        return "A quote that this row opens is never closed; nothing after it could be read."
    if "expected after" in words:
        return 'Text follows a closing quote. Quote the whole cell, and write a quote inside it twice ("").'
    return f"The row is no CSV: {words}."


# ── encodings ────────────────────────────────────────────────────────────────────────────────────────────────────


def _check_encoding(name: str) -> None:
    try:
        "a,b".encode(name)
    except (LookupError, ValueError):
        raise ConfigurationError(
            f"There is no encoding {name!r}; try utf-8, utf-16, windows-1252 or iso-8859-2."
        ) from None


def _scan(path: Path, encoding: str) -> tuple[str, str]:
    """(SHA-256, an encoding that fits the whole file). Raises ConfigurationError where the one asked for does not."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        start = file.read(PART)
        marked = _marked(start)
        name = encoding or marked or _unmarked_utf_16(start) or "utf-8"
        if marked == "utf-8-sig" and codecs.lookup(name).name == "utf-8":
            name = marked  # the mark is no part of the first column's name
        decoder: codecs.IncrementalDecoder | None = codecs.getincrementaldecoder(name)()
        has_gap, done, part = False, 0, start
        while part or decoder is not None:
            digest.update(part)
            has_gap = has_gap or len(part.translate(None, NOT_IN_1252)) < len(part)
            if decoder is not None:
                try:
                    decoder.decode(part, final=not part)
                except UnicodeError as error:
                    if encoding or name != "utf-8":
                        raise _undecodable(path, name, done, error) from None
                    decoder = None
            if not part:
                break
            done += len(part)
            part = file.read(PART)
    if decoder is None:
        name = "latin-1" if has_gap else "windows-1252"
    return digest.hexdigest(), name


def _undecodable(path: Path, name: str, done: int, error: UnicodeError) -> ConfigurationError:
    at = done + error.start if isinstance(error, UnicodeDecodeError) else done
    return ConfigurationError(
        f"The file {path.name!r} is not {name}: near byte {at:,} it cannot be read. Give its encoding with --encoding."
    )


def _marked(start: bytes) -> str:
    return next((name for mark, name in _MARKS if start.startswith(mark)), "")


def _unmarked_utf_16(start: bytes) -> str:
    """Where every other byte is nearly always zero: text of Latin letters in UTF-16 without a mark."""
    sample = start[:4096]
    half = len(sample) // 2
    if half == 0:
        return ""
    if sample[1::2].count(0) > half * 0.7:
        return "utf-16-le"
    return "utf-16-be" if sample[::2].count(0) > half * 0.7 else ""


# ── delimiters ───────────────────────────────────────────────────────────────────────────────────────────────────


def _hint(sample: str) -> str:
    """The delimiter that Excel's first line `sep=;` names."""
    first = sample.partition("\n")[0].strip().strip('"')
    return first[4] if len(first) == 5 and first.lower().startswith("sep=") else ""


def _delimiter(sample: str) -> str:
    """The one that cuts most rows into as many cells as the header; then the one that makes most cells."""
    lines = sample.splitlines(keepends=True)
    if len(sample) == SAMPLE_CHARS and len(lines) > 1:
        lines.pop()  # it may be cut
    return max(DELIMITERS, key=lambda delimiter: _fit(lines, delimiter))


def _fit(lines: Sequence[str], delimiter: str) -> tuple[float, int]:
    try:
        rows = [row for row in islice(csv.reader(lines, delimiter=delimiter), SAMPLE_ROWS) if any(row)]
    except csv.Error:
        return 0.0, 0
    width = len(rows[0]) if rows else 0
    if width < 2:
        return 0.0, 0
    return sum(len(row) == width for row in rows) / len(rows), width
