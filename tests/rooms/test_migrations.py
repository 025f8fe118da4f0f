"""Migrations make exactly the tables that the code declares, on both engines."""

from __future__ import annotations

from importlib.resources import files

from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from sqlalchemy import Engine, MetaData, inspect, text

from hub.core.database import open_database, read, write
from hub.inbox import seen
from hub.inbox.tables import INBOX
from hub.inbox.values import MessageFilter
from hub.profiles import schema_store
from hub.profiles.rules.schemas import Schemas
from hub.profiles.schema_document import checked
from hub.runtime.process.migrate import upgrade
from hub.runtime.process.schema import create_all, metadata
from hub.sdk.json import dumps


def shape(engine: Engine) -> dict[str, object]:
    """Tables with their columns, indexes and constraints, as the database itself tells them."""
    inspector = inspect(engine)
    return {
        name: {
            "columns": [
                (column["name"], str(column["type"]), column["nullable"]) for column in inspector.get_columns(name)
            ],
            "indexes": sorted(
                (index["name"] or "", tuple(index["column_names"]), bool(index["unique"]), str(_where(index)))
                for index in inspector.get_indexes(name)
            ),
            "unique": sorted(tuple(each["column_names"]) for each in inspector.get_unique_constraints(name)),
            "checks": sorted(" ".join(each["sqltext"].split()) for each in inspector.get_check_constraints(name)),
            "key": inspector.get_pk_constraint(name)["constrained_columns"],
            "foreign": sorted(tuple(each["constrained_columns"]) for each in inspector.get_foreign_keys(name)),
        }
        for name in inspector.get_table_names()
        if not name.endswith("_version") or name == "mapping_version"
    }


def _where(index: dict[str, object]) -> object:
    options = index.get("dialect_options") or {}
    assert isinstance(options, dict)
    return next((str(options[name]) for name in ("postgresql_where", "sqlite_where") if name in options), "")


def differences(engine: Engine, declared: MetaData, version_table: str) -> list[object]:
    with read(engine) as connection:
        context = MigrationContext.configure(
            connection,
            opts={
                "version_table": version_table,
                "include_name": lambda name, kind, _: kind != "table" or name in declared.tables,
            },
        )
        return list(compare_metadata(context, declared))


def upgrade_to(engine: Engine, revision: str) -> None:
    """The state database as that revision left it."""
    config = Config()
    config.set_main_option("script_location", str(files("hub") / "migrations" / "state"))
    with engine.connect().execution_options(hub_writes=True) as connection, connection.begin():
        config.attributes["connection"] = connection
        command.upgrade(config, revision)


def test_migrations_make_what_the_code_declares(database_url: str) -> None:
    engine = open_database(database_url)
    for part in ("state", "inbox"):
        upgrade(engine, part)

    assert differences(engine, metadata(), "state_version") == []
    assert differences(engine, INBOX, "inbox_version") == []
    engine.dispose()


def test_a_migrated_database_has_the_indexes_and_constraints_of_a_new_one(engine: Engine) -> None:
    create_all(engine)
    INBOX.create_all(engine)
    declared = shape(engine)
    metadata().drop_all(engine)
    INBOX.drop_all(engine)

    for part in ("state", "inbox"):
        upgrade(engine, part)

    migrated = shape(engine)
    assert {name: migrated.get(name) for name in declared} == declared


def test_migrating_twice_changes_nothing(database_url: str) -> None:
    engine = open_database(database_url)
    for _ in range(2):
        upgrade(engine, "state")

    assert differences(engine, metadata(), "state_version") == []
    engine.dispose()


def test_syncs_survive_the_revision_that_makes_their_table_anew(database_url: str) -> None:
    engine = open_database(database_url)
    upgrade_to(engine, "0001")
    given = {"id": "01CONNECTION00000000000000", "role": "destination", "connector": "acme", "name": "crm"}
    given |= dict.fromkeys(("settings", "hosts", "paused_routes"), "{}") | {"status": "active", "currency": "USD"}
    given |= dict.fromkeys(("secrets", "mapping", "mapping_patch", "mapping_hash", "paused_reason"), "")
    given |= {"version": 1, "created_at": 1, "updated_at": 1, "retry_unknown": False}
    with write(engine) as connection:
        names = ", ".join(given)
        marks = ", ".join(f":{name}" for name in given)
        connection.execute(text(f"INSERT INTO connection ({names}) VALUES ({marks})"), given)
        sync = (given["id"], "events", '{"a":1}', '["seen"]', 7)
        connection.execute(
            text(
                "INSERT INTO sync (connection_id, operation, options, event_keys, created_at) VALUES (:a, :b, :c, :d, :e)"
            ),
            dict(zip("abcde", sync, strict=True)),
        )
    upgrade(engine, "state")
    with read(engine) as connection:
        query = "SELECT connection_id, operation, options, event_keys, created_at FROM sync"
        assert [tuple(row) for row in connection.execute(text(query))] == [sync]
    engine.dispose()


def test_schemas_of_before_are_the_version_that_messages_name_from_then_on(database_url: str) -> None:
    """What a role computes of them is found by its hash; messages of before name none."""
    engine = open_database(database_url)
    upgrade_to(engine, "0004")
    documents = {kind: checked(kind, {"properties": {"größe": "number"}}) for kind in ("order", "profile")}
    with write(engine) as connection:
        for at, (kind, document) in enumerate(documents.items()):
            row = {"kind": kind, "content": dumps(document).decode(), "hash": "h", "version": 3, "updated_at": at}
            connection.execute(
                text("INSERT INTO metadata_schema VALUES (:kind, :content, :hash, :version, :updated_at)"), row
            )
        connection.execute(
            text(
                "INSERT INTO message (connection_id, message_id, state, reason, mapping_hash, received_at, duplicates,"
                " revision, warnings) VALUES ('c', 'm', 'applied', '', '', 5, 0, 0, '[]')"
            )
        )
    upgrade(engine, "state")
    with read(engine) as connection:
        assert schema_store.versions(connection) == [
            {"hash": Schemas(documents).hash, "created_at": 1, "documents": documents}
        ]
        assert schema_store.every(connection) == documents
        [message] = seen.page(connection, MessageFilter(), None, 9)
    assert (message.message_id, message.schema_hash) == ("m", "")
    with write(engine) as connection:
        assert schema_store.keep_version(connection, 9) == Schemas(documents).hash
        assert len(schema_store.versions(connection)) == 1
    engine.dispose()
