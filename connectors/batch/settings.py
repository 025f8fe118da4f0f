"""What an operator sets: per project, and per distribution or sync; and which mapped fields Batch takes."""

from __future__ import annotations

from typing import Annotated, Final, Literal

from pydantic import BaseModel, Field, SecretStr, model_validator

from hub.sdk.contract import NoSettings
from hub.sdk.values import Json, Operation

EVENT: Final = "event"
AttributeName = Annotated[str, Field(pattern=r"^[a-z0-9_]{1,30}$")]


class BatchSettings(BaseModel):
    """One Batch project."""

    rest_key: SecretStr = Field(
        description="The company's REST API key. Only an administrator of the company sees it.",
        examples=["0123456789abcdef0123456789abcdef"],
    )
    project_key: str = Field(
        pattern=r"^[\x21-\x7e]+$",
        description="The key of the project whose profiles are kept; it begins with project_.",
        examples=["project_01ABCDEF"],
    )
    app_keys: str = Field(
        default="",
        pattern=r"^(?:[A-Za-z0-9]+(?:, ?[A-Za-z0-9]+)*)?$",
        description="Live API keys of the project's apps (iOS, Android, web), with commas between them, for erasures and "
        "transactional push.",
        examples=["5A1B2C3D4E5F60718293A4B5C6D7E8,5A00112233445566778899AABBCCDD"],
    )
    api_version: str = Field(
        default="2.11",
        pattern=r"^\d+\.\d+$",
        description="The version of Batch's API in every path about profiles.",
        examples=["2.11"],
    )
    mass_updates: bool = Field(
        default=False,
        description="Send 1,000 and more waiting records by profiles/mass-update, 10,000 a call. For large first imports.",
        examples=[False],
    )
    app_calls_per_s: int = Field(
        default=5,
        ge=1,
        le=100,
        description="Calls per second for erasures and transactional push; Batch states no limit for them.",
        examples=[5],
    )

    @property
    def apps(self) -> list[str]:
        """The keys of `app_keys`."""
        return [key.strip() for key in self.app_keys.split(",") if key.strip()]


class CodeOptions(BaseModel):
    """How the code is named where one is sent."""

    code_attribute: str = Field(
        default="incentive_code",
        pattern=r"^[a-z0-9_]{1,17}$",
        description="Name of the attribute that holds the code; its value, balance and expiry are named after it.",
        examples=["incentive_code"],
    )


class MessageOptions(CodeOptions):
    """How the message is sent."""

    via: Literal["event", "push"] = Field(
        default=EVENT,
        description="event: record an event that starts a trigger automation. push: send a transactional push.",
        examples=["event"],
    )
    event_name: AttributeName = Field(
        default="incentive_distributed",
        description="With via=event: the event that starts the automation.",
        examples=["incentive_distributed"],
    )
    title: str = Field(
        default="",
        max_length=200,
        description="With via=push: the title. {code} stands for the code.",
        examples=["A gift for you"],
    )
    text: str = Field(
        default="",
        max_length=1_000,
        description="With via=push: the message. {code} stands for the code.",
        examples=["Your code: {code}"],
    )

    @model_validator(mode="after")
    def _says_something(self) -> MessageOptions:
        if self.via == "push" and not (self.title and self.text):
            raise ValueError("via=push needs title and text")
        return self


class AudienceOptions(BaseModel):
    """Where memberships stand."""

    audience_attribute: AttributeName = Field(
        default="segments",
        description="The attribute that lists the audiences a person is in.",
        examples=["segments"],
    )


OPTIONS: Final[dict[Operation, type[BaseModel]]] = {
    Operation.PROFILES: CodeOptions,
    Operation.EVENTS: NoSettings,
    Operation.MESSAGES: MessageOptions,
    Operation.AUDIENCE: AudienceOptions,
    Operation.CONSENT: NoSettings,
    Operation.ERASE: NoSettings,
}

NATIVE: Final = (
    "$email_address", "$email_marketing", "$phone_number", "$sms_marketing", "$language", "$region", "$timezone",
    "$topic_preferences",
)  # fmt: skip
_NAME: Final[Json] = {
    "anyOf": [{"enum": list(NATIVE)}, {"pattern": r"^(?:[a-z0-9_]{1,30}|(?:date|url)\([a-z0-9_]{1,30}\))$"}]
}
_EVENT: Final[Json] = {
    "type": "object",
    "properties": {
        "attributes": {
            "type": "object",
            "propertyNames": {"anyOf": [{"enum": ["$label", "$tags"]}, _NAME["anyOf"][1]]},
        }
    },
    "additionalProperties": False,
}
_SUBSCRIPTION: Final[Json] = {"enum": ["subscribed", "unsubscribed", "reset"]}

TARGETS: Final[dict[Operation, Json]] = {
    Operation.PROFILES: {"type": "object", "propertyNames": _NAME},
    Operation.EVENTS: _EVENT,
    Operation.MESSAGES: _EVENT,
    Operation.AUDIENCE: {"type": "object", "propertyNames": _NAME},
    Operation.CONSENT: {
        "type": "object",
        "properties": {
            "$email_marketing": _SUBSCRIPTION,
            "$sms_marketing": _SUBSCRIPTION,
            "$email_address": {"type": "string"},
            "$phone_number": {"type": "string"},
        },
        "additionalProperties": False,
    },
    Operation.ERASE: {"type": "object"},
}
"""Mapped fields by operation. Profiles and audience: attributes by name, the type of dates and URLs in the name. Events
and messages: `attributes` of the event. Consent: a subscription and its address."""
