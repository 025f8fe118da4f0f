"""mParticle's doors: who may enter, what is answered, and what becomes a message."""

from __future__ import annotations

import base64
from typing import Any

import pytest

from hub.sdk.errors import (
    Busy,
    Forbidden,
    InboundError,
    MethodNotAllowed,
    Overloaded,
    PayloadInvalid,
    SignatureInvalid,
    TooLarge,
)
from hub.sdk.json import dumps, loads
from tests.unit.mapping.mparticle_samples import BASIC, request, source

BATCH = dumps({"user_identities": {"customerid": "cust_1"}, "events": [], "source_request_id": "s-1"})


def basic(text: str) -> str:
    return "Basic " + base64.b64encode(text.encode()).decode()


@pytest.mark.parametrize("path", ["/v2/events", "//v2//events", "v2/events/", "/events"])
def test_the_client_may_be_pointed_at_the_source_with_or_without_a_slash_too_many(path: str) -> None:
    received = source().receive(request(BATCH, path, headers={"authorization": BASIC}))
    assert (received.reply.status, received.reply.json) == (202, None)
    assert [one.dedup_key for one in received.messages] == ["s-1"]


def test_a_bulk_call_is_one_message_per_batch_and_a_bad_one_does_not_hold_up_the_others() -> None:
    received = source().receive(request(dumps([loads(BATCH), "no batch", {"mpid": 7}]), "/v2/bulkevents"))
    assert received.reply.status == 202
    assert [loads(one.body) for one in received.messages] == [loads(BATCH), "no batch", {"mpid": 7}]


@pytest.mark.parametrize("body", [b"", b"  ", b"[]", b"{}", b'"x"', b"null", b"7"])
def test_an_empty_bulk_call_and_other_oddities_are_bad_requests(body: bytes) -> None:
    with pytest.raises(PayloadInvalid):
        source().receive(request(body, "/v2/bulkevents"))


@pytest.mark.parametrize("body", [b"", b"[]", b"[1]", b"7", b"{"])
def test_an_empty_batch_of_the_client_is_a_bad_request(body: bytes) -> None:
    with pytest.raises(PayloadInvalid):
        source().receive(request(body, "/v2/events"))


@pytest.mark.parametrize(
    ("header", "error"),
    [
        ("", SignatureInvalid),
        ("Bearer example-token", SignatureInvalid),
        (basic("example-key:wrong"), Forbidden),
        (basic("wrong:example-secret"), Forbidden),
        (basic("example-key:"), SignatureInvalid),
        ("Basic ???", Forbidden),
    ],
)
def test_clients_sign_in_with_key_and_secret(header: str, error: type[InboundError]) -> None:
    with pytest.raises(error):
        source().receive(request(BATCH, "/v2/events", headers={"authorization": header}))


def test_a_client_is_told_when_its_request_is_too_large_for_mparticle_too() -> None:
    with pytest.raises(TooLarge):
        source(max_bytes=1_024).receive(request(b" " * 2_000, "/v2/events"))


def test_the_secret_may_stand_in_the_url_and_both_must_fit_where_both_are_set() -> None:
    both = source(url_secret="in-the-url")
    assert both.receive(request(BATCH, query={"secret": "in-the-url"})).reply.status == 202
    with pytest.raises(SignatureInvalid):
        both.receive(request(BATCH))
    with pytest.raises(Forbidden):
        both.receive(request(BATCH, query={"secret": "guess"}))


def test_a_source_without_any_secret_lets_nobody_in() -> None:
    from connectors.mparticle.connector import MParticle
    from hub.sdk.declared import build

    with pytest.raises(Forbidden, match="no secret"):
        build(MParticle, {}, {}).receive(request(BATCH))
    with pytest.raises(Forbidden):
        build(MParticle, {}, {"api_secret": "s"}).receive(
            request(BATCH, "/v2/events", headers={"authorization": basic(":s")})
        )


def test_refusals_have_the_shape_of_the_events_api_and_busy_says_when_to_come_back() -> None:
    reply = source().refuse(request(b""), Busy("The disk is full.", retry_after_s=7))
    assert (reply.status, reply.headers) == (503, {"Retry-After": "7"})
    assert reply.json == {"errors": [{"code": "UNAVAILABLE", "message": "The disk is full."}]}


def test_clients_of_a_full_hub_are_told_to_slow_down_and_webhooks_to_come_again() -> None:
    """Its library holds back by 429 with Retry-After; what the webhook output does with a 429 is not written anywhere."""
    slow = source().refuse(request(b"", "/v2/events"), Overloaded())
    assert (slow.status, slow.headers) == (429, {"Retry-After": "5"})
    assert slow.json["errors"][0]["code"] == "TOO_MANY_REQUESTS"
    assert source().refuse(request(b""), Overloaded()).status == 503
    assert source().refuse(request(b"", "/v2/events"), Busy()).status == 503


def test_the_largest_ids_keep_their_digits_when_a_key_is_taken_out() -> None:
    body = b'{"mpid": -9223372036854775808, "batch_id": 18446744073709551615, "events": [], "api_key": "k"}'
    (message,) = source().receive(request(body)).messages
    assert loads(message.body) == {"mpid": -(2**63), "batch_id": 2**64 - 1, "events": []}


def test_the_look_of_a_browser_or_a_monitor_is_no_success_since_it_stores_nothing() -> None:
    with pytest.raises(MethodNotAllowed):
        source().receive(request(b"", method="GET"))


@pytest.mark.parametrize(("path", "method", "status"), [("/v3/else", "POST", 404), ("/v2/events", "PUT", 405)])
def test_other_paths_and_methods_are_refused(path: str, method: str, status: int) -> None:
    with pytest.raises(PayloadInvalid) as refused:
        source().receive(request(BATCH, path, method))
    assert refused.value.status == status


# ── shapes that no page shows ────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("odd", [[], {}, None, 7, ["event_processing_request"]])
def test_a_type_or_a_kind_of_identity_that_is_no_text_breaks_nothing(odd: Any) -> None:
    identities = [{"identity_type": odd, "identity": "x"}, {"type": odd, "value": "y"}, odd]
    (message,) = source().receive(request(dumps({"type": odd, "user_identities": identities, "mpid": 7}))).messages
    assert message.profile_hint == "7"


@pytest.mark.parametrize("secret", ["example-secret", "old-secret"])
def test_both_secrets_of_a_rotation_are_good_at_every_door(secret: str) -> None:
    from connectors.mparticle.connector import MParticle
    from hub.sdk.declared import build

    secrets = {
        "authorization": "Bearer example-secret", "previous_authorization": "Bearer old-secret",
        "url_secret": "example-secret", "previous_url_secret": "old-secret",
        "api_secret": "example-secret", "previous_api_secret": "old-secret",
    }  # fmt: skip
    rotating = build(MParticle, {"api_key": "example-key"}, secrets)
    by_header = request(BATCH, query={"secret": secret}, headers={"authorization": f"Bearer {secret}"})
    by_basic = request(BATCH, "/v2/events", headers={"authorization": basic(f"example-key:{secret}")})
    assert [rotating.receive(one).reply.status for one in (by_header, by_basic)] == [202, 202]
