"""An import as it was asked for, and what it needs: a file that can be read, a source or a campaign."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from sqlalchemy import Connection as Database

from hub.admin.connections import add_source
from hub.admin.hub_settings import DEFAULT_CURRENCY
from hub.campaigns import store as campaigns
from hub.campaigns.values import Campaign
from hub.core import clock
from hub.core.clock import Micros
from hub.core.database import write
from hub.imports import jobs
from hub.imports.columns import ColumnPlan, plan
from hub.imports.dialects import Opened, examine
from hub.imports.jobs import Job
from hub.imports.orders import joined, plan_of_joined
from hub.imports.reading import CsvReader, CsvRow, header_of
from hub.imports.rows import Maker, Mapped
from hub.mapping.inbound import compile_inbound
from hub.mapping.versions.version import resolve
from hub.registry import store as registry
from hub.registry.values import Connection
from hub.runtime.apply.mappers import Versioned, mapper_of
from hub.runtime.live.schemas import LiveSchemas
from hub.runtime.process.installation import Installation
from hub.sdk.errors import ConfigurationError

CONNECTOR = "csv"
DEFAULT_SOURCE = "csv"
PORTION_ROWS = 1_000
PORTION_CHARS = 4_194_304


@dataclass(frozen=True)
class ImportRequest:
    """An import as it was asked for. `target`: the name of a source, or of a campaign for codes. `fields`: header →
    field. `at`: the time of rows that state none. `most_bad`: the share of rejected rows, in percent, past which a file is
    refused. `errors`: where rejected rows go."""

    kind: str
    path: Path
    name: str
    actor: str
    target: str = ""
    fields: Mapping[str, str] = field(default_factory=dict)
    delimiter: str = ""
    encoding: str = ""
    dates: str = ""
    at: Micros | None = None
    is_quiet: bool = True
    takes_warnings: bool = False
    most_bad: int | None = None
    resumes: bool = True
    errors: Path | None = None
    options: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Examined:
    """A file that can be imported: how it is written, and what becomes of its columns."""

    opened: Opened
    plan: ColumnPlan


def check(request: ImportRequest) -> Examined:
    """Look at the whole file and at its columns. Raises ConfigurationError with a sentence; nothing is written."""
    opened = examine(request.path, request.encoding, request.delimiter)
    return Examined(opened, plan(request.kind, header_of(opened), request.fields)._replace(dates=request.dates))


def admit(hub: Installation, request: ImportRequest, examined: Examined) -> Job:
    """Its row, so that it can be followed and taken up again. Makes the source where there is none yet."""
    now = clock.now()
    with write(hub.engine) as database:
        if request.kind == "codes":
            target = campaign_of(database, request.target).id
        else:
            source = source_of(hub, database, request.target)
            target = (source or _new_source(hub, database, request, now)).id
        return jobs.take_up(
            database,
            now,
            kind=request.kind,
            name=request.name,
            hash=examined.opened.hash,
            target=target,
            reading=jobs.reading_of(examined.opened, examined.plan, request.at),
            actor=request.actor,
            at=request.at,
            resumes=request.resumes,
            options=request.options,
        )


def rejects_path(path: Path) -> Path:
    """Where rejected rows go if nobody says: `people.csv` → `people.errors.csv`, beside it."""
    return path.with_name(f"{path.stem}.errors.csv")


def portions(reader: CsvReader, plan_: ColumnPlan, position: int) -> Iterator[list[CsvRow]]:
    """The rows behind a position, few enough at a time to hold in memory; those of one order are never parted."""
    portion: list[CsvRow] = []
    rows = size = 0
    for record in joined(reader, plan_):
        if record.rows[-1].number <= position:
            continue
        portion.append(record)
        rows += len(record.rows)
        size += sum(map(len, record.cells))
        if rows >= PORTION_ROWS or size >= PORTION_CHARS:
            yield portion
            portion, rows, size = [], 0, 0
    if portion:
        yield portion


def count_rows(records: Iterable[CsvRow]) -> int:
    """How many rows of the file these are."""
    return sum(len(record.rows) for record in records)


def maker_of(
    hub: Installation, request: ImportRequest, plan_: ColumnPlan, source: Connection | None, at: Micros
) -> Maker:
    return Maker(
        plan_of_joined(plan_),
        _mapping(hub, source),
        at,
        is_quiet=request.is_quiet,
        takes_warnings=request.takes_warnings,
        states_time=request.at is not None,
    )


def _mapping(hub: Installation, source: Connection | None) -> Mapped:
    """What the apply role will use, metadata schemas included; with the mapping of a new source where there is none yet."""
    if source is not None:
        return mapper_of(hub)(source.id)
    resolved = resolve(CONNECTOR, "", hub.folders)
    inbound = compile_inbound(resolved.document, connection_id="", options={})
    return Versioned(resolved.hash, inbound, LiveSchemas(hub).snapshot())


def currency_of(source: Connection | None) -> str:
    """That of amounts which name none, also where the source does not exist yet."""
    return source.currency if source is not None else DEFAULT_CURRENCY


def source_of(hub: Installation, database: Database, name: str) -> Connection | None:
    """The source of this name; None where the default one does not exist yet. Raises ConfigurationError."""
    found = registry.find(database, hub.vault, "source", name or DEFAULT_SOURCE)
    if found is None and name and name != DEFAULT_SOURCE:
        raise ConfigurationError(
            f"There is no source {name!r}; `hub sources add {CONNECTOR} --name {name}` makes one for files."
        )
    if found is not None and found.connector != CONNECTOR:
        raise ConfigurationError(
            f"The source {found.name!r} takes messages of {found.connector}, not rows; import into a source that"
            f" `hub sources add {CONNECTOR}` made."
        )
    return found


def _new_source(hub: Installation, database: Database, request: ImportRequest, now: Micros) -> Connection:
    return add_source(hub, database, now, CONNECTOR, DEFAULT_SOURCE, {}, request.actor)


def campaign_of(database: Database, name: str) -> Campaign:
    if not name:
        raise ConfigurationError("Codes belong to a campaign; name it with --campaign.")
    found = campaigns.find(database, name)
    if found is None:
        raise ConfigurationError(f"There is no campaign {name!r}; `hub campaigns list` shows those there are.")
    if found.kind != "imported":
        raise ConfigurationError(f"Campaign {found.name!r} makes its own codes; import into an imported campaign.")
    return found
