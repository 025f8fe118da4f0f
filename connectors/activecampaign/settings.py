"""What an operator sets: per ActiveCampaign account, and per distribution or sync."""

from __future__ import annotations

from typing import Final

from pydantic import BaseModel, Field, SecretStr

from hub.sdk.contract import NoSettings
from hub.sdk.values import Json, Operation

STANDARD: Final = ("email", "firstName", "lastName", "phone")
"""Attributes of a contact; every other field is a custom one, by personalisation tag (sync-a-contacts-data)."""


class ActiveCampaignSettings(BaseModel):
    """One ActiveCampaign account."""

    base_url: str = Field(
        pattern=r"^https?://",
        description="API URL of the account, as Settings > Developer shows it; with or without /api/3 at its end.",
        examples=["https://example.api-us1.com"],
    )
    api_token: SecretStr = Field(
        description="API key of a user who may manage contacts, tags, lists and custom fields.",
        examples=["0123456789abcdef0123456789abcdef"],
    )
    event_actid: str = Field(
        default="",
        description="Account number (actid) of event tracking. Empty: no events can be sent.",
        examples=["25123456"],
    )
    event_key: SecretStr = Field(
        default=SecretStr(""),
        description="Event key, shown beside the account number under Website > Site Tracking > Event tracking.",
        examples=["89abcdef0123456789abcdef01234567"],
    )
    default_list_id: str = Field(
        default="",
        pattern=r"^\d*$",
        description="Id of the list that stands for the consent `email`. Empty: each consent sync names its list.",
        examples=["4"],
    )


class CodeOptions(BaseModel):
    """How the custom fields of a code are named."""

    code_attribute: str = Field(
        default="INCENTIVE_CODE",
        pattern=r"^[A-Za-z0-9_]{1,80}$",
        description="Personalisation tag of the custom field that holds the code; value, expiry and others stand beside it.",
        examples=["INCENTIVE_CODE"],
    )


class EventOptions(BaseModel):
    """What is done where an event does not fit into ActiveCampaign's."""

    eventdata_chars: int = Field(
        default=255,
        ge=0,
        le=100_000,
        description="Longest `eventdata`. Properties that do not fit are left out, the last first, with a notice.",
        examples=[255],
    )
    max_age_hours: int = Field(
        default=72,
        ge=1,
        description="Older events are refused: ActiveCampaign dates an event by its arrival.",
        examples=[72],
    )


class MessageOptions(CodeOptions):
    """What starts the message once the code stands on the contact."""

    start: str = Field(
        pattern=r"^(field|automation:\d+|tag:.+|event:.{1,32})$",
        description="What starts the message: `automation:` and its id, `tag:` and a tag to add, `event:` and an event to "
        "track, or `field` for automations that begin when the code's field changes.",
        examples=["automation:42"],
    )


class AudienceOptions(BaseModel):
    """Which tag stands for the audience."""

    tag: str = Field(
        default="",
        description="Tag that members of the audience carry. Empty: `segment:` and the audience's key.",
        examples=["segment:vip"],
    )


class ConsentOptions(BaseModel):
    """Which list stands for the consent, and what a granted one may undo."""

    list_id: str = Field(
        default="",
        pattern=r"^\d*$",
        description="Id of the list that stands for the consent `email`. Empty: default_list_id of the connection.",
        examples=["4"],
    )
    resubscribe: bool = Field(
        default=False,
        description="Whether a granted consent may subscribe somebody who unsubscribed in ActiveCampaign.",
        examples=[False],
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
_NAMES: Final[Json] = {"propertyNames": {"pattern": r"^[A-Za-z0-9_]+$"}}


def _closed(properties: Json) -> Json:
    return {"type": "object", "properties": properties, "additionalProperties": False}


TARGETS: Final[dict[Operation, Json]] = {
    Operation.PROFILES: {"type": "object", "properties": dict.fromkeys(STANDARD, _TEXT), **_NAMES},
    Operation.EVENTS: _closed({"eventdata": {}}),
    Operation.MESSAGES: {"type": "object", **_NAMES},
    Operation.AUDIENCE: _closed({"tag": {"type": "string", "minLength": 1}}),
    Operation.CONSENT: _closed({"list_id": {"type": "string", "pattern": r"^\d+$"}, "status": {"enum": ["1", "2"]}}),
    Operation.ERASE: _closed({"emails": {"type": "array", "items": {"type": "string"}}}),
}
"""Mapped fields by operation. Profiles and messages: standard attributes, and custom fields by personalisation tag or id."""
