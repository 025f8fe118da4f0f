"""What a code looks like: patterns, how many codes they allow, and drawing one."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from hub.sdk.errors import ConfigurationError

SLOT = "#"
REPLACED = "\ufffd"  # what stands for bytes that could not be read
MAX_CODE_CHARS = 100
DEFAULT_CHARSET = "23456789ABCDEFGHJKMNPQRSTUVWXYZ"
"""Upper case without 0 O 1 I L: people read codes from paper and type them on phones."""
DEFAULT_LENGTH = 8
MOST_BAD = 50
"""Percent of a list that may be no codes (of a file, rows that are rejected), where nobody says another share."""
LEAST_BAD = 20
"""Below that many a list is no rubbish yet: whoever typed it corrects it."""
LEAST_SPACE = 1_000
USABLE_SHARE = 2
"""A campaign uses at most 1/2 of its pattern's space: so drawing ends quickly and a guess is right at most every other
time even when the campaign is used up."""


class RandomSource(Protocol):
    """`random.SystemRandom` in processes, a seeded `random.Random` in tests."""

    def randrange(self, stop: int, /) -> int: ...


def full_pattern(pattern: str, length: int, prefix: str, postfix: str) -> str:
    """Prefix, pattern and postfix in one. `pattern` wins over `length`, which counts neither prefix nor postfix.

    Raises ConfigurationError if prefix or postfix hold the slot mark.
    """
    if SLOT in prefix + postfix:
        raise ConfigurationError(f"Prefix and postfix may not hold {SLOT!r}; it stands for a random character.")
    return f"{prefix}{pattern or SLOT * length}{postfix}"


def clean_charset(charset: str) -> str:
    """Each character once, in order; the default where none is given."""
    return "".join(dict.fromkeys(charset)) or DEFAULT_CHARSET


def space(pattern: str, charset: str) -> int:
    """How many different codes the pattern allows."""
    return int(len(charset) ** pattern.count(SLOT))


def usable(pattern: str, charset: str) -> int:
    """How many codes a campaign may take from that space."""
    return space(pattern, charset) // USABLE_SHARE


def check_pattern(pattern: str, charset: str, expected: int = 0) -> None:
    """Raises ConfigurationError, a sentence each, if codes cannot be made of this pattern or `expected` is too many."""
    if SLOT in charset:
        raise ConfigurationError(f"The charset holds {SLOT!r}, which marks a place in the pattern; leave it out.")
    if any(character.isspace() or not character.isprintable() for character in pattern + charset):
        raise ConfigurationError("Codes may not hold spaces, line breaks or control characters; correct the pattern.")
    if len(pattern) > MAX_CODE_CHARS:
        raise ConfigurationError(f"Codes of {len(pattern)} characters are too long; at most {MAX_CODE_CHARS} fit.")
    if SLOT not in pattern:
        raise ConfigurationError(f"The pattern {pattern!r} has no {SLOT!r}, so every code would be the same; add some.")
    possible = usable(pattern, charset)
    if space(pattern, charset) < LEAST_SPACE or possible < expected:
        needed = max(expected, LEAST_SPACE // USABLE_SHARE)
        raise ConfigurationError(
            f"The pattern {pattern!r} with {len(charset)} characters allows {possible} codes (half of its space, so that"
            f" codes cannot be guessed), and {needed} are needed; use more {SLOT!r} or a larger charset."
        )


def draw(pattern: str, charset: str, source: RandomSource) -> str:
    """One code, every code of the pattern equally likely."""
    number = source.randrange(space(pattern, charset))
    characters = []
    for character in pattern:
        if character == SLOT:
            number, index = divmod(number, len(charset))
            character = charset[index]
        characters.append(character)
    return "".join(characters)


def draw_distinct(pattern: str, charset: str, count: int, source: RandomSource) -> list[str]:
    """`count` different codes. The caller keeps `count` within `usable`, so this ends quickly."""
    codes: dict[str, None] = {}
    while len(codes) < count:
        codes[draw(pattern, charset, source)] = None
    return list(codes)


def sort_out(codes: Sequence[str]) -> tuple[list[str], dict[str, str]]:
    """A list to import as (usable codes in order, code to the sentence why not). Space around a code is cut off."""
    good: dict[str, None] = {}
    bad: dict[str, str] = {}
    for written in codes:
        code = written.strip()
        if not code:
            continue
        if len(code) > MAX_CODE_CHARS:
            bad[code[:MAX_CODE_CHARS] + "…"] = f"It is longer than {MAX_CODE_CHARS} characters."
        elif not code.isprintable():
            bad[code.encode("unicode_escape").decode()] = "It holds characters that cannot be printed."
        elif REPLACED in code:
            bad[code] = "It holds bytes that are no text in UTF-8."
        elif code in good:
            bad[code] = "It stands in the list more than once; it was taken once."
        else:
            good[code] = None
    return list(good), bad


def is_rubbish(bad: int, count: int, most_bad: int | None) -> bool:
    """Whether a list or file is not what it was taken for: more than `most_bad` percent of it is bad."""
    if most_bad is None:
        return bad >= LEAST_BAD and bad * 100 > MOST_BAD * count
    return bad * 100 > most_bad * count


def expiry(expires_at: int | None, valid_s: int | None, published_at: int) -> int | None:
    """When a code given at `published_at` ends: with the campaign or after its own time, whichever is first."""
    ends = [expires_at] if expires_at is not None else []
    if valid_s is not None:
        ends.append(published_at + valid_s * 1_000_000)
    return min(ends, default=None)
