"""From what the brokers said of each message to what became of each record."""

from __future__ import annotations

from collections.abc import Sequence

from hub.sdk.errors import AuthFailed, DeliveryError, Permanent, Retryable, Split
from hub.sdk.values import Accepted, Again, Batch, Item, Outcome, Published, Rejected

Answer = Published | DeliveryError


def settled(batch: Batch, answers: Sequence[Answer]) -> tuple[list[Outcome], DeliveryError | None]:
    """The outcomes that are certain, and the error for the records without one.

    A record of several messages is accepted once all of them are.
    """
    told: dict[str, list[tuple[Item, Answer]]] = {}
    for item, answer in zip(batch.items, answers, strict=True):
        told.setdefault(item.delivery_id, []).append((item, answer))
    failed = {one: error for one, said in told.items() if (error := _worst([answer for _, answer in said])) is not None}
    outcomes: list[Outcome] = [_accepted(one, said) for one, said in told.items() if one not in failed]
    # "too large" may be said of all that were sent together; said of one it is that one's own
    has_one_large = sum(isinstance(error, Split) for error in failed.values()) == 1
    final = (Permanent, Split) if has_one_large else (Permanent,)
    overall = _worst([error for error in failed.values() if not isinstance(error, final)])
    for one, error in failed.items():
        if isinstance(error, final):
            outcomes.append(Rejected(one, str(error), code="too_large" if isinstance(error, Split) else "rejected"))
        elif type(error) is not type(overall) or _is_unknown(error) != _is_unknown(overall):
            outcomes.append(Again(one, str(error)))
    return outcomes, overall


def _accepted(delivery_id: str, said: Sequence[tuple[Item, Answer]]) -> Accepted:
    places = [
        f"{item.body['topic']}/{answer.partition}/{answer.offset}"
        for item, answer in said
        if isinstance(answer, Published)
    ]
    return Accepted(delivery_id, receipt=" ".join(places))


def _is_unknown(error: DeliveryError | None) -> bool:
    return isinstance(error, Retryable) and error.unknown


def _worst(answers: Sequence[Answer]) -> DeliveryError | None:
    """The error that has the last word: an unknown result before all others, since it must not be forgotten."""
    errors = [one for one in answers if isinstance(one, DeliveryError)]
    return min(errors, key=_rank, default=None)


def _rank(error: DeliveryError) -> int:
    if _is_unknown(error):
        return 0
    return next(
        (place for place, kind in enumerate((AuthFailed, Split, Retryable, Permanent), 1) if isinstance(error, kind)), 9
    )
