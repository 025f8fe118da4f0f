"""The SQL of campaigns and their code lists; giving codes to people is in publish.py."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Connection, RowMapping, Select, delete, func, select, update

from hub.campaigns import rules
from hub.campaigns.tables import CAMPAIGN, CODE
from hub.campaigns.values import Campaign, Code, CodeCounts, Imported, Json
from hub.core.bulk import insert_many
from hub.core.clock import Micros, iso
from hub.core.ids import new_id
from hub.ledger.values import Page
from hub.sdk.errors import ConfigurationError
from hub.sdk.json import dumps, loads

STATES = ("free", "published", "retired")
_AT_ONCE = 500  # bound parameters of one statement
_SHOWN_REJECTS = 1_000


def add(
    connection: Connection,
    now: Micros,
    *,
    name: str,
    kind: str = "generated",
    pattern: str = "",
    charset: str = "",
    length: int = rules.DEFAULT_LENGTH,
    prefix: str = "",
    postfix: str = "",
    value: Json = None,
    balance: Json = None,
    expires_at: Micros | None = None,
    valid_s: int | None = None,
    is_once: bool = True,
    expected: int = 0,
) -> Campaign:
    """A new campaign. `expected` is how many codes it should have room for. Raises ConfigurationError."""
    if not name or len(name) > 100:
        raise ConfigurationError("A campaign needs a name of 1 to 100 characters.")
    if find(connection, name):
        raise ConfigurationError(f"There is a campaign named {name!r} already; choose another name.")
    if kind not in ("generated", "imported"):
        raise ConfigurationError(f"A campaign is 'generated' or 'imported', not {kind!r}.")
    if expires_at is not None and expires_at <= now:
        raise ConfigurationError(f"The campaign would end at {iso(expires_at)}, which is past; choose a later time.")
    if valid_s is not None and valid_s <= 0:
        raise ConfigurationError("A code's time of validity must be longer than nothing.")
    full, characters = "", ""
    if kind == "generated":
        full, characters = rules.full_pattern(pattern, length, prefix, postfix), rules.clean_charset(charset)
        rules.check_pattern(full, characters, expected)
    row = {
        "id": new_id(now // 1000),
        "name": name,
        "kind": kind,
        "pattern": full,
        "charset": characters,
        "is_once": is_once,
        "value": dumps(value).decode(),
        "balance": dumps(balance).decode(),
        "expires_at": expires_at,
        "valid_s": valid_s,
        "code_count": 0,
        "created_at": now,
    }
    connection.execute(CAMPAIGN.insert(), row)
    return get(connection, str(row["id"]))


def get(connection: Connection, campaign_id: str) -> Campaign:
    """Raises ConfigurationError if there is none with this id."""
    row = connection.execute(select(CAMPAIGN).where(CAMPAIGN.c.id == campaign_id)).mappings().one_or_none()
    if row is None:
        raise ConfigurationError(f"There is no campaign {campaign_id!r}.")
    return campaign_of(row)


def find(connection: Connection, name_or_id: str) -> Campaign | None:
    """By name, or by id."""
    wanted = (CAMPAIGN.c.name == name_or_id) | (CAMPAIGN.c.id == name_or_id)
    row = connection.execute(select(CAMPAIGN).where(wanted)).mappings().first()
    return campaign_of(row) if row else None


def every(connection: Connection) -> list[Campaign]:
    """All campaigns, in the order they were made."""
    return [campaign_of(row) for row in connection.execute(select(CAMPAIGN).order_by(CAMPAIGN.c.id)).mappings()]


def lock(connection: Connection, campaign_id: str) -> Campaign:
    """The campaign as it is now; until the transaction ends nobody else makes, imports or gives once-only codes of it."""
    query = select(CAMPAIGN).where(CAMPAIGN.c.id == campaign_id).with_for_update()
    return campaign_of(connection.execute(query).mappings().one())


def import_codes(connection: Connection, campaign: Campaign, codes: Sequence[str]) -> Imported:
    """Add free codes to an imported campaign. A code that exists anywhere in the installation is rejected by name."""
    if campaign.kind != "imported":
        raise ConfigurationError(f"Campaign {campaign.name!r} makes its own codes; import into an imported campaign.")
    if lock(connection, campaign.id).retired_at is not None:
        raise ConfigurationError(f"Campaign {campaign.name!r} is retired and takes no more codes; add another one.")
    good, rejected = rules.sort_out(codes)
    known = owners(connection, good)
    new = sorted(code for code in good if code not in known)
    free: dict[str, Any] = {"campaign_id": campaign.id, "state": "free"}
    insert_many(connection, CODE, [{"code": code, **free} for code in new], "ON CONFLICT DO NOTHING")
    held = owners(connection, new)  # another campaign may have taken one meanwhile
    added = sum(held[code] == campaign.name for code in new)
    taken = {code: owner for code, owner in held.items() if owner != campaign.name} | known
    rejected |= {code: f"It exists already, in campaign {owner!r}." for code, owner in taken.items()}
    count_codes(connection, campaign.id, added)
    return Imported(added, len(rejected), dict(sorted(rejected.items())[:_SHOWN_REJECTS]))


def count_codes(connection: Connection, campaign_id: str, made: int) -> None:
    """Note that codes were made: the books compare this count with the codes there are."""
    counted = update(CAMPAIGN).where(CAMPAIGN.c.id == campaign_id)
    connection.execute(counted.values(code_count=CAMPAIGN.c.code_count + made))


def retire(connection: Connection, codes: Sequence[str]) -> int:
    """Take codes out of use for good, free or published; how many changed.

    A published code keeps its publication, so who had it stays known; its holder may be given a new one.
    """
    changed = 0
    for portion in _portions(sorted(codes)):
        wanted = update(CODE).where(CODE.c.code.in_(portion), CODE.c.state != "retired")
        changed += connection.execute(wanted.values(state="retired", holder=None)).rowcount
    return changed


def retire_campaign(connection: Connection, campaign_id: str, now: Micros) -> int:
    """End a campaign for good: it gives no more codes. Free ones are retired (how many); who has one keeps it."""
    lock(connection, campaign_id)
    connection.execute(update(CAMPAIGN).where(CAMPAIGN.c.id == campaign_id).values(retired_at=now))
    free = update(CODE).where(CODE.c.campaign_id == campaign_id, CODE.c.state == "free")
    return connection.execute(free.values(state="retired")).rowcount


def remove_free(connection: Connection, campaign_id: str, codes: Sequence[str] | None = None) -> int:
    """Forget free codes, as if they had never been imported: those named, else all; how many."""
    lock(connection, campaign_id)
    free = delete(CODE).where(CODE.c.campaign_id == campaign_id, CODE.c.state == "free")
    chosen = [free] if codes is None else [free.where(CODE.c.code.in_(one)) for one in _portions(sorted(codes))]
    removed = sum(connection.execute(one).rowcount for one in chosen)
    count_codes(connection, campaign_id, -removed)
    return removed


def remove(connection: Connection, campaign: Campaign) -> int:
    """Forget a campaign and its codes, how many. Raises ConfigurationError once somebody was given one: who has which
    code stays known."""
    lock(connection, campaign.id)
    given = (CODE.c.campaign_id == campaign.id) & CODE.c.publication_id.is_not(None)
    if count := connection.scalar(select(func.count()).select_from(CODE).where(given)):
        raise ConfigurationError(
            f"{count} codes of {campaign.name!r} were given to people, so it cannot be removed;"
            f" `hub campaigns retire {campaign.name}` ends it."
        )
    removed = connection.execute(delete(CODE).where(CODE.c.campaign_id == campaign.id)).rowcount
    connection.execute(delete(CAMPAIGN).where(CAMPAIGN.c.id == campaign.id))
    return removed


def codes(
    connection: Connection, campaign_id: str, state: str | None = None, cursor: str | None = None, limit: int = 100
) -> Page[Code]:
    """A campaign's codes in alphabetical order; `cursor` is the last page's `next_cursor`."""
    query = select(CODE).where(CODE.c.campaign_id == campaign_id).order_by(CODE.c.code).limit(limit + 1)
    if state:
        query = query.where(CODE.c.state == state)
    if cursor:
        query = query.where(CODE.c.code > cursor)
    rows = [code_of(row) for row in connection.execute(query).mappings()]
    return Page(rows[:limit], rows[limit - 1].code if len(rows) > limit else None)


def code(connection: Connection, text: str) -> Code | None:
    """One code, as written."""
    row = connection.execute(select(CODE).where(CODE.c.code == text)).mappings().one_or_none()
    return code_of(row) if row else None


def counts(connection: Connection, campaign_id: str) -> CodeCounts:
    """A campaign's codes by state."""
    found = _by_state(connection, select(CODE.c.state, func.count()).where(CODE.c.campaign_id == campaign_id))
    return CodeCounts(*[found.get(state, 0) for state in STATES])


def terms(connection: Connection) -> dict[str, int]:
    """The third equation of the books: `codes` as counted when they were made, the rest from the codes there are."""
    found = _by_state(connection, select(CODE.c.state, func.count()))
    made = connection.scalar(select(func.coalesce(func.sum(CAMPAIGN.c.code_count), 0)))
    return {"codes": int(made or 0), **{state: found.get(state, 0) for state in STATES}}


def erase(connection: Connection, source_ids: Sequence[str]) -> None:
    """Forget who holds which code. The codes stay published: they may have reached somebody."""
    for portion in _portions(sorted(source_ids)):
        connection.execute(update(CODE).where(CODE.c.holder.in_(portion)).values(holder=None))


def is_known(connection: Connection, source_ids: Sequence[str]) -> bool:
    """Whether one of these people holds a code."""
    held = (select(CODE.c.code).where(CODE.c.holder.in_(portion)).limit(1) for portion in _portions(source_ids))
    return any(connection.execute(query).first() for query in held)


def campaign_of(row: RowMapping) -> Campaign:
    return Campaign(**{**row, "value": loads(row["value"]), "balance": loads(row["balance"])})


def code_of(row: RowMapping) -> Code:
    return Code(*[row[name] for name in Code._fields])


def _by_state(connection: Connection, query: Select[Any]) -> dict[str, int]:
    return {row[0]: row[1] for row in connection.execute(query.group_by(CODE.c.state))}


def owners(connection: Connection, codes: Sequence[str]) -> dict[str, str]:
    """Of these codes, those that exist, with the name of their campaign."""
    found: dict[str, str] = {}
    for portion in _portions(codes):
        query = select(CODE.c.code, CAMPAIGN.c.name).join(CAMPAIGN, CAMPAIGN.c.id == CODE.c.campaign_id)
        found.update((text, name) for text, name in connection.execute(query.where(CODE.c.code.in_(portion))))
    return found


def _portions(keys: Sequence[str]) -> list[Sequence[str]]:
    return [keys[start : start + _AT_ONCE] for start in range(0, len(keys), _AT_ONCE)]
