"""A destination mapping at work: one record in the vendor's names. It never raises, whatever the record holds."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, Protocol

from hub.mapping.build.outbound import build_outbound
from hub.mapping.language.document import Node
from hub.mapping.language.paths import ABSENT
from hub.mapping.language.rules import OutboundRule, OutboundTree
from hub.mapping.model import REMOVED, Json, Mapped, Scope
from hub.mapping.run.draft import MAX_WARNINGS, Draft, Missing
from hub.mapping.run.interpreter import Pending, evaluate, holds, pending
from hub.mapping.run.meaning import has_removed
from hub.mapping.run.rules import matches

_NOTHING: Final = Mapped({}, (), None, (), "not_mapped")


class OutboundEvaluator(Protocol):
    """What evaluates the rules of a section: the interpreter, or generated functions."""

    lets: Mapping[str, Pending]

    def applies(self, rule: OutboundRule, draft: Draft) -> bool:
        """Whether `match` and `when` hold."""
        ...

    def fields(self, rule: OutboundRule, draft: Draft) -> Json:
        """The fields, or ABSENT. Raises Missing."""
        ...


class OutboundInterpreter:
    """Evaluates the tree as it stands."""

    def __init__(self, tree: OutboundTree) -> None:
        self.lets: Mapping[str, Pending] = pending(tree.lets)

    def applies(self, rule: OutboundRule, draft: Draft) -> bool:
        return all(matches(match, draft) for match in rule.match) and (rule.when is None or holds(rule.when, draft))

    def fields(self, rule: OutboundRule, draft: Draft) -> Json:
        return ABSENT if rule.fields is None else evaluate(rule.fields, draft)


def compile_outbound(document: Node) -> Outbound:
    """The mapping of a destination, ready to run. Raises MappingFileInvalid."""
    from hub.mapping.generate.compiler import OutboundCompiled

    tree = build_outbound(document)
    return Outbound(tree, OutboundCompiled(tree))


def interpret_outbound(document: Node) -> Outbound:
    """The same by the slow interpreter. Raises MappingFileInvalid."""
    tree = build_outbound(document)
    return Outbound(tree, OutboundInterpreter(tree))


class Outbound:
    """A destination mapping."""

    def __init__(self, tree: OutboundTree, engine: OutboundEvaluator) -> None:
        self.tree = tree
        self._engine = engine
        self._lets = dict(engine.lets)

    @property
    def operations(self) -> frozenset[str]:
        """The operations this file maps."""
        return frozenset(self.tree.sections)

    def apply(self, operation: str, scope: Scope) -> Mapped:
        """What the vendor gets for one record. `skip` names the reason where the mapping says: not this one.

        The first rule that applies makes the record; its `required` value that is missing skips it.
        """
        section = self.tree.sections.get(operation)
        if section is None:
            return _NOTHING
        draft = self.draft(scope)
        for rule in section.rules:
            if self._engine.applies(rule, draft):
                return self._mapped(rule, section.unset, draft)
        return _NOTHING._replace(skip="no_rule", warnings=tuple(draft.warnings[:MAX_WARNINGS]))

    def draft(self, scope: Scope) -> Draft:
        """The state of one record's mapping."""
        draft = Draft(scope if isinstance(scope, dict) else dict(scope), "", 0, None, "")
        draft.is_inbound = False
        if self._lets:
            draft.lets = self._lets.copy()
        return draft

    def _mapped(self, rule: OutboundRule, unset: str, draft: Draft) -> Mapped:
        if rule.skip is not None:
            return Mapped({}, (), None, tuple(draft.warnings[:MAX_WARNINGS]), rule.skip)
        try:
            fields = self._engine.fields(rule, draft)
            name = ABSENT if rule.name is None else evaluate(rule.name, draft)
        except Missing as missing:
            draft.warn("missing_required", missing.path, "a required value is missing, so this record is not sent")
            return Mapped({}, (), None, tuple(draft.warnings[:MAX_WARNINGS]), "missing_required")
        given = fields if isinstance(fields, dict) else {}
        taken: list[str] = []
        kept = without_removed(given, unset, "", taken) if has_removed(given) else given
        return Mapped(kept, tuple(taken), name if isinstance(name, str) else None, tuple(draft.warnings[:MAX_WARNINGS]))


def without_removed(fields: Mapping[str, Json], unset: str, prefix: str, taken: list[str]) -> dict[str, Json]:
    """The fields with removed traits written as the section's `unset` says; their names are added to `taken`."""
    kept: dict[str, Json] = {}
    for key, value in fields.items():
        if value is REMOVED:
            taken.append(prefix + key)
            if unset in _WRITTEN:
                kept[key] = _WRITTEN[unset]
        elif value.__class__ is dict and value:
            inner = without_removed(value, unset, f"{prefix}{key}.", taken)
            if inner:
                kept[key] = inner
        else:
            kept[key] = value
    return kept


_WRITTEN: Final[Mapping[str, Json]] = {"null": None, "empty": ""}
