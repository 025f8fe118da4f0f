"""A message broker in memory, and how flows that publish reach it.

The contract suite is about connectors, not about a wire protocol: here a list of `Publish` is one readable request,
`PUBLISH /topic` with the messages as JSON, answered by one result per message (hub.sdk.rehearsal). So every check, case,
fault, preview and sandbox works for brokers as it does for HTTP; the real client and its protocol are tried elsewhere.
"""

from __future__ import annotations

import zlib
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from hub.sdk.contract import Destination
from hub.sdk.flow import Broker as Publishing
from hub.sdk.flow import Send, no_broker
from hub.sdk.json import dumps
from hub.sdk.kit.simulator.base import SimRequest, SimResponse, Simulator, route
from hub.sdk.rehearsal import over_http
from hub.sdk.values import Json


def publishing(destination: Destination, send: Send) -> Publishing:
    """What `run_flow` publishes through: `send`, to the simulated broker that this destination declares."""
    broker = destination.broker()
    return no_broker if broker is None else over_http(broker.host, send)


class BrokerSimulator(Simulator):
    """A cluster in memory. A subclass says what a consumer makes of the messages (`taken`)."""

    hosts: ClassVar[Sequence[str]] = ("broker",)
    kept: ClassVar[Sequence[str]] = ("profiles", "events", "messages", "log")
    partitions: ClassVar[int] = 3

    def __init__(self, *, topics: Sequence[str] = (), message_bytes: int = 1_000_000, **given: Any) -> None:
        """`topics` exist; others do not, and are not made. `message_bytes`: the largest value they take."""
        super().__init__(**given)
        self.topics = list(topics)
        self.message_bytes = message_bytes
        self.log: dict[str, list[dict[str, Json]]] = {}
        """By topic: every message as published, with its partition and offset."""

    def taken(self, message: Mapping[str, Json]) -> None:
        """A consumer reads a message: `{"topic", "key", "headers", "value"}`."""

    @route("GET", "/topics")
    def metadata(self, _request: SimRequest) -> SimResponse:
        return SimResponse(200, {"brokers": 1, "topics": dict.fromkeys(self.topics, self.partitions)})

    @route("PUBLISH", "/{topics}")
    def publish(self, request: SimRequest) -> SimResponse:
        return SimResponse(200, {"results": [self._result(message) for message in request.json()]})

    def _result(self, message: dict[str, Json]) -> dict[str, Json]:
        if message["topic"] not in self.topics:
            return {"status": 503, "message": "Unknown topic or partition"}
        if len(dumps(message["value"])) > self.message_bytes:
            return {"status": 413, "message": "Message size too large"}
        partition = zlib.crc32(str(message["key"]).encode()) % self.partitions
        log = self.log.setdefault(message["topic"], [])
        place = {"partition": partition, "offset": sum(one["partition"] == partition for one in log)}
        log.append({**message, **place})
        self.taken(message)
        return place
