"""A receiver as Standard Webhooks describes it: verifies by the `standardwebhooks` package, keeps ids, answers 2xx.

It signs again what it was sent and compares, rather than calling the package's `verify`, which looks at the machine's
clock; a simulator lives by its own.
"""

from __future__ import annotations

import hmac
from base64 import b64encode
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any, ClassVar

from standardwebhooks import Webhook as Signer

from connectors.webhook.source_settings import SourceSettings, standard_key
from hub.sdk.envelope import TYPES
from hub.sdk.json import dumps
from hub.sdk.kit.simulator.base import Refused, SimRequest, SimResponse, Simulator, route
from hub.sdk.kit.simulator.source import SimulatedSource, post
from hub.sdk.values import InboundRequest, Json, Operation

PATH = "/hooks/switchboard"
SIGNING_KEY = "whsec_c2FuZGJveC13ZWJob29rLXNlY3JldC0wMDAwMDAwMDE="
EARLIER_KEY = "whsec_c29tZWJvZHktZWxzZXMtc2VjcmV0LTAwMDAwMDAwMDA="
HEADER, HEADER_VALUE = "x-receiver-key", "sandbox-receiver-key"
TOLERANCE_S = 300
_KEPT_BY_TYPE = {name: operation for operation, names in TYPES.items() for name in names}


class WebhookSimulator(Simulator):
    sandbox_place: ClassVar[int] = 13
    kept = ("profiles", "events", "messages", "audiences", "consents")
    answers_json = False
    example_fields: ClassVar[Mapping[Operation, Mapping[str, Json]]] = {
        Operation.PROFILES: {"email": "ada{n}@example.com", "first_name": "Ada", "metadata": {"points": 120}},
        Operation.EVENTS: {"properties": {"order_id": "order-{n}", "total": 12.5}},
        Operation.MESSAGES: {"incentive_code": "SPRING-{n}"},
        Operation.AUDIENCE: {"name": "Very important"},
        Operation.CONSENT: {},
        Operation.ERASE: {"email": ["ada{n}@example.com"]},
    }
    refused_fields: ClassVar[Mapping[Operation, Mapping[str, Json]]] = {
        Operation.PROFILES: {"email": "not an address"},
        Operation.EVENTS: {"properties": "no object"},
    }

    def __init__(self, **given: Any) -> None:
        super().__init__(**given)
        self.secrets = [SIGNING_KEY]
        self.audiences: dict[str, list[str]] = {}
        self.consents: dict[str, dict[str, Json]] = {}
        self._seen: set[str] = set()

    @classmethod
    def example_settings(cls) -> dict[str, Any]:
        return {
            "url": f"https://receiver.example.com{PATH}",
            "secret": SIGNING_KEY,
            "previous_secret": "",
            "header_name": HEADER,
            "header_value": HEADER_VALUE,
        }

    @classmethod
    def wrong_settings(cls) -> dict[str, Any]:
        return {"secret": EARLIER_KEY}

    def holds(self, operation: Operation, source_id: str) -> bool | None:
        if operation is Operation.AUDIENCE:
            return bool(self.audiences.get(source_id))
        if operation is Operation.CONSENT:
            return source_id in self.consents
        return super().holds(operation, source_id)

    # ── receiving ────────────────────────────────────────────────────────────────────────────────────────────────

    def refuse(self, request: SimRequest) -> SimResponse | None:
        if request.headers.get(HEADER) != HEADER_VALUE:
            return SimResponse(401, {"message": "The gateway does not know this key."})
        if request.method == "POST" and not self._is_authentic(request):
            return SimResponse(401, {"message": "No matching signature found"})
        return None

    def _is_authentic(self, request: SimRequest) -> bool:
        """Whether one of the signatures is ours, and the timestamp of the attempt near enough."""
        try:
            sent_at = datetime.fromtimestamp(int(request.headers["webhook-timestamp"]), UTC)
            identifier, given = request.headers["webhook-id"], request.headers["webhook-signature"].split(" ")
            text = request.body.decode()
        except (KeyError, ValueError):
            return False
        if abs((self.clock() - sent_at).total_seconds()) > TOLERANCE_S or "." in identifier:
            return False
        ours = [Signer(secret).sign(identifier, sent_at, text) for secret in self.secrets]
        return any(hmac.compare_digest(one, other) for one in ours for other in given)

    @route("HEAD", PATH)
    def head(self, request: SimRequest) -> SimResponse:
        return SimResponse(405, headers={"allow": "POST"})

    @route("POST", PATH)
    def receive(self, request: SimRequest) -> SimResponse:
        body = request.json()
        if not request.headers.get("content-type", "").startswith("application/json") or not isinstance(body, dict):
            raise Refused(SimResponse(400, {"message": "A JSON object was expected."}))
        if body.get("id") != request.headers["webhook-id"]:
            raise Refused(SimResponse(400, {"message": "The id of the body is not the webhook-id."}))
        if body.get("type") == "hub.ping":
            return SimResponse(204)
        records = body.get("data") if body.get("type") == "hub.batch" else [body]
        for record in _checked(records):
            if record["id"] not in self._seen:
                self._seen.add(record["id"])
                self._keep(record)
        return SimResponse(204)

    def _keep(self, record: Mapping[str, Any]) -> None:
        data = record["data"]
        who = data["person"]["source_id"]
        match _KEPT_BY_TYPE[record["type"]]:
            case Operation.PROFILES:
                self.profiles[who] = data["profile"]
            case Operation.EVENTS:
                self.events.append({"source_id": who, **data["event"]})
            case Operation.MESSAGES:
                self.messages.append({"source_id": who, **data["message"]})
            case Operation.AUDIENCE:
                self.audiences[who] = sorted(self._after(who, data["audience"]))
            case Operation.CONSENT:
                self.consents.setdefault(who, {})[data["consent"]["topic"]] = data["consent"]["status"]
            case Operation.ERASE:
                self.profiles.pop(who, None)

    def _after(self, who: str, audience: Mapping[str, Any]) -> set[str]:
        kept = set(self.audiences.get(who, ()))
        return kept | {audience["key"]} if audience["member"] else kept - {audience["key"]}


def _checked(records: Any) -> Sequence[Mapping[str, Any]]:
    """Records of known shape; one that is not spoils its call, since a status is all a receiver can say."""
    if not isinstance(records, list) or not records:
        raise Refused(SimResponse(400, {"message": "There are no records."}))
    for record in records:
        problem = _problem(record)
        if problem:
            raise Refused(SimResponse(422, {"message": problem, "id": str(record.get("id"))}))
    return records


def _problem(record: Any) -> str:
    if set(record) != {"type", "id", "timestamp", "data"} or record["type"] not in _KEPT_BY_TYPE:
        return "This is not a record of a known type."
    if not record["data"].get("person", {}).get("source_id"):
        return "The record names nobody."
    profile = record["data"].get("profile", {})
    if "@" not in str(profile.get("email", "@")):
        return "The email is not an address."
    properties = record["data"].get("event", {}).get("properties", {})
    return "" if isinstance(properties, dict) else "The properties are not an object."


class SimulatedSender(SimulatedSource):
    """A sender that signs its body with HMAC. It signs no time, since the suite sends the same bytes a year later."""

    @classmethod
    def settings(cls, secret: str, previous: str | None = None) -> dict[str, Any]:
        return {
            "secret": secret,
            "previous_secret": previous,
            "signature_format": "sha256={signature}",
            "message_id": "id",
        }

    @classmethod
    def example_messages(cls) -> Sequence[Json]:
        return [
            {"id": f"evt_{number}", "type": kind, "email": "ada@example.com", "time": "2026-03-14T09:00:00Z"}
            for number, kind in enumerate(("opened", "clicked", "unsubscribed"), 1)
        ]

    def sample_ids(self, number: str) -> Mapping[str, str]:
        return {"evt_1": number, "ada@example.com": f"{number}@example.com"}

    def sample(self, settings: Mapping[str, Any], number: str, now: datetime) -> InboundRequest:
        """Signed in whatever way this source asks for."""
        asked = SourceSettings.model_validate({**settings, "allowed_networks": []})
        secret = asked.secret.get_secret_value() if asked.secret else ""
        body = dumps({**self.example_messages()[0], "id": number, "email": f"{number}@example.com"})
        request = post(body, {}, now)
        if asked.verify == "url":
            return replace(request, query={asked.url_parameter: secret})
        return replace(request, headers={**request.headers, **_credentials(asked, secret, body, number, now)})

    def signed(self, body: bytes, secret: str, now: datetime) -> InboundRequest:
        return post(body, {"x-signature": "sha256=" + hmac.digest(secret.encode(), body, "sha256").hex()}, now)


def _credentials(asked: SourceSettings, secret: str, body: bytes, number: str, now: datetime) -> dict[str, str]:
    """The headers that vouch for a body, names in lower case."""
    at = str(int(now.timestamp()))
    if asked.verify == "header":
        return {asked.secret_header.lower(): secret}
    if asked.verify == "basic":
        return {"authorization": "Basic " + b64encode(f"{asked.username}:{secret}".encode()).decode()}
    if asked.verify == "standard_webhooks":
        signature = hmac.digest(standard_key(secret), f"{number}.{at}.".encode() + body, "sha256")
        values = {"id": number, "timestamp": at, "signature": "v1," + b64encode(signature).decode()}
        return {f"{asked.header_prefix}-{name}".lower(): value for name, value in values.items()}
    if asked.verify != "hmac":
        return {}
    before, _, after = asked.signed_content.replace("{timestamp}", at).replace("{id}", number).partition("{body}")
    digest = hmac.digest(secret.encode(), before.encode() + body + after.encode(), asked.signature_algorithm)
    written = digest.hex() if asked.signature_encoding == "hex" else b64encode(digest).decode()
    headers = {asked.signature_header: asked.signature_format.format(signature=written, timestamp=at)}
    headers |= {asked.timestamp_header: at, asked.message_id_header: number}
    return {name.lower(): value for name, value in headers.items() if name}
