"""What a destination's mapping makes of a full canonical record, its connector declares and its vendor takes."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from hub.mapping.files import Folders, read_file
from hub.mapping.inbound import compile_inbound
from hub.mapping.model import Mapped, Verdict
from hub.mapping.outbound import compile_outbound
from hub.registry.discovery import Found, discover, get
from hub.registry.scaffold import scaffold
from hub.sdk.kit.bench import Bench, over_http
from hub.sdk.values import Accepted, Operation, ProfilePush

FOUND = [one for one in discover().values() if one.destination_class and one.mapping_path]
AT = "2026-03-01T10:15:00Z"
ITEM = {"product_id": "tent", "sku": "T-1", "name": "Tent", "quantity": 2, "price": 19900, "amount": 39800}
SCOPE: dict[str, Any] = {
    "profile": {
        "source_id": "person-0",
        "name": "Ada Lovelace",
        "first_name": "Ada",
        "last_name": "Lovelace",
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
        "audiences": {},
    },
    "event": {
        "id": "m-1/0",
        "kind": "track",
        "name": "Order Completed",
        "key": "order_completed",
        "occurred_at": AT,
        "properties": {"total": 398.0, "coupon": "SPRING", "products": [{"name": "Tent"}], "time": "noon"},
        "code": "SPRING-7Q2",
        "order_id": "o-1",
    },
    "order": {
        "id": "o-1",
        "status": "PAID",
        "currency": "EUR",
        "amount": 39800,
        "discount": 100,
        "at": AT,
        "items": [ITEM],
    },
    "code": {
        "code": "SPRING-7Q2",
        "value": "$10.00",
        "expires_at": AT,
        "published_at": AT,
        "qr_url": "https://hub.example/qr/1",
        "barcode_url": "https://hub.example/bar/1",
    },
    "distribution": {"id": "d-1", "name": "Spring"},
    "delivery": {"id": "D1"},
    "options": {},
}


def _scopes(operation: Operation) -> list[dict[str, Any]]:
    """Events with and without an order; everything else once."""
    if operation is not Operation.EVENTS:
        return [SCOPE]
    plain = {**SCOPE["event"], "name": "Signed Up", "key": "signed_up", "order_id": None}
    return [SCOPE, {**{name: value for name, value in SCOPE.items() if name != "order"}, "event": plain}]


def _mapped(path: Path, operation: Operation) -> list[Mapped]:
    outbound = compile_outbound(read_file(path, Folders()).document)
    assert operation.value in outbound.operations
    return [outbound.apply(operation.value, scope) for scope in _scopes(operation)]


def _send(bench: Bench, operation: Operation, mapped: Mapped) -> object:
    bench.known(operation, 1)
    (push,) = bench.pushes(operation, 1)
    if isinstance(push, ProfilePush):
        push = replace(push, fields=mapped.fields, changed=mapped.fields, unset=mapped.unset)
    else:
        push = replace(push, fields=mapped.fields)
    if operation is Operation.EVENTS and mapped.name:
        push = replace(push, name=mapped.name)
    return bench.settle([push])[push.delivery_id]


def _check(found: Found) -> None:
    assert found.mapping_path is not None
    with over_http(found.subject()) as bench:
        for operation in (Operation.PROFILES, Operation.EVENTS, Operation.MESSAGES):
            if operation not in bench.destination.Options:
                continue
            for mapped in _mapped(found.mapping_path, operation):
                assert mapped.fields
                jsonschema.validate(mapped.fields, bench.destination.targets.get(operation, {}))
                assert isinstance(_send(bench, operation, mapped), Accepted)


@pytest.mark.parametrize("found", FOUND, ids=[one.name for one in FOUND])
def test_a_vendor_takes_what_its_mapping_makes(found: Found):
    _check(found)


def test_so_does_the_scaffolds(tmp_path: Path):
    scaffold("acme", tmp_path)
    _check(get(discover(str(tmp_path)), "acme"))


def test_the_mapping_of_a_new_source_is_valid(tmp_path: Path):
    scaffold("acme", tmp_path, "source")
    document = read_file(tmp_path / "acme" / "mapping.yaml", Folders()).document
    inbound = compile_inbound(document, connection_id="c", options={})
    sender = get(discover(str(tmp_path)), "acme").sender_class()
    messages = sender.example_messages()
    changes = [inbound.apply(one, message_id=one["id"], received_at=1_773_480_000_000_000) for one in messages]

    assert [change.verdict for change in changes] == [Verdict.APPLY, Verdict.APPLY]
    assert changes[0].fields == {"email": "ada@example.com"}
    assert changes[1].events[0].name == "Signed Up"
