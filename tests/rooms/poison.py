"""Text that no row can hold, where of it something arrived, and by which way each column of text is filled.

A column that is new has to be placed here: tests/rooms/test_poison.py fails until it is.
"""

from __future__ import annotations

from collections.abc import Iterator

from sqlalchemy import Engine, MetaData, Table

from hub.core.database import read
from hub.sdk.text import REPLACEMENT, is_storable

NUL, HALF = "a\0b", "a\ud800b"
POISON = f"p{NUL}{HALF}"


def cells(engine: Engine, *tables: MetaData) -> Iterator[tuple[str, str]]:
    """`table.column` and text of every cell that is one."""
    with read(engine) as connection:
        for table in [one for metadata in tables for one in metadata.sorted_tables]:
            columns = text_columns(table)
            for row in connection.execute(table.select()).mappings():
                yield from ((f"{table.name}.{name}", row[name]) for name in columns if isinstance(row[name], str))


def text_columns(table: Table) -> list[str]:
    """The names of a table's columns that hold text; JSON is text in this hub."""
    return [column.name for column in table.columns if str(column.type).startswith(("VARCHAR", "TEXT"))]


def unstorable(engine: Engine, *tables: MetaData) -> set[str]:
    """Columns that hold what PostgreSQL or SQLite would refuse."""
    return {where for where, text in cells(engine, *tables) if not is_storable(text)}


def reached(engine: Engine, *tables: MetaData) -> set[str]:
    """Columns where poison arrived, made harmless."""
    return {where for where, text in cells(engine, *tables) if REPLACEMENT in text}


OURS = {
    "api_key": "id hash",
    "attempt": "id run_id connection_id route outcome",
    "attempt_record": "attempt_id delivery_id outcome",
    "audit": "id action",
    "backfill": "id connection_id operation state counts",
    "campaign": "id kind",
    "code": "campaign_id state publication_id",
    "connection": "id role connector source_key mapping_hash currency status secrets",
    "consent": "kind message_key status",
    "delivery": "id connection_id operation distribution_id occasion_id publication_id mapping_hash state route cohort "
    "attempt_id repeat",
    "distribution": "id missed campaign_id",
    "distribution_target": "distribution_id connection_id operation",
    "erasure": "id connection_id status sealed deliveries queue callbacks",
    "erasure_callback": "id erasure_id status state",
    "event": "id connection_id kind",
    "heartbeat": "id role",
    "identity": "type message_key",
    "import_file": "id kind hash target reading state counts run_id",
    "inbox_position": "name",
    "inbox_request": "connection_id",
    "ledger_total": "term",
    "mapping_version": "hash",
    "message": "connection_id state mapping_hash run_id schema_hash",
    "metadata_schema": "hash",
    "metadata_schema_version": "hash",
    "occasion": "id distribution_id trigger_key state counts",
    "profile_link": "message_key",
    "publication": "id occasion_id distribution_id campaign_id",
    "pushed": "connection_id",
    "refusal": "connection_id reason",
    "refused_request": "id connection_id reason",
    "remembered": "connection_id",
    "sync": "connection_id operation",
    "sync_run": "id kind connection_id distribution_id counts result",
    "tombstone": "hash",
}
"""Ids, hashes, states, sealed texts and words of the hub's own."""

OPERATORS = {
    "api_key": "name",
    "audit": "actor subject",
    "campaign": "name pattern charset value balance",
    "connection": "name settings hosts mapping mapping_patch",
    "distribution": "name consent audience trigger",
    "distribution_target": "options",
    "erasure": "untold",
    "import_file": "options actor",
    "mapping_version": "connector content",
    "metadata_schema": "kind content",
    "metadata_schema_version": "content",
    "occasion": "audience",
    "sync": "options event_keys",
}
"""Words of operators: the command line, the API and their YAML files refuse what cannot be stored."""

SENDERS = {
    "consent": "subject topic",
    "customer_order": "order_id fields",
    "delivery": "record topic source_id",
    "event": "name properties code order_id",
    "identity": "source_id value",
    "inbox_request": "heads",
    "message": "source_id warnings",
    "profile": "source_id fields",
    "profile_link": "loser survivor",
    "pushed": "fields source_id",
    "refused_request": "path",
}
"""What sources send."""

VENDORS = {
    "attempt": "request response",
    "attempt_record": "reason",
    "audit": "detail",
    "connection": "paused_reason paused_routes",
    "delivery": "reason detail find_by progress notices receipt",
}
"""What destinations answer."""

FILES = {"code": "code", "import_file": "name detail", "product": "product_id fields", "sync_run": "detail"}
"""What files hold, and what they are called."""

ERASURES = {"erasure": "request_id regulation", "erasure_callback": "detail"}
"""What requests to erase say, and what their callbacks answer."""

KEYS = {
    "message": "message_id",
    "event": "message_id event_id key",
    "customer_order": "shown_id",
    "identity": "shown",
}
"""Ids that are hashed where they cannot be stored, and forms of a text beside the text itself."""

COPIES = {
    "backfill": "cursor",
    "code": "holder",
    "consent": "source proof",
    "customer_order": "source_id refunds",
    "delivery": "consent options pushing",
    "event": "source_id",
    "heartbeat": "report",
    "ledger_total": "reason",
    "message": "reason",
    "occasion": "cursor",
    "profile": "survivor",
    "publication": "source_id code",
    "remembered": "source_id",
}
"""Copies of other columns, or made of them."""

ESCAPED = {"message": "headers", "refused_request": "headers"}
"""JSON of texts as they came: what no row can hold stands escaped in it."""

NOT_KEPT = {"delivery": "token", "remembered": "ids"}
"""Ids of vendors, which are not kept where they cannot be kept as they are."""


def named(columns: dict[str, str]) -> set[str]:
    """`table.column` of each."""
    return {f"{table}.{name}" for table, names in columns.items() for name in names.split()}
