"""Imports that came by the API: their files wait in HUB_DATA_DIR/imports and are imported one after another.

An upload is answered when its file is on disk and its row is written; a web process that starts takes up what an
earlier one left.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path
from threading import Event, Lock, Thread

from hub.core.clock import DAY, SECOND, Micros
from hub.core.database import is_passing, read, write
from hub.core.ids import new_id
from hub.core.locks import role_lock
from hub.core.logging import logger
from hub.imports import jobs
from hub.imports.jobs import Job
from hub.imports.request import ImportRequest, admit, check
from hub.imports.running import LOCK, give_up, run
from hub.inbox.queue import Inbox
from hub.runtime.process.installation import Installation
from hub.sdk.errors import Busy, ConfigurationError, TooLarge

FOLDER = "imports"
UPLOADS = "switchboard-uploads"  # what the web application knows them by
AGAIN_S = 1.0  # while another import holds the lock, or the inbox is full
log = logger("imports")


class Uploads:
    """The uploaded files of one web process, and the thread that imports them."""

    def __init__(self, hub: Installation, inbox: Inbox) -> None:
        self._hub = hub
        self._inbox = inbox
        self._stop = Event()
        self._guard = Lock()
        self._thread: Thread | None = None

    @property
    def folder(self) -> Path:
        return self._hub.settings.data_dir.absolute() / FOLDER

    def keep(self, parts: Iterable[bytes], now: Micros) -> Path:
        """Store an upload, readable by the hub alone. Raises TooLarge, and then nothing is left of it."""
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._forget_old(now)
        path = self.folder / f"{new_id(now // 1000)}.csv"
        try:
            with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
                for part in _within(parts, self._hub.settings.import_limit):
                    file.write(part)
                file.flush()
                os.fsync(file.fileno())
        except BaseException:
            path.unlink(missing_ok=True)
            raise
        return path

    def admit(self, request: ImportRequest) -> Job:
        """Check the stored file and begin to import it. Raises ConfigurationError, and then the file is gone."""
        try:
            request = replace(request, options={**_as_options(request), "upload": request.path.name})
            job = admit(self._hub, request, check(request))
        except BaseException:
            request.path.unlink(missing_ok=True)
            raise
        if job.options.get("upload") != request.path.name:  # this file is being imported already
            if self._upload_of(job) is not None:
                request.path.unlink(missing_ok=True)
            else:
                with write(self._hub.engine) as database:
                    job = jobs.reassign(database, job.id, request.options)
        self.wake()
        return job

    def errors_of(self, job: Job) -> Path | None:
        """The file of rejected rows of an import that came by upload; None where there is none (any more)."""
        path = self.folder / f"{job.id}.errors.csv"
        return path if path.is_file() and job.errors_size else None

    def wake(self) -> None:
        """See to it that every stored file is imported, by a thread of this process."""
        with self._guard:
            if self._thread is None or not self._thread.is_alive():
                self._thread = Thread(target=self._run, name="imports", daemon=True)
                self._thread.start()

    def wait(self, timeout_s: float) -> bool:
        """Whether nothing is left to import, within this time."""
        thread = self._thread
        if thread is not None:
            thread.join(timeout_s)
        return thread is None or not thread.is_alive()

    def close(self) -> None:
        """Stop between two portions; the next process goes on there."""
        self._stop.set()
        self.wait(30.0)

    def _run(self) -> None:
        while not self._stop.is_set():
            job = self._next()
            if job is None:
                return
            self._import(job)

    def _next(self) -> Job | None:
        with read(self._hub.engine) as database:
            waiting = jobs.open_jobs(database)
        return next((job for job in waiting if self._upload_of(job) is not None), None)

    def _upload_of(self, job: Job) -> Path | None:
        name = str(job.options.get("upload") or "")
        path = self.folder / name
        return path if name and path.is_file() else None

    def _import(self, job: Job) -> None:
        path = self._upload_of(job)
        assert path is not None, "jobs are chosen by their files"
        request = replace(_request_of(job, path), errors=self.folder / f"{job.id}.errors.csv")
        try:
            done = run(self._hub, self._inbox, request, stop=self._stop)
        except Busy:
            self._stop.wait(AGAIN_S)
        except ConfigurationError as error:
            self._cannot(job, path, str(error))
        except Exception as error:  # whatever it is, the thread must live on for the other files
            log.exception("an import failed", id=job.id)
            if is_passing(error):
                self._stop.wait(AGAIN_S)
            else:
                self._cannot(job, path, "A defect of the hub; its log has the details.")
        else:
            if done.state != jobs.OPEN:
                path.unlink(missing_ok=True)

    def _cannot(self, job: Job, path: Path, why: str) -> None:
        """Another import goes first; or this one can never go on, such as when its source was removed."""
        lock = role_lock(self._hub.engine, LOCK)
        if not lock.acquire():
            self._stop.wait(AGAIN_S)
            return
        lock.release()
        give_up(self._hub, job.id, why)
        path.unlink(missing_ok=True)

    def _forget_old(self, now: Micros) -> None:
        """Files of rejected rows hold people's data: they go when the bodies of messages go; so do files of nobody's."""
        with read(self._hub.engine) as database:
            used = {str(job.options.get("upload")) for job in jobs.open_jobs(database)}
        oldest = (now - self._hub.settings.replay_days * DAY) / SECOND
        for path in self.folder.glob("*.csv"):
            if path.name not in used and path.stat().st_mtime < oldest:
                path.unlink(missing_ok=True)


def _within(parts: Iterable[bytes], limit: int) -> Iterator[bytes]:
    size = 0
    for part in parts:
        size += len(part)
        if size > limit:
            raise TooLarge(f"The file has more than {limit:,} bytes; see HUB_IMPORT_LIMIT, or split it.")
        yield part


def _as_options(request: ImportRequest) -> dict[str, object]:
    """What another process needs to import this file as it was asked for."""
    return {
        "target": request.target,
        "fields": dict(request.fields),
        "delimiter": request.delimiter,
        "encoding": request.encoding,
        "dates": request.dates,
        "at": request.at,
        "is_quiet": request.is_quiet,
        "takes_warnings": request.takes_warnings,
        "most_bad": request.most_bad,
    }


def _request_of(job: Job, path: Path) -> ImportRequest:
    given = {name: value for name, value in job.options.items() if name != "upload"}
    return ImportRequest(job.kind, path, job.name, job.actor, **given, options=job.options)
