"""Alembic environment of the state database."""

from hub.migrations import run
from hub.runtime.process.schema import metadata

run(metadata(), "state_version")
