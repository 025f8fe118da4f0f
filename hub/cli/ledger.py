"""Commands for the books."""

from __future__ import annotations

from dataclasses import replace

import click

from hub.admin.filters import Asked, filter_of
from hub.admin.sync_log import refusals_json
from hub.cli.filters import filtered
from hub.cli.support import as_json, open_hub, print_json, print_rows
from hub.cli.terminal import echo
from hub.core import clock
from hub.core.clock import DAY
from hub.core.database import read
from hub.core.filters import RecordFilter

EMPTY = "No request was refused in that time; --days or --since looks further back."


@click.group()
def ledger() -> None:
    """Do the books balance?"""


@ledger.command()
@as_json
def check(json_: bool) -> None:
    """Recompute the three equations from the tables; exit code 1 on a difference. Exact while the hub runs."""
    from hub.inbox.sql import open_inbox
    from hub.runtime.upkeep import ledger_check

    hub = open_hub()
    inbox = open_inbox(hub.settings, hub.engine)
    try:
        books = ledger_check.check(hub.engine, inbox)
    finally:
        inbox.close()
    if json_:
        print_json(books.as_json())
    else:
        for left, right in ledger_check.EQUATIONS.values():
            terms = " + ".join(f"{books.terms[term]} {term.replace('_', ' ')}" for term in right)
            echo(f"{books.terms[left]} {left} = {terms}")
        for term, reasons in books.reasons.items():
            for reason, count in reasons.items():
                echo(f"  {term}: {count} {reason}")
        echo("The books balance." if books.is_balanced else "\n".join(books.sentences()))
    if not books.is_balanced:
        raise SystemExit(1)


@ledger.command()
@filtered(without=["status", "source_id"])
@click.option("--days", type=click.IntRange(1, 3_650), default=1, show_default=True, help="Where there is no --since.")
@as_json
def refusals(asked: Asked, days: int, json_: bool) -> None:
    """Requests that were refused, counted by source, reason and minute."""
    from hub.inbox.sql import open_inbox

    hub = open_hub()
    since = clock.now() - days * DAY if asked.since is None else asked.since
    inbox = open_inbox(hub.settings, hub.engine)
    try:
        with read(hub.engine) as database:
            wanted = filter_of(RecordFilter, hub, database, replace(asked, since=since), "source")
            rows = refusals_json(database, inbox.refusals(wanted))
    finally:
        inbox.close()
    print_rows(rows, ["minute", "connection", "reason", "count"], empty=EMPTY, json_=json_)
