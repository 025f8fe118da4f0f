"""The JSON Schema of mapping files, and how its complaints read.

Row forms are told apart by their key before a schema is chosen, never by `oneOf`, so a complaint is always about the
form the author meant.
"""

from __future__ import annotations

import difflib
import json
from typing import Any, Final

from hub.mapping.language.document import Node
from hub.mapping.language.problems import Mark, Problem, nearest, problem
from hub.mapping.model import Json

LANGUAGE: Final = 1
OPERATIONS: Final = ("profiles", "events", "messages", "audience", "consent", "erase")
FORMS: Final = ("from", "const", "template", "object", "list", "spread", "each", "index", "use")
OUTPUTS: Final = (
    "profile", "identities", "consents", "group", "audience", "event", "order", "link", "erase",
)  # fmt: skip

_ANY: Json = {}
_TEXT: Json = {"type": "string", "minLength": 1}
_BOOL: Json = {"type": "boolean"}
_MAP: Json = {"type": "object"}
_TEXTS: Json = {"type": "array", "items": {"type": ["string", "number", "boolean"]}}
_COMMON: Json = {"when": _TEXT, "default": _ANY, "required": _BOOL, "at": _ANY}
_VALUE: Json = {
    **_COMMON,
    "as": _TEXT,
    "values": {"type": "object", "minProperties": 1},
    "else": _ANY,
    "blank": _TEXTS,
    "region": _ANY,
    "currency": _ANY,
    "unit": {"enum": ["s", "ms", "us"]},
    "zone": _TEXT,
    "format": _TEXT,
}


def _closed(properties: Json, required: tuple[str, ...] = ()) -> Json:
    return {"type": "object", "properties": properties, "additionalProperties": False, "required": list(required)}


FORM_SCHEMAS: Final[dict[str, Json]] = {
    "from": _closed({**_VALUE, "from": _ANY}),
    "const": _closed({**_COMMON, "const": _ANY}),
    "template": _closed({**_VALUE, "template": _TEXT, "partial": _BOOL}),
    "object": _closed({**_COMMON, "object": {"type": "object", "minProperties": 1}}),
    "list": _closed({**_COMMON, "list": {"type": "array"}}),
    "spread": _closed(
        {
            **_COMMON,
            "spread": _ANY,
            "rest": _BOOL,
            "except": {"type": "array"},
            "drop": {"type": "array", "items": {"enum": ["null", "text", "number", "boolean", "object", "list"]}},
            "keys": {"enum": ["keep", "snake", "lower", "upper"]},
            "where": _TEXT,
        }
    ),
    "each": _closed(
        {
            **_COMMON,
            "each": {"type": "object", "minProperties": 1, "maxProperties": 1},
            "where": _TEXT,
            "map": _ANY,
            "key": _ANY,
            "value": _ANY,
            "group": _BOOL,
        }
    ),
    "index": _closed({**_COMMON, "index": _ANY, "key": _TEXT, "value": _TEXT, "rename": {"type": "object"}}),
    "use": _closed({**_COMMON, "use": _TEXT}),
}

_RULE = _closed(
    {
        "id": _TEXT,
        "match": {"type": "object", "minProperties": 1},
        "when": _TEXT,
        "each": {"type": "object", "minProperties": 1, "maxProperties": 1},
        "fallback": {"enum": list(OUTPUTS)},
        "claims": {"type": "array", "items": {"enum": list(OUTPUTS)}},
        "profile": _MAP,
        "identities": _MAP,
        "consents": _MAP,
        "group": _MAP,
        "audience": _MAP,
        "event": _MAP,
        "order": _MAP,
        "link": _MAP,
        "erase": _MAP,
    },
    ("id",),
)
_OUT_RULE = {
    "match": {"type": "object", "minProperties": 1},
    "when": _TEXT,
    "skip": _TEXT,
    "name": _ANY,
    "fields": {"type": ["object", "array"]},
}
_UNSET: Json = {"enum": [None, "", "list", "omit"]}
_SECTION = _closed({"unset": _UNSET, "dialect": _MAP, **_OUT_RULE}, ("fields",))
_SECTION_OF_RULES = _closed(
    {
        "unset": _UNSET,
        "dialect": _MAP,
        "rules": {"type": "array", "minItems": 1, "items": _closed({"id": _TEXT, **_OUT_RULE}, ("id",))},
    },
    ("rules",),
)

DOCUMENT: Final[Json] = _closed(
    {
        "connector": _TEXT,
        "extends": _TEXT,
        "language": {"const": LANGUAGE},
        "who": _closed(
            {"source_id": _ANY, "identities": _MAP, "missing": {"enum": ["ignore", "quarantine", "keep"]}},
            ("source_id",),
        ),
        "message": _closed({"at": _ANY, "test": _ANY, "replay": _ANY}),
        "blank": _TEXTS,
        "let": _MAP,
        "sections": {"type": "object", "additionalProperties": _MAP},
        "rules": {"type": "array", "minItems": 1, "items": _RULE},
        "dialect": _MAP,
        **dict.fromkeys(OPERATIONS, _MAP),
    },
    ("connector",),
)


def frame_problems(root: Node) -> list[Problem]:
    """What is wrong with the document apart from its rows."""
    found = schema_problems(root, DOCUMENT, "")
    for operation in OPERATIONS:
        section = root.get(operation)
        if section is not None and section.is_map:
            schema = _SECTION_OF_RULES if section.get("rules") is not None else _SECTION
            found += schema_problems(section, schema, operation)
    return found


def schema_problems(node: Node, schema: Json, path: str) -> list[Problem]:
    """Complaints of JSON Schema as sentences, each at its line and column."""
    from jsonschema import Draft202012Validator

    errors = sorted(
        Draft202012Validator(schema).iter_errors(node.plain()), key=lambda error: list(map(str, error.path))
    )
    return [found for error in errors for found in _sentences(node, path, error)]


def _sentences(root: Node, path: str, error: Any) -> list[Problem]:
    node, path = _walk(root, path, error.absolute_path)
    if error.validator == "additionalProperties":
        allowed = error.schema["properties"]
        return [
            problem(node.key_marks[key], path, f"there is no {key!r} here{nearest(key, allowed)}")
            for key in node.value
            if key not in allowed
        ]
    return [problem(node.mark, path, _sentence(error))]


def _sentence(error: Any) -> str:
    given = _short(error.instance)
    match error.validator:
        case "required":
            missing = next(name for name in error.validator_value if name not in error.instance)
            return f"{missing!r} is missing"
        case "type":
            kinds = error.validator_value if isinstance(error.validator_value, list) else [error.validator_value]
            return f"this must be {' or '.join(_KINDS[kind] for kind in kinds)}, not {given}"
        case "enum":
            words = [value for value in error.validator_value if isinstance(value, str) and value]
            close = difflib.get_close_matches(str(error.instance), words, 1)
            hint = (
                f"did you mean {close[0]!r}?" if close else f"allowed: {', '.join(map(_short, error.validator_value))}."
            )
            return f"{given} is not possible; {hint}"
        case "const":
            return f"this hub speaks language {error.validator_value}, not {given}"
        case _:
            return f"{_LIMITS.get(error.validator, 'this is not possible')}: {given}"


_KINDS = {
    "object": "a map", "array": "a list", "string": "text", "boolean": "true or false", "number": "a number",
}  # fmt: skip
_LIMITS = {
    "minLength": "this must not be empty",
    "minProperties": "this must not be empty",
    "minItems": "this must not be empty",
    "maxProperties": "this takes one name only",
}


def _short(value: Json) -> str:
    text = repr(value) if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return text if len(text) <= 60 else text[:57] + "..."


def _walk(node: Node, path: str, steps: Any) -> tuple[Node, str]:
    for step in steps:
        node = node.value[step]
        path = f"{path}.{_name(node, step)}" if path else _name(node, step)
    return node, path


def _name(node: Node, step: str | int) -> str:
    """Rules are named by their id, other list items by their number."""
    rule_id = node.get("id")
    return str(rule_id.value) if isinstance(step, int) and rule_id is not None else str(step)


def mark_of(node: Node, key: str) -> Mark:
    """Where a key of a map stands; the map itself if it has no such key."""
    return node.key_marks.get(key, node.mark)
