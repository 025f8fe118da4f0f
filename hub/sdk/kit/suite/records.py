"""What a source does with the records of topics: good, repeated, odd."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from hub.sdk.contract import Source
from hub.sdk.declared import build, example_settings, secret_fields
from hub.sdk.errors import InboundError, PayloadInvalid
from hub.sdk.kit.simulator.base import ManualClock
from hub.sdk.kit.simulator.source import post
from hub.sdk.kit.subject import Subject
from hub.sdk.kit.suite.failed import CheckFailed, require
from hub.sdk.values import RawMessage, Record

NOW = ManualClock()()
GOOD = Record("people", 1, 7, b"cust_1", b'{"name":"Signed Up","timestamp":"2026-03-14T10:00:00Z"}', {}, NOW)
ODD = {
    "a tombstone": None,
    "an empty value": b"",
    "no JSON": b"{",
    "a list in place of an object": b"[]",
    "null": b"null",
    "invalid UTF-8": b'{"a":"\xff\xfe"}',
    "a NUL character": b'{"a":"\\u0000"}',
    "deep nesting": b'{"a":' * 500 + b"1" + b"}" * 500,
}


def is_read(source_class: type[Source]) -> bool:
    """Whether the hub reads this source's topics, instead of being sent webhooks."""
    return source_class.subscription is not Source.subscription


def record_keys(subject: Subject) -> None:
    source = _source(subject)
    first = source.receive_record(GOOD)
    require(first and all(message.dedup_key for message in first), "a good record gave no message with a dedup_key")
    require(list(first) == list(source.receive_record(GOOD)), "the same record gave other messages the second time")
    others = [replace(GOOD, offset=8), replace(GOOD, partition=2), replace(GOOD, topic="others")]
    keys = [message.dedup_key for record in [GOOD, *others] for message in source.receive_record(record)]
    require(len(keys) == len(set(keys)), "records at different places share a dedup_key")


def odd_records(subject: Subject) -> None:
    for name, value in ODD.items():
        for key in (None, b"\xff", b"cust_1"):
            _received(_source(subject), replace(GOOD, key=key, value=value), name)


def no_webhooks(subject: Subject) -> None:
    source, request = _source(subject), post(b"{}", {}, NOW)
    try:
        source.receive(request)
    except InboundError as error:
        require(400 <= source.refuse(request, error).status < 500, "a request was refused, yet not with a 4xx")
    else:
        raise CheckFailed("a request was taken, although nothing vouches for it")


def hides_its_secrets(subject: Subject) -> None:
    source = _source(subject)
    model = type(source).Settings
    examples, shown = example_settings(model), f"{source!r} {source.settings!r} {source.subscription()!r}"
    told = [name for name in secret_fields(model) if examples.get(name) and str(examples[name]) in shown]
    require(not told, "a secret shows where the source or its subscription is printed")


def _received(source: Source, record: Record, name: str) -> Sequence[RawMessage]:
    try:
        return source.receive_record(record)
    except PayloadInvalid:
        return ()
    except Exception as error:  # whatever it is, the check names it
        raise CheckFailed(f"a record with {name} raised {type(error).__name__}") from error


def _source(subject: Subject) -> Source:
    assert subject.source_class is not None
    return build(subject.source_class, example_settings(subject.source_class.Settings), {})
