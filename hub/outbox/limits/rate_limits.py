"""Rate windows, parallelism and pauses of vendor accounts, in one place. Nothing here waits: callers are told how long.

Times are seconds of a monotonic clock, given as `at`. A window is a log of what was taken: exact for small counts, and
for large ones rounded towards waiting, so that no stretch of `per_s` seconds ever holds more than `count` units.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from hub.core.backoff import pause_after
from hub.sdk.contract import Destination
from hub.sdk.values import Pool, Rate

DEFAULT_PARALLEL = 8
PAUSE_BASE_S = 1.0
PAUSE_CAP_S = 60.0
_LOG_PARTS = 128
Units = Mapping[str, int]
ONE_CALL: Units = {"call": 1}


class Window:
    """One rate of one pool."""

    def __init__(self, rate: Rate) -> None:
        self.unit = rate.unit
        self._count = rate.count
        self._per_s = rate.per_s
        self._burst = min(rate.burst or rate.count, rate.count)
        self._grain = rate.per_s / _LOG_PARTS if rate.count > _LOG_PARTS else 0.0
        self._log: deque[tuple[float, float, int]] = deque()  # first and latest moment, units
        self._held = 0
        self._full_at = 0.0  # when the burst allowance is whole again

    def earliest(self, units: int, at: float) -> float:
        """The first moment from `at` on when `units` more are allowed. More than the whole window go when it is empty."""
        units = min(units, self._count)
        self._forget(at)
        start = at
        over = self._held + units - self._count
        if over > 0:
            for _, latest, taken in self._log:
                over -= taken
                if over <= 0:
                    start = max(start, latest + self._per_s)
                    break
        if self._burst < self._count:
            spacing = self._per_s / self._count
            start = max(start, self._full_at - (self._burst - min(units, self._burst)) * spacing)
        return start

    def take(self, units: int, at: float) -> None:
        """Note `units` taken at that moment."""
        if self._log and at - self._log[-1][0] < self._grain:
            first, _, taken = self._log.pop()
            self._log.append((first, at, taken + units))  # a merged entry leaves with its youngest part
        else:
            self._log.append((at, at, units))
        self._held += units
        if self._burst < self._count:
            self._full_at = max(self._full_at, at) + units * self._per_s / self._count

    def _forget(self, at: float) -> None:
        log = self._log
        while log and log[0][1] + self._per_s <= at:
            self._held -= log.popleft()[2]


@dataclass(slots=True)
class Budget:
    """A pool at work. `limit` shrinks when the vendor says 429 and grows back with each success."""

    windows: list[Window]
    most: int
    limit: int
    in_use: int = 0
    paused_until: float = 0.0
    refusals: int = 0
    latest: float = 0.0


@dataclass
class Pace:
    """The budgets of all accounts. Safe to share between threads."""

    _budgets: dict[tuple[str, str, str], Budget] = field(default_factory=dict)
    _changed: threading.Condition = field(default_factory=threading.Condition)

    def share(self, connection_id: str, connector: str, destination: Destination) -> Share:
        """The budgets one connection draws on; those of an account are shared with its other connections."""
        keys = {}
        with self._changed:
            for name, pool in {**destination.pools(), "": Pool(scope="connection")}.items():
                key = keys[name] = (connector, _whose(pool, destination, connection_id), name)
                if key not in self._budgets:
                    most = pool.parallel or DEFAULT_PARALLEL
                    self._budgets[key] = Budget([Window(rate) for rate in pool.rates], most, most)
            return Share({name: self._budgets[key] for name, key in keys.items()}, self._changed)


def _whose(pool: Pool, destination: Destination, connection_id: str) -> str:
    """Whom the vendor counts by: this hub's address, an account, or the connection alone."""
    if pool.scope == "address":
        return "@"
    account = destination.account() if pool.scope == "account" else ""
    return f"a {account}" if account else f"c {connection_id}"


@dataclass(frozen=True, slots=True)
class Share:
    """One connection's budgets by pool name; '' is for routes that declare no pool."""

    budgets: Mapping[str, Budget]
    changed: threading.Condition

    def of(self, pools: Sequence[str]) -> list[Budget]:
        """Raises KeyError for a pool the connector does not declare."""
        return [self.budgets[name] for name in pools] or [self.budgets[""]]

    def reserve(self, pools: Sequence[str], units: Units, at: float, most_s: float) -> float | None:
        """When a call may start, or None if that is more than `most_s` away; nothing is taken then."""
        with self.changed:
            budgets = self.of(pools)
            start = at
            moved = True
            while moved:
                before = start
                for budget in budgets:
                    start = max(start, budget.paused_until, budget.latest)
                    for window in budget.windows:
                        start = max(start, window.earliest(units.get(window.unit, 0), start))
                moved = start > before
                if start - at > most_s:
                    return None
            for budget in budgets:
                budget.latest = start
                for window in budget.windows:
                    window.take(units.get(window.unit, 0), start)
            return start

    def wait_s(self, pools: Sequence[str], at: float) -> float:
        """How long these pools are paused for, in seconds; 0 if they are not."""
        with self.changed:
            return max(0.0, *(budget.paused_until - at for budget in self.of(pools)))

    def longest_pause_s(self, at: float) -> float:
        """How long the pool that is paused longest still is, in seconds; 0 if none is."""
        with self.changed:
            return max(0.0, *(budget.paused_until - at for budget in self.budgets.values()))

    def slots(self, pools: Sequence[str]) -> int:
        """How many calls may be under way together."""
        with self.changed:
            return min(budget.limit for budget in self.of(pools))

    def enter(self, pools: Sequence[str], is_given_up: Callable[[], bool]) -> bool:
        """Take a slot of each pool, waiting for one; False once `is_given_up`."""
        with self.changed:
            budgets = self.of(pools)
            while any(budget.in_use >= budget.limit for budget in budgets):
                if is_given_up():
                    return False
                self.changed.wait(0.1)
            for budget in budgets:
                budget.in_use += 1
            return True

    def leave(self, pools: Sequence[str]) -> None:
        with self.changed:
            for budget in self.of(pools):
                budget.in_use -= 1
            self.changed.notify_all()

    def refused(self, pools: Sequence[str], at: float, wait_s: float | None) -> float:
        """The vendor asked to slow down: pause these pools and halve their parallelism. Returns the pause in seconds."""
        with self.changed:
            budgets = self.of(pools)
            longest = 0.0
            for budget in budgets:
                if at >= budget.paused_until:  # one storm counts once, however many calls were under way
                    budget.refusals += 1
                    budget.limit = max(1, budget.limit // 2)
                own = pause_after(budget.refusals, PAUSE_BASE_S, PAUSE_CAP_S)
                pause = own if wait_s is None else max(wait_s, 0.05)
                budget.paused_until = max(budget.paused_until, at + pause)
                longest = max(longest, budget.paused_until - at)
            return longest

    def succeeded(self, pools: Sequence[str]) -> None:
        """A call went through: take back some of what a refusal took."""
        with self.changed:
            for budget in self.of(pools):
                budget.refusals = 0
                if budget.limit < budget.most:
                    budget.limit += 1
                    self.changed.notify_all()
