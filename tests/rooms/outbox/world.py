"""A small world for the outbox: one vendor named acme, people with traits and consents, a clock that moves when told."""

from __future__ import annotations

import threading
from collections import Counter, deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import timedelta
from types import SimpleNamespace
from typing import Any, ClassVar

from pydantic import BaseModel
from sqlalchemy import Engine, select

from hub.core.clock import SECOND, to_datetime
from hub.core.database import read, write
from hub.core.ids import new_id
from hub.core.secrets import Vault
from hub.outbox.engine.lane import Ports
from hub.outbox.engine.loop import DeliveryLoop
from hub.outbox.queue import store
from hub.outbox.tables import DELIVERY
from hub.outbox.values import NewDelivery
from hub.outbox.wire.http import Exchange
from hub.outbox.wire.masking import Mask
from hub.registry import store as registry
from hub.sdk.contract import Destination
from hub.sdk.errors import RateLimited, Retryable
from hub.sdk.json import dumps
from hub.sdk.values import (
    Accepted,
    Again,
    Finding,
    Item,
    Operation,
    Pending,
    Pool,
    Progress,
    Rejected,
    Request,
    Response,
    Route,
)

NOW = 1_780_000_000 * SECOND


class AcmeOptions(BaseModel):
    list_id: str = ""


class Acme(Destination):
    """Speaks a vendor whose answers a test scripts. Routes differ in how they may be repeated."""

    name = "acme"
    title = "Acme"
    Options: ClassVar = dict.fromkeys(Operation, AcmeOptions)
    containers: ClassVar = frozenset({"properties"})
    size = 3
    route_map: ClassVar[dict[str, Route]] = {}

    def hosts(self) -> Mapping[str, str]:
        return {"api": "http://acme.invalid"}

    def pools(self) -> Mapping[str, Pool]:
        return {"all": Pool(parallel=4)}

    def routes(self) -> Mapping[str, Route]:
        def route(repeat: str = "duplicates", **more: Any) -> Route:
            return Route(source="acme", pools=["all"], items=self.size, repeat=repeat, **more)

        return {
            "profiles": route(),
            "events": route("deduplicated", repeat_window_s=600),
            "messages": route(),
            "audience": route("safe"),
            "consent": route("safe"),
            "erase": route("safe"),
            **self.route_map,
        }

    def request(self, batch: Any) -> Request:
        body = [{"id": push.vendor_key, "person": push.person.source_id, "body": item.body}
                for push, item in zip(batch.records, batch.items, strict=True)]  # fmt: skip
        return Request("POST", f"/{batch.route}", json=body)

    def items(self, push: Any) -> Any:
        if push.fields.get("name") == "refuse me":
            return Rejected(push.delivery_id, "Acme has no place for this.", "unsupported")
        body = {**push.fields, **({"unset": list(push.unset)} if getattr(push, "unset", ()) else {})}
        if push.operation == Operation.PROFILES:
            body = {**push.changed, **({"unset": list(push.unset)} if push.unset else {})}
        return [Item(push.delivery_id, push.operation, body)]

    def outcomes(self, batch: Any, response: Response) -> Any:
        told = response.json() if response.body else {}
        return [self._outcome(push, told.get(push.person.source_id)) for push in batch.records]

    def _outcome(self, push: Any, word: Any) -> Any:
        if word == "reject":
            return Rejected(push.delivery_id, "Acme does not like it.", "bad_email", "email")
        if word == "again":
            return Again(push.delivery_id, "Later.")
        if word == "innocent":
            return Again(push.delivery_id, "A neighbour was bad.", counts=False)
        if word == "job":
            return Pending(push.delivery_id, "job-1", after_s=5, find_by=push.person.source_id, give_up_s=60)
        remember = {"acme_id": f"a-{push.person.source_id}"} if push.operation == Operation.PROFILES else {}
        return Accepted(push.delivery_id, remember)

    def poll(self, token: str, waiting: Any) -> Any:
        response = yield Request("GET", f"/jobs/{token}")
        told = response.json()
        if told.get("status") == "running":
            yield [Pending(one.delivery_id, token, 5, one.find_by) for one in waiting]
            return
        errors = told.get("errors", {})
        yield [
            Rejected(one.delivery_id, errors[one.find_by]) if one.find_by in errors else Accepted(one.delivery_id)
            for one in waiting
        ]

    def check(self) -> Any:
        yield Request("GET", "/me")
        return [Finding("ok", "The key works.")]


class StepByStep(Acme):
    """Two calls per batch: asks for an id, remembers it, then sends; says so before the call that must not repeat."""

    def flow(self, batch: Any) -> Any:
        asked = [push for push in batch.records if push.progress == "asked"]
        if asked:
            yield [Rejected(push.delivery_id, "It may have been sent before.", "unknown") for push in asked]
        fresh = [push for push in batch.records if push.progress != "asked"]
        if not fresh:
            return
        yield Request("GET", "/id")
        yield [Progress(push.delivery_id, "asked", {"step": "1"}) for push in fresh]
        response = yield self.request(replace(batch, records=fresh, items=[
            item for item in batch.items if item.delivery_id in {push.delivery_id for push in fresh}]))  # fmt: skip
        yield self.outcomes(replace(batch, records=fresh), response)


class Forgetful(Acme):
    """Breaks the contract: says nothing of the last record."""

    def outcomes(self, batch: Any, response: Response) -> Any:
        return super().outcomes(batch, response)[:-1]


class People:
    """Stands in for the profiles room."""

    def __init__(self) -> None:
        self.said: dict[str, dict[str, Any]] = {}
        self.merged: dict[str, str] = {}
        self.denied: set[tuple[str, str]] = set()
        self.gone: set[str] = set()

    def knows(self, source_id: str, **traits: Any) -> None:
        self.said[source_id] = {"consents": {}, "audiences": {}, **traits, "source_id": source_id}

    def views(self, database: Any, source_ids: Sequence[str]) -> dict[str, dict[str, Any]]:
        roots = {one: self.merged.get(one, one) for one in source_ids}
        return {one: dict(self.said[root]) for one, root in roots.items() if root in self.said}

    def refused(self, database: Any, wanted: Sequence[tuple[str, str]]) -> dict[tuple[str, str], str]:
        return {pair: "consent_denied" for pair in wanted if pair in self.denied}

    def erased(self, database: Any, source_ids: Sequence[str]) -> set[str]:
        return self.gone & set(source_ids)


class PlainMapping:
    """Sends a profile's traits, and of anything else its record."""

    def apply(self, operation: str, scope: Mapping[str, Any]) -> Any:
        profile = scope["profile"]
        if operation == "profiles":
            fields = {name: profile[name] for name in ("email", "name", "city", "properties") if profile.get(name)}
            fields |= scope.get("code", {})
            gone = tuple(profile.get("gone", ()))
            return SimpleNamespace(
                fields=fields, unset=gone, name=None, warnings=profile.get("warnings", ()), skip=profile.get("skip")
            )
        fields = dict(scope.get("event") or scope.get("code") or scope.get("audience") or scope.get("consent") or {})
        return SimpleNamespace(fields=fields, unset=(), name="Event", warnings=(), skip=None)


Reply = Response | Exception | Callable[[Request], Any]


class Vendor:
    """What acme answers. Unscripted calls get 200; everything taken is noted by vendor key."""

    def __init__(self, clock: Callable[[], int]) -> None:
        self._clock = clock
        self.script: deque[tuple[str, Reply]] = deque()
        self.calls: list[Request] = []
        self.taken: Counter[str] = Counter()
        self.people: list[str] = []
        self.bodies: list[dict[str, Any]] = []
        self.under_way: Counter[str] = Counter()
        self.overlaps: list[str] = []
        self.lock = threading.Lock()
        self.before: Callable[[Request], None] = lambda request: None

    def says(self, status: int = 200, body: Any = None, path: str = "", times: int = 1, **headers: str) -> None:
        content = b"" if body is None else dumps(body)
        answer = Response(status, headers, content, to_datetime(self._clock()))
        self.script.extend([(path, answer)] * times)

    def fails(self, error: Exception, path: str = "", times: int = 1) -> None:
        self.script.extend([(path, error)] * times)

    def exchange(self, request: Request) -> Exchange:
        return Exchange(request, {"api": "http://acme.invalid"}, {}, Mask(["sesame-key"]))

    def close(self) -> None:
        return

    def send(self, request: Request, timeout_s: float) -> Response:
        records = request.json if isinstance(request.json, list) else []
        people = {record["person"] for record in records}
        with self.lock:
            self.overlaps.extend(person for person in people if self.under_way[person])
            self.under_way.update(people)
            reply = self._next(request)
        try:
            self.before(request)
            if isinstance(reply, Exception):
                if getattr(reply, "acted", False):
                    self._take(records)
                raise reply
            if reply.status < 300:
                self._take(records)
            return reply
        finally:
            with self.lock:
                self.under_way.subtract(people)

    def _next(self, request: Request) -> Any:
        self.calls.append(request)
        for place, (path, reply) in enumerate(self.script):
            if request.path.startswith(path):
                del self.script[place]
                return reply
        return Response(200, {}, b"{}", to_datetime(self._clock()))

    def _take(self, records: Sequence[Any]) -> None:
        with self.lock:
            self.taken.update(record["id"] for record in records)
            self.people.extend(record["person"] for record in records)
            self.bodies.extend(record["body"] for record in records)


def timeout(*, acted: bool = False) -> Retryable:
    error = Retryable("The vendor did not answer in time.", unknown=True)
    error.acted = acted  # type: ignore[attr-defined] # read by Vendor.send
    return error


def refused() -> Retryable:
    return Retryable("The vendor could not be reached.")


def slow_down(seconds: float, now: int) -> RateLimited:
    return RateLimited("Slow down.", until=to_datetime(now) + timedelta(seconds=seconds))


@dataclass
class World:
    """Everything a test needs: `hub.decides(...)`, `hub.delivers()`, `hub.states()`."""

    database: Engine
    kind: type[Acme] = Acme
    now: int = NOW
    at: float = 1_000.0
    random: float = 0.5
    count: int = 0
    people: People = field(default_factory=People)
    vault: Vault = field(default_factory=lambda: Vault("a key for tests"))

    def __post_init__(self) -> None:
        self.vendor = Vendor(lambda: self.now)
        with write(self.database) as database:
            self.connection_id = registry.add(
                database, self.vault, self.now, role="destination", connector="acme", name="crm", settings={},
                secrets={"key": "sesame-key"},
            ).id  # fmt: skip
            registry.update(database, self.connection_id, self.now, mapping_hash="m1")
        self.engine = self.new_engine()

    def new_engine(self) -> DeliveryLoop:
        """A deliver process that starts now, as after a crash of the one before."""
        engine = DeliveryLoop(
            self.database,
            self.snapshot,
            Ports(self.people, lambda wanted: PlainMapping(), self.vault, allow_private=True),
            now=lambda: self.now,
            monotonic=lambda: self.at,
            random=lambda: self.random,
        )
        self.engine = engine
        return engine

    def snapshot(self) -> Any:
        with read(self.database) as database:
            connections = {one.id: one for one in registry.every(database, self.vault)}
        return SimpleNamespace(connections=connections, destinations={one: self.kind(None) for one in connections})

    def decides(self, source_id: str, operation: str = "profiles", **more: Any) -> str:
        """Insert a delivery; its id."""
        self.count += 1
        given = {"at": self.now, "id": new_id(NOW // 1000 + self.count), **more}
        new = NewDelivery(self.connection_id, Operation(operation), source_id, **given)
        with write(self.database) as database:
            if store.insert(database, [new], self.now).inserted:
                return new.id
            there = DELIVERY.c.occasion_id == new.occasion_id, DELIVERY.c.source_id == source_id
            return str(database.scalar(select(DELIVERY.c.id).where(*there)))

    def delivers(self, *, after: float = 0.0) -> None:
        """Let `after` seconds pass, then run rounds until nothing is due."""
        self.passes(after)
        for lane in self.engine._lanes.values():
            lane.look_at = 0.0
        self.engine._polling._look_at = 0.0
        settle(self.engine)

    def passes(self, seconds: float) -> None:
        self.now += round(seconds * SECOND)
        self.at += seconds

    def row(self, delivery_id: str) -> Any:
        with read(self.database) as database:
            return database.execute(select(DELIVERY).where(DELIVERY.c.id == delivery_id)).one()

    def state(self, delivery_id: str) -> str:
        """`sent`, `dead(unknown)`, `waiting(retry)`, …"""
        row = self.row(delivery_id)
        return f"{row.state}({row.reason})" if row.reason else row.state

    def terms(self) -> dict[str, Any]:
        with read(self.database) as database:
            return store.terms(database)

    def connection(self) -> Any:
        with read(self.database) as database:
            return registry.get(database, self.vault, self.connection_id)

    def pushed(self, source_id: str) -> dict[str, str]:
        from hub.outbox.queue.claim import pushed

        with read(self.database) as database:
            return pushed(database, self.connection_id, [source_id]).get(source_id, {})


def settle(engine: DeliveryLoop) -> None:
    """Rounds until nothing is under way; waits for workers, never for time."""
    for _ in range(2_000):
        if engine.step():
            continue
        if not engine._is_busy():
            return
        engine._listen(0.01)
    raise AssertionError("the engine did not come to rest")
