"""How far the imports of files have come."""

from __future__ import annotations

from sqlalchemy import BigInteger, CheckConstraint, Index, Text, UniqueConstraint
from sqlmodel import Field, SQLModel


class ImportFileRow(SQLModel, table=True):
    """One file that is imported into one source or campaign; the same file again takes up the same row.

    `position` counts rows that were taken: an import that was cut off goes on behind it. `at` is the time of rows that
    state none: it stays what it was at the first start, so that a repetition changes nothing.
    """

    __tablename__ = "import_file"
    __table_args__ = (
        CheckConstraint("state IN ('open', 'done', 'failed')"),
        UniqueConstraint("hash", "kind", "target", "reading"),
        Index("import_file_by_state", "state"),
    )

    id: str = Field(primary_key=True, max_length=26)
    kind: str = Field(max_length=16)
    name: str = Field(max_length=255)  # of the file, without its folder
    hash: str = Field(max_length=64)  # SHA-256 of its bytes
    target: str = Field(max_length=26)  # the connection or the campaign
    reading: str = Field(max_length=64)  # hash of how it is read: delimiter, encoding, columns
    options: str = Field(default="{}", sa_type=Text)  # JSON: what an import that goes on by itself needs
    state: str = Field(max_length=8)
    position: int = Field(default=0, sa_type=BigInteger)
    errors_size: int = Field(default=0, sa_type=BigInteger)  # bytes of the file of rejected rows up to the position
    counts: str = Field(default="{}", sa_type=Text)  # JSON: name -> number
    detail: str = Field(default="", sa_type=Text)
    actor: str = Field(max_length=100)
    run_id: str | None = Field(default=None, max_length=26)  # its entry in the sync log, once it has ended
    at: int = Field(sa_type=BigInteger)
    started_at: int = Field(sa_type=BigInteger)
    updated_at: int = Field(sa_type=BigInteger)


IMPORT = ImportFileRow.__table__  # type: ignore[attr-defined]  # SQLModel adds it to every table class
