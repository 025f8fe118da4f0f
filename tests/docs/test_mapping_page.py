"""docs/mapping.md: every example does what it says, and nothing of the language is left out."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from hub.mapping.inbound import compile_inbound
from hub.mapping.language.dialect import SCHEMA as DIALECT
from hub.mapping.language.document import Node, load
from hub.mapping.language.function_library import arities
from hub.mapping.language.patch import patched
from hub.mapping.language.problems import MappingFileInvalid
from hub.mapping.language.schema import FORM_SCHEMAS, FORMS, OPERATIONS, OUTPUTS
from hub.mapping.model import ADDRESS_PARTS, BUILT_IN_TRAITS
from hub.mapping.outbound import compile_outbound
from hub.mapping.show import change_as_json, mapped_as_json
from hub.mapping.values.coerce import OUTBOUND
from hub.mapping.versions.files import Folders, read
from hub.mapping.versions.version import check

PAGE = Path(__file__).parents[2] / "docs" / "mapping.md"
TEXT = PAGE.read_text(encoding="utf-8")
BLOCK = re.compile(r"^```(\w+) ([a-z ]+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
RECEIVED_AT = 1_773_489_600_000_000  # 2026-03-14T12:00:00Z
STANDARD = {"join", "length", "keys", "contains", "starts_with", "ends_with", "merge"}


class Example(NamedTuple):
    mapping: str
    kind: str
    given: Any
    result: Any


def _examples() -> Iterator[Example]:
    mapping, kind, given = "", "", None
    for _, name, body in BLOCK.findall(TEXT):
        if name == "mapping":
            mapping = body
        elif name == "result":
            yield Example(mapping, kind, given, json.loads(body))
        elif name in {"message", "scope profiles", "scope events"}:
            kind, given = name, json.loads(body)


EXAMPLES = list(_examples())


@pytest.mark.parametrize("example", EXAMPLES, ids=[str(number) for number in range(len(EXAMPLES))])
def test_the_example_does_what_it_says(example: Example) -> None:
    document = _document(example.mapping)
    if example.kind != "message":
        operation = example.kind.removeprefix("scope ")
        assert mapped_as_json(compile_outbound(document).apply(operation, example.given)) == example.result
        return
    inbound = compile_inbound(document, connection_id="c", options={})
    assert change_as_json(inbound.apply(example.given, message_id="m1", received_at=RECEIVED_AT)) == example.result


def test_the_broken_file_has_the_problems_it_says() -> None:
    (broken,) = (body for _, name, body in BLOCK.findall(TEXT) if name == "broken")
    (problems,) = (body for _, name, body in BLOCK.findall(TEXT) if name == "problems")
    with pytest.raises(MappingFileInvalid) as caught:
        check(load(broken, "file"))
    assert [str(found).removeprefix("file:") for found in caught.value.problems] == problems.splitlines()


def _document(text: str) -> Node:
    document = load(text, "example")
    base = document.get("extends")
    return document if base is None else patched(read(str(base.value), "", Folders()).document, document)


def test_every_word_of_the_language_is_on_the_page() -> None:
    own = {name for name in arities() if name not in _standard_functions()}
    options = {name for schema in FORM_SCHEMAS.values() for name in schema["properties"]}
    words = {
        *FORMS, *options, *OUTPUTS, *OPERATIONS, *OUTBOUND, *BUILT_IN_TRAITS, *ADDRESS_PARTS, *DIALECT["properties"], *own, *STANDARD,
    }  # fmt: skip
    assert sorted(word for word in words if not re.search(rf"\b{re.escape(word)}\b", TEXT)) == []


def _standard_functions() -> set[str]:
    from jmespath.functions import Functions

    return set(Functions.FUNCTION_TABLE)


def test_every_warning_is_on_the_page() -> None:
    folder = Path(__file__).parents[2] / "hub" / "mapping"
    source = "\n".join(path.read_text(encoding="utf-8") for path in folder.glob("*.py"))
    codes = set(re.findall(r'(?:warn|Warning|_say|_warn)\(\s*"([a-z_]+)"', source)) | set(
        re.findall(r'return [^\n]*"(time_in_future|invalid_time)"', source)
    )
    assert sorted(code for code in codes if code not in TEXT) == []


def test_the_links_on_the_page_lead_somewhere() -> None:
    titles = {title.lower().replace(" ", "-") for title in re.findall(r"^## (.+)$", TEXT, re.MULTILINE)}
    assert set(re.findall(r"\]\(#([a-z-]+)\)", TEXT)) <= titles
