"""Longway: an imaginary vendor that needs everything the contract offers. Unbroken; `mutations.py` breaks it.

A person takes two calls, events go as a job that is asked after, a message may not be repeated and is followed by a
tag, fields must be created ahead of need.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import ClassVar, Final

from pydantic import BaseModel, Field, SecretStr

from hub.sdk.contract import Destination, Flow, secret
from hub.sdk.errors import Permanent
from hub.sdk.values import (
    Accepted,
    AnyPush,
    Auth,
    Batch,
    EventPush,
    Finding,
    Header,
    Item,
    Json,
    MessagePush,
    Operation,
    Pending,
    Pool,
    ProfilePush,
    Progress,
    Rate,
    Rejected,
    Request,
    Route,
    Waiting,
    Wanted,
)

PAGES: Final = "https://longway.example/docs"
SENT: Final = "sent"


class LongwaySettings(BaseModel):
    api_key: SecretStr = Field(description="API key.", examples=["key-0123456789"])


class LongwayOptions(BaseModel):
    tag: str = Field(default="code", description="The tag a person gets with a message.", examples=["code"])


class Longway(Destination):
    name = "longway"
    title = "Longway"
    Settings: ClassVar[type[BaseModel]] = LongwaySettings
    Options: ClassVar[Mapping[Operation, type[BaseModel]]] = dict.fromkeys(
        (Operation.PROFILES, Operation.EVENTS, Operation.MESSAGES), LongwayOptions
    )
    targets: ClassVar[Mapping[Operation, Json]] = {
        Operation.PROFILES: {"type": "object"},
        Operation.EVENTS: {"type": "object"},
        Operation.MESSAGES: {"type": "object", "required": ["code"]},
    }

    def hosts(self) -> Mapping[str, str]:
        return {"api": "https://api.longway.example"}

    def auth(self) -> Mapping[str, Auth]:
        return {"api": Header("x-key", secret(self.settings.api_key))}

    def pools(self) -> Mapping[str, Pool]:
        return {"calls": Pool([Rate(10, 1)], source=PAGES)}

    def routes(self) -> Mapping[str, Route]:
        return {
            "profiles": Route(PAGES, ["calls"], repeat="safe"),
            "events": Route(PAGES, ["calls"], items=20, repeat="deduplicated"),
            "messages": Route(PAGES, ["calls"], repeat="duplicates"),
        }

    def items(self, push: AnyPush) -> Sequence[Item] | Rejected:
        if not isinstance(push, ProfilePush | EventPush | MessagePush):
            return Rejected(push.delivery_id, "Longway has no place for this.", code="unsupported")
        body = {"ref": push.person.source_id, "fields": dict(push.fields)}
        if isinstance(push, ProfilePush):
            body["fields"] = dict(push.changed)
        if isinstance(push, EventPush):
            body |= {"id": push.vendor_key, "name": push.name}
        return [Item(push.delivery_id, push.operation, body)]

    def flow(self, batch: Batch) -> Flow:
        steps = {"profiles": _person, "events": _events, "messages": _message}
        yield from steps[batch.route](batch)

    def poll(self, token: str, waiting: Sequence[Waiting]) -> Flow:
        """`{"done": true, "errors": {"<event id>": "reason"}}`"""
        job = (yield Request("GET", f"/jobs/{token}")).json()
        if not job.get("done"):
            yield [Pending(one.delivery_id, token, 5, one.find_by) for one in waiting]
            return
        errors = job["errors"]
        yield [
            Rejected(one.delivery_id, errors[one.find_by]) if one.find_by in errors else Accepted(one.delivery_id)
            for one in waiting
        ]

    def check(self) -> Flow:
        yield Request("GET", "/me")
        return [Finding("ok", "Longway knows the key.")]

    def prepare(self, wanted: Wanted) -> Flow:
        known = (yield Request("GET", "/fields")).json()["names"]
        missing = sorted({name for fields in wanted.fields.values() for name in fields} - set(known))
        for name in missing:
            yield Request("POST", "/fields", json={"name": name})
        return [Finding("ok", f"Longway has all fields now; {len(missing)} were created.")]


def _person(batch: Batch) -> Flow:
    """Find, unless its id is remembered; then create or change."""
    push, item = batch.records[0], batch.items[0]
    person_id = push.person.remembered.get("person_id")
    if person_id is None:
        found = (yield Request("GET", "/people", query={"ref": push.person.source_id})).json()["people"]
        person_id = found[0]["id"] if found else None
    try:
        if person_id is None:
            person_id = (yield Request("POST", "/people", json=item.body)).json()["id"]
        else:
            (yield Request("PATCH", f"/people/{person_id}", json=item.body)).json()
    except Permanent as refusal:
        yield [Rejected(push.delivery_id, _words(refusal))]
        return
    yield [Accepted(push.delivery_id, remember={"person_id": person_id})]


def _events(batch: Batch) -> Flow:
    job = (yield Request("POST", "/jobs", json={"events": [item.body for item in batch.items]})).json()["job"]
    yield [Pending(record.delivery_id, job, 5, find_by=record.vendor_key) for record in batch.records]


def _message(batch: Batch) -> Flow:
    """The message, which may not go twice; then its tag, which may."""
    push, item = batch.records[0], batch.items[0]
    if push.progress != SENT:
        (yield Request("POST", "/messages", json=item.body)).json()
        yield [Progress(push.delivery_id, SENT)]
    tag = {"ref": push.person.source_id, "tag": push.options.tag}
    (yield Request("POST", "/tags", json=tag)).json()
    yield [Accepted(push.delivery_id)]


def _words(refusal: Permanent) -> str:
    told = refusal.response.json() if refusal.response else {}
    return str(told.get("error", refusal))
