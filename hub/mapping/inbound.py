"""A source mapping at work: one message in, one Change out. It never raises, whatever JSON it is given."""

from __future__ import annotations

from collections.abc import Mapping

from hub.core.clock import Micros
from hub.mapping.bounds import tidy
from hub.mapping.build_inbound import build_inbound
from hub.mapping.compiler import Compiled
from hub.mapping.document import Node
from hub.mapping.draft import Draft, Missing, finish, refused
from hub.mapping.engine import Engine, Interpreter
from hub.mapping.model import Change, Json, Verdict
from hub.mapping.moment import message_time
from hub.mapping.paths import ABSENT
from hub.mapping.reference import Pending
from hub.mapping.schedule import Schedule, item_groups
from hub.mapping.tree_rules import InboundTree

DEFAULT_CURRENCY = "USD"


def compile_inbound(document: Node, *, connection_id: str, options: Mapping[str, Json]) -> Inbound:
    """The mapping of a source, ready to run. Raises MappingFileInvalid."""
    tree = build_inbound(document)
    return Inbound(tree, Compiled(tree, item_groups(tree)), connection_id=connection_id, options=options)


def interpret_inbound(document: Node, *, connection_id: str, options: Mapping[str, Json]) -> Inbound:
    """The same by the slow interpreter, which can tell where each value came from. Raises MappingFileInvalid."""
    tree = build_inbound(document)
    return Inbound(tree, Interpreter(tree, item_groups(tree)), connection_id=connection_id, options=options)


class Inbound:
    """A source mapping of one connection.

    `options` are the connection's values that rows may read; its `currency` is the currency of amounts without one.
    """

    def __init__(self, tree: InboundTree, engine: Engine, *, connection_id: str, options: Mapping[str, Json]) -> None:
        self.tree = tree
        self.connection_id = connection_id
        self.options = dict(options)
        self._engine = engine
        self._currency = str(options.get("currency") or DEFAULT_CURRENCY)
        self._schedule = Schedule(tree, engine)
        self._lets = {name: Pending(row) for name, row in tree.lets}

    def for_connection(self, connection_id: str, options: Mapping[str, Json]) -> Inbound:
        """The same mapping for another connection; what was generated is shared."""
        return Inbound(self.tree, self._engine, connection_id=connection_id, options=options)

    def draft(self, message: Json, *, message_id: str, received_at: Micros) -> Draft:
        """The state of one message's mapping, to be filled."""
        return Draft(message, message_id, received_at, self.options, self._currency)

    def apply(self, message: Json, *, message_id: str, received_at: Micros, test: bool = False) -> Change:
        """What one message means. `test` marks development data, whatever the message says of itself."""
        return self.fill(Draft(message, message_id, received_at, self.options, self._currency), test=test)

    def fill(self, draft: Draft, *, test: bool = False) -> Change:
        """As `apply`, on a draft of one's own (the preview's, which keeps lineage)."""
        if draft.message.__class__ is not dict:
            return refused(Verdict.QUARANTINE, "not_an_object", draft, is_test=test)
        draft.message, is_small, warnings = tidy(draft.message)
        draft.must_bound = not is_small
        if warnings:
            draft.warnings.extend(warnings)
        if self._lets:
            draft.lets = self._lets.copy()
        try:
            return self._filled(draft, test=test)
        except Missing as missing:
            draft.warn("missing_required", missing.path, "a required value is missing, so the whole message waits")
            return refused(Verdict.QUARANTINE, "missing_required", draft, is_test=test)

    def _filled(self, draft: Draft, *, test: bool) -> Change:
        engine, tree = self._engine, self.tree
        at = engine.at(draft)
        draft.at, code = message_time(draft.message, draft.received_at, None if at is ABSENT else at)
        if code is not None:
            draft.warn(code, "message.at", "the message's own time could not be taken as it is")
        is_test = test or (tree.test is not None and engine.test(draft) is True)
        is_replay = tree.replay is not None and engine.replay(draft) is True
        before = len(draft.warnings)
        source_id = engine.source_id(draft)
        if source_id is ABSENT:
            is_invalid = any(found.path == "who.source_id" for found in draft.warnings[before:])
            refusal = self._nobody(draft, is_invalid=is_invalid)
            if refusal is not None:
                return refused(*refusal, draft, is_test=is_test)
            source_id = self._kept(draft)
        else:
            engine.identities(draft)
        ignored_items = self._schedule.run(draft)
        if not draft.rules:
            return refused(Verdict.IGNORE, "no_rule", draft, source_id, is_test=is_test)
        return finish(draft, source_id, is_test=is_test, is_replay=is_replay, ignored_items=ignored_items)

    def _nobody(self, draft: Draft, *, is_invalid: bool) -> tuple[Verdict, str] | None:
        """Why a message without source_id is not applied; None where it is, after all."""
        applying = self._schedule.applying(draft)
        if not applying:
            return Verdict.IGNORE, "no_rule"
        if is_invalid:
            return Verdict.QUARANTINE, "invalid_source_id"
        if any(rule.stands_alone for rule in applying):
            return None
        if self.tree.missing == "quarantine":
            return Verdict.QUARANTINE, "missing_source_id"
        if self.tree.missing == "keep":
            self._engine.identities(draft)
            if draft.identities:
                return None
        return Verdict.IGNORE, "anonymous"

    def _kept(self, draft: Draft) -> str | None:
        """With `missing: keep` the first identity stands in for the source_id, until a link names the real one."""
        if self.tree.missing != "keep":
            return None
        return next((identity.value for identity in draft.identities), None)
