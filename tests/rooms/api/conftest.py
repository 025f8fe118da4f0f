"""The API over a hub of its own, on both engines, without a server."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import pytest
from flask.testing import FlaskClient
from sqlalchemy import Engine
from werkzeug.test import TestResponse

from hub.api.services import Services
from hub.app import build
from hub.core import clock, exposition
from hub.core.database import open_database, write
from hub.core.settings import Settings
from hub.inbox.queue import Inbox
from hub.inbox.sql import open_inbox
from hub.inbox.tables import INBOX
from hub.outbox.queue import store as outbox
from hub.outbox.values import NewDelivery
from hub.registry import store as registry
from hub.runtime.live.connections import LiveConnections
from hub.runtime.process.installation import Installation
from hub.sdk.values import Operation
from tests.rooms.conftest import empty


class Api:
    """An operator with a key."""

    def __init__(self, hub: Installation, inbox: Inbox) -> None:
        self.hub, self.inbox = hub, inbox
        self.app = build(Services(hub, inbox, LiveConnections(hub)))
        self.http: FlaskClient = self.app.test_client()
        with write(hub.engine) as database:
            self.key_id, self.key = registry.add_key(database, hub.vault, "tests", clock.now())

    @property
    def engine(self) -> Engine:
        return self.hub.engine

    def __call__(
        self, method: str, path: str, *, json: Any = None, key: str | None = None, **more: Any
    ) -> TestResponse:
        headers = {"Authorization": f"Bearer {key or self.key}", **more.pop("headers", {})}
        return self.http.open(path, method=method, json=json, headers=headers, **more)

    def get(self, path: str, **query: Any) -> Any:
        answer = self("GET", path, query_string=query)
        assert answer.status_code == 200, answer.text
        return answer.json

    def post(self, path: str, body: Any = None, status: int = 201) -> Any:
        answer = self("POST", path, json=body)
        assert answer.status_code == status, answer.text
        return answer.json

    def refused(self, method: str, path: str, body: Any = None, status: int = 400, **more: Any) -> Mapping[str, Any]:
        """The error answer, which must have the one shape of errors."""
        answer = self(method, path, json=body, **more)
        assert answer.status_code == status, f"{method} {path} {body!r}: {answer.status_code} {answer.text}"
        return error_of(answer)

    def add_source(self, name: str = "web", **settings: Any) -> Any:
        return self.post("/hub/v1/sources", {"connector": "segment", "name": name, "settings": settings})

    def add_destination(self, name: str = "crm", **settings: Any) -> Any:
        wanted = {"base_url": "https://rest.example.com", "api_key": "the-api-key", **settings}
        return self.post("/hub/v1/destinations", {"connector": "braze", "name": name, "settings": wanted})

    def add_deliveries(self, connection_id: str, *people: str, skip: str = "") -> list[str]:
        """Deliveries of one event each; their ids."""
        new = [
            NewDelivery(connection_id, Operation.EVENTS, who, NOW, {"event": {"name": "x"}}, skip=skip, id=_id(who))
            for who in people
        ]
        with write(self.engine) as database:
            outbox.insert(database, new, NOW)
        return [one.id for one in new]

    def end(self, state: str, reason: str, *ids: str) -> None:
        """Put deliveries into a final state, as if the vendor had answered."""
        from hub.outbox.tables import DELIVERY

        with write(self.engine) as database:
            database.execute(DELIVERY.update().where(DELIVERY.c.id.in_(ids)).values(state=state, reason=reason))


NOW = clock.now()


def _id(who: str) -> str:
    return f"D{who.upper():0>25}"


def error_of(answer: TestResponse) -> Mapping[str, Any]:
    assert answer.is_json, f"not JSON: {answer.content_type} {answer.text[:200]}"
    told: dict[str, Any] = answer.json
    assert set(told) == {"code", "key", "message", "details", "request_id"}
    assert told["code"] == answer.status_code
    assert told["message"]
    return told


@pytest.fixture(scope="module")
def installation(kept_engine: Engine, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installation]:
    folder = tmp_path_factory.mktemp("hub")
    hub = Installation(Settings(data_dir=folder, public_url="https://hub.example.com"))
    hub.__dict__["engine"] = kept_engine
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(exposition.FOLDER_ENV, str(folder / "metrics"))  # not left behind for hubs that other tests start
        exposition.prepare(hub.settings)
        yield hub


@pytest.fixture
def api(installation: Installation, empty_engine: Engine) -> Iterator[Api]:
    inbox = open_inbox(installation.settings, empty_engine)
    inbox.create_tables()
    yield Api(installation, inbox)
    inbox.close()
    if empty_engine.dialect.name == "sqlite":
        file = open_database(installation.settings.inbox_url)
        empty(file, INBOX)
        file.dispose()
