"""Which rules run over a message, for which of its items, in which order.

Rules run in file order; `fallback` rules come last and only for what nobody produced or claimed. Rules with the same
`each` see the same items; an item that no rule took is counted as ignored.
"""

from __future__ import annotations

from collections import defaultdict
from operator import itemgetter
from typing import NamedTuple

from hub.mapping.language.rows import FromPath, Pick, Row
from hub.mapping.language.rules import InboundTree, Rule
from hub.mapping.model import Json
from hub.mapping.run.draft import Draft
from hub.mapping.run.interpreter import evaluate
from hub.mapping.run.rules import Evaluator, RunnableRule


class ItemGroup(NamedTuple):
    """Rules that look at the same items; the first group, without items, has the rules without `each`."""

    name: str
    source: Row | None
    rules: tuple[int, ...]


class Task(NamedTuple):
    """One run of a rule, in the order of runs. `number` counts the items of its group; -1 for the message as a whole."""

    rank: int
    number: int
    group: int
    step: RunnableRule


def item_groups(tree: InboundTree) -> list[ItemGroup]:
    """Rules by what they look at; fallback rules last in each group, else in file order."""
    found: dict[object, list[int]] = {None: []}
    sources: dict[object, tuple[str, Row]] = {}
    for index, rule in enumerate(tree.rules):
        key = None if rule.each is None else _each_key(*rule.each)
        if rule.each is not None:
            sources.setdefault(key, rule.each)
        found.setdefault(key, []).append(index)
    groups = []
    for key, indexes in found.items():
        name, source = sources.get(key, ("", None))
        groups.append(
            ItemGroup(name, source, tuple(sorted(indexes, key=lambda index: tree.rules[index].fallback is not None)))
        )
    return groups


def _each_key(name: str, source: Row) -> object:
    """Two `each` are the same where they bind the same name to the same plain path."""
    if isinstance(source, Pick) and source.is_bare_path and isinstance(source.sources[0], FromPath):
        return name, source.sources[0].path
    return name, id(source)


class Schedule:
    def __init__(self, tree: InboundTree, engine: Evaluator) -> None:
        self._fitting = engine.fitting
        self._groups = item_groups(tree)
        self._is_flat = len(self._groups) == 1
        self._has_fallbacks = any(rule.fallback is not None for rule in tree.rules)
        order = sorted(tree.rules, key=lambda rule: rule.fallback is not None)  # fallbacks last, else as in the file
        self._ranks = {rule.id: rank for rank, rule in enumerate(order)}

    def run(self, draft: Draft) -> int:
        """Run every rule that applies; returns how many items no rule took."""
        if not self._is_flat:
            return self._run_with_items(draft)
        claimed: frozenset[str] = frozenset()
        for rule, _, _, attempt in self._fitting[0](draft):
            if rule.fallback is not None and (rule.fallback in claimed or draft.made(rule.fallback)):
                continue
            if attempt(draft):
                draft.rules.append(rule.id)
                if rule.claims:
                    claimed |= rule.claims
        return 0

    def applying(self, draft: Draft) -> list[Rule]:
        """The rules that would run, without running them."""
        items = self._items(draft)
        return [task.step.rule for task in self._tasks(draft, items)]

    def _items(self, draft: Draft) -> list[list[Json]]:
        """The items of each group."""
        found: list[list[Json]] = [[]]
        for group in self._groups[1:]:
            source = None if group.source is None else evaluate(group.source, draft)
            if isinstance(source, dict):
                source = [{"key": key, "value": value} for key, value in source.items()]
            found.append(source if isinstance(source, list) else [])
        return found

    def _tasks(self, draft: Draft, items: list[list[Json]]) -> list[Task]:
        """Every rule that applies, with the item it applies to, in the order they run."""
        ranks = self._ranks
        tasks = [Task(ranks[step.rule.id], -1, 0, step) for step in self._applying(draft, 0)]
        for number, group in enumerate(self._groups[1:], 1):
            for position, item in enumerate(items[number]):
                draft.items[group.name] = item
                tasks += [Task(ranks[step.rule.id], position, number, step) for step in self._applying(draft, number)]
            draft.items.pop(group.name, None)
        tasks.sort(key=_TURN)
        return tasks

    def _applying(self, draft: Draft, group: int) -> list[RunnableRule]:
        return [step for step in self._fitting[group](draft) if step.applies(draft)]

    def _run_with_items(self, draft: Draft) -> int:
        items = self._items(draft)
        tasks = self._tasks(draft, items)
        if self._has_fallbacks:
            taken = self._run_with_fallbacks(tasks, items, draft)
        else:
            for task in tasks:
                self._run_task(task, items, draft)
            taken = {(task.group, task.number) for task in tasks if task.group}
        return sum(map(len, items)) - len(taken)

    def _run_with_fallbacks(self, tasks: list[Task], items: list[list[Json]], draft: Draft) -> set[tuple[int, int]]:
        """A fallback runs only for what nobody produced or claimed; the items that some rule took."""
        claims: dict[tuple[int, int], set[str]] = defaultdict(set)
        taken = set[tuple[int, int]]()
        for task in tasks:
            rule, holder = task.step.rule, (task.group, task.number)
            if rule.fallback is not None and (rule.fallback in claims[holder] or rule.fallback in claims[0, -1]):
                continue
            claims[holder] |= rule.claims
            if task.group:
                taken.add(holder)
            before = {output.kind: draft.made(output.kind) for output in rule.outputs}
            self._run_task(task, items, draft)
            claims[holder] |= {kind for kind, count in before.items() if draft.made(kind) > count}
        return taken

    def _run_task(self, task: Task, items: list[list[Json]], draft: Draft) -> None:
        _, number, group, step = task
        if step.rule.id not in draft.rules:
            draft.rules.append(step.rule.id)
        if not group:
            step.run(draft)
            return
        name = self._groups[group].name
        draft.items[name] = items[group][number]
        step.run(draft)
        draft.items.pop(name, None)


_TURN = itemgetter(0, 1)  # of a task: rules in order, each with its items in order
