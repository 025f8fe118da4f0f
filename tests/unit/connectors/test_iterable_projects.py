"""The contract in the other two kinds of Iterable project; the suite itself runs in a userID-based one."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from connectors.iterable.simulator import IterableSimulator
from hub.registry.discovery import discover
from hub.sdk.kit.suite.runner import Check, checks_for

CHECKS = frozenset(
    {
        "three-records-together",
        "partial-failure",
        "repeats-are-harmless",
        "survives-each-step",
        "awkward: a missing e-mail and phone",
        "awkward: a duplicate source_id",
        "awkward: a source_id of 255 characters",
    }
)


class EmailBased(IterableSimulator):
    def __init__(self, **given: Any) -> None:
        super().__init__(project_type="email", **given)

    @classmethod
    def example_settings(cls) -> dict[str, Any]:
        return {**super().example_settings(), "project_type": "email"}


class Hybrid(IterableSimulator):
    def __init__(self, **given: Any) -> None:
        super().__init__(project_type="hybrid", **given)

    @classmethod
    def example_settings(cls) -> dict[str, Any]:
        return {**super().example_settings(), "project_type": "hybrid"}


def checks(simulator: type[IterableSimulator]) -> list[Check]:
    subject = replace(discover()["iterable"].subject(), simulator_class=simulator, case_files=())
    return [check for check in checks_for(subject) if check.name in CHECKS]


@pytest.mark.parametrize("check", checks(EmailBased), ids=lambda check: check.name)
def test_an_email_based_project_keeps_the_contract(check: Check):
    check.run()


@pytest.mark.parametrize("check", checks(Hybrid), ids=lambda check: check.name)
def test_a_hybrid_project_keeps_the_contract(check: Check):
    check.run()


def test_all_of_these_checks_exist():
    assert {check.name for check in checks(Hybrid)} == CHECKS
