"""A catalogue comes in by file, and completes the items of orders wherever they are read or sent. On both engines."""

from __future__ import annotations

import itertools
from pathlib import Path
from typing import Any

import pytest

from hub import imports
from hub.core import clock
from hub.core.database import read, write
from hub.imports.jobs import Job
from hub.imports.request import ImportRequest, rejects_path
from hub.imports.trial import dry_run, trial_json
from hub.profiles import products
from hub.sdk.json import loads
from tests.rooms.whole import Whole

HEADER = "product_id,at,name,sku,price,currency,image_url,attributes,category,weight:number\n"
TENT = 'p1,2026-01-01,Tent,T-1,199.00,GBP,https://example.com/tent.png,"size, colour",outdoor,2.5\n'


class Catalogue:
    """An operator with files of products."""

    def __init__(self, whole: Whole, folder: Path) -> None:
        self.whole = whole
        self.path = folder / "products.csv"

    def request(self, content: str, **more: Any) -> ImportRequest:
        self.path.write_text(content)
        return ImportRequest("products", self.path, self.path.name, "tests", **more)

    def imports(self, content: str, **more: Any) -> Job:
        return imports.run(self.whole.hub, self.whole.inbox, self.request(content, **more))

    def of(self, *product_ids: str) -> dict[str, dict[str, Any]]:
        with read(self.whole.engine) as database:
            return products.products(database, product_ids)


@pytest.fixture
def catalogue(whole: Whole, tmp_path: Path) -> Catalogue:
    return Catalogue(whole, tmp_path)


def counts(job: Job) -> tuple[int, ...]:
    return tuple(job.counts[name] for name in ("rows", "accepted", "rejected"))


def test_rows_become_products(catalogue: Catalogue) -> None:
    job = catalogue.imports(HEADER + TENT + "p2,,Rope,,1.005,,,,,\n")

    assert (job.state, counts(job)) == ("done", (2, 2, 0))
    assert catalogue.of("p1", "p2", "p3") == {
        "p1": {
            "product_id": "p1", "name": "Tent", "sku": "T-1", "price": 19900, "currency": "GBP",
            "image_url": "https://example.com/tent.png", "attributes": ["size", "colour"],
            "metadata": {"category": "outdoor", "weight": 2.5},
        },
        "p2": {"product_id": "p2", "name": "Rope", "price": 101, "currency": "USD", "metadata": {}},
    }  # fmt: skip
    with read(catalogue.whole.engine) as database:
        assert [each["product_id"] for each in products.page(database, "", 1)] == ["p1"]
        assert [each["product_id"] for each in products.page(database, "p1", 9)] == ["p2"]
    assert catalogue.whole.books().terms["accepted"] == 0, "they are not messages"


def test_what_was_said_last_counts_per_field_in_whatever_order_the_rows_come(catalogue: Catalogue) -> None:
    rows = ["p1,2026-01-02,Tent,,\n", "p1,2026-01-03,,5,\n", "p1,2026-01-01,Old,9,red\n", "p1,2026-01-03,,6,\n"]
    found = []
    for some in itertools.permutations(rows):
        with write(catalogue.whole.engine) as database:
            database.exec_driver_sql("DELETE FROM product")
        catalogue.imports("product_id,at,name,price,colour\n" + "".join(some))
        found.append(catalogue.of("p1")["p1"])

    assert found[0]["name"] == "Tent"
    assert found[0]["metadata"] == {"colour": "red"}, "an empty cell changes nothing"
    assert found == found[:1] * len(found), "also of two rows of one moment"


def test_each_rejected_row_says_why(catalogue: Catalogue) -> None:
    job = catalogue.imports(
        "Id,price,Currency,updated_at\n,1,,\np1,cheap,,\np2,1,ABC,\np3,1,,tomorrow\np4,1\n"
        f"{'p' * 300},1,,\np5,1,EUR,2026-01-01\n"
    )

    assert counts(job) == (7, 1, 6)
    told = [line.partition(",")[2] for line in rejects_path(catalogue.path).read_text("utf-8-sig").splitlines()[1:]]
    words = ("no product_id", "price: ", "Currency: ", "updated_at: ", "2 cells", "Id: ")
    assert [word in line for word, line in zip(words, told, strict=True)] == [True] * 6, told


def test_a_dry_run_tells_row_by_row_and_writes_nothing(catalogue: Catalogue) -> None:
    shown = trial_json(dry_run(catalogue.whole.hub, catalogue.request(HEADER + TENT + ",,,,,,,,,x\n"), clock.now()))

    assert (shown["rows"], shown["accepted"], shown["rejected"]) == (2, 1, 1)
    assert shown["first_rows"][0]["result"]["price"] == 19900
    assert catalogue.of("p1") == {}


def test_items_of_orders_are_shown_with_what_the_catalogue_knows_but_keep_what_they_say(catalogue: Catalogue) -> None:
    whole = catalogue.whole
    items = [
        {"product_id": "p1", "quantity": 2, "price": 150, "category": "sale"},
        {"sku": "p2", "name": "My rope"},
        {"product_id": "p9", "quantity": 1},
    ]
    order = {"order_id": "o1", "total": 300, "currency": "GBP", "products": items}
    whole.receives({"type": "track", "userId": "u1", "event": "Order Completed", "properties": order})
    whole.applies()
    before = whole.profile("u1")
    catalogue.imports(HEADER + TENT + "p2,,Rope,,7,,,,,\n")
    after = whole.profile("u1")

    assert before is not None
    assert after is not None
    tent, rope, unknown = after["orders"][0]["items"]
    assert (tent["name"], tent["sku"], tent["price"], tent["quantity"]) == ("Tent", "T-1", 15000, 2)
    assert tent["metadata"]["weight"] == 2.5
    assert rope["name"] == "My rope"
    assert "price" not in rope, "what it costs today is not what was paid"
    assert unknown == before["orders"][0]["items"][2]


def test_destinations_hear_of_orders_with_what_the_catalogue_knows(catalogue: Catalogue) -> None:
    whole = catalogue.whole
    whole.connect("crm", "events")
    catalogue.imports(HEADER + TENT)
    order = {"order_id": "o1", "total": 300, "currency": "GBP", "products": [{"product_id": "p1", "quantity": 2}]}
    whole.receives({"type": "track", "userId": "u1", "event": "Order Completed", "properties": order})
    whole.applies()

    with read(whole.engine) as database:
        record = loads(database.exec_driver_sql("SELECT record FROM delivery").scalar_one())
    (item,) = record["order"]["items"]
    assert (item["name"], item["sku"], item["quantity"]) == ("Tent", "T-1", 2)
