"""The SQL of distributions: what operators set. Occasions are in occasions.py."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import Connection, RowMapping, delete, func, select, update

from hub.campaigns import store as campaigns
from hub.core.clock import Micros
from hub.core.ids import new_id
from hub.core.wakeup import OCCASIONS, wake_after_commit
from hub.distributions import rules, timing
from hub.distributions.tables import DISTRIBUTION, TARGET
from hub.distributions.values import Distribution, Json, Target
from hub.registry.tables import ConnectionRow
from hub.sdk.errors import ConfigurationError
from hub.sdk.json import dumps, loads
from hub.sdk.values import Operation

OPERATIONS = (Operation.MESSAGES, Operation.EVENTS, Operation.PROFILES)
STATES = (Operation.AUDIENCE, Operation.CONSENT)
_CONNECTION = ConnectionRow.metadata.tables["connection"]
_CHANGEABLE = frozenset({"name", "audience", "trigger", "missed", "consent", "campaign_id"})


def add(
    connection: Connection,
    now: Micros,
    *,
    name: str,
    trigger: Json,
    targets: Sequence[Target],
    audience: Json = None,
    campaign_id: str | None = None,
    missed: str = "skip",
    consent: str = "",
    is_enabled: bool = True,
) -> Distribution:
    """A new distribution; `audience` is everybody if not given. Raises ConfigurationError."""
    columns = {"name": name, "trigger": trigger, "audience": {"all": True} if audience is None else audience}
    columns |= {"missed": missed, "consent": consent, "campaign_id": campaign_id}
    row = _checked(connection, columns, now)
    rows = _target_rows(connection, targets)
    row |= {"id": new_id(now // 1000), "is_enabled": is_enabled, "is_removed": False, "version": 1}
    row |= {"planned_at": now, "created_at": now, "updated_at": now}
    connection.execute(DISTRIBUTION.insert(), row)
    wake_after_commit(connection, OCCASIONS)
    _set_targets(connection, row["id"], rows)
    return get(connection, row["id"])


def change(
    connection: Connection,
    distribution_id: str,
    now: Micros,
    *,
    targets: Sequence[Target] | None = None,
    **columns: Json,
) -> Distribution:
    """Change some of name, audience, trigger, missed, consent, campaign_id and targets. Raises ConfigurationError.

    A new trigger counts from now: what the old one missed is not made up for. An occasion under way keeps its audience.
    """
    unknown = sorted(columns.keys() - _CHANGEABLE)
    if unknown:
        raise ConfigurationError(f"A distribution has no {', '.join(unknown)}.")
    get(connection, distribution_id)
    row = _checked(connection, columns, now, distribution_id)
    if "trigger" in columns:
        row["planned_at"] = now
    if targets is not None:
        _set_targets(connection, distribution_id, _target_rows(connection, targets))
    _update(connection, distribution_id, now, row)
    return get(connection, distribution_id)


def pause(connection: Connection, distribution_id: str, now: Micros) -> None:
    """Stop it. People whom an occasion under way has not reached are skipped, with the reason `disabled`."""
    _update(connection, distribution_id, now, {"is_enabled": False})


def resume(connection: Connection, distribution_id: str, now: Micros) -> None:
    """Let it run again, from now on: a pause is not an outage, so what fell into it is not made up for."""
    if not get(connection, distribution_id).is_enabled:
        _update(connection, distribution_id, now, {"is_enabled": True, "planned_at": now})


def remove(connection: Connection, distribution_id: str, now: Micros) -> None:
    """Take it away. Its occasions and publications stay readable, its name and connections are free again."""
    found = get(connection, distribution_id)
    name = f"{found.name} (removed {found.id})"
    connection.execute(delete(TARGET).where(TARGET.c.distribution_id == distribution_id))
    _update(connection, distribution_id, now, {"is_enabled": False, "is_removed": True, "name": name})


def get(connection: Connection, distribution_id: str) -> Distribution:
    """By id, removed ones too. Raises ConfigurationError if there is none."""
    row = connection.execute(select(DISTRIBUTION).where(DISTRIBUTION.c.id == distribution_id)).mappings().one_or_none()
    if row is None:
        raise ConfigurationError(f"There is no distribution {distribution_id!r}.")
    return _distribution(row, targets_of(connection, [distribution_id]).get(distribution_id, []))


def find(connection: Connection, name_or_id: str) -> Distribution | None:
    """By name, or by id."""
    wanted = (DISTRIBUTION.c.name == name_or_id) | (DISTRIBUTION.c.id == name_or_id)
    found = connection.scalar(select(DISTRIBUTION.c.id).where(wanted))
    return get(connection, found) if found else None


def every(connection: Connection) -> list[Distribution]:
    """All that were not removed, in the order they were made."""
    query = select(DISTRIBUTION).where(~DISTRIBUTION.c.is_removed).order_by(DISTRIBUTION.c.id)
    rows = connection.execute(query).mappings().all()
    targets = targets_of(connection, [row["id"] for row in rows])
    return [_distribution(row, targets.get(row["id"], [])) for row in rows]


def names(connection: Connection) -> dict[str, str]:
    """id -> name of every distribution, removed ones too."""
    return {row.id: row.name for row in connection.execute(select(DISTRIBUTION.c.id, DISTRIBUTION.c.name))}


def revision(connection: Connection) -> tuple[int, int]:
    """Changes whenever any distribution is added, changed or removed: the scheduler compares it."""
    versions = func.coalesce(func.sum(DISTRIBUTION.c.version), 0)
    count, total = connection.execute(select(func.count(), versions).select_from(DISTRIBUTION)).one()
    return int(count), int(total)


def plan(connection: Connection, distribution_id: str, planned_at: Micros) -> None:
    """Note that every instant up to this one is dealt with; never moves back."""
    earlier = (DISTRIBUTION.c.id == distribution_id) & (DISTRIBUTION.c.planned_at < planned_at)
    connection.execute(update(DISTRIBUTION).where(earlier).values(planned_at=planned_at))


def targets_of(connection: Connection, distribution_ids: Sequence[str]) -> dict[str, list[Target]]:
    """The connections of distributions, in the order of their ids, with the mapping each follows now."""
    query = select(TARGET, _CONNECTION.c.mapping_hash).join(_CONNECTION, _CONNECTION.c.id == TARGET.c.connection_id)
    query = query.where(TARGET.c.distribution_id.in_(distribution_ids)).order_by(TARGET.c.connection_id)
    found: dict[str, list[Target]] = {}
    for row in connection.execute(query).mappings():
        target = Target(row["connection_id"], row["operation"], loads(row["options"]), row["mapping_hash"])
        found.setdefault(row["distribution_id"], []).append(target)
    return found


def using(connection: Connection, connection_id: str) -> list[str]:
    """Names of the distributions that go through a connection; it cannot be removed while there are any."""
    query = select(DISTRIBUTION.c.name).join(TARGET, TARGET.c.distribution_id == DISTRIBUTION.c.id)
    return list(connection.scalars(query.where(TARGET.c.connection_id == connection_id).order_by(DISTRIBUTION.c.name)))


def drawing(connection: Connection, campaign_id: str) -> list[str]:
    """Names of the distributions that publish codes of a campaign; it cannot be removed while there are any."""
    query = select(DISTRIBUTION.c.name).where(DISTRIBUTION.c.campaign_id == campaign_id, ~DISTRIBUTION.c.is_removed)
    return list(connection.scalars(query.order_by(DISTRIBUTION.c.name)))


def forget_campaign(connection: Connection, campaign_id: str) -> None:
    """Removed distributions name it no more; their publications do."""
    of_it = (DISTRIBUTION.c.campaign_id == campaign_id) & DISTRIBUTION.c.is_removed
    connection.execute(update(DISTRIBUTION).where(of_it).values(campaign_id=None))


def forget(connection: Connection, source_ids: Sequence[str]) -> None:
    """Take erased people out of the audiences that name them."""
    gone = set(source_ids)
    for row in connection.execute(select(DISTRIBUTION.c.id, DISTRIBUTION.c.audience)).mappings().all():
        audience = loads(row["audience"])
        if gone.isdisjoint(audience.get("source_ids", ())):
            continue
        left = {"source_ids": [one for one in audience["source_ids"] if one not in gone]}
        changed = update(DISTRIBUTION).where(DISTRIBUTION.c.id == row["id"])
        connection.execute(changed.values(audience=dumps(left).decode(), version=DISTRIBUTION.c.version + 1))


def _checked(
    connection: Connection, columns: Mapping[str, Json], now: Micros, distribution_id: str = ""
) -> dict[str, Any]:
    """The given columns as the table holds them. Raises ConfigurationError for the first one that cannot be."""
    row = dict(columns)
    if "name" in row:
        _check_name(connection, row["name"], distribution_id)
    if "audience" in row:
        people = rules.audience_of(row["audience"]).source_ids
        row["audience"] = dumps({"all": True} if people is None else {"source_ids": people}).decode()
    if "trigger" in row:
        timing.check_trigger(row["trigger"], now)
        row["trigger"] = dumps(row["trigger"]).decode()
    if "missed" in row and row["missed"] not in rules.MISSED_POLICIES:
        raise ConfigurationError(f"A missed run is treated by 'skip' or 'once', not {row['missed']!r}.")
    if "consent" in row and (not isinstance(row["consent"], str) or len(row["consent"]) > 100):
        raise ConfigurationError("The consent a distribution asks for is a topic such as 'email'.")
    if row.get("campaign_id"):
        campaigns.get(connection, row["campaign_id"])
    return row


def _check_name(connection: Connection, name: Json, distribution_id: str) -> None:
    if not isinstance(name, str) or not 0 < len(name) <= 100 or not name.isprintable():
        raise ConfigurationError("A distribution needs a name of 1 to 100 printable characters.")
    taken = (DISTRIBUTION.c.name == name) & (DISTRIBUTION.c.id != distribution_id)
    if connection.scalar(select(DISTRIBUTION.c.id).where(taken)):
        raise ConfigurationError(f"There is a distribution named {name!r} already; choose another name.")


def _target_rows(connection: Connection, targets: Sequence[Target]) -> list[dict[str, str]]:
    if not targets:
        raise ConfigurationError("A distribution needs at least one connection to go through.")
    rows = {}
    for target in targets:
        if target.operation not in OPERATIONS:
            raise ConfigurationError(_not_carried(target.operation))
        if target.connection_id in rows:
            raise ConfigurationError(
                f"Connection {target.connection_id!r} is named twice; a person gets one delivery through each."
            )
        role = connection.scalar(select(_CONNECTION.c.role).where(_CONNECTION.c.id == target.connection_id))
        if role != "destination":
            raise ConfigurationError(f"There is no destination with the id {target.connection_id!r}.")
        options = dumps(dict(target.options)).decode()
        row = {"connection_id": target.connection_id, "operation": str(target.operation), "options": options}
        rows[target.connection_id] = row
    return [rows[key] for key in sorted(rows)]


def _not_carried(operation: str) -> str:
    """Why a distribution cannot do this, and what can."""
    if operation in STATES:
        return (
            f"A distribution does not carry {operation}: it says how a profile stands, whenever that changes. Keep the"
            f" destination in step instead: `hub destinations sync NAME {operation}`."
        )
    carried = "messages, events, or profiles, which hold the code as an attribute"
    return f"A distribution carries {carried}; {operation!r} is none of them."


def _set_targets(connection: Connection, distribution_id: str, rows: Sequence[Mapping[str, str]]) -> None:
    connection.execute(delete(TARGET).where(TARGET.c.distribution_id == distribution_id))
    connection.execute(TARGET.insert(), [{"distribution_id": distribution_id, **row} for row in rows])


def _update(connection: Connection, distribution_id: str, now: Micros, columns: Mapping[str, Any]) -> None:
    changed = update(DISTRIBUTION).where(DISTRIBUTION.c.id == distribution_id)
    connection.execute(changed.values(**columns, updated_at=now, version=DISTRIBUTION.c.version + 1))
    wake_after_commit(connection, OCCASIONS)


def _distribution(row: RowMapping, targets: Sequence[Target]) -> Distribution:
    columns = {name: row[name] for name in row if name != "is_removed"}
    columns |= {"audience": loads(row["audience"]), "trigger": loads(row["trigger"])}
    return Distribution(**columns, targets=targets)
