"""What an operator sets: per workspace, and per distribution or sync."""

from __future__ import annotations

from typing import Final, Literal

from pydantic import BaseModel, Field, SecretStr

from hub.sdk.values import Json, Operation


class BrazeSettings(BaseModel):
    """One Braze workspace."""

    base_url: str = Field(
        pattern=r"^https?://",
        description="REST endpoint of your instance, as the dashboard shows it under Settings, APIs and Identifiers.",
        examples=["https://rest.fra-01.braze.eu"],
    )
    api_key: SecretStr = Field(
        description="REST API key with the permissions users.track, users.delete, campaigns.trigger.send, "
        "canvas.trigger.send and subscription.status.set.",
        examples=["01234567-89ab-cdef-0123-456789abcdef"],
    )
    objects_per_call: int = Field(
        default=75,
        ge=1,
        le=75,
        description="Objects in one call to /users/track. 75 for most contracts; 50 for Monthly Active Users CY 24-25.",
        examples=[75],
    )
    bulk: bool = Field(
        default=False,
        description="Send 200 and more waiting profiles and events in calls of up to 1,000 to /users/track/bulk. Early access: "
        "ask Braze, and give the key the permission users.track.bulk.",
        examples=[False],
    )
    update_existing_only: bool = Field(
        default=False,
        description="Never create a Braze user: profiles and events of people Braze does not know have no effect there.",
        examples=[False],
    )
    app_id: str = Field(
        default="",
        description="App identifier to put on events and purchases, for reports per app. Empty: none.",
        examples=["8ccd0b6c-0000-4000-8000-demo0000app1"],
    )


class CodeOptions(BaseModel):
    """How the code is named where one is sent."""

    code_attribute: str = Field(
        default="incentive_code",
        pattern=r"^[^$].{0,200}$",
        description="Name of what holds the code; its value, balance and expiry are named after it.",
        examples=["incentive_code"],
    )


class ProfileOptions(CodeOptions):
    """Only the name of the code, if the distribution publishes one."""


class EventOptions(BaseModel):
    """Nothing to set."""


class MessageOptions(CodeOptions):
    """What is triggered."""

    campaign_id: str = Field(
        min_length=1,
        description="API identifier of the API-triggered campaign, or of the Canvas, that sends the message.",
        examples=["3f9c27d4-0000-4000-8000-campaign0001"],
    )
    kind: Literal["campaign", "canvas", "transactional"] = Field(
        default="campaign",
        description="What the identifier names: an API-triggered campaign, a Canvas, or a transactional campaign. Only the "
        "last drops a message that is sent twice; it needs a package of its own.",
        examples=["campaign"],
    )
    create_missing: bool = Field(
        default=True,
        description="Create people Braze does not know, with their e-mail and phone. Otherwise Braze leaves them out "
        "without a word.",
        examples=[True],
    )


class AudienceOptions(BaseModel):
    """Braze has no lists to write: a membership is an attribute."""

    attribute: str = Field(
        default="",
        pattern=r"^([^$].{0,254})?$",
        description="The custom attribute that says true or false. Empty: the audience's own key.",
        examples=["in_big_spenders"],
    )


class ConsentOptions(BaseModel):
    """E-mail and push have a global state; other topics are subscription groups."""

    groups: dict[str, str] = Field(
        default={},
        description="Subscription group by topic, such as sms or email.newsletter, each with its API identifier.",
        examples=[{"sms": "8ccd0b6c-0000-4000-8000-group000sms1"}],
    )


class EraseOptions(BaseModel):
    """Nothing to set."""


OPTIONS: Final[dict[Operation, type[BaseModel]]] = {
    Operation.PROFILES: ProfileOptions,
    Operation.EVENTS: EventOptions,
    Operation.MESSAGES: MessageOptions,
    Operation.AUDIENCE: AudienceOptions,
    Operation.CONSENT: ConsentOptions,
    Operation.ERASE: EraseOptions,
}

_NAME: Final[Json] = {"type": "string", "maxLength": 255, "pattern": r"^[^$]"}  # objects_filters/event_object.md
_PURCHASE: Final[Json] = {"type": "object", "required": ["product_id", "currency", "price"]}  # purchase_object.md

TARGETS: Final[dict[Operation, Json]] = {
    Operation.PROFILES: {"type": "object", "propertyNames": _NAME},
    Operation.EVENTS: {
        "type": "object",
        "properties": {
            # `time` and `event_name` are reserved: they fail the call (objects_filters/event_object.md)
            "properties": {"type": "object", "propertyNames": {**_NAME, "not": {"enum": ["time", "event_name"]}}},
            "purchases": {"type": "array", "items": _PURCHASE},
        },
        "additionalProperties": False,
    },
    Operation.MESSAGES: {
        "type": "object",
        "properties": {
            "trigger_properties": {"type": "object"},
            "attributes": {"type": "object", "propertyNames": _NAME},
        },
        "additionalProperties": False,
    },
    Operation.AUDIENCE: {"type": "object", "propertyNames": _NAME},
    Operation.CONSENT: {
        "type": "object",
        "properties": {
            name: {"type": "string"} for name in ("email_subscribe", "push_subscribe", "subscription_state")
        },
        "additionalProperties": False,
    },
    Operation.ERASE: {"type": "object"},
}
"""Mapped fields by operation. Profiles: attributes by name. Events: `properties`, or `purchases` in their stead.
Messages: `trigger_properties` (a Canvas gets them as its context) and attributes to write before sending. Consent: the global
state of a channel, or the `subscription_state` of a group."""
