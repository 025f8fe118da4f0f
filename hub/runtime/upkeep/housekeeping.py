"""What is kept for a time only: bodies, ids, attempts, ended deliveries. A bounded piece per transaction."""

from __future__ import annotations

from collections.abc import Callable

from sqlalchemy import Connection

from hub.core.clock import DAY, Micros
from hub.core.database import read, write
from hub.inbox import refused
from hub.inbox import retention as seen
from hub.inbox.queue import Inbox
from hub.ledger import retention as ledger
from hub.ledger.store import record_audit
from hub.outbox.queue import operate
from hub.profiles import erasure
from hub.registry import store as registry
from hub.runtime.process.installation import Installation

PIECE = 1_000
PIECES = 50  # per table and run, so that a run ends soon and the next goes on


def tidy(hub: Installation, inbox: Inbox, now: Micros) -> dict[str, int]:
    """Remove what is older than its retention; how much of each went. Counts are carried into the ledger's totals."""
    settings = hub.settings
    body_before = now - settings.replay_days * DAY
    seen_before = now - settings.seen_days * DAY
    history_before = now - settings.history_days * DAY
    return {
        "refused": inbox.forget_refused(max(now - refused.KEPT, _latest_erasure(hub))),
        "queue": _until_done(lambda: inbox.prune(seen_before)),
        "bodies": _pieces(hub, lambda database: seen.strip_bodies(database, body_before, PIECE)),
        "messages": _pieces(hub, lambda database: seen.prune(database, seen_before, PIECE, ledger.carry)),
        "deliveries": _pieces(hub, lambda database: operate.prune(database, history_before, PIECE)),
        "secrets": _drop_secrets(hub, now),
        "history": _pieces(hub, lambda database: ledger.prune(database, history_before, PIECE)),
    }


def _drop_secrets(hub: Installation, now: Micros) -> int:
    """Those that were rotated out and had their time."""
    with write(hub.engine) as database:
        dropped = registry.drop_previous(database, hub.vault, now)
        for one in dropped:
            record_audit(database, now, "housekeeping", f"{one.role}.previous_secret_dropped", one.name, {"id": one.id})
    return len(dropped)


def _latest_erasure(hub: Installation) -> Micros:
    """Nobody can tell whom a refused body is about, so after an erasure all go that came before it."""
    with read(hub.engine) as database:
        return erasure.latest(database) or 0


def _pieces(hub: Installation, remove: Callable[[Connection], int]) -> int:
    def one_piece() -> int:
        with write(hub.engine) as database:
            return remove(database)

    return _until_done(one_piece)


def _until_done(remove: Callable[[], int]) -> int:
    total = 0
    for _ in range(PIECES):
        gone = remove()
        total += gone
        if not gone:
            break
    return total
