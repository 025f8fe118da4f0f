"""What a `dialect` section may say, as JSON Schema."""

from __future__ import annotations

from typing import Any, Final

from hub.mapping.language.dialect_names import CASES

SCHEMA: Final[dict[str, Any]] = {
    "type": "object",
    "additionalProperties": False,
    "properties": {
        "case": {"enum": list(CASES)},
        "replace": {"type": "object", "additionalProperties": {"type": "string"}},
        "others": {"type": "string"},
        "max_key": {"type": "integer", "minimum": 1},
        "reserved": {"type": "object", "additionalProperties": {"type": ["string", "null"]}},
        "max_text": {"type": "integer", "minimum": 1},
        "lists": {"enum": ["keep", "json", "join", "texts", "drop"]},
        "objects": {"enum": ["keep", "json", "flatten", "drop"]},
        "separator": {"type": "string"},
        "booleans": {
            "anyOf": [
                {"enum": ["keep", "text", "number"]},
                {
                    "type": "object",
                    "additionalProperties": False,
                    "required": ["tag"],
                    "properties": {"tag": {"type": "string"}, "untag": {"type": "string"}},
                },
            ]
        },
        "dates": {
            "type": "object",
            "additionalProperties": False,
            "properties": {
                "format": {"type": "string"},
                "prefix": {"type": "string"},
                "suffix": {"type": "string"},
                "days": {"enum": ["keep"]},
            },
        },
        "max_items": {"type": "integer", "minimum": 1},
    },
}
