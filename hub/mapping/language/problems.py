"""What is wrong with a mapping file, and where."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from hub.sdk.errors import MappingInvalid


class Mark(NamedTuple):
    """A place in a file; line and column count from 1."""

    file: str
    line: int
    column: int


class Problem(NamedTuple):
    """One thing that is wrong. `path` is the place inside the document (`rules.identify.profile.email`)."""

    file: str
    line: int
    column: int
    path: str
    text: str

    def __str__(self) -> str:
        where = f"{self.file}:{self.line}:{self.column}"
        return f"{where}: {self.path}: {self.text}" if self.path else f"{where}: {self.text}"


class MappingFileInvalid(MappingInvalid):
    """The mapping file is not valid; every problem names its line and column."""

    def __init__(self, problems: Sequence[Problem]) -> None:
        self.problems = tuple(problems)
        super().__init__("\n".join(str(problem) for problem in self.problems))


def problem(mark: Mark, path: str, text: str) -> Problem:
    return Problem(mark.file, mark.line, mark.column, path, text)


def nearest(word: str, words: Iterable[str]) -> str:
    """`; did you mean 'x'?` or the list of what is allowed: the end of a sentence about a wrong word."""
    allowed = sorted(words)
    close = difflib.get_close_matches(word, allowed, 1, 0.6)
    if close:
        return f"; did you mean {close[0]!r}?"
    return f"; allowed: {', '.join(allowed)}." if allowed else "."
