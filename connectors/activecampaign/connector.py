"""ActiveCampaign as a destination. Facts, set-up and limits: docs/connectors/activecampaign.md.

A little longer than most: six operations, of which four go by import or by single calls, as volume and quiet ask for.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import timedelta
from typing import ClassVar, Final

from pydantic import BaseModel

from connectors.activecampaign import answers, bulk, calls, contacts, events, members, setup
from connectors.activecampaign.settings import OPTIONS, TARGETS, ActiveCampaignSettings
from hub.sdk.contract import Destination, Flow, secret
from hub.sdk.errors import DeliveryError
from hub.sdk.values import (
    AnyPush,
    AudienceChange,
    Auth,
    Batch,
    ConsentChange,
    ErasePush,
    EventPush,
    Header,
    Item,
    Json,
    MessagePush,
    Operation,
    Pool,
    ProfilePush,
    Rate,
    Rejected,
    Request,
    Response,
    Route,
    Waiting,
    Wanted,
)

REFERENCE: Final = "https://developers.activecampaign.com/reference/"
IMPORT: Final = REFERENCE + "bulk-import-contacts"
BULK_FROM: Final = 10
"""From how many contacts on the vendor suggests an import (bulk-import-contacts)."""
IMPORT_BYTES: Final = 250_000
"""Of mapped fields; names become ids and values texts, which may take more, and the vendor takes 400,000."""
QUIET: Final = ("profiles_quiet", "messages_quiet", "audience_quiet", "consent_quiet")
"""Routes of replays and backfills: only an import can exclude automations."""
NO_EMAIL: Final = "ActiveCampaign knows people by their e-mail, and this person has none."
NO_TRACKING: Final = "Event tracking is not set up: set event_actid and event_key of the connection, then replay."


class ActiveCampaign(Destination):
    name = "activecampaign"
    title = "ActiveCampaign"
    docs_url = REFERENCE + "overview"
    Settings: ClassVar[type[BaseModel]] = ActiveCampaignSettings
    Options: ClassVar[Mapping[Operation, type[BaseModel]]] = OPTIONS
    targets: ClassVar[Mapping[Operation, Json]] = TARGETS

    def __init__(self, settings: ActiveCampaignSettings) -> None:
        super().__init__(settings)
        self._tracker = events.Tracker(settings.event_actid, secret(settings.event_key))

    def hosts(self) -> Mapping[str, str]:
        return {"api": self._address(), "events": "https://trackcmp.net"}

    def _address(self) -> str:
        """The account's address without /api/3, which the calls name themselves."""
        return str(self.settings.base_url).rstrip("/").removesuffix(calls.API)

    def auth(self) -> Mapping[str, Auth]:
        return {"api": Header("Api-Token", secret(self.settings.api_token))}

    def account(self) -> str:
        """The limit is the account's, whatever the key; an account has one address."""
        return hashlib.sha256(self._address().lower().encode()).hexdigest()[:16]

    def pools(self) -> Mapping[str, Pool]:
        return {
            "account": Pool([Rate(5, 1)], source=REFERENCE + "rate-limits"),
            "imports": Pool([Rate(100, 60)], source=IMPORT),
            "single_imports": Pool([Rate(20, 60)], source=IMPORT),
        }

    def routes(self) -> Mapping[str, Route]:
        """No call is deduplicated; those that write a state may be repeated, those that start something may not.

        All but profiles, consent and erasure wait for the profile, whose delivery may have to move a contact first.
        """
        later = (Operation.PROFILES,)
        one = Route(REFERENCE + "sync-a-contacts-data", calls.ACCOUNT, repeat="safe")
        tag = Route(REFERENCE + "create-contact-tag", calls.ACCOUNT, repeat="safe", after=later)
        quiet = Route(
            IMPORT, calls.IMPORTS, items=250, bytes=IMPORT_BYTES, items_per_profile=1, repeat="safe", timeout_s=60
        )
        many = {
            f"{kind}_bulk": replace(quiet, bulk_of=single, bulk_from=BULK_FROM)
            for kind, single in (("profiles", "profiles"), ("audience", "audience_add"), ("messages", "messages_field"))
        }
        return {
            "profiles": one,
            "profiles_alone": one,
            "events": Route(REFERENCE + "track-event", calls.ACCOUNT, after=later),
            "messages": Route(REFERENCE + "create-new-contactautomation", calls.ACCOUNT, after=later),
            "messages_safe": tag,
            "messages_field": replace(one, after=later),
            "audience": tag,
            "audience_add": tag,
            "consent": Route(REFERENCE + "update-list-status-for-contact", calls.ACCOUNT, repeat="safe"),
            "erase": Route(REFERENCE + "delete-contact", calls.ACCOUNT, repeat="safe"),
            **many,
            **dict.fromkeys(QUIET, quiet),
        }

    # ── values into items ────────────────────────────────────────────────────────────────────────────────────────

    def items(self, push: AnyPush) -> Sequence[Item] | Rejected:
        if not contacts.address_of(push) and not self._is_known(push):
            return Rejected(push.delivery_id, NO_EMAIL, code="missing_identifier", field="email")
        match push:
            case ProfilePush():
                told = {name: value for name, value in push.changed.items() if name != "email"}
                told |= {name: None for name in push.unset if name not in push.changed and name != "email"}
                return [Item(push.delivery_id, bulk.profile_route(push), bulk.element(contacts.address_of(push), told))]
            case EventPush():
                return self._event(push)
            case MessagePush():
                return self._message(push)
            case AudienceChange():
                body = bulk.element(contacts.address_of(push), tags=[members.tag_name(push)])
                return [Item(push.delivery_id, bulk.audience_route(push), body)]
            case ConsentChange():
                return self._consent(push)
            case ErasePush():
                return self._erasure(push)

    def _is_known(self, push: AnyPush) -> bool:
        """Whether the operation can do with a remembered contact, or says for itself what it lacks."""
        if isinstance(push, AudienceChange | ConsentChange):
            return bool(push.person.remembered.get(contacts.CONTACT_ID))
        return isinstance(push, ErasePush)

    def _event(self, push: EventPush) -> Sequence[Item] | Rejected:
        if not self._tracker.is_set:
            return Rejected(push.delivery_id, NO_TRACKING, code="not_configured")
        if push.quiet:
            words = "ActiveCampaign has no event that starts no automation, so replays and backfills are not sent."
            return Rejected(push.delivery_id, words, code="unsupported")
        if push.now - push.at > timedelta(hours=push.options.max_age_hours):
            words = f"The event is of {push.at:%Y-%m-%d}, and ActiveCampaign would date it today; see max_age_hours."
            return Rejected(push.delivery_id, words, code="too_old")
        return [Item(push.delivery_id, "events", {})]

    def _message(self, push: MessagePush) -> Sequence[Item] | Rejected:
        how, _ = events.how_started(push)
        if how == "event" and not self._tracker.is_set:
            return Rejected(push.delivery_id, NO_TRACKING, code="not_configured")
        told, required = events.code_fields(push), events.required_field(push)
        body = bulk.element(contacts.address_of(push), told, required=required)
        return [Item(push.delivery_id, bulk.message_route(push, how), body)]

    def _consent(self, push: ConsentChange) -> Sequence[Item] | Rejected:
        if members.is_unknown(push):
            words = "ActiveCampaign knows who is subscribed and who is not; an unknown consent is neither."
            return Rejected(push.delivery_id, words, code="unsupported")
        list_id = members.list_of(push, self.settings.default_list_id)
        if not list_id:
            words = f"No list stands for the consent {push.consent.get('topic')!r}; name one in the mapping or options."
            return Rejected(push.delivery_id, words, code="unsupported")
        if not push.quiet or not contacts.address_of(push):
            return [Item(push.delivery_id, "consent", {})]
        verb = "subscribe" if push.consent.get("status") == "granted" else "unsubscribe"
        body = bulk.element(contacts.address_of(push), lists={verb: [{"listid": int(list_id)}]})
        return [Item(push.delivery_id, "consent_quiet", body)]

    def _erasure(self, push: ErasePush) -> Sequence[Item] | Rejected:
        if not contacts.addresses(push) and not push.person.remembered.get(contacts.CONTACT_ID):
            words = f"{NO_EMAIL} If there is a contact, find it in ActiveCampaign by its source id and delete it there."
            return Rejected(push.delivery_id, words, code="missing_identifier")
        return [Item(push.delivery_id, "erase", {})]

    # ── calls and answers ────────────────────────────────────────────────────────────────────────────────────────

    def classify(self, request: Request, response: Response) -> DeliveryError | None:
        return answers.classify(request, response)

    def flow(self, batch: Batch) -> Flow:
        match batch.route:
            case route if route in QUIET or route.endswith("_bulk"):
                yield from bulk.start(batch)
            case "events":
                yield from events.track(self._tracker, batch)
            case "messages" | "messages_safe" | "messages_field":
                yield from events.send(self._tracker, batch)
            case "audience" | "audience_add":
                yield from members.change_audience(batch)
            case "consent":
                yield from members.change_consent(batch, self.settings.default_list_id)
            case "erase":
                yield from contacts.erase(batch)
            case _:
                yield from contacts.sync_one(batch)

    def poll(self, token: str, waiting: Sequence[Waiting]) -> Flow:
        yield from bulk.poll(token, waiting)

    def check(self) -> Flow:
        return (yield from setup.check(has_events=self._tracker.is_set))

    def prepare(self, wanted: Wanted) -> Flow:
        return (yield from setup.prepare(wanted, has_events=self._tracker.is_set))
