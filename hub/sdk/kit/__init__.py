"""The kit for connector authors: simulators, the contract suite and a small sender. Ships with the hub.

In: a connector's folder. Out: a simulated vendor over real HTTP (`simulator`, `sender`), named checks (`suite`), cases
(`cases`) and a bench to try a destination on (`bench`). Keeps: nothing; a simulator keeps what it was sent in memory.

Everything an author needs is imported from here:

    from hub.sdk.kit import SimRequest, SimResponse, Simulator, route        # simulator.py
    from hub.sdk.kit import checks_for, subject_of                           # a test of one's own
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from hub.sdk.kit.bench.bench import Bench as Bench
    from hub.sdk.kit.bench.bench import in_memory as in_memory
    from hub.sdk.kit.bench.bench import over_http as over_http
    from hub.sdk.kit.bench.pushes import push as push
    from hub.sdk.kit.simulator.base import ManualClock as ManualClock
    from hub.sdk.kit.simulator.base import Simulator as Simulator
    from hub.sdk.kit.simulator.base import UnexpectedCall as UnexpectedCall
    from hub.sdk.kit.simulator.base import route as route
    from hub.sdk.kit.simulator.exchange import Refused as Refused
    from hub.sdk.kit.simulator.exchange import SimRequest as SimRequest
    from hub.sdk.kit.simulator.exchange import SimResponse as SimResponse
    from hub.sdk.kit.simulator.source import SimulatedSource as SimulatedSource
    from hub.sdk.kit.simulator.source import post as post
    from hub.sdk.kit.subject import Subject as Subject
    from hub.sdk.kit.subject import subject_of as subject_of
    from hub.sdk.kit.suite.cases import Case as Case
    from hub.sdk.kit.suite.cases import load_cases as load_cases
    from hub.sdk.kit.suite.cases import run_case as run_case
    from hub.sdk.kit.suite.failed import CheckFailed as CheckFailed
    from hub.sdk.kit.suite.failed import require as require
    from hub.sdk.kit.suite.runner import Check as Check
    from hub.sdk.kit.suite.runner import Verdict as Verdict
    from hub.sdk.kit.suite.runner import checks_for as checks_for
    from hub.sdk.kit.suite.runner import run as run
    from hub.sdk.kit.suite.runner import verdict as verdict

_HOMES = {
    "bench.bench": ("Bench", "in_memory", "over_http"),
    "bench.pushes": ("push",),
    "simulator.base": ("ManualClock", "Simulator", "UnexpectedCall", "route"),
    "simulator.exchange": ("Refused", "SimRequest", "SimResponse"),
    "simulator.source": ("SimulatedSource", "post"),
    "subject": ("Subject", "subject_of"),
    "suite.cases": ("Case", "load_cases", "run_case"),
    "suite.failed": ("CheckFailed", "require"),
    "suite.runner": ("Check", "Verdict", "checks_for", "run", "verdict"),
}
"""Module to the names that are imported from here. Loaded when asked for: a hub at work needs none of it."""

_HOME_OF = {name: module for module, names in _HOMES.items() for name in names}
__all__ = sorted(_HOME_OF)  # noqa: PLE0605 - ruff cannot see that these are texts


def __getattr__(name: str) -> Any:
    module = _HOME_OF.get(name)
    if module is None:
        raise AttributeError(f"hub.sdk.kit has no {name!r}; it has {', '.join(__all__)}")
    return getattr(import_module(f"hub.sdk.kit.{module}"), name)


def __dir__() -> list[str]:
    return __all__
