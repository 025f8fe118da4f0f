"""Tables of campaigns."""

from __future__ import annotations

from typing import Any

from sqlalchemy import BigInteger, CheckConstraint, Index, String, Text, UniqueConstraint, text
from sqlmodel import Field, SQLModel

CODE_CHARS = 100


def _key(length: int) -> Any:
    # Both engines and Python must sort keys alike (by code point), whatever locale PostgreSQL was made with.
    return String(length).with_variant(String(length, collation="C"), "postgresql")


class CampaignRow(SQLModel, table=True):
    """Where codes come from. `value` and `balance` are the operator's own JSON, handed on and never read."""

    __tablename__ = "campaign"
    __table_args__ = (CheckConstraint("kind IN ('generated', 'imported')"),)

    id: str = Field(primary_key=True, max_length=26)
    name: str = Field(unique=True, max_length=100)
    kind: str = Field(max_length=16)
    pattern: str = Field(default="", max_length=CODE_CHARS)  # '#' stands for one character of the charset
    charset: str = Field(default="", sa_type=Text)
    is_once: bool = True  # a person gets the same code each time
    value: str = Field(default="null", sa_type=Text)  # JSON
    balance: str = Field(default="null", sa_type=Text)  # JSON
    expires_at: int | None = Field(default=None, sa_type=BigInteger)
    valid_s: int | None = Field(default=None, sa_type=BigInteger)  # seconds from publication
    code_count: int = Field(default=0, sa_type=BigInteger)  # codes ever made or imported; the books check it
    created_at: int = Field(sa_type=BigInteger)
    retired_at: int | None = Field(default=None, sa_type=BigInteger)


class CodeRow(SQLModel, table=True):
    """One code. It is unique in the installation, not per campaign: a code seen at a till must name one person."""

    __tablename__ = "code"
    __table_args__ = (
        CheckConstraint("state IN ('free', 'published', 'retired')"),
        CheckConstraint("(state = 'free') = (publication_id IS NULL) OR state = 'retired'", name="code_publication"),
        UniqueConstraint("campaign_id", "holder"),
        Index("code_by_campaign", "campaign_id", "code"),
        Index(
            "code_free",
            "campaign_id",
            "code",
            sqlite_where=text("state = 'free'"),
            postgresql_where=text("state = 'free'"),
        ),
    )

    code: str = Field(primary_key=True, sa_type=_key(CODE_CHARS))
    campaign_id: str = Field(max_length=26, foreign_key="campaign.id")
    state: str = Field(default="free", max_length=16)
    publication_id: str | None = Field(default=None, unique=True, max_length=26)
    holder: str | None = Field(default=None, sa_type=_key(255))  # source_id, in campaigns that give one code a person
    published_at: int | None = Field(default=None, sa_type=BigInteger)
    expires_at: int | None = Field(default=None, sa_type=BigInteger)


CAMPAIGN = SQLModel.metadata.tables["campaign"]
CODE = SQLModel.metadata.tables["code"]
