"""Each file in valid/ states one rule of the language, with a message and what becomes of it, for both engines.

A file has `rule` (one sentence), `mapping` or `output` (the outputs of a single rule), `message` or `scope`, and
`expect`: the JSON of the preview, without what is empty. Texts `NaN!`, `Infinity!` and `REMOVED!` stand for values that
YAML cannot write, and `NUL!` for a character that mapping files refuse.
"""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import pytest

from hub.mapping.inbound import compile_inbound, interpret_inbound
from hub.mapping.language.document import Node, load
from hub.mapping.model import REMOVED
from hub.mapping.outbound import compile_outbound, interpret_outbound
from hub.mapping.show import change_as_json, mapped_as_json
from hub.mapping.versions.version import from_content

FOLDER = Path(__file__).with_name("valid")
FILES = sorted(FOLDER.glob("*.yaml"))
RECEIVED_AT = 1_773_489_600_000_000  # 2026-03-14T12:00:00Z
SPECIAL = {"NaN!": math.nan, "Infinity!": math.inf, "REMOVED!": REMOVED}
IMPLIED = {"verdict": "apply", "source_id": "u1", "at": "2026-03-14T12:00:00.000Z", "rules": ["only"]}


@pytest.mark.parametrize("path", FILES, ids=[path.stem for path in FILES])
def test_the_rule_holds(path: Path) -> None:
    case = load(path.read_text(encoding="utf-8"), path.name)
    expect = case.value["expect"].plain()
    mapping = case.get("mapping") or _only_rule(case.value["output"])
    for result in _outbound(case, mapping) if case.get("scope") else _inbound(case, mapping):
        if case.get("scope"):
            assert result == expect
        else:
            assert result == {name: value for name, value in (IMPLIED | expect).items() if value or name == "source_id"}


def _only_rule(output: Node) -> Node:
    rule = {"id": "only", **output.plain()}
    return from_content({"connector": "test", "who": {"source_id": "id"}, "rules": [rule]}, "only rule")


def _inbound(case: Node, mapping: Node) -> list[Any]:
    options = case.get("options")
    given: dict[str, Any] = {"connection_id": "c", "options": options.plain() if options else {}}
    message = special(case.value["message"].plain())
    return [
        change_as_json(make(mapping, **given).apply(message, message_id="m1", received_at=RECEIVED_AT))
        for make in (compile_inbound, interpret_inbound)
    ]


def _outbound(case: Node, mapping: Node) -> list[Any]:
    scope, operation = special(case.value["scope"].plain()), case.value["operation"].value
    return [mapped_as_json(make(mapping).apply(operation, scope)) for make in (compile_outbound, interpret_outbound)]


def special(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: special(child) for key, child in value.items()}
    if isinstance(value, list):
        return [special(child) for child in value]
    return SPECIAL.get(value, value.replace("NUL!", "\0")) if isinstance(value, str) else value
