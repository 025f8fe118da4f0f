"""Mailchimp's own Python package against our simulator. It has no models, so it cannot check a body; its calls can."""

from __future__ import annotations

from collections.abc import Iterator

import mailchimp_marketing
import pytest
from mailchimp_marketing.api_client import ApiClientError

from connectors.mailchimp.calls import subscriber_hash
from connectors.mailchimp.simulator import MailchimpSimulator
from hub.registry.discovery import discover, get
from hub.sdk.kit.bench.bench import Bench, over_http
from hub.sdk.values import Operation

AUDIENCE = MailchimpSimulator.example_settings()["list_id"]
ADA = subscriber_hash("ada0@example.com")


@pytest.fixture
def bench() -> Iterator[Bench]:
    with over_http(get(discover(), "mailchimp").subject()) as made:
        yield made


def test_the_official_client_reads_and_writes_the_member_that_we_write(bench: Bench) -> None:
    bench.settle(bench.pushes(Operation.PROFILES, 1))
    client = mailchimp_marketing.Client({"api_key": MailchimpSimulator.example_settings()["api_key"]})
    client.api_client.host = bench.simulator.url
    client.lists.api_client.host = bench.simulator.url

    member = client.lists.get_list_member(AUDIENCE, ADA)
    assert (member["id"], member["status"]) == (ADA, "transactional")
    assert member["merge_fields"]["SOURCE_ID"] == "person-0"

    body = {"name": "seen", "properties": {"page": "1"}, "is_syncing": True}
    client.lists.create_list_member_event(AUDIENCE, ADA, body)
    assert bench.simulator.events[0]["name"] == "seen"
    with pytest.raises(ApiClientError) as refused:
        client.lists.get_list_member(AUDIENCE, subscriber_hash("nobody@example.com"))
    assert (refused.value.status_code, "Resource Not Found" in refused.value.text) == (404, True)

    (ours,) = [call for call in bench.simulator.received if call.method == "PUT"]
    client.lists.set_list_member(AUDIENCE, ADA, ours.json(), skip_merge_validation=True)
    theirs = bench.simulator.received[-1]
    assert (theirs.path, theirs.json(), theirs.headers["authorization"][:6]) == (ours.path, ours.json(), "Basic ")
