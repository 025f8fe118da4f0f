"""What an operator sets: per Wyng account, and per sync."""

from __future__ import annotations

from typing import Final, Self

from pydantic import BaseModel, Field, SecretStr, model_validator

from connectors.wyng.model import DEFAULT, DataModel
from hub.sdk.contract import NoSettings
from hub.sdk.values import Json, Operation


class WyngSettings(BaseModel):
    """One Wyng account with Wyng Profiles. Wyng prints neither host nor bodies publicly, so both can be set."""

    base_url: str = Field(
        pattern=r"^https?://",
        description="Base URL of the Profiles API, as Wyng gives it to you; without a path, /api/v1/consumer is meant.",
        examples=["https://profiles.example.com/api/v1/consumer"],
    )
    access_token: SecretStr = Field(
        description="The private access token from Profiles > For Developers. Never the public one.",
        examples=["private-0123456789abcdef"],
    )
    data_model: str = Field(
        default=DEFAULT,
        description="The active fields of your data model, as `id:type` with spaces between; types are text, date, bool, "
        "num and set. What stands nowhere here is not sent.",
        examples=["customer_id:text email:text phone:text first_name:text dob:date segments:set consent_email:bool"],
    )
    key_fields: str = Field(
        default="customer_id email phone",
        description="The key fields of your data model, with spaces between. The first one holds the source_id.",
        examples=["customer_id email phone"],
    )
    upsert_path: str = Field(
        default="/profiles/upsert",
        pattern="^/",
        description="Path of the upsert, below base_url.",
        examples=["/profiles/upsert"],
    )
    delete_path: str = Field(
        default="/profiles/{id}",
        pattern=r"^/.*\{id\}",
        description="Path of the deletion, below base_url; {id} becomes Wyng's profile id.",
        examples=["/profiles/{id}"],
    )
    keys_name: str = Field(
        default="keys", min_length=1, description="Name of the body's object that identifies.", examples=["keys"]
    )
    fields_name: str = Field(
        default="fields", min_length=1, description="Name of the body's object with values.", examples=["fields"]
    )
    sets_name: str = Field(
        default="sets", min_length=1, description="Name of the body's object that changes sets.", examples=["sets"]
    )
    calls_per_minute: int = Field(
        default=60, ge=1, description="Calls in a minute. Wyng publishes no limit; ask for yours.", examples=[60]
    )

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        model = DataModel.read(self.data_model)
        keys = self.key_fields.split()
        if not keys:
            raise ValueError("key_fields must name at least the field of the source_id")
        strangers = [name for name in keys if name not in model.kinds]
        if strangers:
            raise ValueError(f"key_fields names {', '.join(strangers)}, which data_model does not have")
        return self


class ProfileOptions(BaseModel):
    """How the fields of a code are named."""

    code_attribute: str = Field(
        default="incentive_code",
        pattern=r"^\w{1,100}$",
        description="Field that holds the code; value, expiry and others are named after it.",
        examples=["incentive_code"],
    )


class AudienceOptions(BaseModel):
    """Where memberships stand."""

    set_field: str = Field(
        default="segments",
        min_length=1,
        description="Field of type set that holds the keys of the audiences a person is in.",
        examples=["segments"],
    )


class ConsentOptions(BaseModel):
    """Where a consent stands."""

    field: str = Field(
        default="",
        description="Field of type bool that holds the consent. Empty: `consent_` and the topic, as the mapping says.",
        examples=["consent_email"],
    )


OPTIONS: Final[dict[Operation, type[BaseModel]]] = {
    Operation.PROFILES: ProfileOptions,
    Operation.AUDIENCE: AudienceOptions,
    Operation.CONSENT: ConsentOptions,
    Operation.ERASE: NoSettings,
}

TARGETS: Final[dict[Operation, Json]] = {
    Operation.PROFILES: {"type": "object", "propertyNames": {"pattern": r"^\w+$"}},
    Operation.AUDIENCE: {
        "type": "object",
        "properties": {"value": {"type": "string", "minLength": 1}},
        "additionalProperties": False,
    },
    Operation.CONSENT: {
        "type": "object",
        "properties": {"field": {"type": "string", "minLength": 1}},
        "additionalProperties": False,
    },
    Operation.ERASE: {"type": "object"},
}
"""Mapped fields by operation. Profiles: values by field id. Audience: `value`, the word in the set. Consent: `field`."""
