"""Intercom's own Python package: its models take our bodies, and its client understands our simulator."""

from __future__ import annotations

from collections.abc import Iterator

import httpx
import pytest
from intercom import Intercom
from intercom.core.api_error import ApiError
from intercom.types import CreateContactRequestWithExternalId, CreateDataEventRequestWithUserId

from connectors.intercom.simulator import IntercomSimulator
from hub.registry.discovery import discover, get
from hub.sdk.kit.bench.bench import Bench, over_http
from hub.sdk.values import Accepted, Operation


@pytest.fixture
def bench() -> Iterator[Bench]:
    with over_http(get(discover(), "intercom").subject()) as made:
        yield made


@pytest.fixture
def client(bench: Bench) -> Iterator[Intercom]:
    """Over connections that are closed afterwards, which the package leaves to whoever made them."""
    token = IntercomSimulator.example_settings()["access_token"]
    with httpx.Client() as connections:
        yield Intercom(token=token, base_url=bench.simulator.url, httpx_client=connections)


def test_the_packages_models_take_our_bodies(bench: Bench) -> None:
    bench.settle(bench.pushes(Operation.PROFILES, 1))
    (event,) = bench.pushes(Operation.EVENTS, 1, fields={0: {"metadata": {"order_id": "o-1"}}})
    bench.settle([event])
    bodies = {call.path: call.json() for call in bench.simulator.received if call.method == "POST"}

    contact = CreateContactRequestWithExternalId.model_validate(bodies["/contacts"], strict=True)
    told = CreateDataEventRequestWithUserId.model_validate(bodies["/events"], strict=True)

    assert contact.external_id == told.user_id == "person-0"
    assert contact.signed_up_at == 1735689600
    assert told.created_at == int(event.at.timestamp())


def test_the_official_client_reads_what_we_wrote(bench: Bench, client: Intercom) -> None:
    (push,) = bench.pushes(Operation.PROFILES, 1)
    outcome = bench.settle([push])[push.delivery_id]
    assert isinstance(outcome, Accepted)

    found = client.contacts.show_contact_by_external_id("person-0")

    assert found.id == outcome.receipt
    assert found.email == "ada0@example.com"
    assert found.custom_attributes == {"tier": "gold", "loyalty_points": 1250}
    with pytest.raises(ApiError, match="User Not Found"):
        client.contacts.show_contact_by_external_id("nobody")
