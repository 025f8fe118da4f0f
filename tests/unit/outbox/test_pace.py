"""Rate windows, parallelism and pauses, with a clock that moves when told."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hub.outbox.limits.circuit_breaker import OPENS_AFTER, Circuit
from hub.outbox.limits.rate_limits import ONE_CALL, Pace, Share, Window
from hub.sdk.values import Pool, Rate


def share(**pools: Pool) -> Share:
    destination = SimpleNamespace(account=lambda: "acme", pools=lambda: pools)
    return Pace().share("c1", "acme", destination)


def times(window: Window, units: list[int]) -> list[float]:
    taken, at = [], 0.0
    for count in units:
        at = window.earliest(count, at)
        window.take(count, at)
        taken.append(at)
    return taken


@settings(max_examples=60, deadline=None)
@given(
    count=st.integers(1, 400),
    per_s=st.sampled_from([1.0, 3.0, 60.0]),
    units=st.lists(st.integers(1, 20), min_size=1, max_size=300),
)
def test_no_stretch_of_the_window_ever_holds_more_than_allowed(count: int, per_s: float, units: list[int]):
    units = [min(one, count) for one in units]
    taken = times(Window(Rate(count, per_s)), units)
    for first in range(len(taken)):
        inside = sum(one for at, one in zip(taken, units, strict=True) if taken[first] <= at < taken[first] + per_s)
        assert inside <= count


def test_a_burst_is_allowed_at_once_and_then_the_steady_rate():
    taken = times(Window(Rate(60, 60, burst=10)), [1] * 20)
    assert taken[:10] == [0.0] * 10
    assert taken[10] == pytest.approx(1.0)
    assert taken[19] == pytest.approx(10.0)


def test_more_than_a_whole_window_goes_when_it_is_empty():
    window = Window(Rate(10, 1, "item"))
    assert times(window, [25, 1]) == [0.0, 1.0]


def test_large_counts_cost_little_memory():
    window = Window(Rate(250_000, 3_600))
    times(window, [1] * 5_000)
    assert len(window._log) < 200


def test_several_windows_of_several_pools_all_hold():
    budget = share(burst=Pool([Rate(2, 1), Rate(3, 60)]), items=Pool([Rate(10, 1, "item")]))
    starts = [budget.reserve(["burst", "items"], {"call": 1, "item": 4}, 0.0, 100) for _ in range(4)]
    assert starts == [0.0, 0.0, 1.0, 60.0]


def test_a_reservation_too_far_away_takes_nothing():
    budget = share(all=Pool([Rate(1, 10)]))
    assert budget.reserve(["all"], ONE_CALL, 0.0, 1.0) == 0.0
    assert budget.reserve(["all"], ONE_CALL, 0.0, 1.0) is None
    assert budget.reserve(["all"], ONE_CALL, 9.5, 1.0) == 10.0


def test_profiles_are_counted_where_a_vendor_counts_them():
    budget = share(all=Pool([Rate(100, 1, "profile")]))
    assert budget.reserve(["all"], {"call": 1, "item": 900, "profile": 60}, 0.0, 5) == 0.0
    assert budget.reserve(["all"], {"call": 1, "item": 1, "profile": 60}, 0.0, 5) == 1.0


def test_connections_of_one_account_share_its_pools_and_others_do_not():
    pace = Pace()
    pools = {"all": Pool([Rate(1, 10)]), "own": Pool([Rate(1, 10)], scope="connection")}
    one, two, other = [
        pace.share(name, "acme", SimpleNamespace(account=lambda account=account: account, pools=lambda: pools))
        for name, account in (("c1", "a"), ("c2", "a"), ("c3", "b"))
    ]
    assert one.reserve(["all"], ONE_CALL, 0.0, 1) == 0.0
    assert two.reserve(["all"], ONE_CALL, 0.0, 1) is None
    assert two.reserve(["own"], ONE_CALL, 0.0, 1) == 0.0
    assert other.reserve(["all"], ONE_CALL, 0.0, 1) == 0.0


def test_connections_without_an_account_never_share():
    pace = Pace()
    alone = SimpleNamespace(account=lambda: "", pools=lambda: {"all": Pool([Rate(1, 10)])})
    one, two = pace.share("c1", "acme", alone), pace.share("c2", "acme", alone)
    assert one.reserve(["all"], ONE_CALL, 0.0, 1) == two.reserve(["all"], ONE_CALL, 0.0, 1) == 0.0


def test_a_refusal_pauses_the_pool_and_halves_its_parallelism_once_per_storm():
    budget = share(all=Pool(parallel=8))
    for _ in range(6):
        assert budget.refused(["all"], 0.0, 30.0) == 30.0
    assert budget.slots(["all"]) == 4
    assert budget.wait_s(["all"], 10.0) == 20.0
    assert budget.reserve(["all"], ONE_CALL, 10.0, 60.0) == 30.0


def test_refusals_without_a_time_wait_longer_each_storm_and_success_forgives():
    budget = share(all=Pool(parallel=8))
    at, pauses = 0.0, []
    for _ in range(9):
        pauses.append(budget.refused(["all"], at, None))
        at += pauses[-1] + 0.1
    assert pauses[:4] == pytest.approx([1.0, 2.0, 4.0, 8.0])
    assert pauses[-1] == 60.0
    assert budget.slots(["all"]) == 1
    for _ in range(10):
        budget.succeeded(["all"])
    assert budget.slots(["all"]) == 8
    assert budget.refused(["all"], at, None) == 1.0


def test_slots_are_given_back():
    budget = share(all=Pool(parallel=2))
    assert budget.enter(["all"], lambda: False)
    assert budget.enter(["all"], lambda: False)
    assert not budget.enter(["all"], lambda: True)
    budget.leave(["all"])
    assert budget.enter(["all"], lambda: True)


def test_an_undeclared_pool_is_named():
    with pytest.raises(KeyError, match="nowhere"):
        share().reserve(["nowhere"], ONE_CALL, 0.0, 1)


def test_a_circuit_opens_on_sustained_failure_lets_one_try_and_closes_on_success():
    circuit = Circuit()
    opened = [circuit.failed(0.0) for _ in range(OPENS_AFTER + 3)]
    assert opened.count(True) == 1
    assert circuit.allows(1.0) == 0
    assert circuit.allows(circuit.opens_at) == 1
    circuit.tries()
    assert circuit.allows(circuit.opens_at) == 0
    assert circuit.failed(circuit.opens_at)
    assert circuit.pause_s == 30.0
    circuit.succeeded()
    assert circuit.allows(0.0) is None


def test_a_trial_that_tells_nothing_may_be_repeated():
    circuit = Circuit()
    for _ in range(OPENS_AFTER):
        circuit.failed(0.0)
    circuit.tries()
    circuit.let_go()
    assert circuit.allows(circuit.opens_at) == 1
