"""Airship as a destination. Facts, set-up and limits: docs/connectors/airship.md.

Messages go to channels; a named user groups the channels of a person. A profile is therefore several calls (flows.py).
Longer than most: three ways to sign in, each with hosts of its own, and warnings in place of errors.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import ClassVar, Final

from pydantic import BaseModel

from connectors.airship import bodies, consents, flows
from connectors.airship.answers import receipt, refused, status, tag_warnings, warnings, words
from connectors.airship.findings import missing
from connectors.airship.settings import OPTIONS, TARGETS, AirshipSettings
from hub.sdk.contract import Destination, Flow, by_status, secret
from hub.sdk.errors import AuthFailed, DeliveryError, Permanent, Retryable, Split, Unreadable
from hub.sdk.values import (
    Accepted,
    AnyPush,
    AudienceChange,
    Auth,
    Basic,
    Batch,
    Bearer,
    ClientCredentials,
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
    Wanted,
)

REFERENCE: Final = "https://docs.airship.com/developer/rest-api/ua/"
OPERATIONS: Final = REFERENCE + "operations/"
API_HOSTS: Final = {"us": "https://go.urbanairship.com", "eu": "https://go.airship.eu"}
OAUTH_API_HOSTS: Final = {"us": "https://api.asnapius.com", "eu": "https://api.asnapieu.com"}
TOKEN_HOSTS: Final = {"us": "https://oauth2.asnapius.com", "eu": "https://oauth2.asnapieu.com"}
SCOPES: Final = "evt nu chn psh"
CREATE_AND_SEND: Final = "/api/create-and-send"
CALL_BYTES: Final = 4_900_000
"""Airship refuses a body over 5 MiB (operations/push)."""
PATHS_OF_ITS_OWN: Final = frozenset({"associate", "disassociate", "tags", "uninstall", ".", ".."})
"""Ids that cannot stand in `/api/named_users/{id}`: they name other endpoints."""
PROBE: Final = "switchboard-check"

CHECK_FAILED: Final = {
    401: "Airship does not know these credentials in this region; compare region, app_key and the token.",
    403: "Airship knows the credentials, but they may not read named users; use a token with more rights.",
}
BASIC_ONLY: Final = (
    "The master secret signs in. Airship's own library sends custom events with a token only: use credentials=token "
    "unless your tag groups are secured."
)


class Airship(Destination):
    name = "airship"
    title = "Airship"
    docs_url = REFERENCE
    Settings: ClassVar[type[BaseModel]] = AirshipSettings
    Options: ClassVar[Mapping[Operation, type[BaseModel]]] = OPTIONS
    targets: ClassVar[Mapping[Operation, Json]] = TARGETS
    containers: ClassVar[frozenset[str]] = frozenset({"attributes"})

    def __init__(self, settings: AirshipSettings) -> None:
        super().__init__(settings)
        self._calls = flows.Calls(settings.app_key, settings.sms_sender)

    def hosts(self) -> Mapping[str, str]:
        region = self.settings.region
        api = OAUTH_API_HOSTS if self.settings.credentials == "oauth" else API_HOSTS
        return {"api": api[region], "oauth": TOKEN_HOSTS[region]}

    def auth(self) -> Mapping[str, Auth]:
        given = self.settings
        if given.credentials == "basic":
            return {"api": Basic(Secret(given.app_key), secret(given.master_secret))}
        if given.credentials == "oauth":
            form = {"sub": f"app:{given.app_key}", "scope": SCOPES}
            client = (Secret(given.client_id), secret(given.client_secret))
            return {"api": ClientCredentials(*client, path="/token", host="oauth", form=form)}
        return {"api": Bearer(secret(given.token))}

    def account(self) -> str:
        return str(self.settings.app_key)

    def pools(self) -> Mapping[str, Pool]:
        """Airship publishes figures that disagree; the hub keeps well below them unless told otherwise."""
        return {"api": Pool([Rate(self.settings.calls_per_second, 1)], parallel=5, source=REFERENCE + "introduction")}

    def routes(self) -> Mapping[str, Route]:
        """Airship keeps a repeated event and sends a repeated message; `unique_id` only keeps a sequence from starting twice."""

        def route(page: str, items: int = 1, **more: Json) -> Route:
            return Route(OPERATIONS + page, ["api"], items=items, bytes=CALL_BYTES, timeout_s=60, **more)

        return {
            "profiles": route("named-users", repeat="safe"),
            "events": route("custom-events", 100),
            "message_events": route("custom-events", 100, repeat="deduplicated"),
            "messages": route("create-and-send", 1_000, items_per_profile=1),
            "audience": route("tags", 1_000, repeat="safe"),
            "consent": route("email", repeat="safe"),
            "erase": route("named-users", repeat="safe"),
        }

    # ── values into requests ─────────────────────────────────────────────────────────────────────────────────────

    def items(self, push: AnyPush) -> Sequence[Item] | Rejected:
        one = push.delivery_id
        match push:
            case ProfilePush():
                return self._profile(push)
            case EventPush():
                return [Item(one, "events", bodies.event(push))]
            case MessagePush():
                return self._message(push)
            case AudienceChange():
                tag = push.options.tag or push.fields.get("tag") or push.audience
                way = "add" if push.member else "remove"
                return [Item(one, "audience", push.person.source_id, group=f"{way}\n{push.options.tag_group}\n{tag}")]
            case ConsentChange():
                return consents.items(push, self.settings.sms_sender)
            case ErasePush():
                return [Item(one, "erase", {})]
        return Rejected(one, f"This connector does not send {push.operation}.", code="unsupported")

    def _profile(self, push: ProfilePush) -> Sequence[Item] | Rejected:
        if push.person.source_id in PATHS_OF_ITS_OWN:
            words = (
                f"Airship cannot hold a named user called {push.person.source_id!r}: its API has a page of that name."
            )
            return Rejected(push.delivery_id, words, code="unsupported")
        if not push.fields and not push.unset:
            words = (
                "Airship makes a named user from a channel, a tag or an attribute, and this profile has none of them."
            )
            return Rejected(push.delivery_id, words, code="unsupported")
        return [Item(push.delivery_id, "profiles", {"changed": dict(push.changed), "unset": list(push.unset)})]

    def _message(self, push: MessagePush) -> Sequence[Item] | Rejected:
        via, one = push.options.via, push.delivery_id
        if via == "event":
            return [Item(one, "message_events", bodies.message_event(push))]
        if via == "sms" and not self.settings.sms_sender:
            return Rejected(one, "Text messages need a sender; set `sms_sender`.", code="unsupported")
        entry = bodies.recipient(push)
        if entry is None:
            words = f"Airship sends {via} only with an address and the date of its opt-in; this person has not granted {via}."
            return Rejected(one, words, code="no_opt_in")
        if via == "sms":
            entry["ua_sender"] = self.settings.sms_sender
        return [Item(one, "messages", entry, group=push.options.model_dump_json())]

    def request(self, batch: Batch) -> Request:
        body: Json
        bodies_of_items = [item.body for item in batch.items]
        match batch.route:
            case "audience":
                way, group, tag = batch.group.split("\n", 2)
                body = {"audience": {"named_user_id": list(dict.fromkeys(bodies_of_items))}, way: {group: [tag]}}
                return self._calls.post("/api/named_users/tags", body)
            case "messages":
                options = batch.records[0].options
                body = {
                    "audience": {"create_and_send": bodies_of_items},
                    "device_types": [options.via],
                    "notification": {options.via: bodies.notification(options)},
                }
                return self._calls.post(CREATE_AND_SEND, body)
            case "consent":
                (call,) = bodies_of_items
                return self._calls.post(call["path"], call["json"])
        return self._calls.post("/api/custom-events", bodies_of_items)

    # ── answers into outcomes ────────────────────────────────────────────────────────────────────────────────────

    def classify(self, request: Request, response: Response) -> DeliveryError | None:
        if response.status >= 300:
            error = by_status(response)
            if request.path == CREATE_AND_SEND and isinstance(error, Retryable) and response.status >= 500:
                error.unknown = True  # Airship may have begun to send
            return error
        if not response.body:
            return None  # what an uninstallation answers, no page says
        body = response.json()
        if not isinstance(body, dict) or "ok" not in body:
            return Unreadable("Airship answered something that is not its API's.", response=response, unknown=True)
        return None if body["ok"] is True else Permanent(f"Airship refused: {words(response)}", response=response)

    def flow(self, batch: Batch) -> Flow:
        """Airship looks at all of a call before it does any of it: one bad record hides among the others."""
        match batch.records[0]:
            case ProfilePush() as push:
                yield from flows.sync_profile(self._calls, push)
                return
            case ErasePush() as push:
                yield from flows.erase(self._calls, push)
                return
        try:
            response = yield self.request(batch)
        except Permanent as refusal:
            if len(batch.records) > 1:
                raise Split(f"Airship refused the call: {words(refusal.response)}", response=refusal.response) from None
            yield [refused(batch.records[0].delivery_id, refusal)]
            return
        yield self.outcomes(batch, response)

    def outcomes(self, batch: Batch, response: Response) -> Sequence[Outcome]:
        """All or none, with notices; but a tag whose group does not exist was written for nobody."""
        if batch.route == "audience" and (groups := tag_warnings(response)):
            why = f"Airship has no tag group {groups}, or it is secured; make it in the dashboard and replay."
            return [Rejected(record.delivery_id, why, code="tag_group") for record in batch.records]
        notices, number = warnings(response), receipt(response)
        return [Accepted(record.delivery_id, notices=notices, receipt=number) for record in batch.records]

    def check(self) -> Flow:
        """Asking for a named user that does not exist is harmless: good credentials are told 404, bad ones 401."""
        try:
            yield self._calls.find(PROBE)
        except AuthFailed as refusal:
            return [Finding("error", CHECK_FAILED[refusal.response.status if refusal.response else 401])]
        except Permanent as refusal:
            if status(refusal) != 404:
                return [Finding("error", words(refusal.response) or str(refusal))]
        found = [Finding("ok", "Airship takes the credentials.")]
        return [*found, Finding("warning", BASIC_ONLY)] if self.settings.credentials == "basic" else found

    def prepare(self, wanted: Wanted) -> Flow:
        """Attributes and tag groups are made in the dashboard; no call makes them or tells which there are."""
        return missing(wanted)
        yield
