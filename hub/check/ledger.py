"""What the hub writes down about a connector's calls: its ledger, its rows and its log hold no secret."""

from __future__ import annotations

from structlog.testing import capture_logs

from hub.check.outbox import outbox
from hub.registry.discovery import Found
from hub.sdk.kit.bench.bench import over_http, secrets_of, wrong_credentials
from hub.sdk.kit.suite.failed import require


def ledger_hides_secrets(found: Found) -> None:
    """After success, refusals and failures that repeat the secret, no row and no line of the log shows it."""
    hidden = secrets_of(found.subject())
    with over_http(found.subject()) as bench, outbox(found, bench) as hub:
        connection = hub.connect()
        for status in (0, 400, 500):
            if status:
                bench.simulator.next(status=status, body={"message": f"refused: {' '.join(hidden)}"}, times=2)
            with capture_logs() as lines:
                hub.deliver(connection, f"person-{status}")
            bench.simulator.script.pending.clear()
            written = repr(lines) + repr(hub.rows())
            leaks = [value for value in hidden if value in written]
            require(not leaks, f"a secret shows in the ledger or the log, {_when(status)}")


def wrong_credentials_pause(found: Found) -> None:
    """Refused credentials pause the connection, and its deliveries wait for new ones."""
    subject = found.subject()
    with over_http(subject) as bench, outbox(found, bench) as hub, capture_logs():
        connection = hub.connect(wrong_credentials(subject))
        hub.deliver(connection, "person-0")
        now = hub.connection(connection)
        dead = [row for table, row in hub.rows() if table == "delivery" and row["state"] == "dead"]
        require(now.status != "active" or now.paused_routes, "the connection was not paused")
        given_up = [(row["operation"], row["reason"], row["detail"]) for row in dead]
        require(not given_up, f"deliveries were given up for wrong credentials: {given_up[:3]}")


def _when(status: int) -> str:
    return f"after the vendor answered {status} and repeated it" if status else "after all went well"
