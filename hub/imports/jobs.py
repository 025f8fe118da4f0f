"""How far each import of a file has come: rows of `import_file`."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Connection as Database
from sqlalchemy import RowMapping, select, update

from hub.core.clock import Micros, iso
from hub.core.ids import new_id
from hub.imports.columns import ColumnPlan
from hub.imports.dialects import Opened
from hub.imports.tables import IMPORT
from hub.ledger.rules import KEPT_REASON_CHARS, kept
from hub.sdk.json import dumps, loads

OPEN, DONE, FAILED = "open", "done", "failed"
NAME_CHARS = 255
COUNTS = ("rows", "accepted", "duplicates", "rejected")


@dataclass(frozen=True)
class Job:
    """One file on its way into one source or campaign. `counts` are of everything up to `position`."""

    id: str
    kind: str
    name: str
    hash: str
    target: str
    state: str
    position: int
    errors_size: int
    detail: str
    actor: str
    at: Micros
    started_at: Micros
    updated_at: Micros
    run_id: str | None = None
    counts: Mapping[str, int] = field(default_factory=dict)
    options: Mapping[str, Any] = field(default_factory=dict)

    def as_json(self) -> dict[str, Any]:
        """As CLI and API show it."""
        return {
            "id": self.id,
            "kind": self.kind,
            "file": self.name,
            "state": self.state,
            **{name: self.counts.get(name, 0) for name in COUNTS},
            "detail": self.detail or None,
            "started_at": iso(self.started_at),
            "updated_at": iso(self.updated_at),
            "run_id": self.run_id,
        }


def reading_of(opened: Opened, plan: ColumnPlan, at: Micros | None) -> str:
    """The hash of how a file is read: read differently, it is another import."""
    fields = [[column.header, column.field] for column in plan.columns]
    return hashlib.sha256(dumps([opened.dialect, fields, at, *filter(None, [plan.dates])])).hexdigest()


def take_up(
    database: Database,
    now: Micros,
    *,
    kind: str,
    name: str,
    hash: str,  # noqa: A002 - the name of the column
    target: str,
    reading: str,
    actor: str,
    at: Micros | None = None,
    resumes: bool = True,
    options: Mapping[str, Any] | None = None,
) -> Job:
    """The import of this file: a new one, the one that was cut off (if `resumes`), or an ended one begun again.

    Begun again it keeps the time of rows that state none, so that it changes nothing that it did before.
    """
    same = (IMPORT.c.hash == hash) & (IMPORT.c.kind == kind) & (IMPORT.c.target == target)
    known = database.execute(select(IMPORT.c.id, IMPORT.c.state).where(same, IMPORT.c.reading == reading)).one_or_none()
    fresh = {
        "state": OPEN,
        "position": 0,
        "errors_size": 0,
        "counts": "{}",
        "detail": "",
        "run_id": None,
        "started_at": now,
        "updated_at": now,
        "name": kept(name, NAME_CHARS - 40),
        "actor": actor,
        "options": dumps(dict(options or {})).decode(),
    }
    if known is None:
        row = {"id": new_id(now // 1000), "kind": kind, "hash": hash, "target": target, "reading": reading, **fresh}
        database.execute(IMPORT.insert(), {**row, "at": now if at is None else at})
        return get(database, str(row["id"]))
    if known.state != OPEN or not resumes:
        database.execute(update(IMPORT).where(IMPORT.c.id == known.id).values(**fresh))
    return get(database, known.id)


def get(database: Database, job_id: str) -> Job:
    """One import. The caller knows that there is one."""
    found = find(database, job_id)
    assert found is not None, "an import row is never deleted"
    return found


def find(database: Database, job_id: str) -> Job | None:
    row = database.execute(select(IMPORT).where(IMPORT.c.id == job_id)).mappings().one_or_none()
    return _job(row) if row else None


def latest(database: Database, limit: int) -> Sequence[Job]:
    """The imports that were started last."""
    query = select(IMPORT).order_by(IMPORT.c.started_at.desc(), IMPORT.c.id.desc()).limit(limit)
    return [_job(row) for row in database.execute(query).mappings()]


def open_jobs(database: Database) -> Sequence[Job]:
    """Imports that have not ended, the oldest first."""
    query = select(IMPORT).where(IMPORT.c.state == OPEN).order_by(IMPORT.c.started_at, IMPORT.c.id)
    return [_job(row) for row in database.execute(query).mappings()]


def reassign(database: Database, job_id: str, options: Mapping[str, Any]) -> Job:
    """Give an import that was cut off another copy of its file."""
    values = {"options": dumps(dict(options)).decode()}
    database.execute(update(IMPORT).where(IMPORT.c.id == job_id).values(**values))
    return get(database, job_id)


def advance(
    database: Database, job_id: str, now: Micros, position: int, errors_size: int, counts: Mapping[str, int]
) -> None:
    """Note how far it has come, in the transaction of what was done or right behind it."""
    values = {"position": position, "errors_size": errors_size, "counts": dumps(dict(counts)).decode()}
    database.execute(update(IMPORT).where(IMPORT.c.id == job_id).values(**values, updated_at=now))


def end(database: Database, job_id: str, now: Micros, state: str, detail: str, run_id: str) -> None:
    """Note how it ended; `open` where it can go on later."""
    values = {"state": state, "detail": kept(detail, KEPT_REASON_CHARS), "run_id": run_id, "updated_at": now}
    database.execute(update(IMPORT).where(IMPORT.c.id == job_id).values(**values))


def _job(row: RowMapping) -> Job:
    values = {name: row[name] for name in Job.__dataclass_fields__}
    return Job(**{**values, "counts": loads(row["counts"]), "options": loads(row["options"])})
