"""What an operator sets of a receiver."""

from __future__ import annotations

import base64
import binascii
from typing import Final, Self
from urllib.parse import urlsplit

from pydantic import BaseModel, Field, SecretStr, field_validator, model_validator

from hub.sdk.values import Json, Operation

PREFIX: Final = "whsec_"
OWN_HEADERS: Final = ("webhook-", "content-", "host", "connection", "transfer-encoding")


class WebhookSettings(BaseModel):
    """One receiver."""

    url: str = Field(
        description="The address that receives the webhooks, path included. It is shown in the sync log, so it holds no "
        "secret; use header_value for one.",
        examples=["https://receiver.example.com/hooks/switchboard"],
    )
    secret: SecretStr = Field(
        description="The signing secret: whsec_ and the base64 of 24 to 64 random bytes. The receiver has the same.",
        examples=["whsec_c2FtcGxlLXNlY3JldC1mb3ItZG9jcy1vbmx5LTAwMDE="],
    )
    previous_secret: SecretStr | None = Field(
        default=None,
        description="During a change of secret: the old one. Webhooks then carry a signature of each; remove it once the "
        "receiver knows the new one.",
        examples=["whsec_c2FtcGxlLXNlY3JldC1mb3ItZG9jcy1vbmx5LTAwMDA="],
    )
    header_name: str = Field(
        default="",
        pattern=r"^[A-Za-z0-9-]{0,64}$",
        description="Name of a further header that the receiver, or a gateway in front of it, asks for. Empty: none.",
        examples=["X-Receiver-Key"],
    )
    header_value: SecretStr | None = Field(
        default=None, description="Value of that header; a secret.", examples=["example-receiver-key"]
    )
    records_per_call: int = Field(
        default=1,
        ge=1,
        le=500,
        description="Records in one call. With more than 1 the body is a hub.batch that holds a list of records.",
        examples=[1],
    )
    deduplicates_for_s: int = Field(
        default=86_400,
        ge=0,
        description="How long, in seconds, the receiver remembers each id and ignores a repeat. 0: it does not.",
        examples=[86_400],
    )
    calls_per_s: int = Field(default=50, ge=1, le=1_000, description="At most so many calls a second.", examples=[50])
    parallel: int = Field(default=8, ge=1, le=32, description="At most so many calls at once.", examples=[8])
    ping: bool = Field(
        default=True,
        description="Whether checking the connection may send a signed hub.ping, which the receiver should answer with "
        "2xx and ignore.",
        examples=[True],
    )

    @field_validator("url")
    @classmethod
    def _is_an_address(cls, value: str) -> str:
        parts = urlsplit(value)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise ValueError("it must be a whole http or https address")
        if "@" in parts.netloc or parts.fragment:
            raise ValueError("it must hold no user, password or fragment")
        return value

    @field_validator("previous_secret")
    @classmethod
    def _empty_is_none(cls, value: SecretStr | None) -> SecretStr | None:
        return value if value is not None and value.get_secret_value() else None

    @field_validator("secret", "previous_secret")
    @classmethod
    def _is_a_secret(cls, value: SecretStr | None) -> SecretStr | None:
        if value is None:
            return None
        text = value.get_secret_value()
        try:
            length = len(base64.b64decode(text.removeprefix(PREFIX), validate=True))
        except (binascii.Error, ValueError):
            length = 0
        if not text.startswith(PREFIX) or not 24 <= length <= 64:
            raise ValueError(f"it must be {PREFIX} followed by the base64 of 24 to 64 bytes")
        return value

    @model_validator(mode="after")
    def _header_is_whole(self) -> Self:
        if self.header_name.lower().startswith(OWN_HEADERS):
            raise ValueError(f"header_name {self.header_name} is a header that the hub sets itself")
        if bool(self.header_name) != (self.header_value is not None):
            raise ValueError("header_name and header_value belong together; set both or none")
        return self


class WebhookOptions(BaseModel):
    """Only the name of the code, if there is one."""

    code_attribute: str = Field(
        default="incentive_code",
        min_length=1,
        max_length=100,
        description="Name of what holds the code; its value, balance and expiry are named after it.",
        examples=["incentive_code"],
    )


class NoOptions(BaseModel):
    """Nothing to set."""


OPTIONS: Final[dict[Operation, type[BaseModel]]] = {
    Operation.PROFILES: WebhookOptions,
    Operation.EVENTS: NoOptions,
    Operation.MESSAGES: WebhookOptions,
    Operation.AUDIENCE: NoOptions,
    Operation.CONSENT: NoOptions,
    Operation.ERASE: NoOptions,
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
