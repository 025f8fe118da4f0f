"""How rules run over a message, by the interpreter: the meaning that generated code must keep."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import NamedTuple, Protocol

from hub.mapping.language.paths import ABSENT, fold
from hub.mapping.language.rows import Row
from hub.mapping.language.rules import (
    ConsentsOutput,
    IdentitiesOutput,
    InboundTree,
    Match,
    Output,
    ProfileOutput,
    RecordOutput,
    Rule,
)
from hub.mapping.model import REMOVED, Identity, Json
from hub.mapping.run.additions import (
    ADDERS,
    add_consent,
    add_consents,
    add_erase,
    add_identities,
    add_order,
    open_order,
)
from hub.mapping.run.bounds import bounded
from hub.mapping.run.draft import Draft, add_identity, add_profile
from hub.mapping.run.interpreter import Pending, evaluate, evaluate_marked, holds, pending, read
from hub.mapping.run.meaning import Defaulted
from hub.mapping.values.coerce import scalar_text


class Group(Protocol):
    """The rules of a group, in the order they run."""

    @property
    def rules(self) -> tuple[int, ...]: ...


class RunnableRule(NamedTuple):
    """A rule ready to run. `attempt` runs it if its `when` holds, and says whether it did. All may raise Missing."""

    rule: Rule
    applies: Callable[[Draft], bool]
    run: Callable[[Draft], bool]
    attempt: Callable[[Draft], bool]


class Evaluator(Protocol):
    """What reads rows: the interpreter, or generated functions.

    `fitting` has a function per group of rules (group 0: those without `each`), which gives the rules whose `match`
    fits, in the order they run. The others read single values; `identities` adds those that every message may carry.
    `lets` are those of the mapping, none of them read.
    """

    fitting: tuple[Callable[[Draft], tuple[RunnableRule, ...]], ...]
    source_id: Callable[[Draft], Json]
    at: Callable[[Draft], Json]
    test: Callable[[Draft], Json]
    replay: Callable[[Draft], Json]
    identities: Callable[[Draft], object]
    lets: Mapping[str, Pending]


class Interpreter:
    """Runs the tree as it stands, trying every rule in turn."""

    def __init__(self, tree: InboundTree, groups: Sequence[Group]) -> None:
        steps = [_step(rule) for rule in tree.rules]
        self.fitting = tuple(_trying([steps[index] for index in group.rules]) for group in groups)
        self.source_id = _reading(tree.source_id)
        self.at, self.test, self.replay = _reading(tree.at), _reading(tree.test), _reading(tree.replay)
        self.identities: Callable[[Draft], object] = partial(add_fixed_identities, tree.identities)
        self.lets: Mapping[str, Pending] = pending(tree.lets)


def _reading(row: Row | None) -> Callable[[Draft], Json]:
    return lambda draft: ABSENT if row is None else evaluate(row, draft)


def _trying(steps: list[RunnableRule]) -> Callable[[Draft], tuple[RunnableRule, ...]]:
    return lambda draft: tuple(step for step in steps if all(matches(match, draft) for match in step.rule.match))


def _step(rule: Rule) -> RunnableRule:
    def applies(draft: Draft) -> bool:
        return rule.when is None or holds(rule.when, draft)

    def run(draft: Draft) -> bool:
        for output in rule.outputs:
            add_output(output, draft)
        return True

    def attempt(draft: Draft) -> bool:
        return applies(draft) and run(draft)

    return RunnableRule(rule, applies, run, attempt)


def matches(match: Match, draft: Draft) -> bool:
    text = scalar_text(read(match.path, draft))
    return text is not None and fold(text) in match.texts


def add_output(output: Output, draft: Draft) -> None:
    """Evaluate one output of a rule and add it to the draft."""
    if isinstance(output, ProfileOutput):
        _add_profile(output, draft)
    elif isinstance(output, IdentitiesOutput):
        add_fixed_identities(output, draft)
    elif isinstance(output, ConsentsOutput):
        _add_consents(output, draft)
    else:
        add_record(output, draft)


def _add_profile(output: ProfileOutput, draft: Draft) -> None:
    fields: dict[str, Json] = {}
    defaults: set[str] = set()
    times: dict[str, int] = {}
    for name, row in output.traits:
        value = evaluate_marked(row, draft)
        if value is ABSENT:
            continue
        if type(value) is Defaulted:
            defaults.add(name)
            value = value.value
        fields[name] = value
        stamp(row, (name,), times, draft)
    for prefix, part in (("address.", output.address), ("metadata.", output.metadata)):
        if part is not None:
            add_part(prefix, part, fields, defaults, times, draft)
    add_profile(draft, bounded(fields, "profile", draft.warnings), defaults, times)


def add_part(
    prefix: str, row: Row, fields: dict[str, Json], defaults: set[str], times: dict[str, int], draft: Draft
) -> None:
    """Address or metadata: one field per key."""
    values = evaluate_marked(row, draft)
    is_default = type(values) is Defaulted
    values = values.value if is_default else values
    if values is ABSENT or values is REMOVED:
        return
    if not isinstance(values, dict):
        draft.warn("not_an_object", row.place.path, "this is an object of fields")
        return
    names = [prefix + key for key in values]
    fields.update(zip(names, values.values(), strict=True))
    if is_default:
        defaults.update(names)
    stamp(row, names, times, draft)


def stamp(row: Row, names: list[str] | tuple[str, ...], times: dict[str, int], draft: Draft) -> None:
    """Fields of a row with `at` carry that time."""
    if row.at is not None:
        at = evaluate(row.at, draft)
        if type(at) is int:
            times.update(dict.fromkeys(names, draft.capped(at)))


def add_fixed_identities(output: IdentitiesOutput, draft: Draft) -> None:
    for type_, row in output.fixed:
        value = evaluate(row, draft)
        if value is not ABSENT:
            at = ABSENT if row.at is None else evaluate(row.at, draft)
            add_identity(draft, type_, value, None if at is ABSENT else at)
    if output.dynamic is not None:
        values = evaluate(output.dynamic, draft)
        if values is not ABSENT:
            add_identities(draft, values)


def _add_consents(output: ConsentsOutput, draft: Draft) -> None:
    for topic, row in output.fixed:
        value = evaluate(row, draft)
        if value is not ABSENT:
            at = ABSENT if row.at is None else evaluate(row.at, draft)
            add_consent(draft, topic, value if at is ABSENT or isinstance(value, dict) else {"status": value, "at": at})
    if output.dynamic is not None:
        values = evaluate(output.dynamic, draft)
        if values is not ABSENT:
            add_consents(draft, values)


def add_record(output: RecordOutput, draft: Draft) -> None:
    code = None
    if output.kind == "order":
        currency = ABSENT if output.currency is None else evaluate(output.currency, draft)
        code = open_order(draft, currency)
    record = evaluate(output.record, draft)
    close_record(output, {} if record is ABSENT else record, draft, code)


def close_record(output: RecordOutput, record: dict[str, Json], draft: Draft, code: str | None) -> None:
    """Bound the record and add what it makes to the draft."""
    record = bounded(record, output.kind, draft.warnings)
    declared = frozenset(name for name, _ in output.record.fields if isinstance(name, str))
    if output.kind == "order":
        add_order(draft, record, declared, code)
    elif output.kind == "erase":
        add_erase(draft, record, declared, _erased(output, draft))
    else:
        ADDERS[output.kind](draft, record, declared)


def _erased(output: RecordOutput, draft: Draft) -> tuple[Identity, ...]:
    """The identities an erasure names; they are not identities of this message's profile."""
    if output.identities is None:
        return ()
    kept, draft.identities = draft.identities, ()
    add_fixed_identities(output.identities, draft)
    found, draft.identities = draft.identities, kept
    return found
