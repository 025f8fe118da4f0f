"""What an operator sets: per MoEngage workspace, and per distribution or sync."""

from __future__ import annotations

from typing import Final, Literal, Self

from pydantic import BaseModel, Field, SecretStr, model_validator

from hub.sdk.contract import NoSettings
from hub.sdk.values import Json, Operation


class MoEngageSettings(BaseModel):
    """One MoEngage workspace. Each family of its API has a key of its own."""

    workspace_id: str = Field(
        min_length=1,
        pattern=r"^[^\s/:|]+$",
        description="The Workspace ID (App ID) of Settings, Account, APIs. A test workspace's ends in _DEBUG.",
        examples=["8SIW681S80Z08KSHQFSTIZ8T"],
    )
    data_center: str = Field(
        default="01",
        pattern=r"^\d{2,3}$",
        description="The number in the dashboard's address: 02 for dashboard-02.moengage.com.",
        examples=["01"],
    )
    data_key: SecretStr = Field(
        description="The key of the tile Data: users, events, cohorts, categories, erasures.",
        examples=["data-key-0123456789abcdef"],
    )
    inform_key: SecretStr = Field(
        default=SecretStr(""),
        description="The key of the tile Inform, for messages with via=inform.",
        examples=["inform-key-0123456789abcdef"],
    )
    push_key: SecretStr = Field(
        default=SecretStr(""),
        description="The key of the tile Push, for messages with via=push.",
        examples=["push-key-0123456789abcdef"],
    )
    removal: Literal["blank", "unset"] = Field(
        default="blank",
        description="How a removed trait is removed: blank writes an empty text; unset removes the attribute, which MoEngage "
        "must have switched on for the workspace (early access).",
        examples=["blank"],
    )
    sms_subscribed: str = Field(
        default="",
        description="What moe_sms_subscription holds for people who may get text messages.",
        examples=["true"],
    )
    sms_unsubscribed: str = Field(
        default="",
        description="What it holds for those who may not. Both are your workspace's own.",
        examples=["false"],
    )
    users_per_minute: int = Field(
        default=10_000, ge=1, le=60_000, description="User updates a minute the hub may make.", examples=[10_000]
    )
    events_per_minute: int = Field(
        default=30_000, ge=1, le=60_000, description="Events a minute the hub may send.", examples=[30_000]
    )


class CodeOptions(BaseModel):
    """How the code is named where one is sent."""

    code_attribute: str = Field(
        default="incentive_code",
        pattern=r"^[A-Za-z]\w{0,179}$",
        description="Name of what holds the code; its value, balance and expiry are named after it.",
        examples=["incentive_code"],
    )


class MessageOptions(CodeOptions):
    """What sends the message."""

    via: Literal["event", "inform", "push"] = Field(
        default="event",
        description="event: an event starts a campaign or flow. inform: a transactional alert. push: the Push API.",
        examples=["inform"],
    )
    event: str = Field(
        default="incentive_distributed",
        min_length=1,
        max_length=200,
        description="For via=event: the event whose campaign or flow sends the message.",
        examples=["incentive_distributed"],
    )
    alert: str = Field(default="", description="For via=inform: the alert's reference name.", examples=["spring_code"])
    channels: list[Literal["EMAIL", "SMS", "WHATSAPP", "RCS"]] = Field(
        default=["EMAIL"],
        min_length=1,
        description="For via=inform: the channels of the alert to send through.",
        examples=[["EMAIL"]],
    )
    campaign: str = Field(
        default="", description="For via=push: the campaign's name, at least 5 characters.", examples=["Spring codes"]
    )
    platforms: list[Literal["ANDROID", "IOS", "WEB"]] = Field(
        default=["ANDROID", "IOS"],
        min_length=1,
        description="For via=push: the platforms to send to.",
        examples=[["ANDROID", "IOS"]],
    )
    title: str = Field(default="", description="For via=push: the title.", examples=["A code for you"])
    message: str = Field(
        default="",
        description="For via=push: the text. {incentive_code} and the other fields of the mapping stand in braces.",
        examples=["Your code: {incentive_code}"],
    )

    @model_validator(mode="after")
    def _has_what_it_sends(self) -> Self:
        needed = {"event": [], "inform": ["alert"], "push": ["campaign", "title", "message"]}
        missing = [name for name in needed[self.via] if not getattr(self, name)]
        if missing:
            raise ValueError(f"with via={self.via}, {' and '.join(missing)} must be set")
        if self.via == "push" and len(self.campaign) < 5:
            raise ValueError("a campaign's name has at least 5 characters")
        return self


class AudienceOptions(BaseModel):
    """The cohort of an audience."""

    cohort_id: str = Field(
        default="", description="The cohort's id, yours to choose. Empty: the audience's key.", examples=["seg_vip"]
    )
    cohort_name: str = Field(
        default="", description="Its name in the dashboard. Empty: the audience's name.", examples=["VIP"]
    )


OPTIONS: Final[dict[Operation, type[BaseModel]]] = {
    Operation.PROFILES: CodeOptions,
    Operation.EVENTS: NoSettings,
    Operation.MESSAGES: MessageOptions,
    Operation.AUDIENCE: AudienceOptions,
    Operation.CONSENT: NoSettings,
    Operation.ERASE: NoSettings,
}

_NAME: Final[Json] = {
    "type": "string",
    "minLength": 1,
    "maxLength": 200,
    # Names that MoEngage keeps for itself, and drops without a word (help.moengage.com 360037314991)
    "not": {"enum": ["id", "_id", "status", "user_id", "source", "INSTALL", "UPDATE", "MOE_GAID", "MOE_ISLAT"]},
}
_TEXT: Final[Json] = {"type": "string"}
_ATTRIBUTES: Final[Json] = {
    "type": "object",
    "propertyNames": _NAME,
    "additionalProperties": {"not": {"type": "object"}},
}


def _object(properties: Json) -> Json:
    return {"type": "object", "properties": properties, "additionalProperties": False}


TARGETS: Final[dict[Operation, Json]] = {
    Operation.PROFILES: _ATTRIBUTES,
    Operation.EVENTS: _object({"attributes": _ATTRIBUTES}),
    Operation.MESSAGES: _object({"email": _TEXT, "mobile": _TEXT, "attributes": _ATTRIBUTES}),
    Operation.AUDIENCE: _object({"cohort_name": _TEXT}),
    Operation.CONSENT: _object({}),
    Operation.ERASE: _object({}),
}
