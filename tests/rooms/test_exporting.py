"""Profiles as a file: safe to open in a spreadsheet, and read back without loss. On both engines."""

from __future__ import annotations

import csv
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest

from hub import imports
from hub.admin.connections import add_source
from hub.core import clock
from hub.core.database import read, write
from hub.imports import export
from hub.imports.request import ImportRequest
from hub.inbox.values import AcceptedRequest
from hub.profiles import reading
from hub.profiles.erasure import lift
from hub.sdk.errors import ConfigurationError
from hub.sdk.json import dumps
from hub.sdk.values import RawMessage
from tests.rooms.whole import Whole

ODD: dict[str, Any] = {
    "points": -5,
    "ratio": 0.5,
    "big": 2**63,
    "vip": True,
    "tags": ["a", "b"],
    "size": {"shoe": 38, "=x": "=1+1"},
    "formula": "=HYPERLINK(\"https://example.com\")",
    "quoted": "'=1",
    "number_as_text": "007",
    "true_as_text": "true",
    "blank": " ",
    "lines": "a\r\nb, \"c\";\td",
    "tab": "\tx",
    "emoji": "🎟️ żółw",
    "since:date": "2024-02-29",
    "a.b": "dotted",
}  # fmt: skip


def exported(whole: Whole, folder: Path) -> tuple[Path, list[dict[str, str]]]:
    path = folder / "profiles.csv"
    export.export_to(whole.hub, path, "tests", clock.now())
    with path.open(encoding="utf-8-sig", newline="") as file:
        return path, list(csv.DictReader(file))


def seen(whole: Whole) -> dict[str, Any]:
    """Every profile but for the times of its consents."""
    with read(whole.engine) as database:
        ids = reading.audience(database, None, 99)
        found = {source_id: reading.show(database, source_id) for source_id in ids}
    for profile in found.values():
        assert profile is not None
        profile["consents"] = {topic: said["status"] for topic, said in profile["consents"].items()}
    return found


@pytest.fixture
def people(whole: Whole) -> Whole:
    whole.receives(
        {"type": "identify", "userId": "+u1", "traits": {"email": "ada@example.com", "phone": "+48500000001", "name": "=Ada"}},
        {"type": "identify", "userId": "u2", "anonymousId": "anon-7", "traits": {"birthday": "1990-02-28", "metadata": ODD}},
        {"type": "identify", "userId": "u3", "traits": {"points": 7, "address": {"city": "Gdynia", "postalCode": "81-001"}},
         "context": {"consent": {"categoryPreferences": {"Advertising": False}}}},
        {"type": "identify", "userId": "u4", "traits": {}},
    )  # fmt: skip
    whole.applies()
    return whole


def test_what_was_exported_imports_into_an_empty_hub_without_loss(people: Whole, tmp_path: Path) -> None:
    before = seen(people)
    path, _ = exported(people, tmp_path)
    _start_anew(people, before)
    job = imports.run(people.hub, people.inbox, ImportRequest("customers", path, path.name, "tests"))
    people.applies()

    assert (job.counts["accepted"], job.counts["rejected"]) == (4, 0)
    assert seen(people) == before
    people.books()


def test_a_file_that_comes_back_undoes_nothing_that_was_said_since(whole: Whole, tmp_path: Path) -> None:
    consent = {"context": {"consent": {"categoryPreferences": {"Advertising": True}}}}
    whole.receives({"type": "identify", "userId": "u1", "traits": {"plan": "free", "tier": "gold"}, **consent})
    whole.applies()
    path, _ = exported(whole, tmp_path)
    refusal = {"context": {"consent": {"categoryPreferences": {"Advertising": False}}}}
    whole.receives({"type": "identify", "userId": "u1", "traits": {"plan": "pro"}, **refusal})
    whole.applies()
    path.write_text(path.read_text("utf-8-sig").replace("gold", "silver"))
    imports.run(whole.hub, whole.inbox, ImportRequest("customers", path, path.name, "tests"))
    whole.applies()

    profile = whole.profile("u1")
    assert profile is not None
    assert profile["metadata"] == {"plan": "pro", "tier": "silver"}
    assert profile["consents"]["purpose.Advertising"]["status"] == "denied"


def test_an_address_that_is_only_an_identity_survives_the_way_through_a_file(whole: Whole, tmp_path: Path) -> None:
    with write(whole.engine) as database:
        given = {"verify": "url", "secret": "s"}
        feed = add_source(whole.hub, database, clock.now(), "webhook", "feed", given, "tests")
    person = {"source_id": "u1", "email": "ada@example.com"}
    told = {"type": "event.occurred", "data": {"person": person, "event": {"id": "e1", "name": "Seen"}}}
    whole.inbox.append(AcceptedRequest(feed.id, clock.now(), [RawMessage(dumps(told), "e1")]))
    whole.applies()
    whole.identifies("u2", email="ben@example.com")
    before = {who: one["identities"] for who, one in seen(whole).items()}
    assert before["u1"] == {"email": ["ada@example.com"]}
    path, rows = exported(whole, tmp_path)
    _start_anew(whole, before)
    imports.run(whole.hub, whole.inbox, ImportRequest("customers", path, path.name, "tests"))
    whole.applies()

    assert [row["identities.email"] for row in rows] == ["ada@example.com", ""], "where no trait says it"
    assert {who: one["identities"] for who, one in seen(whole).items()} == before


def _start_anew(whole: Whole, people: Iterable[str]) -> None:
    """Forget these people, and that they were erased."""
    for source_id in people:
        whole.erases(source_id)
        with write(whole.engine) as database:
            assert lift(database, source_id, clock.now(), whole.hub.vault.digest)


def test_no_cell_of_the_file_is_a_formula(people: Whole, tmp_path: Path) -> None:
    path, rows = exported(people, tmp_path)

    cells = [cell for row in rows for cell in row.values()]
    assert not [cell for cell in cells if cell.startswith(("=", "+", "-", "@", "\t", "\r"))]
    assert rows[0]["source_id"] == "'+u1"
    assert rows[0]["name"] == "'=Ada"
    assert path.stat().st_mode & 0o077 == 0, "it holds people's data"


def test_columns_say_their_types(people: Whole, tmp_path: Path) -> None:
    _, rows = exported(people, tmp_path)

    header = set(rows[0])
    assert {"metadata.points:number", "metadata.vip:boolean", "metadata.tags:json", "metadata.formula"} <= header
    assert {"identities.anonymous_id", "consents.purpose.Advertising", "address.postal_code"} <= header
    assert "identities.email" not in header


def test_values_of_several_types_under_one_key_are_json(whole: Whole, tmp_path: Path) -> None:
    whole.receives(
        {"type": "identify", "userId": "u1", "traits": {"size": "38"}},
        {"type": "identify", "userId": "u2", "traits": {"size": 38}},
    )
    whole.applies()
    _, rows = exported(whole, tmp_path)

    assert [row["metadata.size:json"] for row in rows] == ['"38"', "38"]


def test_merged_profiles_are_in_it_once_and_removed_traits_are_not(whole: Whole, tmp_path: Path) -> None:
    whole.receives(
        {"type": "identify", "userId": "u1", "traits": {"name": "Ada", "points": 1}},
        {"type": "identify", "userId": "u2", "traits": {"tier": "gold"}},
        {"type": "alias", "previousId": "u2", "userId": "u1"},
    )
    whole.applies()
    whole.identifies("u1", points=None)
    _, rows = exported(whole, tmp_path)

    assert [(row["source_id"], row["metadata.tier"]) for row in rows] == [("u1", "gold")]
    assert not rows[0].get("metadata.points:number")


def test_an_empty_hub_gives_a_header(whole: Whole, tmp_path: Path) -> None:
    path, rows = exported(whole, tmp_path)

    assert rows == []
    assert path.read_text("utf-8-sig").startswith("source_id,at,name,")


def test_more_columns_than_can_be_read_are_refused_before_anything_is_written(whole: Whole, tmp_path: Path) -> None:
    for part in range(2):
        whole.identifies("u1", **{f"k{part}_{number}": 1 for number in range(600)})

    with pytest.raises(ConfigurationError, match="columns; at most 1,000"):
        next(export.profiles_csv(whole.engine, clock.now()))
