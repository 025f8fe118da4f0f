"""Which source_ids are one person: a function of the set of links alone, whatever order they came in.

Source_ids that are linked are one person, whichever way round and in however many steps. An anonymous id belongs to a
person if all its links lead to that one; linked to several it belongs to none of them, and never makes them one.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from hub.mapping.anonymous import is_anonymous

Pair = tuple[str, str]


def survivors(links: Iterable[Pair]) -> dict[str, str]:
    """Every linked id to the one it is read through, from (loser, survivor) pairs."""
    people: set[Pair] = set()
    groups: set[Pair] = set()
    owners: dict[str, set[str]] = {}
    for loser, survivor in map(ordered, links):
        if not is_anonymous(loser):
            people.add((loser, survivor))
        elif is_anonymous(survivor):
            groups.add((loser, survivor))
        else:
            owners.setdefault(loser, set()).add(survivor)
    chosen = clusters(people)
    of_people = {one: {chosen.get(end, end) for end in ends} for one, ends in owners.items()}
    known = {end: chosen.get(end, end) for ends in owners.values() for end in ends}
    return chosen | known | claimed(clusters(groups), of_people)


def ordered(link: Pair) -> Pair:
    """An anonymous id always gives way to a source_id."""
    loser, survivor = link
    return (survivor, loser) if is_anonymous(survivor) and not is_anonymous(loser) else link


def clusters(links: Iterable[Pair]) -> dict[str, str]:
    """Every linked id to its survivor, where all are of one sort.

    The survivor of a cluster is the smallest id that is nobody's loser; in a pure circle, the smallest of all.
    """
    pairs = sorted({(loser, survivor) for loser, survivor in links if loser != survivor})
    parents: dict[str, str] = {}
    for loser, survivor in pairs:
        parents[_root(parents, loser)] = _root(parents, survivor)
    losers = {loser for loser, _ in pairs}
    grouped: dict[str, list[str]] = {}
    for member in {member for pair in pairs for member in pair}:
        grouped.setdefault(_root(parents, member), []).append(member)
    chosen: dict[str, str] = {}
    for members in grouped.values():
        survivor = min([member for member in members if member not in losers] or members)
        chosen.update(dict.fromkeys(members, survivor))
    return chosen


def claimed(groups: Mapping[str, str], owners: Mapping[str, set[str]]) -> dict[str, str]:
    """Anonymous ids to the one person of all their group, or to their group's own survivor.

    `groups`: anonymous ids to their survivor among themselves; `owners`: to the people they are linked to.
    """
    people: dict[str, set[str]] = {}
    for one, found in owners.items():
        people.setdefault(groups.get(one, one), set()).update(found)
    read_through = {}
    for one in {*groups, *owners}:
        group = groups.get(one, one)
        of_group = people.get(group, set())
        read_through[one] = next(iter(of_group)) if len(of_group) == 1 else group
    return read_through


def _root(parents: dict[str, str], member: str) -> str:
    parents.setdefault(member, member)
    while parents[member] != member:
        parents[member] = parents[parents[member]]
        member = parents[member]
    return member
