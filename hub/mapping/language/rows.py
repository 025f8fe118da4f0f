"""What a mapping file says, as plain values: rows. Both engines read it.

Rows are checked when they are built, so nothing here is ever invalid.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import Any, Final

from hub.mapping.language.dialect import Dialect
from hub.mapping.language.expressions import Expression
from hub.mapping.language.paths import ABSENT, Path, fold
from hub.mapping.language.problems import Mark
from hub.mapping.model import Json
from hub.mapping.values.coerce import Coercion

_MAX_KNOWN: Final = 4096  # senders invent keys without end
_MAX_KNOWN_KEY: Final = 200


@dataclass(frozen=True, slots=True)
class Place:
    """Where a row stands: the output it makes (`profile.email`) and its line."""

    path: str
    mark: Mark


@dataclass(frozen=True, slots=True)
class FromPath:
    path: Path

    @property
    def text(self) -> str:
        return self.path.text


@dataclass(frozen=True, slots=True)
class Formula:
    """A JMESPath expression and the paths of the top-level names it reads; `names` is None where it reads all."""

    text: str
    expression: Expression
    names: tuple[tuple[str, Path], ...]
    reads_all: bool
    tree: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Constant:
    value: Json
    text: str = "const"


@dataclass(frozen=True, slots=True)
class Template:
    """Literal text and paths in turn. A missing part makes it absent; `partial` joins what is there."""

    parts: tuple[str | Path, ...]
    partial: bool
    text: str


@dataclass(frozen=True, slots=True)
class Candidate:
    """A candidate that is a row of its own."""

    row: Row

    @property
    def text(self) -> str:
        return self.row.place.path


Source = FromPath | Formula | Constant | Template | Candidate


class Otherwise(Enum):
    """What `values` does with a text it does not list."""

    WARN = "warn"
    KEEP = "keep"
    CONSTANT = "constant"


@dataclass(frozen=True, slots=True)
class Values:
    """`values` of a row: exact text first, then folded text."""

    exact: Mapping[str, Json]
    folded: Mapping[str, Json]
    otherwise: Otherwise
    constant: Json


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """What every form may carry. `removable`: an explicit null means removal here."""

    place: Place
    when: Formula | FromPath | None = None
    default: Json = ABSENT
    required: bool = False
    at: Row | None = None
    removable: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Pick(Row):
    """The first source that is a value and passes. `is_holder`: other rows look into the value; it is not kept."""

    sources: tuple[Source, ...]
    kind: str | None = None
    coerce: Coercion | None = None
    values: Values | None = None
    blanks: frozenset[str] = frozenset()
    currency: Row | None = None
    region: Row | None = None
    is_holder: bool = False

    @property
    def is_bare_path(self) -> bool:
        return len(self.sources) == 1 and isinstance(self.sources[0], FromPath) and self.coerce is None


@dataclass(frozen=True, slots=True, kw_only=True)
class Build(Row):
    """Forms that make an object. `keeps_removed`: its first level may hold REMOVED; `spaced`: white space in its keys
    becomes `_`; `dialect`: the vendor's rules for keys and values that come from data rather than from the file."""

    keeps_removed: bool = False
    spaced: bool = False
    dialect: Dialect | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Object(Build):
    fields: tuple[tuple[str | Template, Row], ...]


@dataclass(slots=True, eq=False)
class Named:
    """Which keys rows name, as a tree. `is_leaf`: the value itself, unless it is an object; `is_whole`: it and all in
    it. `known` remembers what was found for keys of the data."""

    exact: dict[str, Named] = field(default_factory=dict)
    folded: dict[str, Named] = field(default_factory=dict)
    is_leaf: bool = False
    is_whole: bool = False
    known: dict[str, Named | None] = field(default_factory=dict)

    def find(self, key: str) -> Named | None:
        """What rows name of this key: the exact spelling first, then by folding."""
        found = self.exact.get(key)
        if found is None and self.folded:
            found = self.folded.get(fold(key))
        if len(self.known) < _MAX_KNOWN and len(key) <= _MAX_KNOWN_KEY:
            self.known[key] = found
        return found


@dataclass(frozen=True, slots=True, kw_only=True)
class Spread(Build):
    """Every value of an object that is not named elsewhere or left out."""

    source: Row
    named: Named
    without: tuple[Row, ...] = ()
    drop: frozenset[str] = frozenset()
    keys: str = "keep"
    where: Formula | FromPath | None = None
    blanks: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True, kw_only=True)
class EachItem(Row):
    """One value per item of a list or an object."""

    name: str
    source: Row
    where: Formula | FromPath | None
    item: Row


@dataclass(frozen=True, slots=True, kw_only=True)
class EachEntry(Build):
    """One key and value per item; `group` collects the values of a key in a list."""

    name: str
    source: Row
    where: Formula | FromPath | None
    key: Row
    value: Row
    group: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Index(Build):
    """A list of pairs, or an object, as an object. `key` and `value` are paths inside each pair."""

    source: Row
    key: Path
    value: Path
    rename: Mapping[str, str | None]
    blanks: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True, kw_only=True)
class Items(Row):
    """A list of those rows that have a value."""

    rows: tuple[Row, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Merge(Build):
    """Several objects as one; the first writer of a key wins."""

    parts: tuple[Row, ...]
