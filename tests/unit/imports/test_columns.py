"""Which column becomes which field."""

from __future__ import annotations

import pytest

from hub.imports.columns import parse_fields, plan
from hub.sdk.errors import ConfigurationError


def fields(kind: str, *header: str, **given: str) -> dict[str, str]:
    return plan(kind, header, given).as_json()


def test_built_in_names_are_known_however_they_are_spelled() -> None:
    assert fields(
        "customers", "Source_Id", "E-Mail", "firstName", "Date of birth", "ZIP", "Address_Line_1", "City"
    ) == {
        "Source_Id": "source_id",
        "E-Mail": "email",
        "firstName": "first_name",
        "Date of birth": "birthdate",
        "ZIP": "address.postal_code",
        "Address_Line_1": "address.line_1",
        "City": "address.city",
    }


def test_everything_else_is_metadata_under_its_name_without_white_space() -> None:
    assert fields("customers", "source_id", "Loyalty Tier", "metadata.vip level", "favourite.shop") == {
        "source_id": "source_id",
        "Loyalty Tier": "metadata.Loyalty_Tier",
        "metadata.vip level": "metadata.vip_level",
        "favourite.shop": "metadata.favourite.shop",
    }


def test_identities_consents_and_typed_metadata_are_named_by_their_prefix() -> None:
    assert fields("customers", "source_id", "identities.crm_id", "Consents.email.news", "metadata.points:number") == {
        "source_id": "source_id",
        "identities.crm_id": "identities.crm_id",
        "Consents.email.news": "consents.email.news",
        "metadata.points:number": "metadata.points:number",
    }


def test_a_colon_that_names_no_type_is_part_of_the_name() -> None:
    assert fields("customers", "source_id", "metadata.shop:best")["metadata.shop:best"] == "metadata.shop:best"


def test_the_most_certain_name_wins_and_the_other_column_is_kept_as_metadata() -> None:
    found = fields("customers", "id", "source_id", "updated_at", "mail", "email")

    assert found["source_id"] == "source_id"
    assert found["id"] == "metadata.id"
    assert (found["email"], found["mail"]) == ("email", "metadata.mail")
    assert found["updated_at"] == "at"


def test_an_id_alone_is_the_source_id() -> None:
    assert fields("customers", "Id")["Id"] == "source_id"


def test_events_have_properties_and_orders_their_own_fields() -> None:
    assert fields("events", "source_id", "event", "timestamp", "Plan")["Plan"] == "properties.Plan"
    assert fields("orders", "customer_id", "id", "total", "shop") == {
        "customer_id": "source_id",
        "id": "id",
        "total": "amount",
        "shop": "metadata.shop",
    }


def test_a_price_is_of_an_item_only_where_the_item_has_a_name() -> None:
    assert fields("orders", "order_id", "customer_id", "price")["price"] == "metadata.price"
    assert fields("orders", "order_id", "customer_id", "price", "sku")["price"] == "item.price"
    assert fields("orders", "order_id", "customer_id", "price", "ref", ref="item.product_id")["price"] == "item.price"


def test_a_column_can_be_mapped_or_left_out() -> None:
    found = fields(
        "customers", "Key", "Mail 2", "Note", "Points", **{"Key": "source_id", "Note": "-", "Mail 2": "email"}
    )

    assert found == {"Key": "source_id", "Mail 2": "email", "Note": "-", "Points": "metadata.Points"}


def test_a_mapped_field_is_not_taken_by_a_name_too() -> None:
    found = fields("customers", "source_id", "Key", Key="source_id")

    assert found == {"Key": "source_id", "source_id": "metadata.source_id"}


def test_the_error_of_rejected_rows_is_never_imported() -> None:
    assert fields("customers", "source_id", "error")["error"] == "-"


def test_products_are_known_by_their_id_or_else_by_their_sku() -> None:
    found = fields("products", "Id", "SKU", "Title", "price", "Attributes", "colour")
    assert found == {
        "Id": "product_id",
        "SKU": "sku",
        "Title": "name",
        "price": "price",
        "Attributes": "attributes:list",
        "colour": "metadata.colour",
    }
    assert fields("products", "sku", "name")["sku"] == "product_id"


def test_of_codes_only_the_code_is_kept() -> None:
    assert fields("codes", "Code", "note") == {"Code": "code", "note": "-"}


@pytest.mark.parametrize(
    ("kind", "header", "given", "told"),
    [
        ("customers", [], {}, "no header"),
        ("customers", ["source_id", "", "email"], {}, "Column 2 has no name"),
        ("customers", ["source_id", "email", "email"], {}, "Column 2 has the name 'email', which another column has too"),
        ("customers", ["source_id", "a", "a"], {"#2": "email"}, "Column 3 has the name 'a'"),
        ("customers", ["source_id", "E-mail", "e_mail"], {}, "'E-mail' and 'e_mail' both mean 'email'"),
        ("customers", ["source_id", "a b", "a_b"], {}, "'a b' and 'a_b' both go to 'metadata.a_b'"),
        ("customers", ["email", "name"], {}, "No column holds the source_id of customers. The columns are 'email', 'name'"),
        ("customers", ["source_id", "x\0"], {}, "NUL"),
        ("customers", ["source_id", "x"], {"y": "email"}, "there is no column 'y'"),
        ("customers", ["source_id", "x"], {"x": "emial"}, "no field 'emial'; did you mean 'email'"),
        ("customers", ["source_id", "x"], {"x": "metadata.x:numbre"}, "no type 'numbre'; did you mean 'number'"),
        ("customers", ["source_id", "x"], {"x": "email:string"}, "has a type of its own"),
        ("customers", ["source_id", "x"], {"x": "metadata."}, "no field"),
        ("orders", ["source_id", "total"], {}, "No column holds the id of orders"),
        ("orders", ["source_id", "id", "items", "sku"], {}, "Both 'items' and 'sku' tell of the items of an order"),
        ("events", ["source_id", "x"], {"x": "consents.email"}, "no field"),
        ("products", ["name"], {}, "No column holds the product_id of products"),
        ("customers", ["source_id", *[f"c{n}" for n in range(1_000)]], {}, "1,001 columns"),
    ],
)  # fmt: skip
def test_what_cannot_be_meant_is_refused_with_a_sentence(
    kind: str, header: list[str], given: dict[str, str], told: str
) -> None:
    with pytest.raises(ConfigurationError, match=told.replace(".", r"\.").replace("\0", ".")):
        plan(kind, header, given)


def test_fields_are_given_as_pairs_and_a_header_may_hold_an_equals_sign() -> None:
    assert parse_fields(["a=b=email", "X = -"]) == {"a=b": "email", "X": "-"}
    with pytest.raises(ConfigurationError, match="maps no column"):
        parse_fields(["email"])


def test_a_type_stands_behind_any_name_of_the_header() -> None:
    assert fields("customers", "source_id", "Loyalty points:number", ":number")["Loyalty points:number"] == (
        "metadata.Loyalty_points:number"
    )
    assert fields("events", "source_id", "event", "worth:number")["worth:number"] == "properties.worth:number"


def test_a_metadata_key_that_is_a_dash_is_no_column_left_out() -> None:
    assert fields("customers", "source_id", "metadata.-") == {"source_id": "source_id", "metadata.-": "metadata.-"}


def test_a_column_without_a_name_of_its_own_is_named_by_its_place() -> None:
    found = fields("customers", "", "source_id", "note", "note", **{"#1": "-", "#3": "metadata.first", "#4": "-"})

    assert found == {"#1": "-", "source_id": "source_id", "#3": "metadata.first", "#4": "-"}
