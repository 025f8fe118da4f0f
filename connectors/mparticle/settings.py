"""The secrets of mParticle's doors. Nothing it sends is signed, so each door needs at least one of them."""

from __future__ import annotations

from ipaddress import ip_network

from pydantic import BaseModel, Field, SecretStr, field_validator, model_validator

from connectors.mparticle.signing import belongs, private_key


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
        description="Networks that may send; any other address is refused. Empty: any.",
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
        description="The domain under which this hub answers OpenDSR requests as a processor: in discovery and in the "
        "X-OpenDSR-Processor-Domain header.",
        examples=["hub.example.com"],
    )
    opendsr_controller_id: str = Field(
        default="",
        description="What the hub calls whoever sends OpenDSR requests, in its answers. Empty: opendsr_domain.",
        examples=["example-controller"],
    )
    opendsr_private_key: SecretStr | None = Field(
        default=None,
        description="The RSA key, PEM without a passphrase, that OpenDSR answers and callbacks are signed with. Empty: "
        "they are not signed.",
        examples=[""],
    )
    opendsr_certificate: str = Field(
        default="",
        description="The certificate of that key with its chain, PEM, by a public authority and for opendsr_domain; served "
        "at /opendsr/certificate.",
        examples=[""],
    )
    opendsr_certificate_url: str = Field(
        default="",
        description="Where discovery says the certificate is to be had: this source's URL with /opendsr/certificate, on "
        "opendsr_domain.",
        examples=["https://hub.example.com/in/SOURCE-KEY/opendsr/certificate"],
    )
    opendsr_callback_origins: list[str] = Field(
        default=[],
        description="Origins that status callbacks may go to, letter by letter. Empty: any https URL with a public address.",
        examples=[["https://opendsr.mparticle.com"]],
    )
    opendsr_wait_hours: int = Field(
        default=0,
        ge=0,
        le=336,
        description="For how many hours an OpenDSR request waits, and can be withdrawn, before it is carried out. A request "
        "may skip that.",
        examples=[24],
    )

    @field_validator("allowed_networks")
    @classmethod
    def _are_networks(cls, value: list[str]) -> list[str]:
        for one in value:
            ip_network(one)
        return value

    @model_validator(mode="after")
    def _key_and_certificate_fit(self) -> MParticleSettings:
        key = self.opendsr_private_key.get_secret_value() if self.opendsr_private_key else ""
        if not key:
            return self
        if not self.opendsr_domain:
            raise ValueError("answers can be signed only for a domain; set opendsr_domain")
        if self.opendsr_certificate and not belongs(private_key(key), self.opendsr_certificate):
            raise ValueError("opendsr_certificate is not that of opendsr_private_key")
        private_key(key)
        return self
