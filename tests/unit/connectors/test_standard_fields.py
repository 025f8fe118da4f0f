"""Traits that a source has no canonical field for, but a vendor has a field of its own: they go where the vendor looks."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

import pytest

from hub.mapping.outbound import Outbound, compile_outbound
from hub.mapping.versions.files import Folders, read_file

MAPPINGS = Path(__file__).parents[3] / "mappings"
PHOTO = "https://img.example.com/ada.png"
TRAITS = {
    "avatar": PHOTO,
    "age": "36",
    "title": "Engineer",
    "company": {"name": "Quill & Co", "id": 7},
    "lastSeenAt": "2026-03-01T09:00:00Z",
    "account_creation": 1_742_887_180,
    "home_phone": "+48600100200",
    "category-unsubscribe": {"email": ["Marketing"]},
}
LINE = {
    "product_id": "p-1",
    "name": "Mug",
    "price": 1_250,
    "quantity": 2,
    "metadata": {"category": "Home", "url": "https://shop.example.com/p-1", "image_url": PHOTO, "brand": "Quill"},
}
ORDER = {"id": "o-1", "amount": 2_500, "currency": "EUR", "items": [LINE]}


@cache
def mapping_of(connector: str) -> Outbound:
    return compile_outbound(read_file(MAPPINGS / f"{connector}.yaml", Folders()).document)


def made(connector: str, operation: str, **scope: Any) -> dict[str, Any]:
    found = mapping_of(connector).apply(operation, {"options": {}, **scope})
    assert not found.warnings, found.warnings
    return dict(found.fields)


def profile(connector: str, **fields: Any) -> dict[str, Any]:
    return made(connector, "profiles", profile=fields)


def event(connector: str, name: str, /, **properties: Any) -> dict[str, Any]:
    return made(
        connector, "events", event={"name": name, "key": name.lower().replace(" ", "_"), "properties": properties}
    )


def order(connector: str) -> dict[str, Any]:
    told = {"order_id": "o-1", "currency": "EUR", "total": 25.0, "coupon": "SPRING"}
    return made(
        connector,
        "events",
        event={"name": "Order Completed", "key": "order_completed", "properties": told, "code": "SPRING"},
        order=ORDER,
    )


@pytest.mark.parametrize(
    ("connector", "field"),
    [("braze", "image_url"), ("klaviyo", "image"), ("intercom", "avatar"), ("clevertap", "Photo")],
)
def test_the_picture_of_a_person_goes_where_the_vendor_shows_it(connector: str, field: str):
    assert profile(connector, metadata={"avatar": PHOTO})[field] == PHOTO


@pytest.mark.parametrize(("connector", "field"), [("braze", "image_url"), ("klaviyo", "image"), ("clevertap", "Photo")])
def test_a_picture_is_written_once(connector: str, field: str):
    assert str(profile(connector, metadata={"avatar": PHOTO})).count(PHOTO) == 1


@pytest.mark.parametrize(
    ("connector", "first", "last"),
    [("braze", "first_name", "last_name"), ("iterable", "firstName", "lastName"), ("batch", "firstname", "lastname")],
)
def test_a_whole_name_is_split_only_where_the_source_did_not(connector: str, first: str, last: str):
    whole = profile(connector, name="Ada Maria Quill")
    both = profile(connector, name="Ada Maria Quill", first_name="Ada Maria", last_name="Quill")

    assert (whole[first], whole[last]) == ("Ada", "Maria Quill")
    assert (both[first], both[last]) == ("Ada Maria", "Quill")


@pytest.mark.parametrize("connector", ["braze", "iterable", "batch", "klaviyo", "airship", "clevertap", "moengage"])
def test_no_part_of_an_address_is_lost(connector: str):
    parts = {"line_1": "ulica-1", "line_2": "lokal-2", "city": "Gdynia", "state": "pomorskie", "postal_code": "81-001"}

    written = str(profile(connector, address=parts))

    assert [part for part in parts.values() if part not in written] == []


def test_klaviyo_gets_title_and_organization_as_its_own():
    fields = profile("klaviyo", metadata={name: TRAITS[name] for name in ("title", "company")})

    assert (fields["title"], fields["organization"]) == ("Engineer", "Quill & Co")
    assert fields["properties"] == {"company": {"name": "Quill & Co", "id": 7}}


def test_a_company_that_is_a_text_is_the_organization():
    assert profile("klaviyo", metadata={"company": "Quill & Co"})["organization"] == "Quill & Co"


def test_intercom_gets_the_time_a_person_was_last_seen():
    fields = profile("intercom", metadata={"lastSeenAt": TRAITS["lastSeenAt"]})

    assert fields == {"last_seen_at": 1_772_355_600}


def test_airships_own_attributes_get_the_types_they_have():
    fields = profile("airship", metadata={name: TRAITS[name] for name in ("account_creation", "home_phone")})

    assert fields["attributes"] == {"account_creation": "2025-03-25T07:19:40Z", "home_phone": 48_600_100_200}


def test_clevertap_gets_an_age_as_a_number_and_categories_as_they_are():
    fields = profile("clevertap", metadata={name: TRAITS[name] for name in ("age", "category-unsubscribe")})

    assert fields == {"Age": 36, "category-unsubscribe": {"email": ["Marketing"]}}


def test_batch_takes_the_region_from_the_locale_where_no_country_is_known():
    assert profile("batch", locale="pl-PL") == {"$language": "pl", "$region": "PL"}
    assert profile("batch", locale="pl-PL", address={"country": "DE"})["$region"] == "DE"


@pytest.mark.parametrize("connector", ["airship", "batch", "bloomreach", "intercom", "mailchimp", "moengage"])
def test_what_an_order_says_twice_is_no_collision(connector: str):
    assert order(connector)


def test_what_a_source_says_of_a_product_is_not_lost():
    (purchase,) = order("braze")["purchases"]
    (line,) = order("iterable")["items"]
    (item,) = order("klaviyo")["properties"]["Items"]

    assert purchase["properties"]["category"] == "Home"
    assert (line["categories"], line["url"], line["imageUrl"]) == (["Home"], "https://shop.example.com/p-1", PHOTO)
    assert line["dataFields"] == {"brand": "Quill"}
    assert (item["ProductCategories"], item["ImageURL"], item["Brand"]) == (["Home"], PHOTO, "Quill")


def test_a_viewed_product_carries_klaviyos_names_beside_the_senders():
    fields = event(
        "klaviyo", "Product Viewed", product_id="p-1", name="Mug", price=12.5, currency="EUR", category="Home"
    )

    assert (fields["value"], fields["value_currency"]) == (12.5, "EUR")
    assert (
        fields["properties"] | {"ProductID": "p-1", "ProductName": "Mug", "Categories": ["Home"]}
        == fields["properties"]
    )
    assert fields["properties"]["product_id"] == "p-1"


def test_iterable_credits_an_event_to_its_campaign():
    fields = event("iterable", "Seen", campaignId="12", templateId=0)

    assert (fields["campaignId"], fields["templateId"]) == (12, 0)


def test_intercom_gets_money_as_money():
    price = {"amount": 3_000, "currency": "USD"}

    assert event("intercom", "Bought", revenue=12.5, currency="EUR")["metadata"]["price"] == {
        "amount": 1_250,
        "currency": "eur",
    }
    assert event("intercom", "Seen", price=price)["metadata"] == {"price": {"amount": 3_000, "currency": "usd"}}
    assert event("intercom", "Seen", price=3, revenue=4, currency="EUR")["metadata"]["price"] == 3
    assert event("intercom", "Seen", size={"shoe": 38})["metadata"] == {"size_shoe": 38}


def test_mailchimp_gets_lists_of_events_as_json():
    assert event("mailchimp", "Seen", products=[{"id": 1}])["properties"] == {"products": '[{"id":1}]'}


def test_an_order_without_an_id_is_a_purchase_all_the_same():
    bought = {
        "currency": "EUR",
        "total": "25.00",
        "products": [{"sku": "s-1", "name": "Mug", "price": "12.5", "quantity": 2}],
    }

    (purchase,) = event("braze", "Order Completed", **bought)["purchases"]
    order_made = event("iterable", "Order Completed", **bought)

    assert purchase == {
        "product_id": "s-1",
        "currency": "EUR",
        "price": 12.5,
        "quantity": 2,
        "properties": {"sku": "s-1", "name": "Mug"},
    }
    assert (order_made["total"], order_made["items"]) == (
        25.0,
        [{"id": "s-1", "sku": "s-1", "name": "Mug", "price": 12.5, "quantity": 2}],
    )


@pytest.mark.parametrize("connector", ["braze", "iterable"])
def test_an_order_of_nothing_that_has_a_name_stays_an_event(connector: str):
    fields = event(connector, "Order Completed", currency="EUR", products=[{"price": 3}])

    assert "purchases" not in fields
    assert "items" not in fields
    assert [{"price": 3}] in (fields.get("properties") or fields.get("dataFields")).values()
