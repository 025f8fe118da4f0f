"""Files over HTTP: uploaded with a key, imported behind the answer, followed by their id."""

from __future__ import annotations

import io
from collections.abc import Iterator
from typing import Any

import pytest

from hub.core.database import read
from hub.imports import jobs
from hub.imports.uploads import UPLOADS, Uploads
from tests.rooms.api.conftest import Api, error_of

PEOPLE = "source_id,email\nu1,ada@example.com\nu2,bad\n"


@pytest.fixture
def uploads(api: Api) -> Iterator[Uploads]:
    found: Uploads = api.app.extensions[UPLOADS]
    yield found
    found.close()
    for path in found.folder.glob("*"):
        path.unlink()


def upload(api: Api, content: str | bytes, query: str = "kind=customers", **more: Any) -> Any:
    more.setdefault("content_type", "text/csv")
    return api("POST", f"/hub/v1/imports?{query}", data=content, **more)


def ended(api: Api, uploads: Uploads, answer: Any) -> Any:
    assert answer.status_code == 202, answer.text
    assert uploads.wait(20.0)
    return api.get(f"/hub/v1/imports/{answer.json['id']}")


def test_an_upload_is_imported_behind_its_answer(api: Api, uploads: Uploads) -> None:
    shown = ended(api, uploads, upload(api, PEOPLE, "kind=customers&name=C%3A%5Cfiles%5Cpeople.csv"))

    assert (shown["state"], shown["file"]) == ("done", "people.csv")
    assert (shown["rows"], shown["accepted"], shown["rejected"]) == (2, 1, 1)
    assert api.get("/hub/v1/imports")["imports"] == [shown]
    assert api.get("/hub/v1/ledger")["accepted"] == 1
    (run,) = api.get("/hub/v1/sync-runs", kind="import")["sync_runs"]
    assert run["id"] == shown["run_id"]


def test_rejected_rows_are_downloaded_and_the_upload_itself_is_gone(api: Api, uploads: Uploads) -> None:
    shown = ended(api, uploads, upload(api, PEOPLE))
    answer = api("GET", shown["errors_url"])

    assert answer.status_code == 200
    assert answer.content_type.startswith("text/csv")
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert "attachment" in answer.headers["Content-Disposition"]
    assert answer.data.decode("utf-8-sig").startswith("source_id,email,error\r\nu2,bad,")
    assert [path.name for path in uploads.folder.iterdir()] == [f"{shown['id']}.errors.csv"]
    answer.close()


def test_an_import_without_rejected_rows_has_no_file_of_them(api: Api, uploads: Uploads) -> None:
    shown = ended(api, uploads, upload(api, "source_id\nu1\n"))

    assert shown["errors_url"] is None
    assert api.refused("GET", f"/hub/v1/imports/{shown['id']}/errors", status=404)["key"] == "no_errors"


def test_a_form_with_a_file_is_taken_too(api: Api, uploads: Uploads) -> None:
    form = {"file": (io.BytesIO(PEOPLE.encode()), "people.csv")}
    shown = ended(api, uploads, upload(api, form, content_type="multipart/form-data"))

    assert shown["file"] == "people.csv"
    assert shown["accepted"] == 1


def test_columns_are_mapped_by_the_query(api: Api, uploads: Uploads) -> None:
    query = "kind=customers&map=Key%3Dsource_id&map=Pts%3Dmetadata.points%3Anumber&delimiter=%3B"
    shown = ended(api, uploads, upload(api, "Key;Pts\nu1;7\n", query))

    assert shown["accepted"] == 1


def test_a_dry_run_answers_at_once_and_keeps_nothing(api: Api, uploads: Uploads) -> None:
    answer = upload(api, PEOPLE, "kind=customers&dry_run=true")

    assert answer.status_code == 200
    assert (answer.json["rows"], answer.json["rejected"]) == (2, 1)
    assert answer.json["columns"] == {"source_id": "source_id", "email": "email"}
    assert answer.json["first_rows"][0]["result"]["email"] == "ada@example.com"
    assert answer.json["rejected_rows"][0]["row"] == 2
    assert list(uploads.folder.iterdir()) == []
    assert api.get("/hub/v1/imports")["imports"] == []


def test_a_dry_run_names_what_the_schema_drops_of_each_row(api: Api, uploads: Uploads) -> None:
    schema = {"allow_defined_only": True, "properties": {"points": "number"}}
    assert api("PUT", "/hub/v1/schemas/profile", json=schema).status_code == 200
    content = "source_id,points,note\nu1,7,\nu2,many,x\n"
    strict = upload(api, content, "kind=customers&dry_run=true").json
    lenient = upload(api, content, "kind=customers&dry_run=true&accept_warnings=true").json

    drops = ["points: the schema has a number here, not text like this", "note: the schema does not define this key"]
    assert (strict["accepted"], strict["rejected"], strict["warned"]) == (1, 1, 0)
    assert strict["rejected_rows"][0]["warnings"] == drops
    assert (lenient["accepted"], lenient["rejected"], lenient["warned"]) == (2, 0, 1)
    assert lenient["warned_rows"][0]["warnings"] == drops
    assert lenient["first_rows"][0]["result"]["metadata.points"] == 7


def test_codes_are_uploaded_into_their_campaign(api: Api, uploads: Uploads) -> None:
    api.post("/hub/v1/campaigns", {"name": "spring", "kind": "imported"})
    shown = ended(api, uploads, upload(api, "code\nA\nB\nA\n", "kind=codes&campaign=spring"))

    assert (shown["accepted"], shown["duplicates"]) == (2, 1)


def test_products_are_uploaded_and_read(api: Api, uploads: Uploads) -> None:
    ended(api, uploads, upload(api, "product_id,name\np1,Tent\np2/x,Rope\n", "kind=products"))

    assert [each["name"] for each in api.get("/hub/v1/products", limit=1)["products"]] == ["Tent"]
    assert [each["name"] for each in api.get("/hub/v1/products", after="p1")["products"]] == ["Rope"]
    assert api.get("/hub/v1/products/p1") == {"product_id": "p1", "name": "Tent", "metadata": {}}
    assert api.refused("GET", "/hub/v1/products/p3", status=404)["key"] == "not_found"


@pytest.mark.parametrize(
    ("content", "query", "status", "key"),
    [
        (PEOPLE, "", 400, "missing_parameter"),
        (PEOPLE, "kind=people", 400, "invalid_query"),
        (PEOPLE, "kind=products&campaign=spring", 400, "invalid_query"),
        (PEOPLE, "kind=customers&soruce=x", 400, "unknown_parameter"),
        (PEOPLE, "kind=customers&source=nobody", 400, "invalid"),
        (PEOPLE, "kind=customers&campaign=spring", 400, "invalid_query"),
        (PEOPLE, "kind=codes", 400, "invalid_query"),
        (PEOPLE, "kind=codes&campaign=nothing", 400, "invalid"),
        (PEOPLE, "kind=customers&map=email", 400, "invalid"),
        (PEOPLE, "kind=customers&at=soon", 400, "invalid_query"),
        (PEOPLE, "kind=customers&encoding=klingon", 400, "invalid"),
        (PEOPLE, "kind=customers&dry_run=perhaps", 400, "invalid_query"),
        ("", "kind=customers", 400, "invalid"),
        ("email\nx\n", "kind=customers", 400, "invalid"),
        (b"\x00\xff" * 9, "kind=customers", 400, "invalid"),
    ],
)  # fmt: skip
def test_what_cannot_be_imported_is_refused_with_a_sentence_and_leaves_nothing(
    api: Api, uploads: Uploads, content: str | bytes, query: str, status: int, key: str
) -> None:
    answer = upload(api, content, query)

    assert (answer.status_code, error_of(answer)["key"]) == (status, key), answer.text
    assert not uploads.folder.exists() or list(uploads.folder.iterdir()) == []


def test_only_csv_is_taken(api: Api, uploads: Uploads) -> None:
    assert error_of(upload(api, "{}", content_type="application/json"))["code"] == 415
    assert error_of(upload(api, {"other": "x"}, content_type="multipart/form-data"))["key"] == "missing_field"


def test_a_key_is_needed(api: Api, uploads: Uploads) -> None:
    for method, path in (
        ("POST", "/hub/v1/imports?kind=customers"),
        ("GET", "/hub/v1/imports"),
        ("GET", "/hub/v1/exports/profiles"),
    ):
        assert api(method, path, key="hub_wrong").status_code == 401


def test_an_upload_that_is_too_large_is_refused_and_not_kept(api: Api, uploads: Uploads) -> None:
    settings = api.hub.settings
    known = settings.import_limit
    object.__setattr__(settings, "import_limit", 20)
    try:
        assert error_of(upload(api, PEOPLE))["code"] == 413
    finally:
        object.__setattr__(settings, "import_limit", known)
    assert list(uploads.folder.iterdir()) == []


def test_a_file_larger_than_other_bodies_may_be_is_taken(api: Api, uploads: Uploads) -> None:
    content = "source_id,note\n" + "".join(f"u{number},{'x' * 90_000}\n" for number in range(100))
    assert len(content) > api.hub.settings.inflated_limit

    assert ended(api, uploads, upload(api, content))["accepted"] == 100


def test_a_new_process_goes_on_with_what_an_earlier_one_left(api: Api, uploads: Uploads) -> None:
    uploads.wake = lambda: None  # type: ignore[method-assign]  # the process dies right after its answer
    answer = upload(api, PEOPLE)
    assert api.get(f"/hub/v1/imports/{answer.json['id']}")["state"] == "open"

    later = Uploads(api.hub, api.inbox)
    later.wake()
    assert later.wait(20.0)
    assert api.get(f"/hub/v1/imports/{answer.json['id']}")["state"] == "done"


def test_the_same_file_twice_is_one_import(api: Api, uploads: Uploads) -> None:
    one = ended(api, uploads, upload(api, PEOPLE))
    other = ended(api, uploads, upload(api, PEOPLE))

    assert one["id"] == other["id"]
    assert len(api.get("/hub/v1/imports")["imports"]) == 1


def test_an_import_whose_source_was_removed_fails_and_says_so(api: Api, uploads: Uploads) -> None:
    wake, uploads.wake = uploads.wake, lambda: None  # type: ignore[method-assign]  # removed before it begins
    answer = upload(api, PEOPLE)
    with read(api.engine) as database:
        job = jobs.get(database, answer.json["id"])
    api("DELETE", f"/hub/v1/sources/{job.target}")
    api.add_source("csv")
    wake()

    shown = ended(api, uploads, answer)
    assert shown["state"] == "failed"
    assert "takes messages of segment" in shown["detail"]


def test_an_import_that_is_not_there(api: Api) -> None:
    assert api.refused("GET", "/hub/v1/imports/nothing", status=404)["key"] == "not_found"


def test_profiles_are_exported_as_a_stream_of_csv(api: Api) -> None:
    answer = api("GET", "/hub/v1/exports/profiles")

    assert answer.status_code == 200
    assert answer.data.decode("utf-8-sig").startswith("source_id,at,name,")
    assert api.get("/hub/v1/audit")["audit"][0]["action"] == "profiles.exported"
