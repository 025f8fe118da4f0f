"""From nodes of a mapping file to rows, form by form."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Final

from hub.mapping.build.fit import INSTANT, misfit
from hub.mapping.build.sources import SourceReader
from hub.mapping.build.values import ANY, ValueBuilder, Want, as_holder, note
from hub.mapping.language.dialect import Dialect
from hub.mapping.language.document import Node
from hub.mapping.language.paths import Path, parse_path
from hub.mapping.language.problems import nearest
from hub.mapping.language.schema import FORM_SCHEMAS, FORMS, schema_problems
from hub.mapping.language.rows import (
    Constant,
    EachEntry,
    EachItem,
    FromPath,
    Index,
    Items,
    Merge,
    Named,
    Object,
    Pick,
    Place,
    Row,
    Spread,
    Template,
)

MAX_USE: Final = 8
_MAKES_OBJECTS = frozenset({"object", "spread", "index", "use"})
_SHAPES = frozenset({"object", "items", "record"})
_SHAPED_KINDS: Final[Mapping[str, Mapping[str, str]]] = {
    "refund": {"id": "id", "amount": "money", "at": INSTANT},
}


class RowBuilder(ValueBuilder):
    """Builds rows of every form; `sections` may be named by `use`."""

    def __init__(self, reader: SourceReader, sections: Mapping[str, Node], blanks: frozenset[str], dialect: Dialect | None):
        super().__init__(reader, sections, blanks, dialect)
        self._uses: list[str] = []
        self.rests: list[Spread] = []

    def row(self, node: Node, place: str, want: Want = ANY) -> Row | None:
        """The row of a node, or None where something is wrong with it."""
        row = self._any_row(node, place, want)
        wrong = None if row is None else misfit(row, want.kind, want.shape)
        if wrong is not None:
            self._complain(node, place, wrong)
        return row

    def _any_row(self, node: Node, place: str, want: Want) -> Row | None:
        if isinstance(node.value, str):
            return self._pick(node, place, want, [node], {})
        if node.is_list:
            return self._list(node, place, want)
        if not node.is_map:
            self._complain(
                node, place, f"a row is a path; a fixed value is written {{const: {json.dumps(node.plain())}}}"
            )
            return None
        form = self._form(node, place)
        return None if form is None else _FORMS[form](self, node, place, want)

    def fields(self, node: Node, place: str, want: Want, *, parent: Node | None = None) -> Object:
        """A map of rows as an object."""
        rows: list[tuple[str | Template, Row]] = []
        for key, child in node.items():
            if child.value is None:
                continue
            kind = want.kinds.get(key)
            inner = Want(
                kind=kind if kind not in _SHAPES else None,
                item_kinds=want.item_kinds if kind == "items" else {},
                kinds=_SHAPED_KINDS.get(key, {}) if kind == "record" else {},
                shape=kind if kind in _SHAPES else "any",
                removable=want.keeps_removed,
                spaced=key == "metadata",
                keeps_removed=want.keeps_removed and not self.reader.is_inbound,
            )
            row = self.row(child, f"{place}.{key}", inner)
            name = self._key(key, node, f"{place}.{key}")
            if row is not None and name is not None:
                rows.append((name, row))
        common = {} if parent is None else self._common(parent, place, want)
        return Object(
            place=Place(place, node.mark),
            fields=tuple(rows),
            keeps_removed=want.keeps_removed,
            spaced=want.spaced,
            **common,
        )

    def _form(self, node: Node, place: str) -> str | None:
        found = [form for form in FORMS if form in node.value]
        if len(found) == 1:
            problems = schema_problems(node, FORM_SCHEMAS[found[0]], self.reader.full_path(place))
            self.reader.problems += problems
            return None if problems else found[0]
        if found:
            self._complain(node, place, f"a row has one form, not {' and '.join(found)} at once")
            return None
        first = next(iter(node.value), "")
        words = (
            f"a row needs one of {', '.join(FORMS)}; {first!r} is none{nearest(first, FORMS)}"
            if first
            else "a row is empty"
        )
        self._complain(node, place, words)
        return None

    def _list(self, node: Node, place: str, want: Want) -> Row | None:
        makes = [
            child.is_map and bool(_MAKES_OBJECTS & child.value.keys() or _is_entries(child)) for child in node.value
        ]
        if not any(makes):
            return self._pick(node, place, want, node.value, {})
        if not all(makes):
            child = node.value[makes.index(False)]
            self._complain(child, place, "in a list of objects to merge, every entry makes an object")
            return None
        parts = [self.row(child, place, replace(want, shape="object")) for child in node.value]
        return Merge(
            place=Place(place, node.mark),
            parts=tuple(part for part in parts if part is not None),
            keeps_removed=want.keeps_removed,
            spaced=want.spaced,
            dialect=self.dialect,
        )

    def _from(self, node: Node, place: str, want: Want) -> Row | None:
        given = node.value["from"]
        return self._pick(node, place, want, given.value if given.is_list else [given], node.value)

    def _const(self, node: Node, place: str, want: Want) -> Row | None:
        coerce = self._coercion(want.kind, {}, node, place)
        value = self._fixed(node.value["const"], want, coerce, place)
        common = self._common(node, place, want, coerce)
        return Pick(place=Place(place, node.mark), sources=(Constant(value),), **common)

    def _template(self, node: Node, place: str, want: Want) -> Row | None:
        return self._pick(node, place, want, [node], node.value)

    def _object(self, node: Node, place: str, want: Want) -> Row | None:
        return self.fields(node.value["object"], place, want, parent=node)

    def _items(self, node: Node, place: str, want: Want) -> Row | None:
        rows = [self.row(child, place, Want(kinds=want.item_kinds)) for child in node.value["list"].value]
        kept = tuple(row for row in rows if row is not None)
        return Items(place=Place(place, node.mark), rows=kept, **self._common(node, place, want))

    def _spread(self, node: Node, place: str, want: Want) -> Row | None:
        source = self._holder(node.value["spread"], place)
        if source is None:
            return None
        named = Named()
        without = [self._left_out(child, place, named) for child in self._children(node, "except")]
        spread = Spread(
            place=Place(place, node.mark),
            source=source,
            named=named,
            without=tuple(row for row in without if row is not None),
            drop=frozenset(child.value for child in self._children(node, "drop")),
            keys=str(self._plain(node, "keys", "keep")),
            where=self._condition(node, "where", place, ("key", "value")),
            blanks=self.blanks,
            **self._build(node, place, want),
        )
        if self._plain(node, "rest", None) is True:
            self.rests.append(spread)
        return spread

    def _holder(self, node: Node, place: str) -> Row | None:
        """What others look into."""
        row = self.row(node, place)
        return as_holder(row) if isinstance(row, Pick) else row

    def _left_out(self, child: Node, place: str, named: Named) -> Row | None:
        if child.is_map or child.is_list:
            return self.row(child, place, Want(kind="string"))
        steps = parse_path(str(child.value))
        if steps is None:
            self._complain(child, place, f"{child.value!r} is not a key")
            return None
        note(named, steps, whole=True)
        return None

    def _each(self, node: Node, place: str, want: Want) -> Row | None:
        ((name, over),) = node.value["each"].items()
        source = self._holder(over, place)
        has_map, has_key = "map" in node.value, "key" in node.value or "value" in node.value
        if has_map == has_key:
            self._complain(node, place, "`each` needs either `map` (a list) or `key` and `value` (an object)")
            return None
        where = self._condition(node, "where", place, (name,))
        with self.reader.binding(name):
            made = self._each_item(node, place, want) if has_map else self._each_entry(node, place, want)
        if source is None or made is None:
            return None
        if isinstance(made, Row):
            common = self._common(node, place, want)
            return EachItem(place=Place(place, node.mark), name=name, source=source, where=where, item=made, **common)
        key, value = made
        return EachEntry(
            place=Place(place, node.mark),
            name=name,
            source=source,
            where=where,
            key=key,
            value=value,
            group=self._plain(node, "group", None) is True,
            **self._build(node, place, want),
        )

    def _each_item(self, node: Node, place: str, want: Want) -> Row | None:
        shape = node.value["map"]
        if shape.is_map and not set(FORMS) & shape.value.keys():
            return self.fields(shape, f"{place}[]", Want(kinds=want.item_kinds))
        return self.row(shape, f"{place}[]", Want(kinds=want.item_kinds))

    def _each_entry(self, node: Node, place: str, want: Want) -> tuple[Row, Row] | None:
        if "key" not in node.value or "value" not in node.value:
            self._complain(node, place, "`each` needs `key` and `value` for an object, or `map` for a list")
            return None
        key = self.row(node.value["key"], f"{place} (key)", Want(kind="string"))
        value = self.row(
            node.value["value"], f"{place}[]", Want(kinds=want.kinds, kind=want.kind, removable=want.keeps_removed)
        )
        return None if key is None or value is None else (key, value)

    def _index(self, node: Node, place: str, want: Want) -> Row | None:
        source = self._holder(node.value["index"], place)
        key, value = (self._inner(node, name, place) for name in ("key", "value"))
        if source is None or key is None or value is None:
            return None
        renames = node.value.get("rename")
        rename = {
            name: None if child.value is None else str(child.value)
            for name, child in (renames.items() if renames else ())
        }
        build = self._build(node, place, want)
        return Index(
            place=Place(place, node.mark),
            source=source,
            key=key,
            value=value,
            rename=rename,
            blanks=self.blanks,
            **build,
        )

    def _inner(self, node: Node, name: str, place: str) -> Path | None:
        text = str(self._plain(node, name, name))
        steps = parse_path(text)
        if steps is None:
            self._complain(node.value[name], place, f"{text!r} is not a path inside a pair")
            return None
        return Path("pair", steps, text)

    def _use(self, node: Node, place: str, want: Want) -> Row | None:
        name = node.value["use"]
        section = self.sections.get(str(name.value))
        if section is None:
            self._complain(name, place, f"there is no section {name.value!r}{nearest(str(name.value), self.sections)}")
            return None
        if name.value in self._uses or len(self._uses) >= MAX_USE:
            self._complain(name, place, f"the section {name.value!r} uses itself")
            return None
        self._uses.append(name.value)
        if section.is_list or (section.is_map and set(FORMS) & section.value.keys()):
            row = self.row(section, place, want)
        else:
            row = self.fields(section, place, want)
        self._uses.pop()
        common = self._common(node, place, want)
        return (
            None
            if row is None
            else replace(row, **{name: value for name, value in common.items() if name != "removable"})
        )

    def close_rests(self, start: int) -> None:
        """Tell every `rest` spread of an output which keys that output's rows name."""
        paths = self.reader.read_paths[start:]
        for spread in self.rests:
            source = spread.source
            if not isinstance(source, Pick) or not isinstance(source.sources[0], FromPath):
                continue
            origin = source.sources[0].path
            for path, whole in paths:
                depth = len(origin.steps)
                if path.root == origin.root and path.steps[:depth] == origin.steps and len(path.steps) > depth:
                    note(spread.named, path.steps[depth:], whole=whole)
        self.rests.clear()


_FORMS: Final[Mapping[str, Callable[[RowBuilder, Node, str, Want], Row | None]]] = {
    "from": RowBuilder._from,  # noqa: SLF001 - the table of its own methods
    "const": RowBuilder._const,  # noqa: SLF001
    "template": RowBuilder._template,  # noqa: SLF001
    "object": RowBuilder._object,  # noqa: SLF001
    "list": RowBuilder._items,  # noqa: SLF001
    "spread": RowBuilder._spread,  # noqa: SLF001
    "each": RowBuilder._each,  # noqa: SLF001
    "index": RowBuilder._index,  # noqa: SLF001
    "use": RowBuilder._use,  # noqa: SLF001
}


def _is_entries(node: Node) -> bool:
    return "each" in node.value and "key" in node.value
