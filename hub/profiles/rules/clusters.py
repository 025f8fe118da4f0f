"""Which source_ids are one person: a function of the set of links alone, whatever order they came in."""

from __future__ import annotations

from collections.abc import Iterable


def survivors(links: Iterable[tuple[str, str]]) -> dict[str, str]:
    """Every linked source_id to its survivor, from (loser, survivor) pairs.

    The survivor of a cluster is the smallest source_id that is nobody's loser; in a pure circle, the smallest of all.
    """
    pairs = sorted({(loser, survivor) for loser, survivor in links if loser != survivor})
    parents: dict[str, str] = {}
    for loser, survivor in pairs:
        parents[_root(parents, loser)] = _root(parents, survivor)
    losers = {loser for loser, _ in pairs}
    clusters: dict[str, list[str]] = {}
    for member in {member for pair in pairs for member in pair}:
        clusters.setdefault(_root(parents, member), []).append(member)
    chosen: dict[str, str] = {}
    for members in clusters.values():
        survivor = min([member for member in members if member not in losers] or members)
        chosen.update(dict.fromkeys(members, survivor))
    return chosen


def _root(parents: dict[str, str], member: str) -> str:
    parents.setdefault(member, member)
    while parents[member] != member:
        parents[member] = parents[parents[member]]
        member = parents[member]
    return member
