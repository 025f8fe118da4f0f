"""Deciding a chunk of an occasion: who gets what, with which code, and who does not and why."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import Connection

from hub.campaigns.publish import publish, why_none
from hub.campaigns.rules import RandomSource
from hub.campaigns.values import Campaign, Code, Wanted
from hub.core.clock import Micros, iso
from hub.core.ids import new_id
from hub.distributions import occasions, rules
from hub.distributions.gates import gate
from hub.distributions.values import Decided, Decisions, Distribution, Json, Occasion, Publication, Recipient, Target
from hub.sdk.values import Operation


def decide(
    connection: Connection,
    distribution: Distribution,
    occasion: Occasion,
    people: Sequence[Recipient],
    campaign: Campaign | None,
    now: Micros,
    source: RandomSource,
) -> Decisions:
    """Decide for these people, in the caller's write transaction: codes and publications are stored here.

    The caller hands the deliveries to the outbox and moves the occasion on, in the same transaction. Each person gets one
    delivery per connection, sent or skipped, whatever stood in the way: so the books can count them.
    """
    people = _new_here(connection, occasion, people)
    reasons = {one.source_id: gate(one, distribution.consent, distribution.is_enabled) for one in people}
    passed = {new_id(): one for one in people if not reasons[one.source_id]}
    codes: Mapping[str, Code] = {}
    if campaign:
        wanted = [Wanted(key, (one.source_id, *one.merged)) for key, one in passed.items()]
        codes = publish(connection, campaign, wanted, now, source)
        out = {one.source_id: why_none(campaign, now) for key, one in passed.items() if key not in codes}
        reasons |= out
    publications = [
        Publication(
            id=key,
            occasion_id=occasion.id,
            source_id=one.source_id,
            distribution_id=distribution.id,
            campaign_id=campaign.id if campaign else None,
            code=codes[key].code if campaign else None,
            published_at=now,
        )
        for key, one in passed.items()
        if not reasons[one.source_id]
    ]
    occasions.add_publications(connection, publications)
    shared = _shared(distribution, occasion)
    deliveries = []
    for publication in publications:
        code = codes[publication.id] if campaign else None
        record = shared | code_scope(campaign, code)
        deliveries += [
            _delivery(distribution, target, publication, record, code, now) for target in distribution.targets
        ]
    for one in people:
        if reasons[one.source_id]:
            deliveries += [
                _skipped(distribution, occasion, target, one, reasons[one.source_id], now)
                for target in distribution.targets
            ]
    counts = Counter({"people": len(people), "published": len(publications), "deliveries": len(deliveries)})
    counts["reused_codes"] = sum(code.publication_id != key for key, code in codes.items())
    counts.update(f"skipped.{reason}" for reason in reasons.values() if reason)
    return Decisions(publications, deliveries, {name: count for name, count in counts.items() if count})


def _new_here(connection: Connection, occasion: Occasion, people: Sequence[Recipient]) -> list[Recipient]:
    """One recipient a person, without those reached in this occasion, be it under a source_id merged since."""
    once = {one.source_id: one for one in people}
    everyone = sorted({source_id for one in once.values() for source_id in (one.source_id, *one.merged)})
    reached = occasions.reached(connection, occasion.id, everyone)
    if not reached:
        return list(once.values())
    return [one for one in once.values() if reached.isdisjoint((one.source_id, *one.merged))]


def _shared(distribution: Distribution, occasion: Occasion) -> dict[str, Json]:
    """What every record of an occasion says."""
    told = {"id": occasion.id, "key": occasion.trigger_key, "planned_at": iso(occasion.planned_at)}
    return {"distribution": {"id": distribution.id, "name": distribution.name}, "occasion": told}


def code_scope(campaign: Campaign | None, code: Code | None) -> dict[str, Json]:
    """The `code` that mappings read: {"code": {"code": "S-7KQ2", "value": {...}, "expires_at": "2026-..."}}."""
    if campaign is None or code is None:
        return {}
    return {
        "code": {
            "code": code.code,
            "value": campaign.value,
            "balance": campaign.balance,
            "expires_at": None if code.expires_at is None else iso(code.expires_at),
            "published_at": None if code.published_at is None else iso(code.published_at),
        }
    }


def _delivery(
    distribution: Distribution,
    target: Target,
    publication: Publication,
    record: Mapping[str, Json],
    code: Code | None,
    now: Micros,
) -> Decided:
    is_fresh = target.operation == Operation.PROFILES
    own: dict[str, Json] = {}
    if target.operation == Operation.EVENTS:
        own["event"] = {
            "id": publication.id,
            "kind": "distribution",
            "name": distribution.name,
            "key": rules.event_key(distribution.name),
            "occurred_at": iso(now),
            "properties": {},
            "code": code.code if code else None,
            "order_id": None,
        }
    if target.operation == Operation.MESSAGES:
        own["message"] = {"id": publication.id, "name": distribution.name, "at": iso(now)}
    return Decided(
        id=new_id(),
        source_id=publication.source_id,
        publication_id=publication.id,
        record={**own, **record},
        mapping_hash="" if is_fresh else target.mapping_hash,
        **_common(distribution, publication.occasion_id, target, now),
    )


def _skipped(
    distribution: Distribution, occasion: Occasion, target: Target, one: Recipient, reason: str, now: Micros
) -> Decided:
    return Decided(
        id=new_id(),
        source_id=one.source_id,
        publication_id=None,
        record=_shared(distribution, occasion),
        mapping_hash="",
        reason=reason,
        **_common(distribution, occasion.id, target, now),
    )


def _common(distribution: Distribution, occasion_id: str, target: Target, now: Micros) -> dict[str, Any]:
    return {
        "connection_id": target.connection_id,
        "operation": target.operation,
        "consent": distribution.consent,
        "occasion_id": occasion_id,
        "distribution_id": distribution.id,
        "options": target.options,
        "at": now,
    }
