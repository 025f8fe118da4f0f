"""Metadata schemas as people write them: brought into one form, or refused with a sentence."""

from __future__ import annotations

from typing import Any

import pytest

from hub.profiles.rules.schemas import version
from hub.profiles.schema_document import checked
from hub.sdk.errors import ConfigurationError


def test_a_document_is_brought_into_one_form() -> None:
    short = checked("profile", {"properties": {"tier": "string"}})
    full = {"tier": {"type": "string", "array": False, "optional": True}}
    assert short == {"allow_defined_only": False, "properties": full}
    assert checked("profile", short) == short
    assert version({"profile": short}) == version({"profile": checked("profile", {"properties": full})})
    assert version({}) == ""


@pytest.mark.parametrize(
    ("kind", "document", "sentence"),
    [
        ("people", {}, "no schema of 'people'"),
        ("event.", {}, "no schema of 'event.'"),
        ("event.Order Completed", {}, "no schema of"),
        ("profile", [], "is an object of"),
        ("profile", {"keys": {}}, "has no 'keys'"),
        ("profile", {"properties": ["a"]}, "`properties` is an object"),
        ("profile", {"allow_defined_only": "yes"}, "true or false"),
        ("profile", {"properties": {"shoe size": "number"}}, "without white space"),
        ("profile", {"properties": {"": "number"}}, "cannot be a key"),
        ("profile", {"properties": {"x" * 256: "number"}}, "cannot be a key"),
        ("profile", {"properties": {"a\0": "number"}}, "cannot be a key"),
        ("profile", {"properties": {"a": "text"}}, "one of string, number"),
        ("profile", {"properties": {"a": {"type": "number", "unit": "cm"}}}, "has no 'unit'"),
        ("profile", {"properties": {"a": {"type": "number", "properties": {}}}}, "only an object"),
        ("profile", {"properties": {"a": {"type": "number", "array": 1}}}, "true or false"),
        ("profile", {"properties": {f"k{number}": "number" for number in range(101)}}, "at most 100"),
    ],
)
def test_a_wrong_document_is_refused_with_a_sentence(kind: str, document: Any, sentence: str) -> None:
    with pytest.raises(ConfigurationError, match=sentence):
        checked(kind, document)


def test_objects_nest_five_deep_and_no_deeper() -> None:
    deep: Any = "number"
    for _ in range(5):
        deep = {"type": "object", "properties": {"a": deep}}
    assert checked("profile", {"properties": {"a": deep}})
    with pytest.raises(ConfigurationError, match="nest at most 5"):
        checked("profile", {"properties": {"a": {"type": "object", "properties": {"a": deep}}}})
