"""Klaviyo's own Python package takes every body this connector sends, and loses nothing of it on the way."""

from __future__ import annotations

import re
from importlib import import_module
from typing import Any

import pytest

from hub.registry.discovery import discover
from hub.sdk.kit.bench.bench import in_memory
from hub.sdk.values import AnyPush, Operation
from tests.unit.connectors.klaviyo_deliveries import Account, erase_push, event_push, message_push, person, profile_push

ADA = person(email="ada@example.com", phone="+48600100200")
MODELS = (
    ("/api/profile-import", "ProfileUpsertQuery"),
    ("/api/profile-bulk-import-jobs", "ProfileImportJobCreateQuery"),
    ("/api/event-bulk-create-jobs", "EventsBulkCreateJob"),
    ("/api/profile-subscription-bulk-create-jobs", "SubscriptionCreateJobCreateQuery"),
    ("/api/profile-subscription-bulk-delete-jobs", "SubscriptionDeleteJobCreateQuery"),
    ("/api/data-privacy-deletion-jobs", "DataPrivacyCreateDeletionJobQuery"),
    ("/api/lists/", "ListMembersAddQuery"),
)


def model(path: str) -> Any:
    name = next(name for prefix, name in MODELS if path.startswith(prefix))
    file = re.sub(r"(?<!^)(?=[A-Z])", "_", name).lower()
    return getattr(import_module(f"openapi_client.models.{file}"), name)


def understood(path: str, body: Any) -> Any:
    """The body as the official package would send it on: unknown fields are gone, wrong types are an error."""
    return model(path).model_validate(body).model_dump(mode="json", by_alias=True, exclude_unset=True)


def comparable(value: Any) -> Any:
    """Times are written in more than one way; the instant is what counts."""
    if isinstance(value, dict):
        return {key: comparable(one) for key, one in value.items()}
    if isinstance(value, list):
        return [comparable(one) for one in value]
    return re.sub(r"(Z|\+00:00)$", "Z", value) if isinstance(value, str) else value


@pytest.mark.parametrize("operation", list(Operation))
def test_the_official_package_takes_what_the_example_of_an_operation_sends(operation: Operation) -> None:
    bench = in_memory(discover()["klaviyo"].subject())
    bench.settle(bench.pushes(operation, 3))
    calls = [call for call in bench.simulator.received if call.method == "POST"]
    assert calls
    for call in calls:
        assert comparable(understood(call.path, call.json())) == comparable(call.json())


@pytest.mark.parametrize(
    "push",
    [
        profile_push(1, ADA, {"first_name": "Ada", "location": {"city": "Gdynia"}, "properties": {"a": [1, None]}}, ["title"]),
        profile_push(2, ADA, {}, ["properties.old", "location.city"]),
        event_push(3, ADA, "Placed Order", {"properties": {"OrderId": "o1"}, "value": 28.5, "value_currency": "EUR"}),
        event_push(4, ADA, "Searched", quiet=True),
        message_push(5, ADA, "SPRING-7Q2", {"properties": {"incentive_code_value": 10}}),
        erase_push(6, ADA),
    ],
    ids=["profile", "removals", "order", "backfill", "message", "erasure"],
)  # fmt: skip
def test_the_official_package_takes_bodies_with_every_part_there_is(push: AnyPush) -> None:
    account = Account()
    account.send(push)
    for request in account.sent:
        if request.json is not None:
            assert comparable(understood(request.path, request.json)) == comparable(request.json)


def test_a_full_import_job_is_what_the_official_package_sends() -> None:
    account = Account()
    account.send(profile_push(1, ADA, {"title": "Dr"}), profile_push(2, person("cust_2"), {}), route="profiles_bulk")
    body = account.sent[0].json
    assert understood(account.sent[0].path, body) == body
