"""Iterable as a destination. Facts, set-up and limits: docs/connectors/iterable.md."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping, Sequence
from typing import ClassVar, Final

from pydantic import BaseModel

from connectors.iterable import answers, bodies, flows, limits
from connectors.iterable.settings import EVENT, OPTIONS, TARGETS, IterableSettings
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
    Rejected,
    Request,
    Response,
    Route,
    Wanted,
)

HOSTS: Final = {"us": "https://api.iterable.com", "eu": "https://api.eu.iterable.com"}
SUBSCRIPTION: Final = re.compile(r"(?:messageChannel|messageType|emailList)/\d+")
METHODS: Final = {"granted": "PATCH", "denied": "DELETE"}


class Iterable(Destination):
    name = "iterable"
    title = "Iterable"
    docs_url = limits.DOCS
    Settings: ClassVar[type[BaseModel]] = IterableSettings
    Options: ClassVar[Mapping[Operation, type[BaseModel]]] = OPTIONS
    targets: ClassVar[Mapping[Operation, Json]] = TARGETS
    settings: IterableSettings

    def hosts(self) -> Mapping[str, str]:
        return {"api": HOSTS[self.settings.region]}

    def auth(self) -> Mapping[str, Auth]:
        return {"api": Header("Api-Key", secret(self.settings.api_key))}

    def account(self) -> str:
        """Limits are per project; a key belongs to one, so connections with the same key share them."""
        return hashlib.sha256(self.settings.api_key.get_secret_value().encode()).hexdigest()[:16]

    def pools(self) -> Mapping[str, Pool]:
        return limits.pools(self.settings)

    def routes(self) -> Mapping[str, Route]:
        return limits.ROUTES

    # ── values into requests ─────────────────────────────────────────────────────────────────────────────────────

    def items(self, push: AnyPush) -> Sequence[Item] | Rejected:
        match push:
            case ProfilePush():
                return [Item(push.delivery_id, self._profile_route(push), bodies.profile(self.settings, push))]
            case EventPush() if push.fields.get("items"):
                return [Item(push.delivery_id, "purchases", bodies.purchase(self.settings, push))]
            case EventPush():
                return [Item(push.delivery_id, "events", bodies.event(self.settings, push))]
            case MessagePush():
                return [self._message(push)]
            case AudienceChange():
                return self._member(push)
            case ConsentChange():
                return self._consent(push)
            case ErasePush():
                return self._erasure(push)

    def _profile_route(self, push: ProfilePush) -> str:
        """`renames` where the address, by which an e-mail-based project knows the user, is another than before."""
        before, now = push.person.previous.get("email", ""), bodies.address(push)
        is_moved = self.settings.project_type == bodies.EMAIL and before and now and before.lower() != now.lower()
        return "renames" if is_moved and not push.progress else "profiles"

    def _message(self, push: MessagePush) -> Item:
        via = push.options.via
        if via == EVENT:
            return Item(push.delivery_id, "messages", bodies.message_event(self.settings, push))
        body = bodies.trigger if via == "journey" else bodies.target
        return Item(push.delivery_id, via, body(self.settings, push))

    def _member(self, push: AudienceChange) -> Sequence[Item] | Rejected:
        verb = "subscribe" if push.member else "unsubscribe"
        made = bodies.user if push.member else bodies.who
        group = f"{push.fields.get('static_list') or push.audience} {verb}"
        return [Item(push.delivery_id, "lists", made(self.settings, push), group=group)]

    def _consent(self, push: ConsentChange) -> Sequence[Item] | Rejected:
        topic, method = push.consent.get("topic"), METHODS.get(str(push.consent.get("status")))
        subscription = str(push.fields.get("subscription") or "")
        if method is None:
            why = "Iterable has no neutral subscription: an unknown consent neither subscribes nor unsubscribes."
            return Rejected(push.delivery_id, why, code="unsupported")
        if not SUBSCRIPTION.fullmatch(subscription):
            why = f"No Iterable subscription group is named for the topic {topic!r}; add it to the option `topics`."
            return Rejected(push.delivery_id, why, code="unsupported")
        return [Item(push.delivery_id, "subscriptions", {"method": method, "subscription": subscription})]

    def _erasure(self, push: ErasePush) -> Sequence[Item] | Rejected:
        """Each project type is asked by the identifier it has; without an address only a deletion by userId is left."""
        emails = list(dict.fromkeys([*filter(None, [push.person.email]), *(push.fields.get("emails") or ())]))
        if self.settings.project_type == bodies.EMAIL and emails:
            names = [{"email": email} for email in emails]
        elif push.person.source_id:
            names = [{"userId": push.person.source_id}]
        else:
            why = "Iterable knows this person by another identifier than the request names."
            return Rejected(push.delivery_id, why, code="unsupported")
        can_forget = self.settings.project_type != bodies.EMAIL or bool(emails)
        return [Item(push.delivery_id, "forget" if push.options.forget and can_forget else "delete", names)]

    # ── calls and answers ────────────────────────────────────────────────────────────────────────────────────────

    def classify(self, request: Request, response: Response) -> DeliveryError | None:
        return answers.classify(response)

    def flow(self, batch: Batch) -> Flow:
        match batch.route:
            case "profiles":
                yield from flows.update(self.settings, batch)
            case "renames":
                yield from flows.rename(batch)
            case "events" | "messages":
                yield from flows.track(batch)
            case "lists":
                yield from flows.members(batch)
            case "subscriptions":
                yield from flows.subscription(self.settings, batch)
            case "forget" | "delete":
                yield from flows.erase(batch)
            case _:
                yield from flows.single(batch)

    def check(self) -> Flow:
        return (yield from flows.check())

    def prepare(self, wanted: Wanted) -> Flow:
        return (yield from flows.prepare(wanted))
