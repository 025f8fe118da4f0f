from __future__ import annotations

import pytest
from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Engine,
    Integer,
    MetaData,
    String,
    Table,
    Text,
    select,
)
from sqlalchemy.exc import IntegrityError

from hub.core.bulk import insert_many, update_many
from hub.core.database import read, write

THING = Table(
    "thing",
    MetaData(),
    Column("id", String(40, collation="C").with_variant(String(40), "sqlite"), primary_key=True),
    Column("at", BigInteger),
    Column("number", Integer),
    Column("is_good", Boolean, nullable=False, default=True),
    Column("words", Text, nullable=False),
)


@pytest.fixture
def things(engine: Engine) -> Engine:
    THING.create(engine)
    return engine


def thing(key: str, **more: object) -> dict[str, object]:
    return {"id": key, "at": 2**60, "number": -1, "is_good": False, "words": "plain", **more}


def stored(engine: Engine) -> list[tuple[object, ...]]:
    with read(engine) as connection:
        return [tuple(row) for row in connection.execute(select(THING).order_by(THING.c.id))]


def test_every_kind_of_value_comes_back_as_it_was_given(things: Engine):
    rows = [
        thing("a", words="Žluťoučký 🐴 \"quoted\" \\ back\nslash {curly,braces} NULL 'x' %s :p ?"),
        thing("b", at=None, number=None, words=""),
        thing("c", at=-(2**62), number=0, is_good=True, words='{"json": [1, null]}'),
    ]
    with write(things) as connection:
        insert_many(connection, THING, rows)
    assert stored(things) == [tuple(row.values()) for row in rows]


def test_nothing_is_nothing(things: Engine):
    with write(things) as connection:
        insert_many(connection, THING, [])
        update_many(connection, THING, ["id"], [])
    assert stored(things) == []


def test_a_column_left_out_has_its_default(things: Engine):
    with write(things) as connection:
        insert_many(connection, THING, [{"id": "a", "words": "w"}, {"id": "b", "words": "w"}])
    assert stored(things) == [("a", None, None, True, "w"), ("b", None, None, True, "w")]


def test_a_conflict_is_refused_left_or_replaced_as_asked(things: Engine):
    with write(things) as connection:
        insert_many(connection, THING, [thing("a"), thing("b")])
    with pytest.raises(IntegrityError), write(things) as connection:
        insert_many(connection, THING, [thing("c"), thing("a")])
    with write(things) as connection:
        insert_many(connection, THING, [thing("a", words="new"), thing("c")], "ON CONFLICT DO NOTHING")
        insert_many(
            connection, THING, [thing("b", words="new", at=1)], "ON CONFLICT (id) DO UPDATE SET words = excluded.words"
        )
    assert [(row[0], row[1], row[4]) for row in stored(things)] == [
        ("a", 2**60, "plain"),
        ("b", 2**60, "new"),
        ("c", 2**60, "plain"),
    ]


def test_an_update_changes_only_the_rows_and_columns_it_names(things: Engine):
    with write(things) as connection:
        insert_many(connection, THING, [thing("a"), thing("b"), thing("c")])
        update_many(
            connection, THING, ["id"], [{"id": "a", "at": None, "words": "x"}, {"id": "z", "at": 1, "words": "y"}]
        )
        update_many(connection, THING, ["id", "words"], [{"words": "plain", "id": "b", "is_good": True}])
    assert [row[:2] + row[3:] for row in stored(things)] == [
        ("a", None, False, "x"),
        ("b", 2**60, True, "plain"),
        ("c", 2**60, False, "plain"),
    ]


def test_a_key_that_is_too_long_is_refused_and_never_cut(things: Engine):
    if things.dialect.name == "postgresql":
        with pytest.raises(Exception, match="too long"), write(things) as connection:
            insert_many(connection, THING, [thing("k" * 41)])
    assert stored(things) == []
