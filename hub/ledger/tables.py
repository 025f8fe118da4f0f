"""Tables of the ledger. Ids sort by time, so the primary key is also the order of the sync log."""

from __future__ import annotations

from sqlalchemy import BigInteger, CheckConstraint, Index, Text, text
from sqlmodel import Field, SQLModel


class SyncRunRow(SQLModel, table=True):
    """One batch applied, one distribution occasion, one request delivered, or one file imported."""

    __tablename__ = "sync_run"
    __table_args__ = (
        CheckConstraint("kind IN ('apply', 'occasion', 'request', 'import', 'mapping')"),
        CheckConstraint("result IN ('ok', 'partial', 'failed')"),
        Index("sync_run_by_connection", "connection_id", "id"),
        Index("sync_run_by_distribution", "distribution_id", "id"),
        Index("sync_run_by_age", "started_at"),
    )

    id: str = Field(primary_key=True, max_length=26)
    kind: str = Field(max_length=16)
    connection_id: str | None = Field(default=None, max_length=26)
    distribution_id: str | None = Field(default=None, max_length=26)
    started_at: int = Field(sa_type=BigInteger)
    duration_us: int = Field(sa_type=BigInteger)
    counts: str = Field(default="{}", sa_type=Text)  # JSON: name -> number
    result: str = Field(max_length=16)
    detail: str = Field(default="", sa_type=Text)


class AttemptRow(SQLModel, table=True):
    """One try at a batch. `outcome` is 'open' from the moment before sending until the answer is stored."""

    __tablename__ = "attempt"
    __table_args__ = (
        Index("attempt_by_run", "run_id"),
        Index("attempt_by_age", "started_at"),
        Index(
            "attempt_open",
            "connection_id",
            sqlite_where=text("outcome = 'open'"),
            postgresql_where=text("outcome = 'open'"),
        ),
    )

    id: str = Field(primary_key=True, max_length=26)
    run_id: str | None = Field(default=None, max_length=26, foreign_key="sync_run.id")
    connection_id: str = Field(max_length=26)
    route: str = Field(max_length=100)
    number: int
    is_manual: bool = False
    started_at: int = Field(sa_type=BigInteger)
    ended_at: int | None = Field(default=None, sa_type=BigInteger)
    status: int | None = None  # of HTTP; null where no answer came
    outcome: str = Field(default="open", max_length=32)
    request: str = Field(default="", sa_type=Text)  # masked, truncated
    response: str = Field(default="", sa_type=Text)  # masked, truncated


class AttemptRecordRow(SQLModel, table=True):
    """What an attempt meant for one delivery."""

    __tablename__ = "attempt_record"
    __table_args__ = (
        Index("attempt_record_by_delivery", "delivery_id", "attempt_id"),
        {"sqlite_with_rowid": False},  # the key is the row: one tree less to write per delivery
    )

    attempt_id: str = Field(primary_key=True, max_length=26, foreign_key="attempt.id")
    delivery_id: str = Field(primary_key=True, max_length=26)
    outcome: str = Field(max_length=32)
    reason: str = Field(default="", sa_type=Text)


class AuditRow(SQLModel, table=True):
    """Who did what: operators' changes, replays, erasures (under the tombstone's hash, never the id)."""

    __tablename__ = "audit"

    id: str = Field(primary_key=True, max_length=26)
    at: int = Field(sa_type=BigInteger, index=True)
    actor: str = Field(max_length=100)
    action: str = Field(max_length=100)
    subject: str = Field(max_length=300)
    detail: str = Field(default="{}", sa_type=Text)  # JSON


class LedgerTotalRow(SQLModel, table=True):
    """Rows that retention removed, still counted: the equations add these to what is stored."""

    __tablename__ = "ledger_total"

    term: str = Field(primary_key=True, max_length=32)
    reason: str = Field(primary_key=True, max_length=100)
    count: int = Field(sa_type=BigInteger)


RUN = SQLModel.metadata.tables["sync_run"]
ATTEMPT = SQLModel.metadata.tables["attempt"]
RECORD = SQLModel.metadata.tables["attempt_record"]
AUDIT = SQLModel.metadata.tables["audit"]
TOTAL = SQLModel.metadata.tables["ledger_total"]
