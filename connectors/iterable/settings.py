"""What an operator sets: per project, and per distribution or sync; and which mapped fields Iterable takes."""

from __future__ import annotations

from typing import Final, Literal

from pydantic import BaseModel, Field, SecretStr, model_validator

from hub.sdk.contract import NoSettings
from hub.sdk.values import Json, Operation

EVENT: Final = "event"
Via = Literal["event", "email", "sms", "push", "in_app", "journey"]


class IterableSettings(BaseModel):
    """One Iterable project."""

    api_key: SecretStr = Field(
        description="A server-side API key of the project, without JWT.", examples=["0123456789abcdef0123456789abcdef"]
    )
    region: Literal["us", "eu"] = Field(
        default="us", description="The data center of the project: us or eu.", examples=["eu"]
    )
    project_type: Literal["email", "userid", "hybrid"] = Field(
        description="How the project identifies users: email, userid or hybrid. Fixed when the project was made.",
        examples=["userid"],
    )
    create_new_fields: bool = Field(
        default=True,
        description="Let Iterable create profile and event fields that it does not know. Otherwise it drops them.",
        examples=[True],
    )
    merge_nested_objects: bool = Field(
        default=False,
        description="Merge objects inside a profile key by key instead of replacing them.",
        examples=[False],
    )
    calls_per_s: int = Field(
        default=50,
        ge=1,
        le=500,
        description="Calls per second for purchases, for messages to one person and for consents, each; Iterable "
        "states no limit for them.",
        examples=[50],
    )
    list_calls_per_s: int = Field(
        default=5,
        ge=1,
        le=100,
        description="Calls per second for lists and for triggering journeys, each; Iterable states no limit for them.",
        examples=[5],
    )


class CodeOptions(BaseModel):
    """How the code is named where one is sent."""

    code_attribute: str = Field(
        default="incentive_code",
        pattern=r"^[A-Za-z][A-Za-z0-9_]{0,99}$",
        description="Name of the field that holds the code; its value, balance and expiry are named after it.",
        examples=["incentive_code"],
    )


class MessageOptions(CodeOptions):
    """How the message is sent."""

    via: Via = Field(
        default=EVENT,
        description="event: record an event that starts a journey. journey: trigger a journey. email, sms, push or "
        "in_app: send a campaign to one person.",
        examples=["event"],
    )
    event_name: str = Field(
        default="incentive_assigned",
        min_length=1,
        max_length=255,
        description="With via=event: the event that starts the journey.",
        examples=["incentive_assigned"],
    )
    campaign_id: int = Field(
        default=0, ge=0, description="With via=email, sms, push or in_app: the triggered campaign.", examples=[456789]
    )
    workflow_id: int = Field(default=0, ge=0, description="With via=journey: the journey.", examples=[91234])
    allow_repeats: bool = Field(
        default=True,
        description="With a campaign: whether Iterable may send it to a person who has had it before.",
        examples=[True],
    )

    @model_validator(mode="after")
    def _has_target(self) -> MessageOptions:
        if self.via == "journey" and not self.workflow_id:
            raise ValueError("via=journey needs workflow_id")
        if self.via not in (EVENT, "journey") and not self.campaign_id:
            raise ValueError(f"via={self.via} needs campaign_id")
        return self


class ConsentOptions(BaseModel):
    """Where consents go."""

    topics: dict[str, str] = Field(
        default={},
        description="Topic of the hub to Iterable's subscription group: messageChannel, messageType or emailList, a "
        "slash, and its id.",
        examples=[{"email": "messageChannel/101", "email.news": "messageType/202"}],
    )


class EraseOptions(BaseModel):
    """How a person is erased."""

    forget: bool = Field(
        default=True,
        description="Forget: delete the person and refuse their data for ever (1,000 a day). Otherwise only delete.",
        examples=[True],
    )


OPTIONS: Final[dict[Operation, type[BaseModel]]] = {
    Operation.PROFILES: CodeOptions,
    Operation.EVENTS: NoSettings,
    Operation.MESSAGES: MessageOptions,
    Operation.AUDIENCE: NoSettings,
    Operation.CONSENT: ConsentOptions,
    Operation.ERASE: EraseOptions,
}

READ_ONLY: Final = ("itblInternal", "itblDS", "itblUserId", "profileUpdatedAt", "receivedSMSDisclaimer")
"""Fields that Iterable manages (support.iterable.com 217744303)."""
_FIELDS: Final[Json] = {"type": "object", "propertyNames": {"not": {"enum": list(READ_ONLY)}}}
_ITEM: Final[Json] = {"type": "object", "required": ["id", "name", "price", "quantity"]}

TARGETS: Final[dict[Operation, Json]] = {
    Operation.PROFILES: _FIELDS,
    Operation.EVENTS: {
        "type": "object",
        "properties": {
            "dataFields": {"type": "object"},
            "campaignId": {"type": "integer"},
            "templateId": {"type": "integer"},
            "items": {"type": "array", "items": _ITEM},
            "total": {"type": "number"},
            "id": {"type": "string"},
        },
        "additionalProperties": False,
    },
    Operation.MESSAGES: {
        "type": "object",
        "properties": {"dataFields": {"type": "object"}},
        "additionalProperties": False,
    },
    Operation.AUDIENCE: {
        "type": "object",
        "properties": {"static_list": {"type": ["string", "integer"]}},
        "additionalProperties": False,
    },
    Operation.CONSENT: {
        "type": "object",
        "properties": {"subscription": {"type": "string"}},
        "additionalProperties": False,
    },
    Operation.ERASE: {
        "type": "object",
        "properties": {"emails": {"type": "array", "items": {"type": "string"}}},
        "additionalProperties": False,
    },
}
"""Mapped fields by operation. Profiles: `dataFields` by name. Events: `dataFields`, the campaign and template they are
credited to, or with `items` and `total` a purchase.
Audience: `static_list`, a name or an id. Consent: `subscription`, group and id."""
