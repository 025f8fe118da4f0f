"""Kafka as a source: JSON records of any shape, read by a consumer group; the connection's mapping says what they mean.

Set-up for operators: docs/connectors/kafka.md.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, Final

from pydantic import BaseModel, Field

from connectors.kafka.settings import Cluster
from hub.sdk.broker import Subscription
from hub.sdk.contract import Source
from hub.sdk.errors import MethodNotAllowed, PayloadInvalid
from hub.sdk.json import dumps, loads
from hub.sdk.values import InboundRequest, Json, RawMessage, Received, Record

TOPICS: Final = r"^\s*[A-Za-z0-9._-]{1,249}(\s*,\s*[A-Za-z0-9._-]{1,249})*\s*$"


READS_TOPICS = "This source reads topics; nothing can be sent to its URL."


class KafkaSourceSettings(Cluster):
    """One cluster, the topics that are read, and what their records look like."""

    topics: str = Field(
        pattern=TOPICS, description="The topics to read, separated by commas.", examples=["customers,orders"]
    )
    group: str = Field(
        default="switchboard",
        min_length=1,
        max_length=200,
        description="The consumer group of this source alone; the hub's processes share its partitions.",
        examples=["switchboard-crm"],
    )
    from_beginning: bool = Field(
        default=True,
        description="Whether a partition that was never read is read from its first record, or from what comes next.",
        examples=[True],
    )
    id_field: str = Field(
        default="",
        description="Where a record has its own id, with dots between names. Empty, or absent in a record: its place.",
        examples=["event.id"],
    )
    hint_field: str = Field(
        default="",
        description="Where it names its person; routes work only. Empty: the record's key.",
        examples=["customer.id"],
    )
    envelope: bool = Field(
        default=False,
        description="Whether the mapping sees topic, key and headers too, with the record under `value`.",
        examples=[False],
    )


class RecordReader(Source):
    name = "kafka"
    title = "Kafka"
    docs_url = "https://kafka.apache.org/documentation/"
    Settings: ClassVar[type[BaseModel]] = KafkaSourceSettings

    def subscription(self) -> Subscription:
        settings = self.settings
        return Subscription(
            settings.address,
            settings.broker("broker"),
            [name.strip() for name in settings.topics.split(",")],
            settings.group,
            settings.credentials(),
            settings.from_beginning,
        )

    def receive(self, request: InboundRequest) -> Received:
        raise MethodNotAllowed(READS_TOPICS, allow=())

    def receive_record(self, record: Record) -> Sequence[RawMessage]:
        try:
            value = None if record.value is None else loads(record.value)
        except ValueError as error:
            raise PayloadInvalid("The record is not JSON.") from error
        body = record.value or b"null"
        if self.settings.envelope:
            body = dumps({**_place(record), "value": value})
        key = _text(_field(value, self.settings.id_field)) or record_key(record)
        hint = _text(_field(value, self.settings.hint_field)) or _decoded(record.key)
        return [RawMessage(body, key, hint)]


def record_key(record: Record) -> str:
    """What no other record is called: its place, and when it was written, since a topic may be made anew."""
    return f"{record.topic}/{record.partition}/{record.offset}/{round(record.at.timestamp() * 1_000)}"


def _place(record: Record) -> dict[str, Any]:
    return {
        "topic": record.topic,
        "partition": record.partition,
        "offset": record.offset,
        "key": _decoded(record.key),
        "headers": {name: _decoded(value) for name, value in record.headers.items()},
    }


def _field(value: Json, path: str) -> Json:
    for name in path.split(".") if path else ():
        value = value.get(name) if isinstance(value, Mapping) else None
    return value if path else None


def _text(value: Json) -> str | None:
    """A text or a whole number; anything else names nobody."""
    if isinstance(value, str):
        return value or None
    return str(value) if isinstance(value, int) and not isinstance(value, bool) else None


def _decoded(value: bytes | None) -> str | None:
    return None if value is None else value.decode("utf-8", "replace")
