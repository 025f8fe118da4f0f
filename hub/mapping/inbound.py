"""A source mapping at work: one message in, one Change out. It never raises, whatever JSON it is given."""

from __future__ import annotations

from collections.abc import Mapping

from hub.core.clock import Micros
from hub.mapping.anonymous import CONTACTS, is_anonymous, key_of, with_own
from hub.mapping.build.inbound import build_inbound
from hub.mapping.generate.compiler import Compiled
from hub.mapping.language.document import Node
from hub.mapping.language.paths import ABSENT
from hub.mapping.language.rules import InboundTree
from hub.mapping.model import Change, Identity, Json, Verdict
from hub.mapping.run.bounds import tidy
from hub.mapping.run.draft import NO_NAMES, Draft, Missing, finish, refused
from hub.mapping.run.rules import Evaluator, Interpreter
from hub.mapping.run.schedule import Schedule, item_groups
from hub.mapping.values.moment import message_time

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

    def __init__(
        self, tree: InboundTree, engine: Evaluator, *, connection_id: str, options: Mapping[str, Json]
    ) -> None:
        self.tree = tree
        self.connection_id = connection_id
        self.options = dict(options)
        self._engine = engine
        self._currency = str(options.get("currency") or DEFAULT_CURRENCY)
        self._schedule = Schedule(tree, engine)
        self._lets = dict(engine.lets)
        self._keeps = tree.missing == "keep"
        named = frozenset(type_ for type_, _ in tree.identities.fixed) - CONTACTS
        self._stand_ins = named if self._keeps else NO_NAMES

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
        if self._keeps:
            draft.stand_ins = self._stand_ins
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
        if source_id is not ABSENT and is_anonymous(source_id):
            draft.warn("reserved_id", "who.source_id", "what begins with `anonymous:` is not a source_id")
            source_id = ABSENT
        own: tuple[Identity, ...] = ()
        if source_id is ABSENT:
            is_invalid = any(found.path == "who.source_id" for found in draft.warnings[before:])
            refusal = self._nobody(draft, is_invalid=is_invalid)
            if refusal is not None:
                return refused(*refusal, draft, is_test=is_test)
            source_id = key_of(draft.identities) if self._keeps else None
        else:
            engine.identities(draft)
            own = draft.identities
        ignored_items = self._schedule.run(draft)
        if not draft.rules:
            return refused(Verdict.IGNORE, "no_rule", draft, source_id, is_test=is_test)
        if source_id is None:
            if not _stands_alone(draft):
                return refused(*self._without_person(), draft, is_test=is_test)
            _drop_personal(draft)
        elif own and self._keeps:
            draft.links = with_own(draft.links, own, source_id, draft.at)
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
        if self._keeps:
            self._engine.identities(draft)
            if key_of(draft.identities) is not None:
                return None
        if any(rule.gives_consents for rule in applying):
            return None  # only its run shows whether an address is named
        return self._without_person()

    def _without_person(self) -> tuple[Verdict, str]:
        if self.tree.missing == "quarantine":
            return Verdict.QUARANTINE, "missing_source_id"
        return Verdict.IGNORE, "anonymous"


def _stands_alone(draft: Draft) -> bool:
    """Whether a message that names nobody has something to say all the same: of ids, or of an address."""
    return bool(draft.links or draft.erasures) or any(consent.address for consent in draft.consents)


def _drop_personal(draft: Draft) -> None:
    """Of a message that names nobody stays what stands by itself: links, erasures, and consents of an address."""
    of_addresses = tuple(consent for consent in draft.consents if consent.address)
    if draft.fields or draft.events or draft.orders or len(of_addresses) < len(draft.consents):
        draft.warn("names_nobody", "who.source_id", "what the message says of a person is dropped, since it names none")
    draft.consents = of_addresses
    draft.identities, draft.fields, draft.events, draft.orders = (), {}, (), ()
    draft.defaults, draft.field_times = NO_NAMES, {}
