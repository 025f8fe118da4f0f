"""People of whom only another identifier is known: the keys they are kept under, and the links that say whose they are.

A key names its kind, so it never meets a source_id: `anonymous:anonymous_id:a1d0` for what came under an anonymous id.
"""

from __future__ import annotations

from collections.abc import Iterable
from hashlib import blake2b
from typing import Final

from hub.core.clock import Micros
from hub.mapping.model import Identity, Link

MARK: Final = "anonymous:"
CONTACTS: Final = frozenset({"email", "phone"})
_MAX_KEY = 255


def is_anonymous(source_id: str) -> bool:
    """Whether this is the key of somebody of whom no source_id is known. No source_id may look like one."""
    return source_id.startswith(MARK)


def anonymous_key(type_: str, value: str) -> str:
    """What is said under this identifier is kept under this key; too long a one under its hash."""
    key = f"{MARK}{type_.replace(':', '%3A') if ':' in type_ else type_}:{value}"
    if len(key) <= _MAX_KEY:
        return key
    return f"{MARK}#{blake2b(key.encode('utf-8', 'replace'), digest_size=15).hexdigest()}"


def key_of(identities: Iterable[Identity]) -> str | None:
    """The key of the first identifier that is one person's alone: e-mail addresses and phone numbers are shared."""
    return next((anonymous_key(kind, value) for kind, value, _ in identities if kind not in CONTACTS), None)


def with_own(links: tuple[Link, ...], identities: Iterable[Identity], source_id: str, at: Micros) -> tuple[Link, ...]:
    """Links of a message, and those it makes by carrying its source_id beside identifiers that may stand alone.

    A link that calls one of these identifiers a source_id means the identifier.
    """
    made = [Link(anonymous_key(kind, value), source_id, at) for kind, value, _ in identities if kind not in CONTACTS]
    if not links or not made:
        return links or tuple(made)
    values = {value for kind, value, _ in identities if kind not in CONTACTS}
    others = [link for link in links if link.loser not in values or link.survivor != source_id]
    told = {link[:2] for link in others}
    return (*others, *(link for link in made if link[:2] not in told))
