"""What the ledger may show of a call: no credential, no secret, bounded."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from hub.sdk.values import Response
from hub.sdk.wire import MASK, Wire

KEPT_BYTES = 8_200  # the ledger keeps 8,192 characters
KEPT_HEADERS = ("content-type", "retry-after", "x-request-id", "request-id")
KEPT_HEADER_WORDS = ("ratelimit", "rate-limit")
_LEAST_SECRET = 6  # shorter values would mask ordinary words
_MOST_LEARNED = 8  # a token lives for a while; older ones are dead


class Mask:
    """Replaces the secrets of one connection wherever a vendor or an error repeats them."""

    def __init__(self, secrets: Iterable[str]) -> None:
        self._given = [value for value in secrets if len(value) >= _LEAST_SECRET]
        self._learned: list[str] = []
        self._secrets = _longest_first(self._given)

    def learn(self, secret: str) -> None:
        """Mask this too from now on, such as a token that was fetched; the latest few are known. Threads may go on
        masking meanwhile, since lists are replaced."""
        if len(secret) >= _LEAST_SECRET:
            self._learned = [*self._learned, secret][-_MOST_LEARNED:]
            self._secrets = _longest_first([*self._given, *self._learned])

    def __call__(self, text: str) -> str:
        for secret in self._secrets:
            if secret in text:
                text = text.replace(secret, MASK)
        return text


def _longest_first(secrets: Iterable[str]) -> list[str]:
    return sorted(set(secrets), key=lambda value: (-len(value), value))


def shown_request(wire: Wire, mask: Mask) -> str:
    """`POST https://host/path` and the body, from a wire that was encoded masked."""
    body = (wire.body or b"")[:KEPT_BYTES].decode("utf-8", "replace")
    return mask(f"{wire.method} {wire.url}\n{body}" if body else f"{wire.method} {wire.url}")


def shown_response(response: Response, mask: Mask) -> str:
    """`201 {headers worth keeping}` and the body."""
    lines = [f"{response.status}", *(f"{name}: {value}" for name, value in _worth_keeping(response.headers).items())]
    body = response.body[:KEPT_BYTES].decode("utf-8", "replace")
    return mask("\n".join([*lines, body]))


def _worth_keeping(headers: Mapping[str, str]) -> dict[str, str]:
    return {
        name: value
        for name, value in headers.items()
        if name in KEPT_HEADERS or any(word in name for word in KEPT_HEADER_WORDS)
    }
