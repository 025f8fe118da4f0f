"""Comparing what a case expects with what came, and saying where they differ."""

from __future__ import annotations

from collections.abc import Mapping

from hub.sdk.kit.suite.failed import require
from hub.sdk.values import Json


def compare(where: str, wanted: Json, actual: Json, *, partial: bool = False) -> None:
    """`partial`: objects may hold more than is wanted, at every depth; lists may not."""
    if isinstance(wanted, Mapping) and isinstance(actual, Mapping):
        for name, value in wanted.items():
            require(name in actual, f"{where} lacks {name}; it has {', '.join(map(str, actual)) or 'nothing'}")
            compare(f"{where}.{name}", value, actual[name], partial=partial)
        more = [] if partial else sorted(set(actual) - set(wanted))
        require(not more, f"{where} has more than expected: {', '.join(f'{name}={actual[name]!r}' for name in more)}")
        return
    if isinstance(wanted, list) and isinstance(actual, list):
        require(
            len(wanted) == len(actual), f"{where} has {len(actual)} entries, expected were {len(wanted)}: {actual!r}"
        )
        for index, (one, other) in enumerate(zip(wanted, actual, strict=True)):
            compare(f"{where}[{index}]", one, other, partial=partial)
        return
    same = wanted == actual and isinstance(wanted, bool) == isinstance(actual, bool)
    require(same, f"{where} is {actual!r}, expected was {wanted!r}")
