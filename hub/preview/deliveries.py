"""The deliveries that messages give rise to at a destination kept in step with everything, under ids of their content."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from hashlib import blake2b
from typing import Any, NamedTuple

from hub.core.clock import Micros, iso
from hub.core.secrets import Vault
from hub.mapping.model import REMOVED, Json
from hub.outbox.queue.operate import sealed_erasure
from hub.outbox.values import Row
from hub.preview.profiles import Imagined
from hub.profiles.rules.stamps import bounded
from hub.profiles.values import AppliedChange
from hub.runtime.sync.follower import event_record
from hub.sdk.json import canonical
from hub.sdk.values import Operation

ORDER = (
    Operation.CONSENT,  # goes before anything else waiting (contract rule 7)
    Operation.PROFILES,
    Operation.AUDIENCE,
    Operation.EVENTS,
    Operation.MESSAGES,
    Operation.ERASE,
)
EXAMPLE_CODE = "EXAMPLE-7Q2K"
CODE_DAYS = 30
DISTRIBUTION = {"id": "preview", "name": "Preview"}
TOPIC_CHARS = 255
DAY: Micros = 86_400_000_000
_ID = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"


class _New(NamedTuple):
    operation: Operation
    source_id: str
    at: Micros
    record: Any = {}  # noqa: RUF012 - never changed in place
    topic: str = ""


def rows_of(
    people: Imagined,
    changes: Sequence[AppliedChange],
    wanted: Sequence[Operation],
    options: Mapping[Operation, Mapping[str, Json]],
    vault: Vault,
    now: Micros,
) -> list[Row]:
    """The deliveries of the wanted operations, as the outbox would hold them."""
    gone = set(_erased(people, changes))
    present = sorted({root for root in people.roots.values() if root not in gone})
    times: dict[str, Micros] = {}
    for applied in changes:
        root = people.roots.get(str(applied.change.source_id))
        if root is not None:
            times[root] = max(applied.change.at, times.get(root, applied.change.at))
    made = {
        Operation.CONSENT: _states(people, present, "consents", Operation.CONSENT, times, now),
        Operation.PROFILES: (_New(Operation.PROFILES, root, times.get(root, now)) for root in present),
        Operation.AUDIENCE: _states(people, present, "audiences", Operation.AUDIENCE, times, now),
        Operation.EVENTS: _events(people, changes, gone),
        Operation.MESSAGES: (_message(root, now) for root in present),
        Operation.ERASE: _erasures(people, changes, vault),
    }
    return [
        _row(place, new, options.get(operation, {}))
        for operation in ORDER
        if operation in wanted
        for place, new in enumerate(made[operation])
    ]


def _states(
    people: Imagined, present: Sequence[str], kind: str, operation: Operation, times: Mapping[str, Micros], now: Micros
) -> Iterator[_New]:
    for root in present:
        for key, value in sorted(people.view(root)[kind].items()):
            topic = bounded(key, TOPIC_CHARS)
            if key and value is not REMOVED:
                record = {"audience": {"key": key}} if topic != key else {}
                yield _New(operation, root, times.get(root, now), record, topic)


def _events(people: Imagined, changes: Sequence[AppliedChange], gone: set[str]) -> Iterator[_New]:
    """One per event; an id that its sender gives is told once."""
    told: set[str] = set()
    for applied in changes:
        root = people.roots.get(str(applied.change.source_id))
        for event in applied.change.events if root is not None and root not in gone else ():
            if event.id is None or event.id not in told:
                told.update([event.id] if event.id is not None else ())
                yield _New(Operation.EVENTS, str(root), event.occurred_at, event_record(applied, event))


def _message(root: str, now: Micros) -> _New:
    """What a distribution would decide for this person, with an example code."""
    code = {
        "code": EXAMPLE_CODE,
        "value": "10",
        "balance": None,
        "expires_at": iso(now + CODE_DAYS * DAY),
        "published_at": iso(now),
    }
    occasion = {"id": "preview", "key": "preview", "planned_at": iso(now)}
    message = {"id": "preview", "name": DISTRIBUTION["name"], "at": iso(now)}
    record = {"code": code, "distribution": DISTRIBUTION, "occasion": occasion, "message": message}
    return _New(Operation.MESSAGES, root, now, record)


def _erased(people: Imagined, changes: Sequence[AppliedChange]) -> dict[str, tuple[str, Micros]]:
    """Survivors to be forgotten, with the request that asks for it and its time."""
    found: dict[str, tuple[str, Micros]] = {}
    for erase in (one for applied in changes for one in applied.change.erasures):
        named = [erase.source_id] if erase.source_id else []
        for identity in erase.identities if not named else ():
            named += people.holders(identity.type, identity.value)
        for source_id in sorted(set(named)):
            found[people.roots.get(source_id, source_id)] = (erase.request_id, erase.at)
    return found


def _erasures(people: Imagined, changes: Sequence[AppliedChange], vault: Vault) -> Iterator[_New]:
    for source_id, (request_id, at) in sorted(_erased(people, changes).items()):
        sealed = sealed_erasure(vault, source_id, people.identifiers(source_id), {}, request_id)
        yield _New(Operation.ERASE, source_id, at, sealed)


def _row(place: int, new: _New, options: Mapping[str, Json]) -> Row:
    record = new.record if isinstance(new.record, str) else canonical(new.record).decode()
    return Row(
        id=_derived([place, new.operation, new.source_id, "" if isinstance(new.record, str) else record]),
        operation=new.operation.value,
        source_id=new.source_id,
        topic=new.topic,
        consent="",
        distribution_id=DISTRIBUTION["id"] if new.operation is Operation.MESSAGES else None,
        record=record,
        options=canonical(dict(options)).decode() if options else "{}",
        mapping_hash="preview",
        at=new.at,
        route="",
        cohort="",
        attempts=0,
        waited_us=0,
        repeat="",
        repeat_until=None,
        is_unknown=False,
        replay=0,
        is_manual=False,
        is_quiet=False,
        is_forced=False,
        progress="",
        created_at=new.at,
    )


def _derived(content: Json) -> str:
    digest = blake2b(canonical(content), digest_size=26).digest()
    return "".join(_ID[byte % len(_ID)] for byte in digest)
