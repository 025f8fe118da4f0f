"""Who may call: every path under /hub/v1 and /v1 needs an API key."""

from __future__ import annotations

import time
from threading import Lock

from flask import Flask, Response, g, request

from hub.api.errors import answer
from hub.api.services import services
from hub.core.database import read
from hub.registry import store

GUARDED = ("/hub/v1", "/v1")
REMEMBER_S = 2.0  # a revoked key stops working within this time
REMEMBERED = 1_000


class KnownKeys:
    """Keys seen to be valid a moment ago, so that a busy caller does not cost a query per call."""

    def __init__(self) -> None:
        self._names: dict[str, tuple[str, float]] = {}
        self._lock = Lock()

    def name(self, key: str) -> str | None:
        """The name of a valid key, else None."""
        now = time.monotonic()
        known = self._names.get(key)
        if known and known[1] > now:
            return known[0]
        with read(services().engine) as database:
            name = store.key_name(database, services().hub.vault, key)
        if name is None:
            return None
        with self._lock:
            if len(self._names) >= REMEMBERED:
                self._names.clear()
            self._names[key] = (name, now + REMEMBER_S)
        return name


def install(app: Flask) -> None:
    known = KnownKeys()

    @app.before_request
    def require_key() -> Response | None:
        if not request.path.startswith(GUARDED):
            return None
        scheme, _, key = request.headers.get("Authorization", "").partition(" ")
        name = known.name(key.strip()) if scheme.lower() == "bearer" and key else None
        if name is None:
            response = answer(401, "unauthorized", "Send `Authorization: Bearer <key>`; `hub keys add` makes one.")
            response.headers["WWW-Authenticate"] = "Bearer"
            return response
        g.actor = f"key:{name}"
        return None
