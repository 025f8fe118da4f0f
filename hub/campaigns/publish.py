"""Giving codes to people: each code to at most one, under any concurrency, and again the same for the same request.

On SQLite the caller's immediate transaction admits one publisher at a time. On PostgreSQL free codes are claimed with
SKIP LOCKED; campaigns that make codes, or give one code a person, take their publishers one after another.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from sqlalchemy import Connection, select

from hub.campaigns import rules, store
from hub.campaigns.tables import CODE
from hub.campaigns.values import EXPIRED, OUT_OF_CODES, RETIRED, Campaign, Code, Wanted
from hub.core.bulk import insert_many, update_many
from hub.core.clock import Micros

_ROUNDS = 40  # each draw succeeds at least every other time, so a round leaves half: 40 leave nothing
_AT_ONCE = 500  # bound parameters of one statement


def publish(
    connection: Connection, campaign: Campaign, wanted: Sequence[Wanted], now: Micros, source: rules.RandomSource
) -> dict[str, Code]:
    """A code for each publication id, in the caller's write transaction.

    A publication that has a code gets it again; in a campaign with `is_once` a person who holds one (under any of their
    source_ids) gets that one. Who is named first is served first. A publication missing from the answer got none:
    `why_none` names the reason.
    """
    if campaign.kind == "generated" or campaign.is_once:
        campaign = store.lock(connection, campaign.id)
    if why_none(campaign, now) != OUT_OF_CODES:
        return {}
    given = _given(connection, [want.publication_id for want in wanted])
    left = [want for want in wanted if want.publication_id not in given]
    if not campaign.is_once:
        return given | _new_codes(connection, campaign, left, now, source)
    given |= _held(connection, campaign, left)
    left = [want for want in left if want.publication_id not in given]
    first: dict[str, Wanted] = {}
    for want in left:
        first.setdefault(want.source_ids[0], want)
    new = _new_codes(connection, campaign, list(first.values()), now, source)
    shared = {want.publication_id: new.get(first[want.source_ids[0]].publication_id) for want in left}
    return given | {publication_id: code for publication_id, code in shared.items() if code}


def why_none(campaign: Campaign, now: Micros) -> str:
    """Why a publication got no code: the campaign is over, or it has no more."""
    if campaign.retired_at is not None:
        return RETIRED
    return EXPIRED if campaign.expires_at is not None and campaign.expires_at <= now else OUT_OF_CODES


def _new_codes(
    connection: Connection, campaign: Campaign, wanted: Sequence[Wanted], now: Micros, source: rules.RandomSource
) -> dict[str, Code]:
    if campaign.kind == "generated":
        return _make(connection, campaign, wanted, now, source)
    return _claim(connection, campaign, wanted, now)


def _make(
    connection: Connection, campaign: Campaign, wanted: Sequence[Wanted], now: Micros, source: rules.RandomSource
) -> dict[str, Code]:
    room = rules.usable(campaign.pattern, campaign.charset) - campaign.code_count
    wanted = wanted[: max(0, room)]
    made: dict[str, Code] = {}
    for _ in range(_ROUNDS):
        left = [want for want in wanted if want.publication_id not in made]
        if not left:
            break
        drawn = sorted(rules.draw_distinct(campaign.pattern, campaign.charset, len(left), source))
        rows = [{"code": code, **_published(campaign, want, now)} for code, want in zip(drawn, left, strict=True)]
        insert_many(connection, CODE, rows, "ON CONFLICT DO NOTHING")
        made |= _given(connection, [want.publication_id for want in left])
    store.count_codes(connection, campaign.id, len(made))
    return made


def _claim(connection: Connection, campaign: Campaign, wanted: Sequence[Wanted], now: Micros) -> dict[str, Code]:
    free = select(CODE.c.code).where(CODE.c.campaign_id == campaign.id, CODE.c.state == "free")
    free = free.order_by(CODE.c.code).limit(len(wanted)).with_for_update(skip_locked=True)
    claimed = connection.scalars(free).all()
    rows = [{"code": code, **_published(campaign, want, now)} for code, want in zip(claimed, wanted, strict=False)]
    update_many(connection, CODE, ["code"], rows)
    return {row["publication_id"]: Code(*[row[name] for name in Code._fields]) for row in rows}


def _published(campaign: Campaign, want: Wanted, now: Micros) -> dict[str, Any]:
    return {
        "campaign_id": campaign.id,
        "state": "published",
        "publication_id": want.publication_id,
        "holder": want.source_ids[0] if campaign.is_once else None,
        "published_at": now,
        "expires_at": rules.expiry(campaign.expires_at, campaign.valid_s, now),
    }


def _given(connection: Connection, publication_ids: Sequence[str]) -> dict[str, Code]:
    """Codes that these publications have."""
    found = _codes(connection, CODE.c.publication_id, publication_ids)
    return {str(code.publication_id): code for code in found}


def _held(connection: Connection, campaign: Campaign, wanted: Sequence[Wanted]) -> dict[str, Code]:
    """Codes that these people hold already; of several (people merged later) the earliest."""
    everyone = sorted({source_id for want in wanted for source_id in want.source_ids})
    holders: dict[str, Code] = {}
    for portion in _portions(everyone):
        query = select(CODE).where(CODE.c.campaign_id == campaign.id, CODE.c.holder.in_(portion))
        for row in connection.execute(query).mappings():
            holders[row["holder"]] = store.code_of(row)
    held = {}
    for want in wanted:
        codes = [holders[source_id] for source_id in want.source_ids if source_id in holders]
        if codes:
            held[want.publication_id] = min(codes, key=lambda code: (code.published_at, code.code))
    return held


def _codes(connection: Connection, column: Any, keys: Sequence[str]) -> Iterable[Code]:
    for portion in _portions(keys):
        for row in connection.execute(select(CODE).where(column.in_(portion))).mappings():
            yield store.code_of(row)


def _portions(keys: Sequence[str]) -> list[Sequence[str]]:
    return [keys[start : start + _AT_ONCE] for start in range(0, len(keys), _AT_ONCE)]
