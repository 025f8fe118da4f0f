"""From a checked document to the tree of an inbound mapping."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from hub.mapping.build.fit import INSTANT
from hub.mapping.build.parts import blanks_of, build_condition, build_lets, build_match, check_frame, sections_of
from hub.mapping.build.rows import RowBuilder
from hub.mapping.build.sources import SourceReader
from hub.mapping.build.values import ANY, Want, as_holder
from hub.mapping.language.document import Node
from hub.mapping.model import ADDRESS_PARTS, BUILT_IN_TRAITS
from hub.mapping.language.problems import MappingFileInvalid, nearest
from hub.mapping.language.schema import FORMS, OUTPUTS, mark_of
from hub.mapping.language.rows import Pick, Place, Row
from hub.mapping.language.rules import (
    ConsentsOutput,
    IdentitiesOutput,
    InboundTree,
    Output,
    ProfileOutput,
    RecordOutput,
    Rule,
)

TRAIT_KINDS: Final[Mapping[str, str]] = {
    **dict.fromkeys(BUILT_IN_TRAITS, "string"), "email": "email", "phone": "phone", "birthdate": "date", "created_at": "datetime",
}  # fmt: skip
ITEM_KINDS: Final[Mapping[str, str]] = {
    "product_id": "id", "sku": "string", "name": "string", "quantity": "number", "price": "money", "amount": "money",
    "code": "string", "metadata": "object",
}  # fmt: skip
MONEY: Final = ("amount", "subtotal", "discount", "tax", "shipping")
RECORDS: Final[Mapping[str, Mapping[str, str]]] = {
    "event": {
        "id": "id", "kind": "string", "name": "string", "key": "string", "occurred_at": INSTANT, "properties": "object",
        "code": "id", "order_id": "id",
    },
    "order": {
        "id": "id", "status": "string", "currency": "string", **dict.fromkeys(MONEY, "money"), "code": "id", "at": INSTANT,
        "items": "items", "metadata": "object", "refund": "record",
    },
    "group": {"id": "id", "name": "string", "metadata": "object", "member": "boolean", "at": INSTANT},
    "audience": {"key": "id", "id": "id", "name": "string", "member": "boolean", "at": INSTANT},
    "link": {"loser": "id", "survivor": "id", "type": "string", "old": "id", "new": "id", "at": INSTANT},
    "erase": {"source_id": "id", "request_id": "id", "regulation": "string", "at": INSTANT},
}  # fmt: skip
NEEDED: Final[Mapping[str, tuple[tuple[str, ...], ...]]] = {
    "event": (("name",),), "order": (("id",),), "group": (("id",),), "audience": (("key",),),
    "link": (("loser", "survivor"), ("type", "old", "new")), "erase": (("source_id",), ("identities",)),
}  # fmt: skip
CONSENT_KINDS: Final[Mapping[str, str]] = {
    "topic": "id", "at": INSTANT, "address": "string", "source": "string", "proof": "json",
}  # fmt: skip
_PROFILE_FIELDS: Final = (*BUILT_IN_TRAITS, "address", "metadata")


def build_inbound(root: Node) -> InboundTree:
    """The inbound half of a document. Raises MappingFileInvalid."""
    check_frame(root)
    return _InboundBuilder(root).tree()


class _InboundBuilder:
    def __init__(self, root: Node) -> None:
        self.root = root
        self.reader = SourceReader(is_inbound=True)
        self.rows = RowBuilder(self.reader, sections_of(root), blanks_of(root), None)

    def tree(self) -> InboundTree:
        root, reader = self.root, self.reader
        for needed in ("who", "rules"):
            if root.get(needed) is None:
                reader.complain(
                    root.mark, "", f"{needed!r} is missing: the file does not say what incoming messages mean"
                )
        who, message = root.get("who"), root.get("message")
        if reader.problems or who is None:
            raise MappingFileInvalid(reader.problems)
        lets = build_lets(root, reader, self.rows)
        source_id = self.rows.row(who.value["source_id"], "who.source_id", Want(kind="id"))
        identities = self._identities(who.get("identities"), "who.identities")
        missing = who.get("missing")
        hints = {name: self._hint(message, name) for name in ("at", "test", "replay")}
        rules = self._rules()
        if reader.problems or source_id is None:
            raise MappingFileInvalid(reader.problems)
        return InboundTree(
            source_id=source_id,
            identities=identities,
            missing="ignore" if missing is None else str(missing.value),
            lets=lets,
            rules=rules,
            **hints,
        )

    def _hint(self, message: Node | None, name: str) -> Row | None:
        node = message.get(name) if message is not None else None
        want = ANY if name == "at" else Want(kind="boolean")
        return None if node is None else self.rows.row(node, f"message.{name}", want)

    def _rules(self) -> tuple[Rule, ...]:
        rules: list[Rule] = []
        seen: dict[str, int] = {}
        for node in self.root.value["rules"].value:
            rule_id = str(node.value["id"].value)
            if rule_id in seen:
                self.reader.complain(
                    mark_of(node, "id"),
                    f"rules.{rule_id}",
                    f"the id {rule_id!r} stands on line {seen[rule_id]} already",
                )
            seen[rule_id] = node.mark.line
            self.reader.within = f"rules.{rule_id}"
            each = node.get("each")
            if each is None:
                rules.append(self._rule(node, rule_id, None))
                continue
            ((name, over),) = each.items()
            source = self.rows.row(over, f"rules.{rule_id}.each")
            source = as_holder(source) if isinstance(source, Pick) else source
            with self.reader.binding(name):
                rules.append(self._rule(node, rule_id, None if source is None else (name, source)))
        self.reader.within = ""
        return tuple(rules)

    def _rule(self, node: Node, rule_id: str, each: tuple[str, Row] | None) -> Rule:
        place = f"rules.{rule_id}"
        match = build_match(node.get("match"), self.reader, place)
        when = build_condition(node, self.reader, place)
        fallback, claims = node.get("fallback"), node.get("claims")
        outputs = [self._output(kind, node.value[kind], place) for kind in OUTPUTS if kind in node.value]
        return Rule(
            id=rule_id,
            place=Place(place, node.mark),
            match=match,
            when=when,
            each=each,
            fallback=None if fallback is None else str(fallback.value),
            claims=frozenset(str(child.value) for child in claims.value) if claims is not None else frozenset(),
            outputs=tuple(output for output in outputs if output is not None),
        )

    def _output(self, kind: str, node: Node, place: str) -> Output | None:
        start = len(self.reader.read_paths)
        place = f"{place}.{kind}"
        if kind == "profile":
            output: Output | None = self._profile(node, place)
        elif kind == "identities":
            output = self._identities(node, place)
        elif kind == "consents":
            output = self._consents(node)
        else:
            output = self._record(kind, node, place)
        self.rows.close_rests(start)
        return output

    def _profile(self, node: Node, place: str) -> ProfileOutput:
        self._known_keys(node, _PROFILE_FIELDS, place)
        traits = []
        for name, child in node.items():
            if name in TRAIT_KINDS:
                row = self.rows.row(child, f"profile.{name}", Want(kind=TRAIT_KINDS[name], removable=True))
                if row is not None:
                    traits.append((name, row))
        address = self._part(
            node, "address", Want(shape="object", keeps_removed=True, kinds=dict.fromkeys(ADDRESS_PARTS, "string"))
        )
        metadata = self._part(node, "metadata", Want(shape="object", keeps_removed=True, spaced=True))
        parts = node.get("address")
        if parts is not None and parts.get("object") is not None:
            self._known_keys(parts.value["object"], ADDRESS_PARTS, f"{place}.address")
        return ProfileOutput(tuple(traits), address, metadata)

    def _part(self, node: Node, name: str, want: Want) -> Row | None:
        child = node.get(name)
        return None if child is None else self.rows.row(child, f"profile.{name}", want)

    def _identities(self, node: Node | None, place: str) -> IdentitiesOutput:
        if node is None:
            return IdentitiesOutput((), None)
        if set(FORMS) & node.value.keys():
            return IdentitiesOutput((), self.rows.row(node, place, Want(shape="object")))
        fixed = []
        for name, child in node.items():
            row = self.rows.row(child, f"identities.{name}", Want(kind=identity_kind(name)))
            if row is not None:
                fixed.append((name, row))
        return IdentitiesOutput(tuple(fixed), None)

    def _consents(self, node: Node) -> ConsentsOutput | None:
        want = Want(kinds=CONSENT_KINDS, item_kinds=CONSENT_KINDS)  # an object of topics, or a list of records
        if set(FORMS) & node.value.keys():
            row = self.rows.row(node, "consents", want)
            return None if row is None else ConsentsOutput((), row)
        fixed = []
        for topic, child in node.items():
            row = self.rows.row(child, f"consents.{topic}", Want(kinds=CONSENT_KINDS))
            if row is not None:
                fixed.append((topic, row))
        return ConsentsOutput(tuple(fixed), None)

    def _record(self, kind: str, node: Node, place: str) -> RecordOutput:
        kinds = RECORDS[kind]
        own = {key: child for key, child in node.items() if not (kind == "erase" and key == "identities")}
        self._known_keys(node, [*kinds, "identities"] if kind == "erase" else list(kinds), place)
        if not any(all(name in node.value for name in names) for names in NEEDED[kind]):
            words = " or ".join(" and ".join(names) for names in NEEDED[kind])
            self.reader.complain(node.mark, place, f"this output needs {words}")
        currency = (
            self.rows.row(own.pop("currency"), "order.currency", Want(kind="string")) if "currency" in own else None
        )
        rest = Node(own, node.mark, node.key_marks)
        record = self.rows.fields(rest, kind, Want(kinds=kinds, item_kinds=ITEM_KINDS))
        identities = self._identities(node.get("identities"), f"{place}.identities") if kind == "erase" else None
        return RecordOutput(kind, record, currency, identities)

    def _known_keys(self, node: Node, allowed: tuple[str, ...] | list[str], place: str) -> None:
        for key in node.value:
            if key not in allowed:
                self.reader.complain(node.key_marks[key], place, f"there is no {key!r} here{nearest(key, allowed)}")


def identity_kind(name: str) -> str:
    """E-mail addresses and phone numbers are checked as such; every other identity is an id."""
    return name if name in {"email", "phone"} else "id"
