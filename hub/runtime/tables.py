"""The heartbeats of the roles."""

from __future__ import annotations

from sqlalchemy import BigInteger, Index, Text
from sqlmodel import Field, SQLModel


class HeartbeatRow(SQLModel, table=True):
    """The last heartbeat of one process of a role. One that stops in good order takes its row away."""

    __tablename__ = "heartbeat"
    __table_args__ = (Index("heartbeat_by_role", "role", "at"),)

    id: str = Field(primary_key=True, max_length=26)
    role: str = Field(max_length=20)
    started_at: int = Field(sa_type=BigInteger)
    at: int = Field(sa_type=BigInteger)
    report: str = Field(default="{}", sa_type=Text)  # JSON: what the process has; see process/report


HEARTBEAT = HeartbeatRow.__table__  # type: ignore[attr-defined]  # SQLModel adds it to every table class
