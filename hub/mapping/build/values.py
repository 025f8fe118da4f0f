"""From nodes of a mapping file to rows of values: paths, candidates, coercions, `values`, `when`."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Final

from hub.mapping.build.fit import INSTANT, coerced_as, fixed
from hub.mapping.build.sources import SourceReader
from hub.mapping.values.coerce import INBOUND, OUTBOUND, Coercion, coercion, scalar_text
from hub.mapping.values.coerce_time import datetime_reader
from hub.mapping.language.dialect import Dialect
from hub.mapping.language.document import Node
from hub.mapping.model import Json
from hub.mapping.language.paths import ABSENT, fold
from hub.mapping.language.problems import nearest
from hub.mapping.language.rows import (
    Candidate,
    Constant,
    Formula,
    FromPath,
    Items,
    Named,
    Otherwise,
    Pick,
    Place,
    Row,
    Source,
    Spread,
    Template,
    Values,
)

_SCALAR_KINDS = frozenset(INBOUND | OUTBOUND | {INSTANT}) - {"list", "json"}
_OPTIONS = ("unit", "zone", "format")


@dataclass(frozen=True, slots=True)
class Want:
    """What the place of a row asks of it.

    `kind`: the coercion where the row names none; `kinds`: those of an object's fields; `item_kinds`: those of a
    list's items; `shape`: object where only objects make sense; `removable`: null means removal; `keeps_removed`: so
    do nulls one level down.
    """

    kind: str | None = None
    kinds: Mapping[str, str] = field(default_factory=dict)
    item_kinds: Mapping[str, str] = field(default_factory=dict)
    shape: str = "any"
    removable: bool = False
    keeps_removed: bool = False
    spaced: bool = False


ANY: Final = Want()


class ValueBuilder(ABC):
    """Builds rows of values, and what every row may carry. Problems are collected in `reader`."""

    def __init__(self, reader: SourceReader, sections: Mapping[str, Node], blanks: frozenset[str], dialect: Dialect | None):
        self.reader = reader
        self.sections = sections
        self.blanks = blanks
        self.dialect = dialect

    @abstractmethod
    def row(self, node: Node, place: str, want: Want = ANY) -> Row | None:
        """The row of a node, or None where something is wrong with it."""

    def _pick(self, node: Node, place: str, want: Want, given: list[Node], own: Mapping[str, Node]) -> Row | None:
        kind, wrong = coerced_as(want.kind, str(own["as"].value) if "as" in own else None)
        if wrong is not None:
            self._complain(own["as"], place, wrong)
        options = {name: own[name].value for name in _OPTIONS if name in own}
        if kind is None and "format" in options:
            kind = "datetime"
        naming = next((own[name] for name in (*_OPTIONS, "as") if name in own), node)
        coerce = self._coercion(kind, options, naming, place)
        inner = Want(kind=kind)
        values = self._values(own, place)
        sources = [self._source(child, place, inner, kind, own, values) for child in given]
        if not given:
            self._complain(node, place, "a list of candidates must not be empty")
        blanks = self.blanks | {text_key(child.value) for child in (own["blank"].value if "blank" in own else ())}
        row = Pick(
            place=Place(place, node.mark),
            sources=tuple(source for source in sources if source is not None),
            kind=kind,
            coerce=coerce,
            values=values,
            blanks=frozenset(blanks),
            currency=self._context(own, "currency", place),
            region=self._regions(own, place),
            **(self._common(node, place, replace(want, kind=kind), coerce) if own else {"removable": want.removable}),
        )
        if want.shape in {"object", "record"} and kind is None:
            source = as_holder(replace(row, when=None, default=ABSENT, required=False, removable=False, at=None))
            return Spread(
                place=row.place, source=source, named=Named(), when=row.when, default=row.default, required=row.required,
                at=row.at, blanks=self.blanks, dialect=self.dialect, keeps_removed=want.keeps_removed, spaced=want.spaced,
            )  # fmt: skip
        return row

    def _source(
        self, child: Node, place: str, inner: Want, kind: str | None, own: Mapping[str, Node], values: Values | None
    ) -> Source | None:
        if isinstance(child.value, str):
            return self.reader.source(child.value, child.mark, place, whole=kind not in _SCALAR_KINDS)
        if (
            child.is_map
            and "template" in child.value
            and (child.value is own or child.value.keys() <= {"template", "partial"})
        ):
            text = child.value["template"]
            if not isinstance(text.value, str):
                self._complain(text, place, "a template is text")
                return None
            partial = self._plain(child, "partial", None) is True
            return self.reader.template(text.value, text.mark, place, partial=partial)
        if child.is_map and child.value.keys() == {"const"}:
            return Constant(child.value["const"].plain())
        row = self.row(child, place, inner)
        if isinstance(row, Pick) and values is not None and row.values is None:
            row = replace(row, values=values)
        return None if row is None else Candidate(replace(row, removable=True))

    def _coercion(self, kind: str | None, options: dict[str, Json], node: Node, place: str) -> Coercion | None:
        if kind is None:
            return None
        if kind == INSTANT:
            return self._instant(options, node, place)
        allowed = INBOUND if self.reader.is_inbound else OUTBOUND
        if kind not in allowed:
            self._complain(node, place, f"there is no coercion {kind!r}{nearest(kind, allowed)}")
            return None
        try:
            return coercion(kind, options)
        except ValueError as error:
            self._complain(node, place, str(error))
            return None

    def _instant(self, options: dict[str, Json], node: Node, place: str) -> Coercion | None:
        try:
            read = datetime_reader(options)
        except ValueError as error:
            self._complain(node, place, str(error))
            return None
        return lambda value, _context=None: read(value)

    def _values(self, own: Mapping[str, Node], place: str) -> Values | None:
        if "values" not in own:
            if "else" in own:
                self._complain(own["else"], place, "`else` belongs to `values`")
            return None
        exact = {key: child.plain() for key, child in own["values"].items()}
        folded: dict[str, Json] = {}
        for key, value in exact.items():
            if any(character.isalpha() for character in key):
                folded.setdefault(fold(key), value)
        if "else" not in own:
            return Values(exact, folded, Otherwise.WARN, None)
        constant = own["else"].plain()
        return Values(exact, folded, Otherwise.KEEP if constant == "keep" else Otherwise.CONSTANT, constant)

    def _context(self, own: Mapping[str, Node], name: str, place: str) -> Row | None:
        return self.row(own[name], place) if name in own else None

    def _regions(self, own: Mapping[str, Node], place: str) -> Row | None:
        """`region` may list several candidates; all that have a value are tried."""
        node = own.get("region")
        if node is None:
            return None
        rows = [self.row(child, place) for child in (node.value if node.is_list else [node])]
        return Items(place=Place(place, node.mark), rows=tuple(row for row in rows if row is not None))

    def _common(self, node: Node, place: str, want: Want, coerce: Coercion | None = None) -> dict[str, Any]:
        at, default = node.get("at"), node.get("default")
        return {
            "when": self._condition(node, "when", place, ()),
            "default": ABSENT if default is None else self._fixed(default, want, coerce, place),
            "required": self._plain(node, "required", None) is True,
            "at": None if at is None else self.row(at, f"{place} (at)", Want(kind=INSTANT)),
            "removable": want.removable,
        }

    def _fixed(self, node: Node, want: Want, coerce: Coercion | None, place: str) -> Json:
        """A `default` or `const`, checked once and for all."""
        value, wrong = fixed(node.plain(), want.kind, coerce, want.shape)
        if wrong is not None:
            self._complain(node, place, f"the fixed value does not fit: {wrong}")
        return value

    def _build(self, node: Node, place: str, want: Want) -> dict[str, Any]:
        common = self._common(node, place, want)
        return {**common, "keeps_removed": want.keeps_removed, "spaced": want.spaced, "dialect": self.dialect}

    def _condition(self, node: Node, name: str, place: str, bound: tuple[str, ...]) -> Formula | FromPath | None:
        child = node.get(name)
        if child is None:
            return None
        if len(bound) == 2:
            with self.reader.binding(bound[0]), self.reader.binding(bound[1]):
                return self._condition_of(child, place)
        if bound:
            with self.reader.binding(bound[0]):
                return self._condition_of(child, place)
        return self._condition_of(child, place)

    def _condition_of(self, child: Node, place: str) -> Formula | FromPath | None:
        before = len(self.reader.read_paths)
        found = self.reader.source(child.value, child.mark, place)
        del self.reader.read_paths[before:]  # asking after a value does not take it
        return found

    def _key(self, key: str, node: Node, place: str) -> str | Template | None:
        """Keys may be templates: `'{base}_value'`."""
        if "{" not in key and "}" not in key:
            return key
        template = self.reader.template(key, node.key_marks[key], place, partial=False)
        if template is not None and all(isinstance(part, str) for part in template.parts):
            return "".join(str(part) for part in template.parts)
        return template

    def _children(self, node: Node, name: str) -> list[Node]:
        child = node.get(name)
        return child.value if child is not None and child.is_list else []

    def _plain(self, node: Node, name: str, otherwise: Json) -> Json:
        child = node.get(name)
        return otherwise if child is None else child.plain()

    def _complain(self, node: Node, place: str, text: str) -> None:
        self.reader.complain(node.mark, place, text)


def as_holder(row: Pick) -> Pick:
    """The same pick, whose value is looked into and not kept."""
    sources = tuple(
        Candidate(as_holder(source.row)) if isinstance(source, Candidate) and isinstance(source.row, Pick) else source
        for source in row.sources
    )
    return replace(row, sources=sources, is_holder=True)


def note(named: Named, steps: tuple[Any, ...], *, whole: bool) -> None:
    """Add a path to the keys that are named."""
    for step in steps:
        child = named.exact.setdefault(step.key, Named())
        if step.fold is not None:
            child = named.folded.setdefault(step.fold, child)
            named.exact[step.key] = child
        named = child
    if whole:
        named.is_whole = True
    else:
        named.is_leaf = True


def text_key(value: Json) -> str:
    """How a listed blank is compared: trimmed, case folded."""
    return (scalar_text(value) or "").strip().casefold()
