"""Tables of the registry."""

from __future__ import annotations

from sqlalchemy import BigInteger, CheckConstraint, Text, UniqueConstraint
from sqlmodel import Field, SQLModel


class ConnectionRow(SQLModel, table=True):
    """One configured use of a connector."""

    __tablename__ = "connection"
    __table_args__ = (
        UniqueConstraint("role", "name"),
        CheckConstraint("role IN ('source', 'destination')"),
        CheckConstraint("status IN ('active', 'paused')"),
    )

    id: str = Field(primary_key=True, max_length=26)
    role: str
    connector: str
    name: str = Field(max_length=100)
    source_key: str | None = Field(default=None, unique=True, max_length=64)
    settings: str = Field(default="{}", sa_type=Text)  # JSON, without secrets
    secrets: str = Field(default="", sa_type=Text)  # JSON, sealed by the vault
    hosts: str = Field(default="{}", sa_type=Text)  # JSON: redirected hosts
    mapping: str = Field(default="", max_length=100)  # mapping name; empty: the connector's own
    mapping_patch: str = Field(default="", sa_type=Text)  # YAML that extends it
    mapping_hash: str = Field(default="", max_length=64)  # the active version every role follows
    currency: str = Field(default="USD", max_length=3)
    retry_unknown: bool = False
    status: str = "active"
    paused_reason: str = Field(default="", sa_type=Text)
    paused_routes: str = Field(default="{}", sa_type=Text)  # JSON: route -> why
    version: int = Field(default=1)  # grows with every change; roles watch it
    created_at: int = Field(sa_type=BigInteger)
    updated_at: int = Field(sa_type=BigInteger)
    previous_until: int | None = Field(default=None, sa_type=BigInteger)  # then secrets from before a rotation go


class ApiKeyRow(SQLModel, table=True):
    """An API key: only its keyed hash is kept."""

    __tablename__ = "api_key"

    id: str = Field(primary_key=True, max_length=26)
    name: str = Field(max_length=100)
    hash: str = Field(unique=True, max_length=64)
    created_at: int = Field(sa_type=BigInteger)
    revoked_at: int | None = Field(default=None, sa_type=BigInteger)
