"""What an operator sets: per project, and per distribution or sync."""

from __future__ import annotations

from typing import Final

from pydantic import BaseModel, Field, SecretStr

from hub.sdk.contract import NoSettings
from hub.sdk.values import Json, Operation


class BloomreachSettings(BaseModel):
    """One project of Bloomreach Engagement."""

    base_url: str = Field(
        pattern=r"^https?://",
        description="API base URL of your instance, as Project settings, Access management, API shows it.",
        examples=["https://api-engagement.bloomreach.com"],
    )
    project_token: str = Field(
        pattern=r"^[A-Za-z0-9-]+$",
        description="Project token, from the same page. It is part of every path and no secret.",
        examples=["6f1c2b9e-0000-11ee-8000-demo0project"],
    )
    api_key_id: SecretStr = Field(
        description="API key ID of a group with private access.", examples=["0123456789abcdefghijkeyid"]
    )
    api_secret: SecretStr = Field(description="API secret of that key.", examples=["0123456789abcdefghsecret"])
    hard_id: str = Field(
        default="registered",
        pattern=r"^\S+$",
        description="Name of the hard ID of your project that holds the source_id.",
        examples=["registered"],
    )
    lower_case_ids: bool = Field(
        default=False,
        description="Send the source_id trimmed and in lower case; for projects whose hard ID is an e-mail address.",
        examples=[False],
    )
    calls_per_s: int = Field(
        default=10,
        ge=1,
        le=100,
        description="Calls per second of this connection; one call carries up to 50 records. Bloomreach allows 100 per "
        "second and sending address, and blocks heavy imports through this API.",
        examples=[10],
    )


class CodeOptions(BaseModel):
    """How the code is named where one is sent."""

    code_attribute: str = Field(
        default="incentive_code",
        pattern=r"^[\x21-\x7e]{1,100}$",
        description="Name of the property that holds the code; its value, balance and expiry are named after it.",
        examples=["incentive_code"],
    )


class MessageOptions(CodeOptions):
    """By event (a scenario sends the message), or by transactional e-mail."""

    event: str = Field(
        default="incentive_distributed",
        min_length=1,
        description="The event whose scenario sends the message, unless template_id is set.",
        examples=["incentive_distributed"],
    )
    template_id: str = Field(
        default="",
        description="Identifier of an e-mail template. If set, a transactional e-mail is sent instead of an event.",
        examples=["", "60758e2d18883e1048b817a8"],
    )
    campaign_name: str = Field(
        default="incentive_code",
        min_length=1,
        description="Name under which Bloomreach reports the transactional e-mail.",
        examples=["incentive_code"],
    )
    integration_id: str = Field(
        default="",
        description="E-mail integration that sends the transactional e-mail. Empty: the project's default.",
        examples=[""],
    )


class AudienceOptions(BaseModel):
    """Where memberships are kept."""

    attribute: str = Field(
        default="hub_segments",
        pattern=r"^[\x21-\x7e]{1,100}$",
        description="Customer property that holds the list of all audiences the person is in.",
        examples=["hub_segments"],
    )


OPTIONS: Final[dict[Operation, type[BaseModel]]] = {
    Operation.PROFILES: CodeOptions,
    Operation.EVENTS: NoSettings,
    Operation.MESSAGES: MessageOptions,
    Operation.AUDIENCE: AudienceOptions,
    Operation.CONSENT: NoSettings,
    Operation.ERASE: NoSettings,
}

_PROPERTIES: Final[Json] = {
    "type": "object",
    "propertyNames": {"pattern": r"^[\x00-\x7f]+$"},
}  # docs/tracking: ASCII only
_TEXT: Final[Json] = {"type": "string", "minLength": 1}

TARGETS: Final[dict[Operation, Json]] = {
    Operation.PROFILES: _PROPERTIES,
    Operation.EVENTS: {"type": "object", "properties": {"properties": _PROPERTIES}, "additionalProperties": False},
    Operation.MESSAGES: {
        "type": "object",
        "properties": {"properties": _PROPERTIES, "params": {"type": "object"}},
        "additionalProperties": False,
    },
    Operation.AUDIENCE: {"type": "object", "properties": {"attribute": _TEXT}, "additionalProperties": False},
    Operation.CONSENT: {
        "type": "object",
        "required": ["category"],
        "properties": {
            "category": _TEXT,
            "valid_until": {"type": ["string", "number"]},
            "source": {"type": "string"},
            "timestamp": {"type": "number"},
        },
        "additionalProperties": False,
    },
    Operation.ERASE: {"type": "object"},
}
"""Mapped fields by operation. Profiles: customer properties by name. Events: `properties`. Messages: `properties` of the
event, or `params` of the transactional e-mail."""
