"""What values mean to rows: true, blank, listed, named elsewhere, finite. Nothing here evaluates a row.

Both engines use these, so a word means the same to both.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from hub.mapping.language.paths import ABSENT, fold, walk
from hub.mapping.language.rows import (
    EachEntry,
    EachItem,
    Index,
    Named,
    Otherwise,
    Pick,
    Row,
    Source,
    Spread,
    Template,
    Values,
)
from hub.mapping.model import REMOVED, Json
from hub.mapping.run.bounds import FLAT, SHALLOW, finite, levels
from hub.mapping.run.draft import Draft
from hub.mapping.values.coerce import scalar_text
from hub.mapping.values.text import snake


class Origin(NamedTuple):
    """Where a value came from: the path or expression read, the row's line, the coercion it passed."""

    source: str
    line: int
    coercion: str | None


class Defaulted(NamedTuple):
    """A value that came from a row's `default`."""

    value: Json


def is_true(value: Json) -> bool:
    """Null, false, and empty text, lists and objects are false; 0 is true."""
    return not (value is ABSENT or value is REMOVED or value is None or value is False or value in ("", [], {}))


def plain(value: Json) -> Json:
    """Without removals: expressions see null where a trait was removed."""
    if value is REMOVED:
        return None
    if isinstance(value, dict) and has_removed(value):
        return {key: plain(child) for key, child in value.items()}
    return value


def has_removed(value: Mapping[str, Json]) -> bool:
    """Whether a removal stands in it, at any depth."""
    for child in value.values():
        if child is REMOVED:
            return True
        if child.__class__ is dict and has_removed(child):
            return True
    return False


def is_blank_for(value: Json, blanks: frozenset[str]) -> bool:
    """White space only, or listed as `blank`."""
    if isinstance(value, str):
        return not value or value.isspace() or (bool(blanks) and value.strip().casefold() in blanks)
    return bool(blanks) and scalar_text(value) in blanks


def solid(row: Row, value: Json, draft: Draft) -> Json:
    """Numbers that are not finite read as absent, with a warning. Notes where a value nests so deep that outputs must
    be bounded."""
    kind = value.__class__
    if kind is dict or kind is list:
        if not draft.is_inbound or FLAT.issuperset(map(type, value.values() if kind is dict else value)):
            return value
        depth = levels(value)
        if depth > SHALLOW:
            draft.must_bound = True
        return value if depth > 0 else finite(value, row.place.path, draft.warnings)
    if kind is float and draft.is_inbound and value - value != 0:
        return finite(value, row.place.path, draft.warnings)
    return value


def listed(values: Values, value: Json) -> Json:
    """What `values` makes of a value: exact text first, then folded; ABSENT where it is not listed."""
    text = scalar_text(value)
    if text is not None:
        found = values.exact.get(text, ABSENT)
        if found is ABSENT and values.folded:
            found = values.folded.get(fold(text), ABSENT)
        if found is not ABSENT:
            return found
    if values.otherwise is Otherwise.KEEP:
        return value
    return ABSENT if values.otherwise is Otherwise.WARN or values.constant is None else values.constant


def indexed(row: Index, source: Json, draft: Draft) -> Json:
    """The pairs of a list, or the entries of an object, as an object; ABSENT where there is none."""
    if isinstance(source, dict):
        pairs = list(source.items())
    elif isinstance(source, list):
        pairs = [(walk(item, row.key.steps), walk(item, row.value.steps)) for item in source]
    else:
        if source is not ABSENT and source is not REMOVED:
            draft.warn("not_a_list", row.place.path, "`index` takes a list or an object")
        return ABSENT
    made: dict[str, Json] = {}
    for given, value in pairs:
        text = None if given is ABSENT else scalar_text(given)
        key = None if text is None else row.rename.get(text, text)
        if not key or value is ABSENT or is_blank_for(value, row.blanks):
            continue
        if value is not None and value is not REMOVED:
            made.setdefault(spaced(key) if row.spaced else key, value)
        elif row.keeps_removed:
            made.setdefault(spaced(key) if row.spaced else key, REMOVED)
    return in_dialect(row, made, draft) if made else ABSENT


def fill(template: Template, values: list[Json]) -> Json:
    """Join literal parts and values. Missing: absent, null, blank, objects and lists."""
    texts = [None if value is ABSENT or value is REMOVED else scalar_text(value) for value in values]
    texts = [None if text is None or not text or text.isspace() else text for text in texts]
    if (None in texts and not template.partial) or (texts and not any(texts)):
        return ABSENT
    given = iter(texts)
    joined = "".join(part if isinstance(part, str) else next(given) or "" for part in template.parts)
    return " ".join(joined.split()) if None in texts else joined


def spaced(key: str) -> str:
    """White space in keys becomes `_`."""
    return "_".join(key.split()) if not key.isprintable() or " " in key else key


def unnamed(value: Json, named: Named) -> Json:
    """What is left of a value without the keys that rows name; emptied objects vanish."""
    if named.is_whole or value.__class__ is not dict:
        return ABSENT if named.is_whole or named.is_leaf else value
    if not named.exact:
        return value
    known = named.known
    kept = {}
    for key, child in value.items():
        inner = known[key] if key in known else named.find(key)
        if inner is None:
            kept[key] = child
        elif not inner.is_whole and (child.__class__ is dict or not inner.is_leaf):
            left = unnamed(child, inner)
            if left is not ABSENT:
                kept[key] = left
    return kept or ABSENT


def written_key(row: Spread, key: str) -> str:
    """How a spread key is written."""
    if row.keys != "keep":
        key = {"snake": snake, "lower": str.lower, "upper": str.upper}[row.keys](key)
    return spaced(key) if row.spaced else key


def kind_name(value: Json) -> str:
    """text, number, boolean, object or list: what `drop` may name."""
    if isinstance(value, str):
        return "text"
    if isinstance(value, bool):
        return "boolean"
    return "object" if isinstance(value, dict) else "list" if isinstance(value, list) else "number"


def in_dialect(row: Any, made: dict[str, Json], draft: Draft) -> dict[str, Json] | Any:
    """Keys and values from data, by the vendor's rules."""
    if row.dialect is None:
        return made
    fields, warnings = row.dialect.apply(made)
    draft.warnings.extend(warnings)
    return fields or ABSENT


def each_of_value(row: EachItem | EachEntry, source: Json, draft: Draft) -> list[Json] | None:
    """As `each_of`, of a source that was read already."""
    if isinstance(source, list):
        return source
    if isinstance(source, dict):
        return [{"key": key, "value": value} for key, value in source.items()]
    if source is not ABSENT and source is not REMOVED:
        draft.warn("not_a_list", row.place.path, "`each` takes a list or an object")
    return None


def is_international(value: Json) -> bool:
    return isinstance(value, str) and value[0] == "+"


def note_origin(draft: Draft, row: Pick, source: Source) -> None:
    if draft.lineage is not None and not row.is_holder:
        draft.lineage[row.place.path] = Origin(source.text, row.place.mark.line, row.kind)


def note_spread(draft: Draft, row: Spread, key: str, name: str) -> None:
    source = row.source.sources[0].text if isinstance(row.source, Pick) else row.source.place.path
    if draft.lineage is not None:
        draft.lineage.setdefault(f"{row.place.path}.{name}", Origin(f"{source}.{key}", row.place.mark.line, None))
