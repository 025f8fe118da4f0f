"""Which column of a file becomes which field, decided once per file from the names in its header."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from hub.imports.fields import ERROR, FIELDS, ITEM, ITEM_NAMES, ITEMS, LEFT_OUT
from hub.mapping.language.paths import fold
from hub.mapping.language.problems import nearest
from hub.mapping.values.coerce import INBOUND
from hub.sdk.errors import ConfigurationError

TYPES = INBOUND - {"email", "phone", "money", "id"}
"""What `metadata.points:number` may name behind the colon; without it, cells are text."""
MAX_COLUMNS = 1_000
_TYPED = {ITEMS: "json", "product.attributes": "list"}


class Column(NamedTuple):
    """One column: `group` and `key` say where its cells go; without a group it stands at the top. `type`: see TYPES."""

    place: int
    header: str
    group: str
    key: str
    type: str = ""

    @property
    def field(self) -> str:
        """As `--map` names it."""
        name = f"{self.group}.{self.key}" if self.group else self.key
        return f"{name}:{self.type}" if self.type else name

    @property
    def is_left_out(self) -> bool:
        return not self.group and self.key == LEFT_OUT  # `metadata.-` is a key like any other


class ColumnPlan(NamedTuple):
    """What becomes of the columns of a file. `dates`: `dmy` or `mdy`, where days are not written as ISO 8601 has them."""

    kind: str
    header: Sequence[str]
    columns: Sequence[Column]
    dates: str = ""

    def as_json(self) -> dict[str, str]:
        """Header → field; `-` is left out."""
        return {column.header: LEFT_OUT if column.is_left_out else shown(column.field) for column in self.columns}


def plan(kind: str, header: Sequence[str], given: Mapping[str, str]) -> ColumnPlan:
    """Choose a field for each column: as `given` (header → field) says, else by its name.

    Raises ConfigurationError with a sentence that names the column.
    """
    if kind not in FIELDS:
        raise ConfigurationError(f"There is no import of {kind!r}{nearest(kind, FIELDS)}")
    names = _named(header)
    _check_header(header, names, given)
    header = names
    chosen: dict[int, str] = {index: given[name] for index, name in enumerate(header) if name in given}
    chosen.update({index: LEFT_OUT for index, name in enumerate(header) if name == ERROR and index not in chosen})
    by_name = _by_name(kind, header, chosen)
    columns = [_column(kind, index, name, chosen.get(index) or by_name.get(index)) for index, name in enumerate(header)]
    _check_twice(columns)
    _check_items(columns)
    _check_required(kind, columns)
    return ColumnPlan(kind, tuple(header), tuple(columns))


def parse_fields(pairs: Sequence[str]) -> dict[str, str]:
    """`("E-mail=email",)` as header → field. A header may hold `=`, a field cannot. Raises ConfigurationError."""
    fields = {}
    for pair in pairs:
        header, equals, field = pair.rpartition("=")
        if not equals or not header.strip() or not field.strip():
            raise ConfigurationError(f"{pair!r} maps no column; write it as COLUMN=FIELD, such as 'E-mail=email'.")
        fields[header.strip()] = field.strip()
    return fields


def shown(field: str) -> str:
    """A field as operators write it: traits, and the fields of an order, event or product, without their group."""
    group, dot, key = field.partition(".")
    return key if dot and group in ("traits", "order", "event", "product") else field


def _named(header: Sequence[str]) -> list[str]:
    """A name for each column: its place, as `#2`, where it has none of its own."""
    twice = {name for name, count in Counter(header).items() if count > 1}
    return [name if name and name not in twice else f"#{place}" for place, name in enumerate(header, 1)]


def _check_header(header: Sequence[str], names: Sequence[str], given: Mapping[str, str]) -> None:
    if not header:
        raise ConfigurationError("The file has no header: its first line must name the columns.")
    if len(header) > MAX_COLUMNS:
        raise ConfigurationError(f"The file has {len(header):,} columns; at most {MAX_COLUMNS:,} can be read.")
    for place, (own, name) in enumerate(zip(header, names, strict=True), 1):
        if "\0" in own:
            raise ConfigurationError(f"The name of column {place} holds a NUL character; is this a CSV file?")
        if own != name and name not in given:
            why = f"has the name {own!r}, which another column has too" if own else "has no name"
            raise ConfigurationError(
                f"Column {place} {why}; say what it is with --map '{name}=FIELD', or leave it out with --map '{name}=-'."
            )
    unknown = next((name for name in given if name not in names), None)
    if unknown is not None:
        raise ConfigurationError(f"--map: there is no column {unknown!r} in the file{nearest(unknown, names)}")


def _by_name(kind: str, header: Sequence[str], chosen: Mapping[int, str]) -> dict[int, str]:
    """The fields that columns stand for by their name. Of several names for a field the most certain one takes it."""
    free = {index: fold(name) for index, name in enumerate(header) if index not in chosen}
    taken = {_full(kind, field.partition(":")[0]) for field in chosen.values()}
    found: dict[int, str] = {}
    for field, names in FIELDS[kind].fields.items():
        if field in taken:
            continue
        for alias in names:
            here = [index for index, folded in free.items() if folded == fold(alias) and index not in found]
            if len(here) > 1:
                one, other = header[here[0]], header[here[1]]
                raise ConfigurationError(
                    f"The columns {one!r} and {other!r} both mean {shown(field)!r}; leave one out with"
                    f" --map '{other}=-', or name what it is."
                )
            if here:
                found[here[0]] = field
                break
    if ITEM_NAMES.isdisjoint({*found.values(), *taken}):
        return {index: field for index, field in found.items() if not field.startswith(f"{ITEM}.")}
    return found


def _column(kind: str, index: int, header: str, field: str | None) -> Column:
    """A column's place; by its prefix, or among the rest, where no field was chosen for it."""
    if field == LEFT_OUT:
        return Column(index, header, "", LEFT_OUT)
    if field is not None:
        return _placed(kind, index, header, field)
    rest = FIELDS[kind].rest
    if rest == LEFT_OUT:
        return Column(index, header, "", LEFT_OUT)
    group, dot, key = header.partition(".")
    folded = group.strip().lower()
    if dot and key.strip() and folded in (rest, *FIELDS[kind].groups):
        return _placed(kind, index, header, f"{folded}.{key}", is_told=False)
    return _placed(kind, index, header, f"{rest}.{header}", is_told=False)


def _placed(kind: str, index: int, header: str, field: str, *, is_told: bool = True) -> Column:
    """A field as someone wrote it. `is_told`: in --map, where an unknown type is an error rather than part of a name."""
    name, colon, kind_of = field.rpartition(":")
    if not colon or (not is_told and not (kind_of in TYPES and name.partition(".")[2].strip())):
        name, kind_of = field, ""
    full = _full(kind, name)
    group, dot, key = full.partition(".")
    rest = FIELDS[kind].rest
    if full in FIELDS[kind].fields:
        if kind_of:
            raise ConfigurationError(
                f"--map {header!r}: {name!r} has a type of its own; leave ':{kind_of}' out, or write {rest}.NAME:TYPE."
            )
        return Column(index, header, group if dot else "", key or full, _TYPED.get(full, ""))
    if not dot or not key.strip() or group not in (rest, *FIELDS[kind].groups):
        words = {shown(each) for each in FIELDS[kind].fields} | {f"{rest}.NAME"} - {f"{LEFT_OUT}.NAME"}
        raise ConfigurationError(f"--map {header!r}: there is no field {name!r}{nearest(name, words)}")
    if kind_of and (kind_of not in TYPES or group not in (rest, ITEM)):
        raise ConfigurationError(f"--map {header!r}: there is no type {kind_of!r}{nearest(kind_of, TYPES)}")
    return Column(index, header, group, _key(key), "" if kind_of == "string" else kind_of)


def _full(kind: str, name: str) -> str:
    """`email` → `traits.email`: a field by the short name operators write."""
    fields = FIELDS[kind].fields
    if name in fields:
        return name
    return next((field for field in fields if shown(field) == name), name)


def _key(text: str) -> str:
    """A key of metadata: white space becomes `_`."""
    return "_".join(text.split())


def _check_twice(columns: Sequence[Column]) -> None:
    seen: dict[tuple[str, str], str] = {}
    for column in columns:
        if column.is_left_out:
            continue
        first = seen.setdefault((column.group, column.key), column.header)
        if first != column.header:
            raise ConfigurationError(
                f"The columns {first!r} and {column.header!r} both go to {shown(column.field)!r}; leave one out with"
                f" --map '{column.header}=-'."
            )


def _check_items(columns: Sequence[Column]) -> None:
    """The items of an order come as a list in one column, or in rows of their own."""
    rows = next((column for column in columns if column.group == ITEM), None)
    listed = next((column for column in columns if f"{column.group}.{column.key}" == ITEMS), None)
    if rows is not None and listed is not None:
        raise ConfigurationError(
            f"Both {listed.header!r} and {rows.header!r} tell of the items of an order; leave one out with"
            f" --map '{rows.header}=-'."
        )


def _check_required(kind: str, columns: Sequence[Column]) -> None:
    there = {f"{column.group}.{column.key}" if column.group else column.key for column in columns}
    missing = next((field for field in FIELDS[kind].required if field not in there), None)
    if missing is not None:
        names = ", ".join(repr(column.header) for column in columns[:10])
        raise ConfigurationError(
            f"No column holds the {shown(missing)} of {kind}. The columns are {names}; name it with"
            f" --map 'COLUMN={shown(missing)}'."
        )
