"""Checks of a connector's mapping file: it is valid, and its vendor takes what it makes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import partial
from typing import Any

import jsonschema

from hub.mapping.files import Folders, read_file
from hub.mapping.inbound import compile_inbound
from hub.mapping.outbound import compile_outbound
from hub.registry.discovery import Found, example_settings
from hub.sdk.kit.failed import require
from hub.sdk.kit.suite import Check
from hub.sdk.values import Json, Operation

PROFILE: Mapping[str, Json] = {
    "source_id": "cust_1001",
    "name": "Ada Quill",
    "first_name": "Ada",
    "last_name": "Quill",
    "email": "ada@example.com",
    "phone": "+48600100200",
    "birthdate": "1988-11-02",
    "gender": "female",
    "locale": "en-GB",
    "timezone": "Europe/London",
    "created_at": "2021-05-04T08:15:00Z",
    "address": {"line_1": "4 Lantern Row", "city": "Bristol", "postal_code": "BS1 4ZZ", "country": "GB"},
    "metadata": {"loyalty_tier": "gold", "points": 1280, "newsletter": True, "tags": ["tents", "mugs"]},
    "identities": {"email": ["ada@example.com"]},
    "consents": {"email": {"status": "granted", "at": "2026-03-14T09:00:00Z"}},
    "groups": {},
    "audiences": {"big_spenders": {"member": True}},
}
SCOPE: Mapping[str, Json] = {
    "profile": PROFILE,
    "event": {
        "id": "evt-1",
        "kind": "track",
        "name": "Product Viewed",
        "key": "product_viewed",
        "occurred_at": "2026-03-14T10:20:06Z",
        "properties": {"product_id": "prd_1001", "price": 249.5, "tags": ["green"]},
    },
    "code": {"code": "SPRING-7QX2", "value": 10, "expires_at": "2026-04-01T00:00:00Z"},
    "distribution": {"id": "dist_9", "name": "spring"},
    "delivery": {"id": "01JABCDEFGHJKMNPQRSTVWXYZ0", "at": "2026-03-14T10:15:00Z"},
    "consent": {"topic": "email", "status": "granted", "at": "2026-03-14T09:00:00Z"},
    "audience": {"key": "big_spenders", "member": True},
}


def mapping_checks(found: Found) -> Iterator[Check]:
    """The checks of this connector's mapping."""
    yield Check("has-a-mapping", "A valid mapping file comes with the connector.", partial(_is_valid, found))
    if found.destination_class is None:
        return
    for operation in sorted(found.destination_class.Options):
        name, sentence = f"maps: {operation}", f"What the mapping makes for {operation} fits the declared targets."
        yield Check(name, sentence, partial(_fits_targets, found, operation))


def _is_valid(found: Found) -> None:
    path = found.mapping_path
    require(path, f"there is no mapping.yaml in its folder and no mappings/{found.name}.yaml")
    assert path is not None
    document = read_file(path, Folders()).document
    if found.source_class is not None:
        compile_inbound(document, connection_id="check", options={})
    if found.destination_class is not None:
        compile_outbound(document)


def _fits_targets(found: Found, operation: Operation) -> None:
    path, destination = found.mapping_path, found.destination_class
    assert path is not None
    assert destination is not None
    options = example_settings(destination.Options[operation])
    outbound = compile_outbound(read_file(path, Folders()).document)
    mapped = outbound.apply(operation, {**SCOPE, "options": options})
    if operation is Operation.ERASE and mapped.skip:
        return  # an erasure carries identifiers; most vendors need no mapped field
    require(not mapped.skip, f"the mapping skips an ordinary record: {mapped.skip}")
    schema: Any = destination.targets.get(operation)
    if schema is None:
        return
    problems = [error.message for error in jsonschema.Draft202012Validator(schema).iter_errors(mapped.fields)]
    require(not problems, f"the mapping makes fields that the targets do not allow: {'; '.join(problems[:3])}")
