"""The deliveries of a preview: those that the rehearsal made, and made-up ones, in a fixed order under ids of their content."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from hashlib import blake2b

from hub.core.clock import Micros, iso
from hub.core.secrets import Vault
from hub.mapping.model import Json
from hub.outbox.values import Row
from hub.preview.rehearsal import NAME, Outcome
from hub.sdk.json import canonical, loads
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
DISTRIBUTION = {"id": NAME, "name": "Preview"}
DAY: Micros = 86_400_000_000
_ID = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
Options = Mapping[Operation, Mapping[str, Json]]


def rows_of(
    outcome: Outcome, operations: Sequence[Operation], options: Options, vault: Vault, now: Micros
) -> list[Row]:
    """The deliveries of these operations, as the outbox would hold them."""
    made = {operation: [row for row in outcome.rows if row.operation == operation] for operation in ORDER}
    made[Operation.MESSAGES] = [_message(root, now) for root in outcome.present]
    made[Operation.ERASE] = [_named(row, vault) for row in made[Operation.ERASE]]
    wanted = [operation for operation in ORDER if operation in operations]
    return [row for operation in wanted for row in _settled(made[operation], options.get(operation, {}))]


def pushes_of(people: Iterable[str], options: Mapping[str, Json], now: Micros) -> list[Row]:
    """A profile push for each of them."""
    return _settled([_row(Operation.PROFILES, one, now) for one in people], options)


def _settled(rows: Sequence[Row], options: Mapping[str, Json]) -> list[Row]:
    """In an order and under ids that follow from the input alone. Events stay in the order in which they came."""
    text = canonical(dict(options)).decode() if options else "{}"
    in_order = sorted(
        rows, key=lambda row: (row.due_at if row.operation == Operation.EVENTS else 0, row.source_id, row.topic)
    )
    return [row._replace(id=_id(place, row), options=text) for place, row in enumerate(in_order)]


def _id(place: int, row: Row) -> str:
    record = "" if row.operation == Operation.ERASE else row.record  # what is sealed differs each time
    digest = blake2b(canonical([place, row.operation, row.source_id, record]), digest_size=26).digest()
    return "".join(_ID[byte % len(_ID)] for byte in digest)


def _named(row: Row, vault: Vault) -> Row:
    """An erase delivery under the name of whom it is about."""
    return row._replace(source_id=str(loads(vault.open(row.record))["source_id"]))


def _message(root: str, now: Micros) -> Row:
    """What a distribution would decide for this person, with an example code."""
    code = {
        "code": EXAMPLE_CODE,
        "value": "10",
        "balance": None,
        "expires_at": iso(now + CODE_DAYS * DAY),
        "published_at": iso(now),
    }
    occasion = {"id": NAME, "key": NAME, "planned_at": iso(now)}
    message = {"id": NAME, "name": DISTRIBUTION["name"], "at": iso(now)}
    record = {"code": code, "distribution": DISTRIBUTION, "occasion": occasion, "message": message}
    return _row(Operation.MESSAGES, root, now)._replace(
        record=canonical(record).decode(), distribution_id=DISTRIBUTION["id"]
    )


def _row(operation: Operation, source_id: str, at: Micros) -> Row:
    return Row(
        id="",
        operation=operation.value,
        source_id=source_id,
        topic="",
        consent="",
        distribution_id=None,
        record="{}",
        options="{}",
        mapping_hash=NAME,
        at=at,
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
        created_at=at,
    )
