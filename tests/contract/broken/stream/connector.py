"""Stream, an imaginary source whose records are read from topics."""

from __future__ import annotations

from collections.abc import Sequence

from pydantic import BaseModel, Field, SecretStr

from hub.sdk.broker import Broker, Subscription
from hub.sdk.contract import Source
from hub.sdk.errors import Forbidden, PayloadInvalid
from hub.sdk.json import loads
from hub.sdk.values import Basic, InboundRequest, RawMessage, Received, Record, Secret


class StreamSettings(BaseModel):
    password: SecretStr = Field(description="The password of the cluster.", examples=["sandbox-stream-key"])


class Stream(Source):
    name = "stream"
    title = "Stream"
    Settings = StreamSettings

    def subscription(self) -> Subscription:
        password = Secret(self.settings.password.get_secret_value())
        return Subscription(
            "kafka://stream.example.com:9092", Broker("broker"), ["people"], "hub", Basic(Secret("hub"), password)
        )

    def receive(self, request: InboundRequest) -> Received:
        raise Forbidden("This source reads topics; nothing can be sent to its URL.")

    def receive_record(self, record: Record) -> Sequence[RawMessage]:
        try:
            loads(record.value or b"null")
        except ValueError as error:
            raise PayloadInvalid("The record is not JSON.") from error
        return [RawMessage(record.value or b"null", f"{record.topic}/{record.partition}/{record.offset}")]
