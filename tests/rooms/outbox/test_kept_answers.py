"""Answers that a connector asks to be kept, in the deliver process."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

import pytest

from hub.core.database import write
from hub.registry import store as registry
from hub.sdk.errors import Retryable
from hub.sdk.values import Pool, Rate, Request
from tests.rooms.outbox.promises import known
from tests.rooms.outbox.world import Acme, World, timeout


class LooksUp(Acme):
    """Asks for its field ids before each batch; a batch named `new` makes one, which the list then lacks."""

    size = 1

    def pools(self) -> Any:
        return {"all": Pool(parallel=4), "lookups": Pool([Rate(2, 1000)])}

    def flow(self, batch: Any) -> Any:
        response = yield Request("GET", "/fields", cache_for_s=60, cache_key="fields", pools=["lookups"])
        assert response.json() == {"fields": 1}
        if batch.items[0].body.get("name") == "new":
            with suppress(Retryable):
                yield Request("POST", "/fields", json={}, forget=["fields"])
        response = yield self.request(batch)
        yield self.outcomes(batch, response)


def lookups(hub: World) -> int:
    return sum(call.path == "/fields" and call.method == "GET" for call in hub.vendor.calls)


def test_an_answer_is_kept_for_its_time_and_costs_no_budget(hub: World):
    hub.kind = LooksUp
    hub.vendor.says(200, {"fields": 1}, "/fields", times=2)
    for number in range(5):
        known(hub, 1)
        hub.people.knows("u0", name=f"name {number}")
        hub.decides("u0")
        hub.delivers(after=10)
    assert (lookups(hub), hub.terms()["sent"]) == (1, 5)
    hub.people.knows("u0", name="later")
    hub.decides("u0")
    hub.delivers(after=30)
    assert (lookups(hub), hub.terms()["sent"]) == (2, 6)


@pytest.mark.parametrize("fails", [False, True])
def test_a_call_drops_what_it_makes_stale_whether_it_succeeds_or_not(hub: World, fails: bool):
    hub.kind = LooksUp
    for name in ("first", "new", "third"):
        hub.vendor.says(200, {"fields": 1}, "/fields")
        if name == "new":
            hub.vendor.script.pop()
            hub.vendor.fails(timeout(), "/fields") if fails else hub.vendor.says(200, {}, "/fields")
        hub.people.knows("u0", name=name)
        hub.decides("u0")
        hub.delivers()
    assert lookups(hub) == 2
    assert hub.terms()["sent"] == 3


def test_a_failed_lookup_is_not_kept(hub: World):
    hub.kind = LooksUp
    hub.vendor.says(503, {"fields": 1}, "/fields")
    hub.vendor.says(200, {"fields": 1}, "/fields")
    known(hub, 1)
    hub.decides("u0")
    hub.delivers()
    hub.delivers(after=5)
    assert (lookups(hub), hub.terms()["sent"]) == (2, 1)


def test_a_changed_connection_asks_anew(hub: World):
    hub.kind = LooksUp
    hub.vendor.says(200, {"fields": 1}, "/fields", times=2)
    known(hub, 1)
    hub.decides("u0")
    hub.delivers()
    with write(hub.database) as database:
        registry.update(database, hub.connection_id, hub.now, settings='{"account": "another"}')
    hub.people.knows("u0", name="y")
    hub.decides("u0")
    hub.delivers()
    assert lookups(hub) == 2


def test_a_call_draws_on_the_pools_it_names_even_if_it_comes_first(hub: World):
    class Uncached(LooksUp):
        def flow(self, batch: Any) -> Any:
            yield Request("GET", "/fields", pools=["lookups"])
            response = yield self.request(batch)
            yield self.outcomes(batch, response)

    hub.kind = Uncached
    for one in known(hub, 4):
        hub.decides(one)
    hub.delivers()
    assert lookups(hub) == 2, "the pool of look-ups allows two"
    assert hub.terms()["sent"] == 2
