"""An Airship project in memory. It checks what Airship checks and answers in its words.

Facts: the pages named in docs/connectors/airship.md. Where Airship documents no words or limit, ours are used.
"""

from __future__ import annotations

import base64
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any, ClassVar
from urllib.parse import parse_qs

from connectors.airship import validation
from connectors.airship.channels import ChannelEndpoints
from connectors.airship.validation import Invalid, body_of, listed
from hub.sdk.kit.simulator.base import SimRequest, SimResponse, route
from hub.sdk.values import Json, Operation

APP_KEY = "QGk9sTqAStiHUnwUvcl8gw"
BEARER = "sandbox-airship-token"
MASTER = "sandbox-airship-master"
CLIENT = ("sandbox-client", "sandbox-client-secret")
BODY_BYTES = 5 * 1024 * 1024


class AirshipSimulator(ChannelEndpoints):
    sandbox_place: ClassVar[int] = 2
    hosts = ("api", "oauth")
    failing_body: ClassVar[Json] = {"ok": False, "error": "Could not process the request.", "error_code": 40000}
    example_fields: ClassVar[Mapping[Operation, Mapping[str, Json]]] = {
        Operation.PROFILES: {
            "email_channel": {"address": "ada{n}@example.com", "locale_language": "pl", "timezone": "Europe/Warsaw"},
            "attributes": {"first_name": "Ada", "points": 120, "+tags": ["vip"]},
        },
        Operation.EVENTS: {"value": 12.5, "properties": {"order_id": "order-{n}"}},
        Operation.MESSAGES: {
            "email": {"address": "ada{n}@example.com", "opted_in": "2026-01-15T09:30:00Z"},
            "properties": {"first_name": "Ada", "incentive_code": "SPRING-{n}"},
        },
        Operation.AUDIENCE: {"tag": "vip"},
        Operation.CONSENT: {"at": "2026-01-15T09:30:00Z"},
        Operation.ERASE: {},
    }
    refused_fields: ClassVar[Mapping[Operation, Mapping[str, Json]]] = {
        Operation.PROFILES: {"attributes": {"points": "many"}},
        Operation.EVENTS: {"properties": {"note": "x" * 256}},
        Operation.MESSAGES: {"email": {"address": "not an address", "opted_in": "2026-01-15T09:30:00Z"}},
        Operation.CONSENT: {"at": "yesterday"},
    }

    def __init__(self, **given: Any) -> None:
        super().__init__(**given)
        self.tag_groups = {"hub_flags", "hub_segments"}
        self.automations = {"incentive_distributed"}
        self.tokens: dict[str, datetime] = {}

    @classmethod
    def example_settings(cls) -> dict[str, Any]:
        return {
            "app_key": APP_KEY,
            "token": BEARER,
            "master_secret": MASTER,
            "client_id": CLIENT[0],
            "client_secret": CLIENT[1],
            "sms_sender": "12345",
        }

    @classmethod
    def with_value(cls, operation: Operation, fields: Mapping[str, Json], name: str, value: Json) -> dict[str, Json]:
        inside = "attributes" if operation is Operation.PROFILES else "properties"
        if operation not in (Operation.PROFILES, Operation.EVENTS, Operation.MESSAGES):
            return dict(fields)
        return {**fields, inside: {**fields.get(inside, {}), name: value}}

    def holds(self, operation: Operation, source_id: str) -> bool | None:
        person = self.profiles.get(source_id)
        if operation is Operation.EVENTS:
            return any(event["named_user_id"] == source_id for event in self.events)
        if operation is Operation.MESSAGES:
            mine = {self.channels[one]["address"] for one in person["channels"]} if person else set()
            return any(message.get("to") in mine for message in self.messages)
        if operation is Operation.AUDIENCE:
            return person is not None and "vip" in person["tags"].get("hub_segments", ())
        if operation is Operation.CONSENT:
            return any("commercial_opted_in" in self.channels[one] for one in person["channels"]) if person else False
        return (person is not None) is (operation is not Operation.ERASE)

    # ── every call ───────────────────────────────────────────────────────────────────────────────────────────────

    def refuse(self, request: SimRequest) -> SimResponse | None:
        if request.host == "oauth":
            return None
        scheme, _, secret = request.headers.get("authorization", "").partition(" ")
        is_basic = (scheme, secret) == ("Basic", _basic(APP_KEY, MASTER))
        is_token = scheme == "Bearer" and (secret == BEARER or self.tokens.get(secret, self.clock()) > self.clock())
        is_event = request.path == "/api/custom-events"
        if not (is_token or (is_basic and not is_event)):
            return SimResponse(401, body=b"Unauthorized")
        if is_event and request.headers.get("x-ua-appkey") != APP_KEY:
            return SimResponse(401, body=b"Unauthorized")
        accept = request.headers.get("accept", "")
        if "application/vnd.urbanairship+json" not in accept or "version=3" not in accept:
            return SimResponse(406, {"ok": False, "error": "The Accept header names no known version."})
        if len(request.body) > BODY_BYTES:
            return SimResponse(413, {"ok": False, "error": "The body is larger than 5 MiB."})
        return None

    def error(self, status: int, retry_after_s: float | None) -> SimResponse:
        headers = {} if retry_after_s is None else {"retry-after": f"{retry_after_s:g}"}
        if status == 401:
            return SimResponse(401, body=b"Unauthorized", headers=headers)
        return SimResponse(status, {"ok": False, "error": f"Simulated {status}.", "error_code": status * 100}, headers)

    @route("POST", "/token")
    def token(self, request: SimRequest) -> SimResponse:
        """OAuth 2 client credentials; a token lives for an hour."""
        form = {name: values[0] for name, values in parse_qs(request.body.decode()).items()}
        given = request.headers.get("authorization", "").removeprefix("Basic ")
        if given != _basic(*CLIENT) or form.get("sub") != f"app:{APP_KEY}":
            return SimResponse(401, {"error": "invalid_client"})
        if form.get("grant_type") != "client_credentials" or not form.get("scope"):
            return SimResponse(400, {"error": "invalid_request"})
        token = f"oauth-{self.new_id()}"
        self.tokens[token] = self.clock() + timedelta(hours=1)
        answer = {"access_token": token, "token_type": "Bearer", "expires_in": 3600, "scope": form["scope"]}
        return SimResponse(200, answer)

    # ── named users ──────────────────────────────────────────────────────────────────────────────────────────────

    @route("GET", "/api/named_users")
    def find(self, request: SimRequest) -> SimResponse:
        found = self.profiles.get(request.query.get("id", ""))
        if found is None:
            raise Invalid("id", "The named user does not exist.", status=404, code=40401)
        return SimResponse(200, {"ok": True, "named_user": {"named_user_id": request.query["id"], **found}})

    @route("POST", "/api/named_users/associate")
    def associate(self, request: SimRequest) -> SimResponse:
        self.attach(*self._channel_and_owner(body_of(request.json())))
        return SimResponse(200, {"ok": True})

    @route("POST", "/api/named_users/disassociate")
    def disassociate(self, request: SimRequest) -> SimResponse:
        self.detach(*self._channel_and_owner(body_of(request.json())))
        return SimResponse(200, {"ok": True})

    def _channel_and_owner(self, body: Mapping[str, Any]) -> tuple[str, str]:
        owner = validation.named_user_id(body.get("named_user_id"))
        if "email_address" in body:
            address = validation.email(body["email_address"], "email_address")
            return self._known(self.channel_of("email", address)), owner
        if body.get("device_type") not in ("ios", "android", "amazon", "sms", "open"):
            raise Invalid("device_type", "is required for this channel")
        return self._known(body.get("channel_id")), owner

    @route("POST", "/api/named_users/{id}")
    def update(self, request: SimRequest) -> SimResponse:
        """All of it is looked at before any of it is done; what the project does not have is left out, with a warning."""
        owner, body = validation.named_user_id(request.params["id"]), body_of(request.json())
        if not body or set(body) - {"associate", "disassociate", "tags", "attributes"}:
            raise Invalid("", "needs associate, disassociate, tags or attributes")
        changes, unknown = validation.attributes(body["attributes"], self.clock()) if "attributes" in body else ({}, [])
        tags = validation.tags(body["tags"]) if "tags" in body else {}
        moves = [
            (move, self._channel_and_owner({**one, "named_user_id": owner}))
            for name, move in (("associate", self.attach), ("disassociate", self.detach))
            for one in body.get(name, ())
        ]
        person = self.profiles.setdefault(owner, {"channels": [], "attributes": {}, "tags": {}})
        for move, pair in moves:
            move(*pair)
        for key, value in changes.items():
            person["attributes"][key] = value
            if value is None:
                del person["attributes"][key]
        answer = {"ok": True, **self._tag([owner], tags)}
        return SimResponse(
            200, {**answer, "warning": f"Unknown attributes: {', '.join(unknown)}"} if unknown else answer
        )

    @route("POST", "/api/named_users/tags")
    def tag(self, request: SimRequest) -> SimResponse:
        body = body_of(request.json())
        who = listed(body_of(body.get("audience")).get("named_user_id"), 1_000, "audience.named_user_id")
        owners = [validation.named_user_id(one, f"audience.named_user_id[{index}]") for index, one in enumerate(who)]
        return SimResponse(200, {"ok": True, **self._tag(owners, validation.tags(body))})

    def _tag(self, owners: list[str], tags: Mapping[str, Mapping[str, list[str]]]) -> dict[str, Json]:
        groups = {group for changes in tags.values() for group in changes}
        for owner in owners:
            held = self.profiles.setdefault(owner, {"channels": [], "attributes": {}, "tags": {}})["tags"]
            for way, changes in tags.items():
                for group in self.tag_groups & changes.keys():
                    before = [one for one in held.get(group, ()) if way != "set" and one not in changes[group]]
                    held[group] = before if way == "remove" else [*before, *changes[group]]
        failed = sorted(groups - self.tag_groups)
        return {"tag_warnings": ",".join(failed)} if failed else {}

    @route("POST", "/api/named_users/uninstall")
    def uninstall(self, request: SimRequest) -> SimResponse:
        for one in listed(body_of(request.json()).get("named_user_id"), 100, "named_user_id"):
            for channel_id in list(self.profiles.get(one, {}).get("channels", ())):
                self.remove(channel_id)
            self.profiles.pop(one, None)
        return SimResponse(202, {"ok": True})

    # ── events and messages ──────────────────────────────────────────────────────────────────────────────────────

    @route("POST", "/api/custom-events")
    def custom_events(self, request: SimRequest) -> SimResponse:
        """The whole call is looked at first. A unique_id keeps a sequence from starting twice; the event is kept twice."""
        now = self.clock()
        events = [validation.custom_event(one, n, now) for n, one in enumerate(listed(request.json(), 100, ""))]
        for event in events:
            is_new = all(one["unique_id"] != event.get("unique_id") for one in self.events if "unique_id" in one)
            self.events.append(event)
            if is_new and event["name"] in self.automations:
                self.messages.append({"to": event["named_user_id"], "variables": event.get("properties", {})})
        return SimResponse(200, {"ok": True, "operationId": self.new_id()})

    @route("POST", "/api/create-and-send")
    def create_and_send(self, request: SimRequest) -> SimResponse:
        body = body_of(request.json())
        kind = body.get("device_types")
        if kind not in (["email"], ["sms"]):
            raise Invalid("device_types", "must name exactly one device type")
        template = body_of(body_of(body_of(body.get("notification")).get(kind[0])).get("template"))
        if not template.get("template_id"):
            raise Invalid("notification.template", "needs a template_id")
        entries = listed(body_of(body.get("audience")).get("create_and_send"), 1_000, "audience.create_and_send")
        told = [
            self._recipient(kind[0], body_of(one), f"audience.create_and_send[{n}]") for n, one in enumerate(entries)
        ]
        for address, opt_in, variables in told:
            self.register(kind[0], address, opt_in)
            self.messages.append({"to": address, "template_id": template["template_id"], "variables": variables})
        return SimResponse(202, {"ok": True, "operation_id": self.new_id(), "push_ids": [self.new_id()]})

    def _recipient(self, kind: str, entry: dict[str, Any], at: str) -> tuple[str, dict[str, Json], dict[str, Json]]:
        """(address, opt-in, variables) of one entry."""
        variables = {name: value for name, value in entry.items() if not name.startswith("ua_")}
        names = ("ua_opted_in",) if kind == "sms" else ("ua_commercial_opted_in", "ua_transactional_opted_in")
        opt_in = {name.removeprefix("ua_"): entry[name] for name in names if name in entry}
        if not opt_in:
            raise Invalid(at, "needs the date of an opt-in")
        for name, value in opt_in.items():
            validation.instant(value, f"{at}.ua_{name}")
        if kind == "sms":
            return validation.msisdn(entry.get("ua_msisdn"), f"{at}.ua_msisdn"), opt_in, variables
        return validation.email(entry.get("ua_address"), f"{at}.ua_address"), opt_in, variables


def _basic(user: str, password: str) -> str:
    return base64.b64encode(f"{user}:{password}".encode()).decode()
