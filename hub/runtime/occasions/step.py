"""One chunk of an occasion, one transaction: codes, publications, deliveries and the occasion's place together.

A crash leaves the chunk whole or absent; whoever comes next goes on where it stands.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from sqlalchemy import Connection

from hub.campaigns import store as campaigns
from hub.campaigns.rules import RandomSource
from hub.campaigns.values import EXPIRED, OUT_OF_CODES, RETIRED
from hub.core.clock import Micros, iso
from hub.core.ids import new_id
from hub.distributions import occasions, rules, store
from hub.distributions.decide import decide
from hub.distributions.values import Decided, Distribution, Occasion
from hub.ledger.store import record_run
from hub.ledger.values import Run
from hub.outbox.queue.store import insert
from hub.outbox.values import NewDelivery
from hub.runtime.occasions.recipients import recipients
from hub.sdk.errors import ConfigurationError
from hub.sdk.values import Operation

_SHORT_OF_CODES = tuple(f"skipped.{reason}" for reason in (OUT_OF_CODES, EXPIRED, RETIRED))


@dataclass(frozen=True, slots=True)
class Chunk:
    """What one transaction came to: the occasion where it stands now, and how many people were looked at."""

    occasion: Occasion
    people: int

    @property
    def is_last(self) -> bool:
        return self.occasion.state == "done"


def decide_chunk(
    connection: Connection,
    occasion_id: str,
    limit: int,
    now: Micros,
    source: RandomSource,
    digest: Callable[[str], str],
) -> Chunk:
    """Decide for the next `limit` people of an occasion, in the caller's write transaction.

    Raises Superseded where another process moved the occasion meanwhile; then the transaction must be rolled back.
    """
    occasion = occasions.lock(connection, occasion_id)
    if occasion.state == "done":
        return Chunk(occasion, 0)
    distribution = store.get(connection, occasion.distribution_id)
    page = recipients(connection, occasion.audience, occasion.cursor, limit, distribution.consent, digest)
    campaign = campaigns.get(connection, distribution.campaign_id) if distribution.campaign_id else None
    decisions = decide(connection, distribution, occasion, page.people, campaign, now, source)
    insert(connection, [_new(decided) for decided in decisions.deliveries], now)
    moved = occasions.advance(connection, occasion, page.cursor, decisions.counts, page.is_last)
    if page.is_last:
        record_run(connection, finished_run(moved, now))
    return Chunk(moved, len(page.people))


def run_now(connection: Connection, name_or_id: str, idempotency_key: str, now: Micros) -> tuple[Occasion, bool]:
    """Open an occasion by hand: the occasion, and whether it is new. The schedule role decides it within a second.

    The same key always gives the same occasion. Raises ConfigurationError for an unknown or paused distribution.
    """
    distribution = store.find(connection, name_or_id)
    if distribution is None:
        raise ConfigurationError(f"There is no distribution {name_or_id!r}; `hub distributions list` shows them.")
    if not distribution.is_enabled:
        raise ConfigurationError(f"The distribution {distribution.name!r} is paused; resume it before running it.")
    return occasions.open_occasion(connection, distribution, rules.manual_key(idempotency_key), now, now)


def finished_run(occasion: Occasion, now: Micros) -> Run:
    """The sync log's entry of an occasion that was decided to the end."""
    is_short = any(occasion.counts.get(name) for name in _SHORT_OF_CODES)
    return _run(occasion.distribution_id, occasion.opened_at, now, occasion.counts, "partial" if is_short else "ok")


def failed_run(occasion: Occasion, now: Micros, why: str) -> Run:
    """The sync log's entry of a chunk that cannot be decided."""
    detail = f"The occasion of {iso(occasion.planned_at)} cannot be decided: {why} It is tried again."
    return _run(occasion.distribution_id, now, now, occasion.counts, "failed", detail)


def missed_run(distribution: Distribution, planned_at: Micros, now: Micros) -> Run:
    """The sync log's entry of a run that fell into a time when no scheduler ran, and is not made up for."""
    detail = (
        f"The run planned for {iso(planned_at)} was missed and is skipped, as the distribution asks;"
        " with the policy 'once' it would have run now."
    )
    return _run(distribution.id, now, now, {"missed": 1}, "ok", detail)


def _run(
    distribution_id: str, started_at: Micros, now: Micros, counts: Mapping[str, int], result: str, detail: str = ""
) -> Run:
    return Run(
        id=new_id(now // 1000),
        kind="occasion",
        started_at=started_at,
        duration_us=max(0, now - started_at),
        counts=counts,
        result=result,
        detail=detail or rules.summary(counts),
        distribution_id=distribution_id,
    )


def _new(decided: Decided) -> NewDelivery:
    return NewDelivery(
        id=decided.id,
        connection_id=decided.connection_id,
        operation=Operation(decided.operation),
        source_id=decided.source_id,
        at=decided.at,
        record=decided.record,
        options=decided.options,
        consent=decided.consent,
        mapping_hash=decided.mapping_hash,
        distribution_id=decided.distribution_id,
        occasion_id=decided.occasion_id,
        publication_id=decided.publication_id,
        skip=decided.reason,
    )
