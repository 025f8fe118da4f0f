"""`extends`: a file or a connection's patch laid over another mapping.

Rules are patched by id, outputs and rows by name; null deletes. A row is replaced whole, so that a patch never mixes two
forms of one row. New rules go behind those of the base.
"""

from __future__ import annotations

from typing import Final

from hub.mapping.language.document import Node
from hub.mapping.language.problems import MappingFileInvalid, Problem, nearest, problem
from hub.mapping.language.schema import FORMS, OPERATIONS, OUTPUTS

_BY_NAME: Final = frozenset({"who", "message", "let", "sections", "dialect"})
_ROWS_BY_NAME: Final = frozenset({*OUTPUTS, "identities", "fields", "dialect"})


def patched(base: Node, patch: Node) -> Node:
    """The base with the patch over it. Raises MappingFileInvalid where the patch deletes what is not there."""
    problems: list[Problem] = []
    merged = _top(base, patch, problems)
    if problems:
        raise MappingFileInvalid(problems)
    return merged


def _top(base: Node, patch: Node, problems: list[Problem]) -> Node:
    value, marks = dict(base.value), dict(base.key_marks)
    for key, node in patch.items():
        if key == "extends":
            continue
        old = value.get(key)
        marks[key] = patch.key_marks[key]
        if node.value is None:
            _delete(value, key, node, key, problems)
        elif old is None:
            value[key] = _listed(node) if key == "rules" else node
        elif key == "rules":
            value[key] = _rules(old, node, key, problems)
        elif key in OPERATIONS:
            value[key] = _section(old, node, key, problems)
        elif key in _BY_NAME:
            value[key] = _named(old, node, key, problems, deep={"identities"} if key == "who" else set())
        else:
            value[key] = node
    return Node(value, patch.mark, marks)


def _rules(base: Node, patch: Node, path: str, problems: list[Problem]) -> Node:
    """Rules by id; the patch lists them, or maps ids to them. Of anything else in the patch, the check of the whole tells."""
    if not base.is_list:
        problems.append(problem(base.mark, path, "this must be a list of rules, each with an id"))
    if not base.is_list or not (patch.is_map or patch.is_list):
        return patch
    rules = {str(_id(rule)): rule for rule in base.value}
    given = patch.items() if patch.is_map else [(str(_id(rule)), rule) for rule in patch.value if rule.is_map]
    for rule_id, node in given:
        old = rules.get(rule_id)
        if node.value is None:
            _delete(rules, rule_id, node, path, problems)
        elif old is None:
            rules[rule_id] = _with_id(node, rule_id)
        else:
            rules[rule_id] = _named(old, node, f"{path}.{rule_id}", problems, deep=_ROWS_BY_NAME)
    return Node(list(rules.values()), patch.mark, {})


def _section(base: Node, patch: Node, path: str, problems: list[Problem]) -> Node:
    if not patch.is_map:
        return patch
    plain = Node({key: node for key, node in patch.items() if key != "rules"}, patch.mark, patch.key_marks)
    merged = _named(base, plain, path, problems, deep=_ROWS_BY_NAME)
    rules, old = patch.get("rules"), base.get("rules")
    if rules is None:
        return merged
    value = {**merged.value, "rules": _listed(rules) if old is None else _rules(old, rules, f"{path}.rules", problems)}
    return Node(value, merged.mark, {**merged.key_marks, "rules": patch.key_marks["rules"]})


def _named(
    base: Node, patch: Node, path: str, problems: list[Problem], *, deep: frozenset[str] | set[str] | None = None
) -> Node:
    """Names of the patch over names of the base; those in `deep` are themselves merged by name."""
    if not base.is_map or not patch.is_map:
        return patch
    value, marks = dict(base.value), {**base.key_marks, **patch.key_marks}
    for key, node in patch.items():
        old = value.get(key)
        if node.value is None and key != "unset":
            _delete(value, key, node, path, problems)
        elif deep and key in deep and old is not None and _is_plain_map(old) and _is_plain_map(node):
            value[key] = _named(old, node, f"{path}.{key}", problems)
        else:
            value[key] = node
    return Node(value, patch.mark, marks)


def _delete(holder: dict[str, Node], key: str, node: Node, path: str, problems: list[Problem]) -> None:
    if holder.pop(key, None) is None:
        problems.append(problem(node.mark, path, f"there is no {key!r} to delete{nearest(key, holder)}"))


def _is_plain_map(node: Node) -> bool:
    return node.is_map and not set(FORMS) & node.value.keys()


def _listed(rules: Node) -> Node:
    if not rules.is_map:
        return rules
    return Node([_with_id(node, rule_id) for rule_id, node in rules.items()], rules.mark, {})


def _with_id(rule: Node, rule_id: str) -> Node:
    if not rule.is_map or "id" in rule.value:
        return rule
    return Node({"id": Node(rule_id, rule.mark, {}), **rule.value}, rule.mark, {"id": rule.mark, **rule.key_marks})


def _id(rule: Node) -> object:
    node = rule.get("id")
    return None if node is None else node.value
