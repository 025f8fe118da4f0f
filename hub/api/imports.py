"""/hub/v1/imports and /hub/v1/exports/profiles: files in and out."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

from flask import Blueprint, Response, current_app, g, jsonify, request, send_file

from hub.api.body import expect_query, flag, limit, one_of, query
from hub.api.errors import ApiError, not_found
from hub.api.services import services
from hub.core import clock
from hub.core.clock import Micros, from_datetime
from hub.core.database import read, write
from hub.imports import jobs
from hub.imports.cells import DATES
from hub.imports.columns import parse_fields
from hub.imports.export import profiles_csv
from hub.imports.fields import KINDS
from hub.imports.jobs import Job
from hub.imports.request import ImportRequest
from hub.imports.trial import dry_run, trial_json
from hub.imports.uploads import UPLOADS, Uploads
from hub.ledger.store import record_audit

imports = Blueprint("imports", __name__, url_prefix="/hub/v1")
PART = 1_048_576
TYPES = frozenset({"text/csv", "application/csv", "text/plain", "application/octet-stream", "application/vnd.ms-excel"})
TRIED = 10_000  # rows of a dry run: it is answered at once
ASKED = (
    "kind", "source", "campaign", "map", "name", "delimiter", "encoding", "dates", "at", "live", "accept_warnings", "dry_run",
    "max_bad", "resume",
)  # fmt: skip


def uploads() -> Uploads:
    """The uploads of this web process."""
    found: Uploads = current_app.extensions[UPLOADS]
    return found


@imports.post("/imports")
def add() -> tuple[Response, int]:
    """A CSV file as body (`text/csv`) or as part `file` of a form; ?kind=&source=&campaign=&map=COLUMN=FIELD&…

    202 with the import, which GET /hub/v1/imports/<id> follows; with ?dry_run=true 200 with what would become of it.
    """
    expect_query(*ASKED)
    request.max_content_length = services().hub.settings.import_limit + PART  # a form has frames around its file
    kind = one_of("kind", KINDS)
    if kind is None:
        raise ApiError(400, "missing_parameter", f"?kind= is missing: {', '.join(KINDS)}.", {"parameter": "kind"})
    asked, is_dry = _asked(kind), flag("dry_run")
    path = uploads().keep(_parts(), clock.now())
    import_request = ImportRequest(kind, path, _name(), g.actor, **asked)
    if not is_dry:
        return jsonify(_shown(uploads().admit(import_request))), 202
    try:
        trial = dry_run(services().hub, import_request, clock.now(), limit(), TRIED)
    finally:
        path.unlink(missing_ok=True)
    return jsonify(trial_json(trial)), 200


@imports.get("/imports")
def list_() -> Response:
    """?limit=: the imports that were started last, of CLI and API."""
    expect_query("limit")
    with read(services().engine) as database:
        return jsonify(imports=[_shown(job) for job in jobs.latest(database, limit())])


@imports.get("/imports/<job_id>")
def show(job_id: str) -> Response:
    """One import: its state (open, done, failed) and its counts so far."""
    expect_query()
    return jsonify(_shown(_existing(job_id)))


@imports.get("/imports/<job_id>/errors")
def errors(job_id: str) -> Response:
    """The rejected rows as CSV: the original columns and `error`."""
    expect_query()
    job = _existing(job_id)
    path = uploads().errors_of(job)
    if path is None:
        raise ApiError(404, "no_errors", "There is no file of rejected rows: none was rejected, or it was removed.")
    return _download(send_file(path, mimetype="text/csv", download_name=f"{job.id}.errors.csv", as_attachment=True))


@imports.get("/exports/profiles")
def export_profiles() -> Response:
    """All profiles as CSV, streamed; `hub import customers` reads it back."""
    expect_query()
    now = clock.now()
    parts = profiles_csv(services().engine, now)
    header = next(parts)  # finds the columns, and raises while there can still be an error answer
    with write(services().engine) as database:
        record_audit(database, now, g.actor, "profiles.exported", "")

    def body() -> Iterator[bytes]:
        yield header
        yield from parts

    response = Response(body(), mimetype="text/csv")
    response.headers["Content-Disposition"] = 'attachment; filename="profiles.csv"'
    return _download(response)


def _shown(job: Job) -> dict[str, Any]:
    has_errors = uploads().errors_of(job) is not None
    return {**job.as_json(), "errors_url": f"/hub/v1/imports/{job.id}/errors" if has_errors else None}


def _existing(job_id: str) -> Job:
    with read(services().engine) as database:
        found = jobs.find(database, job_id)
    if found is None:
        raise not_found("import", job_id)
    return found


def _download(response: Response) -> Response:
    response.headers["X-Content-Type-Options"] = "nosniff"
    response.headers["Cache-Control"] = "no-store"
    return response


def _asked(kind: str) -> dict[str, Any]:
    source, campaign = request.args.get("source", ""), request.args.get("campaign", "")
    if (kind == "codes") != bool(campaign) or (source and campaign):
        raise ApiError(400, "invalid_query", "Codes are imported with ?campaign=, everything else with ?source=.")
    return {
        "target": campaign or source,
        "fields": parse_fields(request.args.getlist("map")),
        "delimiter": request.args.get("delimiter", ""),
        "encoding": request.args.get("encoding", ""),
        "dates": one_of("dates", DATES) or "",
        "at": query("at", _moment),
        "is_quiet": not flag("live"),
        "takes_warnings": flag("accept_warnings"),
        "most_bad": query("max_bad", _percent),
        "resumes": flag("resume", default=True),
    }


def _percent(text: str) -> int:
    if not 0 <= int(text) <= 100:
        raise ValueError(text)
    return int(text)


def _moment(text: str) -> Micros:
    at = datetime.fromisoformat(text)
    return from_datetime(at if at.tzinfo else at.replace(tzinfo=UTC))


def _is_form() -> bool:
    return request.mimetype == "multipart/form-data"


def _name() -> str:
    """What the file is called in the list: its last part, without a folder."""
    given = request.args.get("name") or (_file().filename if _is_form() else "") or "upload.csv"
    return given.replace("\\", "/").rpartition("/")[2][:200] or "upload.csv"


def _file() -> Any:
    found = request.files.get("file")
    if found is None:
        raise ApiError(400, "missing_field", "The form has no part named 'file' that is a file.", {"field": "file"})
    return found


def _parts() -> Iterator[bytes]:
    if _is_form():
        stream = _file().stream
    elif request.mimetype in TYPES:
        stream = request.stream
    else:
        raise ApiError(415, "unsupported_media_type", "Send the file as text/csv, or as part 'file' of a form.")
    return iter(lambda: stream.read(PART), b"")
