"""The source text of generated functions: lines, constants, and how paths and conditions are read.

Source text is made of our own words only. Whatever comes from a mapping file enters as a named constant, so a file can
never become code. `m` is the message, `x` the draft, `A` absent, `R` removed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import lru_cache
from types import CodeType
from typing import Any, Final

from hub.mapping.build.sources import field_chain, literal
from hub.mapping.generate.learned_tables import LearningTable
from hub.mapping.language.paths import ABSENT, Path, PathStep, folded_keys, found_by_fold
from hub.mapping.language.rows import Formula, FromPath
from hub.mapping.model import REMOVED
from hub.mapping.run.interpreter import formula_value, holds, let_value
from hub.mapping.run.meaning import is_true

_NO_FIELDS: Final[dict[str, Any]] = {}


@lru_cache(maxsize=2048)
def _code(text: str) -> CodeType:
    """Most functions of a mapping come out the same for its next version, and for its patch of another connection."""
    return compile(text, "<mapping>", "exec")


class _Loop:
    """The body of a loop, or the function itself: what was read once for all of it stands at its beginning."""

    def __init__(self, name: str, variable: str, indent: int) -> None:
        self.name = name  # of the `each`; empty for the function
        self.variable = variable
        self.indent = indent
        self.opening: list[str] = []
        self.containers: dict[tuple[str, tuple[PathStep, ...]], str] = {}
        self.is_shared = False  # whether the interpreter must see the item too


class Emitter:
    """One generated function. `lets` names the generated function of each `let`."""

    def __init__(self, *, is_inbound: bool, lets: dict[str, Callable[[Any], Any]]) -> None:
        self.is_inbound = is_inbound
        self._lets = lets
        self.constants: dict[str, Any] = {
            "A": ABSENT, "R": REMOVED, "E": _NO_FIELDS, "true": is_true, "holds": holds, "formula": formula_value, "by_fold": found_by_fold, "folded_keys": folded_keys, "object_of": _object_of,
        }  # fmt: skip
        self._named: dict[tuple[type, Any], str] = {}
        self._count = 0
        self._indent = 1
        self._loops = [_Loop("", "m", 1)]
        self._lines: list[str | list[str]] = [self._loops[0].opening]
        self._lets_read: dict[str, str] = {}  # root -> the variable that holds its object, once asked for
        self._folded: dict[str, str] = {}  # container -> the variable that holds its folded keys, once asked for

    # ── text ─────────────────────────────────────────────────────────────────────────────────────────────────────

    def line(self, text: str) -> None:
        self._lines.append("    " * self._indent + text)

    @contextmanager
    def block(self, opening: str) -> Iterator[None]:
        """A statement with its indented body."""
        self.line(opening)
        self._indent += 1
        before = len(self._lines)
        yield
        if len(self._lines) == before:
            self.line("pass")
        self._indent -= 1

    @contextmanager
    def optional_block(self, opening: str | None) -> Iterator[None]:
        """A block, or the lines as they are where there is no opening."""
        if opening is None:
            yield
            return
        with self.block(opening):
            yield

    def name(self, stem: str = "v") -> str:
        self._count += 1
        return f"{stem}{self._count}"

    def constant(self, value: Any) -> str:
        """The name of a constant; equal texts share one."""
        key = (str, value) if value.__class__ is str else (object, id(value))
        if key not in self._named:
            self._named[key] = self.name("k")
            self.constants[self._named[key]] = value
        return self._named[key]

    def function(self, result: str | None) -> Callable[[Any], Any]:
        """The finished function: it takes the draft."""
        lines = ["def generated(x):", "    m = x.message"]
        for entry in self._lines:
            lines += [entry] if isinstance(entry, str) else entry
        if result is not None:
            lines.append(f"    return {result}")
        space = dict(self.constants)
        exec(_code("\n".join(lines)), space)  # noqa: S102 - our own words and named constants only
        made: Callable[[Any], Any] = space["generated"]
        return made

    # ── loops ────────────────────────────────────────────────────────────────────────────────────────────────────

    @contextmanager
    def loop(self, name: str, items: str) -> Iterator[None]:
        """A loop over the items of an `each`, which binds `name`."""
        variable, outer = self.name("i"), self.name("u")
        before: list[str] = []
        after: list[str] = []
        self._lines.append(before)
        indent = "    " * self._indent
        self.line(f"for {variable} in {items}:")
        self._indent += 1
        loop = _Loop(name, variable, self._indent)
        self._loops.append(loop)
        self._lines.append(loop.opening)
        yield
        self._loops.pop()
        self._indent -= 1
        self._lines.append(after)
        if loop.is_shared:
            key = self.constant(name)
            before.append(f"{indent}{outer} = x.items.get({key}, A)")
            loop.opening.insert(0, f"{indent}    x.items[{key}] = {variable}")
            after.append(f"{indent}x.items[{key}] = {outer}")

    def share_items(self) -> None:
        """What follows calls the interpreter, which finds items in the draft."""
        for loop in self._loops[1:]:
            loop.is_shared = True

    # ── reading ──────────────────────────────────────────────────────────────────────────────────────────────────

    def look_up(self, variable: str, table: LearningTable[Any, Any], key: str) -> None:
        """What a table knows of a key, or learns."""
        self.line(f"try: {variable} = {self.constant(table.known)}[{key}]")
        self.line(f"except KeyError: {variable} = {self.constant(table)}.learn({key})")

    def read(self, path: Path) -> str:
        """The variable that holds the raw value at a path; `A` if there is none."""
        if not path.steps:
            return self._root_value(path.root)
        holder = self._container(path.root, path.steps[:-1])
        variable = self.name()
        self._step(self.line, variable, holder, path.steps[-1])
        return variable

    def _step(self, line: Callable[[str], None], variable: str, holder: str, step: PathStep) -> None:
        line(f"{variable} = {holder}.get({self.constant(step.key)}, A)")
        if step.fold is None:
            return
        index = self._folded.get(holder)
        if index is None:
            line(f"if {variable} is A: {variable} = by_fold({holder}, {self.constant(step.fold)})")
            return
        line(f"if {variable} is A:")
        line(f"    if {index} is None: {index} = folded_keys({holder})")
        line(f"    {variable} = {holder}.get({index}.get({self.constant(step.fold)}, A), A)")

    def _container(self, root: str, steps: tuple[PathStep, ...]) -> str:
        """The variable that holds the object at a path; an empty one if there is none. Read once per loop body."""
        if root.startswith("let:"):
            return self._let_container(root, steps)
        loop = self._owner(root)
        known = loop.containers.get((root, steps))
        if known is not None:
            return known
        if not steps and root == "message":
            return "m"
        variable = self.name("t")
        if not steps:
            self._open(loop, f"{variable} = {self._root_expression(root, loop)}")
        else:
            holder = self._container(root, steps[:-1])
            self._step(lambda text: self._open(loop, text), variable, holder, steps[-1])
        self._open(loop, f"if {variable}.__class__ is not dict: {variable} = E")
        index = self._folded[variable] = self.name("f")
        self._open(loop, f"{index} = None")
        loop.containers[root, steps] = variable
        return variable

    def _let_container(self, root: str, steps: tuple[PathStep, ...]) -> str:
        """Read when it is first needed: a name that nobody asks for is not read, and may not warn."""
        variable = self._lets_read.get(root)
        if variable is None:
            variable = self._lets_read[root] = self.name("t")
            self._open(self._loops[0], f"{variable} = None")
        name = root.removeprefix("let:")
        if name in self._lets:
            value = f"{self.constant(self._lets[name])}(x)"
        else:
            self.constants["let"] = let_value
            value = f"let({self.constant(name)}, x)"
        self.line(f"if {variable} is None: {variable} = object_of({value})")
        for step in steps:
            inner = self.name("t")
            self._step(self.line, inner, variable, step)
            self.line(f"if {inner}.__class__ is not dict: {inner} = E")
            variable = inner
        return variable

    def _owner(self, root: str) -> _Loop:
        """The loop that binds a name; the function for everything else."""
        name = root.removeprefix("item:") if root.startswith("item:") else ""
        return next((loop for loop in reversed(self._loops) if loop.name == name), self._loops[0])

    def _open(self, loop: _Loop, text: str) -> None:
        loop.opening.append("    " * loop.indent + text)

    def _root_expression(self, root: str, loop: _Loop) -> str:
        if root == "message":
            return "m"
        if root in {"options", "hub"}:
            return f"x.{root}"
        if loop.name:
            return loop.variable
        return f"x.items.get({self.constant(root.removeprefix('item:'))}, A)"

    def _root_value(self, root: str) -> str:
        variable = self.name()
        if root.startswith("let:"):
            name = root.removeprefix("let:")
            if name in self._lets:
                self.line(f"{variable} = {self.constant(self._lets[name])}(x)")
            else:
                self.constants["let"] = let_value
                self.line(f"{variable} = let({self.constant(name)}, x)")
        else:
            self.line(f"{variable} = {self._root_expression(root, self._owner(root))}")
        return variable

    def formula(self, formula: Formula) -> str:
        """The variable with the value of an expression; `get(path, path)` is read in line."""
        value = self.name()
        paths = dict(formula.names)
        lets = len({path.root for path in paths.values() if path.root.startswith("let:")})
        arguments = formula.tree["children"]
        is_get = (
            formula.tree["type"] == "function_expression" and formula.tree["value"] == "get" and len(arguments) == 2
        )
        self.share_items()
        if not is_get or lets > 1 or not all(map(field_chain, arguments)):
            self.line(f"{value} = formula({self.constant(formula)}, x)")
            return value
        holder, key = (self._read_chain(argument, paths) for argument in arguments)
        with self.block(f"if {holder}.__class__ is dict and {key}.__class__ is str:"):
            self.line(f"{value} = {holder}.get({key})")
            self.line(f"if {value} is None or {value} is R: {value} = A")
        with self.block("else:"):
            self.line(f"{value} = formula({self.constant(formula)}, x)")
        return value

    # ── conditions ───────────────────────────────────────────────────────────────────────────────────────────────

    def condition(self, condition: Formula | FromPath) -> str:
        """An expression that is true where the condition holds; comparisons with text are inlined."""
        if isinstance(condition, FromPath):
            return self.truth(condition.path)
        paths = dict(condition.names)
        lets = len({path.root for path in paths.values() if path.root.startswith("let:")})
        if condition.reads_all or lets > 1 or not _is_simple(condition.tree):
            self.share_items()
            return f"holds({self.constant(condition)}, x)"
        return self._simple(condition.tree, paths)

    def _simple(self, node: Any, paths: dict[str, Path]) -> str:
        kind, children = node["type"], node["children"]
        if kind == "not_expression":
            return f"(not {self._simple(children[0], paths)})"
        if kind in {"and_expression", "or_expression"}:
            word = "and" if kind == "and_expression" else "or"
            left, right = (self._simple(child, paths) for child in children)
            return f"({left} {word} {right})"
        if kind == "comparator":
            given, wanted = children if _is_known(children[1]) else reversed(children)
            if literal(wanted) is None:
                return self._is_null(self._operand(given, paths), is_not=node["value"] == "ne")
            sign = "==" if node["value"] == "eq" else "!="
            return f"({self._operand(given, paths)} {sign} {self.constant(literal(wanted))})"
        if kind == "function_expression":
            text = self._read_chain(children[0], paths)
            return f"({text}.__class__ is str and {text}.startswith({self.constant(literal(children[1]))}))"
        return self.truth(self._chain_path(node, paths))

    def _is_null(self, value: str, *, is_not: bool) -> str:
        """As expressions see it: what is absent or was removed is null too."""
        if is_not:
            return f"({value} is not None and {value} is not A and {value} is not R)"
        return f"({value} is None or {value} is A or {value} is R)"

    def _operand(self, node: Any, paths: dict[str, Path]) -> str:
        """What is compared with a text: a value, or a text in lower case."""
        if node["type"] != "function_expression":
            return self._read_chain(node, paths)
        text = self._read_chain(node["children"][0], paths)
        return f"({text}.lower() if {text}.__class__ is str else None)"

    def truth(self, path: Path) -> str:
        """Whether the value at a path is true: as in Python, but 0 is true as well."""
        value = self.name()
        last = path.steps[-1] if path.steps else None
        if last is None or last.fold is not None:
            return f"true({self.read(path)})"
        self.line(f"{value} = {self._container(path.root, path.steps[:-1])}.get({self.constant(last.key)})")
        return f"({value} is not None and ({value} or {value}.__class__ is int or {value}.__class__ is float))"

    def _read_chain(self, node: Any, paths: dict[str, Path]) -> str:
        return self.read(self._chain_path(node, paths))

    def _chain_path(self, node: Any, paths: dict[str, Path]) -> Path:
        keys = field_chain(node) or ()
        path = paths[keys[0]]
        return Path(path.root, path.steps + tuple(PathStep(key, None) for key in keys[1:]), ".".join(keys))


def _object_of(value: Any) -> dict[str, Any]:
    found: dict[str, Any] = value if value.__class__ is dict else _NO_FIELDS
    return found


def _is_simple(node: Any) -> bool:
    """Whether it compares dotted paths (or these in lower case) with texts or null, asks what a text starts with, and joins
    that by `&&`, `||` and `!`."""
    kind, children = node["type"], node["children"]
    if kind in {"not_expression", "and_expression", "or_expression"}:
        return all(map(_is_simple, children))
    if kind == "comparator":
        return node["value"] in {"eq", "ne"} and (_is_comparison(*children) or _is_comparison(*reversed(children)))
    if kind == "function_expression":
        return node["value"] == "starts_with" and field_chain(children[0]) is not None and _is_text(children[1])
    return field_chain(node) is not None


def _is_comparison(given: Any, known: Any) -> bool:
    if given["type"] == "function_expression" and _is_text(known):
        given = given["children"][0] if given["value"] == "lower" else given
    return field_chain(given) is not None and _is_known(known)


def _is_known(node: Any) -> bool:
    """A text or null, as they stand in the expression."""
    return _is_text(node) or (node["type"] == "literal" and literal(node) is None)


def _is_text(node: Any) -> bool:
    return node["type"] == "literal" and isinstance(literal(node), str)
