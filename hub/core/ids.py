"""Identifiers: 26 characters of [0-9A-Z], ordered by time, so that they sort as they were made."""

from __future__ import annotations

import os
import time

_ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
_PAIRS = [high + low for high in _ALPHABET for low in _ALPHABET]  # ten bits at a time
_RANDOM_BITS = 80
TIME_CHARS = 10  # of an id: its milliseconds


def new_id(now_ms: int | None = None) -> str:
    """A ULID: 48 bits of milliseconds, then 80 random bits."""
    at = time.time_ns() // 1_000_000 if now_ms is None else now_ms
    number = (at << _RANDOM_BITS) | int.from_bytes(os.urandom(10), "big")
    return "".join([_PAIRS[(number >> shift) & 1023] for shift in range(120, -1, -10)])


def new_token(length: int = 32) -> str:
    """An unguessable lower-case token for keys and secrets."""
    import secrets

    alphabet = "abcdefghijkmnpqrstuvwxyz23456789"
    return "".join(secrets.choice(alphabet) for _ in range(length))
