"""The secrets of mParticle's doors. Nothing it sends is signed, so each door needs at least one of them."""

from __future__ import annotations

from ipaddress import ip_network

from pydantic import BaseModel, Field, SecretStr, field_validator


class MParticleSettings(BaseModel):
    """What mParticle presents. Everything that is set must fit; each secret has a predecessor for a change without loss."""

    authorization: SecretStr | None = Field(
        default=None,
        description="The value of the Authorization header as entered in mParticle's webhook output (any scheme), or "
        "`Token ...` of a Firehose integration.",
        examples=["Bearer example-token"],
        json_schema_extra={"generate": True},
    )
    previous_authorization: SecretStr | None = Field(
        default=None,
        description="The Authorization value before the last change; keep it until mParticle uses the new one.",
        examples=["Bearer old-token"],
    )
    url_secret: SecretStr | None = Field(
        default=None,
        description="A secret in the URL, as ?secret=, where no header can be set.",
        examples=["example-url-secret"],
    )
    previous_url_secret: SecretStr | None = Field(
        default=None,
        description="The secret in the URL before the last change.",
        examples=["old-url-secret"],
    )
    api_key: str = Field(
        default="",
        description="The key with which clients of the Events API (/v2/events, /v2/bulkevents) sign in here by HTTP Basic.",
        examples=["us1-example-key"],
    )
    api_secret: SecretStr | None = Field(
        default=None,
        description="The secret that goes with api_key.",
        examples=["example-api-secret"],
        json_schema_extra={"generate": True},
    )
    previous_api_secret: SecretStr | None = Field(
        default=None,
        description="The secret of api_key before the last change.",
        examples=["old-api-secret"],
    )
    allowed_networks: list[str] = Field(
        default=[],
        description="Networks that may send; any other address is refused. Empty: any..",
        examples=[["203.0.113.0/24"]],
    )
    max_bytes: int = Field(
        default=262_144,
        ge=1_024,
        le=10_485_760,
        description="The largest request of the Events API in bytes; mParticle itself takes 256 KB.",
        examples=[262_144],
    )
    opendsr_domain: str = Field(
        default="",
        description="The domain under which this hub answers OpenDSR requests as a processor, for its discovery page.",
        examples=["hub.example.com"],
    )

    @field_validator("allowed_networks")
    @classmethod
    def _are_networks(cls, value: list[str]) -> list[str]:
        for one in value:
            ip_network(one)
        return value
