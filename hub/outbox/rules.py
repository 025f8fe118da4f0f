"""What becomes of a delivery: back-off, horizon, unknown results, and what an outcome or an error means for a record."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Any

from hub.outbox.values import FRESH, ONCE, Held, Micros, Next, Policy
from hub.sdk.errors import (
    AuthFailed,
    ConfigurationError,
    DeliveryError,
    Permanent,
    RateLimited,
    Retryable,
    Split,
    Unreadable,
)
from hub.sdk.json import dumps
from hub.sdk.text import storable
from hub.sdk.values import Accepted, Again, Operation, Outcome, Pending, Rejected

STATES = ("waiting", "sending", "pending", "sent", "skipped", "dead")
PUBLIC = {"waiting": "waiting", "sending": "waiting", "pending": "waiting"}
DETAIL_CHARS = 500
REASON_CHARS = 100
LONGEST_WAIT = 86_400_000_000
"""However far away the moment is that a vendor names, a day later it is asked again."""
_EPOCH = datetime.fromisoformat("1970-01-01T00:00:00+00:00")
_MICRO = timedelta(microseconds=1)


class Stopping(RateLimited):
    """The hub is stopping; the delivery is sent after the next start."""


def public_status(state: str) -> str:
    """waiting, sent, skipped or dead: what operators see of a state."""
    return PUBLIC.get(state, state)


def is_fresh(operation: str) -> bool:
    """Whether a delivery is built when sent and superseded by a newer one."""
    return operation in FRESH


def micros(seconds: float) -> Micros:
    return round(seconds * 1_000_000)


def backoff(attempt: int, random: float, policy: Policy) -> Micros:
    """Full jitter: anywhere between nothing and an exponentially growing cap. `attempt` is 1 after the first failure."""
    cap = min(policy.cap_us, policy.base_us << min(max(attempt - 1, 0), 40))
    return int(cap * random)


def may_repeat(held: Held, at: Micros, *, retry_unknown: bool) -> bool:
    """Whether a delivery that may have reached the vendor can be sent again at that time (contract rule 6)."""
    if held.repeat == "safe" or held.operation not in ONCE:
        return True
    if held.repeat == "deduplicated" and (held.repeat_until is None or at < held.repeat_until):
        return True
    return retry_unknown


def after_unknown(
    held: Held, now: Micros, random: float, policy: Policy, *, retry_unknown: bool, detail: str, wait: bool = True
) -> Next:
    """An attempt whose result nobody knows: tried again where a repeat does no harm, else a dead letter `unknown`."""
    delay = backoff(held.attempts + 1, random, policy) if wait else 0
    if not may_repeat(held, now + delay, retry_unknown=retry_unknown):
        if not may_repeat(held, now, retry_unknown=retry_unknown):
            return Next("dead", "unknown", detail)
        delay = 0  # the vendor deduplicates for a little while still: use it
    return _retry(held, now, delay, policy, detail, is_unknown=True)


def after_outcome(held: Held, outcome: Outcome, now: Micros, random: float, policy: Policy) -> Next:
    """What a connector's word about one record means."""
    if isinstance(outcome, Accepted):
        if not outcome.notices and not outcome.receipt:
            return _sent(now)
        notices = dumps(list(outcome.notices)).decode() if outcome.notices else ""
        return Next("sent", due_at=now, notices=notices, receipt=outcome.receipt or "")
    if isinstance(outcome, Rejected):
        field = f" (field {outcome.field})" if outcome.field else ""
        return Next("dead", outcome.code[:REASON_CHARS] or "rejected", outcome.reason[:DETAIL_CHARS] + field)
    if isinstance(outcome, Pending):
        due, give_up = now + micros(outcome.after_s), held.give_up_at or now + micros(outcome.give_up_s)
        return Next("pending", "pending", due_at=due, token=outcome.token, give_up_at=give_up)
    return _again(held, outcome, now, random, policy)


@lru_cache(maxsize=4)
def _sent(now: Micros) -> Next:
    """The same for all that are accepted in one round, so that it is made once."""
    return Next("sent", due_at=now)


def _again(held: Held, outcome: Again, now: Micros, random: float, policy: Policy) -> Next:
    reason = outcome.reason[:DETAIL_CHARS]
    if not outcome.counts:
        return Next("waiting", "again", reason, now + micros(outcome.after_s or 0.0), counted=False)
    delay = backoff(held.attempts + 1, random, policy) if outcome.after_s is None else micros(outcome.after_s)
    return _retry(held, now, delay, policy, reason, reason="again")


def after_error(
    held: Held,
    error: Exception,
    now: Micros,
    random: float,
    policy: Policy,
    *,
    retry_unknown: bool = False,
    batch_count: int = 1,
    cohort: str = "",
) -> Next:
    """What the failure of a whole call means for one of its records without an outcome."""
    detail = words(error)
    if isinstance(error, RateLimited):
        until = instant(error.until)
        reason = "held_back" if isinstance(error, Stopping) else "rate_limited"
        due_at = min(max(now, until or now), now + LONGEST_WAIT)
        return Next("waiting", reason, detail, due_at, counted=False, cohort=cohort)
    if isinstance(error, Retryable):
        if is_unknown(error):
            return after_unknown(held, now, random, policy, retry_unknown=retry_unknown, detail=detail)
        return _retry(held, now, backoff(held.attempts + 1, random, policy), policy, detail)
    if isinstance(error, AuthFailed):
        return Next("waiting", "auth", detail, now, counted=False, cohort=cohort)
    if isinstance(error, ConfigurationError):
        return Next("waiting", "configuration", detail, now, counted=False, cohort=cohort)
    if isinstance(error, Split):
        if batch_count > 1:
            return Next("waiting", "split", detail, now, counted=False, cohort=cohort)
        return Next("dead", "too_large", detail)
    if isinstance(error, Permanent):
        status = error.response.status if error.response else None
        return Next("dead", f"http_{status}" if status else "refused", detail)
    return Next("dead", "defect", detail)


def after_poll_error(
    held: Held, error: Exception, now: Micros, random: float, policy: Policy, *, retry_unknown: bool
) -> Next | None:
    """What a failed poll means for a pending record; None: ask again later. The job itself may well have succeeded."""
    is_over = held.give_up_at is not None and now >= held.give_up_at
    if isinstance(error, RateLimited | AuthFailed | ConfigurationError):
        return None
    if isinstance(error, Retryable) and not is_over:
        return None
    return after_unknown(held, now, random, policy, retry_unknown=retry_unknown, detail=words(error))


def is_unknown(error: Exception) -> bool:
    """Whether the vendor may have acted although the call failed."""
    if isinstance(error, Unreadable) and error.response is not None and error.response.status < 300:
        return True
    return isinstance(error, Retryable) and error.unknown


def outcome_name(error: Exception) -> str:
    """How the ledger names an attempt that ended with this error."""
    if isinstance(error, Stopping):
        return "released"
    if isinstance(error, RateLimited):
        return "rate_limited"
    if isinstance(error, Retryable):
        return "unknown" if is_unknown(error) else "retryable"
    names = {AuthFailed: "auth_failed", Split: "split", Permanent: "permanent", ConfigurationError: "configuration"}
    return next((name for kind, name in names.items() if isinstance(error, kind)), "defect")


def words(error: Exception) -> str:
    """The sentence of an error, with the vendor's own words beside it, as a row can hold them."""
    text = str(error) if isinstance(error, DeliveryError | ConfigurationError) else f"{type(error).__name__}: {error}"
    response = error.response if isinstance(error, DeliveryError) else None
    if response is not None and response.body:
        text += " " + response.body[:DETAIL_CHARS].decode("utf-8", "replace").strip()
    return storable(text, 2 * DETAIL_CHARS)


def instant(at: Any) -> Micros | None:
    """A datetime as microseconds; one without a zone is in UTC."""
    if not isinstance(at, datetime):
        return None
    return ((at if at.tzinfo else at.replace(tzinfo=UTC)) - _EPOCH) // _MICRO


def goes_first(operation: str) -> int:
    """The rank of a delivery in the queue: consent goes before anything else."""
    return 0 if operation == Operation.CONSENT else 1


def _retry(
    held: Held,
    now: Micros,
    delay: Micros,
    policy: Policy,
    detail: str,
    *,
    is_unknown: bool = False,
    reason: str = "retry",
) -> Next:
    if held.waited_us + delay > policy.horizon_us:
        hours = policy.horizon_us // 3_600_000_000
        return Next("dead", "exhausted", f"It was tried for {hours} hours. {detail}")
    return Next("waiting", reason, detail, now + delay, waited_us=delay, is_unknown=is_unknown)
