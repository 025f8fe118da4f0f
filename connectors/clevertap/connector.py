"""CleverTap as a destination.

Profiles, events, memberships and messages are records of one upload call, which answers 200 and lists what it refused;
external triggers, subscriptions and deletions have calls of their own. Facts, set-up and limits: docs/connectors/clevertap.md.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import ClassVar, Final

from pydantic import BaseModel

from connectors.clevertap import answers, bodies
from connectors.clevertap.settings import OPTIONS, TARGETS, CleverTapSettings
from hub.sdk.contract import Destination, Flow, secret
from hub.sdk.errors import AuthFailed, DeliveryError, Permanent, Split
from hub.sdk.values import (
    AnyPush,
    AudienceChange,
    Auth,
    Batch,
    ConsentChange,
    ErasePush,
    EventPush,
    Finding,
    Header,
    Item,
    Json,
    MessagePush,
    Operation,
    Pool,
    ProfilePush,
    Rejected,
    Request,
    Response,
    Route,
    Wanted,
)

DOCS: Final = "https://developer.clevertap.com/docs/"
LIMITS: Final = DOCS + "api-request-limit"
STANDARD: Final = frozenset(
    {"Name", "Email", "Phone", "Gender", "DOB", "Age", "Photo", "Tz", "Employed", "Education", "Married"}
)
MOST_ATTRIBUTES: Final = 256
MOST_EVENTS: Final = 512


class CleverTap(Destination):
    name = "clevertap"
    title = "CleverTap"
    docs_url = DOCS + "api-overview"
    Settings: ClassVar[type[BaseModel]] = CleverTapSettings
    Options: ClassVar[Mapping[Operation, type[BaseModel]]] = OPTIONS
    targets: ClassVar[Mapping[Operation, Json]] = TARGETS

    def hosts(self) -> Mapping[str, str]:
        region = self.settings.region
        return {"api": f"https://{'' if region == 'api' else region + '.'}api.clevertap.com"}

    def auth(self) -> Mapping[str, Auth]:
        return {"api": Header("X-CleverTap-Passcode", secret(self.settings.passcode))}

    def account(self) -> str:
        return str(self.settings.account_id)

    def pools(self) -> Mapping[str, Pool]:
        """CleverTap counts requests under way, not requests per time."""
        return {
            "uploads": Pool(parallel=self.settings.parallel_uploads, source=LIMITS),
            "others": Pool(parallel=3, source=LIMITS),
        }

    def routes(self) -> Mapping[str, Route]:
        """Nothing drops a repeated event or trigger. No page names a size in bytes; 4 MB is our own caution."""
        return {
            "upload": Route(
                DOCS + "upload-events-api", ["uploads"], items=1_000, bytes=4_000_000, repeat="duplicates", timeout_s=60
            ),
            "trigger": Route(DOCS + "external-trigger-api", ["others"]),
            "subscribe": Route(DOCS + "subscribe-api", ["others"], items=1_000, repeat="safe"),
            "delete": Route(DOCS + "delete-user-profile-api", ["others"], items=100, repeat="safe"),
        }

    # ── values into requests ─────────────────────────────────────────────────────────────────────────────────────

    def items(self, push: AnyPush) -> Sequence[Item] | Rejected:
        if not push.person.source_id:
            return Rejected(push.delivery_id, "CleverTap needs an identity, and this record has none.", code="523")
        match push:
            case ProfilePush():
                return [bodies.profile(push)]
            case EventPush():
                return [bodies.event(push)]
            case MessagePush():
                return [bodies.trigger(push) if push.options.campaign_id else bodies.message(push)]
            case AudienceChange():
                return [bodies.audience(push)]
            case ErasePush():
                return [Item(push.delivery_id, "delete", push.person.source_id)]
            case ConsentChange():
                item = bodies.consent(push)
                return [item] if item else _without_place(push)

    def request(self, batch: Batch) -> Request:
        body = [one.body for one in batch.items]
        match batch.route:
            case "trigger":
                return self._call("POST", "/1/send/externaltrigger.json", body[0])
            case "subscribe":
                return self._call("POST", "/1/subscribe", {"d": body})
            case "delete":
                return self._call("POST", "/1/delete/profiles.json", {"identity": body})
        return self._call("POST", "/1/upload", {"d": body})

    def _call(self, method: str, path: str, body: Json = None) -> Request:
        return Request(method, path, headers={"X-CleverTap-Account-Id": self.settings.account_id}, json=body)

    # ── answers into outcomes ────────────────────────────────────────────────────────────────────────────────────

    def classify(self, request: Request, response: Response) -> DeliveryError | None:
        return answers.failure(request, response)

    def flow(self, batch: Batch) -> Flow:
        response = yield self.request(batch)
        found = answers.told(batch, response)
        yield found.outcomes
        if found.hidden:
            words = f"CleverTap refused a record of this call without naming it: {found.hidden}"
            raise Split(words, response=response)

    def check(self) -> Flow:
        """Asks for a profile that nobody has: a good passcode is told so, a bad one is turned away."""
        asked = self._call("GET", "/1/profile.json")
        query = {"identity": "switchboard-connection-check"}
        try:
            yield Request(asked.method, asked.path, query=query, headers=asked.headers, pools=["others"])
        except AuthFailed as error:
            return [Finding("error", str(error))]
        except Permanent:
            pass  # it knows us, and has no such profile
        return [Finding("ok", "CleverTap knows the account and the passcode.")]

    def prepare(self, wanted: Wanted) -> Flow:
        """Attributes and events come into being when sent; an account has room for so many of each."""
        custom = sorted(set(wanted.fields.get(Operation.PROFILES, {})) - STANDARD)
        counts = (
            (len(custom), MOST_ATTRIBUTES, "profile attributes"),
            (len(set(wanted.events)), MOST_EVENTS, "event names"),
        )
        return [
            Finding("warning", f"The mapping sends {count} {what}; a CleverTap account holds {most}. Send fewer.")
            for count, most, what in counts
            if count > most
        ]
        yield


def _without_place(push: ConsentChange) -> Rejected:
    topic = push.consent.get("topic")
    if push.consent.get("status") not in ("granted", "denied"):
        words = "CleverTap knows a consent as given or withdrawn; there is no state for an unknown one."
    else:
        words = (
            f"CleverTap has no place for a consent to {topic}: only e-mail, SMS, push, WhatsApp and e-mail categories."
        )
    return Rejected(push.delivery_id, words, code="unsupported")
