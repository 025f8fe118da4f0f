"""Generated code for rows of values."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable

from hub.mapping.generate.learned_tables import ValuesTable
from hub.mapping.generate.source import Emitter
from hub.mapping.language.paths import Path
from hub.mapping.language.rows import Candidate, Constant, Formula, FromPath, Pick, Row, Source, Template
from hub.mapping.run.draft import Draft
from hub.mapping.run.interpreter import passed
from hub.mapping.run.meaning import fill, is_blank_for, solid
from hub.mapping.values.coerce import Failed

_EXACT = 10**11  # amounts below it have at most 15 digits in minor units (four decimals at most)
_WITH_CONTEXT = frozenset({"money", "major", "phone"})
Store = Callable[[str], None]
"""Emits what is done with a value, given the variable that holds it."""


class PickEmitter(ABC):
    """Emits picks into one function."""

    def __init__(self, emitter: Emitter) -> None:
        self.emitter = emitter
        emitter.constants |= {
            "Failed": Failed, "passed": passed, "failed": _failed, "blank": is_blank_for, "fill": fill, "solid": solid,
            "PLAIN": frozenset({int, bool}),
        }  # fmt: skip

    @abstractmethod
    def row(self, row: Row, on_default: str | None = None) -> str:
        """The variable with the value of any row."""

    def _pick(self, row: Pick, result: str) -> None:
        """Sources in turn until one gives a value."""
        emitter = self.emitter

        def store(value: str) -> None:
            emitter.line(f"{result} = {value}")

        if len(row.sources) == 1:
            self._source(row, row.sources[0], store, (lambda: store("R")) if row.removable else None)
            return
        null_seen = emitter.name("n")
        on_null = (lambda: emitter.line(f"{null_seen} = True")) if row.removable else None
        if on_null is not None:
            emitter.line(f"{null_seen} = False")
        for position, source in enumerate(row.sources):
            with emitter.optional_block(f"if {result} is A:" if position else None):
                self._source(row, source, store, on_null)
        if on_null is not None:
            emitter.line(f"if {result} is A and {null_seen}: {result} = R")

    def _source(self, row: Pick, source: Source, store: Store, on_null: Callable[[], None] | None) -> None:
        emitter = self.emitter
        if isinstance(source, Candidate):
            self._candidate(row, source, store, on_null)
        elif isinstance(source, FromPath):
            self._check(row, source, emitter.read(source.path), store, on_null)
        elif isinstance(source, Template):
            self._check(row, source, self._template(source), store, on_null)
        elif isinstance(source, Formula):
            value = emitter.formula(source)
            self._check(row, source, value, store, on_null)
        else:
            self._constant(row, source, store, on_null)

    def _constant(self, row: Pick, source: Constant, store: Store, on_null: Callable[[], None] | None) -> None:
        """What is known of it by now is not asked again for each message."""
        value = source.value
        if value is None:
            if on_null is not None:
                on_null()
        elif is_blank_for(value, row.blanks):
            self.emitter.line("pass")
        elif row.values is None and row.coerce is None:
            store(self.emitter.constant(value))
        else:
            names = f"{self.emitter.constant(row)}, {self.emitter.constant(source)}"
            self._passed(names, self.emitter.constant(value), store, on_null)

    def _candidate(self, row: Pick, source: Candidate, store: Store, on_null: Callable[[], None] | None) -> None:
        emitter = self.emitter
        value = self.row(source.row)
        with emitter.block(f"if {value} is R:"):
            if on_null is not None:
                on_null()
        with emitter.block(f"elif {value} is not A and not blank({value}, {emitter.constant(row.blanks)}):"):
            store(value)

    def _template(self, source: Template) -> str:
        """Filled in line where every part is text; else by the interpreter."""
        emitter = self.emitter
        values = {index: emitter.read(part) for index, part in enumerate(source.parts) if isinstance(part, Path)}
        value = emitter.name()
        if not values:
            emitter.line(f"{value} = fill({emitter.constant(source)}, [])")
            return value
        parts = [
            values[index] if index in values else emitter.constant(part) for index, part in enumerate(source.parts)
        ]
        clean = "" if emitter.is_inbound else " and {0}.isprintable()"  # a message is tidy already, a record may not be
        usable = "{0}.__class__ is str and {0} and not {0}.isspace()" + clean
        are_texts = " and ".join(usable.format(name) for name in values.values())
        emitter.line(f"if {are_texts}: {value} = {' + '.join(parts)}")
        emitter.line(f"else: {value} = fill({emitter.constant(source)}, [{', '.join(values.values())}])")
        return value

    def _check(self, row: Pick, source: Source, value: str, store: Store, on_null: Callable[[], None] | None) -> None:
        """Null, blank, `values` and the coercion of one raw value."""
        emitter = self.emitter
        names = f"{emitter.constant(row)}, {emitter.constant(source)}"
        with emitter.block(f"if {value} is not A:"):
            with emitter.block(f"if {value}.__class__ is str:"):
                self._text(row, names, value, store, on_null)
            null = f"{value} is None" if emitter.is_inbound else f"{value} is None or {value} is R"
            if on_null is None:
                opening = f"elif not ({null}):"
            else:
                with emitter.block(f"elif {null}:"):
                    on_null()
                opening = "else:"
            with emitter.block(opening):
                self._other(row, names, value, store, on_null)

    def _text(self, row: Pick, names: str, value: str, store: Store, on_null: Callable[[], None] | None) -> None:
        emitter = self.emitter
        if row.kind == "id" and emitter.is_inbound and row.values is None:
            emitter.line(f"{value} = {value}.strip()")
            blank = f" and {value}.casefold() not in {emitter.constant(row.blanks)}" if row.blanks else ""
            with emitter.block(f"if {value}{blank}:"):
                with emitter.block(f"if len({value}) <= 255:"):
                    store(value)
                emitter.line(f"else: passed({names}, {value}, x)")
            return
        blank = f" and {value}.strip().casefold() not in {emitter.constant(row.blanks)}" if row.blanks else ""
        with emitter.block(f"if {value} and not {value}.isspace(){blank}:"):
            if row.values is not None:
                self._listed(row, names, value, store, on_null)
            elif row.kind == "string" and emitter.is_inbound:
                store(value)
            else:
                self._coerce(row, names, value, store, on_null)

    def _listed(self, row: Pick, names: str, value: str, store: Store, on_null: Callable[[], None] | None) -> None:
        """Texts whose result is known by now; the others are asked of the interpreter, which may warn."""
        emitter = self.emitter
        if row.kind in _WITH_CONTEXT:
            self._passed(names, value, store, on_null)
            return
        made = emitter.name()
        emitter.look_up(made, ValuesTable(row), value)
        emitter.line(f"if {made} is A: {made} = passed({names}, {value}, x)")
        self._keep(made, store, on_null)

    def _other(self, row: Pick, names: str, value: str, store: Store, on_null: Callable[[], None] | None) -> None:
        """Numbers, booleans, objects and lists."""
        emitter = self.emitter
        direct = self._direct(row, value)
        if direct is not None:
            for opening, result in direct:
                with emitter.block(opening):
                    store(result)
            with emitter.block("else:"):
                self._solid(row, names, value, store, on_null)
        elif lists_scalars(row.blanks) or row.values is not None:
            with emitter.block(f"if not blank({value}, {emitter.constant(row.blanks)}):"):
                self._solid(row, names, value, store, on_null)
        else:
            self._solid(row, names, value, store, on_null)

    def _direct(self, row: Pick, value: str) -> list[tuple[str, str]] | None:
        """Openings and results for values whose coercion is plain to see.

        Money: a float whose minor units divide back to it is that decimal number exactly (both have at most 15 digits).
        """
        if not self.emitter.is_inbound or lists_scalars(row.blanks) or row.values is not None:
            return None
        if row.kind == "boolean":
            return [(f"if {value} is True or {value} is False:", value)]
        if row.kind == "number":
            return [(f"if {value}.__class__ is int:", value)]
        if row.kind != "money" or row.currency is not None:
            return None
        minor, factor = self.emitter.name(), self.emitter.name()
        self.emitter.line(f"{factor} = x.minor_units")
        size = f"{factor} and -{_EXACT} < {value} < {_EXACT}"
        exact = f"({minor} := round({value} * {factor})) / {factor} == {value}"
        return [
            (f"if {value}.__class__ is float and {size} and {exact}:", minor),
            (f"elif {value}.__class__ is int and {size}:", f"{value} * {factor}"),
        ]

    def _solid(self, row: Pick, names: str, value: str, store: Store, on_null: Callable[[], None] | None) -> None:
        emitter = self.emitter
        is_solid = emitter.is_inbound and not row.is_holder
        if is_solid:
            emitter.line(f"if {value}.__class__ not in PLAIN: {value} = solid({names.partition(',')[0]}, {value}, x)")
        with emitter.optional_block(f"if {value} is not A:" if is_solid else None):
            if row.values is not None:
                self._passed(names, value, store, on_null)
            else:
                self._coerce(row, names, value, store, on_null)

    def _coerce(self, row: Pick, names: str, value: str, store: Store, on_null: Callable[[], None] | None) -> None:
        emitter = self.emitter
        if row.coerce is None:
            store(value)
            return
        if row.kind in _WITH_CONTEXT and row.currency is not None:
            self._passed(names, value, store, on_null)
            return
        if row.kind == "phone" and row.region is not None:
            with emitter.block(f"if {value}.__class__ is str and {value}[0] == '+':"):
                self._call(row, names, value, store, "")
            with emitter.block("else:"):
                self._passed(names, value, store, on_null)
            return
        context = ", {'currency': x.currency}" if row.kind in {"money", "major"} else ""
        self._call(row, names, value, store, context)

    def _call(self, row: Pick, names: str, value: str, store: Store, context: str) -> None:
        emitter = self.emitter
        made = emitter.name()
        emitter.line(f"{made} = {emitter.constant(row.coerce)}({value}{context})")
        emitter.line(f"if {made}.__class__ is Failed: failed(x, {names}, {made})")
        with emitter.block("else:"):
            store(made)

    def _passed(self, names: str, value: str, store: Store, on_null: Callable[[], None] | None) -> None:
        made = self.emitter.name()
        self.emitter.share_items()
        self.emitter.line(f"{made} = passed({names}, {value}, x)")
        self._keep(made, store, on_null)

    def _keep(self, made: str, store: Store, on_null: Callable[[], None] | None) -> None:
        emitter = self.emitter
        with emitter.block(f"if {made} is None:"):
            if on_null is not None:
                on_null()
        with emitter.block(f"elif {made} is not A:"):
            store(made)


def lists_scalars(blanks: frozenset[str]) -> bool:
    """Whether a number or a boolean may be blank: written as text, it would stand among these."""
    return any(text in {"true", "false"} or text.strip("+-").replace(".", "", 1)[:1].isdigit() for text in blanks)


def is_common_source(source: Source) -> bool:
    """A constant that is an object or a list is left to the interpreter, which looks at how deep it nests."""
    return not isinstance(source, Constant) or not isinstance(source.value, dict | list | float)


def _failed(draft: Draft, row: Pick, source: Source, failure: Failed) -> None:
    draft.warn(failure.code, row.place.path, f"{source.text}: {failure.text}")
