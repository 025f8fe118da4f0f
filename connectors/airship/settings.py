"""What an operator sets: per Airship project, and per distribution or sync."""

from __future__ import annotations

from typing import Final, Literal, Self

from pydantic import BaseModel, Field, SecretStr, model_validator

from hub.sdk.contract import NoSettings
from hub.sdk.values import Json, Operation


class AirshipSettings(BaseModel):
    """One Airship project."""

    region: Literal["us", "eu"] = Field(
        default="us",
        description="Where the project lives: eu if its dashboard stands at go.airship.eu. The other region answers 401.",
        examples=["us"],
    )
    app_key: str = Field(
        pattern=r"^[\w-]{22}$",
        description="The project's app key, 22 characters. Connections with the same key share its rate limit.",
        examples=["QGk9sTqAStiHUnwUvcl8gw"],
    )
    credentials: Literal["token", "basic", "oauth"] = Field(
        default="token",
        description="How the hub signs in: token (a bearer token), basic (the master secret) or oauth (a client).",
        examples=["token"],
    )
    token: SecretStr = Field(
        default=SecretStr(""),
        description="For `token`: a bearer token that may use named users, channels, custom events and messages.",
        examples=["MTpRR2s5c1RxQVN0aUhVbndVdmNsOGd3OnRva2Vu"],
    )
    master_secret: SecretStr = Field(
        default=SecretStr(""),
        description="For `basic`: the app master secret, 22 characters. Needed only where tag groups are secured.",
        examples=["s3cr3tOfTheProject-_22"],
    )
    client_id: str = Field(
        default="", description="For `oauth`: the id of the OAuth client.", examples=["0b5c3d70-client"]
    )
    client_secret: SecretStr = Field(
        default=SecretStr(""),
        description="For `oauth`: the secret of the OAuth client, which needs the scopes nu, chn, evt and psh.",
        examples=["oauth-client-secret-0123456789"],
    )
    sms_sender: str = Field(
        default="",
        pattern=r"^\d*$",
        description="The number or short code that text messages come from. Empty: no SMS channels are made.",
        examples=["12345"],
    )
    calls_per_second: int = Field(
        default=20,
        ge=1,
        le=500,
        description="How many calls a second the hub makes at most. Airship's default for a project is 500.",
        examples=[20],
    )

    @model_validator(mode="after")
    def _has_what_it_signs_in_with(self) -> Self:
        needed = {
            "token": {"token": self.token.get_secret_value()},
            "basic": {"master_secret": self.master_secret.get_secret_value()},
            "oauth": {"client_id": self.client_id, "client_secret": self.client_secret.get_secret_value()},
        }
        missing = [name for name, value in needed[self.credentials].items() if not value]
        if missing:
            raise ValueError(f"with credentials={self.credentials}, {' and '.join(missing)} must be set")
        return self


class CodeOptions(BaseModel):
    """How the code is named where one is sent."""

    code_attribute: str = Field(
        default="incentive_code",
        pattern=r"^[a-z][a-z0-9_]{0,79}$",
        description="Name of what holds the code; its value, balance and expiry are named after it.",
        examples=["incentive_code"],
    )


class ProfileOptions(CodeOptions):
    tag_group: str = Field(
        default="hub_flags",
        min_length=1,
        max_length=128,
        description="Tag group for true and false: Airship's attributes know no booleans. Make it in the dashboard.",
        examples=["hub_flags"],
    )


class MessageOptions(CodeOptions):
    """What sends the message."""

    via: Literal["event", "email", "sms"] = Field(
        default="event",
        description="event: a custom event starts an automation or sequence. email, sms: create-and-send, at once.",
        examples=["email"],
    )
    event: str = Field(
        default="incentive_distributed",
        min_length=1,
        max_length=255,
        description="For via=event: the name of the custom event that starts the automation or sequence.",
        examples=["incentive_distributed"],
    )
    template_id: str = Field(
        default="",
        description="For via=email and via=sms: the id of the message template; it shows the code as {{incentive_code}}.",
        examples=["09641749-f288-46e6-8dc6-fae592e8c092"],
    )
    message_type: Literal["commercial", "transactional"] = Field(
        default="commercial",
        description="For via=email: the kind of e-mail, and of the opt-in it needs.",
        examples=["commercial"],
    )
    sender_name: str = Field(
        default="", description="For via=email: the name it comes from.", examples=["Example Shop"]
    )
    sender_address: str = Field(
        default="", description="For via=email: the address it comes from.", examples=["hi@shop.example"]
    )
    reply_to: str = Field(
        default="",
        description="For via=email: where answers go. Empty: to sender_address.",
        examples=["hi@shop.example"],
    )

    @model_validator(mode="after")
    def _has_what_it_sends(self) -> Self:
        needed = {"event": [], "sms": ["template_id"], "email": ["template_id", "sender_name", "sender_address"]}
        missing = [name for name in needed[self.via] if not getattr(self, name)]
        if missing:
            raise ValueError(f"with via={self.via}, {' and '.join(missing)} must be set")
        return self


class AudienceOptions(BaseModel):
    """Where membership shows."""

    tag_group: str = Field(
        default="hub_segments",
        min_length=1,
        max_length=128,
        description="Tag group that holds the audiences. Make it in the dashboard.",
        examples=["hub_segments"],
    )
    tag: str = Field(
        default="", max_length=128, description="The tag of the audience. Empty: the audience's key.", examples=["vip"]
    )


OPTIONS: Final[dict[Operation, type[BaseModel]]] = {
    Operation.PROFILES: ProfileOptions,
    Operation.EVENTS: NoSettings,
    Operation.MESSAGES: MessageOptions,
    Operation.AUDIENCE: AudienceOptions,
    Operation.CONSENT: NoSettings,
    Operation.ERASE: NoSettings,
}

_TEXT: Final[Json] = {"type": "string"}
_LOCALE: Final[Json] = dict.fromkeys(("timezone", "locale_country", "locale_language"), _TEXT)
_OPT_INS: Final = ("commercial", "transactional", "click_tracking", "open_tracking")


def _object(properties: Json) -> Json:
    return {"type": "object", "properties": properties, "additionalProperties": False}


TARGETS: Final[dict[Operation, Json]] = {
    Operation.PROFILES: _object(
        {
            "email_channel": _object(
                {
                    "address": _TEXT,
                    **_LOCALE,
                    **{f"{kind}_opted_{way}": _TEXT for kind in _OPT_INS for way in ("in", "out")},
                }
            ),
            "sms_channel": _object({"msisdn": _TEXT, "opted_in": _TEXT, **_LOCALE}),
            # Attribute types are Text, Number, Date and JSON; `+tags` and `-tags` are lists of flags (dialect)
            "attributes": {"type": "object", "additionalProperties": {"not": {"type": ["boolean", "object"]}}},
        }
    ),
    Operation.EVENTS: _object(
        {
            "value": {"type": "number"},
            **dict.fromkeys(("interaction_type", "interaction_id", "transaction"), _TEXT),
            "properties": {"type": "object"},
        }
    ),
    Operation.MESSAGES: _object(
        {
            "email": _object({"address": _TEXT, "opted_in": _TEXT}),
            "sms": _object({"msisdn": _TEXT, "opted_in": _TEXT}),
            "properties": {"type": "object", "propertyNames": {"not": {"pattern": "^ua_"}}},
        }
    ),
    Operation.AUDIENCE: _object({"tag": _TEXT}),
    Operation.CONSENT: _object({"at": _TEXT}),
    Operation.ERASE: _object({name: {"type": "array", "items": _TEXT} for name in ("emails", "phones")}),
}
