"""Taking messages out of quarantine without applying them: counted before it runs, audited with the operator's words."""

from __future__ import annotations

import time
from collections import Counter
from dataclasses import replace

from hub.core.clock import Micros
from hub.core.database import read, write
from hub.core.ids import new_id
from hub.inbox import seen
from hub.inbox.values import MessageFilter
from hub.ledger.store import record_audit, record_run
from hub.ledger.values import Run
from hub.runtime.process.installation import Installation
from hub.sdk.errors import ConfigurationError

PAGE = 500
BECAUSE_CHARS = 500


def dismiss_messages(
    hub: Installation, wanted: MessageFilter, because: str, now: Micros, actor: str, *, is_dry: bool = False
) -> dict[str, int]:
    """Quarantined messages that match become ignored(dismissed). Dry: how many match. Raises ConfigurationError for an
    order without a reason."""
    words = because.strip()
    if not 0 < len(words) <= BECAUSE_CHARS:
        raise ConfigurationError(
            f"A dismissal needs a reason of 1 to {BECAUSE_CHARS} characters; name no person in it."
        )
    quarantined = replace(wanted, status="quarantined")
    with read(hub.engine) as database:
        matching = seen.count(database, quarantined)
    if is_dry or not matching:
        return {"matching": matching}
    reasons: Counter[str] = Counter()
    while found := _dismiss_page(hub, quarantined, words, now, actor):
        reasons += found
    return {"matching": matching, "dismissed": reasons.total()}


def _dismiss_page(hub: Installation, wanted: MessageFilter, words: str, now: Micros, actor: str) -> Counter[str]:
    """One transaction; the messages' sync run tells who dismissed them and why."""
    run_id, started = new_id(now // 1000), time.perf_counter()
    with write(hub.engine) as database:
        reasons = seen.dismiss(database, wanted, run_id, PAGE)
        count = reasons.total()
        if count:
            took_us = int((time.perf_counter() - started) * 1_000_000)
            counts = {"messages": count, "ignored": count}
            record_run(
                database,
                Run(run_id, "apply", now, took_us, counts, detail=f"Dismissed from quarantine by {actor}: {words}"),
            )
            detail = {"because": words, "messages": count, "reasons": dict(sorted(reasons.items())), "run_id": run_id}
            record_audit(database, now, actor, "messages.dismissed", f"{count} messages", detail)
    return reasons
