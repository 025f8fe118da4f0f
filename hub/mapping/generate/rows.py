"""Generated code for the common row forms; the others call the interpreter."""

from __future__ import annotations

from typing import Any

from hub.mapping.generate.learned_tables import SpreadTable
from hub.mapping.generate.picks import PickEmitter, Store, is_common_source, lists_scalars
from hub.mapping.generate.source import Emitter
from hub.mapping.language.paths import ABSENT
from hub.mapping.language.rows import Build, EachEntry, EachItem, FromPath, Index, Merge, Object, Pick, Row, Spread
from hub.mapping.model import Json
from hub.mapping.run.bounds import bounded
from hub.mapping.run.draft import Draft, Missing
from hub.mapping.run.interpreter import evaluate, evaluate_marked
from hub.mapping.run.meaning import (
    Defaulted,
    each_of_value,
    in_dialect,
    indexed,
    is_blank_for,
    kind_name,
    spaced,
    unnamed,
)


class RowEmitter(PickEmitter):
    """Emits rows into one function."""

    def __init__(self, emitter: Emitter) -> None:
        super().__init__(emitter)
        emitter.constants |= {
            "Missing": Missing, "Defaulted": Defaulted, "evaluate": evaluate, "marked": evaluate_marked, "spaced": spaced,
            "unnamed": unnamed, "kind_name": kind_name, "in_dialect": in_dialect, "each_of": each_of_value, "indexed": indexed,
            "not_object": _not_object, "left_out": _left_out, "merge": _merge, "bounded": bounded,
        }  # fmt: skip

    def row(self, row: Row, on_default: str | None = None) -> str:
        """The variable with the row's value: A, R or JSON. `on_default` is a statement for a value by default."""
        if not self._is_common(row):
            return self._interpreted(row, on_default)
        result = self.emitter.name("r")
        self.emitter.line(f"{result} = A")
        with self._when(row):
            self._value(row, result, on_default)
        return result

    def store(self, row: Row, store: Store, *, removed: bool, on_default: str | None = None) -> None:
        """Emit the row and what is done with its value; with a REMOVED one only if `removed`."""
        if isinstance(row, Pick) and _is_single(row) and self._is_common(row):
            with self._when(row):
                on_null = (lambda: store("R")) if removed and row.removable else None
                self._source(row, row.sources[0], store, on_null)
            return
        result = self.row(row, on_default)
        with self.emitter.block(
            f"if {result} is not A:" if removed else f"if {result} is not A and {result} is not R:"
        ):
            store(result)

    def _when(self, row: Row) -> Any:
        return self.emitter.optional_block(None if row.when is None else f"if {self.emitter.condition(row.when)}:")

    def _is_common(self, row: Row) -> bool:
        if isinstance(row, Pick):
            return all(map(is_common_source, row.sources))
        if isinstance(row, Spread):
            return _is_common_spread(row)
        return isinstance(row, Object | Merge | EachItem | EachEntry | Index)

    def _interpreted(self, row: Row, on_default: str | None) -> str:
        emitter, result = self.emitter, self.emitter.name("r")
        emitter.share_items()
        if on_default is None:
            emitter.line(f"{result} = evaluate({emitter.constant(row)}, x)")
            return result
        emitter.line(f"{result} = marked({emitter.constant(row)}, x)")
        with emitter.block(f"if {result}.__class__ is Defaulted:"):
            emitter.line(f"{result} = {result}.value")
            emitter.line(on_default)
        return result

    def _value(self, row: Row, result: str, on_default: str | None) -> None:
        emitter = self.emitter
        if isinstance(row, Pick):
            self._pick(row, result)
        elif isinstance(row, EachItem):
            self._each(row, result)
        elif isinstance(row, EachEntry):
            self._each_entry(row, result)
        elif isinstance(row, Index):
            emitter.line(f"{result} = indexed({emitter.constant(row)}, {self.row(row.source)}, x)")
        else:
            holder = emitter.name("o")
            emitter.line(f"{holder} = {{}}")
            self.into(row, holder, "", is_fresh=True)
            emitter.line(f"if {holder}: {result} = {holder}")
        if row.default is not ABSENT:
            with emitter.block(f"if {result} is A:"):
                emitter.line(f"{result} = {emitter.constant(row.default)}")
                if on_default is not None:
                    emitter.line(on_default)
        if row.required:
            emitter.line(f"if {result} is A or {result} is R: raise Missing({emitter.constant(row.place.path)})")

    def into(self, row: Row, holder: str, prefix: str, *, is_fresh: bool) -> None:
        """Write an object's entries into a dict: the first writer of a key wins. `is_fresh`: it has no such key yet."""
        emitter = self.emitter
        if isinstance(row, Object):
            self._object_into(row, holder, prefix, is_fresh=is_fresh)
        elif isinstance(row, Spread) and _is_common_spread(row):
            self._spread_into(row, holder, prefix, is_fresh=is_fresh)
        elif isinstance(row, Merge):
            for position, part in enumerate(row.parts):
                fresh = is_fresh and position == 0
                if _is_open(part) and self._is_common(part) and (row.dialect is None or fresh):
                    self.into(part, holder, prefix, is_fresh=fresh)
                else:
                    collisions = "None" if row.dialect is None else emitter.constant(row)
                    emitter.line(f"merge({holder}, {self.row(part)}, {emitter.constant(prefix)}, {collisions}, x)")
        else:
            emitter.line(f"merge({holder}, {self.row(row)}, {emitter.constant(prefix)}, None, x)")

    def _object_into(self, row: Object, holder: str, prefix: str, *, is_fresh: bool) -> None:
        emitter = self.emitter
        is_fresh = is_fresh and _has_distinct_keys(row)
        for name, child in row.fields:
            if isinstance(name, str):
                key = emitter.constant(prefix + (spaced(name) if row.spaced else name))
                guard = None if is_fresh else f"if {key} not in {holder}:"
                self.store(child, self._entry(holder, key, guard), removed=row.keeps_removed)
                continue
            value = self.row(child)
            wanted = f"{value} is not A" if row.keeps_removed else f"{value} is not A and {value} is not R"
            with emitter.block(f"if {wanted}:"):
                text = self._template(name)
                written = f"spaced({text})" if row.spaced else text
                key = f"{emitter.constant(prefix)} + {written}" if prefix else written
                with emitter.block(f"if {text} is not A:"):
                    emitter.line(f"{holder}.setdefault({key}, {value})")

    def _entry(self, holder: str, key: str, guard: str | None) -> Store:
        def store(value: str) -> None:
            with self.emitter.optional_block(guard):
                self.emitter.line(f"{holder}[{key}] = {value}")

        return store

    def _spread_into(self, row: Spread, holder: str, prefix: str, *, is_fresh: bool) -> None:
        emitter = self.emitter
        assert isinstance(row.source, Pick)
        source = row.source.sources[0]
        assert isinstance(source, FromPath)
        value = emitter.read(source.path)
        with emitter.block(f"if {value}.__class__ is dict:"):
            without = self._without(row)
            target = holder
            if row.dialect is not None:
                target = emitter.name("o")
                emitter.line(f"{target} = {{}}")
            keeps_keys = not row.spaced and row.keys == "keep" and (is_fresh or row.dialect is not None)
            self._spread_loop(
                row, value, target, "" if row.dialect is not None else prefix, without, keeps_keys=keeps_keys
            )
            if row.dialect is not None:
                made = f"in_dialect({emitter.constant(row)}, {target}, x) if {target} else A"
                emitter.line(f"merge({holder}, {made}, {emitter.constant(prefix)}, None, x)")
        with emitter.block(f"elif {value} is not A and {value} is not None:"):
            emitter.line(f"not_object(x, {emitter.constant(row)}, {value})")

    def _without(self, row: Spread) -> str | None:
        if not row.without:
            return None
        values = [self.row(child) for child in row.without]
        name = self.emitter.name("w")
        self.emitter.line(f"{name} = left_out({', '.join(values)})")
        return name

    def _spread_loop(
        self, row: Spread, value: str, target: str, prefix: str, without: str | None, *, keeps_keys: bool
    ) -> None:
        emitter = self.emitter
        table = SpreadTable(row, prefix)
        key, slot, entry = emitter.name("q"), emitter.name("s"), emitter.name("e")
        renames = bool(prefix) or row.spaced or row.keys != "keep" or table.has_named
        with emitter.block(f"for {key}, {entry} in {value}.items():"):
            if renames:
                emitter.look_up(slot, table, key)
                emitter.line(f"if {slot} is None: continue")
            else:
                emitter.line(f"{slot} = {key}")
                emitter.line(f"if not {key}: continue")
            if without is not None:
                emitter.line(f"if {key} in {without}: continue")
            if table.is_partial:
                with emitter.block(f"if {slot}.__class__ is tuple:"):
                    emitter.line(f"if {slot}[2] and {entry}.__class__ is not dict: continue")
                    emitter.line(f"{entry} = unnamed({entry}, {slot}[1])")
                    emitter.line(f"if {entry} is A: continue")
                    emitter.line(f"{slot} = {slot}[0]")
            self._spread_value(row, entry)
            guard = None if keeps_keys else f"if {slot} not in {target}:"
            with emitter.optional_block(guard):
                emitter.line(f"{target}[{slot}] = {entry}")

    def _spread_value(self, row: Spread, entry: str) -> None:
        """`continue` where the entry is not a value to keep."""
        emitter = self.emitter
        null = f"{entry} is None" if emitter.is_inbound else f"{entry} is None or {entry} is R"
        on_null = f"{entry} = R" if row.keeps_removed and "null" not in row.drop else "continue"
        names = emitter.constant(row)
        dropped = row.drop - {"null"}
        with emitter.block(f"if {entry}.__class__ is str:"):
            blank = f" or {entry}.strip().casefold() in {emitter.constant(row.blanks)}" if row.blanks else ""
            emitter.line(f"if not {entry} or {entry}.isspace(){blank}: continue")
            if "text" in dropped:
                emitter.line("continue")
        emitter.line(f"elif {null}: {on_null}")
        with emitter.block("else:"):
            if lists_scalars(row.blanks):
                emitter.line(f"if blank({entry}, {emitter.constant(row.blanks)}): continue")
            if dropped:
                emitter.line(f"if kind_name({entry}) in {emitter.constant(dropped)}: continue")
            if emitter.is_inbound:
                with emitter.block(f"if {entry}.__class__ not in PLAIN:"):
                    emitter.line(f"{entry} = solid({names}, {entry}, x)")
                    emitter.line(f"if {entry} is A: continue")

    def _each(self, row: EachItem, result: str) -> None:
        emitter = self.emitter
        items = self._items_of(row)
        with emitter.block(f"if {items} is not None:"):
            emitter.line(f"{result} = []")
            with emitter.loop(row.name, items), self._where(row):
                self.store(row.item, lambda value: emitter.line(f"{result}.append({value})"), removed=False)

    def _each_entry(self, row: EachEntry, result: str) -> None:
        emitter = self.emitter
        items, holder = self._items_of(row), emitter.name("o")
        with emitter.block(f"if {items} is not None:"):
            emitter.line(f"{holder} = {{}}")
            with emitter.loop(row.name, items), self._where(row):
                key = self.row(row.key)
                with emitter.block(f"if {key}.__class__ is str:"):
                    name = f"spaced({key})" if row.spaced else key
                    self.store(row.value, self._adding(row, holder, name), removed=row.keeps_removed and not row.group)
            written = holder if row.dialect is None else f"in_dialect({emitter.constant(row)}, {holder}, x)"
            emitter.line(f"if {holder}: {result} = {written}")

    def _adding(self, row: EachEntry, holder: str, key: str) -> Store:
        value_to = f"{holder}.setdefault({key}, []).append" if row.group else f"{holder}.setdefault"
        first = "" if row.group else f"{key}, "
        return lambda value: self.emitter.line(f"{value_to}({first}{value})")

    def _items_of(self, row: EachItem | EachEntry) -> str:
        emitter = self.emitter
        source, items = self.row(row.source), emitter.name("l")
        emitter.line(
            f"{items} = {source} if {source}.__class__ is list else each_of({emitter.constant(row)}, {source}, x)"
        )
        return items

    def _where(self, row: EachItem | EachEntry) -> Any:
        """Conditions about the item; they are worked out inside the loop."""
        return self.emitter.optional_block(None if row.where is None else f"if {self.emitter.condition(row.where)}:")


def _is_single(row: Pick) -> bool:
    """One source, and nothing to do where it gives no value."""
    return len(row.sources) == 1 and row.default is ABSENT and not row.required


def _has_distinct_keys(row: Object) -> bool:
    names = [spaced(name) if row.spaced else name for name, _ in row.fields if isinstance(name, str)]
    return len(set(names)) == len(row.fields)


def _is_common_spread(row: Spread) -> bool:
    source = row.source
    return (
        row.where is None
        and isinstance(source, Pick)
        and source.is_bare_path
        and source.values is None
        and source.when is None
        and source.default is ABSENT
        and not source.required
    )


def _is_open(row: Row) -> bool:
    """Whether a part of a merge may write straight into the whole."""
    return isinstance(row, Build) and row.when is None and row.default is ABSENT and not row.required


def _not_object(draft: Draft, row: Spread, value: Json) -> None:
    """Warn as the interpreter does: it reads the source as a value first."""
    if not is_blank_for(value, row.source.blanks if isinstance(row.source, Pick) else frozenset()):
        draft.warn("not_an_object", row.place.path, "only an object can be spread")


def _left_out(*values: Json) -> frozenset[str]:
    return frozenset([value for value in values if value.__class__ is str])


def _merge(holder: dict[str, Json], values: Json, prefix: str, collisions: Any, draft: Draft) -> None:
    """Add entries that are not there yet; `collisions` is the row that warns of those that are."""
    if values.__class__ is not dict:
        return
    for key, value in values.items():
        name = prefix + key if prefix else key
        if name not in holder:
            holder[name] = value
        elif collisions is not None:
            draft.warn(
                "key_collision", f"{collisions.place.path}.{key}", "an earlier row wrote this key; it was left out"
            )
