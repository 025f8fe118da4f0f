"""A dry run: what would become of each row of a file. Nothing is written."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from hub.core.clock import Micros, iso
from hub.core.database import read
from hub.imports import jobs
from hub.imports.products import ProductSink
from hub.imports.reading import CsvReader
from hub.imports.request import (
    Examined,
    ImportRequest,
    campaign_of,
    check,
    count_rows,
    currency_of,
    maker_of,
    portions,
    source_of,
)
from hub.imports.sinks import CodeSink, MessageSink, Sink, Tried
from hub.mapping.model import REMOVED, Change
from hub.runtime.process.installation import Installation


@dataclass(frozen=True)
class Trial:
    """What a dry run found. `rows`: the first ones; `rejected` and `warned`: the first of those that would be rejected, or
    taken without some of their values."""

    examined: Examined
    counts: Mapping[str, int]
    rows: Sequence[Tried]
    rejected: Sequence[Tried]
    warned: Sequence[Tried]
    is_partial: bool


def dry_run(hub: Installation, request: ImportRequest, now: Micros, shown: int = 20, most: int | None = None) -> Trial:
    """What would become of each row, of the first `most` rows. Writes nothing. Raises ConfigurationError."""
    examined = check(request)
    with read(hub.engine) as database:
        source = None if request.kind == "codes" else source_of(hub, database, request.target)
        campaign = campaign_of(database, request.target) if request.kind == "codes" else None
    sink: Sink
    if campaign is not None:
        sink = CodeSink(hub.engine, campaign, examined.plan)
    elif request.kind == "products":
        sink = ProductSink(hub.engine, examined.plan, currency_of(source), request.at or now)
    else:
        sink = MessageSink(hub.engine, "", maker_of(hub, request, examined.plan, source, request.at or now), _nowhere)
    rows: list[Tried] = []
    rejected: list[Tried] = []
    warned: list[Tried] = []
    counts = dict.fromkeys((*jobs.COUNTS, "warned"), 0)
    is_partial = False
    with CsvReader(examined.opened) as reader:
        for portion in portions(reader, examined.plan, 0):
            if most is not None and counts["rows"] >= most:
                is_partial = True
                break
            tried = sink.try_out(portion, now)
            refused = [each for each in tried if each.error]
            altered = [each for each in tried if each.warnings and not each.error]
            counts["rows"] += count_rows(each.record for each in tried)
            counts["rejected"] += count_rows(each.record for each in refused)
            counts["warned"] += count_rows(each.record for each in altered)
            counts["duplicates"] += sum(each.is_duplicate and not each.error for each in tried)
            rows += tried[: max(0, shown - len(rows))]
            rejected += refused[: max(0, shown - len(rejected))]
            warned += altered[: max(0, shown - len(warned))]
    counts["accepted"] = counts["rows"] - counts["duplicates"] - counts["rejected"]
    return Trial(examined, counts, rows, rejected, warned, is_partial)


def _nowhere(_: object) -> None:
    """A dry run appends nothing."""


def trial_json(trial: Trial) -> dict[str, Any]:
    """Counts, how the file is written, what becomes of its columns, the first rows, and the first that are rejected
    or lose values."""
    opened, dialect = trial.examined.opened, trial.examined.opened.dialect
    return {
        **trial.counts,
        "is_partial": trial.is_partial,
        "encoding": dialect.encoding,
        "delimiter": "tab" if dialect.delimiter == "\t" else dialect.delimiter,
        "bytes": opened.size,
        "columns": trial.examined.plan.as_json(),
        "first_rows": [_row(each) for each in trial.rows],
        "rejected_rows": [_row(each) for each in trial.rejected],
        "warned_rows": [_row(each) for each in trial.warned],
    }


def _row(tried: Tried) -> dict[str, Any]:
    record, error, change = tried[:3]
    result = {} if error else dict(tried.result) if change is None else _meaning(change)
    found = {"row": record.number, "line": record.line, "error": error or None, "result": result}
    return {**found, "warnings": list(tried.warnings)}


def _meaning(change: Change) -> dict[str, Any]:
    """What applying the row changes, in the names of the canonical model."""
    row: dict[str, Any] = {"source_id": change.source_id, "at": iso(change.at)}
    row |= {name: value for name, value in change.fields.items() if value is not REMOVED}
    row |= {f"identities.{each.type}": each.value for each in change.identities}
    row |= {f"consents.{each.topic}": each.granted for each in change.consents}
    for order in change.orders:
        row |= {"order": order.id, **order.fields}
    for event in change.events:
        row |= {"event": event.name, **event.properties}
    return row
