"""Files come in by the same way as every message: once, in any order, with books that balance. On both engines."""

from __future__ import annotations

import csv
from pathlib import Path
from threading import Event
from typing import Any

import pytest
from sqlalchemy import select

from hub import imports
from hub.admin import connections
from hub.admin.schemas import set_schemas
from hub.campaigns import store as campaigns
from hub.core import clock
from hub.core.clock import DAY, iso
from hub.core.database import read, write
from hub.imports import ImportProgress, jobs, request
from hub.imports.jobs import Job
from hub.imports.request import ImportRequest, rejects_path
from hub.imports.tables import IMPORT
from hub.imports.trial import dry_run, trial_json
from hub.inbox import seen
from hub.inbox.values import AcceptedRequest, MessageFilter
from hub.ledger import store as ledger
from hub.ledger.values import RunFilter
from hub.registry import store as registry
from hub.sdk.errors import Busy, ConfigurationError
from hub.sdk.json import loads
from tests.rooms.whole import Whole

PEOPLE = "source_id,email,name,points\nu1,ada@example.com,Ada Quill,7\nu2,ben@example.com,Ben,9\n"


class Files:
    """An operator with files."""

    def __init__(self, whole: Whole, folder: Path) -> None:
        self.whole = whole
        self.folder = folder
        self.path = folder / "people.csv"

    def request(self, content: str | bytes | None = None, kind: str = "customers", **more: Any) -> ImportRequest:
        if content is not None:
            self.path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return ImportRequest(kind, self.path, self.path.name, "tests", **more)

    def imports(self, content: str | bytes | None = None, kind: str = "customers", **more: Any) -> Job:
        """Import a file and apply what came of it."""
        job = self.runs(self.request(content, kind, **more))
        self.whole.applies()
        return job

    def runs(self, request: ImportRequest, **more: Any) -> Job:
        return imports.run(self.whole.hub, self.whole.inbox, request, **more)

    def tries(self, content: str, kind: str = "customers", **more: Any) -> Any:
        return trial_json(dry_run(self.whole.hub, self.request(content, kind, **more), clock.now()))

    @property
    def rejected(self) -> list[dict[str, str]]:
        with rejects_path(self.path).open(encoding="utf-8-sig", newline="") as file:
            return list(csv.DictReader(file, delimiter=";" if ";" in self.path.read_text("latin-1") else ","))


@pytest.fixture
def files(whole: Whole, tmp_path: Path) -> Files:
    return Files(whole, tmp_path)


def counts(job: Job) -> tuple[int, ...]:
    return tuple(job.counts[name] for name in ("rows", "accepted", "rejected"))


# ── customers ────────────────────────────────────────────────────────────────────────────────────────────────────


def test_customers_become_profiles_and_the_source_is_made_on_first_use(files: Files) -> None:
    job = files.imports(
        "Source ID,E-mail,Phone,City,Loyalty Tier,identities.crm_id,consents.email,consents.sms\n"
        "u1,ada@example.com,+48500000001,Gdynia,gold,77,yes,unsubscribed\n"
    )

    assert (job.state, counts(job)) == ("done", (1, 1, 0))
    profile = files.whole.profile("u1")
    assert profile is not None
    assert profile["traits"] == {"email": "ada@example.com", "phone": "+48500000001", "address": {"city": "Gdynia"}}
    assert profile["metadata"] == {"Loyalty_Tier": "gold"}
    assert profile["identities"] == {"crm_id": ["77"], "email": ["ada@example.com"], "phone": ["+48500000001"]}
    assert {topic: said["status"] for topic, said in profile["consents"].items()} == {
        "email": "granted",
        "sms": "denied",
    }
    assert files.whole.books().terms["applied"] == 1
    with read(files.whole.engine) as database:
        assert registry.find(database, files.whole.hub.vault, "source", "csv") is not None


def test_the_same_file_imported_again_changes_nothing(files: Files) -> None:
    files.imports(PEOPLE)
    before = files.whole.profile("u1")
    job = files.imports()

    assert counts(job) == (2, 2, 0)
    assert files.whole.profile("u1") == before
    books = files.whole.books()
    assert (books.terms["applied"], books.terms["duplicate"]) == (2, 2)


def test_the_same_rows_in_another_order_of_rows_and_columns_are_the_same_messages(files: Files) -> None:
    files.imports("source_id,email,points,at\nu1,ada@example.com,7,2026-03-01\nu2,ben@example.com,9,2026-03-01\n")
    files.imports("at;email;source_id;points\n2026-03-01;ben@example.com;u2;9\n2026-03-01;ada@example.com;u1;7\n")

    assert files.whole.books().terms["duplicate"] == 2


def test_what_a_file_says_again_after_another_file_said_otherwise_counts(files: Files) -> None:
    """Three exports without a time: the third says what the first did, and is not a repetition of it."""
    for place, tier in enumerate(("gold", "silver", "gold")):
        files.imports(f"source_id,tier,nth\nu1,{tier},\nu{place + 7},{tier},\n")

    profile = files.whole.profile("u1")
    assert profile is not None
    assert profile["metadata"] == {"tier": "gold"}


def test_events_without_a_time_are_counted_once_though_two_files_hold_them(files: Files) -> None:
    files.imports("source_id,event,plan\nu1,Signed Up,pro\n", "events")
    files.imports("source_id,event,plan\nu1,Signed Up,pro\nu1,Signed Up,free\n", "events")

    profile = files.whole.profile("u1")
    assert profile is not None
    assert profile["events"] == {"signed_up": 2}


def test_an_import_goes_over_newer_data_only_where_its_rows_are_newer(files: Files) -> None:
    now = clock.now()
    files.whole.identifies("u1", name="Ada of the shop")
    files.imports(f"source_id,name,updated_at\nu1,Ada of old,{iso(now - DAY)}\n")

    profile = files.whole.profile("u1")
    assert profile is not None
    assert profile["traits"]["name"] == "Ada of the shop"


def test_the_time_of_rows_without_one_is_that_of_the_first_start_or_the_one_asked_for(files: Files) -> None:
    first = files.imports(PEOPLE)
    again = files.imports()
    asked = files.imports(at=first.at - DAY)

    assert (again.at, asked.at) == (first.at, first.at - DAY)
    assert files.whole.books().terms["duplicate"] == 2, "at another time they are other messages"


def test_an_empty_cell_changes_nothing(files: Files) -> None:
    files.imports(PEOPLE)
    files.imports("source_id,email,name,points\nu1,, ,8\n")

    profile = files.whole.profile("u1")
    assert profile is not None
    assert profile["traits"]["email"] == "ada@example.com"
    assert profile["metadata"]["points"] == "8"


def test_metadata_has_the_types_that_were_asked_for(files: Files) -> None:
    files.imports(
        'source_id,points,vip,tags,size,zip_of_shop,metadata.since:date\nu1,7,yes,"a, b","{""shoe"": 38}",00501,2024-02-29\n',
        fields={
            "points": "metadata.points:number",
            "vip": "metadata.vip:boolean",
            "tags": "metadata.tags:list",
            "size": "metadata.size:json",
        },
    )

    profile = files.whole.profile("u1")
    assert profile is not None
    assert profile["metadata"] == {
        "points": 7,
        "vip": True,
        "tags": ["a", "b"],
        "size": {"shoe": 38},
        "zip_of_shop": "00501",
        "since": "2024-02-29",
    }


def test_messages_of_quiet_rows_are_replays_and_live_ones_are_sent(files: Files) -> None:
    files.whole.connect("crm", "profiles")
    files.imports("source_id,email\nu1,ada@example.com\n")
    assert files.whole.deliveries() == []

    files.imports("source_id,email\nu2,ben@example.com\n", is_quiet=False)
    assert [row["source_id"] for row in files.whole.deliveries()] == ["u2"]


def test_a_row_is_kept_as_a_message_so_that_it_can_be_replayed(files: Files) -> None:
    files.imports(PEOPLE)
    with read(files.whole.engine) as database:
        (stored,) = seen.page(database, MessageFilter(source_id="u1"), None, 9)

    assert stored.message_id.startswith("csv:")
    assert stored.body is not None
    assert b'"kind":"customers"' in stored.body


# ── orders and events ────────────────────────────────────────────────────────────────────────────────────────────


def test_orders_have_amounts_in_minor_units_and_items(files: Files) -> None:
    files.imports(
        "order_id,customer_id,status,currency,total,created_at,items,shop\n"
        'o-1,u1,paid,PLN,12.50,2026-03-01T10:00:00Z,"[{""sku"":""T-1"",""quantity"":2,""price"":""6.25"",""colour"":""red""}]",Gdynia\n',
        "orders",
    )

    profile = files.whole.profile("u1")
    assert profile is not None
    (order,) = profile["orders"]
    assert {name: order[name] for name in ("id", "status", "currency", "amount", "metadata")} == {
        "id": "o-1",
        "status": "PAID",
        "currency": "PLN",
        "amount": 1250,
        "metadata": {"shop": "Gdynia"},
    }
    assert order["items"] == [{"sku": "T-1", "quantity": 2, "price": 625, "metadata": {"colour": "red"}}]
    assert profile["events"] == {}


LINES = (
    "Order ID,source_id,Paid at,at,Currency,Total,Lineitem name,Lineitem quantity,Lineitem price,item.colour,item.weight:number\n"
    "o1,u1,2026-01-02,2026-01-01,EUR,50.00,Tent,1,30.00,green,2.5\n"
    "o1,,,,,,Rope,2,10.00,,\n"
    "o2,u2,,2026-01-01,EUR,5.00,,,,,\n"
    "o3,u1,,2026-01-03,JPY,500,Peg,5,100,red,\n"
)


def test_the_items_of_an_order_may_have_a_row_each(files: Files) -> None:
    assert counts(files.imports(LINES, "orders")) == (4, 4, 0)

    profile = files.whole.profile("u1")
    assert profile is not None
    first, second = profile["orders"]
    tent = {"name": "Tent", "quantity": 1, "price": 3000, "metadata": {"colour": "green", "weight": 2.5}}
    assert first["items"] == [tent, {"name": "Rope", "quantity": 2, "price": 1000}]
    assert (first["amount"], first["metadata"]) == (5000, {"Paid_at": "2026-01-02"})
    assert second["items"] == [{"name": "Peg", "quantity": 5, "price": 100, "metadata": {"colour": "red"}}]
    assert files.whole.books().terms["applied"] == 3


def test_an_order_is_taken_whole_or_not_at_all(files: Files) -> None:
    header = "order_id,source_id,total,sku,quantity,note\n"
    rows = {
        "bad item": "o1,u1,5,A,1,\no1,u1,5,B,many,\n",
        "differs": "o2,u1,5,A,1,\no2,u1,7,B,1,\n",
        "note of the item": "o3,u1,5,A,1,x\no3,u1,5,B,1,y\n",
        "ragged": "o4,u1,5,A,1,\no4,u1,5\n",
        "no id": "o5,u1,5,A,1,\n,,,B,1,\n",
        "good": "o6,u1,5,A,1,\n",
        "broken": 'o7,u1,5,"A"a,1,\no7,u1,5,B,1,\n',
        "again": "o6,u1,5,B,1,\n",
    }
    assert counts(files.imports(header + "".join(rows.values()), "orders")) == (14, 1, 13)

    told = {row["order_id"]: row["error"] for row in files.rejected if row["order_id"]}
    assert told["o1"] == "quantity: the text is not a decimal number."
    assert told["o2"] == "total: the rows of one order, lines 4 to 5, say different things."
    assert "say so with --map 'note=item.NAME'" in told["o3"]
    assert told["o4"].startswith("In line 9, of the same order: The row has 3 cells")
    assert told["o5"] == "In line 11, of the same order: The row does not say of which order it is."
    assert told["o6"] == "Other rows of this order stand further up; put all rows of an order together."
    assert told["o7"].startswith("In line 13, of the same order: Line 13: text follows a closing quote")
    assert [row["sku"] for row in files.rejected][:2] == ["A", "B"], "every row of it, to be corrected together"
    profile = files.whole.profile("u1")
    assert profile is not None
    assert [order["items"] for order in profile["orders"]] == [[{"sku": "A", "quantity": 1}]]


def test_rejected_rows_of_an_order_are_corrected_together(files: Files) -> None:
    files.imports("order_id,source_id,sku,quantity\no1,u1,A,1\no1,u1,B,many\n", "orders")
    files.path = rejects_path(files.path)
    files.path.write_text(files.path.read_text("utf-8-sig").replace("many", "2"))

    assert counts(files.imports(kind="orders")) == (2, 2, 0)
    profile = files.whole.profile("u1")
    assert profile is not None
    assert profile["orders"][0]["items"] == [{"sku": "A", "quantity": 1}, {"sku": "B", "quantity": 2}]


@pytest.mark.usefixtures("small_portions")
def test_an_import_that_was_cut_off_never_parts_an_order(files: Files) -> None:
    lines = "".join(f"o{number},u1,{item}\n" for number in range(12) for item in "ABC") + "o0,u1,D\n"
    asked = files.request("order_id,source_id,sku\n" + lines, "orders")
    with pytest.raises(Killed):
        files.runs(asked, progress=KilledAfter(2))
    job = files.runs(asked)
    files.whole.applies()

    assert counts(job) == (37, 36, 1)
    assert [row["sku"] for row in files.rejected] == ["D"], "an order that came before the cut is known behind it"
    profile = files.whole.profile("u1")
    assert profile is not None
    assert {len(order["items"]) for order in profile["orders"]} == {3}
    assert files.whole.books().terms["applied"] == 12


def test_an_order_without_an_end_does_not_fill_the_memory(files: Files) -> None:
    rows = "".join(f"o1,u1,S{number}\n" for number in range(2_500))

    assert counts(files.imports("order_id,source_id,sku\n" + rows, "orders", most_bad=100)) == (2_500, 0, 2_500)
    assert {row["error"] for row in files.rejected} == {
        "The order has more rows than can be read as one; give its items as JSON.",
        "Other rows of this order stand further up; put all rows of an order together.",
    }


def test_events_are_counted_once_and_their_columns_are_properties(files: Files) -> None:
    content = "source_id,event,timestamp,Plan\nu1,Signed Up,2026-03-01T10:00:00Z,team\nu1,Signed Up,2026-03-01T10:00:00Z,team\n"
    files.imports(content, "events")
    files.imports(content, "events")

    profile = files.whole.profile("u1")
    assert profile is not None
    assert profile["events"] == {"signed_up": 1}


# ── rejected rows ────────────────────────────────────────────────────────────────────────────────────────────────

BAD = (
    "source_id;E-mail;Phone;Points;updated_at\n"
    "u1;ada@example.com;'+48500000001;7;2026-03-01\n"
    "u2;no address;;;\n"
    ";nobody@example.com;;;\n"
    "u4;;123;;\n"
    "u5;;;many;\n"
    "u6;;;;tomorrow\n"
    "u7;x@example.com\n"
    "u8;a@example.com;;;;surplus\n"
    'u9;"half" open;;;\n'
    "u10;nul\0@example.com;;;\n"
    f"{'u' * 300};;;;\n"
)


def test_each_rejected_row_says_why_and_the_others_are_imported(files: Files) -> None:
    job = files.imports(BAD, fields={"Points": "metadata.points:number"})

    assert counts(job) == (11, 1, 10)
    told = {row["source_id"]: row["error"] for row in files.rejected}
    assert told["u2"].startswith("E-mail: an e-mail address has one @")
    assert told["u4"].startswith("Phone: ")
    assert told["u5"].startswith("Points: ")
    assert told["u6"].startswith("updated_at: ")
    assert "2 cells and the header 5" in told["u7"]
    assert "6 cells and the header 5" in told["u8"]
    assert "NUL" in told["u10"]
    assert told["u" * 300].startswith("source_id: ")
    assert told[""] == "The row has no source_id."
    assert told["u9"] == (
        'Line 10: text follows a closing quote. Quote the whole cell, and write a quote inside it twice ("").'
    )
    assert files.whole.profile("u1") is not None
    assert files.whole.books().terms["accepted"] == 1


def test_rejected_rows_are_corrected_and_imported_from_their_own_file(files: Files) -> None:
    files.imports("source_id,email,phone\nu1,ada@example.com,+48500000001\nu2,no address,+48500000002\n")
    errors = rejects_path(files.path)
    content = errors.read_text(encoding="utf-8-sig")
    assert "'+48500000002" in content, "a spreadsheet must not run it"
    errors.write_text(content.replace("no address", "ben@example.com"), encoding="utf-8-sig")
    files.path = errors
    job = files.imports()

    assert counts(job) == (1, 1, 0)
    profile = files.whole.profile("u2")
    assert profile is not None
    assert profile["traits"] == {"email": "ben@example.com", "phone": "+48500000002"}
    assert profile["metadata"] == {}


def test_a_row_that_breaks_the_rules_of_quoting_is_corrected_in_the_file_of_rejected_rows(files: Files) -> None:
    assert counts(files.imports('source_id,name\nu1,"Ada" Quill\n')) == (1, 0, 1)
    files.path = rejects_path(files.path)

    assert counts(files.imports()) == (1, 1, 0)
    profile = files.whole.profile("u1")
    assert profile is not None
    assert profile["traits"]["name"] == "Ada Quill"


def test_rows_in_another_encoding_than_the_rest_are_rejected_and_nothing_is_garbled(files: Files) -> None:
    good = "".join(f"u{number},Łucja Żak\n" for number in range(20))
    content = f"source_id,name\n{good}".encode() + "u20,Zoë\n".encode("windows-1252") + "u21,Ünal\n".encode()

    assert counts(files.imports(content)) == (22, 21, 1)
    names = [files.whole.profile(who) for who in ("u0", "u20", "u21")]
    assert [one and one["traits"]["name"] for one in names] == ["Łucja Żak", None, "Ünal"]
    assert files.rejected[0]["name"] == "Zoë", "as it most likely is, for a person to look at"
    assert files.rejected[0]["error"].startswith("name: not in UTF-8")
    files.path = rejects_path(files.path)
    assert counts(files.imports()) == (1, 1, 0)


def test_an_encoding_that_was_guessed_is_told(files: Files) -> None:
    job = files.imports("source_id,name\nu1,Zoë\n".encode("windows-1252"))
    said = files.imports("source_id,name\nu1,Łódź\n".encode("iso-8859-2"), encoding="iso-8859-2")

    assert job.detail.startswith("'people.csv' is not in Unicode and was read as windows-1252")
    assert said.detail == ""


def test_a_file_whose_end_cannot_be_read_is_a_failed_import(files: Files) -> None:
    job = files.imports('source_id,name\nu1,Ada\nu2,"Ben\n' + "".join(f"v{n},Cy\n" for n in range(30)))

    assert (job.state, counts(job)) == ("failed", (2, 1, 1))
    assert "was read to row 2 only. A quote opened in line 3 is never closed" in job.detail
    assert files.whole.profile("u1") is not None


@pytest.mark.parametrize(("dates", "born"), [("dmy", "1990-04-03"), ("mdy", "1990-03-04")])
def test_days_may_be_written_as_spreadsheets_do_if_that_is_said(files: Files, dates: str, born: str) -> None:
    content = (
        "source_id,birthdate,created_at,joined:date,note,updated_at\n"
        "u1,03.04.1990,03/04/1990 9:05,3-4-1990,03/04/1990,1990-05-01\n"
    )
    assert counts(files.imports(content)) == (1, 0, 1), "nobody knows which is the month"
    assert counts(files.imports(content, dates=dates)) == (1, 1, 0)

    profile = files.whole.profile("u1")
    assert profile is not None
    assert profile["traits"] == {"birthdate": born, "created_at": f"{born}T09:05:00Z"}
    assert profile["metadata"] == {"joined": born, "note": "03/04/1990"}
    assert counts(files.imports("source_id,birthdate\nu1,31.31.1990\n", dates=dates)) == (1, 0, 1)


def test_white_space_around_an_address_is_no_part_of_it(files: Files) -> None:
    assert counts(files.imports("source_id, email , name\nu1, ada@example.com , Ada\n")) == (1, 1, 0)
    profile = files.whole.profile("u1")
    assert profile is not None
    assert profile["identities"] == {"email": ["ada@example.com"]}


def test_an_import_without_rejected_rows_leaves_no_file_of_an_earlier_one(files: Files) -> None:
    files.imports("source_id,email\nu1,bad\n")
    assert rejects_path(files.path).exists()
    files.imports("source_id,email\nu1,ada@example.com\n")

    assert not rejects_path(files.path).exists()


def test_rows_can_be_taken_without_the_values_that_do_not_fit(files: Files) -> None:
    job = files.imports("source_id,email,phone\nu1,ada@example.com,12\n", takes_warnings=True)

    assert counts(job) == (1, 1, 0)
    profile = files.whole.profile("u1")
    assert profile is not None
    assert profile["traits"] == {"email": "ada@example.com"}


def test_a_row_without_a_person_is_never_taken(files: Files) -> None:
    assert counts(files.imports("source_id,email\n,ada@example.com\n", takes_warnings=True)) == (1, 0, 1)


def test_the_imported_file_is_never_overwritten(files: Files) -> None:
    with pytest.raises(ConfigurationError, match="the imported file itself"):
        files.imports("source_id,email\nu1,bad\n", errors=files.path)
    assert files.path.read_text() == "source_id,email\nu1,bad\n"


# ── dry runs ─────────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_dry_run_tells_row_by_row_and_writes_nothing(files: Files) -> None:
    shown = files.tries(BAD, fields={"Points": "metadata.points:number"})

    assert (shown["rows"], shown["accepted"], shown["rejected"]) == (11, 1, 10)
    assert (shown["delimiter"], shown["encoding"]) == (";", "utf-8")
    assert shown["columns"]["E-mail"] == "email"
    assert shown["rejected_rows"][0]["error"].startswith("E-mail: ")
    assert not rejects_path(files.path).exists()
    assert files.whole.books().terms["accepted"] == 0
    with read(files.whole.engine) as database:
        assert registry.find(database, files.whole.hub.vault, "source", "csv") is None
        assert database.execute(select(IMPORT)).all() == []
        assert ledger.runs(database, RunFilter(kind="import")).items == []


# ── cut off and taken up again ───────────────────────────────────────────────────────────────────────────────────


class Killed(BaseException):
    """Stands for a process that dies: nothing of what follows runs."""


class KilledAfter(ImportProgress):
    def __init__(self, portions: int) -> None:
        self.left = portions

    def moved(self, bytes_read: int, counts: Any) -> None:
        self.left -= 1
        if not self.left:
            raise Killed


@pytest.fixture
def small_portions(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(request, "PORTION_ROWS", 10)


def many(count: int) -> str:
    bad = {13, 27, 44}
    return "source_id,email\n" + "".join(
        f"u{number},{'bad' if number in bad else f'p{number}@example.com'}\n" for number in range(count)
    )


@pytest.mark.usefixtures("small_portions")
def test_an_import_that_was_cut_off_goes_on_behind_its_position(files: Files) -> None:
    with pytest.raises(Killed):
        files.runs(files.request(many(50)), progress=KilledAfter(2))
    with read(files.whole.engine) as database:
        (open_job,) = jobs.open_jobs(database)
    assert (open_job.position, counts(open_job)) == (20, (20, 19, 1))

    done = files.imports()
    assert (done.id, done.state, counts(done)) == (open_job.id, "done", (50, 47, 3))
    assert [row["source_id"] for row in files.rejected] == ["u13", "u27", "u44"]
    books = files.whole.books()
    assert (books.terms["applied"], books.terms["duplicate"]) == (47, 0)


@pytest.mark.usefixtures("small_portions")
def test_a_crash_between_the_messages_and_the_position_loses_and_doubles_nothing(
    files: Files, monkeypatch: pytest.MonkeyPatch
) -> None:
    real, calls = jobs.advance, []

    def advance(*given: Any) -> None:
        calls.append(given)
        if len(calls) == 3:
            raise Killed
        real(*given)

    with monkeypatch.context() as patch:
        patch.setattr(jobs, "advance", advance)
        with pytest.raises(Killed):
            files.runs(files.request(many(50)))
    done = files.imports()

    assert counts(done) == (50, 47, 3)
    assert [row["source_id"] for row in files.rejected] == ["u13", "u27", "u44"], "the cut part was written once"
    books = files.whole.books()
    assert (books.terms["applied"], books.terms["duplicate"]) == (47, 9)


@pytest.mark.usefixtures("small_portions")
def test_an_import_can_be_begun_again_instead(files: Files) -> None:
    with pytest.raises(Killed):
        files.runs(files.request(many(50)), progress=KilledAfter(2))
    done = files.imports(resumes=False)

    assert counts(done) == (50, 47, 3)
    assert files.whole.books().terms["duplicate"] == 19


@pytest.mark.usefixtures("small_portions")
def test_read_differently_it_is_another_import(files: Files) -> None:
    with pytest.raises(Killed):
        files.runs(files.request(many(50)), progress=KilledAfter(2))
    done = files.imports(fields={"email": "metadata.mail"})

    assert counts(done) == (50, 50, 0)


@pytest.mark.usefixtures("small_portions")
def test_a_stop_leaves_it_open_and_says_so_in_the_sync_log(files: Files) -> None:
    stop = Event()

    class StopsAfterOne(ImportProgress):
        def moved(self, bytes_read: int, counts: Any) -> None:
            stop.set()

    job = files.runs(files.request(many(50)), progress=StopsAfterOne(), stop=stop)

    assert (job.state, job.position) == ("open", 10)
    with read(files.whole.engine) as database:
        (run,) = ledger.runs(database, RunFilter(kind="import")).items
    assert (run.result, run.counts["rows"]) == ("failed", 10)
    assert "goes on behind row 10" in run.detail


def test_two_imports_do_not_run_at_the_same_time(files: Files) -> None:
    class Another(ImportProgress):
        def moved(self, bytes_read: int, counts: Any) -> None:
            with pytest.raises(ConfigurationError, match="Another file is being imported"):
                files.runs(files.request())

    assert files.runs(files.request(PEOPLE), progress=Another()).state == "done"


# ── room in the inbox ────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.usefixtures("small_portions")
def test_an_import_leaves_room_for_webhooks_and_waits_for_the_apply_role(
    files: Files, monkeypatch: pytest.MonkeyPatch
) -> None:
    from hub.imports import pace

    monkeypatch.setattr(pace, "LOOK_S", 0.0)
    whole = files.whole
    object.__setattr__(whole.hub.settings, "inbox_limit", 40)
    told: list[str] = []

    class Applies(ImportProgress):
        def waits(self, why: str) -> None:
            told.append(why)
            whole.applies()

    job = files.runs(files.request(many(50)), progress=Applies())

    assert job.state == "done"
    assert told[0].endswith("messages wait to be applied, and an import may let 20 wait")


@pytest.mark.usefixtures("small_portions")
def test_an_import_that_nobody_applies_stops_with_a_sentence_and_goes_on_later(
    files: Files, monkeypatch: pytest.MonkeyPatch
) -> None:
    from hub.imports import pace

    monkeypatch.setattr(pace, "LOOK_S", 0.0)
    monkeypatch.setattr(pace, "PATIENCE_S", 0.0)
    object.__setattr__(files.whole.hub.settings, "inbox_limit", 40)
    with pytest.raises(Busy, match="is the hub running"):
        files.runs(files.request(many(50)))
    files.whole.applies()
    object.__setattr__(files.whole.hub.settings, "inbox_limit", 1_000)

    assert counts(files.imports()) == (50, 47, 3)
    assert files.whole.books().terms["duplicate"] == 0


def test_a_busy_inbox_is_asked_again(files: Files, monkeypatch: pytest.MonkeyPatch) -> None:
    real, failures = files.whole.inbox.append, [Busy(), Busy()]

    def append(request: AcceptedRequest) -> None:
        if failures:
            raise failures.pop()
        real(request)

    monkeypatch.setattr(files.whole.inbox, "append", append)

    assert counts(files.imports(PEOPLE)) == (2, 2, 0)


# ── codes ────────────────────────────────────────────────────────────────────────────────────────────────────────


def campaign(files: Files, name: str, kind: str = "imported") -> None:
    with write(files.whole.engine) as database:
        campaigns.add(database, clock.now(), name=name, kind=kind)


def test_codes_go_into_their_campaign_once(files: Files) -> None:
    campaign(files, "spring")
    campaign(files, "summer")
    files.imports("code\nTAKEN\n", "codes", target="summer")
    job = files.imports(
        "Code,note\nA-1,x\nA-2,x\n A-1 ,x\nTAKEN,x\n,x\n" + "L" * 101 + ",x\n", "codes", target="spring"
    )

    assert (job.counts["accepted"], job.counts["duplicates"], job.counts["rejected"]) == (2, 1, 3)
    assert [row["error"] for row in files.rejected] == [
        "It exists already, in campaign 'summer'.",
        "The row has no code.",
        "It is longer than 100 characters.",
    ]
    again = files.imports("Code\nA-1\nA-2\nA-3\n", "codes", target="spring")
    assert (again.counts["accepted"], again.counts["duplicates"]) == (1, 2)
    assert files.whole.books().terms["codes"] == 4


def test_a_dry_run_of_codes_knows_which_exist_elsewhere(files: Files) -> None:
    campaign(files, "spring")
    campaign(files, "summer")
    files.imports("code\nTAKEN\n", "codes", target="summer")
    shown = files.tries("code\nTAKEN\nNEW\n", "codes", target="spring")

    assert (shown["accepted"], shown["rejected"]) == (1, 1)
    assert files.whole.books().terms["codes"] == 1


@pytest.mark.usefixtures("small_portions")
def test_a_dry_run_of_codes_tells_which_are_new(files: Files) -> None:
    campaign(files, "spring")
    files.imports("code\nOLD\n", "codes", target="spring")
    more = "".join(f"C{number}\n" for number in range(30))
    content = f"code\nOLD\nNEW\nNEW\n{more}C0\n"
    shown = files.tries(content, "codes", target="spring")

    assert [row["result"] for row in shown["first_rows"][:3]] == [
        {"code": "OLD", "is_duplicate": True},
        {"code": "NEW", "is_duplicate": False},
        {"code": "NEW", "is_duplicate": True},
    ]
    job = files.imports(content, "codes", target="spring")
    assert {name: shown[name] for name in jobs.COUNTS} == job.counts


@pytest.mark.usefixtures("small_portions")
def test_codes_and_their_position_are_one_transaction(files: Files, monkeypatch: pytest.MonkeyPatch) -> None:
    campaign(files, "spring")
    content = "code\n" + "".join(f"C-{number}\n" for number in range(50))
    with pytest.raises(Killed):
        files.runs(files.request(content, "codes", target="spring"), progress=KilledAfter(3))
    done = files.imports(None, "codes", target="spring")

    assert (done.counts["accepted"], done.counts["duplicates"]) == (50, 0)


@pytest.mark.parametrize(
    ("target", "told"),
    [("", "name it with --campaign"), ("winter", "no campaign 'winter'"), ("made", "makes its own codes")],
)
def test_codes_need_an_imported_campaign(files: Files, target: str, told: str) -> None:
    campaign(files, "made", "generated")
    with pytest.raises(ConfigurationError, match=told):
        files.imports("code\nA\n", "codes", target=target)


# ── sources ──────────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_source_must_exist_and_be_made_for_files(files: Files) -> None:
    with pytest.raises(ConfigurationError, match="no source 'crm'"):
        files.imports(PEOPLE, target="crm")
    with pytest.raises(ConfigurationError, match="takes messages of segment"):
        files.imports(PEOPLE, target="web")


def test_a_source_of_its_own_has_its_own_settings(files: Files) -> None:
    hub = files.whole.hub
    with write(files.whole.engine) as database:
        connections.add_source(hub, database, clock.now(), "csv", "shop", {"region": "PL"}, "tests")
    files.imports("source_id,phone\nu1,500 000 001\n", target="shop")

    profile = files.whole.profile("u1")
    assert profile is not None
    assert profile["traits"]["phone"] == "+48500000001"


def test_amounts_without_a_currency_are_in_that_of_the_source(files: Files) -> None:
    with write(files.whole.engine) as database:
        for name, currency in (("tokyo", "jpy"), ("kuwait", "EUR")):
            given = {"currency": currency}
            made = connections.add_source(files.whole.hub, database, clock.now(), "csv", name, given, "tests")
        connections.change_settings(files.whole.hub, database, clock.now(), made, {"currency": "KWD"}, "tests")
    files.imports("order_id,source_id,total\no1,u1,500\n", "orders", target="tokyo")
    files.imports("order_id,source_id,total\no2,u1,1.5\n", "orders", target="kuwait")

    profile = files.whole.profile("u1")
    assert profile is not None
    assert [(each["amount"], each["currency"]) for each in profile["orders"]] == [(500, "JPY"), (1500, "KWD")]


def test_a_paused_source_takes_no_file(files: Files) -> None:
    files.imports(PEOPLE)
    with write(files.whole.engine) as database:
        source = registry.find(database, files.whole.hub.vault, "source", "csv")
        assert source is not None
        connections.pause(database, clock.now(), source, "", "tests")
    with pytest.raises(ConfigurationError, match="is paused"):
        files.imports("source_id\nu3\n")


def test_an_erased_person_stays_erased(files: Files) -> None:
    files.imports(PEOPLE)
    files.whole.erases("u1")
    files.imports("source_id,name\nu1,Ada again\n")

    assert files.whole.profile("u1") is None
    assert files.whole.books().reasons["ignored"]["erased"] >= 1


# ── the ledger ───────────────────────────────────────────────────────────────────────────────────────────────────


def test_an_import_is_a_sync_run_with_counts_and_an_audit_entry(files: Files) -> None:
    job = files.imports("source_id,email\nu1,ada@example.com\nu2,bad\n")

    with read(files.whole.engine) as database:
        (run,) = ledger.runs(database, RunFilter(kind="import")).items
        entry = ledger.audits(database).items[0]
    assert run.id == job.run_id
    assert run.connection_id == job.target
    assert run.result == "partial"
    assert run.counts == {"rows": 2, "accepted": 1, "duplicates": 0, "rejected": 1}
    assert run.detail == "1 of 2 rows of 'people.csv' were rejected."
    assert (entry.action, entry.subject, entry.actor) == ("file.imported", "people.csv", "tests")


# ── metadata schemas ─────────────────────────────────────────────────────────────────────────────────────────────

TYPED = {
    "profile": {"points": "number", "tags": {"type": "string", "array": True}, "home": "geopoint"},
    "order": {"gift": "boolean"},
    "item": {"size": "number"},
    "event.seen": {"count": "number"},
}
GIFTS = """\
source_id,order_id,Gift,Lines
u1,o1,yes,"[{""sku"":""a"",""size"":""43""}]"
u2,o2,perhaps,"[{""sku"":""a"",""size"":""XL""}]"
"""
OF_EACH = [
    (
        "customers",
        'source_id,points,tags,home,Shoe Size\nu1,12,x,"51.45,-2.59",\nu2,many,,north,42\n',
        ["points", "home", "Shoe Size"],
    ),
    (
        "orders",
        GIFTS,
        ["Gift", "Lines[0].metadata.size"],
    ),
    ("events", "source_id,event,count,note\nu1,Seen,3,\nu2,Seen,often,x\n", ["count", "note"]),
]


def defines(files: Files, *, closed: bool = True) -> None:
    documents = {kind: {"allow_defined_only": closed, "properties": keys} for kind, keys in TYPED.items()}
    with write(files.whole.engine) as database:
        set_schemas(database, clock.now(), documents, "tests")


@pytest.mark.parametrize("is_known", [False, True], ids=["first import", "known source"])
@pytest.mark.parametrize(("kind", "content", "places"), OF_EACH, ids=[each[0] for each in OF_EACH])
def test_a_dry_run_filters_by_the_schema_as_the_import_and_the_apply_role_do(
    files: Files, kind: str, content: str, places: list[str], is_known: bool
) -> None:
    defines(files)
    if is_known:
        files.imports("source_id\nu0\n")
    more: Any = {"fields": {"Lines": "items", "Gift": "metadata.gift"}} if kind == "orders" else {}

    shown = files.tries(content, kind, **more)
    assert (shown["rows"], shown["accepted"], shown["rejected"], shown["warned"]) == (2, 1, 1, 0)
    [rejected] = shown["rejected_rows"]
    assert [sentence.partition(": ")[0] for sentence in rejected["warnings"]] == places
    assert rejected["error"] == "; ".join(rejected["warnings"]) + "."
    job = files.imports(content, kind, **more)
    assert counts(job) == (2, 1, 1)
    assert [row["error"] for row in files.rejected] == [rejected["error"]]
    with read(files.whole.engine) as database:
        assert {row.warnings for row in seen.page(database, MessageFilter(), None, 9)} == {"[]"}


@pytest.mark.parametrize(("kind", "content", "places"), OF_EACH, ids=[each[0] for each in OF_EACH])
def test_a_dry_run_tells_what_rows_will_lose_that_are_taken_all_the_same(
    files: Files, kind: str, content: str, places: list[str]
) -> None:
    defines(files)
    more: Any = {"fields": {"Lines": "items", "Gift": "metadata.gift"}} if kind == "orders" else {}
    shown = files.tries(content, kind, takes_warnings=True, **more)

    assert (shown["accepted"], shown["rejected"], shown["warned"]) == (2, 0, 1)
    [warned] = shown["warned_rows"]
    assert warned == shown["first_rows"][1]
    assert [sentence.partition(": ")[0] for sentence in warned["warnings"]] == places
    files.imports(content, kind, takes_warnings=True, **more)
    with read(files.whole.engine) as database:
        page = seen.page(database, MessageFilter(source_id="u2"), None, 9)
    assert [len(loads(row.warnings)) for row in page] == [len(places)], "the ledger tells as many"


def test_what_a_dry_run_shows_of_a_row_is_what_is_stored(files: Files) -> None:
    defines(files, closed=False)
    content = 'source_id,points,tags,home,note\nu1,12.50,a,"51.45, -2.590",free text\n'
    [row] = files.tries(content)["first_rows"]
    files.imports(content)

    profile = files.whole.profile("u1")
    assert profile is not None
    assert profile["metadata"] == {"points": 12.5, "tags": ["a"], "home": "51.45,-2.59", "note": "free text"}
    assert {f"metadata.{name}": value for name, value in profile["metadata"].items()} == {
        name: value for name, value in row["result"].items() if name.startswith("metadata.")
    }


def test_a_row_that_loses_much_says_the_first_of_it_in_its_file_and_all_of_it_in_a_dry_run(files: Files) -> None:
    defines(files)
    names = [f"Extra {number}" for number in range(8)]
    content = f"source_id,{','.join(names)}\nu1{',x' * 8}\n"
    [row] = files.tries(content)["rejected_rows"]

    assert [sentence.partition(": ")[0] for sentence in row["warnings"]] == names
    assert row["error"].endswith("; and 3 more.")
