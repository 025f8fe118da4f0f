"""Every connector keeps the contract: (connector × check) over whatever discovery finds.

A new folder is tested without a further line; `pytest tests/contract -k braze` runs one connector.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from hub.check import checks
from hub.registry.discovery import Found, discover
from hub.sdk.kit.suite.runner import Check

FOUND = discover()


def _checks() -> Iterator[object]:
    for found in FOUND.values():
        if not found.error:
            for check in checks(found):
                yield pytest.param(check, id=f"{found.name}: {check.name}")


@pytest.mark.parametrize("found", list(FOUND.values()), ids=list(FOUND))
def test_a_connector_can_be_loaded(found: Found):
    assert found.error == ""


@pytest.mark.parametrize("check", list(_checks()))
def test_a_connector_keeps_the_contract(check: Check):
    check.run()
