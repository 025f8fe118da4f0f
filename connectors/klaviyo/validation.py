"""What Klaviyo refuses, in its words: the simulator's checks (create_or_update_profile, bulk_create_events)."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from connectors.klaviyo.bodies import LOCATION, PROFILE_FIELDS
from hub.sdk.json import dumps
from hub.sdk.kit.simulator.base import Refused, SimResponse
from hub.sdk.values import Json

IDENTIFIERS: Final = ("email", "phone_number", "external_id")
PROFILE_BYTES: Final = 100 * 1024
CALL_BYTES: Final = 5 * 1024 * 1024
_KINDS: Final[Mapping[str, type]] = {
    **dict.fromkeys((*PROFILE_FIELDS, "external_id", "_kx"), str),
    "location": dict,
    "properties": dict,
}
_EMAIL: Final = re.compile(r"[^@\s]+@[^@\s]+\.[^@\s]+")
_PHONE: Final = re.compile(r"\+[1-9]\d{6,14}")
_TITLES: Final = {
    400: "Invalid input.",
    401: "Authentication credentials were not provided.",
    404: "Not found.",
    409: "Conflict.",
    413: "Request entity too large.",
    415: "Unsupported media type.",
    429: "Request was throttled.",
}


class Invalid(Refused):
    """An answer that refuses, in the error envelope."""

    def __init__(
        self, detail: str, pointer: str = "/data", *, status: int = 400, code: str = "invalid", **meta: Json
    ) -> None:
        self.error = {
            "id": "00000000-0000-4000-8000-000000000000",
            "status": status,
            "code": code,
            "title": _TITLES.get(status, "Error."),
            "detail": detail,
            "source": {"pointer": pointer},
            "links": {},
            "meta": meta,
        }
        super().__init__(envelope(status, [self.error]))


def envelope(status: int, errors: list[Json], headers: Mapping[str, str] | None = None) -> SimResponse:
    return SimResponse(status, {"errors": errors}, headers or {})


def attributes_of(resource: Json, kind: str, at: str = "/data") -> dict[str, Any]:
    """The attributes of a JSON:API resource of that type."""
    if not isinstance(resource, dict):
        raise Invalid(f"'{kind}' resource is required.", at)
    if resource.get("type") != kind:
        raise Invalid(f"'{resource.get('type')}' is not the type of this resource; expected '{kind}'.", f"{at}/type")
    attributes = resource.get("attributes", {})
    if not isinstance(attributes, dict):
        raise Invalid("'attributes' must be an object.", f"{at}/attributes")
    return attributes


def listed(container: Json, limit: int, at: str, what: str) -> list[Json]:
    """`data` of a container with 1 to `limit` elements."""
    found = container.get("data") if isinstance(container, dict) else None
    if not isinstance(found, list) or not found:
        raise Invalid(f"'data' must be a list of {what}.", f"{at}/data")
    if len(found) > limit:
        raise Invalid(f"At most {limit} {what} are taken in one call, {len(found)} were sent.", f"{at}/data")
    return found


def profile_shape(resource: Json, at: str = "/data") -> dict[str, Any]:
    """What fails a whole call, or a whole job: the schema of a profile."""
    attributes = attributes_of(resource, "profile", at)
    for name, value in attributes.items():
        kind = _KINDS.get(name)
        if kind is None:
            raise Invalid(f"'{name}' is not a valid field for the resource 'profile'.", f"{at}/attributes/{name}")
        if value is not None and not isinstance(value, kind):
            raise Invalid(f"'{name}' must be of type {kind.__name__}.", f"{at}/attributes/{name}")
    for name in attributes.get("location") or {}:
        if name not in LOCATION:
            raise Invalid(f"'{name}' is not a valid field for 'location'.", f"{at}/attributes/location/{name}")
    if not resource.get("id") and not any(attributes.get(name) for name in IDENTIFIERS):
        raise Invalid("One of 'email', 'phone_number', 'external_id' or 'id' is required.", f"{at}/attributes")
    return attributes


def profile_values(resource: Mapping[str, Any], at: str = "/data") -> None:
    """What fails one profile: its size and how it can be reached."""
    if len(dumps(resource)) > PROFILE_BYTES:
        raise Invalid("The profile is larger than 100 KB.", at, status=413, code="payload_too_large")
    contacts(resource.get("attributes", {}), at)


def contacts(attributes: Mapping[str, Any], at: str) -> None:
    email, phone = attributes.get("email"), attributes.get("phone_number")
    if email is not None and not (isinstance(email, str) and _EMAIL.fullmatch(email)):
        raise Invalid("Invalid email address", f"{at}/attributes/email")
    if phone is not None and not (isinstance(phone, str) and _PHONE.fullmatch(phone)):
        raise Invalid(
            "Invalid phone number format (Example of a valid format: +12345678901)", f"{at}/attributes/phone_number"
        )


def bulk_event(resource: Json, at: str, now: datetime) -> list[tuple[dict[str, Any], dict[str, Any]]]:
    """(profile attributes, event attributes) of one event-bulk-create element."""
    attributes = attributes_of(resource, "event-bulk-create", at)
    backfill = attributes.get("backfill", False)
    if not isinstance(backfill, bool):
        raise Invalid("'backfill' must be of type bool.", f"{at}/attributes/backfill")
    holder = attributes.get("profile")
    profile_at = f"{at}/attributes/profile/data"
    profile = profile_shape(holder.get("data") if isinstance(holder, dict) else None, profile_at)
    contacts(profile, profile_at)
    events = listed(attributes.get("events"), 1_000, f"{at}/attributes/events", "events")
    found = []
    for index, event in enumerate(events):
        event_at = f"{at}/attributes/events/data/{index}"
        said = attributes_of(event, "event", event_at)
        _event(said, f"{event_at}/attributes", now)
        found.append((profile, {**said, "backfill": backfill}))
    return found


def metric_name(event: Mapping[str, Any]) -> Json:
    metric: Json = event
    for step in ("metric", "data", "attributes", "name"):
        metric = metric.get(step) if isinstance(metric, dict) else None
    return metric


def _event(event: Mapping[str, Any], at: str, now: datetime) -> None:
    name = metric_name(event)
    if not isinstance(name, str) or not 0 < len(name) < 128:
        raise Invalid("The metric needs a name of less than 128 characters.", f"{at}/metric/data/attributes/name")
    properties = event.get("properties")
    if not isinstance(properties, dict):
        raise Invalid("'properties' is required and must be an object.", f"{at}/properties")
    if len(properties) > 400:
        raise Invalid("An event has at most 400 properties.", f"{at}/properties")
    if any(len(text.encode()) > PROFILE_BYTES for text in _texts(properties)):
        raise Invalid("A string of an event has at most 100 KB.", f"{at}/properties")
    value, currency, unique_id = (event.get(key) for key in ("value", "value_currency", "unique_id"))
    if value is not None and (isinstance(value, bool) or not isinstance(value, int | float)):
        raise Invalid("'value' must be a number.", f"{at}/value")
    if currency is not None and not (isinstance(currency, str) and re.fullmatch("[A-Z]{3}", currency)):
        raise Invalid("'value_currency' must be an ISO 4217 code.", f"{at}/value_currency")
    if unique_id is not None and not isinstance(unique_id, str):
        raise Invalid("'unique_id' must be of type str.", f"{at}/unique_id")
    if event.get("time") is not None:
        _time(event["time"], f"{at}/time", now)


def _time(text: Json, at: str, now: datetime) -> None:
    try:
        when = datetime.fromisoformat(text)
    except (TypeError, ValueError):
        raise Invalid("'time' must be an ISO 8601 date and time.", at) from None
    when = when if when.tzinfo else when.replace(tzinfo=UTC)
    if when.year < 1990 or when > now + timedelta(days=366):
        raise Invalid("'time' must lie after 1990 and at most one year ahead.", at)


def _texts(value: Json) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict | list):
        for item in value.values() if isinstance(value, dict) else value:
            yield from _texts(item)
