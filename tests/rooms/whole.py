"""All rooms together in one process: real mappings, real connectors, simulators over HTTP, time that a test moves."""

from __future__ import annotations

import json
import random
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import Engine, LargeBinary, MetaData, String, select

from hub.admin.connections import add_destination, add_source
from hub.admin.distributions import add_distribution, run_by_hand
from hub.core import clock
from hub.core.clock import Micros
from hub.core.database import open_database, read, write
from hub.core.settings import Settings
from hub.distributions import syncs
from hub.inbox.sql import open_inbox
from hub.inbox.tables import INBOX
from hub.inbox.values import AcceptedRequest, MessageFilter
from hub.outbox.queue import store as outbox
from hub.profiles import reading
from hub.registry.values import Connection
from hub.runtime.apply.loop import ApplyRole
from hub.runtime.apply.mappers import hooks_of, mapper_of
from hub.runtime.consume.consumers import Consumers
from hub.runtime.erasing.person import erase_person
from hub.runtime.occasions.scheduler import ScheduleRole
from hub.runtime.process.installation import Installation
from hub.runtime.process.schema import metadata
from hub.runtime.roles.deliver import DeliverRole
from hub.runtime.upkeep import ledger_check
from hub.sdk.kit.simulator.base import Simulator
from hub.sdk.values import RawMessage

VENDORS = {"crm": "braze", "mail": "klaviyo"}


class Whole:
    """One installation over an engine whose tables are there."""

    def __init__(self, engine: Engine, folder: Path, source_name: str = "web", **settings: Any) -> None:
        self.hub = Installation(Settings(data_dir=folder, allow_private_hosts=True, **settings))
        self.hub.__dict__["engine"] = engine  # the database of this test, on either engine
        self.engine = engine
        self.inbox = open_inbox(self.hub.settings, engine)
        self.inbox.create_tables()
        self.simulators: dict[str, Simulator] = {}
        self._open = ExitStack()
        self._count = 0
        with write(engine) as database:
            self.web = add_source(self.hub, database, clock.now(), "segment", source_name, {}, "tests")
        self.role = ApplyRole(self.inbox, mapper_of(self.hub), hooks_of(self.hub))

    @contextmanager
    def reads_topics(self) -> Iterator[Consumers]:
        """The sources that are read, in a thread beside, as in the apply role."""
        found, stop = Consumers(self.hub, self.inbox), threading.Event()
        thread = threading.Thread(target=found.run, args=(stop,))
        thread.start()
        try:
            yield found
        finally:
            stop.set()
            thread.join()

    def close(self) -> None:
        self._open.close()
        self.inbox.close()

    def connect(self, name: str, *operations: str) -> Connection:
        """A destination at its simulator, kept in step with these operations."""
        simulator_class = self.hub.connectors[VENDORS[name]].simulator_class()
        assert simulator_class is not None
        simulator = self.simulators[name] = simulator_class()
        url = self._open.enter_context(simulator.serving())
        hosts = {f"hosts.{host}": base for host, base in simulator.base_urls(url).items()}
        given = {key: str(value) for key, value in simulator.example_settings().items()} | hosts
        with write(self.engine) as database:
            made = add_destination(self.hub, database, clock.now(), VENDORS[name], name, given, "tests")
            for operation in operations:
                syncs.add(database, clock.now(), connection_id=made.id, operation=operation, options={})
        return made

    # ── what happens ─────────────────────────────────────────────────────────────────────────────────────────────

    def receives(self, *messages: Mapping[str, Any], at: Micros | None = None) -> list[str]:
        """Segment messages, accepted in one request; their ids."""
        now = at or clock.now()
        raw = []
        for message in messages:
            self._count += 1
            message_id = str(message.get("messageId") or f"m-{self._count}")
            raw.append(RawMessage(json.dumps({"messageId": message_id, **message}).encode(), message_id))
        self.inbox.append(AcceptedRequest(self.web.id, now, raw))
        return [str(one.dedup_key) for one in raw]

    def applies(self) -> None:
        while self.role.step() is not None:
            pass

    def identifies(self, who: str, **traits: Any) -> None:
        self.receives({"type": "identify", "userId": who, "traits": traits})
        self.applies()

    def delivers(self) -> None:
        role = DeliverRole(self.hub)
        role.recover()
        role.settle(20.0)

    def distributes(self, plan: Mapping[str, Any], key: str = "once") -> None:
        """Add a distribution and run it to its end."""
        with write(self.engine) as database:
            made = add_distribution(self.hub, database, clock.now(), plan, "tests")
            run_by_hand(database, clock.now(), made.id, key, "tests")
        role = ScheduleRole(self.engine, self.hub.vault.digest, random.Random(1))
        while role.step(clock.now()):
            pass

    def erases(self, who: str) -> dict[str, Any]:
        with write(self.engine) as database:
            return erase_person(self.hub, database, who, clock.now(), "tests")

    # ── what is seen ─────────────────────────────────────────────────────────────────────────────────────────────

    def profile(self, who: str) -> dict[str, Any] | None:
        with read(self.engine) as database:
            return reading.show(database, who)

    def messages(self, **wanted: Any) -> dict[str, tuple[str, str]]:
        from hub.inbox import seen

        with read(self.engine) as state:
            return {
                row.message_id: (row.state, row.reason) for row in seen.page(state, MessageFilter(**wanted), None, 99)
            }

    def deliveries(self) -> list[dict[str, Any]]:
        with read(self.engine) as database:
            return list(outbox.deliveries(database, None, None, 500).items)

    def books(self) -> ledger_check.LedgerCheck:
        """The books, which must balance."""
        found = ledger_check.check(self.engine, self.inbox)
        assert found.is_balanced, found.sentences()
        return found

    def places(self, *texts: str) -> list[str]:
        """`table.column` of every place of both databases where one of these texts stands, in whatever case."""
        found = _places(self.engine, metadata(), texts)
        inbox = open_database(self.hub.settings.inbox_url) if self.engine.dialect.name == "sqlite" else self.engine
        found += _places(inbox, INBOX, texts)
        if inbox is not self.engine:
            inbox.dispose()
        return found


def _places(engine: Engine, tables: MetaData, texts: Sequence[str]) -> list[str]:
    sought = [text.lower().encode() for text in texts]
    found = []
    with read(engine) as connection:
        for table in tables.sorted_tables:
            columns = [each for each in table.columns if isinstance(each.type, String | LargeBinary) or _is_text(each)]
            for row in connection.execute(select(*columns)) if columns else ():
                for column, value in zip(columns, row, strict=True):
                    held = value if isinstance(value, bytes) else str(value or "").encode()
                    if any(text in held.lower() for text in sought):
                        found.append(f"{table.name}.{column.name}")
    return sorted(set(found))


def _is_text(column: Any) -> bool:
    return "CHAR" in str(column.type) or "TEXT" in str(column.type)
