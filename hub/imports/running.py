"""Imports files: rows in portions into the inbox or a campaign, with a position that survives a crash.

What CLI and API both do. A portion is on disk before the position behind it is: an import that was cut off repeats at
most one portion, whose messages are known by their ids.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from functools import partial
from threading import Event

from sqlalchemy import Connection as Database

from hub.campaigns import rules
from hub.campaigns import store as campaigns
from hub.core import clock
from hub.core.clock import Micros
from hub.core.database import read, write
from hub.core.ids import new_id
from hub.core.locks import role_lock
from hub.imports import jobs
from hub.imports.jobs import Job
from hub.imports.pace import Pace
from hub.imports.products import ProductSink
from hub.imports.reading import CsvReader, CsvRow
from hub.imports.rejects import RejectsFile
from hub.imports.request import (
    Examined,
    ImportRequest,
    admit,
    check,
    count_rows,
    currency_of,
    maker_of,
    portions,
    rejects_path,
)
from hub.imports.sinks import CodeSink, MessageSink, Sink, Taken
from hub.inbox.queue import Inbox
from hub.ledger.store import record_audit, record_run
from hub.ledger.values import Run
from hub.registry import store as registry
from hub.runtime.process.installation import Installation
from hub.sdk.errors import Busy, ConfigurationError

LOCK = "import"


class ImportProgress:
    """What an import tells while it runs; a progress bar overrides it."""

    def started(self, examined: Examined, job: Job) -> None:
        """The file was read to its end once, and nothing is imported yet."""

    def moved(self, bytes_read: int, counts: Mapping[str, int], /) -> None:
        """A portion is done."""

    def waits(self, why: str) -> None:
        """The inbox is as full as an import may make it."""


def run(
    hub: Installation,
    inbox: Inbox,
    request: ImportRequest,
    progress: ImportProgress | None = None,
    stop: Event | None = None,
) -> Job:
    """Import a file; how it ended. Raises ConfigurationError, and Busy where the inbox stays full: then it goes on
    behind its position when it is asked for again."""
    lock = role_lock(hub.engine, LOCK)
    if not lock.acquire():
        raise ConfigurationError("Another file is being imported into this installation; wait until that has ended.")
    try:
        examined = check(request)
        job = admit(hub, request, examined)
        return _Running(hub, inbox, request, examined, job, progress or ImportProgress(), stop or Event()).run()
    finally:
        lock.release()


def give_up(hub: Installation, job_id: str, why: str) -> None:
    """End an import that can never go on, with its entry in the sync log."""
    now = clock.now()
    with write(hub.engine) as database:
        job = jobs.get(database, job_id)
        source = None if job.kind == "codes" else job.target
        entry = Run(new_id(now // 1000), "import", now, 0, job.counts, "failed", why, source)
        record_run(database, entry)
        jobs.end(database, job_id, now, jobs.FAILED, why, entry.id)


class _Running:
    """One import under way."""

    def __init__(
        self,
        hub: Installation,
        inbox: Inbox,
        request: ImportRequest,
        examined: Examined,
        job: Job,
        progress: ImportProgress,
        stop: Event,
    ) -> None:
        self._hub = hub
        self._examined = examined
        self._job = job
        self._progress = progress
        self._stop = stop
        self._most_bad = request.most_bad
        self._before = dict(job.counts)
        self._counts = {name: job.counts.get(name, 0) for name in jobs.COUNTS}
        self._pace = Pace(hub, inbox, progress.waits, stop)
        self._sink = self._sink_of(request)
        opened = examined.opened
        errors = request.errors or rejects_path(request.path)
        if errors.exists() and errors.samefile(request.path):
            raise ConfigurationError("--errors names the imported file itself; name another one.")
        self._rejects = RejectsFile(errors, examined.plan.header, opened.dialect.delimiter, job.errors_size)

    def run(self) -> Job:
        began, started_at = time.perf_counter(), clock.now()
        self._progress.started(self._examined, self._job)
        state, why = jobs.OPEN, "It was stopped"
        try:
            state, why = self._rows() or (state, why)
        except (Busy, ConfigurationError) as error:
            why = str(error)
            raise
        finally:
            self._rejects.close()
            self._end(state, why, started_at, time.perf_counter() - began)
        with read(self._hub.engine) as database:
            return jobs.get(database, self._job.id)

    def _rows(self) -> tuple[str, str] | None:
        """Take every row behind the position. How that ended, and why not well; None where it was stopped."""
        with CsvReader(self._examined.opened) as reader:
            for portion in portions(reader, self._examined.plan, self._job.position):
                if self._stop.is_set():
                    return None
                if why := self._rubbish(portion):
                    return jobs.FAILED, why
                self._sink.take(portion, clock.now(), partial(self._note, portion))
                self._progress.moved(reader.position, self._counts)
        return (jobs.FAILED if reader.lost else jobs.DONE), reader.lost

    def _rubbish(self, portion: Sequence[CsvRow]) -> str:
        """Why no more is taken, where a file is not what it was taken for: its first rows are tried out before any is
        taken, later ones are counted as they come."""
        rejected, rows = self._counts["rejected"], self._counts["rows"]
        if rows:
            is_rubbish = rules.is_rubbish(rejected, rows, self._most_bad)
            return f"{rejected:,} of {rows:,} rows were rejected; --max-bad 100 goes on." if is_rubbish else ""
        bad = [one for one in self._sink.try_out(portion, clock.now()) if one.error]
        rejected, rows = count_rows(one.record for one in bad), count_rows(portion)
        if not rules.is_rubbish(rejected, rows, self._most_bad):
            return ""
        return (
            f"Nothing of {self._job.name!r} was imported: {rejected:,} of its first {rows:,} rows would be rejected."
            f" Row {bad[0].record.number}: {bad[0].error} --dry-run shows more; --max-bad 100 takes what can be taken."
        )

    def _note(self, portion: Sequence[CsvRow], database: Database, taken: Taken) -> None:
        size = self._rejects.add(taken.rejected)
        rejected = count_rows(record for record, _ in taken.rejected)
        done = (count_rows(portion), taken.accepted, taken.duplicates, rejected)
        for name, more in zip(jobs.COUNTS, done, strict=True):
            self._counts[name] += more
        jobs.advance(database, self._job.id, clock.now(), portion[-1].rows[-1].number, size, self._counts)

    def _end(self, state: str, why: str, started_at: Micros, took_s: float) -> None:
        """Its entry in the sync log, of what this run did, whatever ended it."""
        now, detail = clock.now(), self._detail(state, why)
        done = {name: count - self._before.get(name, 0) for name, count in self._counts.items()}
        result = "failed" if why else "partial" if self._counts["rejected"] else "ok"
        source = None if self._job.kind == "codes" else self._job.target
        # Its id is made now: readers of the sync log look back by a minute only, and an import may take an hour.
        entry = Run(new_id(now // 1000), "import", started_at, int(took_s * 1_000_000), done, result, detail, source)
        with write(self._hub.engine) as database:
            record_run(database, entry)
            jobs.end(database, self._job.id, now, state, detail, entry.id)
            action = {"id": self._job.id, "kind": self._job.kind, **done}
            record_audit(database, now, self._job.actor, "file.imported", self._job.name, action)

    def _detail(self, state: str, why: str) -> str:
        """What an operator should know of how it ended."""
        name, rows, rejected = self._job.name, self._counts["rows"], self._counts["rejected"]
        if state == jobs.FAILED and not rows:
            return why
        if state == jobs.FAILED:
            return f"{name!r} was read to row {rows:,} only. {why}"
        if why:
            return f"{name!r} goes on behind row {rows:,}: {why.rstrip('.')}."
        sentences = [f"{rejected:,} of {rows:,} rows of {name!r} were rejected."] if rejected else []
        if self._examined.opened.is_guessed:
            encoding = self._examined.opened.dialect.encoding
            sentences.append(
                f"{name!r} is not in Unicode and was read as {encoding}; if that is wrong, say --encoding."
            )
        return " ".join(sentences)

    def _sink_of(self, request: ImportRequest) -> Sink:
        hub, job = self._hub, self._job
        with read(hub.engine) as database:
            if request.kind == "codes":
                return CodeSink(hub.engine, campaigns.get(database, job.target), self._examined.plan)
            source = registry.get(database, hub.vault, job.target)
        if source.status == "paused":
            raise ConfigurationError(f"The source {source.name!r} is paused; `hub sources resume` takes it up again.")
        if request.kind == "products":
            return ProductSink(hub.engine, self._examined.plan, currency_of(source), job.at)
        maker = maker_of(hub, request, self._examined.plan, source, job.at)
        return MessageSink(hub.engine, source.id, maker, self._pace.append)
