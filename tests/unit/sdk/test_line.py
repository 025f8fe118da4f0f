"""What the kit's bench keeps of the hub's sender: fetched tokens, limits of a batch."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from hub.registry.discovery import discover
from hub.sdk.errors import AuthFailed, Unreadable
from hub.sdk.kit import ManualClock, in_memory
from hub.sdk.kit.bench.batches import batches_of
from hub.sdk.kit.bench.vendor_session import Tokens
from hub.sdk.values import ClientCredentials, Item, Operation, Rejected, Request, Response, Route, Secret

CLOCK = ManualClock()


# ── tokens ───────────────────────────────────────────────────────────────────────────────────────────────────────


class Shop:
    """A vendor with a token endpoint; `good` is the token it takes now."""

    def __init__(self) -> None:
        self.good = "t1"
        self.told: Any = {"access_token": "t1"}
        self.status = 200
        self.seen: list[tuple[str, str]] = []

    def auth(self) -> dict[str, Any]:
        return {"api": ClientCredentials(Secret("id"), Secret("secret"), "/token", "login", {"audience": "shop"})}

    def transport(self, wire: Any) -> Response:
        import json

        self.seen.append((wire.url, wire.headers.get("authorization", "")))
        if wire.url.endswith("/token"):
            assert wire.body == b"grant_type=client_credentials&audience=shop"
            return Response(self.status, {}, json.dumps(self.told).encode(), CLOCK())
        ok = wire.headers["authorization"] == f"Bearer {self.good}"
        return Response(200 if ok else 401, {}, b"{}", CLOCK())

    def tokens(self) -> Tokens:
        return Tokens(self, {"api": "https://api.example", "login": "https://login.example"}, self.transport)


def test_a_token_is_fetched_once_and_used():
    shop = Shop()
    tokens = shop.tokens()
    assert [tokens.send(Request("GET", "/me")).status for _ in range(2)] == [200, 200]
    assert [url for url, _ in shop.seen] == ["https://login.example/token", *["https://api.example/me"] * 2]
    assert shop.seen[0][1].startswith("Basic ")


def test_a_token_that_ended_is_fetched_once_more():
    shop = Shop()
    tokens = shop.tokens()
    tokens.send(Request("GET", "/me"))
    shop.good, shop.told = "t2", {"access_token": "t2"}
    assert tokens.send(Request("GET", "/me")).status == 200
    shop.good = "t3"
    assert tokens.send(Request("GET", "/me")).status == 401


def test_no_token_is_a_delivery_error():
    shop = Shop()
    shop.status = 401
    with pytest.raises(AuthFailed):
        shop.tokens().send(Request("GET", "/me"))
    shop.status, shop.told = 200, {"sorry": True}
    with pytest.raises(Unreadable):
        shop.tokens().send(Request("GET", "/me"))


# ── batches ──────────────────────────────────────────────────────────────────────────────────────────────────────


class Limited:
    """A destination with one route and items of a given size."""

    def __init__(self, size: int = 10, count: int = 1, **limits: Any) -> None:
        self.route = Route("page", **limits)
        self.size, self.count = size, count

    def routes(self) -> dict[str, Route]:
        return {"profiles": self.route}

    def items(self, push: Any) -> list[Item]:
        return [Item(push.delivery_id, "profiles", "x" * (self.size - 2), part=str(one)) for one in range(self.count)]


def _sizes(destination: Any, people: int, each: int = 1) -> list[int]:
    bench = in_memory(discover()["braze"].subject())
    pushes = [
        replace(push, delivery_id=f"{push.delivery_id}{again}")
        for push in bench.pushes(Operation.PROFILES, people)
        for again in range(each)
    ]
    batches, refused = batches_of(destination, pushes, CLOCK())
    assert not refused
    return [len(batch.records) for batch in batches]


def test_batches_keep_items_bytes_and_items_per_person():
    assert _sizes(Limited(items=2), 5) == [2, 2, 1]
    assert _sizes(Limited(items=4, count=2), 5) == [2, 2, 1], "a record is never torn apart"
    assert _sizes(Limited(items=100, bytes=25), 5) == [2, 2, 1]
    assert _sizes(Limited(items=100, items_per_profile=1), 2, each=2) == [1, 2, 1]


def test_an_element_that_is_too_large_is_refused_before_sending():
    bench = in_memory(discover()["braze"].subject())
    batches, refused = batches_of(Limited(50, item_bytes=20), bench.pushes(Operation.PROFILES, 1), CLOCK())
    assert batches == []
    assert [(type(one), one.code) for one in refused] == [(Rejected, "too_large")]
