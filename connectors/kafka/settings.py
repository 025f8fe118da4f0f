"""What an operator sets of a cluster, and per distribution or sync."""

from __future__ import annotations

from typing import Final, Literal, Self

from pydantic import BaseModel, Field, SecretStr, field_validator, model_validator

from hub.sdk.broker import PLAIN, TLS, Broker, servers_of
from hub.sdk.contract import secret
from hub.sdk.errors import ConfigurationError
from hub.sdk.values import Basic, Json, Operation, Secret

TOPIC: Final = r"^[A-Za-z0-9._-]{1,249}$"  # kafka.common.internals.Topic: legal characters, longest name
PEM: Final = r"^(-----BEGIN [\s\S]+-----\s*)?$"


class Cluster(BaseModel):
    """How a cluster is reached."""

    bootstrap: str = Field(
        description="Bootstrap servers, host:port, separated by commas.",
        examples=["b1.kafka.example.com:9093,b2.kafka.example.com:9093"],
    )
    tls: bool = Field(
        default=True, description="Whether connections are encrypted. Off only in a trusted network.", examples=[True]
    )
    mechanism: Literal["none", "PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"] = Field(
        default="none", description="How the hub logs in (SASL).", examples=["SCRAM-SHA-512"]
    )
    user: str = Field(default="", description="Its name at the brokers, or an API key.", examples=["switchboard"])
    password: SecretStr | None = Field(
        default=None, description="Its password, or an API secret.", examples=["example-kafka-password"]
    )
    ca: str = Field(
        default="",
        pattern=PEM,
        description="PEM text of the authority that signed the brokers' certificates. Empty: the public authorities.",
        examples=[""],
    )
    certificate: str = Field(
        default="",
        pattern=PEM,
        description="PEM text of the hub's own certificate, where brokers ask for one. Empty: none.",
        examples=["-----BEGIN CERTIFICATE-----\nexample\n-----END CERTIFICATE-----"],
    )
    certificate_key: SecretStr | None = Field(
        default=None,
        description="PEM text of that certificate's private key.",
        examples=["-----BEGIN PRIVATE KEY-----\nexample\n-----END PRIVATE KEY-----"],
    )

    @property
    def address(self) -> str:
        """The cluster, as the hub names hosts."""
        return (TLS if self.tls else PLAIN) + self.bootstrap.replace(" ", "")

    def credentials(self) -> Basic | None:
        """The SASL user, or None where nobody logs in."""
        if self.mechanism == "none" or self.password is None:
            return None
        return Basic(Secret(self.user), secret(self.password))

    def broker(self, host: str) -> Broker:
        """How the hub's clients speak to it."""
        return Broker(
            host,
            mechanism="" if self.mechanism == "none" else self.mechanism,
            ca=self.ca,
            certificate=self.certificate,
            key=secret(self.certificate_key) if self.certificate_key is not None else None,
        )

    @field_validator("bootstrap")
    @classmethod
    def _are_servers(cls, value: str) -> str:
        try:
            servers_of(TLS + value)
        except ConfigurationError:
            raise ValueError("it must be host:port, several of them separated by commas") from None
        return value.strip()

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        if (self.mechanism != "none") != (bool(self.user) and self.password is not None):
            raise ValueError("mechanism, user and password belong together; set all or none")
        if bool(self.certificate) != (self.certificate_key is not None):
            raise ValueError("certificate and certificate_key belong together; set both or none")
        if not self.tls and (self.ca or self.certificate):
            raise ValueError("ca and certificate need tls")
        return self


class KafkaSettings(Cluster):
    """One cluster and the topic that records go to."""

    topic: str = Field(
        default="switchboard",
        pattern=TOPIC,
        description="The topic that records go to, where a sync or distribution names no other.",
        examples=["switchboard"],
    )
    tombstone_topic: str = Field(
        default="",
        pattern=rf"{TOPIC[:-1]}$|^$",
        description="A compacted topic in which an erasure leaves a null value under the person's key. Empty: none.",
        examples=[""],
    )
    compression: Literal["none", "gzip", "snappy", "lz4", "zstd"] = Field(
        default="none", description="How messages are compressed on their way and in the log.", examples=["lz4"]
    )
    max_message_bytes: int = Field(
        default=1_000_000,
        ge=10_000,
        le=50_000_000,
        description="The largest message, as the topic's max.message.bytes allows.",
        examples=[1_000_000],
    )
    timeout_s: int = Field(
        default=20,
        ge=2,
        le=300,
        description="How long the brokers may take to acknowledge a message before its fate counts as unknown.",
        examples=[20],
    )
    records_per_call: int = Field(
        default=500,
        ge=1,
        le=5_000,
        description="Messages handed over at once and acknowledged together.",
        examples=[500],
    )
    deduplicates_for_s: int = Field(
        default=86_400,
        ge=0,
        description="How long, in seconds, consumers remember each delivery-id and ignore a repeat. 0: they do not.",
        examples=[86_400],
    )


class TopicOptions(BaseModel):
    """Where these records go."""

    topic: str = Field(
        default="",
        pattern=rf"{TOPIC[:-1]}$|^$",
        description="The topic of these records. Empty: the connection's.",
        examples=[""],
    )


class CodeOptions(TopicOptions):
    """Where, and how the code is named."""

    code_attribute: str = Field(
        default="incentive_code",
        min_length=1,
        max_length=100,
        description="Name of what holds the code; its value, balance and expiry are named after it.",
        examples=["incentive_code"],
    )


OPTIONS: Final[dict[Operation, type[BaseModel]]] = {
    Operation.PROFILES: CodeOptions,
    Operation.EVENTS: TopicOptions,
    Operation.MESSAGES: CodeOptions,
    Operation.AUDIENCE: TopicOptions,
    Operation.CONSENT: TopicOptions,
    Operation.ERASE: TopicOptions,
}

TARGETS: Final[dict[Operation, Json]] = {
    Operation.PROFILES: {"type": "object"},
    Operation.AUDIENCE: {"type": "object"},
    Operation.CONSENT: {"type": "object"},
    Operation.ERASE: {"type": "object"},
    # the envelope writes these names itself
    Operation.EVENTS: {"type": "object", "propertyNames": {"not": {"enum": ["id", "name"]}}},
    Operation.MESSAGES: {"type": "object", "propertyNames": {"not": {"enum": ["distribution_id", "code"]}}},
}
