"""How a check says that a connector does not keep the contract."""

from __future__ import annotations


class CheckFailed(AssertionError):
    """The connector does not keep this point of the contract; the message says where."""


def require(holds: object, sentence: str) -> None:
    """Raises CheckFailed with the sentence unless it holds."""
    if not holds:
        raise CheckFailed(sentence)
