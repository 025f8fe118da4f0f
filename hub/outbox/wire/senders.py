"""What reaches a vendor: an HTTP sender, or a broker's client."""

from __future__ import annotations

from collections.abc import Mapping

from hub.outbox.wire.http import Sender
from hub.outbox.wire.kafka import Publisher
from hub.outbox.wire.masking import Mask
from hub.registry.values import Connection
from hub.sdk.contract import Destination


def hosts_of(destination: Destination, connection: Connection) -> Mapping[str, str]:
    """Host name to base URL, with those that the connection redirects."""
    return {**destination.hosts(), **connection.hosts}


def open_sender(
    destination: Destination, hosts: Mapping[str, str], mask: Mask, *, allow_private: bool
) -> Sender | Publisher:
    """What reaches the vendor: HTTP, or a broker's client. A broker redirected to an http address is a sandbox."""
    broker, auth = destination.broker(), destination.auth()
    if broker is None or hosts[broker.host].startswith("http"):
        return Sender(hosts, auth, mask, allow_private=allow_private)
    return Publisher(broker, hosts, auth, mask, allow_private=allow_private)
