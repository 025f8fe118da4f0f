"""Wyng as a destination. Only part of its API is public: docs/connectors/wyng.md says which parts are assumed.

A little longer than most: what Wyng does not publish is a setting, and values are fitted to the data model here.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, Final
from urllib.parse import quote, urlsplit

from pydantic import BaseModel

from connectors.wyng.model import DataModel
from connectors.wyng.settings import OPTIONS, TARGETS, WyngSettings
from hub.sdk.contract import Destination, Flow, by_status, secret
from hub.sdk.errors import DeliveryError, Permanent, Unreadable
from hub.sdk.values import (
    Accepted,
    AnyPush,
    AudienceChange,
    Auth,
    Batch,
    ConsentChange,
    ErasePush,
    Finding,
    Header,
    Item,
    Json,
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

PAGES: Final = "https://developers.wyng.com/docs/wyng-profiles/profiles-api"
UNPUBLISHED: Final = f"not published ({PAGES}); set for the connection"
BASE_PATH: Final = "/api/v1/consumer"
MOST_BYTES: Final = 64_000
PROFILE_ID: Final = "profile_id"


class Wyng(Destination):
    name = "wyng"
    title = "Wyng"
    docs_url = "https://developers.wyng.com"
    Settings: ClassVar[type[BaseModel]] = WyngSettings
    Options: ClassVar[Mapping[Operation, type[BaseModel]]] = OPTIONS
    targets: ClassVar[Mapping[Operation, Json]] = TARGETS

    def __init__(self, settings: WyngSettings) -> None:
        super().__init__(settings)
        self._model = DataModel.read(settings.data_model)
        self._keys = settings.key_fields.split()
        address = urlsplit(settings.base_url)
        self._host, self._base = f"{address.scheme}://{address.netloc}", address.path.rstrip("/") or BASE_PATH

    def hosts(self) -> Mapping[str, str]:
        return {"api": self._host}

    def auth(self) -> Mapping[str, Auth]:
        """In the header only: as part of an address the token would stand in logs."""
        return {"api": Header("X-Access-Token", secret(self.settings.access_token))}

    def account(self) -> str:
        token = self.settings.access_token.get_secret_value()
        return hashlib.sha256(f"{self._host} {token}".encode()).hexdigest()[:16]

    def pools(self) -> Mapping[str, Pool]:
        return {"calls": Pool([Rate(self.settings.calls_per_minute, 60)], parallel=2, source=UNPUBLISHED)}

    def routes(self) -> Mapping[str, Route]:
        """One profile a call; a value, a word in a set and a deletion may be repeated."""
        one = Route(PAGES, ["calls"], item_bytes=MOST_BYTES, repeat="safe")
        return dict.fromkeys(("profiles", "audience", "consent", "erase"), one)

    # ── values into requests ─────────────────────────────────────────────────────────────────────────────────────

    def items(self, push: AnyPush) -> Sequence[Item] | Rejected:
        match push:
            case ProfilePush():
                return [self._profile(push)]
            case AudienceChange():
                return self._audience(push)
            case ConsentChange():
                return self._consent(push)
            case ErasePush():
                return self._erasure(push)
        return Rejected(push.delivery_id, f"Wyng has no public call for {push.operation}.", code="unsupported")

    def _profile(self, push: ProfilePush) -> Item:
        removed = {name: None for name in push.unset if name not in push.changed}
        keys = self._identifiers(push)
        told = {name: value for name, value in {**push.changed, **removed}.items() if name not in keys}
        fields, notices = self._model.fitted(told)
        return Item(push.delivery_id, "profiles", {"keys": keys, "fields": fields, "notices": notices})

    def _audience(self, push: AudienceChange) -> Sequence[Item] | Rejected:
        name = push.options.set_field
        if self._model.kinds.get(name) != "set":
            return self._no_place(push, f"{name!r} of type set for audiences")
        verb = "add" if push.member else "remove"
        change = {name: {verb: [str(push.fields.get("value") or push.audience)]}}
        return [Item(push.delivery_id, "audience", {"keys": self._identifiers(push), "sets": change})]

    def _consent(self, push: ConsentChange) -> Sequence[Item] | Rejected:
        topic, status = str(push.consent.get("topic")), push.consent.get("status")
        name = str(push.options.field or push.fields.get("field") or f"consent_{topic.replace('.', '_')}")
        if status not in ("granted", "denied"):
            words = "Wyng holds a consent as yes or no; an unknown one is neither."
            return Rejected(push.delivery_id, words, code="unsupported")
        if self._model.kinds.get(name) != "bool":
            return self._no_place(push, f"{name!r} of type bool for this consent")
        body = {"keys": self._identifiers(push), "fields": {name: status == "granted"}}
        return [Item(push.delivery_id, "consent", body)]

    def _erasure(self, push: ErasePush) -> Sequence[Item] | Rejected:
        profile_id = push.person.remembered.get(PROFILE_ID)
        if profile_id:
            return [Item(push.delivery_id, "erase", profile_id)]
        words = (
            "The hub never had Wyng's id of this person, and Wyng has no public look-up; delete the profile in Wyng."
        )
        return Rejected(push.delivery_id, words, code="manual_action_required")

    def _no_place(self, push: AnyPush, what: str) -> Rejected:
        words = f"The data model has no active field {what}; make it in Wyng and name it in data_model."
        return Rejected(push.delivery_id, words, code="unsupported")

    def _identifiers(self, push: AnyPush) -> dict[str, str]:
        """The key fields: the source_id under the first, e-mail, phone and others as the profile has them."""
        known = {"email": push.person.email, "phone": push.person.phone, **push.fields}
        found = {name: str(known[name]) for name in self._keys[1:] if known.get(name)}
        return {self._keys[0]: push.person.source_id, **found}

    def request(self, batch: Batch) -> Request:
        (item,) = batch.items
        if batch.route == "erase":
            return Request("DELETE", self._base + self.settings.delete_path.replace("{id}", quote(item.body, safe="")))
        names = {"keys": self.settings.keys_name, "fields": self.settings.fields_name, "sets": self.settings.sets_name}
        body = {named: item.body[name] for name, named in names.items() if item.body.get(name)}
        return Request("POST", self._base + self.settings.upsert_path, json=body)

    # ── answers into outcomes ────────────────────────────────────────────────────────────────────────────────────

    def flow(self, batch: Batch) -> Flow:
        (push,) = batch.records
        try:
            response = yield self.request(batch)
        except Permanent as refusal:
            yield [self._refused(push, batch, refusal)]
            return
        yield self.outcomes(batch, response)

    def classify(self, request: Request, response: Response) -> DeliveryError | None:
        """A profile is stored only if the answer is JSON and names it; a deletion needs no body."""
        failed = by_status(response)
        if failed is not None or (request.method == "DELETE" and not response.body):
            return failed
        told = response.json()
        if request.method != "DELETE" and not (isinstance(told, dict) and told.get("id")):
            return Unreadable("The answer names no Wyng profile.", response=response, unknown=True)
        return None

    def outcomes(self, batch: Batch, response: Response) -> Sequence[Outcome]:
        (push,), (item,) = batch.records, batch.items
        if batch.route == "erase":
            return [Accepted(push.delivery_id, {PROFILE_ID: None})]
        told: Any = response.json()
        profile_id = str(told["id"])
        notices = [*item.body.get("notices", ()), *self._merged(push, profile_id, told.get(self.settings.keys_name))]
        return [Accepted(push.delivery_id, {PROFILE_ID: profile_id}, notices, receipt=profile_id)]

    def _merged(self, push: AnyPush, profile_id: str, keys: Json) -> list[str]:
        """Wyng merges profiles by their strong id, so two people with one e-mail may have become one."""
        other = keys.get(self._keys[0]) if isinstance(keys, dict) else None
        if other not in (None, push.person.source_id):
            return [
                f"Wyng has one profile, {profile_id}, for this person and {other}: they share a key such as e-mail."
            ]
        before = push.person.remembered.get(PROFILE_ID)
        if before not in (None, profile_id):
            return [f"The person's Wyng profile was {before} and is now {profile_id}: Wyng has merged profiles."]
        return []

    def _refused(self, push: AnyPush, batch: Batch, refusal: Permanent) -> Outcome:
        """In the vendor's words. Raises it where there are none."""
        response = refusal.response
        if batch.route == "erase" and response is not None and response.status == 404:
            return Accepted(push.delivery_id, {PROFILE_ID: None}, ["Wyng no longer had this profile."])
        error = _error(response)
        said = str(error.get("message") or "")
        if not said:
            raise refusal
        field = str(error.get("field") or "") or None
        return Rejected(push.delivery_id, said, code=str(error.get("code") or "rejected"), field=field)

    # ── set-up ───────────────────────────────────────────────────────────────────────────────────────────────────

    def check(self) -> Flow:
        words = (
            "Wyng has no public call that tells without changing anything whether the token is good; send one profile."
        )
        return [Finding("unknown", words)]
        yield

    def prepare(self, wanted: Wanted) -> Flow:
        """Nothing can be made by API: what the mapping writes and the data model lacks is for the dashboard."""
        names = sorted(set(wanted.fields.get(Operation.PROFILES, {})) - set(self._model.kinds))
        words = (
            "The data model has no active field {}; make it in Wyng (Profiles > Data Model) and name it in data_model."
        )
        return [Finding("warning", words.format(name)) for name in names]
        yield


def _error(response: Response | None) -> Mapping[str, Any]:
    """`{"error": {"code": "unknown_field", "message": "...", "field": "hair_colour"}}`, read with care."""
    try:
        body = response.json() if response is not None else None
    except Unreadable:
        return {}
    found = body.get("error") if isinstance(body, dict) else None
    return found if isinstance(found, dict) else {}
