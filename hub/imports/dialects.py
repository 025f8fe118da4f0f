"""How a CSV file of unknown making is written: its encoding and its delimiter, found out or checked.

The whole file is read once as bytes, for its hash and to find an encoding that fits all of it, so that nothing is
imported of a file whose end cannot be read.
"""

from __future__ import annotations

import codecs
import csv
import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import NamedTuple

from hub.sdk.errors import ConfigurationError

DELIMITERS = (",", ";", "\t", "|")
PART = 1_048_576
SAMPLE_CHARS = 65_536
SAMPLE_ROWS = 20
STRAYS = "surrogateescape"
"""How Python decodes text in which some bytes may not fit: those become the characters that STRAY finds."""
STRAY = re.compile("[\udc80-\udcff]")
STILL_UTF_8 = 0.1  # letters for each stray byte: in a file of one byte a character they come by accident only
FALLBACK = "windows-1252"
NOT_IN_1252 = b"\x81\x8d\x8f\x90\x9d"  # bytes without a character in Windows-1252
_MARKS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),  # before UTF-16, whose mark it begins with
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)


class Dialect(NamedTuple):
    """How a file is written. `has_hint`: its first line is Excel's `sep=;`, which is not a row."""

    encoding: str
    delimiter: str
    has_hint: bool = False


@dataclass(frozen=True)
class Opened:
    """A file that can be read to its end. `is_guessed`: it is not Unicode, and nobody said what it is."""

    path: Path
    size: int
    hash: str  # SHA-256 of its bytes
    dialect: Dialect
    is_guessed: bool = False


def examine(path: Path, encoding: str = "", delimiter: str = "") -> Opened:
    """Find out how a file is written, or check what was said of it. Raises ConfigurationError with a sentence."""
    if encoding:
        _check_encoding(encoding)
    size = path.stat().st_size
    if size == 0:
        raise ConfigurationError(f"The file {path.name!r} is empty.")
    digest, found = _scan(path, encoding)
    with path.open(encoding=found, newline="", errors=STRAYS) as file:
        sample = file.read(SAMPLE_CHARS)
    if not sample.strip():
        raise ConfigurationError(f"The file {path.name!r} is empty.")
    hint = _hint(sample)
    if delimiter and len(delimiter) != 1:
        raise ConfigurationError(f"A delimiter is one character, such as ; or a tab; {delimiter!r} is none.")
    dialect = Dialect(found, delimiter or hint or _delimiter(sample), bool(hint))
    return Opened(path, size, digest, dialect, is_guessed=not encoding and found in (FALLBACK, "latin-1"))


def read_strays(text: str) -> str:
    """The same text with stray bytes read as Windows-1252, which they most likely are."""
    return STRAY.sub(lambda found: bytes([ord(found[0]) - 0xDC00]).decode(FALLBACK, "replace"), text)


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
        part = file.read(PART)
        marked = _marked(part)
        name = encoding or marked or _unmarked_utf_16(part)
        if marked == "utf-8-sig" and name and codecs.lookup(name).name == "utf-8":
            name = marked  # the mark is not part of the first column's name
        is_strict = bool(encoding) or name not in ("", "utf-8-sig")
        decoder = codecs.getincrementaldecoder(name or "utf-8")("strict" if is_strict else STRAYS)
        seen, done = _Seen(), 0
        while True:
            digest.update(part)
            try:
                text = decoder.decode(part, final=not part)
            except UnicodeError as error:
                raise _undecodable(path, name, done, error) from None
            if not name:
                seen.add(part, text)
            if not part:
                return digest.hexdigest(), name or seen.encoding
            done += len(part)
            part = file.read(PART)


class _Seen:
    """What a file holds that was read as UTF-8: how many letters beyond ASCII, and how many bytes that did not fit."""

    def __init__(self) -> None:
        self._letters = self._strays = 0
        self._has_gap = False

    def add(self, part: bytes, text: str) -> None:
        if text.isascii():
            return
        strays = len(STRAY.findall(text))
        self._strays += strays
        self._letters += len(text) - len(text.encode("ascii", "ignore")) - strays
        self._has_gap = self._has_gap or len(part.translate(None, NOT_IN_1252)) < len(part)

    @property
    def encoding(self) -> str:
        """UTF-8 if it is that but for a few rows, which will be rejected; else one where each byte is a letter."""
        if not self._strays or self._letters >= self._strays * STILL_UTF_8:
            return "utf-8"
        return "latin-1" if self._has_gap else FALLBACK


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
