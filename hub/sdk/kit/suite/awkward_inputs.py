"""Awkward inputs by name. Naming them is the real work, done here once for every connector."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from hub.sdk.values import AnyPush, Json, Operation, ProfilePush

if TYPE_CHECKING:
    from hub.sdk.kit.bench.bench import Bench

Change = Callable[["Bench", Operation, AnyPush], list[AnyPush]]
NAMES = ("email", "phone", "phone_number")


def with_fields(push: AnyPush, fields: Mapping[str, Json]) -> AnyPush:
    """The push with these fields, all of them changed."""
    if isinstance(push, ProfilePush):
        return replace(push, fields=fields, changed=fields)
    return replace(push, fields=fields)


def _value(value: Json) -> Change:
    def change(bench: Bench, operation: Operation, push: AnyPush) -> list[AnyPush]:
        fields = bench.simulator.with_value(operation, push.fields, "favourite", value)
        return [with_fields(push, fields)]

    return change


def _named(name: str) -> Change:
    def change(bench: Bench, operation: Operation, push: AnyPush) -> list[AnyPush]:
        return [with_fields(push, bench.simulator.with_value(operation, push.fields, name, "yes"))]

    return change


def _person(**changes: Any) -> Change:
    def change(_bench: Bench, _operation: Operation, push: AnyPush) -> list[AnyPush]:
        return [replace(push, person=replace(push.person, **changes))]

    return change


def _without_address(_bench: Bench, _operation: Operation, push: AnyPush) -> list[AnyPush]:
    kept = {name: value for name, value in push.fields.items() if name not in NAMES}
    return [replace(with_fields(push, kept), person=replace(push.person, email=None, phone=None))]


def _twice(_bench: Bench, _operation: Operation, push: AnyPush) -> list[AnyPush]:
    return [push, replace(push, delivery_id=push.delivery_id[:-1] + "Z", vendor_key=push.vendor_key[:-1] + "Z")]


def _before_1970(_bench: Bench, _operation: Operation, push: AnyPush) -> list[AnyPush]:
    return [replace(push, at=datetime(1931, 7, 4, 12, tzinfo=UTC))]


def _no_fields(_bench: Bench, _operation: Operation, push: AnyPush) -> list[AnyPush]:
    return [with_fields(push, {})]


AWKWARD: Mapping[str, Change] = {
    "a missing e-mail and phone": _without_address,
    "no fields at all": _no_fields,
    "an emoji": _value("🎟️ gold"),
    "a right-to-left name": _value("مُحَمَّد بن موسى"),
    "a 10 kB trait": _value("x" * 10_240),
    "null": _value(None),
    "an empty text": _value(""),
    "a nested object": _value({"a": {"b": [{"c": 1}, None]}}),
    "a list": _value(["a", 1, True, None]),
    "false": _value(value=False),
    "a 64-bit integer": _value(9_223_372_036_854_775_807),
    "a number with many digits": _value(0.1 + 0.2),
    "a NUL character": _value("a\0b"),
    "a name with dots, spaces and a dollar": _named("$ favourite.tent size"),
    "a lone surrogate": _value("a\ud800b"),
    "a date before 1970": _value("1931-07-04"),
    "a time before 1970": _before_1970,
    "a source_id with spaces, slashes and quotes": _person(source_id='Ada "the" Count/ess ?&=#%25'),
    "an emoji in the source_id": _person(source_id="ada-🎟️"),
    "a source_id of 255 characters": _person(source_id="a" * 255),
    "a duplicate source_id": _twice,
}
