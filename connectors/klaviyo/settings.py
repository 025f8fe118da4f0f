"""What an operator sets: per account, and per distribution or sync."""

from __future__ import annotations

from typing import Final

from pydantic import BaseModel, Field, SecretStr

from hub.sdk.contract import NoSettings
from hub.sdk.values import Operation


class KlaviyoSettings(BaseModel):
    api_key: SecretStr = Field(
        description="A private API key. Scopes: profiles, events, lists, subscriptions and data-privacy (read and write).",
        examples=["pk_0123456789abcdef"],
    )
    revision: str = Field(
        default="2026-07-15",
        pattern=r"^\d{4}-\d{2}-\d{2}$",
        description="The API revision sent with every call. Klaviyo retires revisions after about two years.",
        examples=["2026-07-15"],
    )
    account_id: str = Field(
        default="",
        description="The account's public key. Connections that name the same account share its rate limits.",
        examples=["AbC123"],
    )
    rate_share: float = Field(
        default=1.0,
        gt=0,
        le=1,
        description="The part of the account's rate limits that the hub may use, if other tools share the account.",
        examples=[0.5],
    )


class CodeOptions(BaseModel):
    code_attribute: str = Field(
        default="incentive_code",
        min_length=1,
        max_length=100,
        description="The property that holds the incentive code; _value, _balance, _expires_at, ... stand beside it.",
        examples=["incentive_code"],
    )


class MessageOptions(CodeOptions):
    metric: str = Field(
        default="Incentive Assigned",
        min_length=1,
        max_length=127,
        description="The metric whose flow sends the message.",
        examples=["Incentive Assigned"],
    )


class AudienceOptions(BaseModel):
    lists: dict[str, str] = Field(
        default={},
        description="List id by audience key, for audiences that are lists in Klaviyo. Any other audience becomes a property "
        "that says true or false.",
        examples=[{"vip": "Y6nRLr"}],
    )


class ConsentOptions(BaseModel):
    list_id: str = Field(
        default="",
        description="The list that people who consent join, with its opt-in process. Never used to unsubscribe. Empty: none.",
        examples=["Y6nRLr"],
    )


OPTIONS: Final[dict[Operation, type[BaseModel]]] = {
    Operation.PROFILES: CodeOptions,
    Operation.EVENTS: NoSettings,
    Operation.MESSAGES: MessageOptions,
    Operation.AUDIENCE: AudienceOptions,
    Operation.CONSENT: ConsentOptions,
    Operation.ERASE: NoSettings,
}
