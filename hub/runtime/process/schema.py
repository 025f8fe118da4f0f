"""All tables of all rooms, in one place, for tests and migrations."""

from __future__ import annotations

import importlib
from importlib.util import find_spec

from sqlalchemy import Engine, MetaData
from sqlmodel import SQLModel

ROOMS = (
    "ledger",
    "registry",
    "inbox",
    "mapping",
    "profiles",
    "campaigns",
    "distributions",
    "outbox",
    "runtime",
    "imports",
)


def metadata() -> MetaData:
    """The state database's tables, from every room that has some."""
    for room in ROOMS:
        if find_spec(f"hub.{room}.tables"):
            importlib.import_module(f"hub.{room}.tables")
    return SQLModel.metadata


def create_all(engine: Engine) -> None:
    """Make the tables directly; processes use `hub migrate`, which a test holds equal to this."""
    metadata().create_all(engine)
