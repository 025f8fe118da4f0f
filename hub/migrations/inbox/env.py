"""Alembic environment of the inbox tables."""

from hub.inbox.tables import INBOX
from hub.migrations import run

run(INBOX, "inbox_version")
