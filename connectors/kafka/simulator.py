"""A Kafka cluster in memory with one consumer, which reads every message once and remembers delivery ids.

It plays what connectors can see of a cluster; the protocol itself is tried against a real broker (tests/kafka.py).
"""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from hub.sdk.kit.simulator.base import SimRequest, SimResponse
from hub.sdk.kit.simulator.broker import BrokerSimulator
from hub.sdk.values import Json, Operation

USER, PASS = "switchboard", "sandbox-kafka-key"
TOPICS = ("switchboard", "customers", "customers.erased")
MESSAGE_BYTES = 30_000


class KafkaSimulator(BrokerSimulator):
    sandbox_place: ClassVar[int] = 9
    kept: ClassVar[Sequence[str]] = ("profiles", "events", "messages", "audiences", "consents", "log")
    example_fields: ClassVar[Mapping[Operation, Mapping[str, Json]]] = {
        Operation.PROFILES: {"email": "ada{n}@example.com", "first_name": "Ada", "metadata": {"points": 120}},
        Operation.EVENTS: {"properties": {"order_id": "order-{n}", "total": 12.5}},
        Operation.MESSAGES: {"incentive_code": "SPRING-{n}"},
        Operation.AUDIENCE: {"name": "Very important"},
        Operation.CONSENT: {},
        Operation.ERASE: {"email": ["ada{n}@example.com"]},
    }
    refused_fields: ClassVar[Mapping[Operation, Mapping[str, Json]]] = {
        Operation.PROFILES: {"description": "x" * MESSAGE_BYTES},
        Operation.EVENTS: {"properties": {"text": "x" * MESSAGE_BYTES}},
    }

    def __init__(self, **given: Any) -> None:
        super().__init__(**{"topics": TOPICS, "message_bytes": MESSAGE_BYTES, **given})
        self.audiences: dict[str, list[str]] = {}
        self.consents: dict[str, dict[str, Json]] = {}
        self._seen: set[str] = set()

    @classmethod
    def example_settings(cls) -> dict[str, Any]:
        return {"bootstrap": "b1.kafka.example.com:9093", "mechanism": "PLAIN", "user": USER, "password": PASS}

    def refuse(self, request: SimRequest) -> SimResponse | None:
        expected = "Basic " + base64.b64encode(f"{USER}:{PASS}".encode()).decode()
        if request.headers.get("authorization") != expected:
            return SimResponse(401, {"message": "SASL authentication failed"})
        return None

    def holds(self, operation: Operation, source_id: str) -> bool | None:
        if operation is Operation.AUDIENCE:
            return bool(self.audiences.get(source_id))
        if operation is Operation.CONSENT:
            return source_id in self.consents
        return super().holds(operation, source_id)

    def taken(self, message: Mapping[str, Any]) -> None:
        """A consumer of a compacted topic forgets a person whose value is null; others ignore what they have seen."""
        if message["value"] is None:
            self.profiles.pop(message["key"], None)
            return
        seen = message["headers"]["delivery-id"]
        if seen in self._seen:
            return
        self._seen.add(seen)
        who, data = message["key"], message["value"]["data"]
        match Operation(message["headers"]["operation"]):
            case Operation.PROFILES:
                self.profiles[who] = data["profile"]
            case Operation.EVENTS:
                self.events.append({"source_id": who, **data["event"]})
            case Operation.MESSAGES:
                self.messages.append({"source_id": who, **data["message"]})
            case Operation.AUDIENCE:
                self.audiences[who] = list(data["audiences"]) or [data["audience"]["key"]]
            case Operation.CONSENT:
                self.consents.setdefault(who, {})[data["consent"]["topic"]] = data["consent"]["status"]
            case Operation.ERASE:
                self.profiles.pop(who, None)
