"""A breaker per connection: after sustained failure it lets one batch through now and then, until one succeeds."""

from __future__ import annotations

from dataclasses import dataclass

OPENS_AFTER = 5
FIRST_PAUSE_S = 15.0
LONGEST_PAUSE_S = 600.0


@dataclass(slots=True)
class Circuit:
    """Closed while `failures` in a row are few; open until `opens_at`; then half open, with one trial under way."""

    failures: int = 0
    pause_s: float = 0.0
    opens_at: float = 0.0
    is_trying: bool = False

    def allows(self, at: float) -> int | None:
        """How many batches may start: None for no limit, 0 while open, 1 for a trial."""
        if self.failures < OPENS_AFTER:
            return None
        return 0 if self.is_trying or at < self.opens_at else 1

    def tries(self) -> None:
        """A trial batch was started."""
        self.is_trying = self.failures >= OPENS_AFTER

    def succeeded(self) -> None:
        self.failures, self.pause_s, self.is_trying = 0, 0.0, False

    def failed(self, at: float) -> bool:
        """Note a failed call; True if the circuit has just opened or stays open after a trial."""
        self.failures += 1
        was_trial, self.is_trying = self.is_trying, False
        if self.failures < OPENS_AFTER or (self.failures > OPENS_AFTER and not was_trial):
            return False
        self.pause_s = min(LONGEST_PAUSE_S, self.pause_s * 2 or FIRST_PAUSE_S)
        self.opens_at = at + self.pause_s
        return True

    def let_go(self) -> None:
        """A trial ended without telling anything (the vendor asked to slow down, the hub stops)."""
        self.is_trying = False
