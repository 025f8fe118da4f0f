"""What a destination is about to be sent, and preparing it: from real data, never in the way of anything."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, ClassVar

import pytest
from pydantic import BaseModel, Field, SecretStr
from sqlalchemy import Engine

from hub.admin import prepare
from hub.admin.requirements import kind_of, wanted_of
from hub.api.services import Services
from hub.app import build
from hub.campaigns import store as campaigns
from hub.core import clock
from hub.core.database import read, write
from hub.distributions import store as distributions
from hub.distributions import syncs
from hub.distributions.values import Target
from hub.ledger.store import audits, runs
from hub.mapping.language.document import load
from hub.mapping.model import REMOVED
from hub.mapping.outbound import Outbound, compile_outbound
from hub.outbox.wire import checks
from hub.registry import store as registry
from hub.registry.discovery import Found
from hub.registry.values import Connection
from hub.runtime.live.connections import LiveConnections
from hub.sdk.contract import Destination, NoSettings
from hub.sdk.errors import AuthFailed, Retryable
from hub.sdk.values import Bearer, Finding, Operation, Pool, Rate, Request, Response, Route, Secret, Wanted
from tests.rooms.profiles.people import NOW, applied, change, merge
from tests.rooms.test_following import Hub

MAPPING = """
connector: acme
profiles:
  fields:
    email: profile.email
    born: profile.birthdate
    custom:
      - object:
          '{base}': code.code
          '{base}_expires_at': code.expires_at
      - spread: profile.metadata
events:
  fields:
    properties: {spread: event.properties}
    total: {from: order.amount, as: major, currency: order.currency}
audience:
  fields: {segment: audience.key, is_member: audience.member}
consent:
  fields: {topic: consent.topic}
messages:
  name: {const: Incentive Assigned}
  fields: {code: code.code}
let:
  base: [options.code_attribute, {const: incentive_code}]
"""


class Settings(BaseModel):
    api_key: SecretStr = Field(description="A key.", examples=["key"])


class Acme(Destination):
    """Makes fields of what is wanted; a test may script the vendor's answers."""

    name = "acme"
    title = "Acme"
    Settings = Settings
    Options: ClassVar = dict.fromkeys(Operation, NoSettings)
    containers: ClassVar = frozenset({"custom"})
    targets: ClassVar = {
        Operation.EVENTS: {"properties": {"properties": {"type": "object"}, "total": {"type": "number"}}}
    }
    wanted: ClassVar[list[Wanted]] = []

    def hosts(self) -> Any:
        return {"api": "http://acme.invalid"}

    def auth(self) -> Any:
        return {"api": Bearer(Secret(self.settings.api_key.get_secret_value()))}

    def pools(self) -> Any:
        return {"fields": Pool([Rate(50, 0.2)])}

    def routes(self) -> Any:
        return {one.value: Route("acme") for one in Operation}

    def prepare(self, wanted: Wanted) -> Any:
        self.wanted.append(wanted)
        findings = []
        for name in sorted(wanted.fields.get(Operation.PROFILES, {})):
            known = yield Request("GET", "/fields", cache_for_s=60, cache_key="fields", pools=["fields"])
            if name not in known.json():
                yield Request("POST", "/fields", json={"name": name}, forget=["fields"], pools=["fields"])
                findings.append(Finding("ok", f"Made the field {name}."))
        return findings


class Vendor:
    """Acme's side: its fields, and what it answers."""

    def __init__(self) -> None:
        self.fields: list[str] = []
        self.calls: list[str] = []
        self.answer: Any = None

    def send(self, request: Request, timeout_s: float) -> Response:
        self.calls.append(request.method)
        if isinstance(self.answer, Exception):
            raise self.answer
        if self.answer is not None:
            return self.answer
        if request.method == "POST":
            self.fields.append(request.json["name"])
            return Response(201, {}, b"{}", clock.to_datetime(NOW))
        return Response(200, {}, f"{self.fields}".replace("'", '"').encode(), clock.to_datetime(NOW))

    def close(self) -> None:
        return


class Preparing(Hub):
    mapping: Outbound

    def use(self, operation: str, **options: Any) -> None:
        with write(self.engine) as state:
            syncs.add(state, NOW, connection_id=self.crm, operation=operation, options=options)

    def connection(self) -> Connection:
        with read(self.engine) as state:
            return registry.get(state, self.installation.vault, self.crm)

    def wanted(self) -> Wanted:
        with read(self.engine) as state:
            return wanted_of(state, self.connection(), Acme, self.mapping)

    def prepares(self) -> list[Finding]:
        return prepare.prepare(self.installation, self.connection(), "tests")


@pytest.fixture
def vendor(monkeypatch: pytest.MonkeyPatch) -> Vendor:
    made = Vendor()
    monkeypatch.setattr(checks, "open_sender", lambda *_, **__: made)
    return made


@pytest.fixture
def hub(engine: Engine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Preparing]:
    opened = Preparing(engine, tmp_path)
    opened.mapping = compile_outbound(load(MAPPING, "acme.yaml"))
    installation = opened.installation
    installation.__dict__["connectors"] = {"acme": Found("acme", tmp_path, "acme", "bundled", destination_class=Acme)}
    monkeypatch.setattr("hub.mapping.versions.watch.Mappings.outbound", lambda *_: opened.mapping)
    Acme.wanted.clear()
    with write(engine) as state:
        secrets = installation.vault.seal('{"api_key":"sesame-key"}')
        registry.update(state, opened.crm, NOW, connector="acme", secrets=secrets)
    yield opened
    opened.inbox.close()


# ── what is wanted ───────────────────────────────────────────────────────────────────────────────────────────────


def test_fields_come_from_the_people_there_are_and_from_what_the_mapping_always_names(hub):
    hub.use("profiles")
    hub.applies(
        {"id": "a", "who": "u1", "set": {"metadata.points": 3, "metadata.since": "2026-01-31", "metadata.tags": ["a"]}},
        {"id": "b", "who": "u2", "set": {"metadata.points": 4, "metadata.vip": True, "metadata.more": {"a": 1}}},
        {"id": "c", "who": "u3", "set": {"metadata.mixed": 1, "metadata.at": "2026-01-31T10:00:00Z"}},
        {"id": "d", "who": "u4", "set": {"metadata.mixed": "one", "metadata.at": "2026-01-31"}},
    )
    wanted = hub.wanted()
    assert wanted.fields == {
        Operation.PROFILES: {
            "born": "date",
            "custom.at": "datetime",
            "custom.mixed": "string",
            "custom.more": "object",
            "custom.points": "number",
            "custom.since": "date",
            "custom.tags": "list",
            "custom.vip": "boolean",
            "email": "string",
        }
    }
    assert (wanted.events, wanted.audiences) == ([], [])


def test_events_bring_their_names_and_properties_and_audiences_their_keys(hub):
    for operation in ("events", "audience", "consent"):
        hub.use(operation)
    hub.applies(
        {"id": "a", "who": "u1", "events": ["seen", "bought"], "order_id": "o1"},
        {"id": "b", "who": "u1", "set": {"audiences.vip": {"member": True}}, "consents": [["email", True, None]]},
    )
    wanted = hub.wanted()
    assert wanted.events == ["Bought", "Seen"]
    assert wanted.audiences == ["vip"]
    assert wanted.fields[Operation.EVENTS] == {"total": "number"}
    assert wanted.fields[Operation.AUDIENCE] == {"is_member": "boolean", "segment": "string"}
    assert wanted.fields[Operation.CONSENT] == {"topic": "string"}


def test_code_attributes_are_named_by_the_options_of_each_distribution(hub):
    campaign = {"name": "spring", "kind": "generated", "pattern": "", "charset": "", "length": 8}
    with write(hub.engine) as state:
        made = campaigns.add(state, NOW, **campaign)
        for name, campaign_id in (("with codes", made.id), ("without", None)):
            target = Target(hub.crm, "profiles", {"code_attribute": name.replace(" ", "_")})
            trigger = {"kind": "manual"}
            distributions.add(state, NOW, name=name, trigger=trigger, targets=[target], campaign_id=campaign_id)
    names = set(hub.wanted().fields[Operation.PROFILES])
    assert {"custom.with_codes", "custom.with_codes_expires_at"} <= names
    assert not any("without" in name or "incentive_code" in name for name in names)


def test_without_syncs_and_distributions_everything_the_mapping_can_is_wanted(hub):
    wanted = hub.wanted()
    assert set(wanted.fields) == {Operation.PROFILES, Operation.MESSAGES}, "of the others there are no data"
    assert wanted.events == ["Incentive Assigned"]


def test_a_field_removed_everywhere_has_no_kind(hub):
    hub.use("profiles")
    with write(hub.engine) as state:
        merge(state, applied(change("u1", 10, fields={"metadata.points": 3})))
        merge(state, applied(change("u1", 20, fields={"metadata.points": REMOVED}), "m2"))
    assert "custom.points" not in hub.wanted().fields[Operation.PROFILES]


@pytest.mark.parametrize(
    ("value", "kind"),
    [
        (True, "boolean"),
        (0, "number"),
        (1.5, "number"),
        ("2026-01-31", "date"),
        ("2026-01-31T09:00:00+01:00", "datetime"),
        ("2026-01-31 09:00", "datetime"),
        ("31.01.2026", "string"),
        ("", "string"),
        ([], "list"),
        ({}, "object"),
    ],
)
def test_kinds_are_told_by_the_values(value, kind):
    assert kind_of(value) == kind


# ── preparing ────────────────────────────────────────────────────────────────────────────────────────────────────


def test_what_is_missing_is_made_once_and_audited(hub, vendor):
    hub.use("profiles")
    assert [one.text for one in hub.prepares()] == ["Made the field born.", "Made the field email."]
    assert vendor.calls == ["GET", "POST", "GET", "POST"], "a made field makes the list stale"
    vendor.calls.clear()
    assert hub.prepares() == [Finding("ok", prepare.READY)]
    assert vendor.calls == ["GET"], "the list is asked for once"
    with read(hub.engine) as state:
        prepared = [one for one in audits(state).items if one.action == "destination.prepared"]
        assert [one.subject for one in prepared] == ["crm", "crm"]
        assert runs(state).items == []


@pytest.mark.parametrize(
    "answer",
    [
        Retryable("No answer in time."),
        AuthFailed("The key sesame-key is unknown."),
        Response(401, {}, b"sesame-key", clock.to_datetime(NOW)),
        Response(200, {}, b"no json", clock.to_datetime(NOW)),
        Response(200, {}, b"7", clock.to_datetime(NOW)),
    ],
    ids=["no-answer", "auth", "401", "not-json", "defect"],
)
def test_a_failure_is_told_once_in_the_sync_log_and_never_stands_in_the_way(hub, vendor, answer):
    hub.use("profiles")
    vendor.answer = answer
    [found] = hub.prepares()
    assert found.level == "error"
    [warned] = prepare.prepare_after(hub.installation, hub.connection(), "tests")
    assert warned.level == "warning"
    assert "hub destinations prepare crm" in warned.text
    with read(hub.engine) as state:
        told = [one for one in runs(state).items if one.kind == "request"]
        spoken = f"{told}{audits(state).items}{found}{warned}"
    assert [one.result for one in told] == ["failed", "failed"]
    assert "sesame" not in spoken


def test_a_mapping_that_is_missing_is_a_warning_after_a_change_and_an_error_by_hand(hub, vendor):
    with write(hub.engine) as state:
        registry.update(state, hub.crm, NOW, mapping_hash="")
    [warned] = prepare.prepare_after(hub.installation, hub.connection(), "tests")
    assert (warned.level, "has no valid mapping" in warned.text) == ("warning", True)
    assert vendor.calls == []


def test_a_connector_without_anything_to_prepare_is_never_called(hub, vendor, monkeypatch):
    monkeypatch.setattr(Acme, "prepare", Destination.prepare)
    assert hub.prepares() == [Finding("ok", prepare.NOTHING)]
    assert prepare.prepare_after(hub.installation, hub.connection(), "tests") == []
    assert vendor.calls == []


def test_a_paused_connection_is_left_alone_after_a_change(hub, vendor):
    with write(hub.engine) as state:
        registry.pause(state, hub.crm, "tired", NOW)
    assert prepare.prepare_after(hub.installation, hub.connection(), "tests") == []
    assert vendor.calls == []


def test_it_is_asked_for_over_the_api(hub, vendor):
    hub.use("profiles")
    with write(hub.engine) as state:
        _, key = registry.add_key(state, hub.installation.vault, "tests", NOW)
    client = build(Services(hub.installation, hub.inbox, LiveConnections(hub.installation))).test_client()
    client.environ_base["HTTP_AUTHORIZATION"] = f"Bearer {key}"
    answer = client.post("/hub/v1/destinations/crm/prepare")
    assert answer.json["findings"][0] == {"level": "ok", "text": "Made the field born."}
    assert client.post("/hub/v1/destinations/nobody/prepare").status_code == 404
