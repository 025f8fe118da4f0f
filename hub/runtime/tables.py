"""Signs of life of the roles."""

from __future__ import annotations

from sqlalchemy import BigInteger, Index
from sqlmodel import Field, SQLModel


class BeatRow(SQLModel, table=True):
    """The last sign of life of one process of a role. One that stops in good order takes its row away."""

    __tablename__ = "beat"
    __table_args__ = (Index("beat_by_role", "role", "at"),)

    id: str = Field(primary_key=True, max_length=26)
    role: str = Field(max_length=20)
    started_at: int = Field(sa_type=BigInteger)
    at: int = Field(sa_type=BigInteger)


BEAT = BeatRow.__table__  # type: ignore[attr-defined]  # SQLModel adds it to every table class
