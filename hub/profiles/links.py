"""Links between source_ids and to anonymous ids, and the redirects they make.

An anonymous id has a row of its own only if something was said under it, or of it and another one: its links to people
wait for that. It may be linked to very many people (a kiosk, a sender that gives everyone the same id), so they are
never all read where two will do.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import orjson
from sqlalchemy import Connection, delete

from hub.core.bulk import insert_rows, select_by, select_pairs, table, update_rows
from hub.core.clock import Micros
from hub.core.database import is_postgres
from hub.mapping.anonymous import MARK, is_anonymous
from hub.profiles.rules.clusters import Pair, claimed, clusters, ordered
from hub.profiles.rules.stamps import stamp_time
from hub.profiles.tables import ProfileLinkRow, ProfileRow
from hub.profiles.values import AppliedChange

_LINK = table(ProfileLinkRow)
_PROFILE = table(ProfileRow)
_LINK_LOCK = 0x4855_0001  # of PostgreSQL's advisory locks: one transaction at a time redraws clusters
_PAIR = ("loser", "survivor")
_EARLIEST = (
    "ON CONFLICT (loser, survivor) DO UPDATE SET at = excluded.at, message_key = excluded.message_key, "
    "revision = excluded.revision "
    "WHERE (excluded.at, excluded.message_key) < (profile_link.at, profile_link.message_key)"
)
_AMONG = f"substr({{}}, 1, {len(MARK)}) {{}} '{MARK}'"  # whether a column's id is anonymous (=) or not (<>)
_NAMED = _AMONG.format("survivor", "<>")
_ENDS = (
    f"SELECT k.value, (SELECT min(survivor) FROM profile_link WHERE loser = k.value AND {_NAMED}), "
    f"(SELECT max(survivor) FROM profile_link WHERE loser = k.value AND {_NAMED}) FROM "
)

Stamp = tuple[Micros, str, int]


class Circle(NamedTuple):
    """Everyone who has to do with one person: `people` are one, `anonymous` ids are linked to them, some to others too.

    `survivor` is the one the person is read through.
    """

    people: set[str]
    anonymous: set[str]
    survivor: str


def ends(changes: Iterable[AppliedChange]) -> set[str]:
    """Every id that a link of these changes names; a link to oneself says nothing."""
    return {end for one in changes for link in one.change.links if link.loser != link.survivor for end in link[:2]}


def with_rows(changes: Iterable[AppliedChange]) -> set[str]:
    """Those of `ends` that must have a row: source_ids, and anonymous ids linked to each other, since one of them is the
    one that the others are read through."""
    links = {link[:2] for one in changes for link in one.change.links if link.loser != link.survivor}
    return {end for pair in links for end in pair if not is_anonymous(end) or all(map(is_anonymous, pair))}


def hold_for_new(connection: Connection, changes: Iterable[AppliedChange]) -> None:
    """Keep links still where an anonymous id gets its first row: whoever links it meanwhile would not find that row."""
    if not is_postgres(connection):
        return
    speaking = {one for applied in changes if (one := applied.change.source_id) is not None and is_anonymous(one)}
    if speaking - stored_redirects(connection, speaking).keys():
        _lock(connection)


def write_links(connection: Connection, changes: Sequence[AppliedChange], gone: set[str]) -> tuple[int, set[str]]:
    """Store links, except those of erased ids; how many there were, and whose redirects must be drawn again."""
    rows: dict[Pair, Stamp] = {}
    for applied in changes:
        for link in applied.change.links:
            if link.loser == link.survivor or link.loser in gone or link.survivor in gone:
                continue
            stamp = (stamp_time(link.at, applied.received_at), applied.message_key, applied.revision)
            pair = ordered((link.loser, link.survivor))
            rows[pair] = min(rows.get(pair, stamp), stamp)
    link_count = len(rows)
    reapplied = [applied for applied in changes if applied.revision]
    if not reapplied:
        rows = _unknown(connection, rows)
    if not rows and not reapplied:
        return link_count, set()
    _lock(connection)
    loosened = _withdraw(connection, reapplied)
    insert_rows(connection, _LINK, [(*pair, *stamp) for pair, stamp in sorted(rows.items())], _EARLIEST)
    return link_count, loosened | {end for pair in rows for end in pair}


def redraw(connection: Connection, touched: set[str]) -> set[str]:
    """Set the redirects of everyone linked to these ids, however far away. The rows of source_ids exist.

    Returns those who are another person to read since: who got somebody, lost somebody, or stands alone again.
    """
    if not touched:
        return set()
    people = {one for one in touched if not is_anonymous(one)}
    survivors = clusters(_links_among(connection, people, "<>"))
    survivors.update((one, one) for one in people - survivors.keys())
    stored = stored_redirects(connection, survivors)
    moved = {one for one, root in survivors.items() if stored.get(one, one) != root}
    shadows = (touched - people) | _shadows_of(connection, moved)
    survivors |= _claims(connection, shadows, survivors)
    stored |= stored_redirects(connection, survivors.keys() - stored.keys())
    changed = [(one, stored[one], survivors[one]) for one in sorted(stored) if stored[one] != survivors[one]]
    rows = [(None if root == one else root, one) for one, _, root in changed]
    update_rows(connection, _PROFILE, ["source_id"], ["survivor"], rows)
    roots = {root for _, before, after in changed for root in (before, after)}
    return {root for root in roots if survivors.get(root, root) == root}


def stored_redirects(connection: Connection, source_ids: Iterable[str]) -> dict[str, str]:
    """Each id that has a row to the one it is read through: itself, unless it was merged."""
    rows = select_by(connection, "SELECT source_id, survivor FROM profile WHERE source_id", sorted(set(source_ids)))
    return {source_id: survivor or source_id for source_id, survivor in rows}


def circle(connection: Connection, source_id: str) -> Circle:
    """Everyone who has to do with the person behind an id, which may be unknown."""
    root = source_id
    if is_anonymous(source_id):
        root = _claims(connection, {source_id}, {}).get(source_id, source_id)
    if is_anonymous(root):
        groups = clusters(_links_among(connection, {root}, "="))
        return Circle(set(), {root, source_id, *groups}, groups.get(root, root))
    chosen = clusters(_links_among(connection, {root}, "<>"))
    people = {root, *chosen}
    shadows = _shadows_of(connection, people)
    shadows.update(clusters(_links_among(connection, shadows, "=")))
    return Circle(people, shadows, chosen.get(root, root))


def links_of(connection: Connection, source_id: str) -> list[dict[str, Any]]:
    """The links of a person: {loser, survivor, at, is_followed}, `at` in microseconds, the oldest first.

    A link is not followed where its anonymous id is linked to other people too.
    """
    around = circle(connection, source_id)
    query = "SELECT at, loser, survivor FROM profile_link WHERE"
    own = sorted(around.people or around.anonymous)
    rows = {tuple(row) for end in _PAIR for row in select_by(connection, f"{query} {end}", own)}
    among = f"AND {_AMONG.format('survivor', '=')}"
    rows.update(map(tuple, select_by(connection, f"{query} loser", sorted(around.anonymous), among)))
    roots = _claims(connection, {loser for _, loser, _ in rows if is_anonymous(loser)}, {})
    return [
        {
            "loser": loser,
            "survivor": end,
            "at": at,
            "is_followed": is_anonymous(end) or not is_anonymous(roots.get(loser, end)),
        }
        for at, loser, end in sorted(rows)
    ]


def _lock(connection: Connection) -> None:
    if is_postgres(connection):
        connection.exec_driver_sql("SELECT pg_advisory_xact_lock(%s)", (_LINK_LOCK,))


def _unknown(connection: Connection, rows: dict[Pair, Stamp]) -> dict[Pair, Stamp]:
    """Links not stored yet, or told of earlier than what is stored: a known link costs one read, and no lock."""
    known = {
        (loser, survivor): (at, key)
        for loser, survivor, at, key in select_pairs(
            connection, _LINK, (*_PAIR, "at", "message_key"), _PAIR, sorted(rows)
        )
    }
    return {pair: stamp for pair, stamp in rows.items() if pair not in known or stamp[:2] < known[pair]}


def _links_among(connection: Connection, start: Iterable[str], sort: str) -> set[Pair]:
    """All links between ids of one sort (`=` anonymous, `<>` source_ids) of the clusters that hold these."""
    found: set[Pair] = set()
    known: set[str] = set()
    frontier = set(start)
    while frontier:
        known |= frontier
        ends = sorted(frontier)
        reached: set[Pair] = set()
        for end, other in (_PAIR, _PAIR[::-1]):
            query = f"SELECT loser, survivor FROM profile_link WHERE {end}"
            reached.update(map(tuple, select_by(connection, query, ends, f"AND {_AMONG.format(other, sort)}")))
        found |= reached
        frontier = {end for pair in reached for end in pair} - known
    return found


def _shadows_of(connection: Connection, people: Iterable[str]) -> set[str]:
    """The anonymous ids that are linked to these people."""
    query = "SELECT loser FROM profile_link WHERE survivor"
    return {row[0] for row in select_by(connection, query, sorted(people), f"AND {_AMONG.format('loser', '=')}")}


def _claims(connection: Connection, shadows: set[str], chosen: Mapping[str, str]) -> dict[str, str]:
    """These anonymous ids, with those linked to them, to the one they are read through.

    `chosen` are the survivors of those whose redirects are not stored yet.
    """
    if not shadows:
        return {}
    groups = clusters(_links_among(connection, shadows, "="))
    members = shadows | groups.keys()
    first_and_last = _outermost(connection, members)
    roots = _roots(connection, {end for pair in first_and_last.values() for end in pair}, chosen)
    owners = {one: {roots[end] for end in pair} for one, pair in first_and_last.items()}
    unsure = sorted(one for one, pair in first_and_last.items() if len(pair) == 2 and len(owners[one]) == 1)
    query = "SELECT loser, survivor FROM profile_link WHERE loser"
    between = [tuple(row) for row in select_by(connection, query, unsure, f"AND {_NAMED}")]
    roots = _roots(connection, {end for _, end in between}, chosen)
    for one, end in between:
        owners[one].add(roots[end])
    return {one: one for one in members} | claimed(groups, owners)


def _outermost(connection: Connection, shadows: Iterable[str]) -> dict[str, set[str]]:
    """Anonymous ids to the smallest and the greatest source_id linked to them: two steps in an index for each."""
    ids = sorted(shadows)
    if is_postgres(connection):
        rows = connection.exec_driver_sql(f"{_ENDS} unnest(%b::text[]) AS k(value)", (ids,))
    else:
        rows = connection.exec_driver_sql(f"{_ENDS} json_each(?) AS k", (orjson.dumps(ids).decode(),))
    return {one: {low, high} for one, low, high in rows if low is not None}


def _roots(connection: Connection, people: set[str], chosen: Mapping[str, str]) -> dict[str, str]:
    stored = stored_redirects(connection, people - chosen.keys())
    return {one: chosen.get(one) or stored.get(one, one) for one in people}


def _withdraw(connection: Connection, reapplied: Sequence[AppliedChange]) -> set[str]:
    """Delete the links these messages told of before; their ends."""
    keys = sorted({applied.message_key for applied in reapplied})
    rows = select_by(connection, "SELECT loser, survivor FROM profile_link WHERE message_key", keys)
    if rows:
        connection.execute(delete(_LINK).where(_LINK.c.message_key.in_(keys)))
    return {end for pair in rows for end in pair}
