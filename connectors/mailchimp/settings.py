"""What an operator sets: per audience, and per distribution or sync; and which mapped fields Mailchimp takes."""

from __future__ import annotations

from typing import Final, Literal

from pydantic import BaseModel, Field, SecretStr

from hub.sdk.contract import NoSettings
from hub.sdk.values import Json, Operation

TAG: Final = r"^[A-Z][A-Z0-9_]{0,9}$"


class MailchimpSettings(BaseModel):
    """One audience of one Mailchimp account."""

    api_key: SecretStr = Field(
        description="API key of a user who may manage the audience; its end, after the dash, names the data centre.",
        examples=["0123456789abcdef0123456789abcdef-us19"],
    )
    list_id: str = Field(
        pattern=r"^[A-Za-z0-9]{1,40}$",
        description="Audience ID, as Audience settings show it.",
        examples=["a6b5da1054"],
    )
    server: str = Field(
        default="",
        pattern=r"^([a-z]{2,5}[0-9]{1,3})?$",
        description="Data centre, needed only with an OAuth token, which does not name it. Empty: the key's own.",
        examples=[""],
    )
    double_opt_in: bool = Field(
        default=False,
        description="Mailchimp asks people by mail to confirm before they count as subscribed, also where consent was "
        "granted elsewhere.",
        examples=[False],
    )
    status_without_consent: Literal["transactional", "pending", "unsubscribed"] = Field(
        default="transactional",
        description="What new members become whose consent is unknown. transactional: known, never opted in, gets no "
        "marketing.",
        examples=["transactional"],
    )
    source_id_tag: str = Field(
        default="SOURCE_ID",
        pattern=TAG,
        description="Merge tag that holds the hub's source_id, since Mailchimp has no external id.",
        examples=["SOURCE_ID"],
    )
    create_missing: bool = Field(
        default=True,
        description="Add people to the audience whom an event, a code, a tag or a consent concerns and who are not in it.",
        examples=[True],
    )
    erase_by: Literal["delete", "archive"] = Field(
        default="delete",
        description="delete: for good; Mailchimp then never takes the address again by API. archive: it may come back.",
        examples=["delete"],
    )
    parallel: int = Field(
        default=8,
        ge=1,
        le=10,
        description="Calls at once. Mailchimp allows 10 per user, other tools of the same user included.",
        examples=[8],
    )


class CodeOptions(BaseModel):
    """How the code is named where one is sent. A merge tag has at most ten characters."""

    code_attribute: str = Field(
        default="VOUCHER",
        pattern=TAG,
        description="Merge tag that holds the incentive code.",
        examples=["VOUCHER"],
    )
    code_prefix: str = Field(
        default="VOUCH",
        pattern=r"^[A-Z][A-Z0-9_]{0,5}$",
        description="Beginning of the tags beside it: _VAL, _BAL, _EXP and _PUB follow.",
        examples=["VOUCH"],
    )


class MessageOptions(CodeOptions):
    trigger: Literal["event", "journey"] = Field(
        default="event",
        description="What starts the message once the code stands on the member: an event, or a step of a journey.",
        examples=["event"],
    )
    event_name: str = Field(
        default="incentive_assigned",
        pattern=r"^[A-Za-z0-9_-]{2,30}$",
        description="The event's name, for the trigger event.",
        examples=["incentive_assigned"],
    )
    journey_id: str = Field(
        default="",
        pattern=r"^\d*$",
        description="Journey, for the trigger journey; its start shows it.",
        examples=["8"],
    )
    step_id: str = Field(
        default="", pattern=r"^\d*$", description="Step, for the trigger journey; its start shows it.", examples=["42"]
    )


class AudienceOptions(BaseModel):
    tag: str = Field(
        default="",
        max_length=100,
        description="Name of the tag that members carry. Empty: the audience's key.",
        examples=["hub:vip"],
    )


class ConsentOptions(BaseModel):
    marketing_permissions: dict[str, str] = Field(
        default={},
        description="Consent topic to the id of a marketing permission (GDPR field) of the audience.",
        examples=[{"email.newsletter": "c1d2e3f4a5"}],
    )
    interests: dict[str, str] = Field(
        default={},
        description="Consent topic to the id of an interest (a name in a group) of the audience.",
        examples=[{"email.offers": "9f8e7d6c5b"}],
    )


OPTIONS: Final[dict[Operation, type[BaseModel]]] = {
    Operation.PROFILES: CodeOptions,
    Operation.EVENTS: NoSettings,
    Operation.MESSAGES: MessageOptions,
    Operation.AUDIENCE: AudienceOptions,
    Operation.CONSENT: ConsentOptions,
    Operation.ERASE: NoSettings,
}

_TEXT: Final[Json] = {"type": ["string", "null"]}
_MERGE_FIELDS: Final[Json] = {
    "type": "object",
    "propertyNames": {"pattern": TAG},
    "properties": {
        "ADDRESS": {
            "anyOf": [
                {"type": "string", "maxLength": 0},
                {"type": "object", "required": ["addr1", "city", "state", "zip"]},
            ]
        }
    },
    "additionalProperties": {"type": ["string", "number"]},
}
_PROPERTIES: Final[Json] = {"type": "object"}  # the connector writes every value as text

TARGETS: Final[dict[Operation, Json]] = {
    Operation.PROFILES: {
        "type": "object",
        "additionalProperties": False,
        "properties": {
            "email_address": {"type": "string"},
            "merge_fields": _MERGE_FIELDS,
            "language": _TEXT,
            "vip": {"type": "boolean"},
            "email_type": {"enum": ["html", "text"]},
            "interests": {"type": "object", "additionalProperties": {"type": "boolean"}},
        },
    },
    Operation.EVENTS: {"type": "object", "additionalProperties": False, "properties": {"properties": _PROPERTIES}},
    Operation.MESSAGES: {
        "type": "object",
        "additionalProperties": False,
        "properties": {"merge_fields": _MERGE_FIELDS, "properties": _PROPERTIES},
    },
    Operation.AUDIENCE: {"type": "object", "additionalProperties": False, "properties": {"tag": _TEXT}},
    Operation.CONSENT: {"type": "object", "additionalProperties": False, "properties": {}},
    Operation.ERASE: {
        "type": "object",
        "additionalProperties": False,
        "properties": {"emails": {"type": "array", "items": {"type": "string"}}},
    },
}
