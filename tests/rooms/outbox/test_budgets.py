"""Batches and budgets as routes and pools declare them."""

from __future__ import annotations

import threading
from collections import Counter
from datetime import timedelta
from typing import Any, ClassVar

import pytest

from hub.sdk.errors import RateLimited
from hub.sdk.json import loads
from hub.sdk.values import Item, Pool, Rate, Request, Route
from tests.rooms.outbox.promises import batch_sizes, known, order, pushed_events
from tests.rooms.outbox.world import Acme, World, timeout

# ── batches ──────────────────────────────────────────────────────────────────────────────────────────────────────


def test_so_many_items_of_a_profile_go_into_a_call_as_the_route_allows(hub: World):
    class Two(Acme):
        route_map: ClassVar = {"events": Route("acme", ["all"], items=100, items_per_profile=2, repeat="safe")}

    hub.kind = Two
    for one in known(hub, 3):
        pushed_events(hub, one, 5)
    hub.delivers()
    for call in hub.vendor.calls:
        assert max(Counter(record["person"] for record in call.json).values()) <= 2
    assert hub.terms()["sent"] == 15
    assert hub.vendor.overlaps == []


class Bulk(Acme):
    size = 1

    def routes(self) -> Any:
        return {**super().routes(), "bulk": Route("acme", ["all"], items=50, bulk_of="profiles", bulk_from=4)}


def test_a_bulk_route_serves_from_its_number_on(hub: World):
    hub.kind = Bulk
    for one in known(hub, 3):
        hub.decides(one)
    hub.delivers()
    assert order(hub) == ["profiles"] * 3
    hub.vendor.calls.clear()
    for number in range(6):
        hub.people.knows(f"v{number}", name="y")
        hub.decides(f"v{number}")
    hub.delivers()
    assert batch_sizes(hub, "/bulk") == [6]


def test_a_delivery_deduplicated_for_a_while_is_repeated_in_that_while_only(hub: World):
    class Briefly(Acme):
        route_map: ClassVar = {"messages": Route("acme", ["all"], items=1, repeat="deduplicated", repeat_window_s=1.5)}

    hub.kind = Briefly
    known(hub, 2)
    early = hub.decides("u0", "messages", record={"code": {"code": "A"}})
    hub.vendor.fails(timeout(acted=True))
    hub.delivers()
    hub.delivers(after=1)
    assert hub.state(early) == "sent"
    late = hub.decides("u1", "messages", record={"code": {"code": "B"}})
    hub.vendor.fails(timeout(acted=True))
    hub.delivers()
    hub.delivers(after=2)
    assert hub.state(late) == "dead(unknown)"
    assert hub.vendor.taken[late] == 1


# ── budgets ──────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(("unit", "expected"), [("call", 4), ("item", 2), ("profile", 2)])
def test_a_rate_counts_calls_items_or_profiles(hub: World, unit: Any, expected: int):
    class Paced(Acme):
        size = 3

        def pools(self) -> Any:
            return {"all": Pool([Rate(6, 60, unit)])}

    hub.kind = Paced
    for one in known(hub, 12):
        hub.decides(one)
    hub.delivers()
    assert len(hub.vendor.calls) == expected
    hub.delivers(after=61)
    assert hub.terms()["sent"] == 12


def test_several_items_of_one_delivery_count_each_and_profiles_once(hub: World):
    class Purchases(Acme):
        size = 100

        def pools(self) -> Any:
            return {"all": Pool([Rate(10, 60, "item"), Rate(2, 60, "profile")])}

        def items(self, push: Any) -> Any:
            return [Item(push.delivery_id, "events", {"part": part}, part=str(part)) for part in range(4)]

        def request(self, batch: Any) -> Any:
            return Request(
                "POST", "/events", json=[{"id": one.vendor_key, "person": "", "body": {}} for one in batch.records]
            )

    hub.kind = Purchases
    for one in known(hub, 5):
        pushed_events(hub, one, 1)
    hub.delivers()
    first = hub.terms()["sent"]
    hub.delivers(after=61)
    assert first == 5, "more than the window goes when it is empty: a batch is never cut by a rate"
    assert hub.terms()["sent"] == 5


def test_so_many_calls_are_under_way_as_the_pool_allows(hub: World):
    class Narrow(Acme):
        size = 1

        def pools(self) -> Any:
            return {"all": Pool(parallel=3)}

    hub.kind = Narrow
    under_way, most, lock, gathered = 0, 0, threading.Lock(), threading.Event()

    def before(_: Request) -> None:
        nonlocal under_way, most
        with lock:
            under_way += 1
            most = max(most, under_way)
            if under_way == 3:
                gathered.set()
        gathered.wait(5)
        with lock:
            under_way -= 1

    hub.vendor.before = before
    for one in known(hub, 9):
        hub.decides(one)
    hub.delivers()
    assert (most, hub.terms()["sent"]) == (3, 9)


def test_a_rate_limit_stops_the_pools_it_names_and_no_other(hub: World):
    class Pools(Acme):
        def pools(self) -> Any:
            return {"all": Pool(), "events": Pool(), "day": Pool()}

        route_map: ClassVar = {
            "events": Route("acme", ["all", "events"], items=1, repeat="safe"),
            "messages": Route("acme", ["all", "day"], items=1, repeat="safe"),
            "profiles": Route("acme", ["all"], items=1, repeat="safe"),
        }

        def classify(self, request: Any, response: Any) -> Any:
            if response.status == 429:
                until = response.received_at + timedelta(seconds=60)
                return RateLimited("The day is over.", until=until, pools=tuple(loads(response.body)))
            return super().classify(request, response)

    hub.kind = Pools
    known(hub, 3)
    pushed_events(hub, "u0", 1)
    hub.vendor.says(429, ["day"], "/events")
    hub.delivers()
    message = hub.decides("u1", "messages", record={"code": {"code": "A"}})
    profile = hub.decides("u2")
    hub.delivers(after=0.5)
    assert hub.state(profile) == "sent"
    assert hub.state(message) == "waiting"
    hub.delivers(after=61)
    assert hub.terms()["sent"] == 3


def test_a_rate_limit_that_a_connector_finds_inside_a_success_holds_back_too(hub: World):
    class Inside(Acme):
        def outcomes(self, batch: Any, response: Any) -> Any:
            if response.body == b'"slow"':
                raise RateLimited("Too many commands.")
            return super().outcomes(batch, response)

    hub.kind = Inside
    known(hub, 1)
    hub.decides("u0", "messages", record={"code": {"code": "A"}})
    hub.vendor.says(200, "slow", times=50)
    hub.delivers()
    calls = len(hub.vendor.calls)
    assert calls < 5, "it must not be asked again at once"
