"""What an operator sets: per account, and per distribution or sync."""

from __future__ import annotations

from typing import Final, Literal

from pydantic import BaseModel, Field, SecretStr

from hub.sdk.contract import NoSettings
from hub.sdk.values import Json, Operation

NAME: Final = r"""^[^%><!|&.:;$'"\\#]{1,120}$"""  # developer.clevertap.com/docs/events-object: forbidden in names
Region = Literal["api", "eu1", "in1", "sg1", "us1", "aps3", "mec1", "sk1"]


class CleverTapSettings(BaseModel):
    """One CleverTap account (project)."""

    region: Region = Field(
        default="eu1",
        description="Region of the account: eu1 Europe, in1 India, sg1 Singapore, us1 United States, aps3 Indonesia, mec1 "
        "Middle East, sk1 South Korea; api is the older name of the European host.",
        examples=["eu1"],
    )
    account_id: str = Field(
        pattern=r"^[\x21-\x7e]+$",
        description="Project ID, as Settings, Project shows it. It goes with every call and is not a secret.",
        examples=["TEST-W8W-6WR-846Z"],
    )
    passcode: SecretStr = Field(
        description="A passcode of the account, from the same page.", examples=["AAA-BBB-CCDD-0123456789"]
    )
    parallel_uploads: int = Field(
        default=15,
        ge=1,
        le=15,
        description="Uploads under way at once. CleverTap allows 15 per account; fewer where other tools upload too.",
        examples=[15],
    )


class CodeOptions(BaseModel):
    """How the code is named where one is sent."""

    code_attribute: str = Field(
        default="incentive_code",
        pattern=NAME,
        description="Name of what holds the code; its value, balance and expiry are named after it.",
        examples=["incentive_code"],
    )


class MessageOptions(CodeOptions):
    """By event (a live campaign or journey sends the message), or by external trigger."""

    event: str = Field(
        default="Incentive Assigned",
        pattern=NAME,
        description="The event whose live campaign or journey sends the message, unless campaign_id is set.",
        examples=["Incentive Assigned"],
    )
    campaign_id: str = Field(
        default="",
        description="Identifier of an External Trigger campaign. If set, that campaign is triggered instead of an event.",
        examples=["", "1695721550"],
    )


class AudienceOptions(BaseModel):
    """Where memberships are kept."""

    attribute: str = Field(
        default="hub_segments",
        pattern=NAME,
        description="Multi-value profile attribute that audiences are added to and removed from.",
        examples=["hub_segments"],
    )


class ConsentOptions(BaseModel):
    """Whom a consent is about."""

    by: Literal["address", "person"] = Field(
        default="address",
        description="address: the e-mail address or phone number, for everyone who uses it. person: this profile alone.",
        examples=["address"],
    )


OPTIONS: Final[dict[Operation, type[BaseModel]]] = {
    Operation.PROFILES: CodeOptions,
    Operation.EVENTS: NoSettings,
    Operation.MESSAGES: MessageOptions,
    Operation.AUDIENCE: AudienceOptions,
    Operation.CONSENT: ConsentOptions,
    Operation.ERASE: NoSettings,
}

_NAMES: Final[Json] = {"pattern": NAME}
_DATA: Final[Json] = {"type": "object", "propertyNames": _NAMES}
_TEXT: Final[Json] = {"type": "string", "minLength": 1}

TARGETS: Final[dict[Operation, Json]] = {
    Operation.PROFILES: {
        "type": "object",
        "propertyNames": _NAMES,
        "properties": {"Gender": {"enum": ["M", "F"]}, **dict.fromkeys(("Name", "Email", "Phone", "DOB", "Tz"), _TEXT)},
    },
    Operation.EVENTS: {"type": "object", "properties": {"evtData": _DATA}, "additionalProperties": False},
    Operation.MESSAGES: {
        "type": "object",
        "properties": {"evtData": _DATA, "ExternalTrigger": {"type": "object"}},
        "additionalProperties": False,
    },
    Operation.AUDIENCE: {
        "type": "object",
        "properties": {"attribute": {"type": "string", "pattern": NAME}, "value": _TEXT},
        "additionalProperties": False,
    },
    Operation.CONSENT: {
        "type": "object",
        "properties": {
            "type": {"enum": ["email", "phone", "whatsapp"]},
            "value": _TEXT,
            "flag": {"enum": ["MSG-email", "MSG-sms", "MSG-push", "MSG-whatsapp"]},
            "category": {"type": "object"},
            "topic": _TEXT,
        },
        "additionalProperties": False,
    },
    Operation.ERASE: {"type": "object"},
}
"""Mapped fields by operation. Profiles: `profileData` by name. Events: `evtData`. Messages: `evtData` of the event, or
`ExternalTrigger`. Consent: the address and its `type`, the `flag` of the profile, or a `category` by channel; a `topic`
alone is refused."""
