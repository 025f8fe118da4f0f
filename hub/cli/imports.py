"""`hub import` and `hub export`: files of customers, orders, products, events and codes in, profiles out."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from hub.cli.support import ACTOR, as_json, max_bad, open_hub, parse_time, print_fields, print_json
from hub.cli.terminal import echo
from hub.core import clock
from hub.imports.cells import DATES
from hub.imports.columns import parse_fields
from hub.imports.fields import KINDS
from hub.sdk.errors import ConfigurationError

if TYPE_CHECKING:
    from hub.imports.jobs import Job
    from hub.imports.request import ImportRequest
    from hub.imports.trial import Trial

FILE = click.Path(path_type=Path, exists=True, dir_okay=False, readable=True)
OUTPUT = click.Path(path_type=Path, dir_okay=False)
DELIMITER_WORDS = {"comma": ",", "semicolon": ";", "tab": "\t", "\\t": "\t", "pipe": "|"}
FIRST = 20
ROWS = ("first_rows", "rejected_rows", "warned_rows")


@click.command("import")
@click.argument("kind", type=click.Choice(KINDS))
@click.argument("file", type=FILE)
@click.option("--map", "pairs", multiple=True, metavar="COLUMN=FIELD", help="What a column is; '-' leaves it out.")
@click.option(
    "--source", default="", metavar="NAME", help="A source of the connector csv. Default: csv, made if needed."
)
@click.option("--campaign", default="", metavar="NAME", help="For codes: the imported campaign they belong to.")
@click.option("--dry-run", is_flag=True, help="Tell what would become of each row; write nothing.")
@click.option("--first", type=click.IntRange(0, 10_000), default=FIRST, show_default=True, help="Rows a dry run tells.")
@click.option("--errors", type=OUTPUT, help="Where rejected rows go. Default: beside FILE, as NAME.errors.csv.")
@click.option("--delimiter", default="", help="comma, semicolon, tab, pipe or a character. Default: found out.")
@click.option("--encoding", default="", help="Such as utf-8 or windows-1252. Default: found out.")
@click.option("--dates", type=click.Choice(DATES), help="Days are written 31.12.2026 (dmy) or 12/31/2026 (mdy).")
@click.option("--at", "at_text", help="Time of rows that state none. Default: when this file was first imported.")
@click.option("--live", is_flag=True, help="Send what follows from the rows, as if they came from a source now.")
@click.option("--accept-warnings", is_flag=True, help="Import rows without the values that do not fit.")
@max_bad
@click.option("--resume/--restart", default=True, show_default=True, help="Go on where this file's import was cut off.")
@as_json
def import_(
    kind: str,
    file: Path,
    pairs: tuple[str, ...],
    source: str,
    campaign: str,
    dry_run: bool,
    first: int,
    errors: Path | None,
    delimiter: str,
    encoding: str,
    dates: str | None,
    at_text: str | None,
    live: bool,
    accept_warnings: bool,
    most_bad: int | None,
    resume: bool,
    json_: bool,
) -> None:
    """Import a CSV file: customers, orders, products, events or codes, a row each.

    Columns are known by their names; all others become metadata. Rejected rows go to a file of their own, to be
    corrected and imported again. The same file imported twice changes nothing more.
    """
    from hub.imports.request import ImportRequest
    from hub.imports.trial import dry_run as try_out

    if (kind == "codes") != bool(campaign) or (source and campaign):
        raise ConfigurationError("Codes are imported with --campaign NAME, everything else with --source.")
    request = ImportRequest(
        kind,
        file,
        file.name,
        ACTOR,
        target=campaign or source,
        fields=parse_fields(pairs),
        delimiter=DELIMITER_WORDS.get(delimiter, delimiter),
        encoding=encoding,
        dates=dates or "",
        at=parse_time("--at", at_text) if at_text else None,
        is_quiet=not live,
        takes_warnings=accept_warnings,
        most_bad=most_bad,
        resumes=resume,
        errors=errors,
    )
    if dry_run:
        _show_trial(try_out(open_hub(), request, clock.now(), first), json_=json_)
        return
    _import(request, json_=json_)


@click.group()
def export() -> None:
    """Files out of the hub."""


@export.command("profiles")
@click.argument("file", type=OUTPUT)
@as_json
def export_profiles(file: Path, json_: bool) -> None:
    """Write all profiles to a CSV file that `hub import customers` reads back without loss.

    Cells that a spreadsheet would run as a formula get a leading apostrophe; the import takes it off again.
    """
    from hub.imports.export import export_to

    count = export_to(open_hub(), file, ACTOR, clock.now())
    print_fields({"profiles": count, "file": str(file)}, json_=json_)


# ── imports ──────────────────────────────────────────────────────────────────────────────────────────────────────


def _import(request: ImportRequest, *, json_: bool) -> None:
    from hub import imports
    from hub.inbox.sql import open_inbox
    from hub.runtime.process.gc_tuning import calm_collector

    hub = open_hub()
    calm_collector()
    inbox = open_inbox(hub.settings, hub.engine)
    try:
        with _shown(request.path.stat().st_size, is_quiet=json_) as progress:
            job = imports.run(hub, inbox, request, progress)
    except KeyboardInterrupt:
        raise ConfigurationError("Stopped. The same command goes on where this import was cut off.") from None
    finally:
        inbox.close()
    _tell_end(request, job, json_=json_)


def _tell_end(request: ImportRequest, job: Job, *, json_: bool) -> None:
    from hub.imports.request import rejects_path

    errors = request.errors or rejects_path(request.path)
    rejected = job.counts.get("rejected", 0)
    print_fields({**job.as_json(), "errors_file": str(errors) if rejected else None}, json_=json_)
    if rejected:
        echo(
            f"{rejected:,} of {job.counts['rows']:,} rows were rejected: correct them in {errors} and import that file.",
            err=True,
        )
    if job.state == "failed":
        raise ConfigurationError(job.detail)


@contextmanager
def _shown(size: int, *, is_quiet: bool) -> Iterator[Any]:
    """A progress bar on a terminal; elsewhere nothing but the end is printed."""
    from rich.console import Console
    from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn

    from hub.imports import ImportProgress

    console = Console(stderr=True)
    if is_quiet or not console.is_terminal:
        yield ImportProgress()
        return
    words = TextColumn("{task.fields[rows]:,} rows, {task.fields[rejected]:,} rejected {task.fields[why]}")
    bar = Progress(BarColumn(), DownloadColumn(), words, TimeRemainingColumn(), console=console, transient=True)
    with bar:
        task = bar.add_task("import", total=size, rows=0, rejected=0, why="")

        class Bar(ImportProgress):
            def moved(self, bytes_read: int, counts: Mapping[str, int]) -> None:
                bar.update(task, completed=bytes_read, rows=counts["rows"], rejected=counts["rejected"], why="")

            def waits(self, why: str) -> None:
                bar.update(task, why=f"· {why}")

        yield Bar()


def _show_trial(trial: Trial, *, json_: bool) -> None:
    from hub.imports.trial import trial_json

    shown = trial_json(trial)
    if json_:
        print_json(shown)
        return
    print_fields({name: value for name, value in shown.items() if name not in ("columns", *ROWS)}, json_=False)
    echo("\nColumns")
    for header, field in shown["columns"].items():
        echo(f"  {header} → {field if field != '-' else 'left out'}")
    _tell_rows("\nFirst rows", shown["first_rows"])
    for title, name in (("\nRejected", "rejected_rows"), ("\nTaken without some values", "warned_rows")):
        _tell_rows(title, [row for row in shown[name] if row not in shown["first_rows"]])


def _tell_rows(title: str, rows: Sequence[Mapping[str, Any]]) -> None:
    if rows:
        echo(title)
    for row in rows:
        where = f"  row {row['row']} (line {row['line']}):"
        if row["error"]:
            echo(f"{where} rejected: {'; '.join(row['warnings']) or row['error']}")
            continue
        echo(f"{where} {', '.join(f'{name}={value}' for name, value in row['result'].items())}")
        for sentence in row["warnings"]:
            echo(f"    {sentence}")
