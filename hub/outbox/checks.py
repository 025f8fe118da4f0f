"""Asking a vendor at once whether a connection's credentials are good, outside of any queue."""

from __future__ import annotations

from collections.abc import Sequence

from hub.core.settings import Settings
from hub.outbox.lane import hosts_of
from hub.outbox.masking import Mask
from hub.outbox.sender import Sender
from hub.registry.discovery import build
from hub.registry.values import Connection
from hub.sdk.contract import Destination
from hub.sdk.errors import ConfigurationError, DeliveryError
from hub.sdk.flow import run_flow
from hub.sdk.values import Finding, Report, Request, Response

TIMEOUT_S = 20.0


def check_destination(kind: type[Destination], connection: Connection, settings: Settings) -> Sequence[Finding]:
    """What the connector's `check` finds. Raises ConfigurationError if its settings do not fit."""
    destination = build(kind, connection.settings, connection.secrets)
    mask = Mask(connection.secrets.values())
    hosts = hosts_of(destination, connection)
    sender = Sender(hosts, destination.auth(), mask, allow_private=settings.allow_private_hosts)

    def send(request: Request) -> Response:
        return sender.send(request, TIMEOUT_S)

    try:
        end = run_flow((), destination.check(), send, destination.classify, _not_reported)
    except (ConfigurationError, DeliveryError) as error:
        return [Finding("error", mask(str(error)))]
    finally:
        sender.close()
    if end.error is not None:
        return [Finding("error", mask(str(end.error)))]
    return list(end.value or ())


def _not_reported(reports: Sequence[Report]) -> None:
    raise AssertionError(f"a check has no deliveries to report on, yet it reported {len(reports)}")
