"""What a source does with webhooks: good, forged, repeated, rotated, broken."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from hub.sdk.contract import Source
from hub.sdk.declared import build
from hub.sdk.errors import Forbidden, InboundError, PayloadInvalid, SignatureInvalid, SignatureMissing
from hub.sdk.json import dumps
from hub.sdk.kit.simulator.base import ManualClock
from hub.sdk.kit.simulator.source import SimulatedSource
from hub.sdk.kit.subject import Subject
from hub.sdk.kit.suite.failed import CheckFailed, require
from hub.sdk.values import InboundRequest, Json, RawMessage

CURRENT = "current-secret-0123456789"
PREVIOUS = "previous-secret-0123456789"
WRONG = "wrong-secret-0123456789"
NOW = ManualClock()()
ODD_BODIES = {
    "an empty body": b"",
    "no JSON": b"{",
    "a list in place of an object": b"[]",
    "a text in place of an object": b'"hello"',
    "null": b"null",
    "invalid UTF-8": b'{"a":"\xff\xfe"}',
    "a NUL character": b'{"a":"\\u0000"}',
    "deep nesting": b'{"a":' * 500 + b"1" + b"}" * 500,
    "form data": b"a=1&b=2",
}


def sender_of(subject: Subject) -> SimulatedSource:
    if subject.sender_class is None:
        raise CheckFailed("its folder has no simulator.py with a SimulatedSource, which signs webhooks")
    return subject.sender_class()


def source_of(subject: Subject, previous: str | None = None, secret: str = CURRENT) -> Source:
    assert subject.source_class is not None
    return build(subject.source_class, sender_of(subject).settings(secret, previous), {})


def _webhook(subject: Subject, secret: str = CURRENT, count: int = 1) -> InboundRequest:
    sender = sender_of(subject)
    return sender.webhook(sender.example_messages()[:count], secret, NOW)


def _receive(source: Source, request: InboundRequest) -> Sequence[RawMessage]:
    try:
        received = source.receive(request)
    except InboundError as error:
        raise CheckFailed(f"a good webhook was refused: {type(error).__name__}: {error}") from None
    require(200 <= received.reply.status < 300, f"a good webhook was answered {received.reply.status}")
    return received.messages


def has_a_sender(subject: Subject) -> None:
    require(len(sender_of(subject).example_messages()) >= 2, "the simulated source needs two example messages or more")


def a_good_webhook(subject: Subject) -> None:
    messages = _receive(source_of(subject), _webhook(subject))
    require(len(messages) == 1, f"one message was sent, {len(messages)} were decoded")
    require(messages[0].authentic, "a message with a good signature must be authentic")


def sample(subject: Subject) -> None:
    """Two samples must not be taken for one, nor for a message of a real person."""
    settings = sender_of(subject).settings(CURRENT)
    first, second = (sender_of(subject).sample(settings, f"hub-test-{one}", NOW) for one in "ab")
    taken = [_receive(source_of(subject), one)[0] for one in (first, second)]
    require(all(one.authentic for one in taken), "a sample must be authentic")
    require(b"hub-test-a" in taken[0].body, "a sample must be about the person whose id it was given")
    keys = [one.dedup_key or one.body for one in taken]
    require(keys[0] != keys[1], "a sample must have an id of its own; see sample_ids")


def wrong_secret(subject: Subject) -> None:
    """Told apart from a missing one: the one is corrected at the sender, the other compared on both sides."""
    error = _must_refuse(source_of(subject), _webhook(subject, WRONG), "a webhook signed with a wrong secret")
    require(not isinstance(error, SignatureMissing), "a wrong secret is refused as if there were none")


def missing_signature(subject: Subject) -> None:
    unsigned = replace(_webhook(subject), headers={"content-type": "application/json"}, query={})
    error = _must_refuse(source_of(subject), unsigned, "a webhook without a signature")
    require(
        isinstance(error, SignatureMissing),
        f"a webhook without a signature is refused as {type(error).__name__}; raise SignatureMissing",
    )


def a_look(subject: Subject) -> None:
    """A browser must not take a webhook URL for one that works by GET: what stores nothing does not look like a success."""
    look = replace(_webhook(subject), method="GET", headers={"accept": "text/html"}, query={}, body=b"", raw_body=b"")
    try:
        received = source_of(subject).receive(look)
    except InboundError:
        return  # the hub says what the URL is
    require(not received.messages, "a GET without a body was taken as a message")
    words = received.reply.body or dumps(received.reply.json)
    require(
        b"POST" in words,
        "a GET without a body was answered as if all were well; raise MethodNotAllowed, or say that messages come by POST "
        "where the vendor wants a 200",
    )


def altered_byte(subject: Subject) -> None:
    """Every byte in turn, since most alterations break the JSON anyway. A shared token covers no body."""
    sender = sender_of(subject)
    if not sender.signs_the_body:
        return
    request = _webhook(subject)
    for at in range(len(request.body)):
        body = request.body[:at] + bytes([request.body[at] ^ 1]) + request.body[at + 1 :]
        altered = replace(request, body=body, raw_body=body)
        _must_refuse(source_of(subject), altered, f"a webhook whose byte {at} was altered")


def rotation(subject: Subject) -> None:
    """During a rotation both secrets are good; afterwards the old one is not, and an empty one never is."""
    rotating = source_of(subject, previous=PREVIOUS)
    for secret in (CURRENT, PREVIOUS):
        require(_receive(rotating, _webhook(subject, secret)), "a secret that is being rotated was refused")
    _must_refuse(rotating, _webhook(subject, WRONG), "a wrong secret during a rotation")
    _must_refuse(source_of(subject), _webhook(subject, PREVIOUS), "the old secret after a rotation")


def replayed_webhook(subject: Subject) -> None:
    """The same bytes give the same messages and keys, so that the hub recognises them."""
    request = _webhook(subject, count=2 if sender_of(subject).takes_batches else 1)
    one, other = (_receive(source_of(subject), request) for _ in range(2))
    require(list(one) == list(other), "the same webhook received twice gives different messages")
    later = replace(request, received_at=request.received_at.replace(year=request.received_at.year + 1))
    keys = [[message.dedup_key for message in _receive(source_of(subject), each)] for each in (request, later)]
    require(keys[0] == keys[1], "the keys of a webhook depend on when it was received")


def batch(subject: Subject) -> None:
    sender = sender_of(subject)
    if not sender.takes_batches:
        return
    sent = len(sender.example_messages())
    messages = _receive(source_of(subject), _webhook(subject, count=sent))
    require(len(messages) == sent, f"a batch of {sent} was decoded into {len(messages)} messages")
    keys = [message.dedup_key for message in messages if message.dedup_key]
    require(len(set(keys)) == len(keys), "two messages of a batch have the same key")


def odd_bodies(subject: Subject) -> None:
    """A signed body that is odd is refused with an inbound error or taken; nothing else may happen, and never a 5xx."""
    source, sender = source_of(subject), sender_of(subject)
    for name, body in ODD_BODIES.items():
        request = sender.signed(body, CURRENT, NOW)
        try:
            source.receive(request)
        except InboundError as error:
            _reply_is_json(source, request, error, name)
        except Exception as error:
            raise CheckFailed(f"{name} raised {type(error).__name__}: {error}; raise PayloadInvalid") from error


def refusals_are_answers(subject: Subject) -> None:
    source, request = source_of(subject), _webhook(subject)
    for error in (SignatureInvalid(), Forbidden(), PayloadInvalid()):
        _reply_is_json(source, request, error, type(error).__name__)


def hides_secrets(subject: Subject) -> None:
    source = source_of(subject, previous=PREVIOUS)
    reply: Json = None
    forged = _webhook(subject, WRONG)
    try:
        source.receive(forged)
    except InboundError as error:
        reply = (str(error), repr(error), source.refuse(forged, error))
    said = f"{source!r} {source.settings!r} {reply!r}"
    require(
        CURRENT not in said and PREVIOUS not in said,
        "a secret shows in the source, its settings or its refusals",
    )


def _must_refuse(source: Source, request: InboundRequest, words: str) -> InboundError | None:
    """How it was refused; None where it was taken as not authentic."""
    try:
        received = source.receive(request)
    except (SignatureInvalid, Forbidden, PayloadInvalid) as error:
        _reply_is_json(source, request, error, words)
        return error
    authentic = [message for message in received.messages if message.authentic]
    require(not authentic, f"{words} was taken as authentic")
    return None


def _reply_is_json(source: Source, request: InboundRequest, error: InboundError, words: str) -> None:
    reply = source.refuse(request, error)
    require(400 <= reply.status < 500, f"{words} was answered {reply.status}; a refusal is a 4xx")
    require(reply.json is None or dumps(reply.json), f"{words} was answered with something that is not JSON")
