"""What no row can hold, wherever a vendor may write it: NUL, half a surrogate pair, endless texts, numbers beyond counting.

The simulator answers as ever; its answers are poisoned on their way, first the failures, then the successes, there all texts
at once and then the texts of each name alone, so that a poisoned id does not hide a poisoned receipt behind it.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from itertools import cycle
from typing import Any, Final

from structlog.testing import capture_logs

from hub.check.outbox import Outbox, outbox
from hub.registry.discovery import Found
from hub.registry.values import Connection
from hub.sdk.json import loads
from hub.sdk.kit.bench.bench import Bench, over_http
from hub.sdk.kit.simulator.base import Simulator
from hub.sdk.kit.simulator.exchange import SimRequest, SimResponse
from hub.sdk.kit.simulator.faults import Fault
from hub.sdk.kit.suite.failed import require
from hub.sdk.text import is_storable

POISON: Final = "a\0b\ud800c" + " long" * 20_000
BEYOND: Final = 10**30
FAILURES: Final = (400, 404, 413, 422, 429, 500, 401)  # the last one pauses the connection
HEADERS: Final = ("\0", "9" * 40, "Fri, 31 Dec 9999 23:59:59 GMT")
LATER_S: Final = 3_600.0
Change = Callable[[str, Any], Any]
"""The value of a leaf by its name and itself."""


def poisoned_answers(found: Found) -> None:
    """Whatever the vendor writes into failures, successes and headers, each delivery ends in a state of its own."""
    with over_http(found.subject()) as bench, outbox(found, bench) as hub, capture_logs() as lines:
        connection = hub.connect()
        for what, change in _changes(_names(hub, connection)):
            _deliver(hub, connection, change, what)
        for status, header in zip(FAILURES, cycle(HEADERS), strict=False):
            bench.simulator.next(status=status, times=3, headers={"retry-after": header})
            _deliver(hub, connection, _in_texts, f"a {status} with poisoned texts, Retry-After: {header!r}")
            bench.simulator.script.pending.clear()
        bench.simulator.unexpected.clear()  # whoever was sent a broken id asks after it
        _nothing_broke(hub)
    broken = [line for line in lines if line["log_level"] == "error" and "stored" in line["event"]]
    require(not broken, f"the hub could not store what came back: {broken[:3]}")


def _changes(names: list[str]) -> Iterator[tuple[str, Change]]:
    yield "poison in every text", _in_texts
    yield "numbers beyond 64 bits", lambda _, value: BEYOND if type(value) is int else value
    for name in names:
        yield f"poison in {name!r}", partial(_in_text, name)


def _in_texts(_name: str, value: Any) -> Any:
    return value + POISON if isinstance(value, str) else value


def _in_text(wanted: str, name: str, value: Any) -> Any:
    return value + POISON if name == wanted and isinstance(value, str) else value


def _names(hub: Outbox, connection: Connection) -> list[str]:
    """The names under which this vendor's successes hold texts."""
    names: dict[str, None] = {}

    def note(name: str, value: Any) -> Any:
        if isinstance(value, str):
            names[name] = None
        return value

    _deliver(hub, connection, note, "nobody")
    return list(names)


def _deliver(hub: Outbox, connection: Connection, change: Change, person: str) -> None:
    """Each operation for one person over poisoned answers; jobs are asked after, and what waits is tried again."""
    with _poisoned(hub.bench, change):
        hub.deliver(connection, person)
        if hub.is_waiting():
            hub.settle(after_s=LATER_S)


class _poisoned:  # noqa: N801 - used as a function
    """The simulator with answers changed on their way, until the block ends."""

    def __init__(self, bench: Bench, change: Change) -> None:
        self._simulator, self._change = bench.simulator, change

    def __enter__(self) -> None:
        def take(request: SimRequest) -> tuple[SimResponse, Fault | None]:
            response, fault = Simulator.take(self._simulator, request)
            return _changed(response, self._change), fault

        vars(self._simulator)["take"] = take

    def __exit__(self, *_: object) -> None:
        del vars(self._simulator)["take"]


def _changed(response: SimResponse, change: Change) -> SimResponse:
    content = response.content()
    try:
        body = json.dumps(_walked("", loads(content), change)).encode()
    except ValueError:
        body = content + b"\0\xed\xa0\x80" if content else content
    return replace(response, json=None, body=body)


def _walked(name: str, value: Any, change: Change) -> Any:
    if isinstance(value, dict):
        return {key: _walked(key, child, change) for key, child in value.items()}
    if isinstance(value, list):
        return [_walked(name, child, change) for child in value]
    return change(name, value)


def _nothing_broke(hub: Outbox) -> None:
    for table, row in hub.rows():
        unfit = [name for name, cell in row.items() if isinstance(cell, str) and not is_storable(cell)]
        require(not unfit, f"{table}.{', '.join(unfit)} holds what PostgreSQL refuses")
        is_defect = table == "delivery" and row["reason"] == "defect"
        require(not is_defect, f"{row.get('source_id')}: {row.get('operation')} ended as a defect: {row.get('detail')}")
