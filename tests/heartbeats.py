"""Roles that live, as far as the tables tell."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from sqlalchemy import Engine

from hub.core import clock
from hub.core.database import write
from hub.core.ids import new_id
from hub.runtime.process.restart import ORDER
from hub.runtime.tables import HEARTBEAT


def roles_live(engine: Engine, *roles: str, report: Mapping[str, Any] | None = None) -> None:
    """A process of each of these roles (of all, without a name) has just left its heartbeat, with this report."""
    now = clock.now()
    row = {"started_at": now, "at": now, "report": json.dumps(report or {})}
    with write(engine) as database:
        database.execute(HEARTBEAT.insert(), [{"id": new_id(), "role": role, **row} for role in roles or ORDER])
