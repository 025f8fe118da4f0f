"""Rules as generated functions."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from hub.mapping.generate.dispatch import always, dispatcher
from hub.mapping.generate.outputs import outputs_function
from hub.mapping.generate.rows import RowEmitter
from hub.mapping.generate.source import Emitter
from hub.mapping.language.paths import ABSENT
from hub.mapping.language.rows import Row
from hub.mapping.language.rules import InboundTree, OutboundRule, OutboundTree, Rule
from hub.mapping.model import REMOVED, Json
from hub.mapping.run.draft import Draft
from hub.mapping.run.interpreter import Pending
from hub.mapping.run.rules import Group, RunnableRule, matches

Function = Callable[[Draft], Any]


class Compiled:
    """The engine of generated functions."""

    def __init__(self, tree: InboundTree, groups: Sequence[Group]) -> None:
        lets, waiting = _let_functions(tree.lets, is_inbound=True)
        self.lets: Mapping[str, Pending] = waiting
        self.source_id = _value(tree.source_id, lets, is_inbound=True)
        self.at = _value(tree.at, lets, is_inbound=True)
        self.test = _value(tree.test, lets, is_inbound=True)
        self.replay = _value(tree.replay, lets, is_inbound=True)
        self.identities = outputs_function((tree.identities,), None, lets)
        steps = [_step(rule, lets) for rule in tree.rules]
        self.fitting = tuple(dispatcher(tree.rules, steps, group.rules, lets) for group in groups)


def _step(rule: Rule, lets: dict[str, Function]) -> RunnableRule:
    run = outputs_function(rule.outputs, None, lets)
    if rule.when is None:
        return RunnableRule(rule, always, run, run)
    return RunnableRule(
        rule, _condition(rule, lets, is_inbound=True), run, outputs_function(rule.outputs, rule.when, lets)
    )


class OutboundCompiled:
    """Generated functions for the rules of each section."""

    def __init__(self, tree: OutboundTree) -> None:
        lets, waiting = _let_functions(tree.lets, is_inbound=False)
        self.lets: Mapping[str, Pending] = waiting
        rules = [rule for section in tree.sections.values() for rule in section.rules]
        self._conditions = {id(rule): _condition(rule, lets, is_inbound=False) for rule in rules}
        self._fields = {id(rule): _value(rule.fields, lets, is_inbound=False) for rule in rules}
        self._rules = rules  # keeps them alive: they are found by identity

    def applies(self, rule: OutboundRule, draft: Draft) -> bool:
        return all(matches(match, draft) for match in rule.match) and bool(self._conditions[id(rule)](draft))

    def fields(self, rule: OutboundRule, draft: Draft) -> Json:
        return self._fields[id(rule)](draft)


def _let_functions(
    lets: tuple[tuple[str, Row], ...], *, is_inbound: bool
) -> tuple[dict[str, Function], dict[str, Pending]]:
    """One function per name, which reads it at most once per message; and the same for the interpreter."""
    made: dict[str, Function] = {}
    waiting: dict[str, Pending] = {}
    for name, row in lets:
        evaluate = _value(row, made, is_inbound=is_inbound)
        made[name], waiting[name] = _remembering(name, evaluate), Pending(evaluate)
    return made, waiting


def _remembering(name: str, evaluate: Function) -> Function:
    def value(draft: Draft) -> Json:
        found = draft.lets[name]
        if found.__class__ is Pending:
            found = evaluate(draft)
            if found is REMOVED:
                found = None
            draft.lets[name] = found
        return found

    return value


def _value(row: Row | None, lets: dict[str, Function], *, is_inbound: bool) -> Function:
    if row is None:
        return _absent
    emitter = Emitter(is_inbound=is_inbound, lets=lets)
    return emitter.function(RowEmitter(emitter).row(row))


def _absent(_draft: Draft) -> Json:
    return ABSENT


def _condition(rule: Rule | OutboundRule, lets: dict[str, Function], *, is_inbound: bool) -> Function:
    if rule.when is None:
        return always
    emitter = Emitter(is_inbound=is_inbound, lets=lets)
    return emitter.function(emitter.condition(rule.when))
