"""One line for each run, message and delivery: when, its id, what became of it, why, in whose words."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from hub.admin.sync_log import RUN_KINDS
from hub.cli.support import print_json
from hub.cli.terminal import echo
from hub.core.prefixes import short

Row = Mapping[str, Any]


def print_record(row: Row, *, json_: bool) -> None:
    """One record: a line that tells it, or one JSON object."""
    if json_:
        print_json(row)
        return
    for line in lines(row):
        echo(line)


def lines(row: Row) -> Iterator[str]:
    """What a list shows of a record: its line, and one more for each thing that was left out of a message."""
    if row["kind"] in RUN_KINDS:
        yield _run(row)
    elif row["kind"] == "message":
        yield _line(row["received_at"], row["message_id"], "message", row["state"], row["connection"], row["reason"])
        yield from (f"    {warning(one, row['schema_hash'])}" for one in row["warnings"])
    else:
        where = f"{row['source_id']} → {row['connection']}/{row['operation']}"
        why = " ".join(filter(None, [row["reason"], row["detail"], row["waits_for"]]))
        yield _line(row["created_at"], short(row["id"]), "delivery", row["status"], where, row["code"], why)


def warning(one: Mapping[str, str], schema_hash: str) -> str:
    """What was left out or altered, where, and under which version of the schemas."""
    place = f"{one['path']}: " if one["path"] else ""
    of = f", schema {schema_hash[:12]}" if one["code"].startswith("schema_") else ""
    return f"{place}{one['text']} ({one['code']}{of})"


def _run(row: Row) -> str:
    counts = ", ".join(f"{count} {name}" for name, count in row["counts"].items() if count)
    whose = row["distribution"] or row["connection"] or "-"
    took = f"{row['duration_ms']} ms"
    return _line(row["started_at"], short(row["id"]), row["kind"], row["result"], whose, took, counts, row["detail"])


def _line(at: Any, record_id: str, kind: str, status: str, *told: str | None) -> str:
    return "  ".join([str(at), record_id, f"{kind:<8}", f"{status:<11}", *filter(None, told)]).rstrip()
