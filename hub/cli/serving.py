"""What `hub serve` tells on a terminal: what it is, and once that it is ready. Elsewhere the log says the same."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from http.client import HTTPConnection, HTTPException
from typing import Any

from hub.admin.connections import webhook_url
from hub.core.database import read
from hub.core.settings import Settings
from hub.registry import store
from hub.runtime.process.installation import Installation

LOOK_S = 0.25
PATIENCE_S = 20.0  # then what keeps it from being ready is told, once
ANSWER_S = 1.0


def introduction(hub: Installation) -> Iterator[str]:
    """Where it listens, where its data are, which sources send to it, and what to do next."""
    settings = hub.settings
    with read(hub.engine) as database:
        every = store.without_secrets(database).values()
    sources = [each for each in every if each.role == "source"]
    destinations = [each for each in every if each.role == "destination"]
    yield f"Switchboard listens on http://{settings.host}:{settings.port}"
    yield f"  data          {settings.database_url.partition('@')[2] or settings.data_dir.absolute()}"
    yield from [f"  source        {each.name} ({each.connector}) {webhook_url(hub, each)}" for each in sources]
    if not sources:
        yield "  source        none yet"
    yield f"  destinations  {', '.join(each.name for each in destinations) or 'none yet'}"
    yield f"  next          {_next(bool(sources), bool(destinations))}"


def _next(has_source: bool, has_destination: bool) -> str:
    if not has_source:
        return "hub sources add segment --name web"
    if not has_destination:
        return "hub sandbox, or hub destinations add NAME (hub connectors list shows them)"
    return "hub log --follow"


class Readiness:
    """Asks the hub's own /readyz until it is ready, and tells how that went. Called again and again; never waits long."""

    def __init__(self, settings: Settings, tell: Callable[[str], None]) -> None:
        self._host, self._port = _reachable(settings.host), settings.port
        self._tell = tell
        self._began = self._looked_at = time.monotonic()
        self._is_over = self._was_late = False

    def look(self) -> None:
        """One look, if it is time for one."""
        now = time.monotonic()
        if self._is_over or now - self._looked_at < LOOK_S:
            return
        self._looked_at = now
        found = self._ask()
        if found.get("status") == "ok":
            self._is_over = True
            self._tell(f"Ready after {now - self._began:.1f} s.")
        elif now - self._began > PATIENCE_S and not self._was_late:
            self._was_late = True
            troubles = found.get("troubles") or {"web": "it does not answer"}
            self._tell(f"Not ready yet: {'; '.join(f'{name}: {why}' for name, why in troubles.items())}.")

    def _ask(self) -> dict[str, Any]:
        connection = HTTPConnection(self._host, self._port, timeout=ANSWER_S)
        try:
            connection.request("GET", "/readyz")
            found = json.loads(connection.getresponse().read())
        except (OSError, HTTPException, ValueError):
            return {}
        finally:
            connection.close()
        return found if isinstance(found, dict) else {}


def _reachable(host: str) -> str:
    """Where this machine reaches what listens on `host`: every address is also the loopback one."""
    return {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)  # noqa: S104 - nothing is bound here
