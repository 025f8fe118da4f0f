"""What `hub mappings check` and `hub mappings preview` ask: is a file right, and what does it make of a message?"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

from hub.core.clock import Micros
from hub.mapping.inbound import interpret_inbound
from hub.mapping.language.document import Node
from hub.mapping.language.problems import MappingFileInvalid, Problem, nearest, problem
from hub.mapping.language.schema import FORMS
from hub.mapping.model import Change, Json, Scope
from hub.mapping.outbound import interpret_outbound
from hub.mapping.run.meaning import Origin
from hub.mapping.show import change_as_json, mapped_as_json
from hub.mapping.versions.files import Folders, read_file
from hub.mapping.versions.version import check
from hub.sdk.errors import MappingInvalid

JsonSchema = Mapping[str, Json]


def check_file(path: Path, targets: Mapping[str, JsonSchema] | None, folders: Folders | None = None) -> list[Problem]:
    """Everything that is wrong with a file, in its order; nothing if it is right.

    `targets` are the vendor's fields by operation: names the file writes and the vendor does not take are problems.
    """
    return check_read(lambda: read_file(path, folders or Folders()).document, targets, str(path))


def check_read(read: Callable[[], Node], targets: Mapping[str, JsonSchema] | None, called: str) -> list[Problem]:
    """The same of whatever `read` gives, such as a mapping with a patch over it."""
    try:
        document = read()
        check(document)
    except MappingFileInvalid as error:
        return sorted(error.problems)
    except MappingInvalid as error:
        return [Problem(called, 1, 1, "", str(error))]
    return sorted(
        found
        for operation, schema in (targets or {}).items()
        for found in _unknown_targets(document, operation, schema)
    )


def _unknown_targets(document: Node, operation: str, schema: JsonSchema) -> Iterable[Problem]:
    section = document.get(operation)
    if section is None:
        return
    rules = section.get("rules")
    for rule in [section] if rules is None else rules.value:
        fields = rule.get("fields")
        if fields is not None:
            yield from _unknown_keys(fields, schema, f"{operation}.fields")


def _unknown_keys(fields: Node, schema: JsonSchema, path: str) -> Iterable[Problem]:
    """Written names that a closed schema does not list; objects are looked into."""
    if fields.is_list:
        for part in fields.value:
            yield from _unknown_keys(part, schema, path)
        return
    inner = fields.get("object") or (None if set(FORMS) & fields.value.keys() else fields)
    allowed = schema.get("properties", {})
    for name, row in inner.items() if inner is not None else ():
        if name in allowed:
            if row.get("object") is not None:
                yield from _unknown_keys(row, allowed[name], f"{path}.{name}")
        elif schema.get("additionalProperties", True) is False and "{" not in name and inner is not None:
            yield problem(inner.key_marks[name], path, f"the vendor has no field {name!r}{nearest(name, allowed)}")


def preview(
    document: Node,
    message: Json,
    *,
    message_id: str,
    received_at: Micros,
    options: Mapping[str, Json] | None = None,
    connection_id: str = "preview",
    behind: Callable[[Change], Change] = lambda change: change,
) -> dict[str, Json]:
    """The canonical JSON of a message's change, with `lineage`: field -> {source, line, coercion}.

    `behind` is what follows the mapping: the metadata schemas. Lineage tells of the mapping alone, so it also says where
    a value came from that they dropped.

    Raises MappingFileInvalid if the document is not valid.
    """
    inbound = interpret_inbound(document, connection_id=connection_id, options=options or {})
    draft = inbound.draft(message, message_id=message_id, received_at=received_at)
    draft.lineage = {}
    change = behind(inbound.fill(draft))
    return {**change_as_json(change), "lineage": _lineage(draft.lineage)}


def preview_outbound(document: Node, operation: str, scope: Scope) -> dict[str, Json]:
    """The vendor fields of a record as JSON. Raises MappingFileInvalid if the document is not valid."""
    return mapped_as_json(interpret_outbound(document).apply(operation, scope))


def _lineage(found: Mapping[str, Origin]) -> dict[str, Json]:
    return {
        path: {name: value for name, value in origin._asdict().items() if value is not None}
        for path, origin in sorted(found.items())
    }
