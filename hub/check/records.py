"""Full canonical records, as a mapping's scope holds them: what connectors and their mappings are tried with."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from hub.sdk.values import Json, Operation

AT = "2026-03-01T10:15:00Z"
_ITEM = {"product_id": "tent", "sku": "T-1", "name": "Tent", "quantity": 2, "price": 19900, "amount": 39800}
PROFILE: Mapping[str, Json] = {
    "source_id": "person-0",
    "name": "Ada Quill",
    "first_name": "Ada",
    "last_name": "Quill",
    "email": "ada0@example.com",
    "phone": "+48500000000",
    "birthdate": "1990-05-01",
    "gender": "female",
    "locale": "pl-PL",
    "timezone": "Europe/Warsaw",
    "created_at": AT,
    "address": {"line_1": "Molo 1", "city": "Gdynia", "postal_code": "81-001", "country": "Poland"},
    "metadata": {"points": 120, "vip": True, "tags": ["a", "b"], "imię": "Ada 🎟️", "size": {"shoe": 38}},
    "identities": {"email": ["ada0@example.com"]},
    "consents": {"email": {"status": "granted", "at": AT}},
    "groups": {},
    "audiences": {"big_spenders": {"member": True, "name": "Big spenders"}},
}
CODE: Mapping[str, Json] = {
    "code": "SPRING-7Q2",
    "value": "$10.00",
    "balance": "$10.00",
    "expires_at": AT,
    "published_at": AT,
}
ORDER: Mapping[str, Json] = {
    "id": "o-1",
    "status": "PAID",
    "currency": "EUR",
    "amount": 39800,
    "discount": 100,
    "at": AT,
    "items": [_ITEM],
}
ORDERED: Mapping[str, Json] = {
    "id": "m-1/0",
    "kind": "track",
    "name": "Order Completed",
    "key": "order_completed",
    "occurred_at": AT,
    "properties": {"total": 398.0, "coupon": "SPRING", "products": [{"name": "Tent"}], "time": "noon"},
    "code": "SPRING-7Q2",
    "order_id": "o-1",
}
SIGNED_UP: Mapping[str, Json] = {**ORDERED, "name": "Signed Up", "key": "signed_up", "order_id": None}
RECORDS: Mapping[Operation, dict[str, Any]] = {
    Operation.PROFILES: {},
    Operation.EVENTS: {"event": SIGNED_UP},
    Operation.MESSAGES: {"code": CODE, "distribution": {"id": "d-1", "name": "Spring"}},
    Operation.AUDIENCE: {"audience": {"key": "big_spenders", "name": "Big spenders", "member": True}},
    Operation.CONSENT: {"consent": {"topic": "email", "status": "granted", "at": AT}},
    Operation.ERASE: {},
}
"""What a delivery of each operation carries beside the profile."""


def scopes(operation: Operation) -> list[dict[str, Any]]:
    """What a mapping is given: profiles with and without a code, events with and without an order."""
    base = {"profile": PROFILE, "delivery": {"id": "D1", "at": AT}, **RECORDS[operation]}
    if operation is Operation.PROFILES:
        return [base, {**base, **RECORDS[Operation.MESSAGES]}]
    if operation is Operation.EVENTS:
        return [base, {**base, "event": ORDERED, "order": ORDER}]
    return [base]
