"""What MoEngage refuses or drops (Track User, Track Event, Bulk, Inform, Push, cohort sync): the simulator's checks."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final

from connectors.moengage.bodies import NOT_IN_A_NAME, is_bad_id
from hub.sdk.kit.simulator.base import Refused, SimRequest, SimResponse
from hub.sdk.values import Json

CREATE_ONLY: Final = ("cr_t", "u_l_a", "publisher_name", "campaign_name", "moe_gaid", "advertising_identifier")
OWN: Final = frozenset(
    ["moe_unsubscribe", "moe_spam", "moe_hard_bounce", "moe_sms_subscription", "moe_wa_subscription", "moe_sub_w"]
)
BLOCKED: Final = frozenset(
    ["", "id", "_id", "status", "user_id", "source", "INSTALL", "UPDATE", "MOE_GAID", "MOE_ISLAT"]
)
CHANNELS: Final = frozenset(["SMS", "RCS", "WHATSAPP", "EMAIL", "PUSH"])
INSTANT: Final = re.compile(r"\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}Z")
EMAIL: Final = re.compile(r"[^@\s]+@[^@\s]+\.[^@\s]+")


class Invalid(Refused):
    """A refusal in the envelope of the Data API."""

    def __init__(self, kind: str, message: str, attribute: str = "", *, status: int = 400) -> None:
        super().__init__(failure(status, kind, message, attribute=attribute))


def failure(
    status: int, kind: str, message: str, headers: Mapping[str, str] | None = None, attribute: str = ""
) -> SimResponse:
    error = {"type": kind, "message": message, "attribute": attribute, "request_id": "reqerror"}
    return SimResponse(status, {"status": "fail", "error": error}, headers or {})


def flat(status: int, message: str, code: int) -> SimResponse:
    """A refusal by Inform."""
    return SimResponse(status, {"message": message, "err_code": code, "status_code": status})


def body_of(request: SimRequest) -> dict[str, Any]:
    body = request.json()
    if not isinstance(body, dict):
        raise Invalid("Malformed JSON", "The body is not a JSON object")
    return body


def elements(body: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The elements of a bulk call whose structure is right; anything else fails the whole call."""
    found = body.get("elements")
    if body.get("type") != "transition" or not isinstance(found, list) or not found:
        raise Invalid("ValueError", "A transition needs elements", "elements")
    for one in found:
        if not isinstance(one, dict) or one.get("type") not in ("customer", "event"):
            raise Invalid("ValueError", "type must be customer or event", "type")
        if not isinstance(one.get("customer_id"), str) or not one["customer_id"]:
            raise Invalid("MissingAttributeError", "customer_id is missing", "customer_id")
        if one["type"] == "event":
            _actions(one.get("actions"))
        elif not isinstance(one.get("attributes"), dict):
            raise Invalid("MissingAttributeError", "attributes is missing", "attributes")
    return found


def _actions(actions: Json) -> None:
    if not isinstance(actions, list) or not actions:
        raise Invalid("MissingAttributeError", "actions is missing", "actions")
    for one in actions:
        if not isinstance(one, dict) or not isinstance(one.get("action"), str) or not one["action"]:
            raise Invalid("MissingAttributeError", "action is empty", "action")


def why_dropped(element: Mapping[str, Any]) -> str:
    """Why an element of the right structure vanishes without a word; "" if it does not."""
    if is_bad_id(element["customer_id"]):
        return f"{element['customer_id']!r} is a forbidden customer_id"
    if element["type"] == "event":
        for one in element["actions"]:
            if len(one["action"]) > 200 or not INSTANT.fullmatch(one.get("current_time", "")):
                return "the event has no proper name and time"
            if any(isinstance(value, dict) for value in one.get("attributes", {}).values()):
                return "objects need a feature that is off"
        return ""
    for name, value in element["attributes"].items():
        if name in BLOCKED or len(name) > 200 or name.startswith("USER_ATTRIBUTE_"):
            return f"{name!r} is a blocked attribute"
        if isinstance(value, dict):
            return "objects need a feature that is off"
        if isinstance(value, list) and (len(value) > 50 or len({type(one) for one in value}) > 1):
            return "an array has at most 50 elements of one type"
    return ""


def cohort(body: Mapping[str, Any]) -> tuple[Mapping[str, Any], list[str]]:
    """(parameters, uids) of a cohort sync."""
    parameters = body.get("parameters")
    if body.get("action") not in ("add_members", "remove_members") or not isinstance(parameters, dict):
        raise Invalid("InvalidParams", "action must be add_members or remove_members", "action")
    if not body.get("partner") or not parameters.get("cohort_id") or not parameters.get("cohort_name"):
        raise Invalid("ParamsRequired", "partner, cohort_id and cohort_name are required", "parameters")
    if NOT_IN_A_NAME.search(parameters["cohort_name"]):
        raise Invalid("InvalidParams", "cohort_name holds characters that are not allowed", "cohort_name")
    members = parameters.get("members")
    if not isinstance(members, list) or not members or not all(isinstance(one.get("uid"), str) for one in members):
        raise Invalid("ParamsRequired", "members need a uid each", "members")
    return parameters, [one["uid"] for one in members]


def erased(body: Mapping[str, Any]) -> str:
    """The customer_id of an erasure request, of which there is one."""
    identities = body.get("identities")
    if body.get("request_type") != "erasure" or body.get("api_version") != "1.0":
        raise Invalid("InvalidParams", "request_type must be erasure, api_version 1.0", "request_type")
    if not INSTANT.fullmatch(body.get("submitted_time", "")):
        raise Invalid("InvalidParams", "submitted_time must be a UTC time", "submitted_time")
    if not isinstance(identities, list) or len(identities) != 1 or identities[0].get("identity_type") != "ID":
        raise Invalid("InvalidParams", "exactly one identity is taken", "identities")
    return str(identities[0].get("identity_value"))


def why_no_alert(body: Mapping[str, Any]) -> str:
    """Why Inform takes no such alert; "" if it does."""
    if not body.get("alert_id") and not body.get("alert_reference_name"):
        return "alert_id or alert_reference_name is required"
    transaction, payloads = body.get("transaction_id"), body.get("payloads")
    if not isinstance(transaction, str) or not 1 <= len(transaction) <= 50:
        return "transaction_id must have 1 to 50 characters"
    if not isinstance(payloads, dict) or not payloads or set(payloads) - CHANNELS:
        return "payloads must name known channels"
    for channel, one in payloads.items():
        recipient = one.get("recipient") if isinstance(one, dict) else None
        pattern = EMAIL if channel == "EMAIL" else re.compile(r"\d{6,15}")
        if not isinstance(recipient, str) or not pattern.fullmatch(recipient):
            return f"recipient of {channel} is not valid"
    return ""


def why_no_push(body: Mapping[str, Any], query_type: str) -> str:
    """Why the Push API takes no such call; "" if it does."""
    if len(str(body.get("campaignName", ""))) < 5:
        return "campaignName must have at least 5 characters"
    if body.get("requestType") != "push" or query_type != "user" or body.get("targetAudience") != "User":
        return "requestType and targetAudience do not fit"
    target = body.get("targetUserAttributes")
    if not isinstance(target, dict) or set(target) != {"attribute", "comparisonParameter", "attributeValue"}:
        return "targetUserAttributes are not valid"
    platforms = body.get("targetPlatform")
    if not platforms or set(platforms) != set(body.get("payload") or ()):
        return "payload must hold every target platform"
    complete = all(one.get("title") and one.get("message") for one in body["payload"].values())
    return "" if complete else "title and message are required"
