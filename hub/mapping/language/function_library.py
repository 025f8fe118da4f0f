"""The functions of mapping expressions, hung into jmespath at its own extension point.

Every function is pure: no clock, no randomness, no regular expressions. A value of the wrong type gives null, never an
exception, and what a function makes stays within a size that the message itself could have had.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Callable, Iterable, Iterator
from decimal import Decimal
from typing import Any, Final, TypeVar

from jmespath.exceptions import JMESPathError
from jmespath.functions import Functions, signature
from jmespath.visitor import Options, TreeInterpreter

from hub.mapping.model import Json
from hub.mapping.values.coerce import is_blank, scalar_text
from hub.mapping.values.coerce_number import number
from hub.mapping.values.coerce_place import region
from hub.mapping.values.text import Failed, snake

MAX_TEXT: Final = 1_048_576
FAILURES: Final = (JMESPathError, TypeError, ValueError, ArithmeticError, LookupError, AttributeError, RecursionError)
Method = TypeVar("Method", bound=Callable[..., Json])


def takes(count: int, *, many: bool = False) -> Callable[[Method], Method]:
    """A function of `count` arguments of any type; with `many`, the last may repeat."""
    parameters: Any = [{"types": []} for _ in range(count)]
    if many:
        parameters[-1]["variadic"] = True
    return signature(*parameters)


class MappingFunctions(Functions):
    """The standard functions, the ones that mappings add, and null-safe forms of standard ones that raise."""

    def call_function(self, function_name: str, resolved_args: Iterable[Json]) -> Json:
        try:
            result = super().call_function(function_name, resolved_args)
        except FAILURES:
            return None
        return None if isinstance(result, float) and not math.isfinite(result) else result

    # ── text ─────────────────────────────────────────────────────────────────────────────────────────────────────

    @takes(1)
    def _func_lower(self, text: Json) -> Json:
        return text.lower()

    @takes(1)
    def _func_upper(self, text: Json) -> Json:
        return text.upper()

    @takes(1)
    def _func_trim(self, text: Json) -> Json:
        return text.strip()

    @takes(2)
    def _func_split(self, text: Json, separator: Json) -> Json:
        return text.split(separator) if isinstance(separator, str) else None

    @takes(3)
    def _func_replace(self, text: Json, old: Json, new: Json) -> Json:
        if not old or len(text) + text.count(old) * len(new) > MAX_TEXT:
            return None
        return text.replace(old, new)

    @takes(1)
    def _func_snake(self, text: Json) -> Json:
        return snake(text) or None

    @takes(1, many=True)
    def _func_concat(self, *parts: Json) -> Json:
        return _joined("", list(parts))

    @takes(2)
    def _func_join(self, separator: Json, parts: Json) -> Json:
        return _joined(separator, parts) if isinstance(separator, str) and isinstance(parts, list) else None

    @takes(2)
    def _func_starts_with(self, text: Json, start: Json) -> Json:
        return text.startswith(start) if isinstance(start, str) else None

    @takes(2)
    def _func_ends_with(self, text: Json, end: Json) -> Json:
        return text.endswith(end) if isinstance(end, str) else None

    @takes(1)
    def _func_sha256(self, text: Json) -> Json:
        return hashlib.sha256(text.encode("utf-8", "replace")).hexdigest()

    @takes(1)
    def _func_locale_country(self, locale: Json) -> Json:
        return _kept(region(locale))

    # ── choosing ─────────────────────────────────────────────────────────────────────────────────────────────────

    @takes(1, many=True)
    def _func_first_value(self, *values: Json) -> Json:
        candidates = values[0] if len(values) == 1 and isinstance(values[0], list) else values
        return next((value for value in candidates if value is not None and not is_blank(value)), None)

    @takes(1)
    def _func_is_blank(self, value: Json) -> Json:
        return value is None or is_blank(value)

    @takes(2, many=True)
    def _func_get(self, holder: Json, key: Json, default: Json = None) -> Json:
        found = None
        if isinstance(holder, dict) and isinstance(key, str):
            found = holder.get(key)
        elif isinstance(holder, list) and type(key) is int and -len(holder) <= key < len(holder):
            found = holder[key]
        return default if found is None else found

    # ── objects and lists ────────────────────────────────────────────────────────────────────────────────────────

    @takes(1)
    def _func_length(self, value: Json) -> Json:
        return len(value)

    @takes(1)
    def _func_keys(self, value: Json) -> Json:
        return list(value.keys())

    @takes(2)
    def _func_contains(self, holder: Json, search: Json) -> Json:
        if isinstance(holder, list):
            wanted = _same(search)
            return any(_same(element) == wanted for element in holder)
        return search in holder if isinstance(holder, str) else None

    @takes(1, many=True)
    def _func_merge(self, *objects: Json) -> Json:
        given = [one for one in objects if one is not None]
        if not given or not all(isinstance(one, dict) for one in given):
            return None
        return {key: value for one in given for key, value in one.items()}

    @takes(1)
    def _func_entries(self, value: Json) -> Json:
        return [{"key": key, "value": kept} for key, kept in value.items()]

    @takes(1)
    def _func_from_entries(self, pairs: Json) -> Json:
        if not isinstance(pairs, list):
            return None
        named = ((scalar_text(pair.get("key")), pair.get("value")) for pair in pairs if isinstance(pair, dict))
        return {key: value for key, value in named if key}

    @takes(2, many=True)
    def _func_pick(self, value: Json, *keys: Json) -> Json:
        return {key: value[key] for key in _flat(keys) if key in value} if isinstance(value, dict) else None

    @takes(2, many=True)
    def _func_omit(self, value: Json, *keys: Json) -> Json:
        dropped = set(_flat(keys))
        return {key: kept for key, kept in value.items() if key not in dropped}

    @takes(2, many=True)
    def _func_with_nulls(self, value: Json, *keys: Json) -> Json:
        return value | {key: None for key in _flat(keys) if key not in value}

    @takes(1)
    def _func_unique(self, values: Json) -> Json:
        kept: dict[str, Json] = {}
        for value in values if isinstance(values, list) else ():
            kept.setdefault(_same(value), value)
        return list(kept.values()) if isinstance(values, list) else None

    # ── arithmetic ───────────────────────────────────────────────────────────────────────────────────────────────

    @takes(1)
    def _func_to_number(self, value: Json) -> Json:
        return None if isinstance(value, bool) else _kept(number(value))

    @takes(2, many=True)
    def _func_add(self, *numbers: Json) -> Json:
        return _number(sum(map(_exact, numbers)))

    @takes(2)
    def _func_subtract(self, left: Json, right: Json) -> Json:
        return _number(_exact(left) - _exact(right))

    @takes(2, many=True)
    def _func_multiply(self, *numbers: Json) -> Json:
        return _number(math.prod(map(_exact, numbers)))


class MappingInterpreter(TreeInterpreter):
    """As the library's, but an ordering of unlike values (text against a number) is null, not an exception."""

    def visit_comparator(self, node: Any, value: Json) -> Json:
        try:
            return super().visit_comparator(node, value)
        except TypeError:
            return None


def interpreter() -> MappingInterpreter:
    return MappingInterpreter(Options(custom_functions=MappingFunctions()))


def arities() -> dict[str, tuple[int, int | None, frozenset[int]]]:
    """Function name -> (fewest arguments, most or None, positions that take an `&expression`)."""
    found: dict[str, tuple[int, int | None, frozenset[int]]] = {}
    for name, entry in MappingFunctions.FUNCTION_TABLE.items():
        parameters = entry["signature"]
        most = None if parameters and parameters[-1].get("variadic") else len(parameters)
        expressions = frozenset(i for i, parameter in enumerate(parameters) if "expref" in parameter["types"])
        found[name] = (len(parameters), most, expressions)
    return found | {"get": (2, 3, frozenset())}


def _joined(separator: str, parts: list[Json]) -> str | None:
    """Texts, numbers and booleans in one text; nulls are left out; anything else, or nothing at all, gives null."""
    texts = [scalar_text(part) for part in parts if part is not None]
    if not texts or any(text is None for text in texts):
        return None
    kept = [text for text in texts if text is not None]
    if sum(map(len, kept)) + len(separator) * len(kept) > MAX_TEXT:
        return None
    return separator.join(kept)


def _flat(keys: tuple[Json, ...]) -> Iterator[str]:
    """Keys given one by one or as lists."""
    for key in keys:
        yield from (one for one in (key if isinstance(key, list) else [key]) if isinstance(one, str))


def _same(value: Json) -> str:
    """Equal JSON values give equal texts; true and 1 stay apart, 1 and 1.0 do not."""
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    return json.dumps(value, sort_keys=True, default=repr)


def _exact(value: Json) -> Any:
    """Integers as they are, floats as the decimals they read as: 0.1 + 0.2 is 0.3."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise TypeError("not a number")
    return value if isinstance(value, int) else Decimal(repr(value))


def _number(result: int | Decimal) -> Json:
    return _kept(number(result if isinstance(result, int) else float(result)))


def _kept(result: Json | Failed) -> Json:
    return None if isinstance(result, Failed) else result
