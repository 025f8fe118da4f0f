"""Any sender as a source: signatures, times, changes of secret, forms and lists, beyond what the contract suite asks."""

from __future__ import annotations

import base64
import gzip
import hmac
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import urlencode

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from standardwebhooks import Webhook as Signer

from connectors.webhook.connector import WebhookSource
from hub.sdk.declared import build
from hub.sdk.errors import ConfigurationError, Forbidden, InboundError, PayloadInvalid, SignatureInvalid
from hub.sdk.json import loads
from hub.sdk.values import InboundRequest, RawMessage

NOW = datetime(2026, 3, 14, 9, tzinfo=UTC)
SECRET, OTHER = "s3cret-of-the-sender", "another-secret"
STANDARD = "whsec_c2FuZGJveC13ZWJob29rLXNlY3JldC0wMDAwMDAwMDE="
OLDER = "whsec_c29tZWJvZHktZWxzZXMtc2VjcmV0LTAwMDAwMDAwMDA="
TIMED = {"signature_format": "t={timestamp},v1={signature}", "signed_content": "{timestamp}.{body}"}
FORM = {"content-type": "application/x-www-form-urlencoded"}


def source(secret: str = SECRET, **settings: Any) -> WebhookSource:
    return build(WebhookSource, settings, {"secret": secret})


def request(body: bytes = b'{"n":1}', headers: dict[str, str] | None = None, **changes: Any) -> InboundRequest:
    made = InboundRequest("POST", "", {}, headers or {}, body, body, "203.0.113.9", NOW)
    return replace(made, **changes)


def digest(content: bytes, secret: str = SECRET, algorithm: str = "sha256") -> str:
    return hmac.digest(secret.encode(), content, algorithm).hex()


def timed(at: datetime, body: bytes = b'{"n":1}', secret: str = SECRET) -> InboundRequest:
    stamp = str(int(at.timestamp()))
    return request(body, {"x-signature": f"t={stamp},v1={digest(f'{stamp}.'.encode() + body, secret)}"})


def in_url(body: bytes, headers: dict[str, str] | None = None, **settings: Any) -> list[RawMessage]:
    """The messages of a body that the secret in the URL lets in."""
    return list(source(verify="url", **settings).receive(request(body, headers, query={"secret": SECRET})).messages)


# ── signatures ───────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("algorithm", ["sha1", "sha256", "sha512"])
@pytest.mark.parametrize("encoding", ["hex", "base64"])
def test_algorithm_and_encoding_are_the_senders(algorithm: str, encoding: str) -> None:
    raw = hmac.digest(SECRET.encode(), b'{"n":1}', algorithm)
    written = raw.hex().upper() if encoding == "hex" else base64.b64encode(raw).decode()
    receiver = source(signature_algorithm=algorithm, signature_encoding=encoding, signature_header="X-Acme-Hmac")

    assert receiver.receive(request(headers={"x-acme-hmac": written})).messages
    with pytest.raises(SignatureInvalid):
        receiver.receive(request(headers={"x-acme-hmac": "sha256=" + written}))


@pytest.mark.parametrize("seconds", [-299, 0, 299])
def test_a_signed_time_within_the_tolerance_is_good(seconds: int) -> None:
    assert source(**TIMED).receive(timed(NOW + timedelta(seconds=seconds))).messages


@pytest.mark.parametrize("seconds", [-301, 301])
def test_a_signed_time_outside_it_is_a_replay_by_the_time_of_receipt(seconds: int) -> None:
    late = timed(NOW + timedelta(seconds=seconds))
    with pytest.raises(SignatureInvalid, match="replay"):
        source(**TIMED).receive(late)
    assert source(**TIMED, tolerance_s=600).receive(late).messages
    assert source(**TIMED).receive(replace(late, received_at=NOW + timedelta(seconds=seconds))).messages


@pytest.mark.parametrize(
    "text",
    ["1773478800", "1773478800000", "1773478800.5", "2026-03-14T09:00:00Z", "2026-03-14T10:00:00+01:00",
     "Sat, 14 Mar 2026 09:00:00 GMT"],
)  # fmt: skip
def test_senders_write_times_in_many_ways(text: str) -> None:
    receiver = source(timestamp_header="X-Time", signed_content="{body}{timestamp}")
    signed = {"x-time": text, "x-signature": digest(b'{"n":1}' + text.encode())}
    assert receiver.receive(request(headers=signed)).messages


@pytest.mark.parametrize("text", ["", "soon", "²", "9" * 400, "nan", "1e9", "-1", "{body}"])
def test_a_time_that_is_none_is_refused_and_never_an_accident(text: str) -> None:
    receiver = source(timestamp_header="X-Time", signed_content="{timestamp}.{body}")
    with pytest.raises(SignatureInvalid):
        receiver.receive(request(headers={"x-time": text, "x-signature": digest(f"{text}.".encode() + b'{"n":1}')}))


def test_an_altered_time_breaks_the_signature() -> None:
    headers = {"x-signature": timed(NOW).headers["x-signature"].replace("t=1773478800", "t=1773478801")}
    with pytest.raises(SignatureInvalid):
        source(**TIMED).receive(request(headers=headers))


def test_the_sender_may_sign_with_two_secrets_while_it_changes_them() -> None:
    stamp = "1773478800"
    content = f"{stamp}.".encode() + b'{"n":1}'
    both = {"x-signature": f"t={stamp}, v0=00, v1={digest(content, OTHER)}, v1={digest(content)}"}
    assert source(**TIMED).receive(request(headers=both)).messages


def test_both_secrets_are_good_while_the_hub_changes_them() -> None:
    changing = source("the-new-secret", previous_secret=SECRET)
    for secret in ("the-new-secret", SECRET):
        assert changing.receive(request(headers={"x-signature": digest(b'{"n":1}', secret)})).messages
    with pytest.raises(SignatureInvalid):
        changing.receive(request(headers={"x-signature": digest(b'{"n":1}', "")}))


def test_a_compressed_body_may_be_signed_before_or_after() -> None:
    plain, packed = b'{"n":1}', gzip.compress(b'{"n":1}')
    for signed in (plain, packed):
        sent = request(plain, {"x-signature": digest(signed)}, raw_body=packed)
        assert source().receive(sent).messages


def test_an_id_can_be_part_of_what_is_signed() -> None:
    receiver = source(signed_content="{id}.{body}", message_id_header="X-Id")
    (message,) = receiver.receive(request(headers={"x-id": "r1", "x-signature": digest(b'r1.{"n":1}')})).messages
    assert message.dedup_key == "r1"
    with pytest.raises(SignatureInvalid):
        receiver.receive(request(headers={"x-id": "r2", "x-signature": digest(b'r1.{"n":1}')}))


@pytest.mark.parametrize("prefix", ["webhook", "svix"])
def test_what_the_official_library_signs_is_taken_by_the_time_of_receipt(prefix: str) -> None:
    signature = Signer(STANDARD).sign("msg_1", NOW, '{"n":1}')
    names = (f"{prefix}-id", f"{prefix}-timestamp", f"{prefix}-signature")
    headers = dict(zip(names, ("msg_1", "1773478800", f"v1a,xxx v1,AAAA {signature}"), strict=True))
    for known in ({"secret": STANDARD}, {"secret": OLDER, "previous_secret": STANDARD}):
        receiver = source(**known, verify="standard_webhooks", header_prefix=prefix)  # type: ignore[arg-type] # texts
        (message,) = receiver.receive(request(headers=headers)).messages
        assert message.dedup_key == "msg_1"
    with pytest.raises(SignatureInvalid, match="300 seconds"):
        receiver.receive(request(headers=headers, received_at=NOW + timedelta(minutes=6)))
    with pytest.raises(SignatureInvalid):
        receiver.receive(request(headers={**headers, f"{prefix}-id": "msg_2"}))
    with pytest.raises(SignatureInvalid):
        source(OLDER, verify="standard_webhooks", header_prefix=prefix).receive(request(headers=headers))


# ── shared secrets and addresses ─────────────────────────────────────────────────────────────────────────────────


def test_http_basic_needs_both_user_and_password() -> None:
    receiver = source(verify="basic", username="hub")
    for pair, is_good in (("hub:" + SECRET, True), ("hub:", False), ("eve:" + SECRET, False), (SECRET, False)):
        headers = {"authorization": "Basic " + base64.b64encode(pair.encode()).decode()}
        if is_good:
            assert receiver.receive(request(headers=headers)).messages
        else:
            with pytest.raises(SignatureInvalid):
                receiver.receive(request(headers=headers))
    for broken in ("Basic ???", "Basic /w==", "Bearer x", "zażółć"):
        with pytest.raises(SignatureInvalid):
            receiver.receive(request(headers={"authorization": broken}))


@pytest.mark.parametrize("given", ["", "nope", "żółw", SECRET + " "])
def test_a_secret_in_the_url_fits_exactly(given: str) -> None:
    with pytest.raises(SignatureInvalid):
        source(verify="url").receive(request(query={"secret": given}))


@pytest.mark.parametrize(
    ("address", "is_good"), [("198.51.100.7", True), ("203.0.113.9", False), ("", False), ("x", False)]
)
def test_an_address_may_be_all_that_is_asked(address: str, is_good: bool) -> None:
    receiver = source(verify="network", allowed_networks=["198.51.100.0/24", "2001:db8::/32"])
    if is_good:
        assert receiver.receive(request(remote_addr=address)).messages
    else:
        with pytest.raises(Forbidden):
            receiver.receive(request(remote_addr=address))


@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_a_probe_is_answered_without_a_secret_and_keeps_nothing(method: str) -> None:
    received = source(verify="url").receive(request(b"", method=method))
    assert (received.reply.status, list(received.messages)) == (200, [])
    assert "Messages are sent to it by POST" in received.reply.json["message"]


def test_other_methods_are_refused() -> None:
    with pytest.raises(InboundError) as refused:
        source(verify="url").receive(request(method="DELETE", query={"secret": SECRET}))
    assert refused.value.status == 405


# ── settings ─────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"secret": ""}, "needs a secret"),
        ({"verify": "basic"}, "needs username"),
        ({"verify": "network"}, "anybody could send"),
        ({"verify": "standard_webhooks", "secret": "no base64!"}, "whsec_"),
        ({"verify": "standard_webhooks", "secret": STANDARD, "previous_secret": "whsec_"}, "base64"),
        ({"signed_content": "{timestamp}"}, "body could be altered"),
        ({"signed_content": "{timestamp}.{body}"}, "name timestamp_header"),
        ({"timestamp_header": "X-Time"}, "time could be altered"),
        ({"signed_content": "{id}.{body}"}, "message_id_header"),
        ({"signature_format": "sha256="}, "{signature}"),
        ({"allowed_networks": ["anywhere"]}, "allowed_networks"),
        ({"messages_path": "a..b"}, "messages_path"),
    ],
)
def test_a_set_up_that_would_let_strangers_in_is_refused(settings: dict[str, Any], words: str) -> None:
    with pytest.raises(ConfigurationError, match=words.replace("{", r"\{")) as refused:
        build(WebhookSource, {"secret": SECRET, **settings}, {})
    assert SECRET not in str(refused.value)


# ── bodies ───────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("text", "form"),
    [
        ("a=1&a=2&b=", {"a": ["1", "2"], "b": ""}),
        ("a[]=1&a[]=2", {"a": ["1", "2"]}),
        ("a[0][x]=1&a[1][x]=2", {"a": [{"x": "1"}, {"x": "2"}]}),
        ("a[5]=1", {"a": {"5": "1"}}),
        ("a[b]=1&a=2", {"a": "2"}),
        ("a=2&a[b]=1", {"a": {"b": "1"}}),
        ("a[b=1&[c]=2&d]=3", {"a[b": "1", "[c]": "2", "d]": "3"}),
        ("n=%C5%BC%C3%B3%C5%82w+1", {"n": "żółw 1"}),
    ],
)
def test_a_form_is_read_as_its_sender_means_it(text: str, form: dict[str, Any]) -> None:
    (message,) = in_url(text.encode(), FORM)
    assert loads(message.body) == form


@pytest.mark.parametrize(
    "text", [b"", b" ", b"novalue", b"a=%ff", b"\xff=1", b"a" + b"[b]" * 80 + b"=1", b"a=1&" * 10_001]
)
def test_a_form_that_is_none_is_refused(text: bytes) -> None:
    with pytest.raises(PayloadInvalid):
        in_url(text, FORM)


def test_a_list_is_a_batch_wherever_it_stands() -> None:
    assert [loads(one.body) for one in in_url(b'[{"n":1},{"n":2}]')] == [{"n": 1}, {"n": 2}]
    assert [loads(one.body) for one in in_url(b'{"a":{"b":[{"n":1}]}}', messages_path="a.b")] == [{"n": 1}]
    assert [loads(one.body) for one in in_url(b'{"n":1}', messages_path="a.b")] == [{"n": 1}]
    assert in_url(b'{"events":[]}', messages_path="events") == []


def test_a_form_may_hold_its_messages_as_json_in_a_field() -> None:
    def sent(field: str, **settings: Any) -> list[Any]:
        return [loads(one.body) for one in in_url(urlencode({"event": field, "n": "1"}).encode(), FORM, **settings)]

    assert sent('[{"n":1},{"n":2}]', messages_path="event") == [{"n": 1}, {"n": 2}]
    assert sent('{"id":7}', messages_path="event") == [{"event": {"id": 7}, "n": "1"}]
    assert sent('{"id":7}') == [{"event": '{"id":7}', "n": "1"}]
    assert sent("text", messages_path="event") == [{"event": "text", "n": "1"}]
    for broken in ("[1", "[" * 80 + "]" * 80):
        with pytest.raises(PayloadInvalid):
            sent(broken, messages_path="event")


def test_a_byte_order_mark_is_no_part_of_a_body() -> None:
    (message,) = in_url(b'\xef\xbb\xbf{"n":1}')
    assert message.body == b'{"n":1}'
    with pytest.raises(PayloadInvalid, match="empty"):
        in_url(b"\xef\xbb\xbf")


def test_what_is_signed_may_hold_text_of_its_own_such_as_the_url() -> None:
    before = "POSThttps://hub.example.com/in/abc"
    signed = request(headers={"x-signature": digest(f'{before}{{"n":1}}'.encode())})

    assert source(signed_content=f"{before}{{body}}").receive(signed).messages
    with pytest.raises(SignatureInvalid):
        source(signed_content=f"{before}d{{body}}").receive(signed)


def test_an_element_that_is_no_object_is_kept_for_quarantine() -> None:
    assert [(one.body, one.dedup_key) for one in in_url(b'[1,"x",null]')] == [
        (b"1", None),
        (b'"x"', None),
        (b"null", None),
    ]


def test_without_an_id_equal_content_is_the_same_message_if_it_tells_its_time() -> None:
    timed_ = [
        one.dedup_key
        for body in (b'{"at":{"t":1}}', b'{"at":{"t":1}}', b'{"at":{"t":2}}')
        for one in in_url(body, time_path="at.t")
    ]
    assert timed_[0] == timed_[1] != timed_[2]
    assert in_url(b'{"n":1}', time_path="at.t")[0].dedup_key is None


def test_64_bit_ids_and_odd_numbers_stay_as_sent() -> None:
    messages = in_url(b'{"events":[{"id":9007199254740993,"v":NaN}]}', messages_path="events", message_id="id")
    assert (messages[0].dedup_key, messages[0].body) == ("9007199254740993", b'{"id":9007199254740993,"v":NaN}')


@pytest.mark.parametrize("key", ["true", "1.5", "{}", "[]", "null", '""', '"  "'])
def test_what_cannot_be_an_id_is_none(key: str) -> None:
    assert in_url(b'{"id":' + key.encode() + b"}", message_id="id")[0].dedup_key is None


def test_kept_headers_stand_in_each_message_and_count_for_nothing_else() -> None:
    given = {"x-kind": "opened", "x-other": "no"}
    (message,) = in_url(b'{"n":1}', given, keep_headers=["X-Kind", "X-Absent"])
    assert loads(message.body) == {"headers": {"x-kind": "opened"}, "n": 1}
    assert message.element == b'{"n":1}'


# ── hostile requests ─────────────────────────────────────────────────────────────────────────────────────────────

PIECES = st.sampled_from(
    [b"{", b"}", b"[", b"]", b'"', b"a", b"=", b"&", b"%", b"[b]", b"[]", b"\xff", b"\0", b"1e999", b"NaN", b",", b":", b"t=", b"v1=",
     b"\xed\xa0\x80", b" ", b"events", b"data", b"Basic ", b"Bearer ", b"v1,", b"99999999999999999999999"]
)  # fmt: skip
BODIES = st.lists(PIECES, max_size=30).map(b"".join)
TEXTS = BODIES.map(lambda body: body.decode("latin-1"))
RECEIVERS = [
    source(verify="url", messages_path="events.data", message_id="data.a", time_path="a", batch_fields=["a"], keep_headers=["X-Time"]),
    source(**TIMED),
    source(timestamp_header="X-Time", signed_content="{timestamp}{id}{body}", message_id_header="X-Id", signature_encoding="base64"),
    source(STANDARD, verify="standard_webhooks"),
    source(verify="basic", username="hub"),
    source(verify="header"),
]  # fmt: skip


@settings(max_examples=300, deadline=None)
@given(
    receiver=st.sampled_from(RECEIVERS),
    body=BODIES,
    kind=st.sampled_from([FORM["content-type"], "application/json", "text/plain; charset=x", ""]),
    values=st.lists(TEXTS, min_size=6, max_size=6),
    secret=st.sampled_from([SECRET, "", "x"]),
)
def test_whatever_is_sent_is_taken_or_refused_never_an_accident(
    receiver: WebhookSource, body: bytes, kind: str, values: list[str], secret: str
) -> None:
    names = ("x-signature", "x-time", "x-id", "authorization", "webhook-signature", "webhook-timestamp")
    headers = {"content-type": kind, "webhook-id": "m", **dict(zip(names, values, strict=True))}
    sent = request(body, headers, query={"secret": secret})
    status, messages = answered(receiver, sent)

    assert 400 <= status < 500 or (status == 200 and secret == SECRET)
    for message in messages:
        loads(message.body)  # raises if what is stored is not JSON


def answered(receiver: WebhookSource, sent: InboundRequest) -> tuple[int, list[RawMessage]]:
    try:
        received = receiver.receive(sent)
    except InboundError as error:
        return receiver.refuse(sent, error).status, []
    return received.reply.status, list(received.messages)
