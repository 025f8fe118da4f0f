"""The fields that a row of each kind can have, and the column names that stand for them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from hub.mapping.model import ADDRESS_PARTS, BUILT_IN_TRAITS

LEFT_OUT = "-"
ERROR = "error"
"""The column that the file of rejected rows has besides the original ones; it is never imported."""
ITEM = "item"
"""The group of columns that tell of one item of an order, where each item has a row."""
ITEMS = "order.items"
ITEM_NAMES = frozenset({"item.product_id", "item.sku", "item.name"})
"""Without one of these a price or a quantity is nobody knows what of, and no item."""

_ADDRESS = {
    "line_1": ("address_line_1", "line_1", "street", "street_address", "address_street", "address"),
    "line_2": ("address_line_2", "line_2"),
    "city": ("address_city", "city", "town"),
    "state": ("address_state", "state", "region", "province"),
    "postal_code": ("address_postal_code", "postal_code", "zip", "zip_code", "postcode"),
    "country": ("address_country", "country"),
}
_PERSON = ("source_id", "customer_id", "customer_source_id", "user_id")
_TRAITS = {
    **{name: (name,) for name in BUILT_IN_TRAITS},
    "email": ("email", "email_address", "mail"),
    "phone": ("phone", "phone_number", "mobile", "telephone"),
    "birthdate": ("birthdate", "birthday", "date_of_birth"),
    "name": ("name", "full_name"),
    "first_name": ("first_name", "given_name"),
    "last_name": ("last_name", "family_name", "surname"),
}


@dataclass(frozen=True)
class Kind:
    """The fields of a kind, each with the column names that stand for it, the most certain first.

    `rest` holds what no field takes; `groups` are the prefixes under which a column may name a key of its own.
    """

    fields: Mapping[str, Sequence[str]]
    required: Sequence[str]
    rest: str
    groups: Sequence[str] = ()


FIELDS: Mapping[str, Kind] = {
    "customers": Kind(
        {
            "source_id": (*_PERSON, "id"),
            "at": ("at", "timestamp", "updated_at"),
            **{f"traits.{name}": names for name, names in _TRAITS.items()},
            **{f"address.{part}": _ADDRESS[part] for part in ADDRESS_PARTS},
            "identities.anonymous_id": ("anonymous_id",),
            "identities.mpid": ("mpid",),
        },
        ("source_id",),
        "metadata",
        ("identities", "consents"),
    ),
    "orders": Kind(
        {
            "source_id": _PERSON,
            "at": ("at", "timestamp", "updated_at", "created_at", "date"),
            "order.id": ("order_id", "id", "order_number"),
            "order.status": ("status", "order_status"),
            "order.currency": ("currency", "currency_code"),
            "order.amount": ("amount", "total", "total_amount"),
            "order.subtotal": ("subtotal",),
            "order.discount": ("discount", "discount_amount", "total_discount_amount"),
            "order.tax": ("tax",),
            "order.shipping": ("shipping",),
            "order.code": ("code", "coupon", "coupon_code"),
            ITEMS: ("items", "products"),
            "item.product_id": ("item_product_id", "product_id", "item_id"),
            "item.sku": ("item_sku", "lineitem_sku", "sku"),
            "item.name": ("item_name", "lineitem_name", "product_name"),
            "item.quantity": ("item_quantity", "lineitem_quantity", "quantity"),
            "item.price": ("item_price", "lineitem_price", "unit_price", "price"),
            "item.amount": ("item_amount", "line_total"),
            "item.code": ("item_code",),
        },
        ("source_id", "order.id"),
        "metadata",
        (ITEM,),
    ),
    "events": Kind(
        {
            "source_id": _PERSON,
            "at": ("at", "timestamp", "occurred_at", "time", "created_at", "date"),
            "event.id": ("event_id", "id"),
            "event.name": ("event", "event_name", "name"),
            "event.code": ("code", "coupon", "coupon_code"),
            "event.order_id": ("order_id",),
        },
        ("source_id", "event.name"),
        "properties",
    ),
    "products": Kind(
        {
            "product_id": ("product_id", "source_id", "id", "sku"),
            "at": ("at", "timestamp", "updated_at"),
            "product.name": ("name", "product_name", "title"),
            "product.sku": ("sku",),
            "product.price": ("price", "unit_price"),
            "product.currency": ("currency", "currency_code"),
            "product.image_url": ("image_url", "image"),
            "product.attributes": ("attributes",),
        },
        ("product_id",),
        "metadata",
    ),
    "codes": Kind({"code": ("code", "codes", "voucher", "coupon", "coupon_code")}, ("code",), LEFT_OUT),
}
KINDS = tuple(FIELDS)
