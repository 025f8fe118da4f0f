"""Mailchimp as a destination.

A member is named by the MD5 of their address inside one audience. Calls are limited by how many run at once, not by
a quota. Pages: mailchimp.com/developer/marketing (read 2026-08). Set-up for operators: docs/connectors/mailchimp.md.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping, Sequence
from typing import ClassVar, Final

from pydantic import BaseModel

from connectors.mailchimp import batches, consent, flows, members, preparing
from connectors.mailchimp.answers import Stopped, classify, outcome_of
from connectors.mailchimp.calls import Calls
from connectors.mailchimp.settings import OPTIONS, TARGETS, MailchimpSettings
from hub.sdk.contract import Destination, Flow, secret
from hub.sdk.errors import DeliveryError, Permanent
from hub.sdk.values import (
    AnyPush,
    AudienceChange,
    Auth,
    Basic,
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
    Rejected,
    Request,
    Response,
    Route,
    Secret,
    Waiting,
    Wanted,
)

API: Final = "https://mailchimp.com/developer/marketing/api/"
LIMITS: Final = "https://mailchimp.com/developer/marketing/docs/fundamentals/#throttling"
_DATA_CENTRE: Final = re.compile(r"-([a-z]{2,5}[0-9]{1,3})$")
ANYWHERE: Final = "us1"
"""Where a key that names no data centre is turned away in Mailchimp's own words."""


class Mailchimp(Destination):
    name = "mailchimp"
    title = "Mailchimp"
    docs_url = API
    Settings: ClassVar[type[BaseModel]] = MailchimpSettings
    Options: ClassVar[Mapping[Operation, type[BaseModel]]] = OPTIONS
    targets: ClassVar[Mapping[Operation, Json]] = TARGETS
    containers: ClassVar[frozenset[str]] = frozenset({"merge_fields", "interests"})

    def __init__(self, settings: MailchimpSettings) -> None:
        super().__init__(settings)
        self._calls = Calls(settings.list_id)
        self._named = _DATA_CENTRE.search(settings.api_key.get_secret_value())

    def hosts(self) -> Mapping[str, str]:
        data_centre = self.settings.server or (self._named[1] if self._named else ANYWHERE)
        return {"api": f"https://{data_centre}.api.mailchimp.com/3.0"}

    def auth(self) -> Mapping[str, Auth]:
        """A key goes with any user name; what names no data centre, where one is set, is an OAuth token."""
        key = secret(self.settings.api_key)
        if self.settings.server and not self._named:
            return {"api": Bearer(key)}
        return {"api": Basic(Secret("switchboard"), key)}

    def account(self) -> str:
        """Calls at once are counted per user, so connections with the same key share them."""
        return hashlib.sha256(self.settings.api_key.get_secret_value().encode()).hexdigest()[:16]

    def pools(self) -> Mapping[str, Pool]:
        return {"calls": Pool(parallel=self.settings.parallel, source=LIMITS)}

    def routes(self) -> Mapping[str, Route]:
        """Mailchimp drops no repeated event and starts a journey as often as it is asked."""
        member, known_first = API + "list-members/add-or-update-list-member/", [Operation.PROFILES]
        one = Route(member, ["calls"], repeat="safe")
        return {
            "profiles": one,
            "profiles_alone": one,
            "profiles_bulk": Route(
                API + "batch-operations/",
                ["calls"],
                items=500,
                bytes=4_000_000,
                items_per_profile=1,
                bulk_of="profiles",
                bulk_from=100,
                repeat="safe",
                timeout_s=120,
            ),
            "events": Route(API + "list-member-events/", ["calls"], repeat="duplicates", after=known_first),
            "messages": Route(API + "customer-journeys-journeys/", ["calls"], repeat="duplicates", after=known_first),
            "audience": Route(API + "list-member-tags/", ["calls"], repeat="safe", after=known_first),
            "consent": one,
            "erase": Route(API + "list-members/delete-list-member/", ["calls"], repeat="safe"),
        }

    def items(self, push: AnyPush) -> Sequence[Item] | Rejected:
        if isinstance(push, ErasePush):
            return [Item(push.delivery_id, "erase", {})]
        if not members.address(push):
            words = "This person has no e-mail address, and Mailchimp knows people by nothing else."
            return Rejected(push.delivery_id, words, code="missing_identifier", field="email_address")
        if isinstance(push, ConsentChange) and (reason := consent.no_place(push)):
            return Rejected(push.delivery_id, reason, code="unsupported")
        if isinstance(push, MessagePush) and push.options.trigger == "journey" and not _has_journey(push):
            words = "The distribution is to start a journey, but its options name no journey_id and step_id."
            return Rejected(push.delivery_id, words, code="options_invalid")
        if isinstance(push, ProfilePush):
            is_alone = push.progress == batches.ALONE or members.former(push) is not None
            body = members.profile_body(self.settings, push)
            return [Item(push.delivery_id, "profiles_alone" if is_alone else "profiles", body)]
        return [Item(push.delivery_id, push.operation.value, dict(push.fields))]

    def classify(self, request: Request, response: Response) -> DeliveryError | None:
        return classify(request, response)

    def flow(self, batch: Batch) -> Flow:
        if batch.route == "profiles_bulk":
            yield from batches.start(self._calls, batch)
            return
        (push,) = batch.records
        outcome: Outcome
        try:
            outcome = yield from self._steps(push)
        except Stopped as stopped:
            outcome = stopped.outcome
        except Permanent as refusal:
            outcome = outcome_of(push.delivery_id, refusal)
        yield [outcome]

    def _steps(self, push: AnyPush) -> Flow:
        match push:
            case ProfilePush():
                return flows.profile(self._calls, self.settings, push)
            case EventPush():
                return flows.event(self._calls, self.settings, push)
            case MessagePush():
                return flows.message(self._calls, self.settings, push)
            case AudienceChange():
                return flows.audience(self._calls, self.settings, push)
            case ConsentChange():
                return consent.change(self._calls, self.settings, push)
            case ErasePush():
                return flows.erase(self._calls, self.settings, push)

    def poll(self, token: str, waiting: Sequence[Waiting]) -> Flow:
        return batches.poll(self._calls, token, waiting)

    def check(self) -> Flow:
        return preparing.check(self._calls, self.settings.list_id)

    def prepare(self, wanted: Wanted) -> Flow:
        return preparing.prepare(self._calls, self.settings.source_id_tag, wanted)


def _has_journey(push: MessagePush) -> bool:
    return bool(push.options.journey_id and push.options.step_id)
