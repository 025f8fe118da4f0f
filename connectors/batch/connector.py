"""Batch as a destination. Facts, set-up and limits: docs/connectors/batch.md.

Whatever the hub says about a person goes as an edit of that person's profile: attributes and events alike. Erasures and
transactional push speak to Batch's older, app-level API, which has its own header and one key per app.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from typing import ClassVar, Final

from pydantic import BaseModel

from connectors.batch import answers, edits, flows
from connectors.batch.settings import EVENT, OPTIONS, TARGETS, BatchSettings
from hub.sdk.contract import Destination, Flow, secret
from hub.sdk.errors import DeliveryError
from hub.sdk.values import (
    AnyPush,
    AudienceChange,
    Auth,
    Batch,
    Bearer,
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
    Rate,
    Rejected,
    Request,
    Response,
    Route,
    Waiting,
    Wanted,
)

DOCS: Final = "https://doc.batch.com/developer/api"
URL: Final = "https://api.batch.com"
UPDATE: Final = f"{DOCS}/cep/profiles/update"
MASS_UPDATE: Final = f"{DOCS}/cep/profiles/mass-update-profile"
GDPR: Final = "https://doc.batch.com/api/gdpr/create"
SEND: Final = "https://doc.batch.com/developer/technical-guides"
UNSTATED: Final = f"{DOCS}/mep states none; set in app_calls_per_s"
PLACEHOLDERS: Final = frozenset(
    ["undefined", "null", "nil", "(null)", "[object object]", "true", "false", "nan", "infinity", "-infinity"]
)
"""Ids that Batch's own SDK blocks (Batch-Android-SDK, ProfileDataHelper.java): many people would share one profile."""
MARKETING: Final = ("$email_marketing", "$sms_marketing")


class BatchCom(Destination):
    name = "batch"
    title = "Batch"
    docs_url = DOCS
    Settings: ClassVar[type[BaseModel]] = BatchSettings
    Options: ClassVar[Mapping[Operation, type[BaseModel]]] = OPTIONS
    targets: ClassVar[Mapping[Operation, Json]] = TARGETS
    settings: BatchSettings

    def hosts(self) -> Mapping[str, str]:
        """`api` is project-level, `apps` app-level: the same address, other credentials."""
        return {"api": URL, "apps": URL}

    def auth(self) -> Mapping[str, Auth]:
        key = secret(self.settings.rest_key)
        return {"api": Bearer(key), "apps": Header("X-Authorization", key)}

    def account(self) -> str:
        """Limits are per project; the key is the whole company's."""
        return hashlib.sha256(self.settings.project_key.encode()).hexdigest()[:16]

    def pools(self) -> Mapping[str, Pool]:
        """300 updates a second with 1,000 at once: no more than 1,000 in the time in which 1,000 come back."""
        return {
            "edits": Pool([Rate(1_000, 10 / 3, unit="profile")], source=UPDATE),
            "imports": Pool([Rate(10_000, 1, unit="profile")], source=MASS_UPDATE),
            "apps": Pool([Rate(self.settings.app_calls_per_s, 1)], source=UNSTATED),
        }

    def routes(self) -> Mapping[str, Route]:
        """Attributes may be written twice, but Batch counts a repeated event again, and any call may hold one."""
        routes = {
            "edits": Route(UPDATE, ["edits"], items=200, items_per_profile=edits.EVENTS_PER_EDIT),
            "push": Route(SEND, ["apps"]),
            "erase": Route(GDPR, ["apps"], repeat="safe"),
        }
        if self.settings.mass_updates:
            routes["imports"] = Route(
                MASS_UPDATE,
                ["imports"],
                items=10_000,
                items_per_profile=edits.EVENTS_PER_EDIT,
                bulk_of="edits",
                bulk_from=1_000,
                timeout_s=60,
            )
        return routes

    # ── values into requests ─────────────────────────────────────────────────────────────────────────────────────

    def items(self, push: AnyPush) -> Sequence[Item] | Rejected:
        if not push.person.source_id or push.person.source_id.strip().lower() in PLACEHOLDERS:
            why = "This source_id names nobody; Batch would put many people into one profile."
            return Rejected(push.delivery_id, why, code="placeholder_id")
        match push:
            case ProfilePush():
                return [self._edit(push, attributes=edits.attributes(push.changed, push.unset))]
            case EventPush():
                return self._event(push)
            case MessagePush():
                return self._message(push)
            case AudienceChange():
                return [self._edit(push, attributes=edits.attributes(push.fields))]
            case ConsentChange():
                return self._consent(push)
            case ErasePush():
                return self._erasure(push)

    def _edit(self, push: AnyPush, **said: Json) -> Item:
        return Item(push.delivery_id, "edits", {"custom_id": push.person.source_id, **said})

    def _event(self, push: EventPush) -> Sequence[Item] | Rejected:
        name = edits.event_name(push.name)
        if not name.strip("_"):
            why = (
                f"Batch takes event names of a-z, 0-9 and _; nothing is left of {push.name!r}. Name it in the mapping."
            )
            return Rejected(push.delivery_id, why, code="unsupported")
        return [self._edit(push, event=edits.event(push, name, push.at))]

    def _message(self, push: MessagePush) -> Sequence[Item] | Rejected:
        if push.options.via == EVENT:
            made = edits.event(push, push.options.event_name, push.now)
            if push.code is not None:
                made["attributes"] = {push.options.code_attribute: push.code, **made["attributes"]}
            return [self._edit(push, event=made)]
        if not self.settings.apps:
            return self._without_apps(push, "A transactional push")
        return [Item(push.delivery_id, "push", flows.push_body(push))]

    def _consent(self, push: ConsentChange) -> Sequence[Item] | Rejected:
        """Batch's neutral state is null, which `reset` becomes."""
        if not any(name in push.fields for name in MARKETING):
            why = f"Batch keeps consent for e-mail and SMS only, not for {push.consent.get('topic')!r}."
            return Rejected(push.delivery_id, why, code="unsupported")
        return [self._edit(push, attributes=edits.attributes(push.fields))]

    def _erasure(self, push: ErasePush) -> Sequence[Item] | Rejected:
        if not self.settings.apps:
            return self._without_apps(push, "An erasure")
        return [Item(push.delivery_id, "erase", {})]

    def _without_apps(self, push: AnyPush, what: str) -> Rejected:
        why = f"{what} needs the live API key of each app; set `app_keys`, then replay this delivery."
        return Rejected(push.delivery_id, why, code="unsupported")

    # ── calls and answers ────────────────────────────────────────────────────────────────────────────────────────

    def classify(self, request: Request, response: Response) -> DeliveryError | None:
        return answers.classify(response)

    def flow(self, batch: Batch) -> Flow:
        match batch.route:
            case "push":
                yield from flows.push(self.settings, batch)
            case "erase":
                yield from flows.erase(self.settings, batch)
            case _:
                yield from flows.edit(self.settings, batch)

    def poll(self, token: str, waiting: Sequence[Waiting]) -> Flow:
        yield from flows.poll_erasure(token, waiting)

    def check(self) -> Flow:
        """Every call of Batch's profile API writes, so there is none to try the key with."""
        why = "Batch has no call that tries a key without writing. Send one profile and look at it in the dashboard."
        return [Finding("unknown", why)]
        yield

    def prepare(self, wanted: Wanted) -> Flow:
        """Batch hides new attributes and events until somebody shows them in the dashboard; no call does or tells."""
        names = sorted({edits.bare_name(name) for name in wanted.fields.get(Operation.PROFILES, ()) if name[:1] != "$"})
        events = sorted({edits.event_name(name) for name in wanted.events})
        shown = [f"{what} {', '.join(some)}" for what, some in (("attributes", names), ("events", events)) if some]
        if not shown:
            return []
        why = f"Show these in the dashboard's Custom Data section before messages use them: {'; '.join(shown)}."
        return [Finding("unknown", why)]
        yield
