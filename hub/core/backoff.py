"""Pauses between tries that grow: doubled after each failure, up to a longest one, and from the beginning after a success."""

from __future__ import annotations

_MOST_DOUBLINGS = 40  # keeps the number small; every longest pause is reached long before


def pause_after(failures: int, first_s: float, longest_s: float) -> float:
    """Seconds to wait after so many failures in a row: `first_s` after one, doubled for each further, at most `longest_s`."""
    return min(longest_s, first_s * 2.0 ** min(max(failures - 1, 0), _MOST_DOUBLINGS))


class Backoff:
    """The pauses of one loop that tries again."""

    def __init__(self, first_s: float, longest_s: float) -> None:
        self._first_s, self._longest_s = first_s, longest_s
        self.failures = 0

    def failed(self) -> float:
        """Count a failure; the seconds to wait before the next try."""
        self.failures += 1
        return pause_after(self.failures, self._first_s, self._longest_s)

    def succeeded(self) -> None:
        """The next failure is the first again."""
        self.failures = 0
