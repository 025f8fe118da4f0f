"""What an operator sets of a sender that has no connector of its own."""

from __future__ import annotations

import base64
import binascii
from ipaddress import ip_network
from typing import Final, Literal, Self

from pydantic import BaseModel, Field, SecretStr, field_validator, model_validator

Verify = Literal["hmac", "standard_webhooks", "header", "url", "basic", "network"]
SIGNATURE, TIMESTAMP, BODY, IDENTIFIER = "{signature}", "{timestamp}", "{body}", "{id}"
HEADER: Final = r"^[A-Za-z0-9-]{0,64}$"
PATH: Final = r"^[^.\s]+(\.[^.\s]+)*$|^$"


class SourceSettings(BaseModel):
    """How the sender proves itself, and where its messages stand in the body."""

    verify: Verify = Field(
        default="hmac",
        description="How the sender proves itself: hmac (a signature over the body), standard_webhooks, header (the secret "
        "in a header), url (the secret in the URL), basic (HTTP Basic), or network (its address alone).",
        examples=["hmac"],
    )
    secret: SecretStr | None = Field(
        default=None,
        description="The secret that the sender and the hub share. For standard_webhooks it is whsec_ and base64.",
        examples=["example-shared-secret"],
        json_schema_extra={"generate": True},
    )
    previous_secret: SecretStr | None = Field(
        default=None,
        description="The secret before the last change; both are good until this one is taken away.",
        examples=["old-shared-secret"],
    )
    signature_header: str = Field(
        default="X-Signature", pattern=HEADER, description="hmac: the header that holds the signature.",
        examples=["X-Signature"],
    )  # fmt: skip
    signature_format: str = Field(
        default=SIGNATURE,
        description="hmac: what stands in that header around the signature, as sha256={signature}, or "
        "t={timestamp},v1={signature} where the time stands beside it.",
        examples=["sha256={signature}"],
    )
    signature_algorithm: Literal["sha1", "sha256", "sha512"] = Field(
        default="sha256", description="hmac: the hash under the signature.", examples=["sha256"]
    )
    signature_encoding: Literal["hex", "base64"] = Field(
        default="hex", description="hmac: how the signature is written.", examples=["hex"]
    )
    signed_content: str = Field(
        default=BODY,
        description="hmac: what is signed, made of {body}, {timestamp} and {id} (the header message_id_header).",
        examples=["{timestamp}.{body}"],
    )
    timestamp_header: str = Field(
        default="",
        pattern=HEADER,
        description="hmac: the header that holds the time of the request, if signed_content needs it and "
        "signature_format does not give it. Epoch seconds or milliseconds, ISO 8601, or an HTTP date.",
        examples=["X-Timestamp"],
    )
    tolerance_s: int = Field(
        default=300,
        ge=1,
        le=86_400,
        description="Where a time is signed: requests older or newer than so many seconds are refused, as replays.",
        examples=[300],
    )
    header_prefix: str = Field(
        default="webhook",
        pattern=r"^[A-Za-z0-9-]{1,60}$",
        description="standard_webhooks: what the names of its three headers begin with, if not webhook: svix, for one.",
        examples=["webhook"],
    )
    secret_header: str = Field(
        default="Authorization",
        pattern=HEADER,
        description="header: the header that holds the secret, as it is or behind the word Bearer.",
        examples=["Authorization"],
    )
    url_parameter: str = Field(
        default="secret", pattern=r"^[A-Za-z0-9_.-]{1,64}$", description="url: the query parameter that holds the secret.",
        examples=["secret"],
    )  # fmt: skip
    username: str = Field(
        default="", description="basic: the user name; the secret is the password.", examples=["switchboard"]
    )
    allowed_networks: list[str] = Field(
        default=[],
        description="Networks that may send, whatever they present; any other address is refused. Empty: any.",
        examples=[["203.0.113.0/24"]],
    )
    messages_path: str = Field(
        default="",
        pattern=PATH,
        description="Where the list of messages stands inside the body, as events or data.items. Without a list there, "
        "the body is one message; a body that is a list always holds one message per element.",
        examples=["events"],
    )
    batch_fields: list[str] = Field(
        default=[],
        description="Fields at the top of the body that are copied into each message of a list, unless it has its own.",
        examples=[["account_id"]],
    )
    message_id: str = Field(
        default="",
        pattern=PATH,
        description="Where the sender's id of a message stands inside the message, as id or meta.event_id.",
        examples=["id"],
    )
    message_id_header: str = Field(
        default="",
        pattern=HEADER,
        description="A header with the id of the request, for senders that write it there. standard_webhooks has its own.",
        examples=["X-Request-Id"],
    )
    time_path: str = Field(
        default="",
        pattern=PATH,
        description="Where the time of a message stands inside it. A message without an id but with a time there is known by "
        "its content, so that it counts once however often it comes.",
        examples=["occurred_at"],
    )
    keep_headers: list[str] = Field(
        default=[],
        description="Headers that the mapping needs, as those that name the kind of event: they are put into each message as "
        "headers, by their names in lower case.",
        examples=[["X-Event-Type"]],
    )

    @field_validator("secret", "previous_secret")
    @classmethod
    def _empty_is_none(cls, value: SecretStr | None) -> SecretStr | None:
        return value if value is not None and value.get_secret_value().strip() else None

    @field_validator("allowed_networks")
    @classmethod
    def _are_networks(cls, value: list[str]) -> list[str]:
        for one in value:
            ip_network(one)
        return value

    @model_validator(mode="after")
    def _is_whole(self) -> Self:
        if self.verify == "network":
            if not self.allowed_networks:
                raise ValueError("verify=network needs allowed_networks, else anybody could send")
        elif self.secret is None:
            raise ValueError(f"verify={self.verify} needs a secret")
        needed = {"hmac": "signature_header", "header": "secret_header", "basic": "username"}.get(self.verify)
        if needed and not getattr(self, needed):
            raise ValueError(f"verify={self.verify} needs {needed}")
        if self.verify == "standard_webhooks":
            for secret in (self.secret, self.previous_secret):
                standard_key(secret.get_secret_value() if secret else "whsec_AAAA")
        if self.verify == "hmac":
            self._check_signature()
        return self

    def _check_signature(self) -> None:
        parts = self.signature_format.split(",")
        if (
            not all(part.endswith((SIGNATURE, TIMESTAMP)) for part in parts)
            or self.signature_format.count(SIGNATURE) != 1
        ):
            raise ValueError(
                "signature_format must hold {signature} once, each part ending in {signature} or {timestamp}"
            )
        if BODY not in self.signed_content:
            raise ValueError("signed_content must hold {body}, else the body could be altered")
        has_time = bool(self.timestamp_header) or TIMESTAMP in self.signature_format
        if has_time and TIMESTAMP not in self.signed_content:
            raise ValueError("signed_content must hold {timestamp}, else the time could be altered")
        if TIMESTAMP in self.signed_content and not has_time:
            raise ValueError("signed_content holds {timestamp}: name timestamp_header, or put it into signature_format")
        if IDENTIFIER in self.signed_content and not self.message_id_header:
            raise ValueError("signed_content holds {id}: name message_id_header")


def standard_key(secret: str) -> bytes:
    """The key behind a secret of Standard Webhooks. Raises ValueError."""
    text = secret.strip().removeprefix("whsec_")
    try:
        key = base64.b64decode(text + "=" * (-len(text) % 4), validate=True)
    except (binascii.Error, ValueError):
        key = b""
    if not key:
        raise ValueError("a secret of standard_webhooks is whsec_ followed by base64")
    return key
