"""From a checked document to the tree of an outbound mapping."""

from __future__ import annotations

from collections.abc import Mapping

from hub.mapping.build.parts import blanks_of, build_condition, build_lets, build_match, check_frame, sections_of
from hub.mapping.build.rows import RowBuilder
from hub.mapping.build.sources import SourceReader
from hub.mapping.build.values import Want
from hub.mapping.language.dialect import Dialect
from hub.mapping.language.dialect_schema import SCHEMA as DIALECT_SCHEMA
from hub.mapping.language.document import Node
from hub.mapping.language.problems import MappingFileInvalid
from hub.mapping.language.schema import FORMS, OPERATIONS, schema_problems
from hub.mapping.language.rows import Place, Row
from hub.mapping.language.rules import OutboundRule, OutboundTree, Section


def build_outbound(root: Node) -> OutboundTree:
    """The outbound half of a document. Raises MappingFileInvalid."""
    check_frame(root)
    return _OutboundBuilder(root).tree()


class _OutboundBuilder:
    def __init__(self, root: Node) -> None:
        self.root = root
        self.reader = SourceReader(is_inbound=False)

    def tree(self) -> OutboundTree:
        root, reader = self.root, self.reader
        named = {operation: node for operation in OPERATIONS if (node := root.get(operation)) is not None}
        if not named:
            reader.complain(
                root.mark, "", f"none of {', '.join(OPERATIONS)} is here: the file does not say what to send"
            )
        fields = {name: node.value["fields"] for name, node in named.items() if node.get("fields") is not None}
        usable = {**fields, **sections_of(root)}
        general = RowBuilder(reader, usable, blanks_of(root), None)
        lets = build_lets(root, reader, general)
        sections = {name: self._section(name, node, usable) for name, node in named.items()}
        if reader.problems:
            raise MappingFileInvalid(reader.problems)
        return OutboundTree(lets=lets, sections=sections)

    def _section(self, operation: str, node: Node, usable: Mapping[str, Node]) -> Section:
        rows = RowBuilder(self.reader, usable, blanks_of(self.root), self._dialect(node, operation))
        unset = node.get("unset")
        value = None if unset is None else unset.value
        mode = "omit" if unset is None else {None: "null", "": "empty"}.get(value, str(value))
        rules = node.get("rules")
        listed = [node] if rules is None else rules.value
        keeps = mode != "omit" and operation == "profiles"
        built = tuple(self._rule(rows, child, operation, keeps=keeps) for child in listed)
        return Section(operation=operation, unset=mode, rules=built)

    def _rule(self, rows: RowBuilder, node: Node, operation: str, *, keeps: bool) -> OutboundRule:
        given = node.get("id")
        rule_id = operation if given is None else str(given.value)
        place = operation if given is None else f"{operation}.{rule_id}"
        start = len(self.reader.read_paths)
        fields = node.get("fields")
        want = Want(shape="object", keeps_removed=keeps)
        row: Row | None = None
        if fields is not None and (fields.is_list or set(FORMS) & fields.value.keys()):
            row = rows.row(fields, place, want)
        elif fields is not None:
            row = rows.fields(fields, place, want)
        rows.close_rests(start)
        name, skip = node.get("name"), node.get("skip")
        if fields is None and skip is None:
            self.reader.complain(node.mark, place, "a rule needs `fields`, or `skip` with a reason")
        return OutboundRule(
            id=rule_id,
            place=Place(place, node.mark),
            match=build_match(node.get("match"), self.reader, place),
            when=build_condition(node, self.reader, place),
            skip=None if skip is None else str(skip.value),
            name=None if name is None else rows.row(name, f"{place}.name", Want(kind="string")),
            fields=row,
        )

    def _dialect(self, section: Node, operation: str) -> Dialect | None:
        """The file's dialect with the section's own rules over it."""
        merged: dict[str, object] = {}
        for node, place in ((self.root.get("dialect"), "dialect"), (section.get("dialect"), f"{operation}.dialect")):
            if node is None:
                continue
            problems = schema_problems(node, DIALECT_SCHEMA, place)
            self.reader.problems += [found for found in problems if found not in self.reader.problems]
            if problems:
                return None
            merged |= node.plain()
            try:
                Dialect(merged)
            except ValueError as error:
                self.reader.complain(node.mark, place, str(error))
                return None
        return Dialect(merged) if merged else None
