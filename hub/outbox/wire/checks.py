"""Asking a vendor at once, outside of any queue: are the credentials good, is everything there that will be needed?"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

from hub.core.settings import Settings
from hub.outbox.defects import tell_defect
from hub.outbox.limits.rate_limits import ONE_CALL, Pace
from hub.outbox.wire.masking import Mask
from hub.outbox.wire.senders import hosts_of, open_sender
from hub.registry.discovery import build
from hub.registry.values import Connection
from hub.sdk.contract import Destination, Flow
from hub.sdk.errors import ConfigurationError, DeliveryError, RateLimited
from hub.sdk.flow import run_flow
from hub.sdk.kept_answers import KeptAnswers
from hub.sdk.values import Finding, Report, Request, Response, Wanted

TIMEOUT_S = 20.0
LONGEST_S = 60.0
"""No longer than this in all: somebody waits for the answer, and both questions can be asked again."""


def check_destination(kind: type[Destination], connection: Connection, settings: Settings) -> Sequence[Finding]:
    """What the connector's `check` finds. Raises ConfigurationError if its settings do not fit."""
    return _asked(kind, connection, settings, lambda destination: destination.check())


def prepare_destination(
    kind: type[Destination], connection: Connection, settings: Settings, wanted: Wanted
) -> Sequence[Finding]:
    """What the connector's `prepare` made or found missing. Raises ConfigurationError if its settings do not fit."""
    return _asked(kind, connection, settings, lambda destination: destination.prepare(wanted))


def has_prepare(kind: type[Destination]) -> bool:
    """Whether the connector has anything to prepare."""
    return kind.prepare is not Destination.prepare


def _asked(
    kind: type[Destination], connection: Connection, settings: Settings, flow: Callable[[Destination], Flow]
) -> Sequence[Finding]:
    destination = build(kind, connection.settings, connection.secrets)
    mask = Mask(connection.secrets.values())
    hosts = hosts_of(destination, connection)
    try:
        sender = open_sender(destination, hosts, mask, allow_private=settings.allow_private_hosts)
    except ConfigurationError as error:
        return [Finding("error", mask(str(error)))]
    pace = Pace().share(connection.id, connection.connector, destination)
    deadline = time.monotonic() + LONGEST_S

    def send(request: Request) -> Response:
        at = time.monotonic()
        start = pace.reserve(request.pools or (), ONE_CALL, at, deadline - at)
        if start is None:
            raise RateLimited("The vendor's rate limit leaves no time to finish this; run it again to go on.")
        time.sleep(max(0.0, start - at))
        return sender.send(request, TIMEOUT_S)

    try:
        kept = KeptAnswers().through(send, destination.classify, time.monotonic)
        end = run_flow((), flow(destination), kept, destination.classify, _not_reported)
    except (ConfigurationError, DeliveryError) as error:
        return [Finding("error", mask(str(error)))]
    except Exception as defect:  # noqa: BLE001 - a connector's own failure: told to the operator, in the log its place
        tell_defect(connection.name, defect)
        return [Finding("error", f"The connector failed ({type(defect).__name__}); this is a defect to report.")]
    finally:
        sender.close()
    if end.error is not None:
        return [Finding("error", mask(str(end.error)))]
    return [Finding(one.level, mask(one.text)) for one in end.value or ()]


def _not_reported(reports: Sequence[Report]) -> None:
    raise AssertionError(f"a check has no deliveries to report on, yet it reported {len(reports)}")
