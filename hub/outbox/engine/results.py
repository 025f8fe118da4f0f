"""From what workers say to what is stored: reports and errors become moves, ends and runs. No SQL, no waiting."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace

from hub.core.backoff import pause_after
from hub.core.clock import Micros
from hub.ledger.values import AttemptEnd, AttemptStart, Run
from hub.outbox.engine.workers import Done, Job
from hub.outbox.queue.finish import Ending, Move, Step
from hub.outbox.rules import after_error, after_outcome, after_poll_error, after_unknown, micros, outcome_name, words
from hub.outbox.values import Next, Policy
from hub.sdk.values import Accepted, Again, Outcome, Pending, Progress, Rejected, Report

NO_ANSWER = "The vendor's job did not end in the time its connector gives it; whether it was done is unknown."
NAMELESS_JOB = (
    "The vendor took the record into a job whose name cannot be stored, so nobody can ask after it; whether it was done "
    "is unknown."
)
POLL_BASE_S = 5.0
POLL_CAP_S = 300.0
DEFECT = "The connector failed on this batch; this is a defect to report. {}"
_NAMES = {Accepted: "accepted", Rejected: "rejected", Again: "again", Pending: "pending"}
_GOOD = frozenset({"accepted", "pending"})


def of_reports(job: Job, reports: Sequence[Report], now: Micros, random: float, policy: Policy) -> Ending:
    """What to store of reports. Closes the attempt once every record has an outcome."""
    outcomes = [one for one in reports if not isinstance(one, Progress)]
    steps = [
        Step(one.delivery_id, job.people[one.delivery_id], one.progress, one.remember)
        for one in reports
        if isinstance(one, Progress)
    ]
    # A connector that takes no record and blames none would go round for ever: then every try counts.
    is_idle = all(isinstance(one, Again) and not one.counts for one in outcomes) and len(outcomes) == len(job.held)
    moves: list[Move] = []
    postponed: dict[str, Micros] = {}
    for outcome in outcomes:
        if job.kind == "poll" and isinstance(outcome, Pending):
            due_at = _asked_later(job, outcome, now, random, policy, moves)
            if due_at is not None:
                postponed[outcome.delivery_id] = due_at
            continue
        moves.append(_move(job, outcome, now, random, policy, must_count=is_idle))
    for outcome in outcomes:
        job.left.pop(outcome.delivery_id, None)
    return _ending(job, moves, steps, postponed, now, "", is_over=not job.left)


def of_misreported(reports: Sequence[Report], defect: Exception) -> Sequence[Report]:
    """What stands for reports of which nothing can be made: each record with an outcome is a dead letter that says why."""
    why = DEFECT.format(words(defect))
    return [Rejected(one.delivery_id, why, "defect") for one in reports if not isinstance(one, Progress)]


def of_end(done: Done, now: Micros, random: float, policy: Policy) -> Ending:
    """What to store at the end of a job: the records without an outcome take its error."""
    job = done.job
    error: Exception | None = done.defect or done.error
    moves: list[Move] = []
    postponed: dict[str, Micros] = {}
    left = list(job.left)
    for place, one in enumerate(left):
        assert error is not None, "a flow that ends cleanly has an outcome for each record"
        to = _after(job, one, done, place, len(left), now, random, policy)
        if to is None:
            postponed[one] = now + micros(pause_after(job.failures + 1, POLL_BASE_S, POLL_CAP_S))
            continue
        moves.append(Move(one, job.people[one], _masked(job, to), "defect" if done.defect else outcome_name(error)))
    job.left.clear()
    # A run's detail outlives an erasure, so it never holds the vendor's words; the attempt does.
    detail = f"The call ended as {outcome_name(error)}." if error else ""
    return _ending(job, moves, (), postponed, now, detail, is_over=True)


def _after(
    job: Job, one: str, done: Done, place: int, count: int, now: Micros, random: float, policy: Policy
) -> Next | None:
    held, retry_unknown = job.held[one], job.lane.connection.retry_unknown
    if done.defect is not None:
        return Next("dead", "defect", DEFECT.format(words(done.defect)))
    assert done.error is not None
    if job.kind == "poll":
        return after_poll_error(held, done.error, now, random, policy, retry_unknown=retry_unknown)
    half = f"{job.id}{'a' if place < (count + 1) // 2 else 'b'}"
    is_split = outcome_name(done.error) == "split"
    return after_error(
        held,
        done.error,
        now,
        random,
        policy,
        retry_unknown=retry_unknown,
        batch_count=count,
        cohort=half if is_split else job.cohort,
    )


def _move(job: Job, outcome: Outcome, now: Micros, random: float, policy: Policy, *, must_count: bool) -> Move:
    one = outcome.delivery_id
    if isinstance(outcome, Pending) and not outcome.token:
        return _nameless(job, one, now, random, policy)
    if must_count and isinstance(outcome, Again):
        outcome = Again(one, outcome.reason, outcome.after_s, counts=True)
    notes = job.notes.get(one)
    if notes and isinstance(outcome, Accepted):
        outcome = replace(outcome, notices=[*notes, *outcome.notices])
    to = after_outcome(job.held[one], outcome, now, random, policy)
    push = job.pushes.get(one)
    is_pending = to.state == "pending"
    return Move(
        one,
        job.people[one],
        _masked(job, to),
        _NAMES[type(outcome)],
        pushed=job.pushing.get(one, "") if push is None else "" if is_pending else push.fields(),
        pushing=push.text() if push and is_pending else "",
        find_by=outcome.find_by if isinstance(outcome, Pending) else "",
        remember=outcome.remember if isinstance(outcome, Accepted) else {},
    )


def _nameless(job: Job, one: str, now: Micros, random: float, policy: Policy) -> Move:
    """It was taken into a job that nobody can ask after."""
    retry_unknown = job.lane.connection.retry_unknown
    to = after_unknown(job.held[one], now, random, policy, retry_unknown=retry_unknown, detail=NAMELESS_JOB)
    return Move(one, job.people[one], to, "unknown")


def _masked(job: Job, to: Next) -> Next:
    """A vendor may repeat a secret in its words; no row may."""
    return to._replace(detail=job.lane.mask(to.detail)) if to.detail else to


def _asked_later(
    job: Job, outcome: Pending, now: Micros, random: float, policy: Policy, moves: list[Move]
) -> Micros | None:
    """When to ask again; None if the time is over and the result stays unknown."""
    held = job.held[outcome.delivery_id]
    if held.give_up_at is None or now < held.give_up_at:
        return now + micros(outcome.after_s)
    retry_unknown = job.lane.connection.retry_unknown
    to = after_unknown(held, now, random, policy, retry_unknown=retry_unknown, detail=NO_ANSWER)
    moves.append(Move(held.id, job.people[held.id], to, "unknown"))
    return None


def _ending(
    job: Job,
    moves: Sequence[Move],
    steps: Sequence[Step],
    postponed: dict[str, Micros],
    now: Micros,
    detail: str,
    *,
    is_over: bool,
) -> Ending:
    counts = Counter(job.counts)
    counts.update(move.outcome for move in moves)
    job.counts = dict(counts)
    end = run = start = None
    if is_over and not job.is_closed:
        job.is_closed = True
        end, run = _closing(job, counts, now, detail)
    state = "sending"
    if job.kind == "poll":
        state = "pending"
        start = AttemptStart(job.id, job.lane.connection.id, job.route_name, job.number, job.started_at)
        if not counts:
            end = run = start = None  # a poll that settled nothing leaves no trace but the next one's time
    return Ending(job.lane.connection.id, job.id, moves, steps, end, run, start, state, postponed)


def _closing(job: Job, counts: Counter[str], now: Micros, detail: str) -> tuple[AttemptEnd, Run | None]:
    kinds = sorted(counts)
    outcome = kinds[0] if len(kinds) == 1 else "partial"
    last = next((one.response.status for one in reversed(job.exchanges) if one.response), None)
    good = sum(counts[name] for name in _GOOD)
    result = "ok" if good == sum(counts.values()) else "partial" if good else "failed"
    told = {**counts, "calls": job.calls, **({"unchanged_fields": job.saved} if job.saved else {})}
    run = Run(
        job.id, "request", job.started_at, max(0, now - job.started_at), told, result, detail, job.lane.connection.id
    )
    shown = job.exchanges
    end = AttemptEnd(
        job.id,
        now,
        last,
        outcome,
        "\n\n".join([one.shown_request() for one in shown]),
        "\n\n".join([one.shown_response() for one in shown]),
        job.id,
    )
    if not job.calls:
        return end._replace(run_id=None), None  # nothing was sent: no entry in the sync log
    return end, run
