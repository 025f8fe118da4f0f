"""The bundled feedback mappings on every sample: what they make was read and found right, and stands beside the samples."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from hub.mapping.inbound import Inbound, compile_inbound, interpret_inbound
from hub.mapping.show import change_as_json
from hub.mapping.versions.files import Folders
from hub.mapping.versions.version import resolve
from hub.sdk.errors import SignatureInvalid
from tests.unit.connectors.feedback_samples import (
    FOLDER,
    PROOFS,
    RECEIVED_AT,
    SAMPLES,
    SETTINGS,
    messages_of,
    received,
    request,
    source,
)

VENDORS = sorted(SETTINGS)
PAGE = (Path(__file__).parents[3] / "docs" / "feedback.md").read_text("utf-8")
DOCUMENTS = {vendor: resolve(f"{vendor}-feedback", "", Folders()).document for vendor in VENDORS}
FAST = {vendor: compile_inbound(document, connection_id="c", options={}) for vendor, document in DOCUMENTS.items()}
SLOW = {vendor: interpret_inbound(document, connection_id="c", options={}) for vendor, document in DOCUMENTS.items()}


@pytest.mark.parametrize("engines", [FAST, SLOW], ids=["generated", "interpreted"])
@pytest.mark.parametrize("path", SAMPLES, ids=[f"{path.parent.name}-{path.stem}" for path in SAMPLES])
def test_a_sample_becomes_its_canonical_result(path: Path, engines: dict[str, Inbound]) -> None:
    vendor = path.parent.name
    expected = json.loads((FOLDER / "canonical" / vendor / f"{path.stem}.json").read_text("utf-8"))

    found = [
        change_as_json(engines[vendor].apply(message, message_id=message_id, received_at=RECEIVED_AT))
        for message_id, message in messages_of(path)
    ]

    assert found == expected


def test_every_result_belongs_to_a_sample_and_every_vendor_has_some() -> None:
    kept = {(path.parent.name, path.stem) for path in (FOLDER / "canonical").rglob("*.json")}
    assert kept == {(path.parent.name, path.stem) for path in SAMPLES}
    assert {vendor for vendor, _ in kept} == set(VENDORS)


@pytest.mark.parametrize("vendor", VENDORS)
def test_what_a_vendor_proves_is_needed(vendor: str) -> None:
    body = next(path for path in SAMPLES if path.parent.name == vendor).read_bytes()
    good = request(vendor, body)
    kind = good.headers["content-type"]

    with pytest.raises(SignatureInvalid):
        source(vendor).receive(replace(good, headers={"content-type": kind}, query={}))
    with pytest.raises(SignatureInvalid):
        source(vendor, secret="another-secret").receive(good)
    assert source(vendor, secret="a-new-secret", previous_secret="example-shared-secret").receive(good).messages


@pytest.mark.parametrize("path", SAMPLES, ids=[f"{path.parent.name}-{path.stem}" for path in SAMPLES])
def test_a_repetition_is_known_by_its_id_or_by_its_content(path: Path) -> None:
    keys = [message.dedup_key for message in received(path)]
    assert all(keys)
    assert len(set(keys)) == len(keys)


@pytest.mark.parametrize("vendor", VENDORS)
def test_the_page_sets_a_vendor_up_as_these_tests_do(vendor: str) -> None:
    (command,) = [block for block in PAGE.split("```") if f"--mapping {vendor}-feedback" in block]
    for name, value in SETTINGS[vendor].items():
        assert f"--set '{name}={value}'" in command or f"--set {name}={value}" in command, f"{name}={value}"


def changed(vendor: str, message: dict[str, Any]) -> Any:
    change = FAST[vendor].apply(message, message_id="m1", received_at=RECEIVED_AT)
    assert change == SLOW[vendor].apply(message, message_id="m1", received_at=RECEIVED_AT)
    return change


@pytest.mark.parametrize(("status", "granted"), [("Opted-In", True), ("Unsubscribed", False), ("Subscribed", None)])
def test_the_global_state_of_braze_is_granted_only_by_an_opt_in(status: str, granted: bool | None) -> None:
    change = changed("braze", {
        "event_type": "users.behaviors.subscription.GlobalStateChange", "id": "e", "time": 1773474600, "user": {},
        "properties": {"channel": "email", "subscription_status": status, "email_address": "bo@example.com"},
    })  # fmt: skip
    assert [(one.topic, one.granted, one.address) for one in change.consents] == [("email", granted, "bo@example.com")]


@pytest.mark.parametrize("topic", ["manually_suppressed_from_email_marketing", "marked_email_as_spam"])
def test_a_suppression_and_a_complaint_of_klaviyo_deny(topic: str) -> None:
    payload = {"data": {"attributes": {"timestamp": 1773474600, "event_properties": {"email": "bo@example.com"}}}}
    change = changed("klaviyo", {"topic": f"event:klaviyo.{topic}", "external_id": "e", "payload": payload})
    assert [(one.granted, one.address) for one in change.consents] == [(False, "bo@example.com")]


def test_a_denial_by_mailchimp_counts_from_its_receipt_whatever_its_zone() -> None:
    told = {"type": "unsubscribe", "fired_at": "2026-03-14 01:00:00", "data": {"email": "bo@example.com"}}
    (consent,) = changed("mailchimp", told).consents
    assert consent.at == RECEIVED_AT
    (grant,) = changed("mailchimp", {**told, "type": "subscribe", "fired_at": "2026-03-14 20:00:00"}).consents
    assert grant.at == RECEIVED_AT  # a zone east of UTC: never later than receipt


def test_the_patches_of_the_page_do_what_they_say() -> None:
    patches = re.findall(r"```yaml\n(.*?)```", PAGE, re.DOTALL)
    by_address, by_form = (
        compile_inbound(resolve("iterable-feedback", patch, Folders()).document, connection_id="c", options={})
        for patch in patches
    )
    told = {"email": "bo@example.com", "eventName": "emailSubscribe", "dataFields": {"signupSource": "WebForm"}}

    change = by_address.apply(told, message_id="m1", received_at=RECEIVED_AT)
    assert (change.source_id, change.events[0].name) == ("bo@example.com", "Subscribed To List")
    change = by_form.apply(told, message_id="m1", received_at=RECEIVED_AT)
    assert [(one.topic, one.granted, one.address) for one in change.consents] == [("email", True, "bo@example.com")]


def test_proofs_exist_for_every_vendor() -> None:
    assert set(PROOFS) == set(SETTINGS)
