"""Example deliveries for the contract suite and for cases."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from hub.sdk.contract import Destination
from hub.sdk.declared import example_settings, validated
from hub.sdk.kit.simulator.base import Simulator
from hub.sdk.values import (
    AnyPush,
    AudienceChange,
    ConsentChange,
    ErasePush,
    EventPush,
    Json,
    MessagePush,
    Operation,
    Person,
    ProfilePush,
)

EVENT_NAME = "Order Shipped"


def example_push(
    destination: Destination,
    simulator: Simulator,
    operation: Operation,
    number: int,
    now: datetime,
    extra: Mapping[str, Json],
) -> AnyPush:
    """The delivery number `number`, with the simulator's example fields and `extra` laid over them."""
    fields = {**numbered(simulator.example_fields.get(operation, {}), number), **extra}
    model = destination.Options[operation]
    return push(
        operation,
        delivery_id=f"D{operation.value[:2].upper()}{number:023d}",  # an event and an erasure are two deliveries
        person=Person(f"person-{number}", f"ada{number}@example.com", f"+485000{number:05d}"),
        fields=fields,
        options=validated(model, example_settings(model), "of the example options"),
        at=now - timedelta(hours=1),
        now=now,
        name=EVENT_NAME,
        code=f"SPRING-{number}",
    )


def push(operation: Operation, *, fields: Mapping[str, Json], now: datetime, **given: Any) -> AnyPush:
    """A push of the kind this operation has; what the kind does not know is left out."""
    delivery_id = given["delivery_id"]
    common = {
        "delivery_id": delivery_id,
        "vendor_key": given.get("vendor_key", delivery_id),
        "person": given["person"],
        "fields": fields,
        "options": given["options"],
        "at": given["at"],
        "now": now,
        "attempt": given.get("attempt", 1),
        "progress": given.get("progress"),
        "quiet": given.get("quiet", False),
    }
    match operation:
        case Operation.PROFILES:
            return ProfilePush(changed=given.get("changed", fields), unset=given.get("unset", ()), **common)
        case Operation.EVENTS:
            return EventPush(event_id=given.get("event_id", f"event-{delivery_id}"), name=given["name"], **common)
        case Operation.MESSAGES:
            return MessagePush(distribution_id=given.get("distribution_id", "spring"), code=given.get("code"), **common)
        case Operation.AUDIENCE:
            return AudienceChange(audience=given.get("audience", "vip"), member=given.get("member", True), **common)
        case Operation.CONSENT:
            return ConsentChange(consent=given.get("consent", {"topic": "email", "status": "granted"}), **common)
        case Operation.ERASE:
            return ErasePush(request_id=given.get("request_id", f"erase-{delivery_id}"), **common)


def numbered(value: Json, number: int) -> Any:
    """The value with `{n}` in its texts replaced by the number."""
    if isinstance(value, str):
        return value.replace("{n}", str(number))
    if isinstance(value, Mapping):
        return {name: numbered(one, number) for name, one in value.items()}
    if isinstance(value, list | tuple):
        return [numbered(one, number) for one in value]
    return value
