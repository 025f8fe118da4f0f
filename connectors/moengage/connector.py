"""MoEngage as a destination. Facts, set-up and limits: docs/connectors/moengage.md.

Users and events go in bulk, limited by bytes; MoEngage answers that it took the call, and nothing about its elements.
Longer than most: MoEngage is three APIs (Data, Inform, Push), each with a host, a key and words of failure of its own.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import ClassVar, Final, Literal
from urllib.parse import quote

from pydantic import BaseModel

from connectors.moengage import bodies, consents
from connectors.moengage.answers import error_type, failed_channels, fields, refused, reset, status, words
from connectors.moengage.settings import OPTIONS, TARGETS, MoEngageSettings
from hub.sdk.contract import Destination, Flow, by_status, secret
from hub.sdk.errors import AuthFailed, DeliveryError, Permanent, RateLimited, Split, Unreadable
from hub.sdk.values import (
    Accepted,
    AnyPush,
    AudienceChange,
    Auth,
    Basic,
    Batch,
    ConsentChange,
    ErasePush,
    EventPush,
    Finding,
    Item,
    Json,
    MessagePush,
    Operation,
    Outcome,
    Pool,
    ProfilePush,
    Rate,
    Rejected,
    Request,
    Response,
    Route,
    Secret,
)

DOCS: Final = "https://www.moengage.com/docs/api/"
LIMITS: Final = DOCS + "rate-limits"
BULK_BYTES: Final = 95_000
"""A bulk call takes 100 KB, its frame included; other calls 128 KB (bulk-import-users-and-events)."""
CALL_BYTES: Final = 120_000
INFORM_WINDOW_S: Final = 240.0
"""Inform remembers a transaction_id for five minutes (api/inform); a minute is left for the way."""
ALREADY_SENT: Final = "Inform had this transaction_id already; it was not sent a second time."

CHECK_FAILED: Final = {
    401: "MoEngage does not know the workspace or its data key in this data centre; compare workspace_id, data_key and "
    "data_center with the dashboard.",
    403: "MoEngage has blocked or suspended the workspace, or the key may not read users.",
}


class MoEngage(Destination):
    name = "moengage"
    title = "MoEngage"
    docs_url = DOCS + "introduction"
    Settings: ClassVar[type[BaseModel]] = MoEngageSettings
    Options: ClassVar[Mapping[Operation, type[BaseModel]]] = OPTIONS
    targets: ClassVar[Mapping[Operation, Json]] = TARGETS

    def __init__(self, settings: MoEngageSettings) -> None:
        super().__init__(settings)
        self._in_path = quote(settings.workspace_id, safe="")

    def hosts(self) -> Mapping[str, str]:
        """Inform is the same host under another key."""
        api = f"https://api-{self.settings.data_center}.moengage.com"
        return {"api": api, "inform": api, "push": f"https://pushapi-{self.settings.data_center}.moengage.com"}

    def auth(self) -> Mapping[str, Auth]:
        """The Push API has no credentials of this kind: it wants a signature in each call."""
        user = Secret(self.settings.workspace_id)
        given = {"api": self.settings.data_key, "inform": self.settings.inform_key}
        return {host: Basic(user, secret(key)) for host, key in given.items()}

    def account(self) -> str:
        return str(self.settings.workspace_id)

    def pools(self) -> Mapping[str, Pool]:
        """Users and events are counted one by one, calls of the other families by call."""
        minute = {
            "users": Rate(self.settings.users_per_minute, 60, unit="item"),
            "events": Rate(self.settings.events_per_minute, 60, unit="item"),
            "inform": Rate(10_000, 60),
            "push": Rate(10_000, 60),
            "cohorts": Rate(300, 60),
            "categories": Rate(100, 60),
            "erasures": Rate(1_000, 60),
            "lookups": Rate(1_000, 60),
        }
        return {name: Pool([rate], source=LIMITS) for name, rate in minute.items()}

    def routes(self) -> Mapping[str, Route]:
        """MoEngage drops no repeated event; attributes, cohorts and erasures may be repeated."""
        after = (Operation.PROFILES,)  # only people MoEngage knows by then are matched

        def bulk(pool: str, repeat: Literal["safe", "duplicates"]) -> Route:
            page = DOCS + "bulk/bulk-import-users-and-events"
            return Route(page, [pool], items=100, bytes=BULK_BYTES, item_bytes=BULK_BYTES, repeat=repeat)

        return {
            "users": bulk("users", "safe"),
            "events": bulk("events", "duplicates"),
            "inform": Route(DOCS + "inform", ["inform"], repeat="deduplicated", repeat_window_s=INFORM_WINDOW_S),
            "push": Route(DOCS + "push", ["push"]),
            "cohorts": Route(
                DOCS + "cohort-audience", ["cohorts"], items=1_000, bytes=CALL_BYTES, repeat="safe", after=after
            ),
            "categories": Route(
                DOCS + "subscription-categories", ["categories"], items=50, bytes=CALL_BYTES, repeat="safe", after=after
            ),
            "erase": Route(DOCS + "gdpr-ccpa", ["erasures"], repeat="safe"),
        }

    # ── values into requests ─────────────────────────────────────────────────────────────────────────────────────

    def items(self, push: AnyPush) -> Sequence[Item] | Rejected:
        one, who = push.delivery_id, push.person.source_id
        if bodies.is_bad_id(who):
            return Rejected(one, f"MoEngage forbids the customer_id {who!r}; nothing was sent.", code="unsupported")
        match push:
            case ProfilePush():
                return [Item(one, "users", bodies.profile(push, self.settings.removal))]
            case EventPush():
                return [Item(one, "events", bodies.event(push))]
            case MessagePush():
                return self._message(push)
            case AudienceChange():
                way = "add_members" if push.member else "remove_members"
                cohort = bodies.cohort(push)
                return [Item(one, "cohorts", {"uid": who}, group=f"{way}:{cohort['cohort_id']}")]
            case ConsentChange():
                return consents.items(push, (self.settings.sms_subscribed, self.settings.sms_unsubscribed))
            case ErasePush():
                return [Item(one, "erase", {"identity_type": "ID", "identity_value": who})]
        return Rejected(one, f"This connector does not send {push.operation}.", code="unsupported")

    def _message(self, push: MessagePush) -> Sequence[Item] | Rejected:
        via, one = push.options.via, push.delivery_id
        if via == "event":
            return [Item(one, "events", bodies.message_event(push))]
        key = self.settings.inform_key if via == "inform" else self.settings.push_key
        if not key.get_secret_value():
            return Rejected(one, f"Messages by {via} need a key of their own; set `{via}_key`.", code="unsupported")
        if via == "push":
            return [Item(one, "push", bodies.notification(push))]
        alert = bodies.alert(push)
        if alert is None:
            words = f"This person has no address for {' or '.join(push.options.channels)}."
            return Rejected(one, words, code="no_address")
        return [Item(one, "inform", alert)]

    def request(self, batch: Batch) -> Request:
        elements = [item.body for item in batch.items]
        first, record = elements[0], batch.records[0]
        match batch.route:
            case "inform":
                return self._post("/v1.0/alerts/send", first, host="inform")
            case "push":
                return self._push(first)
            case "cohorts":
                assert isinstance(record, AudienceChange)
                action = batch.group.partition(":")[0]
                parameters = {**bodies.cohort(record), "members": elements}
                body = {"action": action, "partner": "switchboard", "parameters": parameters}
                return self._post("/v1/integrations/cohortsync", body)
            case "categories":
                path = "/v1/category-subscription/user-preferences"
                return self._post(path, {"channel": "email", "user_preferences": elements})
            case "erase":
                submitted = {"submitted_time": bodies.instant(record.at), "identities": elements, "api_version": "1.0"}
                path = f"/v1/opengdpr_requests/{self._in_path}"
                return self._post(path, {"request_type": "erasure", **submitted})
        return self._post(f"/v1/transition/{self._in_path}", {"type": "transition", "elements": elements})

    def _post(self, path: str, body: Json, host: str = "api") -> Request:
        headers = {"MOE-APPKEY": self.settings.workspace_id}
        return Request("POST", path, host=host, headers=headers, json=body)

    def _push(self, body: Mapping[str, Json]) -> Request:
        """The signature is SHA-256 over workspace, campaign and key; it stands in the body and in a header."""
        workspace, key = self.settings.workspace_id, self.settings.push_key.get_secret_value()
        text = "|".join([workspace, body["campaignName"], key])
        signature = Secret(hashlib.sha256(text.encode()).hexdigest())
        headers = {"X-MOE-PushAPI-Signature": signature, "X-MOE-APPKEY": workspace, "X-MOE-Query-Type": "user"}
        signed = {"appId": workspace, "signature": signature, **body}
        return Request("POST", "/v2.1/transaction/sendpush", host="push", headers=headers, json=signed)

    # ── answers into outcomes ────────────────────────────────────────────────────────────────────────────────────

    def classify(self, request: Request, response: Response) -> DeliveryError | None:
        if response.status == 429:
            return RateLimited("MoEngage asked to slow down.", until=reset(response), response=response)
        if response.status == 409 and request.host != "inform":
            return AuthFailed(f"MoEngage says that key and workspace do not fit: {words(response)}", response=response)
        if response.status >= 300:
            return by_status(response)
        body = response.json()
        if not isinstance(body, dict):
            return Unreadable("MoEngage answered something that is not its API's.", response=response, unknown=True)
        if str(body.get("status", "")).lower() in ("fail", "failure", "error") or "error" in body:
            return Permanent(f"MoEngage refused: {words(response)}", response=response)
        return None

    def flow(self, batch: Batch) -> Flow:
        """A fault in one element of a bulk call fails all of it, without saying which."""
        try:
            response = yield self.request(batch)
        except Permanent as refusal:
            if len(batch.records) > 1:
                raise Split(
                    f"MoEngage refused the call: {words(refusal.response)}", response=refusal.response
                ) from None
            yield [self._refused(batch, refusal)]
            return
        yield self.outcomes(batch, response)

    def _refused(self, batch: Batch, refusal: Permanent) -> Outcome:
        """Two refusals are successes: an alert that Inform has already, and the erasure of nobody."""
        one = batch.records[0].delivery_id
        if batch.route == "inform" and status(refusal) == 409:
            return Accepted(one, notices=[ALREADY_SENT])
        if batch.route == "erase" and error_type(refusal.response) == "Not Found":
            return Accepted(one, notices=["MoEngage does not know this person."])
        return refused(one, refusal)

    def outcomes(self, batch: Batch, response: Response) -> Sequence[Outcome]:
        """Taken for later, element by element unknown: the receipt is all that MoEngage gives."""
        said = fields(response).get("request_id")
        receipt = str(said) if said else None
        if batch.route != "inform":
            return [Accepted(record.delivery_id, receipt=receipt) for record in batch.records]
        one, asked = batch.records[0].delivery_id, batch.items[0].body["payloads"]
        failed = failed_channels(response, list(asked))
        why = [f"{channel}: {reason}" for channel, reason in failed.items()]
        if len(failed) == len(asked):
            return [Rejected(one, f"Inform took none of the channels: {', '.join(why)}", code="no_channel")]
        why += [f"{channel}: no address" for channel in batch.records[0].options.channels if channel not in asked]
        return [Accepted(one, notices=why, receipt=receipt)]

    def check(self) -> Flow:
        """Asking for a person nobody has is harmless. The keys of Inform and Push have no such call."""
        probe = {"identifiers": [{"identifier_type": "customer_id", "identifier": "switchboard-check"}]}
        asked = {"data": {**probe, "user_fields_to_export": ["u_em"]}}
        query = {"app_id": self.settings.workspace_id}
        try:
            yield replace(self._post("/v1/customers/export", asked), query=query, pools=["lookups"])
        except AuthFailed as refusal:
            found = refusal.response.status if refusal.response else 401
            return [Finding("error", CHECK_FAILED.get(found, str(refusal)))]
        except Permanent as refusal:
            return [Finding("error", words(refusal.response) or str(refusal))]
        given = {"inform": self.settings.inform_key, "push": self.settings.push_key}
        untold = [name for name, key in given.items() if key.get_secret_value()]
        words_of = "Whether the {} key is good shows only with the first message.".format
        return [
            Finding("ok", "MoEngage takes the data key."),
            *(Finding("unknown", words_of(name)) for name in untold),
        ]
