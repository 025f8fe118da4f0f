"""What Bloomreach checks of a call, for the simulator. Pages as in docs/connectors/bloomreach.md."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from hub.sdk.json import dumps
from hub.sdk.kit.simulator.base import Refused, SimResponse
from hub.sdk.values import Json

NO_ID: Final = "At least one id should be specified."
MAX_COMMANDS: Final = 50
MAX_MESSAGE: Final = 800_000
MAX_VALUE: Final = 16_384
KINDS: Final = frozenset({"customers", "customers/events", "system/time"})


class Invalid(Exception):
    """Bloomreach refuses this, with these words."""


def commands(body: Json) -> list[Any]:
    """The commands of a batch. Raises Refused if the call as a whole is not one."""
    if not isinstance(body, dict) or not isinstance(body.get("commands"), list):
        raise Refused(SimResponse(400, {"success": False, "message": "Invalid JSON"}))
    if len(body["commands"]) > MAX_COMMANDS:
        words = f"A batch holds at most {MAX_COMMANDS} commands"
        raise Refused(SimResponse(400, {"success": False, "errors": [words]}))
    found: list[Any] = body["commands"]
    return found


def command(one: Any) -> str:
    """The kind of a command. Raises Invalid."""
    if not isinstance(one, dict) or one.get("name") not in KINDS:
        raise Invalid("Unknown command name")
    name, data = str(one["name"]), one.get("data")
    if name == "system/time":
        return name
    if not isinstance(data, dict) or len(dumps(data)) >= MAX_MESSAGE:
        raise Invalid("data: must be an object of less than 800 KB")
    identified(data)
    if name == "customers/events" and not (isinstance(data.get("event_type"), str) and data["event_type"]):
        raise Invalid("event_type: must be a non-empty string")
    properties(data.get("properties"))
    for stamp in ("timestamp", "update_timestamp"):
        if not isinstance(data.get(stamp, 0), int | float) or isinstance(data.get(stamp), bool):
            raise Invalid(f"{stamp}: must be a number of seconds")
    return name


def identified(data: Mapping[str, Json]) -> str:
    """The hard id. Raises Invalid."""
    ids = data.get("customer_ids")
    if not isinstance(ids, dict) or not any(ids.values()):
        raise Invalid(NO_ID)
    unknown = sorted(set(ids) - {"registered", "cookie"})
    if unknown:
        raise Invalid(f"customer_ids: the project has no id {unknown[0]}")
    return str(ids["registered"])


def properties(given: Json) -> None:
    if not isinstance(given, dict):
        raise Invalid("properties: must be an object")
    for name, value in given.items():
        if not name.isascii():
            raise Invalid("properties: names must be ASCII")
        if len(dumps(value)) > MAX_VALUE:
            raise Invalid(f"properties: the value of {name} is larger than 16 KB")


def email(body: Json) -> tuple[str, dict[str, Any]]:
    """The recipient and the content. Raises Invalid."""
    if not isinstance(body, dict) or not isinstance(body.get("recipient"), dict):
        raise Invalid("recipient: is required")
    content = body.get("email_content")
    if not isinstance(content, dict) or not (content.get("template_id") or {"html", "subject"} <= set(content)):
        raise Invalid("email_content: template_id, or html and subject, are required")
    if not isinstance(content.get("params", {}), dict):
        raise Invalid("email_content: params must be an object")
    if not body.get("campaign_name"):
        raise Invalid("campaign_name: is required")
    return identified(body["recipient"]), content
