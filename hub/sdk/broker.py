"""A message broker as a destination declares it, and its messages as people and simulators read them.

A destination that publishes names its cluster like any host, by an address of its own kind:

    hosts()  -> {"broker": "kafka+ssl://b1.example.com:9093,b2.example.com:9093"}     # or kafka:// without TLS
    auth()   -> {"broker": Basic(user, password)}                                     # SASL; nothing for none
    broker() -> Broker("broker", mechanism="SCRAM-SHA-512")

Its flows yield lists of `Publish`. `GET /topics` on the broker's host asks for the cluster's metadata, and is answered by
`{"brokers": 3, "topics": {"customers": 6}}`: names and numbers of partitions.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Literal

from hub.sdk.errors import ConfigurationError
from hub.sdk.json import loads
from hub.sdk.values import Basic, Json, Publish, Request, Secret

PLAIN: Final = "kafka://"
TLS: Final = "kafka+ssl://"
Mechanism = Literal["", "PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"]
_NOT_IN_A_SERVER: Final = frozenset("@/?#\\ \t\r\n\"'")


@dataclass(frozen=True, slots=True)
class Broker:
    """How the cluster at `host` is spoken to.

    `ca`, `certificate` and `key` are PEM texts: whom to trust instead of the public authorities, and who the hub is.
    `timeout_s` is how long a message may take until its fate counts as unknown.
    """

    host: str
    mechanism: Mechanism = ""
    ca: str = ""
    certificate: str = ""
    key: Secret | None = None
    compression: Literal["none", "gzip", "snappy", "lz4", "zstd"] = "none"
    message_bytes: int = 1_000_000
    timeout_s: float = 20.0


@dataclass(frozen=True, slots=True)
class Subscription:
    """The topics that a source reads, at the cluster whose address is `url`, as a member of a consumer group.

    `from_beginning`: whether a partition that was never read is read from its first record or from its end.
    """

    url: str
    broker: Broker
    topics: Sequence[str]
    group: str
    credentials: Basic | None = None
    from_beginning: bool = True


def servers_of(url: str) -> list[tuple[str, int]]:
    """Host names and ports of `kafka://b1:9092,b2:9092`. Raises ConfigurationError for any other text."""
    scheme = next((one for one in (PLAIN, TLS) if url.startswith(one)), None)
    servers = [_server(part) for part in url.removeprefix(scheme).rstrip("/").split(",")] if scheme else []
    if not servers or None in servers:
        raise ConfigurationError(
            f"A broker's address is such as {PLAIN}b1.example.com:9092,b2.example.com:9092, or {TLS}… with TLS; this is none."
        )
    return [one for one in servers if one is not None]


def is_broker_address(url: str) -> bool:
    """Whether a URL names a cluster."""
    try:
        return bool(servers_of(url))
    except ConfigurationError:
        return False


def request_of(messages: Sequence[Publish], host: str) -> Request:
    """Messages as one readable request: `PUBLISH kafka://b1:9092/customers` and a list of them.

    Previews, the sync log and simulators show this; on the wire there is the broker's own protocol.
    """
    topics = ",".join(sorted({one.topic for one in messages}))
    return Request("PUBLISH", f"/{topics}", host=host, json=[readable(one) for one in messages])


def readable(message: Publish) -> dict[str, Json]:
    """`{"topic": "customers", "key": "cust_1", "headers": {"operation": "profiles"}, "value": {…}}`"""
    headers = {name: value.decode("utf-8", "replace") for name, value in message.headers.items()}
    key = None if message.key is None else message.key.decode("utf-8", "replace")
    return {"topic": message.topic, "key": key, "headers": headers, "value": _value(message.value)}


def _value(value: bytes | None) -> Json:
    if value is None:
        return None
    try:
        return loads(value)
    except ValueError:
        return value.decode("utf-8", "replace")


def _server(text: str) -> tuple[str, int] | None:
    name, _, port = text.strip().rpartition(":")
    host = name.removeprefix("[").removesuffix("]")
    is_good = (
        bool(host) and not _NOT_IN_A_SERVER & set(name) and port.isascii() and port.isdigit() and 0 < int(port) < 65_536
    )
    return (host, int(port)) if is_good else None
