"""The file of rejected rows: the original columns and `error`, to be corrected and imported again."""

from __future__ import annotations

import csv
import io
import os
from collections.abc import Sequence
from pathlib import Path
from typing import BinaryIO

from hub.imports.cells import escaped
from hub.imports.fields import ERROR
from hub.imports.reading import CsvRow

MARK = b"\xef\xbb\xbf"  # spreadsheets take a file for UTF-8 only with it


class RejectsFile:
    """Made with the first rejected row. `size` bytes of it are known to be right: what a crash left behind them goes."""

    def __init__(self, path: Path, header: Sequence[str], delimiter: str, size: int) -> None:
        self._path = path
        self._header = [name for name in header if name != ERROR]
        self._places = [index for index, name in enumerate(header) if name != ERROR]
        self._width = len(header)
        self._delimiter = delimiter
        self._file: BinaryIO | None = None
        self.size = size if path.exists() else 0
        if size == 0:
            path.unlink(missing_ok=True)

    def add(self, rejected: Sequence[tuple[CsvRow, str]]) -> int:
        """Write rows with the sentence that says why; how many bytes the file has now, all of them on disk."""
        if not rejected:
            return self.size
        file = self._opened()
        text = io.StringIO(newline="")
        rows = csv.writer(text, delimiter=self._delimiter)
        for record, error in rejected:
            for row in record.rows:
                rows.writerow([*map(escaped, self._cells(row)), escaped(error), *map(escaped, self._surplus(row))])
        file.write(text.getvalue().encode("utf-8", "replace"))
        file.flush()
        os.fsync(file.fileno())
        self.size = file.tell()
        return self.size

    def close(self) -> None:
        if self._file is not None:
            self._file.close()
            self._file = None

    def _opened(self) -> BinaryIO:
        if self._file is not None:
            return self._file
        descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT, 0o600)
        self._file = os.fdopen(descriptor, "r+b")
        self._file.truncate(self.size)
        self._file.seek(self.size)
        if self.size == 0:
            text = io.StringIO(newline="")
            csv.writer(text, delimiter=self._delimiter).writerow([*map(escaped, self._header), ERROR])
            self._file.write(MARK + text.getvalue().encode())
        return self._file

    def _cells(self, record: CsvRow) -> list[str]:
        """The cells of the header's columns, empty ones where there are too few; a NUL would spoil the file."""
        cells = record.cells
        return [_clean(cells[index]) if index < len(cells) else "" for index in self._places]

    def _surplus(self, record: CsvRow) -> list[str]:
        """Cells for which the header has no column stand behind the error."""
        return [_clean(cell) for cell in record.cells[self._width :]]


def _clean(cell: str) -> str:
    return cell.replace("\0", "\ufffd")
