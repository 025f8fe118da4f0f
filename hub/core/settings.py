"""Settings from the environment, all with the prefix HUB_. `hub settings` lists them."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import Field, SecretStr
from pydantic_settings import BaseSettings, SettingsConfigDict


class Settings(BaseSettings):
    """Everything an installation can set. Each field's description is its documentation."""

    model_config = SettingsConfigDict(env_prefix="HUB_", extra="ignore")

    data_dir: Path = Field(
        default=Path("var"), description="Folder of the SQLite files, the generated key and spooled state."
    )
    database_url: str = Field(
        default="", description="PostgreSQL URL of the state database. Empty: SQLite in HUB_DATA_DIR."
    )
    kafka_bootstrap: str = Field(
        default="",
        description="Kafka brokers of the inbox topic, host:port separated by commas. Empty: the inbox is a database.",
    )
    kafka_topic: str = Field(
        default="switchboard-inbox",
        pattern=r"^[A-Za-z0-9._-]{1,80}$",
        description="The inbox topic, of this installation alone; made if it is missing.",
    )
    kafka_group: str = Field(
        default="switchboard-apply", min_length=1, description="Consumer group of the apply roles on PostgreSQL."
    )
    kafka_tls: bool = Field(default=False, description="Whether connections to the inbox's brokers are encrypted.")
    kafka_mechanism: Literal["", "PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"] = Field(
        default="", description="How the hub logs in to the inbox's brokers (SASL). Empty: not at all."
    )
    kafka_user: str = Field(default="", description="Its name at the inbox's brokers, or an API key.")
    kafka_password: SecretStr = Field(default=SecretStr(""), description="Its password, or an API secret.")
    kafka_ca: str = Field(
        default="", description="PEM file of the authority that signed the brokers' certificates. Empty: public ones."
    )
    kafka_certificate: str = Field(default="", description="PEM file of the hub's own certificate, if brokers ask.")
    kafka_certificate_key: str = Field(default="", description="PEM file of that certificate's private key.")
    kafka_partitions: int = Field(default=12, gt=0, description="Partitions of an inbox topic that the hub makes.")
    kafka_replication: int = Field(default=3, gt=0, description="Replicas of an inbox topic that the hub makes.")
    kafka_message_bytes: int = Field(
        default=9_000_000, ge=10_000, description="Largest record of the inbox topic; a larger message gets 413."
    )
    kafka_options: str = Field(
        default="",
        description="More settings of the inbox's Kafka clients, as librdkafka names them: `name=value,name=value`.",
    )
    kafka_allow_unsafe: bool = Field(
        default=False,
        description="Take an inbox topic of which one machine's loss can lose accepted messages (tests, a laptop).",
    )
    secret_key: SecretStr = Field(
        default=SecretStr(""),
        description="Key that encrypts stored secrets. Empty: generated, mode 0600, in HUB_DATA_DIR.",
    )
    host: str = Field(default="127.0.0.1", description="Address the web role listens on.")
    port: int = Field(default=8080, ge=0, le=65535, description="Port the web role listens on.")
    public_url: str = Field(
        default="", description="Origin that senders reach, as in printed webhook URLs. Empty: host and port."
    )
    connectors_path: str = Field(default="", description="Folders of drop-in connectors, separated as in PATH.")
    mappings_path: str = Field(default="", description="Folders of mapping files that win over the bundled ones.")
    allow_private_hosts: bool = Field(
        default=False, description="Let connections reach private addresses (tests, the demo)."
    )
    log_format: str = Field(
        default="console", pattern="^(console|json)$", description="Log lines: `console` or `json`."
    )
    log_level: str = Field(default="INFO", description="Least level that is logged.")
    body_limit: int = Field(default=4_194_304, gt=0, description="Largest request body accepted, in bytes.")
    inflated_limit: int = Field(default=8_388_608, gt=0, description="Largest body after decompression, in bytes.")
    inbox_limit: int = Field(default=1_000_000, gt=0, description="Waiting messages above which senders get 503.")
    import_limit: int = Field(
        default=268_435_456, gt=0, description="Largest file that can be uploaded for an import, in bytes."
    )
    web_threads: int = Field(default=32, gt=0, description="Request threads of one web process.")
    apply_batch: int = Field(default=500, gt=0, description="Messages applied in one transaction at most.")
    seen_days: int = Field(default=30, gt=0, description="Days for which message ids are remembered (once-only).")
    replay_days: int = Field(default=7, gt=0, description="Days for which applied bodies are kept for replay.")
    history_days: int = Field(
        default=90, gt=0, description="Days for which ended deliveries, attempts and sync runs are kept."
    )
    keep_refused: bool = Field(
        default=True, description="Keep the bodies of a few refused requests of each source and minute, for an hour."
    )
    mask_bodies: bool = Field(
        default=False,
        description="Show message bodies, and what they say of people, with every value masked: for those who must not see it.",
    )
    retry_hours: int = Field(default=72, gt=0, description="Hours for which a failing delivery is retried.")

    @property
    def state_url(self) -> str:
        return self.database_url or f"sqlite:///{self.data_dir.absolute()}/hub.db"

    @property
    def inbox_url(self) -> str:
        """The inbox has a SQLite file of its own, so accepting never waits for applying."""
        return self.database_url or f"sqlite:///{self.data_dir.absolute()}/inbox.db"

    @property
    def origin(self) -> str:
        return (self.public_url or f"http://{self.host}:{self.port}").rstrip("/")
