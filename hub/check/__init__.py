"""The parts of the contract suite that need mapping or outbox; `run` gives the whole suite of a connector.

In: a connector as discovery found it. Out: verdicts. Keeps: nothing.
"""

from __future__ import annotations

from collections.abc import Iterator

from hub.check.mapping import mapping_checks
from hub.registry.discovery import Found
from hub.sdk.kit.suite import Check, Verdict, checks_for, verdict

__all__ = ["checks", "run"]


def checks(found: Found) -> Iterator[Check]:
    """Every check that concerns this connector: the pure part, then what its mapping must keep."""
    yield from checks_for(found.subject())
    yield from mapping_checks(found)


def run(found: Found) -> Iterator[Verdict]:
    """Run them all."""
    for check in checks(found):
        yield verdict(check)
