"""From text in a mapping file to what is read: paths, templates, expressions and conditions.

`Names` knows what the first word of a path may be; `Reader` collects problems instead of raising, so that one check
shows all of them.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Final

from jmespath.parser import Parser

from hub.mapping.language.expressions import EVERYTHING, ExpressionInvalid, compile_expression
from hub.mapping.model import Json
from hub.mapping.language.paths import Path, PathStep, parse_path
from hub.mapping.language.problems import Mark, Problem, nearest, problem
from hub.mapping.language.rows import Formula, FromPath, Template

SCOPE_NAMES: Final = (
    "profile", "event", "order", "consent", "audience", "code", "distribution", "delivery", "options",
)  # fmt: skip
MAX_SHOWN: Final = 60  # characters of an expression that a problem repeats
_INBOUND_ROOTS: Final = ("hub", "options")
_PLACEHOLDER = re.compile(r"\{\{|\}\}|\{([^{}]*)\}|[{}]")


class SourceReader:
    """Turns texts into sources and keeps what is wrong with them."""

    def __init__(self, *, is_inbound: bool) -> None:
        self.is_inbound = is_inbound
        self.problems: list[Problem] = []
        self.within = ""  # the rule that is being built, before the paths of its problems
        self.lets: list[str] = []
        self._bound: list[str] = []
        self.read_paths: list[tuple[Path, bool]] = []  # (path, whether it takes everything below)

    @contextmanager
    def binding(self, name: str) -> Iterator[None]:
        """Inside, paths may begin with the name of an `each`."""
        self._bound.append(name)
        yield
        self._bound.pop()

    def complain(self, mark: Mark, path: str, text: str) -> None:
        self.problems.append(problem(mark, self.full_path(path), text))

    def full_path(self, path: str) -> str:
        """The path inside the document: rows know only the output they make."""
        return path if path.startswith(self.within) else f"{self.within}.{path}"

    def source(self, text: str, mark: Mark, place: str, *, whole: bool = True) -> FromPath | Formula | None:
        """A path, or an expression where the text is not a plain path."""
        steps = parse_path(text)
        if steps is None:
            return self.formula(text, mark, place)
        path = self._rooted(steps, text, mark, place)
        if path is None:
            return None
        self.read_paths.append((path, whole))
        return FromPath(path)

    def path(self, text: str, mark: Mark, place: str, *, whole: bool = False) -> Path | None:
        """A path where only a path may stand."""
        steps = parse_path(text)
        if steps is None:
            self.complain(mark, place, f"{text!r} is not a path")
            return None
        path = self._rooted(steps, text, mark, place)
        if path is not None:
            self.read_paths.append((path, whole))
        return path

    def formula(self, text: str, mark: Mark, place: str) -> Formula | None:
        """A checked JMESPath expression."""
        try:
            expression = compile_expression(text)
        except ExpressionInvalid as error:
            shown = text if len(text) <= MAX_SHOWN else text[: MAX_SHOWN - 3] + "..."
            self.complain(mark, place, f"in {shown!r}, character {error.offset + 1}: {error.message}")
            return None
        names = []
        for name in sorted(expression.paths - {EVERYTHING}):
            path = self._rooted((PathStep(name, None),), name, mark, place)
            if path is None:
                return None
            names.append((name, path))
        tree = Parser().parse(text).parsed
        if _negates_first(tree):
            self.complain(mark, place, f"in {text!r}: `!a.b` reads as (!a).b, which is never true; write !(a.b)")
            return None
        self._note_chains(tree)
        return Formula(text, expression, tuple(names), EVERYTHING in expression.paths, tree)

    def template(self, text: str, mark: Mark, place: str, *, partial: bool) -> Template | None:
        """`Viewed {name} Page`; `{{` and `}}` stand for braces."""
        parts: list[str | Path] = []
        position = 0
        for match in _PLACEHOLDER.finditer(text):
            parts.append(text[position : match.start()])
            position = match.end()
            if match[0] in {"{{", "}}"}:
                parts.append(match[0][0])
            elif match[1] is None:
                self.complain(mark, place, f"the template {text!r} has a brace without its partner")
                return None
            else:
                path = self.path(match[1].strip(), mark, place)
                if path is None:
                    return None
                parts.append(path)
        parts.append(text[position:])
        return Template(tuple(part for part in parts if part != ""), partial, text)

    def _rooted(self, steps: tuple[PathStep, ...], text: str, mark: Mark, place: str) -> Path | None:
        head = steps[0]
        if head.fold is None:
            if head.key in self._bound:
                return Path(f"item:{head.key}", steps[1:], text)
            if head.key in self.lets:
                return Path(f"let:{head.key}", steps[1:], text)
            if self.is_inbound and head.key in _INBOUND_ROOTS:
                return Path(head.key, steps[1:], text)
        if self.is_inbound or head.key in SCOPE_NAMES:
            return Path("message", steps, text)
        known = {*SCOPE_NAMES, *self.lets, *self._bound}
        self.complain(mark, place, f"a path of this file cannot begin with {head.key!r}{nearest(head.key, known)}")
        return None

    def _note_chains(self, tree: Mapping[str, Any]) -> None:
        """Keys an expression names (`traits.a || traits.b`) count as named for `rest`."""
        for keys in _chains(tree):
            steps = tuple(PathStep(key, None) for key in keys)
            if len(steps) > 1 and keys[0] not in {*self._bound, *self.lets, *_INBOUND_ROOTS}:
                self.read_paths.append((Path("message", steps, ".".join(keys)), True))


def _chains(node: Mapping[str, Any]) -> Iterator[tuple[str, ...]]:
    """Dotted names read from the scope; what stands behind a pipe or inside a projection reads from elsewhere."""
    chain = _chain(node)
    if chain is not None:
        yield chain
        return
    children = [child for child in node.get("children", ()) if isinstance(child, dict)]
    if node["type"] in {"pipe", "projection", "value_projection", "filter_projection", "flatten", "index_expression"}:
        children = children[:1]
    for child in children:
        yield from _chains(child)


def _chain(node: Mapping[str, Any]) -> tuple[str, ...] | None:
    if node["type"] == "field":
        return (str(node["value"]),)
    if node["type"] != "subexpression":
        return None
    keys: tuple[str, ...] = ()
    for child in node["children"]:
        part = _chain(child)
        if part is None:
            return None
        keys += part
    return keys


def _negates_first(node: Mapping[str, Any]) -> bool:
    """`!a.b`, where JMESPath negates `a` before it reads `b`."""
    children = [child for child in node.get("children", ()) if isinstance(child, dict)]
    is_trap = node["type"] == "subexpression" and children[0]["type"] == "not_expression"
    return is_trap or any(map(_negates_first, children))


def field_chain(node: Mapping[str, Any]) -> tuple[str, ...] | None:
    """The keys of an expression that is nothing but a dotted path; None for any other."""
    return _chain(node)


def literal(node: Mapping[str, Any]) -> Json:
    """The value of a literal of an expression."""
    return node["value"]
