"""mParticle's own library for Python, pointed at the hub as its documentation says.

It neither retries nor fills in ids: what a caller does after an error is played here as a caller would do it.
"""

from __future__ import annotations

import json
import warnings
from typing import Any
from urllib.parse import urlsplit

import pytest

from tests.e2e.lossy import LosesAnswers
from tests.harness import SharedHub, eventually

with warnings.catch_warnings():
    warnings.simplefilter("ignore", SyntaxWarning)  # the library compares texts by `is` (rest.py); Python says so once
    import mparticle
    from mparticle.rest import ApiException

KEY = "us1-tests"


@pytest.fixture
def hub(shared_hub: SharedHub) -> SharedHub:
    return shared_hub


@pytest.fixture
def source(hub: SharedHub) -> dict[str, Any]:
    added: dict[str, Any] = hub.cli(
        "sources", "add", "mparticle", "--name", hub.name("app"), "--set", f"api_key={KEY}", "--json"
    )
    return added


def client(source: dict[str, Any], *, host: str = "", key: str = KEY, secret: str = "") -> mparticle.EventsApi:
    configuration = mparticle.Configuration()
    configuration.host = host or f"{source['webhook_url']}/v2"
    configuration.api_key = key
    configuration.api_secret = secret or source["api_secret"]
    return mparticle.EventsApi(configuration)


def batch(person: str, *events: object, request_id: str | None = None, **fields: Any) -> mparticle.Batch:
    made = mparticle.Batch(source_request_id=request_id, **fields)
    made.environment = "production"
    made.user_identities = mparticle.UserIdentities(customerid=person, email=f"{person}@example.com")
    made.events = list(events)
    return made


def commerce(action: str, order: str | None = None, event_id: str | None = None) -> mparticle.CommerceEvent:
    tent = mparticle.Product(name="Tent", id="tent-2", price=10.5, quantity=2, coupon_code="SPRING-1")
    made = mparticle.ProductAction(action, products=[tent], transaction_id=order, total_amount=21.0, tax_amount=3.5)
    return mparticle.CommerceEvent(product_action=made, currency_code="EUR", source_message_id=event_id)


def everything(person: str) -> list[object]:
    """One of each kind of event the library can make."""
    return [
        mparticle.SessionStartEvent(),
        mparticle.AppEvent("Searched tents", "search", custom_attributes={"results": 3, "cheap": True, "note": None}),
        mparticle.ScreenViewEvent(screen_name="Wallet"),
        commerce("view_detail"),
        commerce("purchase", f"o-{person}"),
        mparticle.ApplicationStateTransitionEvent(application_transition_type="application_background"),
        mparticle.PushRegistrationEvent(register=True, registration_token="token"),
        mparticle.OptOutEvent(is_opted_out=True),
        mparticle.CrashReportEvent(message="labelled as a commerce event by a slip of the library"),
        mparticle.SessionEndEvent(session_duration_ms=60_000),
    ]


def test_every_event_of_the_official_client_arrives_once_by_both_calls(hub: SharedHub, source: dict[str, Any]) -> None:
    api = client(source)
    people = [f"person-{number}" for number in range(12)]
    batches = [
        batch(one, *everything(one), request_id=f"r-{one}", user_attributes={"$FirstName": "Ada", "tier": "gold"})
        for one in people
    ]
    for one in batches[:2]:
        answer = api.upload_events_with_http_info(one)
        assert answer[:2] == (None, 202)
    assert api.bulk_upload_events_with_http_info(batches[2:])[1] == 202
    api.bulk_upload_events(batches)  # the same once more

    ledger = hub.drained()
    profile = hub.cli("profiles", "show", "person-7", "--json")

    assert (ledger["accepted"], ledger["applied"], ledger["duplicate"]) == (24, 12, 12)
    assert profile["events"] == {
        "session_start": 1, "searched_tents": 1, "viewed_wallet_screen": 1, "product_viewed": 1, "order_completed": 1,
        "application_background": 1, "push_registration": 1, "session_end": 1,
    }  # fmt: skip
    assert [(one["id"], one["amount"], one["currency"]) for one in profile["orders"]] == [("o-person-7", 2100, "EUR")]
    assert profile["traits"] == {"first_name": "Ada", "name": "Ada", "email": "person-7@example.com"}
    assert profile["metadata"] == {"tier": "gold"}
    assert profile["consents"]["tracking"]["status"] == "denied"


def test_a_call_without_any_id_counts_each_time_and_a_source_request_id_or_event_id_makes_it_one(
    hub: SharedHub, source: dict[str, Any]
) -> None:
    api = client(source)
    for _ in range(2):
        api.upload_events(batch("bare", mparticle.SessionStartEvent()))
        api.upload_events(batch("request", mparticle.SessionStartEvent(), request_id="r-1"))
        api.upload_events(batch("event", commerce("purchase", "o-1", event_id="e-1")))
        api.upload_events(batch("events", commerce("purchase", "o-2", "e-2"), commerce("refund", "o-2", "e-3")))

    ledger = hub.drained()

    assert hub.cli("profiles", "show", "bare", "--json")["events"] == {"session_start": 2}
    assert hub.cli("profiles", "show", "request", "--json")["events"] == {"session_start": 1}
    assert hub.cli("profiles", "show", "event", "--json")["events"] == {"order_completed": 1}
    several = hub.cli("profiles", "show", "events", "--json")
    assert several["events"] == {"order_completed": 1, "order_refunded": 1}
    assert (ledger["applied"], ledger["duplicate"]) == (6, 2), "batches without an id are two, their events one"


def test_a_caller_that_sends_again_after_a_lost_answer_changes_nothing(hub: SharedHub, source: dict[str, Any]) -> None:
    proxy = LosesAnswers(hub.url, losses=2)
    api = client(source, host=proxy.url + urlsplit(source["webhook_url"]).path + "/v2/")  # the slash comes out double
    once = batch("ada", commerce("purchase", "o-1"), request_id="r-1")
    try:
        for _ in range(2):
            with pytest.raises(ApiException) as refused:
                api.upload_events(once)
            assert refused.value.status == 503
        api.upload_events(once)
    finally:
        proxy.close()

    ledger = hub.drained()

    assert (ledger["applied"], ledger["duplicate"]) == (1, 2)
    assert hub.cli("profiles", "show", "ada", "--json")["events"] == {"order_completed": 1}


def refusal(api: mparticle.EventsApi, body: object) -> ApiException:
    """What the library raises, with `told` its parsed body."""
    with pytest.raises(ApiException) as refused:
        api.upload_events(body)
    (error,) = json.loads(refused.value.body)["errors"]
    assert set(error) == {"code", "message"}
    refused.value.told = error["code"]
    return refused.value


def test_every_refusal_reaches_the_caller_in_the_shape_of_the_vendors_api(
    hub: SharedHub, source: dict[str, Any]
) -> None:
    good = batch("bo", mparticle.SessionStartEvent(), request_id="r-1")
    large = batch("bo", mparticle.AppEvent("Large", "other", custom_attributes={"text": "x" * 300_000}))
    unsigned = client(source)
    unsigned.api_client.config.auth_settings = dict  # as somebody who forgot them

    found = {
        "an empty batch": refusal(client(source), mparticle.Batch()),
        "another secret": refusal(client(source, secret="another"), good),
        "another key": refusal(client(source, key="another"), good),
        "no credentials": refusal(unsigned, good),
        "more than 256 KB": refusal(client(source), large),
    }
    with pytest.raises(ApiException) as empty:
        client(source).bulk_upload_events([])
    hub.cli("sources", "pause", source["name"])
    eventually(lambda: _is_paused(source, good), what="the pause being followed")
    found["a paused source"] = busy = refusal(client(source), good)
    hub.cli("sources", "resume", source["name"])

    assert {name: (one.status, one.told) for name, one in found.items()} == {
        "an empty batch": (400, "BAD_REQUEST"),
        "another secret": (403, "FORBIDDEN"),
        "another key": (403, "FORBIDDEN"),
        "no credentials": (401, "UNAUTHORIZED"),
        "more than 256 KB": (413, "REQUEST_TOO_LARGE"),
        "a paused source": (503, "UNAVAILABLE"),
    }
    assert empty.value.status == 400
    assert int(busy.headers["Retry-After"]) >= 1
    assert hub.drained()["applied"] <= 1  # the one that was taken before the pause was seen


def _is_paused(source: dict[str, Any], good: mparticle.Batch) -> bool:
    try:
        client(source).upload_events(good)
    except ApiException as error:
        return bool(error.status == 503)
    return False
