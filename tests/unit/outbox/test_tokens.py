"""Client credentials: one token for all threads, renewed in time, and never shown."""

from __future__ import annotations

import json
import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import pytest
import responses

from hub.outbox.rules import is_unknown
from hub.outbox.wire.http import Sender
from hub.outbox.wire.masking import Mask
from hub.outbox.wire.oauth import Tokens
from hub.sdk.errors import AuthFailed, DeliveryError, RateLimited, Retryable
from hub.sdk.json import dumps
from hub.sdk.values import Bearer, ClientCredentials, Request, Response, Secret

URL = "http://acme.example"
CLIENT = ClientCredentials(Secret("client-7"), Secret("client-secret"), "/token", "auth", {"scope": "all"})
HOSTS = {"api": URL, "auth": "http://auth.example"}
NOW = datetime(2026, 1, 1, tzinfo=UTC)


def sender(mask: Mask | None = None) -> Sender:
    return Sender(HOSTS, {"api": CLIENT}, mask or Mask(["client-secret"]), allow_private=True)


def gives(*tokens: str, expires_in: object = 3600) -> None:
    for token in tokens:
        responses.add("POST", "http://auth.example/token", json={"access_token": token, "expires_in": expires_in})


def calls(path: str) -> list[str]:
    return [call.request.headers["authorization"] for call in responses.calls if call.request.url.endswith(path)]


def in_memory(*answers: Response | Exception, at: list[float] | None = None) -> Tokens:
    script = list(answers)

    def fetch(request, auth):
        reply = script.pop(0)
        if isinstance(reply, Exception):
            raise reply
        return reply

    clock = at if at is not None else [0.0]
    return Tokens({"api": CLIENT}, fetch, Mask([]), lambda: clock[0])


def told(status: int = 200, body: object = None, **headers: str) -> Response:
    return Response(status, headers, body if isinstance(body, bytes) else dumps(body), NOW)


@responses.activate
def test_a_token_is_fetched_once_and_sent_with_every_call():
    gives("token-one")
    responses.add("GET", f"{URL}/x", json={})
    speaking = sender()
    assert [speaking.send(Request("GET", "/x"), 5).status for _ in range(3)] == [200] * 3
    assert calls("/x") == ["Bearer token-one"] * 3
    [fetched] = [call.request for call in responses.calls if call.request.url.endswith("/token")]
    assert fetched.headers["authorization"].startswith("Basic ")
    assert fetched.body == b"grant_type=client_credentials&scope=all"


@responses.activate
def test_after_a_401_it_is_asked_once_more_with_a_new_token_and_then_given_up():
    gives("token-one", "token-two", "token-three")
    responses.add("GET", f"{URL}/x", status=401)
    responses.add("GET", f"{URL}/x", status=200)
    responses.add("GET", f"{URL}/x", status=401)
    speaking = sender()
    assert speaking.send(Request("GET", "/x"), 5).status == 200
    assert speaking.send(Request("GET", "/x"), 5).status == 401, "the caller sees it as refused credentials"
    assert calls("/x") == [f"Bearer token-{name}" for name in ("one", "two", "two", "three")]


@responses.activate
def test_a_token_is_masked_wherever_the_vendor_repeats_it():
    gives("token-one")
    responses.add("POST", f"{URL}/x", json={"you sent": "token-one"})
    mask = Mask(["client-secret"])
    speaking = sender(mask)
    request = Request("POST", "/x", json={})
    exchange = speaking.exchange(request)
    exchange.response = speaking.send(request, 5)
    assert "token-one" not in exchange.shown_response() + exchange.shown_request() + mask("it was token-one")
    assert "token-one" not in repr(speaking._tokens.auth("api"))


def test_only_the_latest_tokens_are_remembered_by_the_mask():
    mask = Mask(["the-secret"])
    for number in range(20):
        mask.learn(f"token-{number:03}")
    assert mask("token-000 token-019 the-secret") == "token-000 *** ***"


@pytest.mark.parametrize(("expires_in", "life"), [(3600, 3540), ("3600", 3540), (100, 90), (None, 540), ("soon", 540)])
def test_a_token_is_renewed_before_it_ends(expires_in: object, life: float):
    at = [0.0]
    pair = [told(body={"access_token": name, "expires_in": expires_in}) for name in ("one", "two")]
    tokens = in_memory(*pair, at=at)
    assert tokens.auth("api") == {"api": Bearer(Secret("one"))}
    at[0] = life - 1
    assert tokens.auth("api") == {"api": Bearer(Secret("one"))}
    at[0] = life
    assert tokens.auth("api") == {"api": Bearer(Secret("two"))}


def test_threads_share_one_token_and_one_renewal():
    fetched = []
    together = threading.Barrier(8)

    def fetch(request, auth):
        fetched.append(request)
        return told(body={"access_token": f"token-{len(fetched)}"})

    tokens = Tokens({"api": CLIENT}, fetch, Mask([]))

    def use(_: int) -> object:
        together.wait(5)
        held = tokens.auth("api")
        together.wait(5)
        return tokens.renewed("api", held)

    with ThreadPoolExecutor(8) as threads:
        renewed = list(threads.map(use, range(8)))
    assert len(fetched) == 2
    assert set(map(str, (one["api"].token.reveal() for one in renewed))) == {"token-2"}


def test_other_credentials_are_left_as_they_are():
    auth = {"api": Bearer(Secret("fixed"))}
    tokens = Tokens(auth, lambda *_: pytest.fail("no token is to be fetched"), Mask([]))
    assert tokens.auth("api") is auth
    assert tokens.auth("unknown host") is auth
    assert tokens.renewed("api", auth) is None


@pytest.mark.parametrize(
    ("answer", "kind"),
    [
        (told(401, {"error": "invalid_client"}), AuthFailed),
        (told(400, {"error": "invalid_scope"}), AuthFailed),
        (told(403, b"<html>"), AuthFailed),
        (told(429, {}), RateLimited),
        (told(503, b"down"), Retryable),
        (told(200, b"<html>"), Retryable),
        (told(200, {"token": "elsewhere"}), Retryable),
        (told(200, ["a", "list"]), Retryable),
        (told(302, b""), Retryable),
        (Retryable("No answer in time.", unknown=True), Retryable),
    ],
)
def test_without_a_token_nothing_was_sent_and_the_kind_says_what_follows(answer: object, kind: type[DeliveryError]):
    with pytest.raises(DeliveryError) as caught:
        in_memory(answer).auth("api")
    assert type(caught.value) is kind
    assert not is_unknown(caught.value)
    assert caught.value.response is None, "a 403 for a token must not be taken for one of a route"


def test_a_rate_limit_of_the_token_endpoint_always_names_a_time():
    for answer, seconds in ((told(429, {}, **{"retry-after": "7"}), 7), (told(429, {}), 30)):
        with pytest.raises(RateLimited) as caught:
            in_memory(answer).auth("api")
        assert caught.value.until == NOW + timedelta(seconds=seconds)


def test_a_failed_fetch_is_tried_again_by_the_next_call():
    tokens = in_memory(told(503, b""), told(body={"access_token": "one"}))
    with pytest.raises(Retryable):
        tokens.auth("api")
    assert tokens.auth("api") == {"api": Bearer(Secret("one"))}


@pytest.mark.parametrize("token", ["a\nb", "a\0b", "a\ud800b", "ż"])
def test_a_token_that_no_header_can_hold_is_asked_for_again_later(token: str):
    tokens = in_memory(told(200, json.dumps({"access_token": token}).encode()))
    with pytest.raises(Retryable, match="no header can hold"):
        tokens.auth("api")
