"""Tables of the mapping room."""

from __future__ import annotations

from sqlalchemy import BigInteger, Text
from sqlmodel import Field, SQLModel


class MappingVersionRow(SQLModel, table=True):
    """The content of a mapping, stored once by its hash, so that replay can use the mapping of then."""

    __tablename__ = "mapping_version"

    hash: str = Field(primary_key=True, max_length=64)
    connector: str = Field(max_length=100)
    language: int
    content: str = Field(sa_type=Text)  # the resolved document as JSON, keys in file order
    created_at: int = Field(sa_type=BigInteger)
