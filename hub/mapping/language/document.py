"""Mapping files as trees of nodes that know their place.

YAML 1.2 scalars only: `true`, `false`, `null` and decimal numbers are values, everything else is text (`NO`, `on`, `0o7`
and `1:30` included). Duplicate keys, tags, anchors and merge keys are errors, so that a file means what it shows.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Final

import yaml

from hub.mapping.language.problems import MappingFileInvalid, Mark, problem
from hub.mapping.model import Json
from hub.sdk.text import is_storable

MAX_CHARACTERS: Final = 1_048_576
MAX_DEPTH: Final = 64
_STR, _NULL, _BOOL, _INT, _FLOAT = (f"tag:yaml.org,2002:{name}" for name in ("str", "null", "bool", "int", "float"))


@dataclass(frozen=True, slots=True, eq=False)
class Node:
    """A scalar, a list of nodes or a map of nodes, where it stands, and where the map's keys stand."""

    value: Any
    mark: Mark
    key_marks: dict[str, Mark]

    @property
    def is_map(self) -> bool:
        return isinstance(self.value, dict)

    @property
    def is_list(self) -> bool:
        return isinstance(self.value, list)

    def get(self, key: str) -> Node | None:
        """The node under a key of a map; None for anything else."""
        return self.value.get(key) if isinstance(self.value, dict) else None

    def items(self) -> Iterator[tuple[str, Node]]:
        """Keys and nodes of a map; nothing for anything else."""
        return iter(self.value.items() if isinstance(self.value, dict) else ())

    def plain(self) -> Json:
        """The same as JSON, without places."""
        if isinstance(self.value, dict):
            return {key: node.plain() for key, node in self.value.items()}
        if isinstance(self.value, list):
            return [node.plain() for node in self.value]
        return self.value


class _Loader(yaml.SafeLoader):
    """Composes nodes; resolves scalars by the YAML 1.2 core schema, less octal and hexadecimal numbers."""

    yaml_implicit_resolvers: dict[str, list[tuple[str, re.Pattern[str]]]] = {}  # noqa: RUF012 - PyYAML's own way

    def __init__(self, text: str) -> None:
        super().__init__(text)
        self.depth = 0

    def compose_node(self, parent: Any, index: Any) -> Any:
        event = self.peek_event()  # type: ignore[no-untyped-call] # PyYAML is untyped here
        if isinstance(event, yaml.AliasEvent) or getattr(event, "anchor", None):
            raise _refusal(event, "anchors and aliases are not part of the language; `sections` and `use` are")
        if getattr(event, "tag", None):
            raise _refusal(event, f"the tag {event.tag!r} is not part of the language")
        self.depth += 1
        if self.depth > MAX_DEPTH:
            raise _refusal(event, f"the file nests deeper than {MAX_DEPTH}")
        node = super().compose_node(parent, index)
        self.depth -= 1
        return node


for _tag, _pattern, _first in (
    (_NULL, r"(?:~|null|Null|NULL|)", ["~", "n", "N", ""]),
    (_BOOL, r"(?:true|True|TRUE|false|False|FALSE)", list("tTfF")),
    (_INT, r"[-+]?[0-9]+", list("-+0123456789")),
    (_FLOAT, r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?", list("-+.0123456789")),
):
    _Loader.add_implicit_resolver(_tag, re.compile(rf"^{_pattern}$"), _first)


@lru_cache(maxsize=32)  # nodes never change, and each connection asks for its mapping anew
def load(text: str, file: str) -> Node:
    """The document of a file. Raises MappingFileInvalid, naming line and column."""
    if len(text) > MAX_CHARACTERS:
        raise MappingFileInvalid(
            [problem(Mark(file, 1, 1), "", f"the file is longer than {MAX_CHARACTERS} characters")]
        )
    try:
        root = _compose(text)
        if root is None:
            raise MappingFileInvalid([problem(Mark(file, 1, 1), "", "the file is empty")])
        return _node(root, file)
    except yaml.MarkedYAMLError as error:
        at = error.problem_mark or error.context_mark
        mark = Mark(file, at.line + 1, at.column + 1) if at else Mark(file, 1, 1)
        raise MappingFileInvalid([problem(mark, "", _words(error))]) from None
    except yaml.YAMLError as error:
        raise MappingFileInvalid(
            [problem(Mark(file, 1, 1), "", f"the text is not YAML: {str(error).splitlines()[0]}")]
        ) from None


def _words(error: yaml.MarkedYAMLError) -> str:
    """PyYAML says some things in two halves: `expected a single document, but found another document`."""
    words = error.problem or "the text is not YAML"
    return f"{error.context}, {words}" if error.context and words.startswith("but ") else words


def _compose(text: str) -> Any:
    loader = _Loader(text)
    try:
        return loader.get_single_node()
    finally:
        loader.dispose()


def _node(raw: Any, file: str) -> Node:
    mark = Mark(file, raw.start_mark.line + 1, raw.start_mark.column + 1)
    if isinstance(raw, yaml.SequenceNode):
        return Node([_node(item, file) for item in raw.value], mark, {})
    if isinstance(raw, yaml.MappingNode):
        return _map(raw, mark, file)
    return Node(_scalar(raw), mark, {})


def _map(raw: Any, mark: Mark, file: str) -> Node:
    value: dict[str, Node] = {}
    marks: dict[str, Mark] = {}
    for key, child in raw.value:
        if not isinstance(key, yaml.ScalarNode):
            raise _refusal(key, "a key must be a plain word or quoted text")
        name = _text(key)
        if name == "<<" and key.style is None:
            raise _refusal(key, "merge keys (<<) are not part of the language; `sections` and `use` are")
        if name in value:
            raise _refusal(key, f"the key {name!r} stands here twice; it stood on line {marks[name].line} before")
        marks[name] = Mark(file, key.start_mark.line + 1, key.start_mark.column + 1)
        value[name] = _node(child, file)
    return Node(value, mark, marks)


def _text(raw: Any) -> str:
    text = str(raw.value)
    if not is_storable(text):
        raise _refusal(raw, "the text holds a NUL character or half of a surrogate pair, which no database stores")
    return text


def _scalar(raw: Any) -> Json:
    text = _text(raw)
    if raw.tag == _NULL:
        return None
    if raw.tag == _BOOL:
        return text.lower() == "true"
    if raw.tag == _INT:
        return int(text) if len(text) <= 18 else text  # longer ids stay text: no JSON reader agrees on them
    if raw.tag == _FLOAT:
        return _finite(text)
    return text


def _finite(text: str) -> Json:
    number = float(text)
    return number if number - number == 0 else text


def _refusal(at: Any, words: str) -> yaml.MarkedYAMLError:
    return yaml.MarkedYAMLError(problem=words, problem_mark=at.start_mark)
