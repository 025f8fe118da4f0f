"""Bloomreach Engagement as a destination.

Profiles, events, memberships and consents are commands of one batch call that answers per command; transactional
e-mails and anonymisations go one per call. Facts, set-up and limits: docs/connectors/bloomreach.md.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import ClassVar, Final

from pydantic import BaseModel

from connectors.bloomreach import answers, bodies
from connectors.bloomreach.settings import OPTIONS, TARGETS, BloomreachSettings
from hub.sdk.contract import Destination, Flow, secret
from hub.sdk.errors import AuthFailed, DeliveryError, Permanent
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
    Wanted,
)

REFERENCE: Final = "https://documentation.bloomreach.com/engagement/reference/"
LIMITS: Final = REFERENCE + "tracking-api-overview-2"
BATCH: Final = REFERENCE + "batch-commands-2"
EMAIL: Final = REFERENCE + "transactional-email-2"
ANONYMIZE: Final = REFERENCE + "anonymize-a-customer-2"

UNKNOWN_PERSON: Final = "Bloomreach does not know this person, so there was nothing to erase."
PRIVATE: Final = (
    "An erasure removes the IDs of a person and the properties marked as private, nothing else. The API does not tell "
    "which are: mark these in the Data manager: {names}."
)


class Bloomreach(Destination):
    name = "bloomreach"
    title = "Bloomreach Engagement"
    docs_url = REFERENCE
    Settings: ClassVar[type[BaseModel]] = BloomreachSettings
    Options: ClassVar[Mapping[Operation, type[BaseModel]]] = OPTIONS
    targets: ClassVar[Mapping[Operation, Json]] = TARGETS

    def hosts(self) -> Mapping[str, str]:
        return {"api": self.settings.base_url.rstrip("/")}

    def auth(self) -> Mapping[str, Auth]:
        return {"api": Basic(secret(self.settings.api_key_id), secret(self.settings.api_secret))}

    def account(self) -> str:
        return str(self.settings.project_token)

    def pools(self) -> Mapping[str, Pool]:
        """`tracking` is the vendor's limit. `share` is ours: what goes over a limit is dropped, and heavy use blocked.
        The limits of the other API groups are not published; they get a modest one."""
        own = Pool([Rate(self.settings.calls_per_s, 1)], scope="connection", source=LIMITS)
        return {
            "tracking": Pool([Rate(6_000, 60, burst=100)], scope="address", source=LIMITS),
            "share": own,
            "emails": Pool([Rate(10, 1)], scope="address", source=EMAIL),
            "erasures": Pool([Rate(5, 1)], scope="address", source=ANONYMIZE),
        }

    def routes(self) -> Mapping[str, Route]:
        """Commands of a call run in any order, hence one per person. Nothing drops a repeated event or e-mail;
        properties carry their own time. 30 MB is what Tealium's connector keeps to; the vendor names no limit."""
        return {
            "commands": Route(
                BATCH,
                ["tracking", "share"],
                items=50,
                bytes=30_000_000,
                item_bytes=800_000,
                items_per_profile=1,
            ),
            "emails": Route(EMAIL, ["emails"]),
            "erase": Route(ANONYMIZE, ["erasures"], repeat="safe"),
        }

    # ── values into requests ─────────────────────────────────────────────────────────────────────────────────────

    def items(self, push: AnyPush) -> Sequence[Item] | Rejected:
        who = push.person.source_id
        if self.settings.lower_case_ids:
            who = who.strip().lower()
        if who.strip().lower() in bodies.PLACEHOLDERS:
            words = f"{who!r} is a placeholder, not an identifier; as a hard ID it would merge strangers."
            return Rejected(push.delivery_id, words, code="placeholder_id")
        ids = {self.settings.hard_id: who}
        match push:
            case ProfilePush():
                return [bodies.profile(push, ids)]
            case EventPush():
                return [bodies.event(push, ids)]
            case MessagePush():
                return [bodies.email(push, ids) if push.options.template_id else bodies.message(push, ids)]
            case AudienceChange():
                return [bodies.audience(push, ids)]
            case ConsentChange():
                return self._consent(push, ids)
            case ErasePush():
                return [Item(push.delivery_id, "erase", {"customer_ids": ids})]

    def _consent(self, push: ConsentChange, ids: Mapping[str, str]) -> Sequence[Item] | Rejected:
        if push.consent.get("status") not in bodies.ACTIONS:
            words = "Bloomreach knows a consent as accepted or rejected; there is no state for an unknown one."
            return Rejected(push.delivery_id, words, code="unsupported")
        if not push.fields.get("category"):
            words = "The mapping names no consent category for this topic."
            return Rejected(push.delivery_id, words, code="unsupported", field="category")
        return [bodies.consent(push, ids)]

    def request(self, batch: Batch) -> Request:
        if batch.route == "commands":
            return Request("POST", self._path("track", "batch"), json={"commands": [one.body for one in batch.items]})
        path = self._path("email", "sync") if batch.route == "emails" else self._path("data", "customers/anonymize")
        return Request("POST", path, json=batch.items[0].body)

    def _path(self, api: str, rest: str) -> str:
        return f"/{api}/v2/projects/{self.settings.project_token}/{rest}"

    # ── answers into outcomes ────────────────────────────────────────────────────────────────────────────────────

    def classify(self, request: Request, response: Response) -> DeliveryError | None:
        return answers.failure(request, response)

    def flow(self, batch: Batch) -> Flow:
        """Records that only want for a permission stay without an outcome, and wait until the key has it."""
        try:
            response = yield self.request(batch)
        except Permanent as error:
            if batch.route != "erase" or not answers.is_about_the_customer(error):
                raise
            yield [Accepted(record.delivery_id, notices=[UNKNOWN_PERSON]) for record in batch.records]
            return
        if batch.route != "commands":
            yield self.outcomes(batch, response)
            return
        told = answers.results(batch, response)
        yield told.outcomes
        if told.denied:
            words = f"Bloomreach took a part of the call and refused the rest for want of a permission: {told.denied}"
            raise AuthFailed(words, response=response)

    def outcomes(self, batch: Batch, response: Response) -> Sequence[Outcome]:
        return [answers.accepted(record) for record in batch.records]

    def check(self) -> Flow:
        """Asks for the time, which needs a good key and a good project token and changes nothing."""
        try:
            yield Request("GET", self._path("track", "system/time"), pools=["tracking", "share"])
        except AuthFailed as error:
            return [Finding("error", str(error))]
        return [Finding("ok", "Bloomreach knows the key and the project. Permissions show with the first delivery.")]

    def prepare(self, wanted: Wanted) -> Flow:
        """Properties and events come into being when sent; what is private only the Data manager can say."""
        names = ", ".join(sorted(wanted.fields.get(Operation.PROFILES, {})))
        return [Finding("unknown", PRIVATE.format(names=names))] if names else []
        yield
