"""/hub/v1/campaigns, /distributions and /profiles."""

from __future__ import annotations

from flask import Blueprint, Response, g, jsonify
from sqlalchemy import Connection as Database

from hub.admin import campaigns as admin
from hub.admin import distributions
from hub.admin.distributions import distribution_json
from hub.admin.names import usable_name
from hub.admin.views import campaign_json
from hub.api.bodies import CampaignBody, ChosenCodesBody, CodesBody, RemovedCodesBody, RunBody
from hub.api.body import expect_query, json_object, read_body
from hub.api.errors import not_found
from hub.api.services import services
from hub.campaigns import store as campaigns_store
from hub.campaigns.values import Campaign
from hub.core import clock
from hub.core.clock import from_datetime
from hub.core.database import read, write
from hub.distributions import store as distributions_store
from hub.distributions.values import Distribution
from hub.ledger.store import record_audit
from hub.profiles import reading
from hub.runtime.erasing.person import erase_person, erasure_in_queue

instructions = Blueprint("instructions", __name__, url_prefix="/hub/v1")


# ── campaigns ────────────────────────────────────────────────────────────────────────────────────────────────────


@instructions.get("/campaigns")
def campaigns() -> Response:
    """All campaigns with their codes by state."""
    expect_query()
    with read(services().engine) as database:
        found = campaigns_store.every(database)
        return jsonify([campaign_json(each, campaigns_store.counts(database, each.id)) for each in found])


@instructions.post("/campaigns")
def add_campaign() -> tuple[Response, int]:
    """{name, kind, pattern, charset, length, prefix, postfix, value, balance, expires_at, valid_s, is_once, expected}."""
    body, now = read_body(CampaignBody), clock.now()
    usable_name(body.name, "campaign")
    given = body.model_dump(exclude={"expires_at"})
    ends = from_datetime(body.expires_at) if body.expires_at else None
    with write(services().engine) as database:
        campaign = campaigns_store.add(database, now, **given, expires_at=ends)
        record_audit(database, now, g.actor, "campaign.added", campaign.name, {"id": campaign.id})
        shown = campaign_json(campaign, campaigns_store.counts(database, campaign.id))
    return jsonify(shown), 201


@instructions.get("/campaigns/<which>")
def campaign(which: str) -> Response:
    """One campaign, by name or id."""
    expect_query()
    with read(services().engine) as database:
        found = _campaign(database, which)
        return jsonify(campaign_json(found, campaigns_store.counts(database, found.id)))


@instructions.post("/campaigns/<which>/codes")
def import_codes(which: str) -> tuple[Response, int]:
    """{codes}: add codes to an imported campaign; each rejected one is named with its reason."""
    body, now = read_body(CodesBody), clock.now()
    with write(services().engine) as database:
        found = _campaign(database, which)
        done = admin.import_codes(database, now, found, body.codes, g.actor, body.max_bad)
    return jsonify(added=done.added, rejected=done.rejected_count, reasons=done.rejected), 201


@instructions.post("/campaigns/<which>/retire")
def retire_campaign(which: str) -> Response:
    """End it for good; who has a code keeps it."""
    with write(services().engine) as database:
        found = _campaign(database, which)
        admin.retire(database, clock.now(), found, g.actor)
        return jsonify(campaign_json(_campaign(database, found.id), campaigns_store.counts(database, found.id)))


@instructions.delete("/campaigns/<which>")
def remove_campaign(which: str) -> Response:
    """Remove one that gave nobody a code, and its codes."""
    with write(services().engine) as database:
        done = admin.remove(database, clock.now(), _campaign(database, which), g.actor)
    return jsonify(removed=True, codes_removed=done)


@instructions.post("/campaigns/<which>/codes/retire")
def retire_codes(which: str) -> Response:
    """{codes}: take these out of use for good, free or published."""
    body = read_body(ChosenCodesBody)
    with write(services().engine) as database:
        done = admin.retire_codes(database, clock.now(), _campaign(database, which), body.codes, g.actor)
    return jsonify(codes_retired=done)


@instructions.post("/campaigns/<which>/codes/remove")
def remove_codes(which: str) -> Response:
    """{codes}: forget these, which are free; null means every free one."""
    body = read_body(RemovedCodesBody)
    with write(services().engine) as database:
        done = admin.remove_codes(database, clock.now(), _campaign(database, which), body.codes, g.actor)
    return jsonify(codes_removed=done)


def _campaign(database: Database, which: str) -> Campaign:
    found = campaigns_store.find(database, which)
    if found is None:
        raise not_found("campaign", which)
    return found


# ── distributions ────────────────────────────────────────────────────────────────────────────────────────────────


@instructions.get("/distributions")
def list_distributions() -> Response:
    """All distributions."""
    expect_query()
    hub = services().hub
    with read(hub.engine) as database:
        return jsonify([distribution_json(hub, database, each) for each in distributions_store.every(database)])


@instructions.post("/distributions")
def add() -> tuple[Response, int]:
    """{name, campaign, audience, trigger, targets, missed, consent}."""
    body, hub = json_object(), services().hub
    with write(hub.engine) as database:
        added = distributions.add_distribution(hub, database, clock.now(), body, g.actor)
        shown = distribution_json(hub, database, added)
    return jsonify(shown), 201


@instructions.get("/distributions/<which>")
def distribution(which: str) -> Response:
    """One distribution, by name or id."""
    expect_query()
    hub = services().hub
    with read(hub.engine) as database:
        return jsonify(distribution_json(hub, database, _distribution(database, which)))


@instructions.post("/distributions/<which>/<any(pause, resume):action>")
def change(which: str, action: str) -> Response:
    """Pause or resume."""
    hub = services().hub
    with write(hub.engine) as database:
        found = _distribution(database, which)
        changed = distributions.change_status(database, clock.now(), found.id, action, g.actor)
        return jsonify(distribution_json(hub, database, changed))


@instructions.post("/distributions/<which>/run")
def run(which: str) -> tuple[Response, int]:
    """{key}: run it now, besides its schedule; the same key never runs it twice."""
    body = read_body(RunBody)
    with write(services().engine) as database:
        found = _distribution(database, which)
        done = distributions.run_by_hand(database, clock.now(), found.id, body.key, g.actor)
    return jsonify(done), 202


@instructions.delete("/distributions/<which>")
def take_away(which: str) -> Response:
    """Remove one; what it published stays readable."""
    with write(services().engine) as database:
        found = _distribution(database, which)
        distributions.change_status(database, clock.now(), found.id, "remove", g.actor)
    return jsonify(removed=True)


def _distribution(database: Database, which: str) -> Distribution:
    found = next((each for each in distributions_store.every(database) if which in (each.name, each.id)), None)
    if found is None:
        raise not_found("distribution", which)
    return found


# ── profiles ─────────────────────────────────────────────────────────────────────────────────────────────────────


@instructions.get("/profiles/<text:source_id>")
def profile(source_id: str) -> Response:
    """One profile, read through its merges: `redirected_from` says where another's source_id was asked for."""
    expect_query()
    with read(services().engine) as database:
        found = reading.show(database, source_id)
    if found is None:
        raise not_found("profile", source_id)
    return jsonify(found)


@instructions.delete("/profiles/<text:source_id>")
def erase(source_id: str) -> Response:
    """Erase a person everywhere; the answer names nobody."""
    hub = services().hub
    with write(hub.engine) as database:
        done = erase_person(hub, database, source_id, clock.now(), g.actor)
    return jsonify(done | erasure_in_queue(hub))
