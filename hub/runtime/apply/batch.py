"""One batch of messages: read, mapped, and applied in one state transaction.

Preparing is pure but for the mapping and runs before the transaction; applying is all SQL and runs inside it. One
message's fault never fails its neighbours: what the store refuses is halved until it stands alone, and quarantined.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Sequence
from typing import NamedTuple, Protocol

from sqlalchemy import Connection
from sqlalchemy.exc import DBAPIError

from hub.core.clock import Micros
from hub.core.database import is_passing
from hub.core.ids import new_id
from hub.core.logging import logger
from hub.inbox import seen
from hub.inbox.values import Message, SeenRow, Settled
from hub.ledger.store import record_run
from hub.ledger.values import Run
from hub.mapping import model
from hub.mapping.model import Change, Erase, Json, Verdict
from hub.profiles import store as profiles
from hub.profiles.rules.stamps import message_key
from hub.profiles.values import AppliedChange, MergeResult
from hub.sdk.errors import ConfigurationError
from hub.sdk.json import dumps, loads

MAX_SOURCE_ID = 255
_MAX_REASON = 100  # characters that the message row holds
_STATES = {Verdict.APPLY: "applied", Verdict.IGNORE: "ignored", Verdict.QUARANTINE: "quarantined"}
_NO_WARNINGS = "[]"
NO_MESSAGE_ID = "no_message_id"
NOT_SIGNED = "not_signed"
DEFECT = "mapping_defect"

_log = logger("apply")


class Compiled(Protocol):
    """A source mapping of one version with the metadata schemas behind it, as a batch uses them."""

    @property
    def hash(self) -> str: ...

    @property
    def schema_hash(self) -> str: ...

    def apply(self, message: Json, *, message_id: str, received_at: Micros) -> Change: ...


Mapper = Callable[[str], Compiled]
"""The active mapping of a connection, by its id. Raises ConfigurationError where there is none."""


class Prepared(NamedTuple):
    """A message on its way into the state: what is to become of it, and what it changes if applied."""

    message: Message
    state: str
    reason: str
    mapping_hash: str
    schema_hash: str
    change: Change | None
    warnings: str  # JSON

    @property
    def source_id(self) -> str | None:
        return self.change.source_id if self.change else None


class Hooks(NamedTuple):
    """What runtime adds to a batch, in its transaction.

    `digest` is the keyed hash of tombstones. `erase` forgets a person everywhere, as a message of that connection asks, and
    gives the name under which that is counted. `follow` hears what was merged: triggers and pushes hang on it.
    """

    digest: Callable[[str], str]
    erase: Callable[[Connection, str, Erase, Micros], str]
    follow: Callable[[Connection, Sequence[AppliedChange], MergeResult, Micros], None] | None = None


class BatchResult(NamedTuple):
    """Counts of one batch, as its sync run carries them."""

    run_id: str
    counts: dict[str, int]


def prepare(message: Message, mapper: Mapper) -> Prepared:
    """Parse and map one message. Never raises: a defect of body or mapping is that message's own end."""
    try:
        body = loads(message.body)
    except ValueError:  # UnicodeDecodeError among them
        return _unmapped(message, "not_json")
    try:
        mapping = mapper(message.connection_id)
    except ConfigurationError:
        return _unmapped(message, "no_mapping")
    try:
        change = mapping.apply(body, message_id=message.message_id, received_at=message.received_at)
    except Exception as error:  # noqa: BLE001 - a mapping's defect is one message's fault, whatever it raises
        # The type alone: the error's own words may quote the body.
        return _unmapped(message, DEFECT, mapping, f"The mapping failed with {type(error).__name__}.")
    warnings = _warnings(message, change.warnings)
    if change.source_id is not None and not _is_key(change.source_id):
        return Prepared(message, "quarantined", "invalid_source_id", mapping.hash, mapping.schema_hash, None, warnings)
    state, reason = _STATES[change.verdict], (change.reason or "")[:_MAX_REASON]
    return Prepared(message, state, reason, mapping.hash, mapping.schema_hash, change, warnings)


def apply_batch(
    state: Connection, prepared: Sequence[Prepared], hooks: Hooks, now: Micros, started: float
) -> BatchResult:
    """Decide and apply a batch, in order of arrival. `started` is `time.perf_counter()` from when its work began."""
    run_id = new_id(now // 1000)
    decided = without_erased(state, prepared, hooks.digest)
    rows = [_seen_row(entry, run_id) for entry in decided]
    fresh = [decided[place] for place in seen.record(state, rows)]
    applied_entries = {entry.message[:2]: entry for entry in fresh if entry.state == "applied"}
    changes = [applied_change(entry) for entry in applied_entries.values()]
    merged, refused = merge_or_halve(state, changes, now, hooks)
    late = [unstorable(applied_entries[change.connection_id, change.message_id], run_id) for change in refused]
    seen.settle(state, late)
    counts = Counter(entry.state for entry in fresh)
    counts["warned"] = sum(entry.warnings != _NO_WARNINGS for entry in fresh)
    counts.update({"applied": -len(late), "quarantined": len(late), "duplicate": len(decided) - len(fresh)})
    counts.update(merged)
    kept = {name: count for name, count in sorted(counts.items()) if count}
    record_run(state, _run(run_id, decided, kept, now, started))
    _tell_defects(fresh)
    return BatchResult(run_id, kept)


def without_erased(state: Connection, prepared: Sequence[Prepared], digest: Callable[[str], str]) -> Sequence[Prepared]:
    """The same, where messages of erased people are ignored and nothing of them is kept."""
    gone = profiles.erased(state, {entry.source_id for entry in prepared if entry.source_id is not None}, digest)
    if not gone:
        return prepared
    return [
        entry._replace(state="ignored", reason="erased", change=None, warnings=_NO_WARNINGS)
        if entry.source_id in gone
        else entry
        for entry in prepared
    ]


def applied_change(entry: Prepared, revision: int = 0, previous: str | None = None) -> AppliedChange:
    """What goes to the profiles."""
    connection_id, message_id, received_at = entry.message[:3]
    assert entry.change is not None, "only mapped messages are applied"
    key = message_key(connection_id, message_id)
    return AppliedChange(entry.change, connection_id, message_id, key, revision, received_at, previous)


def merge_or_halve(
    state: Connection, changes: Sequence[AppliedChange], now: Micros, hooks: Hooks
) -> tuple[Counter[str], list[AppliedChange]]:
    """Merge changes; what the store refuses is found by halving and handed back. Raises what a repetition may cure."""
    if not changes:
        return Counter(), []
    try:
        with state.begin_nested():
            return _merge(state, changes, now, hooks), []
    except (DBAPIError, ValueError, TypeError, OverflowError) as error:
        if is_passing(error):
            raise
        if len(changes) == 1:
            _log.error("a message cannot be stored", connection=changes[0].connection_id, error=type(error).__name__)
            return Counter(), list(changes)
    half = len(changes) // 2
    counts, refused = merge_or_halve(state, changes[:half], now, hooks)
    more_counts, more_refused = merge_or_halve(state, changes[half:], now, hooks)
    return counts + more_counts, refused + more_refused


def unstorable(entry: Prepared, run_id: str, revision: int = 0) -> Settled:
    """The end of a message that the store refused."""
    connection_id, message_id = entry.message[:2]
    at = entry.change.at if entry.change else None
    return Settled(
        connection_id,
        message_id,
        "quarantined",
        "unstorable",
        entry.mapping_hash,
        entry.schema_hash,
        at,
        entry.source_id,
        revision,
        entry.warnings,
        run_id,
    )


def _merge(state: Connection, changes: Sequence[AppliedChange], now: Micros, hooks: Hooks) -> Counter[str]:
    result = profiles.merge(state, changes, now, hooks.digest)
    if hooks.follow is not None:
        hooks.follow(state, changes, result, now)
    erasures = Counter(
        hooks.erase(state, applied.connection_id, erasure, now)
        for applied in changes
        for erasure in applied.change.erasures
    )
    return erasures + Counter(
        profiles_created=len(result.created),
        profiles_changed=len(result.changed),
        events=result.events,
        orders=result.orders,
        consents=result.consents,
        links=result.links,
    )


def _unmapped(message: Message, reason: str, mapping: Compiled | None = None, why: str = "") -> Prepared:
    found = (model.Warning(reason, "", why),) if why else ()
    mapping_hash, schema_hash = (mapping.hash, mapping.schema_hash) if mapping is not None else ("", "")
    return Prepared(message, "quarantined", reason, mapping_hash, schema_hash, None, _warnings(message, found))


def _tell_defects(entries: Sequence[Prepared]) -> None:
    """One line for a whole batch: a broken mapping fails on every message."""
    failed = [entry for entry in entries if entry.reason == DEFECT]
    if failed:
        first = failed[0].message
        _log.error(
            "a mapping failed on messages", count=len(failed), connection=first.connection_id, id=first.message_id
        )


def _is_key(source_id: str) -> bool:
    """Whether both engines can key a profile by it."""
    if not 0 < len(source_id) <= MAX_SOURCE_ID or "\0" in source_id:
        return False
    return source_id.isascii() or source_id == source_id.encode("utf-8", "replace").decode()


def _warnings(message: Message, given: Sequence[model.Warning]) -> str:
    if not given and message.is_authentic and not message.has_fresh_id:
        return _NO_WARNINGS
    found = list(given)
    if message.has_fresh_id:
        found.append(
            model.Warning(NO_MESSAGE_ID, "", "The message has neither an id nor a time: a repetition counts twice.")
        )
    if not message.is_authentic:
        found.append(model.Warning(NOT_SIGNED, "", "The signature of its request does not cover this message."))
    return dumps([warning._asdict() for warning in found]).decode()


def _seen_row(entry: Prepared, run_id: str) -> SeenRow:
    connection_id, message_id, received_at = entry.message[:3]
    body, headers = entry.message.body, entry.message.headers
    change = entry.change
    if entry.reason == "erased" or (change is not None and change.erasures):
        change, body, headers = None, b"", ""  # a request to forget someone is not kept either
    return SeenRow(
        connection_id,
        message_id,
        entry.state,
        entry.reason,
        entry.mapping_hash,
        entry.schema_hash,
        received_at,
        change.at if change else None,
        change.source_id if change else None,
        0,
        body or None,
        entry.warnings,
        run_id,
        headers,
    )


def _run(run_id: str, decided: Sequence[Prepared], counts: dict[str, int], now: Micros, started: float) -> Run:
    connections = {entry.message.connection_id for entry in decided}
    quarantined = counts.get("quarantined", 0)
    return Run(
        id=run_id,
        kind="apply",
        started_at=now,
        duration_us=int((time.perf_counter() - started) * 1_000_000),
        counts={"messages": len(decided), **counts},
        result="partial" if quarantined else "ok",
        detail=f"{quarantined} of {len(decided)} messages were quarantined." if quarantined else "",
        connection_id=connections.pop() if len(connections) == 1 else None,
    )
