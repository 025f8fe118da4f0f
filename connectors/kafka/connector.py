"""Kafka as a destination: one message per record, in the hub's own shape, acknowledged one by one. As a source: source.py.

The hub's transport does the rest: acks=all, an idempotent producer, errors by name (hub/outbox/wire/kafka.py, acks.py).
Facts: https://kafka.apache.org/documentation/#producerconfigs (read 2026-11). Set-up for operators: docs/connectors/kafka.md.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import ClassVar, Final

from pydantic import BaseModel

from connectors.kafka.answers import settled
from connectors.kafka.settings import OPTIONS, TARGETS, KafkaSettings
from connectors.kafka.source import RecordReader
from hub.sdk.broker import Broker
from hub.sdk.contract import Destination, Flow
from hub.sdk.envelope import envelope
from hub.sdk.errors import AuthFailed
from hub.sdk.json import dumps
from hub.sdk.values import (
    AnyPush,
    Auth,
    Batch,
    ErasePush,
    Finding,
    Item,
    Json,
    Operation,
    Pool,
    Publish,
    Rejected,
    Request,
    Response,
    Route,
)

HOST: Final = "broker"
DOCS: Final = "https://kafka.apache.org/documentation/#producerconfigs"
PARALLEL: Final = 4
CALL_BYTES: Final = 8_000_000


class KafkaSource(RecordReader):
    """Declared here, since this is where the hub looks for it."""


class Kafka(Destination):
    name = "kafka"
    title = "Kafka"
    docs_url = "https://kafka.apache.org/documentation/"
    Settings: ClassVar[type[BaseModel]] = KafkaSettings
    Options: ClassVar[Mapping[Operation, type[BaseModel]]] = OPTIONS
    targets: ClassVar[Mapping[Operation, Json]] = TARGETS
    containers: ClassVar[frozenset[str]] = frozenset({"address", "metadata"})

    def hosts(self) -> Mapping[str, str]:
        return {HOST: self.settings.address}

    def auth(self) -> Mapping[str, Auth]:
        credentials = self.settings.credentials()
        return {} if credentials is None else {HOST: credentials}

    def broker(self) -> Broker:
        settings: KafkaSettings = self.settings
        return replace(
            settings.broker(HOST),
            compression=settings.compression,
            message_bytes=settings.max_message_bytes,
            timeout_s=float(settings.timeout_s),
        )

    def account(self) -> str:
        return hashlib.sha256(f"{self.settings.bootstrap} {self.settings.user}".encode()).hexdigest()[:16]

    def pools(self) -> Mapping[str, Pool]:
        """Brokers slow a client down by themselves where it has a quota."""
        return {"messages": Pool(parallel=PARALLEL, scope="connection", source=DOCS)}

    def routes(self) -> Mapping[str, Route]:
        """An idempotent producer writes nothing twice by itself; after an unknown result only consumers can tell."""
        settings = self.settings
        return {
            "records": Route(
                DOCS,
                ["messages"],
                items=settings.records_per_call,
                bytes=CALL_BYTES,
                repeat="deduplicated" if settings.deduplicates_for_s else "duplicates",
                repeat_window_s=settings.deduplicates_for_s or None,
                timeout_s=float(settings.timeout_s),
            )
        }

    def items(self, push: AnyPush) -> Sequence[Item] | Rejected:
        """The record; after an erasure also an empty value, which lets a compacted topic forget the person."""
        record = envelope(push)
        key = push.person.source_id
        headers = {
            "delivery-id": push.vendor_key,
            "operation": str(push.operation),
            "type": record["type"],
            "content-type": "application/json",
        }
        body = {"topic": push.options.topic or self.settings.topic, "key": key, "headers": headers, "value": record}
        items = [Item(push.delivery_id, "records", body)]
        if isinstance(push, ErasePush) and self.settings.tombstone_topic:
            empty = {**body, "topic": self.settings.tombstone_topic, "value": None}
            items.append(Item(push.delivery_id, "records", empty, part="tombstone"))
        return items

    def flow(self, batch: Batch) -> Flow:
        answers = yield [_message(item) for item in batch.items]
        outcomes, error = settled(batch, answers)
        if outcomes:
            yield outcomes
        if error is not None:
            raise error

    def check(self) -> Flow:
        """Asks for the cluster's metadata, which changes nothing."""
        try:
            answer: Response = yield Request("GET", "/topics", host=HOST)
        except AuthFailed as error:
            return [Finding("error", f"The brokers refuse the user or the password. {error}")]
        told = answer.json()
        findings = [Finding("ok", f"The cluster answers; it has {told['brokers']} broker(s).")]
        wanted = [self.settings.topic, *([self.settings.tombstone_topic] if self.settings.tombstone_topic else [])]
        return findings + [_of_topic(name, told["topics"]) for name in wanted]


def _message(item: Item) -> Publish:
    body = item.body
    headers = {name: value.encode() for name, value in body["headers"].items()}
    value = None if body["value"] is None else dumps(body["value"])
    return Publish(body["topic"], body["key"].encode("utf-8", "replace"), value, headers)


def _of_topic(name: str, topics: Mapping[str, int]) -> Finding:
    if name in topics:
        return Finding("ok", f"The topic {name} has {topics[name]} partition(s).")
    return Finding(
        "warning",
        f"There is no topic {name} that this user may see. Create it and allow the user to write to it, unless the "
        "cluster makes topics when they are first written to.",
    )
