"""The parts of the contract suite that need mapping or outbox; `run` gives the whole suite of a connector.

In: a connector as discovery found it. Out: verdicts. Keeps: nothing.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

from hub.check.ledger import ledger_hides_secrets, wrong_credentials_pause
from hub.check.mapping import mapping_checks
from hub.check.poison import poisoned_answers
from hub.registry.discovery import Found
from hub.sdk.kit.suite.runner import Check, Verdict, checks_for, verdict

__all__ = ["IN_THE_HUB", "checks", "run"]

IN_THE_HUB = (
    (
        "the-ledger-hides-secrets",
        "What the hub writes down of its calls, in rows and in the log, shows no secret.",
        ledger_hides_secrets,
    ),
    (
        "wrong-credentials-pause",
        "In the hub, wrong credentials pause the connection and its deliveries wait.",
        wrong_credentials_pause,
    ),
    (
        "poisoned-answers",
        "Whatever characters and numbers the vendor answers with, the hub stores what it can and goes on.",
        poisoned_answers,
    ),
)
"""Checks of a destination that run the hub's own outbox."""


def checks(found: Found) -> Iterator[Check]:
    """Every check that concerns this connector: the pure part, its mapping, then what the hub makes of it."""
    subject = found.subject()
    yield from checks_for(subject)
    yield from mapping_checks(found)
    if subject.destination_class is not None and subject.simulator_class is not None:
        yield from (Check(name, sentence, partial(function, found)) for name, sentence, function in IN_THE_HUB)


def run(found: Found) -> Iterator[Verdict]:
    """Run them all."""
    for check in checks(found):
        yield verdict(check)
