"""The slow interpreter of rows: the meaning of the language, and the lineage of each value.

Generated functions must agree with it; a property test holds them to it. They also call it for row forms that are not
worth generating.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import partial
from typing import Any, NamedTuple

from hub.mapping.language.paths import ABSENT, Path, walk
from hub.mapping.language.rows import (
    Candidate,
    Constant,
    EachEntry,
    EachItem,
    Formula,
    FromPath,
    Index,
    Items,
    Merge,
    Object,
    Otherwise,
    Pick,
    Row,
    Source,
    Spread,
    Template,
)
from hub.mapping.model import REMOVED, Json
from hub.mapping.run.draft import Draft, Missing
from hub.mapping.run.meaning import (
    Defaulted,
    each_of_value,
    fill,
    in_dialect,
    indexed,
    is_blank_for,
    is_international,
    is_true,
    kind_name,
    listed,
    note_origin,
    note_spread,
    plain,
    solid,
    spaced,
    unnamed,
    written_key,
)
from hub.mapping.values.coerce import Failed


def evaluate(row: Row, draft: Draft) -> Json:
    """The value of a row: ABSENT, REMOVED where removal is possible, or JSON. Raises Missing."""
    value = evaluate_marked(row, draft)
    return value.value if type(value) is Defaulted else value


def evaluate_marked(row: Row, draft: Draft) -> Json:
    """As `evaluate`, but a default comes as `Defaulted`."""
    if row.when is not None and not holds(row.when, draft):
        return ABSENT
    value = _EVALUATORS[type(row)](row, draft)
    if value is REMOVED and not row.removable:
        value = ABSENT
    if value is ABSENT:
        if row.default is not ABSENT:
            return Defaulted(row.default)
        if row.required:
            raise Missing(row.place.path)
    elif value is REMOVED and row.required:
        raise Missing(row.place.path)
    return value


def read(path: Path, draft: Draft) -> Json:
    """The raw value at a path, or ABSENT."""
    return walk(_root(path.root, draft), path.steps)


def _root(root: str, draft: Draft) -> Json:
    if root == "message":
        return draft.message
    if root == "options":
        return draft.options
    if root == "hub":
        return draft.hub
    kind, _, name = root.partition(":")
    return draft.items.get(name, ABSENT) if kind == "item" else let_value(name, draft)


def let_value(name: str, draft: Draft) -> Json:
    """The value of a `let` name, read once per message; null where it is an explicit null."""
    found = draft.lets.get(name, ABSENT)
    if type(found) is Pending:
        value = found.read(draft)
        found = draft.lets[name] = None if value is REMOVED else value
    return found


class Pending(NamedTuple):
    """A `let` that nobody has asked for yet, and what reads it."""

    read: Callable[[Draft], Json]


def pending(lets: Iterable[tuple[str, Row]]) -> dict[str, Pending]:
    """Every `let` as the interpreter reads it."""
    return {name: Pending(partial(evaluate, row)) for name, row in lets}


def holds(condition: Formula | FromPath, draft: Draft) -> bool:
    """Whether a condition is true as JMESPath understands it: not null, false or empty."""
    value = read(condition.path, draft) if isinstance(condition, FromPath) else formula_value(condition, draft)
    return is_true(value)


def formula_value(formula: Formula, draft: Draft) -> Json:
    """The value of an expression, or ABSENT where it is null."""
    scope: dict[str, Json] = {}
    if formula.reads_all:
        scope = {key: plain(value) for key, value in draft.message.items()}
    for name, path in formula.names:
        value = read(path, draft)
        if value is not ABSENT:
            scope[name] = plain(value)
    value = formula.expression.search(scope)
    return ABSENT if value is None else value


def _pick(row: Pick, draft: Draft) -> Json:
    null_seen = False
    for source in row.sources:
        value = _raw(source, draft)
        if value is ABSENT or is_blank_for(value, row.blanks):
            continue
        if value is None or value is REMOVED:
            null_seen = True
            continue
        if not isinstance(source, Candidate):
            value = value if row.is_holder else solid(row, value, draft)
            if value is ABSENT:
                continue
            value = passed(row, source, value, draft)
            if value is None:
                null_seen = True
                continue
            if value is ABSENT:
                continue
            note_origin(draft, row, source)
        return value
    return REMOVED if null_seen else ABSENT


def _raw(source: Source, draft: Draft) -> Json:
    if isinstance(source, FromPath):
        return read(source.path, draft)
    if isinstance(source, Formula):
        return formula_value(source, draft)
    if isinstance(source, Constant):
        return source.value
    if isinstance(source, Template):
        return template_value(source, draft)
    return evaluate(source.row, draft)


def passed(row: Pick, source: Source, value: Json, draft: Draft) -> Json:
    """The value after `values` and the coercion; ABSENT with a warning where it fails, None for a listed null."""
    if row.values is not None:
        value = listed(row.values, value)
        if value is None:
            return None
        if value is ABSENT:
            if row.values.otherwise is Otherwise.WARN:
                draft.warn("unlisted_value", row.place.path, f"{source.text}: the value is not among `values`")
            return ABSENT
    if row.coerce is None:
        return value
    checked = row.coerce(value, context_of(row, value, draft))
    if isinstance(checked, Failed):
        draft.warn(checked.code, row.place.path, f"{source.text}: {checked.text}")
        return ABSENT
    return checked


def context_of(row: Pick, value: Json, draft: Draft) -> dict[str, Json]:
    """What money and phone coercions need to know beside the value; `+` says a phone number's region by itself."""
    context: dict[str, Json] = {}
    if row.kind in {"money", "major"}:
        currency = None if row.currency is None else evaluate(row.currency, draft)
        context["currency"] = currency if isinstance(currency, str) else draft.currency
    if row.region is not None and not is_international(value):
        regions = evaluate(row.region, draft)
        if regions is not ABSENT:
            context["region"] = regions
    return context


def template_value(template: Template, draft: Draft) -> Json:
    """The filled template, or ABSENT."""
    return fill(template, [read(part, draft) for part in template.parts if isinstance(part, Path)])


def _object(row: Object, draft: Draft) -> Json:
    made: dict[str, Json] = {}
    for name, child in row.fields:
        value = evaluate(child, draft)
        if value is ABSENT or (value is REMOVED and not row.keeps_removed):
            continue
        key = name if isinstance(name, str) else template_value(name, draft)
        if key is not ABSENT:
            made.setdefault(spaced(key) if row.spaced else key, value)
    return made or ABSENT


def _items(row: Items, draft: Draft) -> Json:
    values = [evaluate(child, draft) for child in row.rows]
    kept = [value for value in values if value is not ABSENT and value is not REMOVED]
    return kept or ABSENT


def _merge(row: Merge, draft: Draft) -> Json:
    made: dict[str, Json] = {}
    for part in row.parts:
        values = evaluate(part, draft)
        if isinstance(values, dict):
            for key, value in values.items():
                if key not in made:
                    made[key] = value
                elif row.dialect is not None:
                    draft.warn(
                        "key_collision", f"{row.place.path}.{key}", "an earlier row wrote this key; it was left out"
                    )
    return made or ABSENT


def _spread(row: Spread, draft: Draft) -> Json:
    source = evaluate(row.source, draft)
    if source is ABSENT:
        return ABSENT
    if not isinstance(source, dict):
        if source is not REMOVED:
            draft.warn("not_an_object", row.place.path, "only an object can be spread")
        return ABSENT
    without = {value for value in (evaluate(child, draft) for child in row.without) if isinstance(value, str)}
    made: dict[str, Json] = {}
    for key, value in source.items():
        name = written_key(row, key)
        if key in without or not name:
            continue
        kept = spread_value(row, key, value, draft)
        if kept is not ABSENT:
            made.setdefault(name, kept)
            if draft.lineage is not None:
                note_spread(draft, row, key, name)
    return in_dialect(row, made, draft) if made else ABSENT


def spread_value(row: Spread, key: str, value: Json, draft: Draft) -> Json:
    """One entry of a spread object, or ABSENT where it is named, blank, dropped or not wanted."""
    named = row.named.find(key)
    if named is not None:
        value = unnamed(value, named)
        if value is ABSENT:
            return ABSENT
    if value is None or value is REMOVED:
        return REMOVED if row.keeps_removed and "null" not in row.drop else ABSENT
    if is_blank_for(value, row.blanks) or (row.drop and kind_name(value) in row.drop):
        return ABSENT
    if row.where is not None:
        draft.items["key"], draft.items["value"] = key, value
        if not holds(row.where, draft):
            return ABSENT
    return solid(row, value, draft)


def each_of(row: EachItem | EachEntry, draft: Draft) -> list[Json] | None:
    """The items of an `each`; None where there is no list and no object."""
    return each_of_value(row, evaluate(row.source, draft), draft)


def _each_item(row: EachItem, draft: Draft) -> Json:
    items = each_of(row, draft)
    if items is None:
        return ABSENT
    outer = draft.items.get(row.name, ABSENT)
    made = []
    for item in items:
        draft.items[row.name] = item
        if row.where is None or holds(row.where, draft):
            value = evaluate(row.item, draft)
            if value is not ABSENT and value is not REMOVED:
                made.append(value)
    draft.items[row.name] = outer
    return made


def _each_entry(row: EachEntry, draft: Draft) -> Json:
    items = each_of(row, draft)
    if items is None:
        return ABSENT
    outer = draft.items.get(row.name, ABSENT)
    made: dict[str, Json] = {}
    for item in items:
        draft.items[row.name] = item
        if row.where is None or holds(row.where, draft):
            _add_entry(row, made, draft)
    draft.items[row.name] = outer
    return in_dialect(row, made, draft) if made else ABSENT


def _add_entry(row: EachEntry, made: dict[str, Json], draft: Draft) -> None:
    key = evaluate(row.key, draft)
    if not isinstance(key, str):
        return
    value = evaluate(row.value, draft)
    if value is ABSENT or (value is REMOVED and not row.keeps_removed):
        return
    key = spaced(key) if row.spaced else key
    if not row.group:
        made.setdefault(key, value)
    elif value is not REMOVED:
        made.setdefault(key, []).append(value)


def _index(row: Index, draft: Draft) -> Json:
    return indexed(row, evaluate(row.source, draft), draft)


_EVALUATORS: dict[type[Row], Any] = {
    Pick: _pick, Object: _object, Items: _items, Merge: _merge, Spread: _spread, EachItem: _each_item, EachEntry: _each_entry,
    Index: _index,
}  # fmt: skip
