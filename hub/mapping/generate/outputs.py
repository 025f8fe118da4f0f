"""Generated code for the outputs of a rule: one flat function each, with shared prefixes read once."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from hub.mapping.generate.rows import RowEmitter
from hub.mapping.generate.source import Emitter
from hub.mapping.language.paths import ABSENT
from hub.mapping.language.rows import (
    EachEntry,
    EachItem,
    Formula,
    FromPath,
    Index,
    Items,
    Merge,
    Object,
    Pick,
    Row,
    Spread,
)
from hub.mapping.language.rules import ConsentsOutput, IdentitiesOutput, Output, ProfileOutput, RecordOutput
from hub.mapping.run.additions import (
    ADDERS,
    EVENT_FIELDS,
    add_consents,
    add_identities,
    add_order,
    new_event,
    open_order,
)
from hub.mapping.run.draft import Draft, add_identity, add_profile
from hub.mapping.run.rules import add_output, add_part

Function = Callable[[Draft], Any]
_SHALLOW_ROWS = 3  # levels that rows may add to a shallow value (see bounds.SHALLOW) and stay within an output's bounds


_WHOLE = "w"  # the variable of a record that is bounded
_INLINED = frozenset({"event", "order", "group", "audience", "link"})


def outputs_function(
    outputs: tuple[Output, ...], when: Formula | FromPath | None, lets: dict[str, Function]
) -> Function:
    """One function that adds every output of a rule to the draft, if its `when` holds; it says whether it did."""
    emitter = Emitter(is_inbound=True, lets=lets)
    emitter.constants |= {
        "add_profile": add_profile, "add_part": add_part, "add_output": add_output, "add_identity": add_identity,
        "add_order": add_order, "open_order": open_order, "add_identities": add_identities, "add_consents": add_consents, "new_event": new_event,
    }  # fmt: skip
    rows = RowEmitter(emitter)
    if when is not None:
        emitter.line(f"if not {emitter.condition(when)}: return False")
    for output in outputs:
        if isinstance(output, ProfileOutput):
            _profile(output, emitter, rows)
        elif isinstance(output, IdentitiesOutput):
            _identities(output, emitter, rows)
        elif isinstance(output, ConsentsOutput) and output.dynamic is not None:
            rows.store(output.dynamic, lambda value: emitter.line(f"add_consents(x, {value})"), removed=False)
        elif isinstance(output, RecordOutput) and output.kind in _INLINED:
            _record(output, emitter, rows)
        else:
            emitter.line(f"add_output({emitter.constant(output)}, x)")
    return emitter.function("True")


def _profile(output: ProfileOutput, emitter: Emitter, rows: RowEmitter) -> None:
    fields, defaults, times = emitter.name("o"), emitter.name("d"), emitter.name("h")
    parts = [(prefix, part) for prefix, part in (("address.", output.address), ("metadata.", output.metadata)) if part]
    is_plain = all(row.default is ABSENT and row.at is None for _, row in output.traits) and all(
        map(_is_direct, [part for _, part in parts])
    )
    emitter.line(f"{fields} = {{}}")
    if not is_plain:
        emitter.line(f"{defaults} = set(); {times} = {{}}")
    for name, row in output.traits:
        key = emitter.constant(name)

        def store(value: str, row: Row = row, key: str = key) -> None:
            emitter.line(f"{fields}[{key}] = {value}")
            if row.at is not None:
                at = rows.row(row.at)
                emitter.line(f"if {at}.__class__ is int: {times}[{key}] = x.capped({at})")

        rows.store(row, store, removed=True, on_default=f"{defaults}.add({key})" if row.default is not ABSENT else None)
    for prefix, part in parts:
        if _is_direct(part):
            rows.into(part, fields, prefix, is_fresh=True)
        else:
            names = f"{emitter.constant(prefix)}, {emitter.constant(part)}, {fields}, {defaults}, {times}, x"
            emitter.line(f"add_part({names})")
    _bound(fields, "profile", _grows(output), emitter)
    emitter.line(f"add_profile(x, {fields}" + (")" if is_plain else f", {defaults}, {times})"))


def _is_direct(part: Row) -> bool:
    """Whether address or metadata may write straight into the profile's fields."""
    return (
        part.when is None
        and part.default is ABSENT
        and part.at is None
        and not part.required
        and isinstance(part, Object | Spread | Merge)
    )


def _identities(output: IdentitiesOutput, emitter: Emitter, rows: RowEmitter) -> None:
    for type_, row in output.fixed:

        def store(value: str, row: Row = row, type_: str = type_) -> None:
            at = "None"
            if row.at is not None:
                at = rows.row(row.at)
                emitter.line(f"if {at} is A: {at} = None")
            emitter.line(f"add_identity(x, {emitter.constant(type_)}, {value}, {at})")

        rows.store(row, store, removed=False)
    if output.dynamic is not None:
        rows.store(output.dynamic, lambda value: emitter.line(f"add_identities(x, {value})"), removed=False)


def _record(output: RecordOutput, emitter: Emitter, rows: RowEmitter) -> None:
    if output.kind == "event" and all(isinstance(name, str) for name, _ in output.record.fields):
        _event(output, emitter, rows)
        return
    code, record = emitter.name("c"), emitter.name("o")
    if output.kind == "order":
        currency = "A" if output.currency is None else rows.row(output.currency)
        emitter.line(f"{code} = open_order(x, {currency})")
    emitter.line(f"{record} = {{}}")
    rows.into(output.record, record, "", is_fresh=True)
    _bound(record, output.kind, _grows(output), emitter)
    declared = emitter.constant(frozenset(name for name, _ in output.record.fields if isinstance(name, str)))
    if output.kind == "order":
        emitter.line(f"add_order(x, {record}, {declared}, {code})")
    else:
        emitter.line(f"{emitter.constant(ADDERS[output.kind])}(x, {record}, {declared})")


def _event(output: RecordOutput, emitter: Emitter, rows: RowEmitter) -> None:
    """The most frequent record: its fields stay variables; only one that may exceed its bounds is made an object."""
    values = {name: emitter.name("e") for name, _ in output.record.fields if isinstance(name, str)}
    emitter.line(" = ".join([*values.values(), "None"]))
    for name, row in output.record.fields:

        def store(value: str, name: str = str(name)) -> None:
            emitter.line(f"{values[name]} = {value}")

        rows.store(row, store, removed=False)
    whole = ", ".join(f"{emitter.constant(name)}: {value}" for name, value in values.items())
    with emitter.optional_block(None if _grows(output) else "if x.must_bound:"):
        emitter.line(f"{_WHOLE} = {{key: value for key, value in {{{whole}}}.items() if value is not None}}")
        emitter.line(f"{_WHOLE} = bounded({_WHOLE}, 'event', x.warnings)")
        for name, value in values.items():
            emitter.line(f"{value} = {_WHOLE}.get({emitter.constant(name)})")
    emitter.line(f"new_event(x, {', '.join(values.get(name, 'None') for name in EVENT_FIELDS)})")


def _bound(holder: str, path: str, grows: bool, emitter: Emitter) -> None:
    """Keep an output within its bounds; a small message cannot exceed them unless the rows multiply its parts."""
    text = f"{holder} = bounded({holder}, {emitter.constant(path)}, x.warnings)"
    emitter.line(text if grows else f"if x.must_bound: {text}")


def _grows(output: Output) -> bool:
    """Whether an output can be larger than the message: it repeats parts per item, computes, or reads them twice."""
    if isinstance(output, ProfileOutput):
        rows = [*(row for _, row in output.traits), output.address, output.metadata]
    else:
        assert isinstance(output, RecordOutput)
        rows = [output.record]
    found = [row for row in rows if row is not None]
    return (
        any(map(_multiplies, found))
        or sum(map(_whole_reads, found)) > 2
        or max(map(_nesting, found), default=0) > _SHALLOW_ROWS
    )


def _multiplies(row: Row) -> bool:
    if isinstance(row, EachItem | EachEntry | Index | Items):
        return True
    if isinstance(row, Pick):
        return any(isinstance(source, Formula) for source in row.sources)
    return any(map(_multiplies, _parts(row)))


def _whole_reads(row: Row) -> int:
    """How many rows may take whole objects or lists."""
    if isinstance(row, Pick):
        return int(row.kind in {None, "list", "json"})
    if isinstance(row, Spread):
        return 1
    return sum(map(_whole_reads, _parts(row)))


def _nesting(row: Row) -> int:
    """How many levels a row adds to what it reads."""
    return int(isinstance(row, Object)) + max(map(_nesting, _parts(row)), default=0)


def _parts(row: Row) -> list[Row]:
    if isinstance(row, Object):
        return [child for _, child in row.fields]
    return list(row.parts) if isinstance(row, Merge) else []
