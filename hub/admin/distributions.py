"""Setting up distributions: what CLI and API both do. Names become ids, options are checked by their connector."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

from pydantic import ValidationError
from sqlalchemy import Connection as Database

from hub.admin.views import with_times
from hub.campaigns import store as campaigns
from hub.core import clock
from hub.core.clock import Micros, iso
from hub.core.ids import new_id
from hub.distributions import store
from hub.distributions.rules import trigger_of
from hub.distributions.timing import next_at
from hub.distributions.values import Distribution, Target
from hub.ledger.store import record_audit
from hub.registry import store as registry
from hub.registry.values import Connection
from hub.runtime.occasions.step import run_now
from hub.runtime.process.installation import Installation
from hub.sdk.errors import ConfigurationError
from hub.sdk.values import Operation

FIELDS = frozenset({"name", "campaign", "audience", "trigger", "targets", "missed", "consent"})


def add_distribution(
    hub: Installation, database: Database, now: Micros, plan: Mapping[str, Any], actor: str
) -> Distribution:
    """A new distribution. `plan` has the FIELDS; a target is {connection, operation, options}.

    Raises ConfigurationError with a sentence for whatever does not fit.
    """
    unknown = sorted(plan.keys() - FIELDS)
    if unknown:
        raise ConfigurationError(f"A distribution has no {unknown[0]!r}; it has {', '.join(sorted(FIELDS))}.")
    added = store.add(
        database,
        now,
        name=_text(plan, "name", ""),
        trigger=_trigger(plan.get("trigger")),
        targets=_targets(hub, database, plan.get("targets")),
        audience=plan.get("audience"),
        campaign_id=_campaign_id(database, _text(plan, "campaign", "")),
        missed=_text(plan, "missed", "skip"),
        consent=_text(plan, "consent", ""),
    )
    record_audit(database, now, actor, "distribution.added", added.name, {"id": added.id})
    return added


def distribution_json(hub: Installation, database: Database, distribution: Distribution) -> dict[str, Any]:
    """A distribution as CLI and API show it, its connections and campaign by name."""
    names = {each.id: each.name for each in registry.every(database, hub.vault, "destination")}
    shown = with_times(asdict(distribution))
    shown["targets"] = [
        {
            "connection": names.get(target.connection_id, target.connection_id),
            "operation": target.operation,
            "options": dict(target.options),
        }
        for target in distribution.targets
    ]
    shown["next_at"] = _next_firing(distribution)
    if distribution.campaign_id:
        shown["campaign"] = campaigns.get(database, distribution.campaign_id).name
    return shown


def _next_firing(distribution: Distribution) -> str | None:
    """When it runs by itself next; None for one that is paused, runs by hand only, or is over."""
    now = clock.now()
    at = next_at(trigger_of(distribution.trigger), distribution.created_at, now) if distribution.is_enabled else None
    return None if at is None else iso(at)


def change_status(database: Database, now: Micros, name: str, action: str, actor: str) -> Distribution:
    """Pause, resume or remove a distribution, by name or id. Raises ConfigurationError if there is none."""
    found = existing(database, name)
    {"pause": store.pause, "resume": store.resume, "remove": store.remove}[action](database, found.id, now)
    record_audit(database, now, actor, f"distribution.{action}d", found.name, {"id": found.id})
    return store.get(database, found.id)


def run_by_hand(database: Database, now: Micros, name: str, key: str | None, actor: str) -> dict[str, Any]:
    """Open an occasion now; the same key never opens a second one. Raises ConfigurationError."""
    found = existing(database, name)
    occasion, is_new = run_now(database, found.id, key or new_id(now // 1000), now)
    record_audit(database, now, actor, "distribution.run", found.name, {"occasion": occasion.id, "is_new": is_new})
    return {"occasion_id": occasion.id, "is_new": is_new}


def existing(database: Database, name: str) -> Distribution:
    """The distribution of this name or id, if it was not removed. Raises ConfigurationError."""
    found = next((each for each in store.every(database) if name in (each.name, each.id)), None)
    if found is None:
        raise ConfigurationError(f"There is no distribution {name!r}; `hub distributions list` shows those there are.")
    return found


def _text(plan: Mapping[str, Any], key: str, default: str) -> str:
    value = plan.get(key)
    if value is None:
        return default
    if not isinstance(value, str):
        raise ConfigurationError(f"The {key!r} of a distribution is a text.")
    return value


def _trigger(given: Any) -> Mapping[str, Any]:
    if given is None:
        return {"kind": "manual"}
    if not isinstance(given, Mapping) or not isinstance(given.get("kind"), str):
        raise ConfigurationError('A trigger is an object with a kind, such as {"kind": "manual"}.')
    return given


def _campaign_id(database: Database, name: str) -> str | None:
    if not name:
        return None
    campaign = campaigns.find(database, name)
    if campaign is None:
        raise ConfigurationError(f"There is no campaign {name!r}; add it first.")
    return campaign.id


def _targets(hub: Installation, database: Database, given: Any) -> Sequence[Target]:
    if not isinstance(given, list) or not all(isinstance(each, Mapping) for each in given):
        raise ConfigurationError("`targets` is a list of {connection, operation, options}.")
    return [_target(hub, database, each) for each in given]


def _target(hub: Installation, database: Database, given: Mapping[str, Any]) -> Target:
    strange = sorted(given.keys() - {"connection", "operation", "options"})
    if strange:
        raise ConfigurationError(f"A target has no {strange[0]!r}; it has connection, operation and options.")
    connection = registry.find(database, hub.vault, "destination", str(given.get("connection") or ""))
    if connection is None:
        raise ConfigurationError(f"There is no destination {given.get('connection')!r}; add it first.")
    operation = str(given.get("operation") or "")
    return Target(connection.id, operation, checked_options(hub, connection, operation, given.get("options") or {}))


def checked_options(hub: Installation, connection: Connection, operation: str, options: Any) -> dict[str, Any]:
    """Options as the connector takes them, defaults left out. Raises ConfigurationError naming what does not fit."""
    found = hub.connectors.get(connection.connector)
    if found is None or found.destination_class is None:
        raise ConfigurationError(f"The connector {connection.connector!r} of {connection.name!r} cannot be used here.")
    offered = found.destination_class.Options
    if operation not in set(offered):
        can = ", ".join(offered)
        raise ConfigurationError(f"{connection.name!r} cannot do {operation!r}; it can do {can}.")
    model = offered[Operation(operation)]
    unknown = sorted(set(options) - set(model.model_fields)) if isinstance(options, Mapping) else []
    if unknown and model.model_config.get("extra") != "allow":
        can = f"it takes {', '.join(model.model_fields)}" if model.model_fields else "it takes none"
        raise ConfigurationError(f"{operation!r} of {connection.name!r} has no option {unknown[0]!r}; {can}.")
    try:
        checked = model.model_validate(options)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"])) or "options"
        raise ConfigurationError(f"Option {where!r} of {connection.name!r} does not fit: {first['msg']}.") from error
    return checked.model_dump(mode="json", exclude_unset=True)
