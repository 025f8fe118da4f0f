"""Mappings, examples and previews speak of a code exactly as publishing fills it."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from hub.admin.requirements import EXAMPLE_CODE
from hub.campaigns.values import Campaign, Code
from hub.check.records import CODE
from hub.distributions.decide import code_scope
from hub.preview.deliveries import _message
from hub.sdk.json import loads

MAPPINGS = Path(__file__).parents[3] / "mappings"
SPRING = Campaign("c", "Spring", "generated", "S-####", "", False, 10, 10, None, None, 1, 0)
FILLED = set(code_scope(SPRING, Code("S-7KQ2", "c", "published", "p", 1, 2))["code"])


@pytest.mark.parametrize("path", sorted(MAPPINGS.glob("*.yaml")), ids=lambda path: path.stem)
def test_a_bundled_mapping_reads_nothing_of_a_code_that_publishing_never_fills(path: Path):
    assert set(re.findall(r"(?<![\w.])code\.(\w+)", path.read_text("utf-8"))) <= FILLED


def test_examples_show_a_code_as_publishing_fills_it():
    assert set(CODE) == set(EXAMPLE_CODE) == set(loads(_message("ada", 0).record)["code"]) == FILLED
