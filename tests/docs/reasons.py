"""Every reason that the hub's code gives for a state, read from its syntax: docs/operations.md must explain each."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from functools import cache
from itertools import pairwise
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
STATES = {"ignored", "quarantined", "waiting", "skipped", "dead"}
ENDS = {"applied", "duplicate", "pending", "sending", "sent"}
VERDICTS = {"IGNORE": "ignored", "QUARANTINE": "quarantined"}
_IN_SQL = re.compile(r"state = '(skipped|dead)', reason = '(\w+)'")
_NAME = re.compile(r"[a-z][a-z_]+|http_\{\}")
Found = set[tuple[str, str]]


@cache  # every question of a page reads all of the code
def reasons() -> Found:
    """(state, reason); requests that are refused have the state `refused`."""
    found: Found = set()
    for path in sorted((ROOT / "hub").rglob("*.py")):
        tree = ast.parse(path.read_text())
        constants = _constants(tree)
        for node in ast.walk(tree):
            found.update(_of(node, constants))
    found |= _gates()
    return {(state, reason) for state, reason in found if reason not in STATES | ENDS}


def _of(node: ast.AST, constants: dict[str, str]) -> Iterator[tuple[str, str]]:
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        yield from _IN_SQL.findall(node.value)
    elif isinstance(node, ast.Call):
        yield from _pairs(node.args, constants)
        named = {each.arg: each.value for each in node.keywords if each.arg}
        yield from _pairs([named[name] for name in ("state", "reason") if name in named], constants)
        if _called(node) == "_unmapped":
            yield from (("quarantined", reason) for reason in _texts(node.args[1], constants))
        if _called(node) == "refuse" and len(node.args) == 3:
            yield from (("refused", reason) for reason in _texts(node.args[1], constants))
    elif isinstance(node, ast.Tuple):
        yield from _pairs(node.elts, constants)
    elif isinstance(node, ast.Dict):
        named = {key.value: value for key, value in zip(node.keys, node.values, strict=True) if _is_text(key)}
        yield from _pairs([named[name] for name in ("state", "reason") if name in named], constants)
    elif isinstance(node, ast.ClassDef):
        yield from (("refused", key) for key in _error_keys(node))


def _pairs(values: list[ast.expr], constants: dict[str, str]) -> Iterator[tuple[str, str]]:
    """A state, and the reason that stands behind it."""
    for state, reason in pairwise(values):
        for name in _states(state):
            yield from ((name, text) for text in _texts(reason, constants))


def _states(node: ast.expr) -> Iterator[str]:
    if isinstance(node, ast.Constant) and node.value in STATES:
        yield str(node.value)
    elif isinstance(node, ast.Attribute) and node.attr in VERDICTS:
        yield VERDICTS[node.attr]


def _texts(node: ast.expr, constants: dict[str, str]) -> Iterator[str]:
    """The words this expression may come to."""
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        if _NAME.fullmatch(node.value):
            yield node.value
    elif isinstance(node, ast.Name) and node.id in constants:
        yield constants[node.id]
    elif isinstance(node, ast.IfExp):
        yield from _texts(node.body, constants)
        yield from _texts(node.orelse, constants)
    elif isinstance(node, ast.BoolOp):
        for each in node.values:
            yield from _texts(each, constants)
    elif isinstance(node, ast.JoinedStr):
        yield "".join(str(each.value) if isinstance(each, ast.Constant) else "{}" for each in node.values)


def _constants(tree: ast.Module) -> dict[str, str]:
    """Module-level names of words."""
    found: dict[str, str] = {}
    for node in tree.body:
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name):
            found |= {node.targets[0].id: node.value.value} if _is_text(node.value) else {}  # type: ignore[attr-defined]
    return {name: text for name, text in found.items() if _NAME.fullmatch(text)}


def _error_keys(node: ast.ClassDef) -> Iterator[str]:
    """`key = "..."` of an error that refuses a request."""
    for each in node.body:
        if isinstance(each, ast.Assign) and isinstance(each.targets[0], ast.Name) and each.targets[0].id == "key":
            yield each.value.value  # type: ignore[attr-defined]


def _called(node: ast.Call) -> str:
    return node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")


def _is_text(node: ast.AST | None) -> bool:
    return isinstance(node, ast.Constant) and isinstance(node.value, str)


def _gates() -> Found:
    """Reasons that are named constants of their rooms."""
    from hub.campaigns import values
    from hub.distributions import gates
    from hub.inbox import retention
    from hub.profiles import people

    named = (
        gates.DISABLED,
        gates.ERASED,
        gates.UNKNOWN,
        gates.NO_CONSENT,
        values.OUT_OF_CODES,
        values.EXPIRED,
        values.RETIRED,
    )
    return {("skipped", gate) for gate in (*named, people.REFUSED)} | {("ignored", retention.ERASED)}
