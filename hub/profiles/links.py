"""Links between source_ids, and the redirects they make."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from sqlalchemy import Connection, delete

from hub.core.clock import Micros
from hub.core.database import is_postgres
from hub.profiles.bulk import insert_rows, select_by, table, update_rows
from hub.profiles.rules.clusters import survivors
from hub.profiles.rules.stamps import stamp_time
from hub.profiles.tables import ProfileLinkRow, ProfileRow
from hub.profiles.values import AppliedChange

_LINK = table(ProfileLinkRow)
_PROFILE = table(ProfileRow)
_LINK_LOCK = 0x4855_0001  # of PostgreSQL's advisory locks: one transaction at a time redraws clusters
_EARLIEST = (
    "ON CONFLICT (loser, survivor) DO UPDATE SET at = excluded.at, message_key = excluded.message_key, "
    "revision = excluded.revision "
    "WHERE (excluded.at, excluded.message_key) < (profile_link.at, profile_link.message_key)"
)


def ends(changes: Iterable[AppliedChange]) -> set[str]:
    """Every source_id that a link of these changes names."""
    return {end for applied in changes for link in applied.change.links for end in (link.loser, link.survivor)}


def write_links(connection: Connection, changes: Sequence[AppliedChange], gone: set[str]) -> tuple[int, set[str]]:
    """Store links, except those of erased ids; how many, and whose redirects must be drawn again."""
    rows: dict[tuple[str, str], tuple[Micros, str, int]] = {}
    for applied in changes:
        for link in applied.change.links:
            if link.loser == link.survivor or link.loser in gone or link.survivor in gone:
                continue
            stamp = (stamp_time(link.at, applied.received_at), applied.message_key, applied.revision)
            pair = (link.loser, link.survivor)
            rows[pair] = min(rows.get(pair, stamp), stamp)
    reapplied = [applied for applied in changes if applied.revision]
    if not rows and not reapplied:
        return 0, set()
    if is_postgres(connection):
        connection.exec_driver_sql("SELECT pg_advisory_xact_lock(%s)", (_LINK_LOCK,))
    loosened = _withdraw(connection, reapplied)
    insert_rows(connection, _LINK, [(*pair, *stamp) for pair, stamp in sorted(rows.items())], _EARLIEST)
    return len(rows), loosened | {end for pair in rows for end in pair}


def redraw(connection: Connection, touched: set[str]) -> set[str]:
    """Set the redirects of everyone linked to these source_ids, however far away. Their rows exist.

    Returns those through whom somebody is read since.
    """
    if not touched:
        return set()
    links = links_around(connection, touched)
    chosen = survivors(links)
    members = touched | chosen.keys()
    stored = dict(map(tuple, select_by(connection, "SELECT source_id, survivor FROM profile WHERE source_id", members)))
    wanted = {member: chosen[member] if chosen.get(member, member) != member else None for member in members}
    changed = [(wanted[member], member) for member in sorted(stored) if stored[member] != wanted[member]]
    update_rows(connection, _PROFILE, ["source_id"], ["survivor"], changed)
    return {survivor for survivor, _ in changed if survivor is not None}


def links_around(connection: Connection, source_ids: Iterable[str]) -> set[tuple[str, str]]:
    """All links of the clusters that hold these source_ids."""
    found: set[tuple[str, str]] = set()
    known: set[str] = set()
    frontier = set(source_ids)
    while frontier:
        known |= frontier
        wanted = sorted(frontier)
        reached = {
            (loser, survivor)
            for end in ("loser", "survivor")
            for loser, survivor in select_by(
                connection, f"SELECT loser, survivor FROM profile_link WHERE {end}", wanted
            )
        }
        found |= reached
        frontier = {end for pair in reached for end in pair} - known
    return found


def _withdraw(connection: Connection, reapplied: Sequence[AppliedChange]) -> set[str]:
    """Delete the links these messages told of before; their ends."""
    keys = sorted({applied.message_key for applied in reapplied})
    rows = select_by(connection, "SELECT loser, survivor FROM profile_link WHERE message_key", keys)
    if rows:
        connection.execute(delete(_LINK).where(_LINK.c.message_key.in_(keys)))
    return {end for row in rows for end in (row.loser, row.survivor)}
