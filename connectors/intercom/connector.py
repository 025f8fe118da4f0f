"""Intercom as a destination.

One contact, event or tag per call: the stable API versions have no bulk. Pages: Intercom-OpenAPI descriptions 2.11 to 2.16
and developers.intercom.com (read 2026-08). Set-up for operators: docs/connectors/intercom.md.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from typing import ClassVar, Final

from pydantic import BaseModel

from connectors.intercom import flows, preparing
from connectors.intercom.answers import Stopped, classify, refused
from connectors.intercom.calls import Calls
from connectors.intercom.settings import BASES, OPTIONS, TARGETS, IntercomSettings
from hub.sdk.contract import Destination, Flow, secret
from hub.sdk.errors import DeliveryError, Permanent
from hub.sdk.values import (
    AnyPush,
    AudienceChange,
    Auth,
    Batch,
    Bearer,
    ConsentChange,
    ErasePush,
    EventPush,
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
    Wanted,
)

REFERENCE: Final = "https://developers.intercom.com/docs/references/rest-api/api.intercom.io/"
LIMITS: Final = "https://developers.intercom.com/docs/references/rest-api/errors/rate-limiting"
WINDOW_S: Final = 10
"""The minute's quota is spread over windows of ten seconds."""


class Intercom(Destination):
    name = "intercom"
    title = "Intercom"
    docs_url = "https://developers.intercom.com/docs/references/introduction"
    Settings: ClassVar[type[BaseModel]] = IntercomSettings
    Options: ClassVar[Mapping[Operation, type[BaseModel]]] = OPTIONS
    targets: ClassVar[Mapping[Operation, Json]] = TARGETS
    containers: ClassVar[frozenset[str]] = frozenset({"custom_attributes"})

    def __init__(self, settings: IntercomSettings) -> None:
        super().__init__(settings)
        self._calls = Calls(settings.version)

    def hosts(self) -> Mapping[str, str]:
        return {"api": BASES[self.settings.region]}

    def auth(self) -> Mapping[str, Auth]:
        return {"api": Bearer(secret(self.settings.access_token))}

    def account(self) -> str:
        """Limits are per app; a token belongs to one, so connections with the same token share them."""
        token = self.settings.access_token.get_secret_value()
        return hashlib.sha256(f"{self.settings.region} {token}".encode()).hexdigest()[:16]

    def pools(self) -> Mapping[str, Pool]:
        return {"calls": Pool([Rate(self.settings.calls_per_minute * WINDOW_S // 60, WINDOW_S)], source=LIMITS)}

    def routes(self) -> Mapping[str, Route]:
        """An event is dropped if the contact has one of that name and second; everything else may be repeated."""
        contacts, known_first = REFERENCE + "contacts", [Operation.PROFILES]
        events = Route(REFERENCE + "data-events", ["calls"], repeat="deduplicated", after=known_first)
        return {
            "profiles": Route(contacts, ["calls"], repeat="safe"),
            "events": events,
            "messages": events,
            "audience": Route(REFERENCE + "tags", ["calls"], repeat="safe", after=known_first),
            "consent": Route(REFERENCE + "subscription-types", ["calls"], repeat="safe"),
            "erase": Route(contacts, ["calls"], repeat="safe"),
        }

    def items(self, push: AnyPush) -> Sequence[Item] | Rejected:
        if isinstance(push, ConsentChange) and (reason := _no_place(push)):
            return Rejected(push.delivery_id, reason, code="unsupported")
        return [Item(push.delivery_id, push.operation.value, dict(push.fields))]

    def classify(self, request: Request, response: Response) -> DeliveryError | None:
        return classify(request, response)

    def flow(self, batch: Batch) -> Flow:
        (push,) = batch.records
        outcome: Outcome
        try:
            outcome = yield from self._steps(push)
        except Stopped as stopped:
            outcome = stopped.outcome
        except Permanent as refusal:
            outcome = refused(push.delivery_id, refusal)
        yield [outcome]

    def _steps(self, push: AnyPush) -> Flow:
        calls, may_create = self._calls, self.settings.create_missing
        match push:
            case ProfilePush():
                return flows.profile(calls, push)
            case EventPush():
                return flows.event(calls, push, may_create=may_create)
            case MessagePush():
                return flows.message(calls, push, may_create=may_create)
            case AudienceChange():
                return flows.audience(calls, push, may_create=may_create)
            case ConsentChange():
                return flows.consent(calls, push, may_create=may_create)
            case ErasePush():
                return flows.erase(calls, push)

    def check(self) -> Flow:
        return preparing.check(self._calls)

    def prepare(self, wanted: Wanted) -> Flow:
        return preparing.prepare(self._calls, wanted)


def _no_place(push: ConsentChange) -> str:
    """Why Intercom cannot hold this consent; empty if it can."""
    topic, status = push.consent.get("topic"), push.consent.get("status")
    if status not in flows.WANTED:
        return f"Intercom knows a choice or none; it has no place for the status {status} of {topic}."
    if topic != "email" and flows.subscription_type(push) is None:
        return f"Intercom has no place for the consent {topic}; name a subscription type for it in subscription_types."
    return ""
