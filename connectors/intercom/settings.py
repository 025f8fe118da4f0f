"""What an operator sets: per workspace, and per distribution or sync; and which mapped fields Intercom takes."""

from __future__ import annotations

from typing import Final, Literal

from pydantic import BaseModel, Field, SecretStr

from hub.sdk.contract import NoSettings
from hub.sdk.values import Json, Operation

BASES: Final = {
    "us": "https://api.intercom.io",
    "eu": "https://api.eu.intercom.io",
    "au": "https://api.au.intercom.io",
}


class IntercomSettings(BaseModel):
    """One Intercom workspace, reached through one app."""

    access_token: SecretStr = Field(
        description="Access token of a private app that may read and write contacts, tags, events and attributes.",
        examples=["dG9rOjAxMjM0NTY3ODlhYmNkZWY="],
    )
    region: Literal["us", "eu", "au"] = Field(
        default="us",
        description="Where the workspace is hosted; a token is good in its own region only.",
        examples=["eu"],
    )
    version: str = Field(
        default="2.13",
        pattern=r"^2\.\d{1,2}$",
        description="The API version sent with every call. From 2.13 contacts are looked up directly; before, by a "
        "search whose index lags by minutes.",
        examples=["2.13"],
    )
    calls_per_minute: int = Field(
        default=10_000,
        ge=60,
        le=25_000,
        description="Calls the app may make in a minute. Some workspaces still have 1,000.",
        examples=[10_000],
    )
    create_missing: bool = Field(
        default=True,
        description="Create a contact where an event, a code, a tag or a consent meets a person Intercom does not know.",
        examples=[True],
    )


class CodeOptions(BaseModel):
    """How the code is named where one is sent."""

    code_attribute: str = Field(
        default="incentive_code",
        pattern=r"^[A-Za-z0-9_-]{1,150}$",
        description="Contact attribute that holds the code; _value, _balance, _expires_at, ... stand beside it.",
        examples=["incentive_code"],
    )


class EventOptions(BaseModel):
    metadata_keys: list[str] = Field(
        default=[],
        description="Event properties that come first, in this order; Intercom keeps ten and drops the rest.",
        examples=[["order_id", "total"]],
    )


class MessageOptions(CodeOptions):
    event_name: str = Field(
        default="received-incentive-code",
        min_length=1,
        max_length=250,
        description="The event that starts the workflow or series which shows or mails the code.",
        examples=["received-incentive-code"],
    )


class AudienceOptions(BaseModel):
    tag: str = Field(
        default="",
        max_length=250,
        description="Name of the tag that members carry. Empty: the audience's key.",
        examples=["segment:vip"],
    )


class ConsentOptions(BaseModel):
    subscription_types: dict[str, str] = Field(
        default={},
        description="Consent topic to the id of Intercom's subscription type, for example email.newsletter to 37846.",
        examples=[{"email.newsletter": "37846", "sms": "37850"}],
    )


OPTIONS: Final[dict[Operation, type[BaseModel]]] = {
    Operation.PROFILES: CodeOptions,
    Operation.EVENTS: EventOptions,
    Operation.MESSAGES: MessageOptions,
    Operation.AUDIENCE: AudienceOptions,
    Operation.CONSENT: ConsentOptions,
    Operation.ERASE: NoSettings,
}

_TEXT: Final[Json] = {"type": ["string", "null"]}
_SECONDS: Final[Json] = {"type": ["integer", "null"]}
_FORBIDDEN: Final = r"""^[^.$`~!@#%^&*'{}|\\"\x00]+$"""  # help article 179
_ATTRIBUTES: Final[Json] = {
    "type": "object",
    "propertyNames": {"pattern": _FORBIDDEN},
    "additionalProperties": {"type": ["string", "number", "boolean", "null"]},
}
_METADATA: Final[Json] = {
    "type": "object",
    "additionalProperties": {
        "anyOf": [
            {"type": ["string", "number", "boolean", "null"]},
            {"type": "object", "required": ["url", "value"]},  # a rich link
            {"type": "object", "required": ["amount", "currency"]},  # money, in minor units
        ]
    },
}

TARGETS: Final[dict[Operation, Json]] = {
    Operation.PROFILES: {
        "type": "object",
        "additionalProperties": False,
        "properties": {
            **dict.fromkeys(("email", "phone", "name", "avatar"), _TEXT),
            **dict.fromkeys(("signed_up_at", "last_seen_at", "owner_id"), _SECONDS),
            "unsubscribed_from_emails": {"type": ["boolean", "null"]},
            "custom_attributes": _ATTRIBUTES,
        },
    },
    Operation.EVENTS: {"type": "object", "additionalProperties": False, "properties": {"metadata": _METADATA}},
    Operation.MESSAGES: {
        "type": "object",
        "additionalProperties": False,
        "properties": {"metadata": _METADATA, "custom_attributes": _ATTRIBUTES},
    },
    Operation.AUDIENCE: {"type": "object", "additionalProperties": False, "properties": {"tag": _TEXT}},
    Operation.CONSENT: {
        "type": "object",
        "additionalProperties": False,
        "properties": {"subscription_type": _TEXT},
    },
    Operation.ERASE: {"type": "object"},
}
